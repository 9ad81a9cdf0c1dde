"""Twins on disk: which routed event reports the same happening, and what it was owed.

Every routed event that may have a twin leaves a few tokens: hashes of what happened together with
one of its subjects. Whoever shares a token is looked at; an event has at most one twin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from relay.deliveries import Delivery
from relay.directory import Completed
from relay.directory.twins import WINDOW, Happening, happening, is_told_by, number_keys
from relay.events import Event
from relay.events.properties import new_value
from relay.journal.sql.rows import event_of, micros, origins_of, packed, plain, shape_of
from relay.journal.sql.writing import Writing

MOST_PHONES = 50
"""Numbers of an account that are looked at; beyond them the account itself must do."""

_SHARERS = (
    "SELECT token, event FROM twin_tokens WHERE token IN (SELECT unhex(value) FROM json_each(?))"
)
_CANDIDATES = (
    "SELECT json, added, id, received_at, twin FROM events"
    " WHERE seq IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) AND source <> ?"
)
_OWED = (
    "SELECT 1 FROM deliveries WHERE event_id = ? AND target = ?"
    " AND cause IN ('rule', 'default', 'fallback')"
)


@dataclass(frozen=True, slots=True)
class Twin:
    """The other report of an event's happening."""

    event_id: str
    tells_all: bool
    """It names everything that this one does; otherwise this one is news all the same."""
    is_watch: bool = False
    """One of both was found by asking: the webhook may have a twin of the other family besides."""

    def is_owed(self, connection: Writing, delivery: Delivery) -> bool:
        """Whether the target of a delivery is owed the other report."""
        asked = (self.event_id, plain(delivery.target))
        return self.tells_all and connection.execute(_OWED, asked).fetchone() is not None


def pair(connection: Writing, routed: Mapping[int, Completed]) -> dict[int, Twin]:
    """The twins of events that are being routed, by row: each reported before, in or out of them.

    Both keep each other.
    """
    found = {seq: happening(one) for seq, one in routed.items()}
    tokens = {seq: _tokens(one, found[seq]) for seq, one in routed.items()}
    tokens = {seq: many for seq, many in tokens.items() if many}
    if not tokens:
        return {}
    asked = "[" + ",".join(f'"{one.hex()}"' for many in tokens.values() for one in many) + "]"
    sharers: dict[bytes, set[int]] = {}
    for token, seq in connection.execute(_SHARERS, (asked,)):
        sharers.setdefault(token, set()).add(seq)
    twins: dict[int, Twin] = {}
    for seq in tokens:
        one = routed[seq]
        others = set[int]().union(*(sharers.get(token, ()) for token in tokens[seq])) - {seq}
        for token in tokens[seq]:
            sharers.setdefault(token, set()).add(seq)
        twin = _nearest(connection, found[seq], one.event, others) if others else None
        if twin is None:
            continue
        twins[seq] = twin
        if not twin.is_watch:
            connection.executemany(
                "UPDATE events SET twin = ? WHERE id = ?",
                [(twin.event_id, one.event.id), (one.event.id, twin.event_id)],
            )
    connection.executemany(
        "INSERT INTO twin_tokens VALUES (?, ?) ON CONFLICT DO NOTHING",
        [(token, seq) for seq, many in tokens.items() for token in many],
    )
    return twins


def _nearest(
    connection: Writing, found: Happening | None, event: Event, others: Iterable[int]
) -> Twin | None:
    rows = connection.execute(_CANDIDATES, (packed(sorted(others)), event.source.value))
    nearest: tuple[int, str, bool] | None = None
    asked: tuple[int, str] | None = None
    for text, added, event_id, received_at, paired in rows:
        other = Completed(event_of(shape_of(text, added)), origins_of(text, added))
        apart = abs(received_at - micros(event.received_at))
        if is_told_by(event, other.event) or is_told_by(other.event, event):
            asked = min(asked or (apart, event_id), (apart, event_id))
        if found is None or paired is not None or not _is_near(event, other.event):
            continue
        its = happening(other)
        if its is not None and its.is_twin_of(found):
            one = (apart, event_id, not found.adds_to(its))
            nearest = min(nearest or one, one)
    if nearest is not None:
        return Twin(nearest[1], nearest[2])
    return None if asked is None else Twin(asked[1], tells_all=True, is_watch=True)


def _is_near(one: Event, other: Event) -> bool:
    """Both came, or both happened, within the window; a report may be late."""

    def near(this: datetime, that: datetime) -> bool:
        return abs(this - that) <= WINDOW

    return near(one.received_at, other.received_at) or near(one.late_since, other.late_since)


def _tokens(one: Completed, found: Happening | None) -> list[bytes]:
    """Hashes that events of one happening share."""
    told = [] if found is None else [(found.key, subject) for subject in _subjects(found)]
    value = None if one.event.test else new_value(one.event)
    numbers = number_keys(one.event)
    if value is not None and len(numbers) <= MOST_PHONES:
        told += [(f"{value[0]} is {value[1]}", f"phone {key}") for key in numbers]
    return sorted(
        hashlib.sha256(f"{key}\n{subject}".encode("utf-8", "surrogatepass")).digest()[:16]
        for key, subject in told
    )


def _subjects(found: Happening) -> list[str]:
    subjects = [f"waba {waba}" for waba in found.wabas]
    numbers = found.phones if len(found.phones) <= MOST_PHONES else frozenset[str]()
    subjects += [f"phone {key}" for key in numbers | {found.phone or ""} if key]
    if found.client is not None:
        subjects.append(f"client {found.client}")
    return subjects
