"""The shared engine: `open_journal` for a relay or a command, `open_records` to look on."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import Callable, Sequence, Set
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

from relay.errors import JournalBusyError, JournalError, JournalUnusableError
from relay.journal import Records, Relay, Store
from relay.journal.doors import SETTING
from relay.journal.postgres import schema
from relay.journal.postgres.connection import Connection, LostError, RefusedError, Server
from relay.journal.postgres.writer import GONE, Writer
from relay.journal.postgres.writing import PostgresWriting, living
from relay.journal.sql import notes, work
from relay.journal.sql.journal import SqlJournal, SqlRecords
from relay.journal.sql.rows import packed
from relay.journal.sql.writing import Connection as Reading
from relay.journal.sql.writing import Writing

T = TypeVar("T")

READERS = 2
"""So many questions are answered at once: a long one does not hold up the lanes."""
NEEDED = ("synchronous_commit", "fsync", "full_page_writes")
"""Settings of a database that loses what it said it has while one of them is off."""


async def open_journal(url: str, *, now: datetime) -> Store:
    """Open the journal, creating its tables if there are none.

    Raises `JournalUnusableError` with one line for the operator.
    """
    relay, server = secrets.token_hex(8), Server(url)
    name = f"{socket.gethostname()}:{os.getpid()}"

    def connected() -> PostgresWriting:
        connection = PostgresWriting(server, name=f"relay {name}")
        try:
            schema.register(connection, relay, name)
            connection.listen()
        except BaseException:
            connection.close()
            raise
        return connection

    def opened() -> tuple[PostgresWriting, bytes, tuple[str, ...]]:
        with_schema = PostgresWriting(server, name=f"relay {name}")
        try:
            schema.bring(with_schema)
            weaknesses = _weaknesses(with_schema)
        finally:
            with_schema.close()
        connection = connected()
        try:
            connection.begin()
            schema.take_lock(connection)
            key = notes.own_key(connection)
            connection.commit()
        except BaseException:
            connection.close()
            raise
        return connection, key, weaknesses

    connection, key, weaknesses = await asyncio.to_thread(_in_words, opened)
    records = PostgresRecords([_Reader(server) for _ in range(READERS)])
    journal = PostgresJournal(Writer(connection, relay, connected), records)
    recovered = await journal.lead(now=now)
    return Store(
        journal=journal,
        records=records,
        recovered=recovered or 0,
        key=key,
        weaknesses=weaknesses,
    )


def open_records(url: str) -> Records:
    """Open the journal to read only; for commands. Raises `JournalUnusableError`."""
    reader = _Reader(Server(url))

    def looked() -> None:
        schema.require(reader.connected())

    _in_words(looked)
    return PostgresRecords([reader])


class PostgresJournal(SqlJournal):
    """The verbs, in a database that several relays share."""

    def __init__(self, writer: Writer, records: PostgresRecords) -> None:
        """Take over the parts of an open store; `close` gives all of them back."""
        super().__init__(writer)
        self._writer = writer
        self._records = records
        self._news: set[str] = set()
        self._is_news = asyncio.Event()
        writer.on_news = self._hear

    def leads(self) -> bool:
        """Whether this relay delivered when it last wrote."""
        return self._writer.leads

    async def lead(self, *, now: datetime) -> int | None:
        """Lead, if no relay that lives does: deliver, and do what is done once over all relays.

        What the last leader held is lost: how many deliveries; None where another leads, or this
        one did already.
        """

        def verb(writing: Writing) -> int | None:
            assert isinstance(writing, PostgresWriting)
            return work.recover(writing, now=now) if writing.take_lead() else None

        return await self._writer.submit(verb)

    async def note_rules(self, version: int, waits: Sequence[str]) -> None:
        """Keep it in this relay's own row."""

        def verb(writing: Writing) -> None:
            assert isinstance(writing, PostgresWriting)
            writing.note_rules(version, packed(list(waits)))

        await self._writer.submit(verb)

    async def news(self) -> Set[str]:
        """Wait for news of the database and of the relays that share it; see `Journal`."""
        await self._is_news.wait()
        self._is_news.clear()
        news, self._news = self._news, set()
        return news

    def _hear(self, words: set[str]) -> None:
        self._news |= words
        self._is_news.set()

    def can_store(self) -> bool:
        """Whether a webhook would be taken now: the database is there, and keeping up."""
        return self.is_keeping_up and self._writer.trouble is None

    def require_room(self) -> None:
        """Nothing: the database says itself when it has no room."""

    async def broken(self) -> str:
        """Never return: a database may come back."""
        await asyncio.Event().wait()
        return ""

    async def clear(self) -> bool:
        """Nothing more: what the database keeps of removed rows, its administrators clear."""
        return True

    async def close(self) -> None:
        """Finish what was asked for and give the store back, records included."""
        await self._records.close()

        def verb(writing: Writing) -> None:
            assert isinstance(writing, PostgresWriting)
            writing.leave()

        with suppress(JournalError):
            await self._writer.submit(verb, patient=False)
        await self._writer.close()


class _Reader:
    """A connection for questions, made when it is needed and anew when it was lost."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._connection: Connection | None = None

    def connected(self) -> Connection:
        """The connection. Raises `LostError`."""
        if self._connection is None or self._connection.is_lost:
            self._connection = Connection(self._server, name="relay records", read_only=True)
        return self._connection

    def close(self) -> None:
        """End it, if there is one."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


class PostgresRecords(SqlRecords[_Reader]):
    """The questions; each connection is used by one thread at a time."""

    async def relays(self) -> Sequence[Relay]:
        """Those that gave a sign of life, by the database's clock."""
        return await self.ask(living)

    def answer(self, connection: _Reader, question: Callable[[Reading], T]) -> T:
        """Answer one question from one moment; over a new connection where the old one is gone."""
        try:
            try:
                return self._ask(connection, question)
            except LostError:
                connection.close()
                return self._ask(connection, question)
        except LostError as error:
            connection.close()
            raise JournalBusyError(f"{GONE}: {error}") from error
        except RefusedError as error:
            raise JournalError(f"the journal has no answer: {error}") from error

    def _ask(self, reader: _Reader, question: Callable[[Reading], T]) -> T:
        connection = reader.connected()
        connection.begin()
        try:
            return question(connection)
        finally:
            if not connection.is_lost:
                connection.execute("ROLLBACK")
                connection.fetch()

    def shut(self, connection: _Reader) -> None:
        """Close a connection."""
        connection.close()


def _in_words(opening: Callable[[], T]) -> T:
    """Turn what the database says while a journal is opened into one line."""
    prefix = "the journal cannot be opened"
    try:
        return opening()
    except (LostError, RefusedError) as error:
        raise JournalUnusableError(f"{prefix}: {error} ({SETTING})") from error
    except JournalUnusableError as error:
        if str(error).endswith(f"({SETTING})"):
            raise
        raise JournalUnusableError(f"{prefix}: {error} ({SETTING})") from error


def _weaknesses(connection: Connection) -> tuple[str, ...]:
    found = {name: connection.execute("SELECT current_setting(?)", (name,)).get for name in NEEDED}
    return tuple(
        f"the database may lose what it acknowledged: its {name} is {said}; set it to on"
        for name, said in found.items()
        if said == "off"
    )
