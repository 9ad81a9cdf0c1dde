"""The embedded engine: `open_journal` for the relay that serves, `open_records` to look on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import TypeVar

import apsw

from relay.errors import JournalBrokenError, JournalBusyError, JournalError
from relay.journal import Records, Relay, Store
from relay.journal.doors import journal_path
from relay.journal.sql import notes
from relay.journal.sql.journal import SqlJournal, SqlRecords
from relay.journal.sql.writing import Connection
from relay.journal.sqlite import connection, damage
from relay.journal.sqlite.connection import BUSY_MS, Lock, SqliteWriting, Synchronous
from relay.journal.sqlite.room import RESERVE_BYTES, Room
from relay.journal.sqlite.writer import BROKEN, INSISTENT_MS, Writer

__all__ = ["examine_journal", "journal_path", "open_engine", "open_journal", "open_records"]

T = TypeVar("T")

READERS = 2
"""So many questions are answered at once: a long one does not hold up the lanes."""
TRIES = 20
"""To write the file anew while others read the journal."""
BETWEEN_TRIES = 0.25
"""Seconds, in which webhooks are recorded."""


async def open_journal(
    url: str, *, now: datetime, vfs: str | None = None, floor_bytes: int | None = None
) -> Store:
    """Open the journal for the one relay that serves it, creating it if there is none.

    Raises `JournalLockedError` or `JournalUnusableError`, each with one line for the operator.
    Deliveries that the last relay had claimed are settled as lost before this returns.
    """
    return await open_engine(
        journal_path(url),
        now=now,
        vfs=vfs,
        floor_bytes=floor_bytes,
        reserve_bytes=RESERVE_BYTES,
        synchronous="FULL",
    )


def open_records(url: str) -> Records:
    """Open the journal to read only, also while a relay serves it; for commands.

    Raises `JournalUnusableError`, also where there is no journal yet.
    """
    path = journal_path(url)
    with connection.named_faults(path):
        return SqliteRecords([connection.reader(path)])


async def examine_journal(url: str) -> list[str]:
    """What is wrong with the whole file, also while a relay serves it; nothing if all is well.

    Raises `JournalUnusableError` where it cannot even be opened.
    """
    path = journal_path(url)
    with connection.named_faults(path):
        opened = connection.reader(path)
    return await damage.examine(opened)


async def open_engine(
    path: Path,
    *,
    now: datetime,
    vfs: str | None = None,
    floor_bytes: int | None = None,
    reserve_bytes: int = 0,
    synchronous: Synchronous = "FULL",
) -> Store:
    """As `open_journal`; `synchronous` is there to show what a weaker setting loses."""

    def open_all() -> tuple[bool, Lock, SqliteWriting, list[apsw.Connection], bytes]:
        with connection.named_faults(path):
            lock = Lock(path)
            unclean = damage.is_unclean(path)
            opened: list[apsw.Connection] = []
            try:
                writing = connection.writer(path, vfs=vfs, synchronous=synchronous)
                opened.append(writing)
                key = notes.own_key(writing)
                opened.extend(connection.reader(path, vfs=vfs) for _ in range(READERS))
            except BaseException:
                for one in reversed(opened):
                    one.close()
                lock.release()
                raise
        return unclean, lock, writing, opened[1:], key

    unclean, lock, writing, reading, key = await asyncio.to_thread(open_all)
    records = SqliteRecords(reading)
    room = Room(path, floor_bytes, reserve_bytes)
    journal = SqliteJournal(Writer(writing, make_room=room.make), records, lock, room)
    try:
        recovered = await journal.recover(now=now)
    except BaseException:
        await journal.close()
        raise
    return Store(journal=journal, records=records, recovered=recovered, unclean=unclean, key=key)


class SqliteJournal(SqlJournal):
    """The verbs, in one file that one process owns."""

    def __init__(self, writer: Writer, records: SqliteRecords, lock: Lock, room: Room) -> None:
        """Take over the parts of an open store; `close` gives all of them back."""
        super().__init__(writer)
        self._writer = writer
        self._records = records
        self._lock = lock
        self._room = room

    def leads(self) -> bool:
        """Yes: whoever has the file's lock is alone."""
        return True

    async def lead(self, *, now: datetime) -> int | None:  # noqa: ARG002
        """Nothing new: it leads."""
        return None

    async def note_rules(self, version: int, waits: Sequence[str]) -> None:
        """Nothing: nobody asks but itself."""

    async def news(self) -> Set[str]:
        """Never any: nobody else changes the file."""
        await asyncio.Event().wait()
        return frozenset()

    def can_store(self) -> bool:
        """Whether a webhook would be taken now: the disk works, with room, and is keeping up."""
        return self.is_keeping_up and not self._writer.is_broken and self._room.is_enough()

    def require_room(self) -> None:
        """Raise `JournalFullError` below the floor of free space."""
        self._room.require()

    async def broken(self) -> str:
        """Return, with the reason, when the disk failed; the process has to end then."""
        return str(await asyncio.shield(self._writer.failure))

    async def clear(self) -> bool:
        """Leave nothing of what was erased in the files; False where others read them."""
        for _ in range(TRIES):
            if await self._writer.submit(_rewritten, alone=True):
                return True
            await asyncio.sleep(BETWEEN_TRIES)
        return False

    async def close(self) -> None:
        """Finish what was asked for and give the store back, records and lock included."""
        await self._records.close()
        await self._writer.close()
        self._lock.release()


def _rewritten(writing: SqliteWriting) -> bool:
    """Write the whole file anew from its rows, and empty the WAL; False while others read it.

    SQLite overwrites what it removes, but where it moves rows from one page to another, copies may
    stay in the first. Outside of any transaction; nothing else is recorded meanwhile.
    """
    # A copy of a large journal does not fit into memory.
    writing.pragma("temp_store", "file")
    writing.set_busy_timeout(INSISTENT_MS)
    try:
        writing.execute("VACUUM")
        writing.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.BusyError, apsw.LockedError):
        return False
    finally:
        writing.set_busy_timeout(BUSY_MS)
        writing.pragma("temp_store", "memory")
    return True


class SqliteRecords(SqlRecords[apsw.Connection]):
    """The questions; each connection is used by one thread at a time."""

    async def relays(self) -> Sequence[Relay]:
        """None: a file is shared with nobody."""
        return ()

    def answer(self, connection: apsw.Connection, question: Callable[[Connection], T]) -> T:
        """Answer one question from one moment of the journal."""
        try:
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.execute("ROLLBACK")
        except (apsw.BusyError, apsw.LockedError) as error:
            raise JournalBusyError("another program holds the journal") from error
        except BROKEN as error:
            raise JournalBrokenError(f"the journal cannot be read: {error}") from error
        except apsw.Error as error:
            raise JournalError(f"the journal has no answer: {error}") from error

    def shut(self, connection: apsw.Connection) -> None:
        """Close a connection."""
        connection.close(True)
