"""Erasing what is known of a number: the rows stay, and with them the balance.

Theory of operation: the writer goes through the tables in pieces, so that webhooks are recorded
meanwhile, then writes the file anew. Whoever adds a table with texts of senders or targets adds it
here.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

import apsw

from relay.journal import Filter
from relay.journal.care import Forgotten
from relay.journal.sqlite import directory, operators
from relay.journal.sqlite.connection import BUSY_MS
from relay.journal.sqlite.needle import FORGOTTEN, Needle, event_without
from relay.journal.sqlite.rows import folded, micros, packed, plain, shape_of
from relay.journal.sqlite.writer import INSISTENT_MS, Writer
from relay.journal.sqlite.writing import Writing
from relay.phones import index_key

STEP_ROWS = 200
"""Rows that are looked through, and erased, in one step."""
ACTION = "forget"
TRIES = 20
"""To write the file anew while others read the journal."""
BETWEEN_TRIES = 0.25
"""Seconds, in which webhooks are recorded."""

_AMONG = "rowid > :after AND rowid <= :last"
_NEWEST = "(SELECT max(version) FROM rules_versions)"
_OF_EVENTS = "event_id IN (SELECT id FROM events WHERE seq IN (SELECT value FROM json_each(:seqs)))"


def _erasing(table: str, columns: Sequence[str], where: str, emptied: str = "") -> str:
    """An UPDATE of the rows that hold the number `:phone`; the column `emptied` goes always."""
    instead = ", ".join("NULL" if c == emptied else f"erased(:phone, '{c}', {c})" for c in columns)
    names = ", ".join(columns)
    return (
        f"UPDATE {table} SET ({names}) = ({instead})"  # noqa: S608
        f" WHERE {where} AND ({names}) IS NOT ({instead})"
    )


# Where messages go (destination, target, recipients) is configuration, not a sender's text.
_DELIVERY = ("rendered", "reason", "fault", "refused", "reference")
_WRITTEN = _erasing("deliveries", _DELIVERY, _OF_EVENTS, emptied="rendered")
_LARGE = {
    "deliveries": ("deliveries", _erasing("deliveries", _DELIVERY, _AMONG)),
    "attempts": ("attempts", _erasing("attempts", ("reason",), _AMONG)),
    "quarantine": ("quarantined", _erasing("quarantine", ("reason", "body"), _AMONG)),
    "audit": ("audit", _erasing("audit", ("who", "subject"), _AMONG)),
}
"""By table: how `Forgotten` calls its rows, and what erases the number from some of them."""
_SMALL = (
    _erasing("alarms", ("text",), "TRUE"),
    _erasing("troubles", ("reason",), "TRUE"),
    _erasing("silences", ("phone", "client", "why"), "TRUE"),
    # Without the newest rules nobody could start.
    _erasing("rules_versions", ("files",), f"version <> {_NEWEST}"),
)

Piece = Callable[[Writing, int, int], Forgotten]
"""Erases the number from the rows after the first `rowid`, up to the second."""


@lru_cache(maxsize=1)
def _needle(phone: str) -> Needle:
    return Needle(phone)


def _prepare(connection: Writing) -> None:
    """Give the connection the function that `_erasing` calls."""

    def erased(*given: Any) -> Any:
        phone, column, value = given
        return _needle(phone).in_column(column, value)

    connection.create_scalar_function("erased", erased, 3)


def _events(
    connection: Writing,
    after: int,
    last: int,
    *,
    phone: str,
    now: datetime,
    who: str,
    discard: bool,
) -> Forgotten:
    """Erase it from events, and with it all that was written of them to targets."""
    needle = _needle(phone)
    done: list[int] = []
    connection.forget_events()
    for seq, text, added in connection.rows(
        "SELECT seq, json, added FROM events WHERE seq > ? AND seq <= ?", (after, last)
    ):
        if not (needle.is_in_json(text) or needle.is_in_json(added)):
            continue
        erased = event_without(needle, shape_of(text, added))
        if erased is None:
            continue
        client = erased["client"]
        connection.execute(
            "UPDATE events SET json = ?, added = NULL, kind = ?, client_id = ?, client_name = ?,"
            " forgotten_at = ? WHERE seq = ?",
            (
                packed(erased),
                plain(erased["kind"]),
                folded(client["id"]),
                folded(client["name"]),
                micros(now),
                seq,
            ),
        )
        connection.execute(
            "DELETE FROM event_phones WHERE event = ? AND phone NOT IN"
            " (SELECT value FROM json_each(?))",
            (seq, packed([plain(phone) for phone in erased["phones"]])),
        )
        done.append(seq)
    if not done:
        return Forgotten()
    seqs = {"seqs": packed(done)}
    # A message need not name the number to be about it.
    connection.execute(_WRITTEN, {**seqs, "phone": phone})
    written = connection.changes()
    # Hashes of so few possible values are no secret.
    connection.execute(
        "DELETE FROM twin_tokens WHERE event IN (SELECT value FROM json_each(:seqs))", seqs
    )
    unfinished = connection.rows(
        f"SELECT id FROM deliveries WHERE {_OF_EVENTS}"  # noqa: S608
        " AND state NOT IN ('delivered', 'suppressed')",
        seqs,
    )
    discarded = 0
    if discard and unfinished:
        wanted = Filter(ids=tuple(one for (one,) in unfinished))
        discarded = operators.discard(connection, wanted, now=now, who=who)
    return Forgotten(
        events=len(done),
        deliveries=written,
        unfinished=len(unfinished) - discarded,
        discarded=discarded,
    )


def _rows(
    connection: Writing, after: int, last: int, *, noun: str, statement: str, phone: str
) -> Forgotten:
    """Erase it from rows of a table that stand alone."""
    connection.execute(statement, {"phone": phone, "after": after, "last": last})
    erased: dict[str, Any] = {noun: connection.changes()}
    return Forgotten(**erased)


def _the_rest(connection: Writing, *, phone: str, now: datetime) -> Forgotten:
    """Erase it from the directory and from the small tables."""
    number = {"phone": phone}
    facts = directory.forget(connection, phone)
    connection.execute(
        "DELETE FROM directory WHERE (subject, value)"
        " IS NOT (erased(:phone, 'subject', subject), erased(:phone, 'value', value))",
        number,
    )
    facts += connection.changes()
    connection.execute("DELETE FROM watched WHERE key = ?", (index_key(phone),))
    facts += connection.changes()
    others = 0
    for statement in _SMALL:
        connection.execute(statement, number)
        others += connection.changes()
    connection.changed_troubles()
    # What a silence was about stands nowhere any more.
    connection.execute(
        "UPDATE silences SET ended_at = ? WHERE ended_at IS NULL AND ? IN (phone, client)",
        (micros(now), FORGOTTEN),
    )
    connection.silences = None
    in_live_rules = connection.execute(
        "SELECT files IS NOT erased(:phone, 'files', files) FROM rules_versions"  # noqa: S608
        f" WHERE version = {_NEWEST}",
        number,
    ).get
    return Forgotten(directory=facts, others=others, in_live_rules=bool(in_live_rules))


def _record(
    connection: apsw.Connection, *, mark: str, events: int, now: datetime, who: str
) -> None:
    """Say in the audit that the number was forgotten of which `mark` is the `sealed` form."""
    connection.execute(
        "INSERT INTO audit (at, who, action, subject) VALUES (?, ?, ?, ?)",
        (micros(now), plain(who), ACTION, f"{mark}: {events} events"),
    )


def sealed(phone: str, salt: str) -> str:
    """A hash by which only who knows the number can tell that it was meant.

    It is slow to compute: with a fast one, all numbers there are could be tried.
    """
    made = hashlib.scrypt(phone.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=16)
    return f"scrypt:{salt}:{made.hex()}"


def _rewritten(connection: apsw.Connection) -> bool:
    """Write the whole file anew from its rows, and empty the WAL; False while others read it.

    SQLite overwrites what it removes, but where it moves rows from one page to another, copies may
    stay in the first. Outside of any transaction; nothing else is recorded meanwhile.
    """
    # A copy of a large journal does not fit into memory.
    connection.pragma("temp_store", "file")
    connection.set_busy_timeout(INSISTENT_MS)
    try:
        connection.execute("VACUUM")
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.BusyError, apsw.LockedError):
        return False
    finally:
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("temp_store", "memory")
    return True


async def forget(
    writer: Writer, phone: str, *, now: datetime, who: str, discard: bool = False
) -> Forgotten:
    """Erase a number in E.164; what was erased. Again, it finds nothing and does no harm."""
    await writer.submit(_prepare)
    events = partial(_events, phone=phone, now=now, who=who, discard=discard)
    done = await _through(writer, "events", events)
    for table, (noun, statement) in _LARGE.items():
        rows = partial(_rows, noun=noun, statement=statement, phone=phone)
        done += await _through(writer, table, rows)
    done += await writer.submit(partial(_the_rest, phone=phone, now=now))
    if done.found:
        mark = await asyncio.to_thread(sealed, phone, secrets.token_hex(8))
        await writer.submit(partial(_record, mark=mark, events=done.events, now=now, who=who))
    return replace(done, synced=await _clear(writer))


async def _through(writer: Writer, table: str, erase: Piece) -> Forgotten:
    """Go through a table in pieces."""

    def piece(connection: Writing) -> tuple[Forgotten, int | None]:
        last = connection.execute(
            f"SELECT max(rowid) FROM (SELECT rowid FROM {table}"  # noqa: S608
            " WHERE rowid > ? ORDER BY rowid LIMIT ?)",
            (after, STEP_ROWS),
        ).get
        return (Forgotten(), None) if last is None else (erase(connection, after, last), last)

    done = Forgotten()
    after = -1
    while True:
        erased, last = await writer.submit(piece)
        if last is None:
            return done
        done += erased
        after = last


async def _clear(writer: Writer) -> bool:
    """Leave nothing of what was erased in the files; False where others read them."""
    for _ in range(TRIES):
        if await writer.submit(_rewritten, alone=True):
            return True
        await asyncio.sleep(BETWEEN_TRIES)
    return False
