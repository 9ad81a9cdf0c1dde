"""A disk that can fail, and that forgets at a power loss what was never synced.

A VFS under SQLite: each write to a file is remembered with what it replaced until the file is
synced. A power loss is a copy of the files in which unsynced writes are undone: any suffix of them,
the last one that is kept perhaps torn at a sector, or, on a disk that reorders, any of them.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

BASE = "unix"
"""The VFS that does the work."""
SECTOR = 512
"""Bytes that a disk writes whole or not at all."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write: its place, what stood there, and how large the file was."""

    offset: int
    length: int
    before: bytes
    size: int
    is_cut: bool = False
    """The file was cut off here."""


@dataclass
class Unsynced:
    """The writes to one file since its last sync."""

    writes: list[Write] = field(default_factory=list)


class Disk(apsw.VFS):
    """Registered under its name while it lives; `fault` makes it fail."""

    fault: str | None
    """`full`: no write finds room; `sync`: the next sync fails, and the one after it does not;
    `checkpoint`: the same, but not for the WAL."""

    def __init__(self, name: str, *, makedefault: bool = False) -> None:
        self.name = name
        self.files: dict[str, Unsynced] = {}
        self.lock = threading.RLock()
        self.syncs = 0
        self.held = threading.Event()
        """A sync has begun while `gate` is shut, and waits for it."""
        self.gate = threading.Event()
        self.gate.set()
        self.fault = None
        self.room: int | None = None
        """The size that no file may outgrow."""
        super().__init__(name, BASE, makedefault=makedefault)

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        with self.lock:
            log = self.files.setdefault(path or "", Unsynced())
        return File(self, log, name, flags)

    def lose_power(self, into: Path, chance: random.Random, *, keep_all: bool = False) -> None:
        """Write the files as they may be found afterwards; whole, if only a process died."""
        with self.lock:
            for path, log in self.files.items():
                if not path or not Path(path).exists():
                    continue
                content = bytearray(Path(path).read_bytes())
                if not keep_all:
                    _forget(content, log.writes, chance)
                (into / Path(path).name).write_bytes(content)


def _forget(content: bytearray, writes: list[Write], chance: random.Random) -> None:
    """Undo unsynced writes as a power loss may."""
    made = []
    for write in reversed(writes):
        # With the later writes undone, what stands there is what this one wrote.
        made.append(bytes(content[write.offset : write.offset + write.length]))
        content[write.offset : write.offset + len(write.before)] = write.before
        del content[write.size :]
    kept = chance.randint(0, len(writes))
    reorders = chance.randint(0, 1)
    for n, (write, data) in enumerate(zip(writes, reversed(made), strict=True)):
        if n < kept:
            part = data
        elif n == kept or (reorders and chance.randint(0, 1)):
            part = data[: SECTOR * chance.randint(0, len(data) // SECTOR)]
        else:
            continue
        if n < kept and write.is_cut:
            del content[write.offset :]
        content.extend(bytes(max(0, write.offset - len(content)) if part else 0))
        content[write.offset : write.offset + len(part)] = part


class File(apsw.VFSFile):
    def __init__(self, disk: Disk, log: Unsynced, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.log = log
        self.is_wal = str(name.filename() if isinstance(name, apsw.URIFilename) else name).endswith(
            "-wal"
        )
        super().__init__(BASE, name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        with self.disk.lock:
            room = self.disk.room
            if self.disk.fault == "full" or (room is not None and offset + len(data) > room):
                raise apsw.FullError("no room")
            self._remember(offset, len(data))
            super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        with self.disk.lock:
            self._remember(newsize, max(0, self.xFileSize() - newsize), is_cut=True)
            super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        if not self.disk.gate.is_set():
            self.disk.held.set()
            self.disk.gate.wait()
        with self.disk.lock:
            fault = self.disk.fault
            if fault == "sync" or (fault == "checkpoint" and not self.is_wal):
                self.disk.fault = None
                error = apsw.IOError("the sync failed")
                error.extendedresult = apsw.SQLITE_IOERR_FSYNC  # type: ignore[attr-defined]
                raise error
            super().xSync(flags)
            self.log.writes.clear()
            self.disk.syncs += 1

    def _remember(self, offset: int, length: int, *, is_cut: bool = False) -> None:
        size = self.xFileSize()
        there = max(0, min(length, size - offset))
        before = self.xRead(there, offset) if there else b""
        self.log.writes.append(Write(offset, 0 if is_cut else length, before, size, is_cut))
