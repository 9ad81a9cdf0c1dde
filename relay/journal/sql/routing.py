"""What events owe: routed in a batch, with the claims of the lanes that wait for it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from relay import deliveries, quiet
from relay.deliveries import Delivery, State
from relay.directory import Completed
from relay.errors import JournalError
from relay.events import Event, Source
from relay.journal import Claimed, EventState, Owing, Routed
from relay.journal.sql import digests, incidents, silences, troubles, twins
from relay.journal.sql.intake import DAY_MICROS, insert_event
from relay.journal.sql.rows import (
    DELIVERY_FIELDS,
    additions,
    delivery_values,
    folded,
    micros,
    packed,
    plain,
    plain_or_none,
)
from relay.journal.sql.work import opened
from relay.journal.sql.writing import Writing, noun_of
from relay.quiet import Silence

_ROUTE = (
    "UPDATE events SET state = ?, muted_by = ?, rules_version = ?"
    " WHERE id = ? AND state = 'received' RETURNING seq, forgotten_at"
)
_INSERT = (
    f"INSERT INTO deliveries ({', '.join(DELIVERY_FIELDS)},"
    " orphan, created_at, settled_at, day, own, due_since)"
    f" VALUES ({', '.join('?' * (len(DELIVERY_FIELDS) + 6))}) ON CONFLICT (id) DO NOTHING"
)
_OWN = (Source.PARTNER, Source.WABA, Source.WATCH)


def route(
    connection: Writing, batch: Sequence[Owing], *, now: datetime, idle: Collection[str] = ()
) -> Routed:
    """Record what is owed for received events; those that were routed before are left alone.

    What its twin owes a target already is stored as suppressed, and so is what a silence covers.
    Of what an idle lane is owed the first is claimed at once.
    """
    fresh: list[tuple[int, Owing]] = []
    completed: dict[int, Completed] = {}
    states = [
        (
            owing.routing.state,
            plain_or_none(owing.routing.muted_by),
            owing.routing.rules_version,
            owing.event.id,
        )
        for owing in batch
    ]
    for owing, rows in zip(batch, connection.each(_ROUTE, states), strict=True):
        routing = owing.routing
        if not rows:
            continue
        ((seq, forgotten_at),) = rows
        fresh.append((seq, owing))
        if owing.event.source in _OWN:
            day = micros(owing.event.received_at) // DAY_MICROS
            connection.move(day, "events", EventState.RECEIVED, routing.state)
        if owing.completed is not None:
            completed[seq] = owing.completed
            if owing.completed.origins and forgotten_at is None:
                _keep_additions(connection, seq, owing.completed)
            if forgotten_at is None:
                connection.keep((owing.completed.event,))
    pairs = twins.pair(connection, completed)
    first = _firsts(fresh, idle) if connection.leads else {}
    quiet_now = silences.on(connection)
    claimed: dict[str, Claimed] = {}
    suppressed: dict[str, Delivery] = {}
    beside: set[str] = set()
    for seq, owing in fresh:
        twin = pairs.get(seq)
        known = twin is not None and twin.tells_all
        concern = None if known else incidents.concern(connection, seq, owing, now)
        told: set[str] = set()
        for delivery in owing.routing.deliveries:
            silence = None
            placed, orphan = troubles.place(connection, delivery)
            if twin is not None and twin.is_owed(connection, placed):
                placed = deliveries.suppress(placed, f"{deliveries.TWIN}{twin.event_id}")
                orphan = False
            elif silence := quiet.covering(quiet_now, owing.event, placed, now):
                closing = concern and concern.in_silence(connection, placed)
                if closing:
                    placed, silence = closing, None
                else:
                    placed, orphan = deliveries.suppress(placed, silence.reason), False
            if concern is not None:
                told.add(placed.target)
                if placed.state is not State.SUPPRESSED and placed.incident is None:
                    placed = concern.follows(placed)
                    concern.tell(connection, placed)
            if placed.state is State.PENDING and placed.id == first.get(placed.target):
                placed = deliveries.claim(placed)
            if placed.state is State.SUPPRESSED:
                suppressed[placed.id] = placed
            new = _insert(connection, owing.event, placed, now, orphan=orphan)
            if new is not None and silence is not None:
                silences.keep(connection, silence, new)
            if new is not None and placed.state is State.CLAIMED:
                claimed[placed.target] = opened(connection, placed, new, owing.event, now=now)
        if concern is not None and concern.incident.changes > 1:
            for delivery in concern.beside(connection, told, now):
                beside.add(owe_beside(connection, owing.event, delivery, quiet_now, now).target)
    routed = frozenset(owing.event.id for _, owing in fresh)
    return Routed(routed, claimed, suppressed, frozenset(beside))


def owe_beside(
    connection: Writing,
    event: Event,
    delivery: Delivery,
    silences_on: Sequence[Silence],
    now: datetime,
) -> Delivery:
    """Record what no rule sends, as it stands then. A silence holds, but for an edit alone."""
    placed, orphan = troubles.place(connection, delivery)
    silence = None if delivery.acts else quiet.covering(silences_on, event, placed, now)
    if silence is not None:
        placed, orphan = deliveries.suppress(placed, silence.reason), False
    new = _insert(connection, event, placed, now, orphan=orphan)
    if new is not None and silence is not None:
        silences.keep(connection, silence, new)
    return placed


def _firsts(fresh: Sequence[tuple[int, Owing]], idle: Collection[str]) -> dict[str, str]:
    """The delivery that goes first in each idle lane, by target: critical ones, else in order."""
    first: dict[str, Delivery] = {}
    for _, owing in fresh:
        for one in owing.routing.deliveries:
            if one.target in idle:
                other = first.setdefault(one.target, one)
                if one.critical and not other.critical:
                    first[one.target] = one
    return {target: one.id for target, one in first.items()}


def post(connection: Writing, event: Event, owed: Sequence[Delivery], *, now: datetime) -> None:
    """Record an event of the relay's own with what is owed for it."""
    insert_event(connection, event, EventState.ROUTED)
    owe(connection, owed, now=now)


def tell_silence(
    connection: Writing, silence_id: str, told: Sequence[tuple[Event, Delivery]], *, now: datetime
) -> bool:
    """Record that the end of a silence is told, and to whom; False if that was done before."""
    is_new = silences.mark_told(connection, silence_id, now=now)
    for event, delivery in told if is_new else ():
        post(connection, event, (delivery,), now=now)
    return is_new


def gather(
    connection: Writing, event: Event, digest: Delivery, ids: Sequence[str], *, now: datetime
) -> bool:
    """Fix the members of a digest and record it; False if one of them is held no more."""
    fixed = digests.gather(connection, digest, ids)
    if fixed:
        post(connection, event, (digest,), now=now)
    return fixed


def owe(connection: Writing, owed: Sequence[Delivery], *, now: datetime, who: str = "") -> int:
    """Record further deliveries of known events; how many were not known before.

    Those that somebody asked for are on record with the name.
    """
    new = 0
    for delivery in owed:
        placed, orphan = troubles.place(connection, delivery)
        row = connection.execute(
            "SELECT received_at, source FROM events WHERE id = ?", (placed.event_id,)
        ).fetchone()
        if row is None:
            raise JournalError(f"event {placed.event_id} is not in the journal")
        day, own = row[0] // DAY_MICROS, int(row[1] not in _OWN)
        if _row(connection, placed, now, orphan=orphan, day=day, own=own) is not None:
            new += 1
            if who:
                connection.execute(
                    "INSERT INTO audit (at, who, action, subject) VALUES (?, ?, 'replay', ?)",
                    (micros(now), plain(who), placed.id),
                )
    return new


def _insert(
    connection: Writing, event: Event, delivery: Delivery, now: datetime, *, orphan: bool
) -> int | None:
    day, own = micros(event.received_at) // DAY_MICROS, int(event.source not in _OWN)
    return _row(connection, delivery, now, orphan=orphan, day=day, own=own)


def _row(
    connection: Writing, delivery: Delivery, now: datetime, *, orphan: bool, day: int, own: int
) -> int | None:
    """Insert a delivery; its row's number, or None if it is known."""
    at = micros(now)
    final = delivery.state in (State.DELIVERED, State.DEAD, State.SUPPRESSED)
    settled_at = at if final else None
    due_since = troubles.due_since(connection, delivery)
    seq = connection.insert(
        _INSERT,
        (*delivery_values(delivery), int(orphan), at, settled_at, day, own, due_since),
    )
    if seq is not None:
        connection.take(day, noun_of(own), delivery.state)
    return seq


def _keep_additions(connection: Writing, seq: int, completed: Completed) -> None:
    """Store what the directory added to an event."""
    event = completed.event
    connection.execute(
        "UPDATE events SET added = ?, client_id = ?, client_name = ? WHERE seq = ?",
        (
            packed(additions(completed)),
            folded(event.client.id),
            folded(event.client.name),
            seq,
        ),
    )
    connection.executemany(
        "INSERT INTO event_phones VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(plain(phone), seq) for phone in event.phones],
    )
