"""What is late at destinations that have a fallback, and what is owed in its place."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from relay.deliveries import Delivery, State
from relay.events import Event
from relay.journal import Late
from relay.journal.sql import incidents, silences, troubles
from relay.journal.sql.routing import owe_beside
from relay.journal.sql.rows import DELIVERY_COLUMNS, DELIVERY_FIELDS, moment, plain, to_delivery
from relay.journal.sql.writing import Connection, Writing

MOST_AT_ONCE = 50
"""Of one destination and state, those that became due first."""

_STATES = (State.PENDING, State.CLAIMED, State.PARKED, State.DEAD)
_UNFINISHED = "due_since IS NOT NULL AND state IN ('pending', 'claimed', 'parked', 'dead')"
_LATE = (
    f"SELECT {DELIVERY_COLUMNS}, d.due_since FROM deliveries AS d INDEXED BY falling_back"
    f" WHERE d.destination = ? AND d.state = ? AND {_UNFINISHED} AND d.via IS NULL"
    " ORDER BY d.due_since LIMIT ?"
)
_ONCE = (
    "UPDATE deliveries SET due_since = NULL, fell_back_to = ''"
    f" WHERE id = ? AND {_UNFINISHED} RETURNING id"
)
_TOLD = (
    "SELECT destination, state FROM deliveries WHERE event_id = ? AND target = ?"
    " AND cause NOT IN ('test', 'replay') ORDER BY state = 'suppressed' LIMIT 1"
)


def late(connection: Connection, destinations: Collection[str]) -> tuple[Late, ...]:
    """What is unfinished at these destinations, and may come to owe a fallback: the first ones."""
    found: list[Late] = []
    for name in destinations:
        for state in _STATES:
            rows: list[tuple[Any, ...]] = connection.execute(
                _LATE, (plain(name), state.value, MOST_AT_ONCE)
            ).fetchall()
            found += (Late(to_delivery(row), moment(row[len(DELIVERY_FIELDS)])) for row in rows)
    return tuple(found)


def fall_back(
    connection: Writing, owed: Sequence[tuple[str, Event, Delivery]], *, now: datetime
) -> frozenset[str]:
    """Record what is owed in the place of late deliveries, named by their ids; to which targets.

    Each falls back once, and only while it is unfinished. A target that is owed the event anyway
    gets nothing; a silence holds.
    """
    targets = set[str]()
    for late_id, event, delivery in owed:
        if not connection.rows(_ONCE, (late_id,)):
            continue
        placed, _ = troubles.place(connection, delivery)
        told = connection.execute(_TOLD, (event.id, plain(placed.target))).fetchone()
        if told is None:
            placed = owe_beside(connection, event, delivery, silences.on(connection), now)
            if placed.incident is not None and placed.state is not State.SUPPRESSED:
                incidents.tell(connection, placed.incident, placed)
            targets.add(placed.target)
            told = plain(placed.destination), placed.state
        name, state = told
        if state != State.SUPPRESSED:
            connection.execute(
                "UPDATE deliveries SET fell_back_to = ? WHERE id = ?", (name, late_id)
            )
    return frozenset(targets)
