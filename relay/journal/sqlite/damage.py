"""Whether the journal's file is whole: its size at each opening, every page when it is asked for.

SQLite opens a file that lost its last bytes, takes an empty one for a new one, and forgets the WAL
beside it; so these are looked at before it may write.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from pathlib import Path

import apsw

from relay.errors import JournalUnusableError
from relay.journal.doors import WAY_BACK

CHECKED_BYTES = 128 * 1024 * 1024
"""Up to this size the whole file is checked at opening; a larger one would hold up the start."""
MOST_FAULTS = 20


_WAL_HEADER, _FRAME_HEADER = 32, 24
"""Bytes (sqlite.org/fileformat2.html#walformat)."""


def is_unclean(path: Path) -> bool:
    """Whether the last relay left its WAL behind: it was killed, or a reader outlived it."""
    wal = _wal(path)
    return wal.exists() and wal.stat().st_size > 0


def require_content(path: Path) -> None:
    """Raise `JournalUnusableError` for an empty file: who has no journal yet has no file either."""
    if path.stat().st_size == 0:
        raise JournalUnusableError(
            f"it is empty, as if cut to nothing: {WAY_BACK}, or remove it to begin a new one"
        )


def require_size(connection: apsw.Connection, path: Path) -> None:
    """Raise `JournalUnusableError` if pages are missing at the end of the file.

    After a kill some may stand in the WAL alone. Within one transaction, so that no checkpoint
    of a relay that serves can cut the file meanwhile.
    """
    connection.execute("BEGIN")
    try:
        count, size = connection.pragma("page_count"), connection.pragma("page_size")
        kept = _pages_in_wal(_wal(path), size)
        whole = path.stat().st_size // size
    finally:
        connection.execute("ROLLBACK")
    missing = [page for page in range(whole + 1, count + 1) if page not in kept]
    if missing:
        raise JournalUnusableError(f"it is damaged, {len(missing)} pages are cut off: {WAY_BACK}")


def require_sound(connection: apsw.Connection, path: Path) -> None:
    """Raise `JournalUnusableError` if a quick look finds damage; a large file has none."""
    if path.stat().st_size <= CHECKED_BYTES:
        found = connection.pragma("quick_check", 1)
        if found != "ok":
            raise JournalUnusableError(f"it is damaged, {' '.join(str(found).split())}: {WAY_BACK}")


async def examine(connection: apsw.Connection) -> list[str]:
    """What is wrong with the whole file; nothing if all is well. Gives the connection back.

    Every page and index is read, also while a relay serves; meanwhile its WAL grows.
    """
    try:
        return await asyncio.to_thread(_examine, connection)
    finally:
        # Who no longer waits for the answer does not wait for the reading either.
        with suppress(apsw.Error):
            connection.interrupt()


def _examine(connection: apsw.Connection) -> list[str]:
    try:
        rows = connection.execute(f"PRAGMA integrity_check({MOST_FAULTS})").fetchall()
    except apsw.CorruptError as error:
        return [str(error)]
    except apsw.InterruptError:
        return []
    finally:
        connection.close()
    lines = (line for (text,) in rows for line in str(text).splitlines())
    return [line.strip() for line in lines if line.strip() not in ("", "ok")]


def _wal(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def _pages_in_wal(wal: Path, page_size: int) -> set[int]:
    """The pages that the WAL holds; frames of an older round carry another salt."""
    pages = set()
    with suppress(FileNotFoundError), wal.open("rb") as file:
        salt = file.read(_WAL_HEADER)[16:24]
        while len(frame := file.read(_FRAME_HEADER)) == _FRAME_HEADER and frame[8:16] == salt:
            pages.add(int.from_bytes(frame[:4], "big"))
            file.seek(page_size, 1)
    return pages
