"""What is owed, and the way of one delivery: claimed, tried, settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import apsw

from relay import deliveries
from relay.deliveries import Delivery, Interrupted, Lost, State, outcome_word
from relay.directory import Completed
from relay.errors import IllegalMoveError
from relay.events import Event
from relay.journal import EventState, Routing, Trouble
from relay.journal.sqlite import troubles, twins
from relay.journal.sqlite.completion import shape_of, with_additions
from relay.journal.sqlite.intake import insert_event
from relay.journal.sqlite.rows import (
    DELIVERY_COLUMNS,
    DELIVERY_FIELDS,
    delivery_row,
    event_of_row,
    folded,
    micros,
    packed,
    plain,
    plain_or_none,
    to_delivery,
)
from relay.journal.sqlite.twins import Twin

TURNS = range(4)
"""Critical first tries, critical retries, other first tries, other retries."""
CRITICAL_TURNS = TURNS[:2]
_FINAL = (State.DELIVERED, State.DEAD, State.SUPPRESSED)

_INSERT = (
    f"INSERT INTO deliveries ({', '.join(DELIVERY_FIELDS)},"  # noqa: S608
    " orphan, created_at, settled_at, day, own)"
    f" VALUES ({', '.join(f':{name}' for name in DELIVERY_FIELDS)},"
    " :orphan, :created_at, :settled_at,"
    " (SELECT received_at / 86400000000 FROM events WHERE id = :event_id),"
    " (SELECT source NOT IN ('partner', 'waba') FROM events WHERE id = :event_id))"
    " ON CONFLICT (id) DO NOTHING"
)
_NEXT = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq, e.json, e.id, e.source, e.kind, e.received_at"  # noqa: S608
    " FROM deliveries AS d INDEXED BY pending_by_lane JOIN events AS e ON e.id = d.event_id"
    " WHERE d.state = 'pending' AND d.target = ? AND d.turn = ? AND d.due_at <= ?"
    " ORDER BY d.due_at, d.seq LIMIT 1"
)
_OLDEST = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq, e.json, e.id, e.source, e.kind, e.received_at"  # noqa: S608
    " FROM deliveries AS d INDEXED BY pending_by_age JOIN events AS e ON e.id = d.event_id"
    " WHERE d.state = 'pending' AND d.target = ? ORDER BY d.seq LIMIT 1"
)
_OLDEST_PARKED = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq FROM deliveries AS d INDEXED BY parked_by_lane"  # noqa: S608
    " WHERE d.state = 'parked' AND d.target = ? AND d.orphan = 0 ORDER BY d.seq LIMIT 1"
)
_CLAIMED = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq, d.snoozed"  # noqa: S608
    " FROM deliveries AS d WHERE d.id = ? AND d.state = 'claimed' AND d.claim = ?"
)
_ALL_CLAIMED = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq FROM deliveries AS d INDEXED BY claimed"  # noqa: S608
    " WHERE d.state = 'claimed' ORDER BY d.seq"
)
_SETTLED = tuple(
    name
    for name in DELIVERY_FIELDS
    if name not in ("id", "event_id", "destination", "cause", "rule", "rules_version", "critical")
)
_UPDATE = (
    f"UPDATE deliveries SET {', '.join(f'{name} = :{name}' for name in _SETTLED)},"  # noqa: S608
    " snoozed = :snoozed, orphan = :orphan, settled_at = :settled_at,"
    # What was written before the number of its event was erased still holds it.
    " rendered = CASE WHEN EXISTS (SELECT 1 FROM events AS e"
    " WHERE e.id = deliveries.event_id AND e.forgotten_at IS NULL)"
    " THEN coalesce(:rendered, rendered) END WHERE seq = :seq"
)


def route(
    connection: apsw.Connection,
    event: str,
    routing: Routing,
    *,
    now: datetime,
    completed: Completed | None = None,
) -> bool:
    """Record what is owed for a received event; False if it was routed before.

    What its twin owes a target already is stored as suppressed.
    """
    connection.execute(
        "UPDATE events SET state = ?, muted_by = ?, rules_version = ?"
        " WHERE id = ? AND state = 'received'",
        (routing.state.value, plain_or_none(routing.muted_by), routing.rules_version, event),
    )
    if connection.changes() == 0:
        return False
    twin = None
    if completed is not None:
        if completed.origins:
            _keep_additions(connection, event, completed)
        twin = twins.pair(connection, completed)
    owe(connection, routing.deliveries, now=now, twin=twin)
    return True


def _keep_additions(connection: apsw.Connection, event: str, completed: Completed) -> None:
    """Store what the directory added to an event, unless its number was erased meanwhile."""
    row = connection.execute(
        "SELECT seq, json FROM events WHERE id = ? AND forgotten_at IS NULL", (event,)
    ).fetchone()
    if row is None:
        return
    seq, text = row
    client = completed.event.client
    connection.execute(
        "UPDATE events SET json = ?, client_id = ?, client_name = ? WHERE seq = ?",
        (
            packed(with_additions(shape_of(text), completed)),
            folded(client.id),
            folded(client.name),
            seq,
        ),
    )
    connection.executemany(
        "INSERT INTO event_phones VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(plain(phone), seq) for phone in completed.event.phones],
    )


def post(
    connection: apsw.Connection, event: Event, owed: Sequence[Delivery], *, now: datetime
) -> None:
    """Record an event of the relay's own with what is owed for it."""
    insert_event(connection, event, EventState.ROUTED)
    owe(connection, owed, now=now)


def owe(
    connection: apsw.Connection,
    owed: Sequence[Delivery],
    *,
    now: datetime,
    twin: Twin | None = None,
) -> int:
    """Record deliveries; how many were not known before."""
    new = 0
    for delivery in owed:
        placed, orphan = troubles.place(connection, delivery)
        if twin is not None and twin.is_owed(connection, placed):
            placed, orphan = deliveries.suppress(placed, f"twin of event {twin.event_id}"), False
        row = delivery_row(placed)
        row["orphan"] = int(orphan)
        row["created_at"] = micros(now)
        row["settled_at"] = micros(now) if placed.state in _FINAL else None
        connection.execute(_INSERT, row)
        new += connection.changes()
    return new


def claim(
    connection: apsw.Connection,
    target: str,
    *,
    now: datetime,
    head: bool = False,
    by_age: bool = False,
) -> tuple[Delivery, Event] | None:
    """Claim the next due delivery of a lane; with `head` its oldest pending one, due or not."""
    if by_age:
        row = _next(connection, target, now, CRITICAL_TURNS) or _oldest(connection, target)
    else:
        row = _oldest(connection, target) if head else _next(connection, target, now)
    if row is None:
        return None
    *values, seq = row[:-5]
    claimed = deliveries.claim(to_delivery(tuple(values)))
    connection.execute(
        "UPDATE deliveries SET state = ?, claim = ? WHERE seq = ?",
        (claimed.state.value, claimed.claim, seq),
    )
    return claimed, event_of_row(row[-5:])


def probe(connection: apsw.Connection, target: str, *, now: datetime) -> bool:
    """Put the oldest parked delivery of a target back; False if there is none."""
    row = connection.execute(_OLDEST_PARKED, (plain(target),)).fetchone()
    if row is None:
        return False
    *values, seq = row
    back = deliveries.unpark(to_delivery(tuple(values)), now)
    connection.execute(
        "UPDATE deliveries SET state = ?, due_at = ?, tried_since = ?, reason = ? WHERE seq = ?",
        (back.state.value, micros(back.due_at), micros(back.tried_since), back.reason, seq),
    )
    return True


def open_attempt(connection: apsw.Connection, delivery: Delivery, *, now: datetime) -> int | None:
    """Record that a try begins; None if the claim is lost."""
    connection.execute(
        "INSERT INTO attempts (delivery, claim, at) SELECT seq, claim, ? FROM deliveries"
        " WHERE id = ? AND state = 'claimed' AND claim = ?",
        (micros(now), delivery.id, delivery.claim),
    )
    return connection.last_insert_rowid() if connection.changes() else None


def settle(
    connection: apsw.Connection,
    before: Delivery,
    after: Delivery,
    *,
    now: datetime,
    outcome: str,
    reason: str | None,
    attempt: int | None = None,
    duration_ms: int = 0,
    rendered: Mapping[str, Any] | None = None,
    trouble: Trouble | None = None,
    cured: Sequence[str] = (),
) -> bool:
    """Record what became of a claimed delivery; False, changing nothing, if the claim is lost."""
    if after.id != before.id or after.state is State.CLAIMED:
        raise IllegalMoveError(f"delivery {before.id} cannot be settled as {after.state}")
    row = connection.execute(_CLAIMED, (before.id, before.claim)).fetchone()
    if row is None:
        return False
    *values, seq, snoozed = row
    current = to_delivery(tuple(values))
    if attempt is None:
        # An attempt of this claim may be open, of which its driver does not know.
        unsent = outcome == outcome_word(Interrupted(written=False))
        if not _close_open(connection, seq, before.claim, outcome, reason) and not unsent:
            _insert_attempt(connection, seq, before.claim, now, outcome, reason, duration_ms)
    elif not _close_attempt(connection, attempt, seq, before.claim, outcome, reason, duration_ms):
        return False
    troubles.end(connection, cured, now=now)
    moved = (current.target, current.account) != (before.target, before.account)
    if trouble is not None and (moved or troubles.is_stale(connection, trouble)):
        # Its destination was edited while this try was under way: the new settings deserve one.
        trouble, moved = None, True
    settled = replace(
        after,
        claim=current.claim,
        target=current.target,
        account=current.account,
        channel=current.channel,
    )
    if moved and settled.state is State.PARKED:
        settled = deliveries.unpark(settled, now)
    _store(
        connection,
        seq,
        settled,
        now=now,
        snoozed=bool(snoozed) or outcome == "rate_limited",
        rendered=rendered,
    )
    if trouble is not None:
        troubles.begin(connection, trouble, now=now)
    return True


def recover(connection: apsw.Connection, *, now: datetime) -> int:
    """Settle as lost what was claimed when the last relay ended; how many there were."""
    lost = Lost()
    rows: list[tuple[Any, ...]] = connection.execute(_ALL_CLAIMED).fetchall()
    for *values, seq in rows:
        before = to_delivery(tuple(values))
        after = deliveries.settle(before, lost, now, 0.0)
        connection.execute(
            "UPDATE attempts SET outcome = ?, reason = ? WHERE delivery = ? AND outcome IS NULL",
            (outcome_word(lost), lost.reason, seq),
        )
        if connection.changes() == 0:
            word = outcome_word(lost)
            _insert_attempt(connection, seq, before.claim, now, word, lost.reason, None)
        _store(connection, seq, after, now=now, snoozed=False, rendered=None)
    return len(rows)


def _next(
    connection: apsw.Connection, target: str, now: datetime, turns: range = TURNS
) -> tuple[Any, ...] | None:
    for turn in turns:
        row: tuple[Any, ...] | None = connection.execute(
            _NEXT, (plain(target), turn, micros(now))
        ).fetchone()
        if row is not None:
            return row
    return None


def _oldest(connection: apsw.Connection, target: str) -> tuple[Any, ...] | None:
    row: tuple[Any, ...] | None = connection.execute(_OLDEST, (plain(target),)).fetchone()
    return row


def _store(
    connection: apsw.Connection,
    seq: int,
    settled: Delivery,
    *,
    now: datetime,
    snoozed: bool,
    rendered: Mapping[str, Any] | None,
) -> None:
    placed, orphan = troubles.place(connection, settled)
    row = delivery_row(placed)
    parameters = {name: row[name] for name in _SETTLED}
    parameters["snoozed"] = int(snoozed)
    parameters["orphan"] = int(orphan)
    parameters["settled_at"] = micros(now) if placed.state in _FINAL else None
    parameters["rendered"] = None if rendered is None else packed(dict(rendered))
    parameters["seq"] = seq
    connection.execute(_UPDATE, parameters)


def _insert_attempt(
    connection: apsw.Connection,
    seq: int,
    claimed: int,
    now: datetime,
    outcome: str,
    reason: str | None,
    duration_ms: int | None,
) -> None:
    connection.execute(
        "INSERT INTO attempts (delivery, claim, at, outcome, reason, duration_ms)"
        " VALUES (?, ?, ?, ?, ?, ?)",
        (seq, claimed, micros(now), outcome, plain_or_none(reason), duration_ms),
    )


def _close_open(
    connection: apsw.Connection, seq: int, claimed: int, outcome: str, reason: str | None
) -> bool:
    connection.execute(
        "UPDATE attempts SET outcome = ?, reason = ?"
        " WHERE delivery = ? AND claim = ? AND outcome IS NULL",
        (outcome, plain_or_none(reason), seq, claimed),
    )
    return connection.changes() > 0


def _close_attempt(
    connection: apsw.Connection,
    attempt: int,
    seq: int,
    claimed: int,
    outcome: str,
    reason: str | None,
    duration_ms: int,
) -> bool:
    connection.execute(
        "UPDATE attempts SET outcome = ?, reason = ?, duration_ms = ?"
        " WHERE id = ? AND delivery = ? AND claim = ? AND outcome IS NULL",
        (outcome, plain_or_none(reason), duration_ms, attempt, seq, claimed),
    )
    return connection.changes() == 1
