"""Room on the disk: a floor below which no event is taken, and a reserve for what is owed.

The floor keeps events from filling the disk; the reserve is for the day when another program does:
its blocks are given up, and what is owed can be recorded, and so delivered, all the same.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path

from relay.errors import JournalFullError

GLANCE = 1.0
"""Seconds between two looks at the free space."""
CALM = 30.0
"""Seconds after which a reserve that was given up is set aside anew: a quota may refuse what looks
free, and each write would give up and take its blocks."""
FLOOR_BYTES = 64 * 1024 * 1024
"""Free space below which no event is taken, on a disk of any usual size."""
RESERVE_BYTES = 8 * 1024 * 1024
"""Some thousand attempts with their outcomes."""


def free_space(folder: Path) -> tuple[int, int]:
    """Bytes that are free where the journal stands, and the floor for a disk of that size.

    Raises `OSError` if the folder cannot be asked.
    """
    found = os.statvfs(folder)
    return found.f_bavail * found.f_frsize, min(FLOOR_BYTES, found.f_blocks * found.f_frsize // 8)


class Room:
    """Says whether there is room for events, and keeps the reserve."""

    def __init__(self, journal: Path, floor_bytes: int | None, reserve_bytes: int = 0) -> None:
        """A floor of None fits the disk: a small one is not all floor. No reserve if 0 bytes."""
        self._folder = journal.resolve().parent
        self._reserve = journal.with_name(journal.name + ".reserve")
        self._reserve_bytes = reserve_bytes
        self._floor_bytes = floor_bytes
        self._floor = floor_bytes or 0
        self._looked_at = float("-inf")
        self._free = 0
        self._is_kept = False
        self._given_up_at = float("-inf")
        self._keep_reserve()

    def is_enough(self) -> bool:
        """Whether there is as much free space as the floor asks for; looks once a second."""
        if time.monotonic() - self._looked_at >= GLANCE:
            try:
                self._free, fitting = free_space(self._folder)
            except OSError:
                return True  # what is wrong with the folder, SQLite will say
            self._floor = fitting if self._floor_bytes is None else self._floor_bytes
            self._looked_at = time.monotonic()
        return self._free >= self._floor

    def require(self) -> None:
        """Raise `JournalFullError` while there is less free space than the floor."""
        if not self.is_enough():
            raise JournalFullError(
                f"{self._free // 2**20} MB are free where the journal stands; "
                f"events are taken from {self._floor // 2**20} MB on"
            )
        if not self._is_kept and time.monotonic() - self._given_up_at >= CALM:
            self._keep_reserve()

    def make(self) -> bool:
        """A write found no room: give the reserve up for it; False if there is none."""
        self._looked_at = float("-inf")  # the last look says nothing any more
        if not self._is_kept:
            return False
        self._is_kept, self._given_up_at = False, time.monotonic()
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def _keep_reserve(self) -> None:
        """Set the reserve aside, if the disk is not nearly full as it is."""
        if not self._reserve_bytes:
            return
        try:
            free, floor = free_space(self._folder)
            size = min(self._reserve_bytes, floor // 4)
            if free < floor + size:
                return
            fd = os.open(self._reserve, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(fd, 0, size)
            finally:
                os.close(fd)
        except OSError:
            # A file that holds less than it says would be a promise without blocks.
            with suppress(OSError):
                self._reserve.unlink()
            return
        self._is_kept = True
