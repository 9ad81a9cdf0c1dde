"""What the journal's file still holds of something that is in none of its rows any more.

SQLite overwrites what it removes (`secure_delete`), but where it moves rows from one page to
another to make room, copies of them may stay in the unused part of the first.
"""

from __future__ import annotations

from collections.abc import Iterable

import apsw

from relay.journal.sqlite.needle import Needle
from relay.journal.sqlite.rows import packed

CHUNK = 4 * 1024 * 1024
OVERLAP = 1024
"""Bytes that two chunks share, so that nothing is missed between them."""


def holds(connection: apsw.Connection, needle: Needle, names: Iterable[str]) -> bool:
    """Whether the file holds the number, or one of the names, anywhere.

    The file is read through SQLite's own layer: to open and close it otherwise would take away
    the locks that this process has on it (sqlite.org/howtocorrupt.html, 2.2).
    """
    texts = _spellings(names)
    file = apsw.VFSFile(
        connection.open_vfs,
        connection.filename,
        [apsw.SQLITE_OPEN_MAIN_DB | apsw.SQLITE_OPEN_READONLY, 0],
    )
    try:
        size = file.xFileSize()
        for start in range(0, size, CHUNK):
            chunk = file.xRead(min(CHUNK + OVERLAP, size - start), start)
            if needle.in_bytes.search(chunk) or any(text in chunk for text in texts):
                return True
    finally:
        file.xClose()
    return False


def _spellings(names: Iterable[str]) -> set[bytes]:
    """Names as rows have them: in JSON, as they are, and folded."""
    found: set[bytes] = set()
    for name in names:
        plain = name.encode("utf-8", "backslashreplace")
        folded = name.casefold().encode("utf-8", "backslashreplace")
        found |= {plain, folded, packed(name)[1:-1].encode()}
    return found


def compact(connection: apsw.Connection) -> None:
    """Write the whole file anew from its rows.

    Outside of any transaction; nothing else is recorded meanwhile.
    """
    # A copy of a large journal does not fit into memory.
    connection.pragma("temp_store", "file")
    try:
        connection.execute("VACUUM")
    finally:
        connection.pragma("temp_store", "memory")
