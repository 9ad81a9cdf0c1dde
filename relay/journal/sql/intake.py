"""What comes in: one webhook recorded whole, every repeat of it recognised."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import Enum, auto

from relay.directory import learn
from relay.events import Event, Source, event_id, iso
from relay.journal import Appended, EventState
from relay.journal.sql import directory
from relay.journal.sql.rows import folded, micros, packed, plain, plain_or_none
from relay.journal.sql.writing import Connection, Writing
from relay.sources import Arrival, Ignored, Reading, Unreadable

DAY_MICROS = 86_400_000_000
WINDOW = timedelta(days=7)
"""So long content that has neither an id nor a time is taken for the same happening."""


class _Known(Enum):
    NEW = auto()
    REPEAT = auto()
    CONFLICT = auto()


def append(
    connection: Writing, reading: Reading, *, now: datetime, route: str | None = None
) -> Appended:
    """Record all that one webhook holds."""
    taken: list[Event] = []
    duplicates = conflicts = 0
    for arrival in reading.arrivals:
        known, event = _recognise(connection, arrival, now)
        if known is _Known.NEW and not insert_event(connection, event, EventState.RECEIVED):
            known = _Known.REPEAT
        match known:
            case _Known.NEW:
                taken.append(event)
            case _Known.REPEAT:
                duplicates += 1
            case _Known.CONFLICT:
                conflicts += 1
                _quarantine(connection, arrival.conflict(), now, route)
    directory.learn(connection, (fact for event in taken for fact in learn(event)))
    for unreadable in reading.unreadable:
        _quarantine(connection, unreadable, now, route)
    quarantined = len(reading.unreadable)
    tally(connection, "duplicate", count=duplicates, now=now)
    tally(connection, "quarantined", count=conflicts + quarantined, now=now)
    tally(connection, "ignored", count=len(reading.ignored), now=now)
    for cause, count in Counter(item.cause for item in reading.ignored).items():
        tally(connection, f"ignored: {cause}", count=count, now=now)
    return Appended(
        events=tuple(taken),
        duplicates=duplicates,
        conflicts=conflicts,
        ignored=len(reading.ignored),
        withheld=tuple(_withheld(connection, reading.ignored)),
        quarantined=quarantined,
    )


def insert_event(connection: Writing, event: Event, state: EventState) -> bool:
    """Store a new event with the columns by which it is looked for; False if its id is known."""
    seq = connection.insert(
        "INSERT INTO events (id, source, kind, client_id, client_name, state, received_at, json)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        (
            event.id,
            event.source.value,
            plain(event.kind),
            folded(event.client.id),
            folded(event.client.name),
            state.value,
            micros(event.received_at),
            packed(event.to_json()),
        ),
    )
    if seq is None:
        return False
    if event.phones:
        connection.executemany(
            "INSERT INTO event_phones VALUES (?, ?)",
            [(plain(phone), seq) for phone in dict.fromkeys(event.phones)],
        )
    if event.source is not Source.RELAY:
        connection.take(micros(event.received_at) // DAY_MICROS, "events", state.value)
    return True


def _withheld(connection: Connection, ignored: Sequence[Ignored]) -> Iterator[Event]:
    """Record the ignored items that people should know of; those that are new."""
    for item in ignored:
        if (event := item.event) is not None:
            connection.execute(
                "INSERT INTO ignored (id, kind, reason, received_at, json) VALUES (?, ?, ?, ?, ?)"
                " ON CONFLICT (id) DO NOTHING",
                (
                    event.id,
                    plain(event.kind),
                    plain(item.reason),
                    micros(event.received_at),
                    packed(event.to_json()),
                ),
            )
            if connection.changes():
                yield event


def tally(connection: Connection, name: str, *, now: datetime, count: int = 1) -> None:
    """Add to a count of the current hour."""
    if count:
        connection.execute(
            "INSERT INTO tallies VALUES (?, ?, ?)"
            " ON CONFLICT (hour, name) DO UPDATE SET count = tallies.count + excluded.count",
            (hour(now), plain(name), count),
        )


def hour(now: datetime) -> int:
    """The hour that a tally belongs to, counted since 1970."""
    return micros(now) // 3_600_000_000


def _recognise(connection: Writing, arrival: Arrival, now: datetime) -> tuple[_Known, Event]:
    """Whether the arrival is new, and the event under the id by which it is stored."""
    key = hashlib.sha256(arrival.key.encode("utf-8", "surrogatepass")).digest()
    event = arrival.event
    connection.execute(
        "INSERT INTO dedupe_keys VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (key, arrival.fingerprint, event.id, micros(now)),
    )
    if connection.changes():
        if arrival.lasting or not _is_old(connection, event.id, now):
            return _Known.NEW, event
        # Its key is gone by retention, and the event is still here because it is unfinished.
    else:
        ((fingerprint, seen_at),) = connection.rows(
            "SELECT fingerprint, seen_at FROM dedupe_keys WHERE hash = ?", (key,)
        )
        if arrival.lasting or micros(now) - seen_at <= WINDOW // timedelta(microseconds=1):
            same = fingerprint == arrival.fingerprint
            return (_Known.REPEAT if same else _Known.CONFLICT), event
    event = _another(arrival)
    connection.execute(
        "UPDATE dedupe_keys SET fingerprint = ?, event_id = ?, seen_at = ? WHERE hash = ?",
        (arrival.fingerprint, event.id, micros(now), key),
    )
    return _Known.NEW, event


def _another(arrival: Arrival) -> Event:
    """The event of the same content that came again after the window, as one of its own."""
    event = arrival.event
    return replace(event, id=event_id(f"{arrival.key}#{iso(event.received_at)}"))


def _is_old(connection: Connection, event: str, now: datetime) -> bool:
    row = connection.execute("SELECT received_at FROM events WHERE id = ?", (event,)).fetchone()
    return row is not None and micros(now) - row[0] > WINDOW // timedelta(microseconds=1)


def _quarantine(connection: Connection, item: Unreadable, now: datetime, route: str | None) -> None:
    connection.execute(
        "INSERT INTO quarantine (at, route, reason, size, sha256, body) VALUES (?, ?, ?, ?, ?, ?)",
        (
            micros(now),
            plain_or_none(route),
            plain(item.reason),
            item.size,
            item.sha256,
            item.body,
        ),
    )
