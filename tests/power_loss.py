"""A disk that can fail, and that forgets at a power loss what was never synced.

A VFS under SQLite: each write to a file is remembered with what it replaced until the file is
synced. A power loss is a copy of the files in which any suffix of the unsynced writes is undone.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw


@dataclass
class Unsynced:
    """The writes to one file since its last sync: place, what stood there, size before."""

    writes: list[tuple[int, bytes, int]] = field(default_factory=list)


class Disk(apsw.VFS):
    """Registered under its name while it lives; `fault` makes it fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: dict[str, Unsynced] = {}
        self.lock = threading.RLock()
        self.syncs = 0
        self.fault: str | None = None
        """`full`: no write finds room; `sync`: the next sync fails, and the one after it does not;
        `checkpoint`: the same, but not for the WAL."""
        self.room: int | None = None
        """The size that no file may outgrow."""
        super().__init__(name, "")

    def xOpen(self, name: Any, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        with self.lock:
            log = self.files.setdefault(path or "", Unsynced())
        return File(self, log, name, flags)

    def lose_power(self, into: Path, chance: random.Random) -> None:
        """Write the files as they may be found afterwards."""
        with self.lock:
            for path, log in self.files.items():
                if not path or not Path(path).exists():
                    continue
                content = bytearray(Path(path).read_bytes())
                kept = chance.randint(0, len(log.writes))
                for offset, before, size in reversed(log.writes[kept:]):
                    content[offset : offset + len(before)] = before
                    del content[size:]
                (into / Path(path).name).write_bytes(content)


class File(apsw.VFSFile):
    def __init__(self, disk: Disk, log: Unsynced, name: Any, flags: list[int]) -> None:
        self.disk = disk
        self.log = log
        self.is_wal = str(name.filename() if isinstance(name, apsw.URIFilename) else name).endswith(
            "-wal"
        )
        super().__init__("", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
        with self.disk.lock:
            room = self.disk.room
            if self.disk.fault == "full" or (room is not None and offset + len(data) > room):
                raise apsw.FullError("no room")
            self._remember(offset, len(data))
            super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        with self.disk.lock:
            self._remember(newsize, max(0, self.xFileSize() - newsize))
            super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
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

    def _remember(self, offset: int, length: int) -> None:
        size = self.xFileSize()
        there = max(0, min(length, size - offset))
        before = self.xRead(there, offset) if there else b""
        self.log.writes.append((offset, before, size))
