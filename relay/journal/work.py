"""What is owed, and the way of one delivery: claimed, tried, settled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import apsw

from relay import deliveries
from relay.deliveries import Delivery, Interrupted, Lost, State, outcome_word
from relay.errors import IllegalMoveError
from relay.events import Event
from relay.journal import EventState, Routing, Trouble, troubles
from relay.journal.intake import insert_event
from relay.journal.rows import (
    DELIVERY_COLUMNS,
    DELIVERY_FIELDS,
    delivery_row,
    micros,
    packed,
    plain,
    plain_or_none,
    to_delivery,
    to_event,
)

TURNS = range(4)
"""Critical first tries, critical retries, other first tries, other retries."""
_FINAL = (State.DELIVERED, State.DEAD, State.SUPPRESSED)

_INSERT = (
    f"INSERT INTO deliveries ({', '.join(DELIVERY_FIELDS)}, orphan, created_at, settled_at)"  # noqa: S608
    f" VALUES ({', '.join(f':{name}' for name in DELIVERY_FIELDS)},"
    " :orphan, :created_at, :settled_at) ON CONFLICT (id) DO NOTHING"
)
_NEXT = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq, e.json"  # noqa: S608
    " FROM deliveries AS d INDEXED BY pending_by_lane JOIN events AS e ON e.id = d.event_id"
    " WHERE d.state = 'pending' AND d.target = ? AND d.turn = ? AND d.due_at <= ?"
    " ORDER BY d.due_at, d.seq LIMIT 1"
)
_OLDEST = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq, e.json"  # noqa: S608
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
    " rendered = coalesce(:rendered, rendered) WHERE seq = :seq"
)


def route(connection: apsw.Connection, event: str, routing: Routing, *, now: datetime) -> bool:
    """Record what is owed for a received event; False if it was routed before."""
    connection.execute(
        "UPDATE events SET state = ?, muted_by = ?, rules_version = ?"
        " WHERE id = ? AND state = 'received'",
        (routing.state.value, plain_or_none(routing.muted_by), routing.rules_version, event),
    )
    if connection.changes() == 0:
        return False
    owe(connection, routing.deliveries, now=now)
    return True


def post(
    connection: apsw.Connection, event: Event, owed: Sequence[Delivery], *, now: datetime
) -> None:
    """Record an event of the relay's own with what is owed for it."""
    insert_event(connection, event, EventState.ROUTED)
    owe(connection, owed, now=now)


def owe(connection: apsw.Connection, owed: Sequence[Delivery], *, now: datetime) -> int:
    """Record deliveries; how many were not known before."""
    new = 0
    for delivery in owed:
        placed, orphan = troubles.place(connection, delivery)
        row = delivery_row(placed)
        row["orphan"] = int(orphan)
        row["created_at"] = micros(now)
        row["settled_at"] = micros(now) if placed.state in _FINAL else None
        connection.execute(_INSERT, row)
        new += connection.changes()
    return new


def claim(
    connection: apsw.Connection, target: str, *, now: datetime, head: bool = False
) -> tuple[Delivery, Event] | None:
    """Claim the next due delivery of a lane; with `head` its oldest pending one, due or not."""
    row = _oldest(connection, target) if head else _next(connection, target, now)
    if row is None:
        return None
    *values, seq, event = row
    claimed = deliveries.claim(to_delivery(tuple(values)))
    connection.execute(
        "UPDATE deliveries SET state = ?, claim = ? WHERE seq = ?",
        (claimed.state.value, claimed.claim, seq),
    )
    return claimed, to_event(event)


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
        if outcome != outcome_word(Interrupted(written=False)):
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


def _next(connection: apsw.Connection, target: str, now: datetime) -> tuple[Any, ...] | None:
    for turn in TURNS:
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
