"""Twins on disk: which routed event reports the same happening, and what it was owed.

Every routed event that may have a twin leaves a few tokens: hashes of what happened together with
one of its subjects. Whoever shares a token is looked at; an event has at most one twin.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import apsw

from relay.deliveries import Delivery
from relay.directory import Completed
from relay.directory.twins import WINDOW, Happening, happening
from relay.events import Event
from relay.journal.sqlite.completion import event_of, origins_of, shape_of
from relay.journal.sqlite.rows import micros, plain

MOST_PHONES = 50
"""Numbers of an account that are looked at; beyond them the account itself must do."""

_CANDIDATES = (
    "SELECT e.id, e.json, e.received_at FROM events AS e"
    " WHERE e.seq IN (SELECT t.event FROM twin_tokens AS t WHERE t.token IN (SELECT unhex(value)"
    " FROM json_each(:tokens)))"
    " AND e.twin IS NULL AND e.source <> :source AND e.id <> :id"
)
_OWED = (
    "SELECT 1 FROM deliveries WHERE event_id = ? AND target = ? AND cause IN ('rule', 'default')"
)


@dataclass(frozen=True, slots=True)
class Twin:
    """The other report of an event's happening."""

    event_id: str
    tells_all: bool
    """It names everything that this one does; otherwise this one is news all the same."""

    def is_owed(self, connection: apsw.Connection, delivery: Delivery) -> bool:
        """Whether the target of a delivery is owed the other report."""
        asked = (self.event_id, plain(delivery.target))
        return self.tells_all and connection.execute(_OWED, asked).fetchone() is not None


def pair(connection: apsw.Connection, completed: Completed) -> Twin | None:
    """The twin of an event that is being routed, if it was routed before; both keep each other."""
    found = happening(completed)
    if found is None:
        return None
    event = completed.event
    tokens = _tokens(found)
    twin = _nearest(connection, found, event, tokens)
    seq: Any = connection.execute("SELECT seq FROM events WHERE id = ?", (event.id,)).get
    connection.executemany(
        "INSERT INTO twin_tokens VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(token, seq) for token in tokens],
    )
    if twin is not None:
        connection.executemany(
            "UPDATE events SET twin = ? WHERE id = ?",
            [(twin.event_id, event.id), (event.id, twin.event_id)],
        )
    return twin


def _nearest(
    connection: apsw.Connection, found: Happening, event: Event, tokens: list[bytes]
) -> Twin | None:
    rows = connection.execute(
        _CANDIDATES,
        {
            "tokens": "[" + ",".join(f'"{token.hex()}"' for token in tokens) + "]",
            "source": event.source.value,
            "id": event.id,
        },
    )
    nearest: tuple[int, str, bool] | None = None
    for event_id, text, received_at in rows:
        shape = shape_of(text)
        other = Completed(event_of(shape), origins_of(shape))
        apart = abs(received_at - micros(event.received_at))
        if not _is_near(event, other.event):
            continue
        its = happening(other)
        if its is not None and its.is_twin_of(found):
            one = (apart, event_id, not found.adds_to(its))
            nearest = min(nearest or one, one)
    return None if nearest is None else Twin(nearest[1], nearest[2])


def _is_near(one: Event, other: Event) -> bool:
    """Both came, or both happened, within the window; a report may be late."""

    def near(this: datetime, that: datetime) -> bool:
        return abs(this - that) <= WINDOW

    return near(one.received_at, other.received_at) or near(one.late_since, other.late_since)


def _tokens(found: Happening) -> list[bytes]:
    subjects = [f"waba {waba}" for waba in found.wabas]
    numbers = found.phones if len(found.phones) <= MOST_PHONES else frozenset[str]()
    subjects += [f"phone {key}" for key in numbers | {found.phone or ""} if key]
    if found.client is not None:
        subjects.append(f"client {found.client}")
    return sorted(
        hashlib.sha256(f"{found.key}\n{subject}".encode("utf-8", "surrogatepass")).digest()[:16]
        for subject in subjects
    )
