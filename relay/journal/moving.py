"""Moving a journal from its file to PostgreSQL, row by row in the order of the keys.

What stands in the target already says how far it came, so that a move that was interrupted goes on
where it was. Until it is whole, the version of the target's tables is none, and no relay opens it.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import apsw

from relay.errors import JournalError, JournalUnusableError, UsageError
from relay.journal.doors import Tell, is_shared, journal_path, shown
from relay.journal.postgres import schema
from relay.journal.postgres.connection import LostError, RefusedError, Server
from relay.journal.postgres.writer import LOCK
from relay.journal.postgres.writing import PostgresWriting
from relay.journal.sql.balancing import balance
from relay.journal.sql.rows import plain
from relay.journal.sql.schema import TABLES, VERSION
from relay.journal.sql.writing import Connection
from relay.journal.sqlite.connection import reader
from relay.journal.sqlite.engine import open_engine

PAGE = 1_000
"""Rows of one transaction."""
_OWN = ("version", "changes")
"""What each journal says of itself in `meta`."""
_SET_VERSION = "UPDATE meta SET value = ? WHERE key = 'version'"


@dataclass(frozen=True, slots=True)
class Table:
    """What is copied of a table."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    is_numbered: bool
    """Its key is a number that the engine gives to new rows."""

    @property
    def order(self) -> str:
        """The columns of the key, as a statement names them."""
        return ", ".join(self.key)


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved, by this run and those before."""

    events: int
    deliveries: int
    rows: int
    resumed: bool


async def move(source: str, target: str, *, now: datetime, tell: Tell = lambda _: None) -> Moved:
    """Copy all of the journal `source`, a file that no relay serves, into the database `target`.

    `tell` hears how much of it is there, from 0 to 1. Raises `UsageError` for other addresses and
    a target that holds something else, `JournalError` where either cannot be opened or the copy
    does not agree with the source.
    """
    if is_shared(source) or not is_shared(target):
        raise UsageError("a journal is moved so: relay migrate sqlite:///FILE postgresql://…")
    path = journal_path(source)
    if not path.exists():
        raise JournalUnusableError(f"the journal {path} cannot be opened: there is no such file")
    # Under its lock, and with what its last relay had under way settled as lost.
    store = await open_engine(path, now=now)
    try:
        return await asyncio.to_thread(_move, reader(path), target, tell)
    except (LostError, RefusedError) as error:
        raise JournalError(f"the database: {error}; `relay migrate` goes on where it was") from None
    finally:
        await store.journal.close()


def _move(source: apsw.Connection, url: str, tell: Tell) -> Moved:
    target: PostgresWriting | None = None
    try:
        target = PostgresWriting(Server(url), name="relay migrate")
        _begin(target)
        counts = {table: _count(source, table) for table in _tables()}
        resumed = _claim(target, source, counts, shown(url))
        done, whole = 0, max(1, sum(counts.values()))
        for table in _tables():
            for rows in _missing(source, target, table):
                tell((done + rows) / whole)
            done += counts[table]
        _finish(target, source, counts)
        named = {table.name: count for table, count in counts.items()}
        return Moved(named["events"], named["deliveries"], sum(counts.values()), resumed)
    finally:
        if target is not None:
            target.close()
        source.close()


@cache
def _tables() -> Sequence[Table]:
    """All tables but `meta`, those that others refer to first."""
    found = []
    connection = apsw.Connection(":memory:")
    connection.execute(TABLES)
    rows: Any = connection.execute(
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'meta' ORDER BY rowid"
    ).fetchall()
    for (name,) in rows:
        columns: Any = connection.execute(f"PRAGMA table_info({name})").fetchall()
        types = {column: kind for _, column, kind, *_ in columns}
        key = tuple(column for _, column in sorted((row[5], row[1]) for row in columns if row[5]))
        is_numbered = len(key) == 1 and types[key[0]] == "INTEGER"
        found.append(Table(name, tuple(types), key, is_numbered))
    connection.close()
    return found


def _begin(target: PostgresWriting) -> None:
    """Be the only one who writes there, with the tables of this relay."""
    target.execute("SET statement_timeout TO 0")
    if not target.execute("SELECT pg_try_advisory_lock(?)", (LOCK,)).get:
        raise UsageError("another program writes to the target: a relay, or another move")
    if not _mark(target).startswith("moving "):
        schema.bring(target)


def _mark(target: Connection) -> str:
    """What stands as the version of the target's tables; empty without any."""
    if target.execute("SELECT to_regclass('meta') IS NULL").get:
        return ""
    return str(target.execute("SELECT value FROM meta WHERE key = 'version'").get)


def _claim(
    target: PostgresWriting, source: apsw.Connection, counts: dict[Table, int], place: str
) -> bool:
    """Mark the target as this source's; whether an earlier move is gone on with."""
    wanted = f"moving {VERSION} {_name(source)} {_digest(source, counts)}"
    found = _mark(target)
    if found == wanted:
        return True
    target.begin()
    if found.startswith("moving "):
        if found.split()[1:3] != wanted.split()[1:3]:
            raise UsageError(f"{place} holds the beginning of another journal: name an empty one")
        # The source was served since; what changed there is not known, so all is copied anew.
        target.execute("TRUNCATE " + ", ".join(table.name for table in _tables()))
    elif any(_last(target, table) for table in _tables()) or _name(target) == _name(source):
        raise UsageError(f"{place} holds a journal already: name an empty database")
    target.execute(_SET_VERSION, (wanted,))
    target.commit()
    return False


def _name(connection: Connection) -> str:
    """By what a journal is known: it tells nothing of the key of its fingerprints."""
    key = connection.execute("SELECT value FROM meta WHERE key = 'fingerprint_key'").get
    return hashlib.sha256(f"journal {key}".encode()).hexdigest()[:16] if key else ""


def _digest(source: apsw.Connection, counts: dict[Table, int]) -> str:
    """Another one after whatever a relay may have done with the source."""
    said: list[Any] = [(table.name, count, _last(source, table)) for table, count in counts.items()]
    said += source.execute("SELECT * FROM ledger ORDER BY day, noun, state").fetchall()
    said += source.execute("SELECT * FROM meta ORDER BY key").fetchall()
    said += source.execute(
        "SELECT sum(claim), sum(failures), sum(due_at), count(settled_at) FROM deliveries"
    ).fetchall()
    return hashlib.sha256(repr(said).encode()).hexdigest()[:16]


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table.name}").get)


def _last(connection: Connection, table: Table) -> tuple[Any, ...] | None:
    """The greatest key of a table."""
    backwards = ", ".join(f"{column} DESC" for column in table.key)
    return connection.execute(
        f"SELECT {table.order} FROM {table.name} ORDER BY {backwards} LIMIT 1"
    ).fetchone()


def _missing(source: apsw.Connection, target: PostgresWriting, table: Table) -> Any:
    """Copy what the target does not have, page by page; yields how many rows it has then."""
    columns, marks = ", ".join(table.columns), ", ".join("?" for _ in table.columns)
    add = f"INSERT INTO {table.name} ({columns}) VALUES ({marks})"
    after = _last(target, table)
    done = _count(target, table) if after else 0
    places = [table.columns.index(column) for column in table.key]
    while True:
        behind = f"WHERE ({table.order}) > ({', '.join('?' for _ in table.key)})" if after else ""
        rows = source.execute(
            f"SELECT {columns} FROM {table.name} {behind} ORDER BY {table.order} LIMIT {PAGE}",
            after or (),
        ).fetchall()
        if not rows:
            return
        target.begin()
        target.executemany(add, [[_kept(value) for value in row] for row in rows])
        target.commit()
        after = tuple(rows[-1][place] for place in places)
        done += len(rows)
        yield done


def _kept(value: Any) -> Any:
    return plain(value) if isinstance(value, str) else value


def _finish(target: PostgresWriting, source: apsw.Connection, counts: dict[Table, int]) -> None:
    """Compare both sides, and give the target its version: a relay may open it now."""
    differing = [table.name for table, count in counts.items() if _count(target, table) != count]
    if differing or balance(target) != balance(source):
        what = ", ".join(differing) or "the balance"
        raise JournalError(f"the copy does not agree with the source: {what}; nothing opens it")
    rows = source.execute("SELECT key, value FROM meta").fetchall()
    target.begin()
    target.executemany(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        [row for row in rows if row[0] not in _OWN],
    )
    for table in _tables():
        if table.is_numbered:
            target.execute(
                f"SELECT setval(pg_get_serial_sequence('{table.name}', '{table.key[0]}'),"
                f" max({table.key[0]})) FROM {table.name}"
            )
    target.execute(_SET_VERSION, (str(VERSION),))
    target.commit()
    target.script("ANALYZE")
