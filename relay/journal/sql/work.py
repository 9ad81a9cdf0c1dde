"""The way of one delivery: claimed with its attempt opened, settled, and lost with its driver."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any

from relay import deliveries
from relay.deliveries import Delivery, State
from relay.errors import IllegalMoveError
from relay.events import Event
from relay.journal import Ask, Claimed, Recorded, Settlement, Turn
from relay.journal.sql import digests, incidents, troubles
from relay.journal.sql.rows import (
    DELIVERY_COLUMNS,
    DELIVERY_FIELDS,
    completed_event,
    delivery_values,
    micros,
    moment,
    packed,
    plain,
    plain_or_none,
    to_delivery,
)
from relay.journal.sql.writing import Writing, noun_of
from relay.outcomes import Interrupted, Lost, outcome_word

LEASE = timedelta(minutes=10)
"""So long after its claim a delivery that nobody holds is lost."""

_LONGEST_WAIT = deliveries.LONGEST_WAIT // timedelta(microseconds=1)
_FINAL = (State.DELIVERED, State.DEAD, State.SUPPRESSED)
_CRITICAL = 2
"""Turns: 0 critical first tries, 1 critical retries, 2 other first tries, 3 other retries."""
_FIRST = (
    "SELECT turn, due_at, seq FROM deliveries INDEXED BY pending_by_lane"
    " WHERE state = 'pending' AND target = ? ORDER BY turn, due_at, seq LIMIT 1"
)
_HEADS = " UNION ALL ".join(
    "SELECT * FROM (SELECT turn, due_at, seq FROM deliveries INDEXED BY pending_by_lane"
    f" WHERE state = 'pending' AND target = ?1 AND turn = {turn} ORDER BY due_at, seq LIMIT 1)"
    f" AS of_turn_{turn}"
    for turn in range(4)
)
_OLDEST = (
    "SELECT min(seq) FROM deliveries INDEXED BY pending_by_lane"
    " WHERE state = 'pending' AND target = ?"
)
_OLDEST_PARKED = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq, d.day, d.own"
    " FROM deliveries AS d INDEXED BY parked_by_lane"
    " WHERE d.state = 'parked' AND d.target = ? AND d.orphan = 0 ORDER BY d.seq LIMIT 1"
)
_CLAIM = (
    "UPDATE deliveries SET state = 'claimed', claim = claim + 1"
    f" WHERE seq = ? RETURNING {', '.join(DELIVERY_FIELDS)}, day, own"
)
_ATTEMPT = "INSERT INTO attempts (delivery, claim, at) VALUES (?, ?, ?)"
_CURRENT = (
    "SELECT seq, target, account, channel, day, own FROM deliveries"
    " WHERE id = ? AND state = 'claimed' AND claim = ?"
)
_CLOSE = (
    "UPDATE attempts SET outcome = ?, reason = ?, duration_ms = ?"
    " WHERE id = ? AND delivery = ? AND claim = ? AND outcome IS NULL"
)
_ALL_CLAIMED = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq, d.day, d.own,"
    " (SELECT max(a.at) FROM attempts AS a WHERE a.delivery = d.seq AND a.claim = d.claim)"
    " FROM deliveries AS d INDEXED BY claimed WHERE d.state = 'claimed' ORDER BY d.seq"
)
_RENDERED = (
    # What was written before the number of its event was erased still holds it.
    "rendered = CASE WHEN (SELECT e.forgotten_at FROM events AS e"
    " WHERE e.id = deliveries.event_id) IS NULL THEN ? END"
)
_fields = attrgetter(*DELIVERY_FIELDS)
_UNSENT = outcome_word(Interrupted(written=False))


def claim(connection: Writing, ask: Ask, *, now: datetime) -> Turn:
    """Claim what a lane gets next, with its attempt; or say when there will be something."""
    lane = (plain(ask.target),)
    if not connection.leads:
        return Turn()
    heads = connection.rows(_FIRST, lane)
    if not heads:
        return Turn()
    at = micros(now)
    latest = at + _LONGEST_WAIT

    def due() -> list[int]:
        return [
            seq
            for turn, due_at, seq in heads
            if (due_at <= at or due_at > latest) and (turn < _CRITICAL or not ask.oldest)
        ]

    if not (found := due()) and not ask.head:
        heads = connection.rows(_HEADS, lane)
        found = due()
    if ask.head or (ask.oldest and not found):
        seq = connection.execute(_OLDEST, lane).get
    elif found:
        seq = found[0]
    else:
        return Turn(due_at=moment(min(due_at for _, due_at, _ in heads)))
    ((*values, day, own),) = connection.rows(_CLAIM, (seq,))
    connection.move(day, noun_of(own), State.PENDING, State.CLAIMED)
    return Turn(opened(connection, to_delivery(tuple(values)), seq, None, now=now))


def opened(
    connection: Writing, claimed: Delivery, seq: int, event: Event | None, *, now: datetime
) -> Claimed:
    """A delivery that is claimed just now, with its attempt; its horizon may begin anew."""
    fresh = deliveries.fresh(claimed, now)
    if fresh is not claimed:
        connection.execute(
            "UPDATE deliveries SET tried_since = ? WHERE seq = ?", (micros(fresh.tried_since), seq)
        )
    attempt = connection.insert(_ATTEMPT, (seq, claimed.claim, micros(now)), "id")
    assert attempt is not None
    event = event or connection.kept(claimed.event_id)
    event = event or completed_event(connection, claimed.event_id)
    view = None if claimed.incident is None else incidents.view(connection, claimed)
    return Claimed(fresh, event, attempt, view)


def probe(connection: Writing, target: str, *, now: datetime) -> bool:
    """Put the oldest parked delivery of a target back; False if there is none."""
    row = connection.execute(_OLDEST_PARKED, (plain(target),)).fetchone()
    if row is None or not connection.leads:
        return False
    *values, seq, day, own = row
    before = to_delivery(tuple(values))
    back = deliveries.unpark(before, now)
    _store(connection, seq, before, back)
    connection.move(day, noun_of(own), State.PARKED, State.PENDING)
    return True


def settle(
    connection: Writing, settlement: Settlement, *, now: datetime, then: Ask | None = None
) -> Recorded:
    """Record what became of a claimed delivery, and claim what its lane gets next."""
    held = _settle(connection, settlement, now)
    return Recorded(held, None if then is None else claim(connection, then, now=now))


def _settle(connection: Writing, said: Settlement, now: datetime) -> bool:
    before, after = said.before, said.after
    if after.id != before.id or after.state is State.CLAIMED:
        raise IllegalMoveError(f"delivery {before.id} cannot be settled as {after.state}")
    row = connection.execute(_CURRENT, (before.id, before.claim)).fetchone()
    if row is None:
        return False
    seq, target, account, channel, day, own = row
    if said.outcome == _UNSENT and not after.ambiguous:
        # Nothing was tried.
        connection.execute(
            "DELETE FROM attempts WHERE delivery = ? AND claim = ? AND outcome IS NULL",
            (seq, before.claim),
        )
    else:
        connection.execute(
            _CLOSE,
            (
                said.outcome,
                plain_or_none(said.reason),
                said.duration_ms,
                said.attempt,
                seq,
                before.claim,
            ),
        )
        if connection.changes() == 0:
            return False
    trouble, settled = said.trouble, after
    if said.cured:
        troubles.end(connection, said.cured, now=now)
    moved = (target, account) != (plain(before.target), plain(before.account))
    if trouble is not None and (moved or troubles.is_stale(connection, trouble)):
        # Its destination was edited while this try was under way: the new settings deserve one.
        trouble, moved = None, True
    if moved or channel != after.channel:
        settled = replace(settled, target=target, account=account, channel=channel)
    if moved and settled.state is State.PARKED:
        settled = deliveries.unpark(settled, now)
    placed, orphan = troubles.place(connection, settled)
    more: dict[str, Any] = {}
    if said.rendered is not None:
        more[_RENDERED] = packed(dict(said.rendered))
    if orphan:
        more["orphan = ?"] = 1
    if said.outcome == "rate_limited":
        more["snoozed = ?"] = 1
    if placed.state in _FINAL:
        more["settled_at = ?"] = micros(now)
    _store(connection, seq, before, placed, more)
    connection.move(day, noun_of(own), State.CLAIMED, placed.state)
    digests.settled(connection, placed, now=now)
    if said.living is not None:
        incidents.keep(connection, said.living)
    if trouble is not None:
        troubles.begin(connection, trouble, now=now)
    return True


def recover(connection: Writing, *, now: datetime) -> int:
    """Settle as lost what was claimed when the last relay ended; how many there were."""
    return expire(connection, (), now=now, lease=None)


def expire(
    connection: Writing, held: Collection[str], *, now: datetime, lease: timedelta | None = LEASE
) -> int:
    """Settle as lost what has been claimed for longer than a lease, and is held by nobody."""
    lost = Lost()
    word = outcome_word(lost)
    count = 0
    for *values, seq, day, own, since in connection.rows(_ALL_CLAIMED):
        before = to_delivery(tuple(values))
        if before.id in held or (
            lease is not None and since is not None and abs(now - moment(since)) < lease
        ):
            continue
        count += 1
        placed, orphan = troubles.place(connection, deliveries.settle(before, lost, now, 0.0))
        connection.execute(
            "UPDATE attempts SET outcome = ?, reason = ? WHERE delivery = ? AND outcome IS NULL",
            (word, lost.reason, seq),
        )
        if connection.changes() == 0:
            connection.execute(
                "INSERT INTO attempts (delivery, claim, at, outcome, reason)"
                " VALUES (?, ?, ?, ?, ?)",
                (seq, before.claim, micros(now), word, lost.reason),
            )
        final = micros(now) if placed.state in _FINAL else None
        more = {"orphan = ?": int(orphan), "settled_at = ?": final}
        _store(connection, seq, before, placed, more)
        connection.move(day, noun_of(own), State.CLAIMED, placed.state)
    return count


def _store(
    connection: Writing,
    seq: int,
    before: Delivery,
    after: Delivery,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Write what is different."""
    columns = zip(
        DELIVERY_FIELDS, _fields(before), _fields(after), delivery_values(after), strict=True
    )
    changes: dict[str, Any] = {
        f"{name} = ?": value for name, was, is_now, value in columns if is_now != was
    }
    changes |= more or {}
    connection.execute(
        f"UPDATE deliveries SET {', '.join(changes)} WHERE seq = ?",
        (*changes.values(), seq),
    )
