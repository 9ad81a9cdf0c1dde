"""Erasing what is known of a number: the rows stay, and with them the balance.

Theory of operation: the writer goes through the tables in pieces, so that webhooks are recorded
meanwhile; what that leaves on the disk is the engine's to clear. Whoever adds a table with texts
of senders or targets adds it here.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Any, Protocol, TypeVar

from relay.journal import Filter
from relay.journal.care import Forgotten
from relay.journal.sql import directory, incidents, operators
from relay.journal.sql.needle import FORGOTTEN, Needle, event_without
from relay.journal.sql.rows import Row, folded, micros, packed, plain, shape_of
from relay.journal.sql.writing import Connection, Writing
from relay.phones import index_key

T = TypeVar("T")

STEP_ROWS = 200
"""Rows that are looked through, and erased, in one step."""
ACTION = "forget"
_NEWEST = "(SELECT max(version) FROM rules_versions)"
_OF_EVENTS = (
    "event_id IN (SELECT id FROM events WHERE seq IN"
    " (SELECT CAST(value AS BIGINT) FROM json_each(:seqs)))"
)
# Where messages go (destination, target, recipients) is configuration, not a sender's text.
_DELIVERY = ("rendered", "reason", "fault", "refused", "reference", "instead")
_LARGE = {
    "deliveries": ("seq", "deliveries", _DELIVERY),
    "attempts": ("id", "attempts", ("reason",)),
    "quarantine": ("id", "quarantined", ("reason", "body")),
    "audit": ("id", "audit", ("who", "subject")),
}
"""By table: its key, how `Forgotten` calls its rows, and the columns that may hold a number."""
_SMALL = (
    ("alarms", "key", ("text",), "TRUE"),
    ("troubles", "key", ("reason",), "TRUE"),
    ("silences", "id", ("phone", "client", "why"), "TRUE"),
    # Without the newest rules nobody could start.
    ("rules_versions", "version", ("files",), f"version <> {_NEWEST}"),
)


class Submit(Protocol):
    """Runs a verb."""

    def __call__(self, verb: Callable[[Writing], T], /) -> Awaitable[T]: ...


Piece = Callable[[Writing, int, int], Forgotten]
"""Erases the number from the rows after the first key, up to the second."""


@lru_cache(maxsize=1)
def _needle(phone: str) -> Needle:
    return Needle(phone)


def _erase(
    connection: Writing,
    needle: Needle,
    table: str,
    key: str,
    columns: Sequence[str],
    where: str,
    parameters: Row,
    emptied: str = "",
) -> int:
    """Take the number out of some rows, and the column `emptied` whole; how many held it."""
    found = connection.rows(
        f"SELECT {key}, {', '.join(columns)} FROM {table} WHERE {where}",
        parameters,
    )
    changes = []
    for row, *values in found:
        erased = [
            None if column == emptied else needle.in_column(column, value)
            for column, value in zip(columns, values, strict=True)
        ]
        if erased != values:
            changes.append((*erased, row))
    connection.executemany(
        f"UPDATE {table} SET {' = ?, '.join(columns)} = ? WHERE {key} = ?",
        changes,
    )
    return len(changes)


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
    connection.changed()
    seqs: Row = {"seqs": packed(done)}
    # A message need not name the number to be about it.
    written = _erase(
        connection, needle, "deliveries", "seq", _DELIVERY, _OF_EVENTS, seqs, emptied="rendered"
    )
    # Hashes of so few possible values are no secret.
    connection.execute(
        "DELETE FROM twin_tokens WHERE event IN"
        " (SELECT CAST(value AS BIGINT) FROM json_each(:seqs))",
        seqs,
    )
    unfinished = connection.rows(
        f"SELECT id FROM deliveries WHERE {_OF_EVENTS}"
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


def _rows(connection: Writing, after: int, last: int, *, table: str, phone: str) -> Forgotten:
    """Erase it from rows of a table that stand alone."""
    key, noun, columns = _LARGE[table]
    among = f"{key} > :after AND {key} <= :last"
    span: Row = {"after": after, "last": last}
    erased = _erase(connection, _needle(phone), table, key, columns, among, span)
    done: dict[str, Any] = {noun: erased}
    return Forgotten(**done)


def _the_rest(connection: Writing, *, phone: str, now: datetime) -> Forgotten:
    """Erase it from the directory and from the small tables."""
    needle = _needle(phone)
    incidents.forget(connection, phone)
    facts = directory.forget(connection, phone, needle)
    connection.execute("DELETE FROM watched WHERE key = ?", (index_key(phone),))
    facts += connection.changes()
    others = sum(
        _erase(connection, needle, table, key, columns, where, {})
        for table, key, columns, where in _SMALL
    )
    # What a silence was about stands nowhere any more.
    connection.execute(
        "UPDATE silences SET ended_at = ? WHERE ended_at IS NULL AND ? IN (phone, client)",
        (micros(now), FORGOTTEN),
    )
    connection.changed()
    files = connection.execute(f"SELECT files FROM rules_versions WHERE version = {_NEWEST}").get
    in_live_rules = files is not None and needle.in_column("files", files) != files
    return Forgotten(directory=facts, others=others, in_live_rules=in_live_rules)


def _record(connection: Connection, *, mark: str, events: int, now: datetime, who: str) -> None:
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


async def forget(
    submit: Submit,
    clear: Callable[[], Awaitable[bool]],
    phone: str,
    *,
    now: datetime,
    who: str,
    discard: bool = False,
) -> Forgotten:
    """Erase a number in E.164; what was erased. Again, it finds nothing and does no harm.

    `submit` runs a verb. `clear` leaves nothing of what was erased on the disk; False where it
    could not.
    """
    events = partial(_events, phone=phone, now=now, who=who, discard=discard)
    done = await _through(submit, "events", "seq", events)
    for table, (key, _, _) in _LARGE.items():
        done += await _through(submit, table, key, partial(_rows, table=table, phone=phone))
    done += await submit(partial(_the_rest, phone=phone, now=now))
    if done.found:
        mark = await asyncio.to_thread(sealed, phone, secrets.token_hex(8))
        await submit(partial(_record, mark=mark, events=done.events, now=now, who=who))
    return replace(done, synced=await clear())


async def _through(submit: Submit, table: str, key: str, erase: Piece) -> Forgotten:
    """Go through a table in pieces."""

    def piece(connection: Writing) -> tuple[Forgotten, int | None]:
        last = connection.execute(
            f"SELECT max({key}) FROM (SELECT {key} FROM {table}"
            f" WHERE {key} > ? ORDER BY {key} LIMIT ?) AS piece",
            (after, STEP_ROWS),
        ).get
        return (Forgotten(), None) if last is None else (erase(connection, after, last), last)

    done = Forgotten()
    after = -1
    while True:
        erased, last = await submit(piece)
        if last is None:
            return done
        done += erased
        after = last
