"""What is held, and the digests that tell it: members are fixed once, and go with their digest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from relay import deliveries
from relay.deliveries import Cause, Delivery, State
from relay.journal.answers import Held, Holding
from relay.journal.sql import incidents, troubles
from relay.journal.sql.rows import (
    DELIVERY_COLUMNS,
    DELIVERY_FIELDS,
    EVENT_COLUMNS,
    event_of_row,
    micros,
    moment,
    packed,
    plain,
    plain_or_none,
    to_delivery,
)
from relay.journal.sql.writing import Connection, Writing, noun_of

MOST_AT_ONCE = 2_000
"""Held deliveries that are looked at in one go."""

_FREE = "d.state = 'held' AND d.via IS NULL"
_IDS = "d.id IN (SELECT value FROM json_each(:ids))"
_MEMBERS = "SET state = :state, proof = :proof, reason = :reason, settled_at = :now"


def held(connection: Connection, *, until: datetime | None = None) -> Sequence[Held]:
    """What stands in no digest yet, lane by lane; due until a moment, or all of it."""
    due = "" if until is None else "AND d.due_at <= :until"
    limit = "" if until is None else f"LIMIT {MOST_AT_ONCE}"
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT {DELIVERY_COLUMNS}, d.created_at, t.posted, {EVENT_COLUMNS}"
        " FROM deliveries AS d JOIN events AS e ON e.id = d.event_id"
        " LEFT JOIN incident_targets AS t ON t.incident = d.incident AND t.target = d.target"
        f" WHERE {_FREE} {due} ORDER BY d.target, d.seq {limit}",
        {} if until is None else {"until": micros(until)},
    ).fetchall()
    return tuple(_held(connection, row) for row in rows)


def _held(connection: Connection, row: tuple[Any, ...]) -> Held:
    delivery = to_delivery(row)
    created_at, posted, *event = row[len(DELIVERY_FIELDS) :]
    incident = incidents.by_id(connection, delivery.incident) if delivery.incident else None
    return Held(delivery, event_of_row(event), moment(created_at), incident, bool(posted))


def holding(connection: Connection) -> Mapping[str, Holding]:
    """How much is held for each destination, and until when."""
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT destination, count(*), min(due_at) FROM deliveries WHERE state = 'held'"
        " GROUP BY destination"
    ).fetchall()
    return {name: Holding(count, moment(first)) for name, count, first in rows}


def postpone(connection: Writing, due: Mapping[str, datetime]) -> None:
    """Hold these deliveries, by their ids, until other moments."""
    connection.executemany(
        "UPDATE deliveries SET due_at = ? WHERE id = ? AND state = 'held' AND via IS NULL",
        [(micros(at), delivery_id) for delivery_id, at in due.items()],
    )


def release(connection: Writing, ids: Sequence[str], *, now: datetime) -> int:
    """Put held deliveries back, each by itself; how many."""
    rows = connection.rows(
        f"SELECT {DELIVERY_COLUMNS}, d.seq, d.day, d.own FROM deliveries AS d"
        f" WHERE {_FREE} AND {_IDS}",
        {"ids": packed(list(ids))},
    )
    for *values, seq, day, own in rows:
        free = deliveries.release(to_delivery(values), now)
        placed, orphan = troubles.place(connection, free)
        at = micros(now)
        connection.execute(
            "UPDATE deliveries SET state = ?, due_at = ?, tried_since = ?, target = ?,"
            " account = ?, channel = ?, orphan = ?, reason = ?,"
            " due_since = CASE WHEN due_since IS NOT NULL THEN CAST(? AS BIGINT) END WHERE seq = ?",
            (
                placed.state,
                at,
                at,
                plain(placed.target),
                plain(placed.account),
                placed.channel,
                int(orphan),
                plain_or_none(placed.reason),
                at,
                seq,
            ),
        )
        connection.move(day, noun_of(own), State.HELD, placed.state)
    return len(rows)


def gather(connection: Writing, digest: Delivery, ids: Sequence[str]) -> bool:
    """Fix the members of a digest; False, and nothing is changed, if one is held no more.

    From here on its target counts as told of their incidents.
    """
    members = {"ids": packed(list(ids)), "digest": digest.id}
    free = connection.execute(
        f"SELECT count(*) FROM deliveries AS d WHERE {_FREE} AND {_IDS}", members
    ).get
    if free != len(ids):
        return False
    connection.execute(
        "UPDATE deliveries SET via = :digest, due_since = NULL"
        " WHERE id IN (SELECT value FROM json_each(:ids))",
        members,
    )
    connection.execute(
        "UPDATE incident_targets SET shown = (SELECT i.changes FROM incidents AS i"
        " WHERE i.id = incident_targets.incident) WHERE posted = 0 AND first IN"
        " (SELECT value FROM json_each(:ids))",
        members,
    )
    return True


def settled(connection: Writing, digest: Delivery, *, now: datetime) -> None:
    """What became of a digest became of its members."""
    if digest.cause is not Cause.DIGEST or digest.state not in (State.DELIVERED, State.DEAD):
        return
    after = {
        "digest": digest.id,
        "state": digest.state,
        "proof": digest.proof,
        "reason": plain_or_none(digest.reason),
        "now": micros(now),
    }
    for before in (State.HELD, State.DEAD):
        if before is not digest.state:
            connection.move_all(
                before,
                digest.state,
                f"UPDATE deliveries {_MEMBERS} WHERE via = :digest AND state = '{before.value}'",
                after,
            )


def discarded(connection: Writing, *, now: datetime) -> None:
    """The members of digests that a person gave up are given up."""
    for before in (State.HELD, State.DEAD):
        connection.move_all(
            before,
            State.SUPPRESSED,
            "UPDATE deliveries SET state = 'suppressed', settled_at = :now, reason ="
            " (SELECT g.reason FROM deliveries AS g WHERE g.id = deliveries.via)"
            f" WHERE state = '{before.value}' AND via IN (SELECT g.id FROM deliveries AS g"
            " WHERE g.cause = 'digest' AND g.state = 'suppressed')",
            {"now": micros(now)},
        )
