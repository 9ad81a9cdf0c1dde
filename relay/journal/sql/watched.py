"""The watch on disk: the last value of each number, and the events that change it, in one step."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from relay.directory import Contact, learn
from relay.events.properties import Property
from relay.journal import EventState, WatchState
from relay.journal.sql import directory, notes
from relay.journal.sql.intake import insert_event
from relay.journal.sql.rows import micros, moment, packed
from relay.journal.sql.writing import Connection, Writing
from relay.sources.watch import Changes, Seen, Watched, compare

_META = "SELECT value FROM meta WHERE key = 'watch'"
_KEEP = (
    "INSERT INTO watched VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET json = excluded.json"
    " WHERE watched.json <> excluded.json"
)


def watch(
    connection: Writing, look: Sequence[Seen], *, now: datetime, period: timedelta
) -> Changes:
    """Record a complete look: the events that it makes, and the last values that they change."""
    state = watch_state(connection)
    before = watched(connection)
    changes = compare(before, look, now=now, since=state.seen_at, period=period)
    for event in changes.events:
        insert_event(connection, event, EventState.RECEIVED)
    directory.learn(connection, (fact for event in changes.events for fact in learn(event)))
    connection.executemany(
        _KEEP, [(key, _text(one)) for key, one in changes.watched.items() if one != before.get(key)]
    )
    connection.executemany(
        "DELETE FROM watched WHERE key = ?", [(key,) for key in before.keys() - changes.watched]
    )
    _note(connection, WatchState(seen_at=now))
    return changes


def watch_failed(connection: Writing, reason: str) -> int:
    """Record that a look failed: it changes nothing else; how many did so in a row."""
    state = watch_state(connection)
    failed = state.failed + 1
    _note(connection, WatchState(state.seen_at, failed, reason))
    return failed


def watch_state(connection: Connection) -> WatchState:
    """When the last complete look was, and what failed since."""
    found = connection.execute(_META).get
    if found is None:
        return WatchState()
    said = json.loads(found)
    at = said["seen_at"]
    return WatchState(None if at is None else moment(at), said["failed"], said["reason"])


def watched(connection: Connection) -> dict[str, Watched]:
    """What is known of each number since the last complete look, by key."""
    rows = connection.execute("SELECT key, json FROM watched ORDER BY key")
    return {key: _watched(text) for key, text in rows}


def _note(connection: Connection, state: WatchState) -> None:
    said = {
        "seen_at": None if state.seen_at is None else micros(state.seen_at),
        "failed": state.failed,
        "reason": state.reason,
    }
    notes.keep(connection, "watch", packed(said))


def _text(one: Watched) -> str:
    values = {which.value: value for which, value in one.seen.values.items()}
    shape = {"contact": asdict(one.seen.contact), "values": values, "missing": one.missing}
    return packed(shape)


def _watched(text: str) -> Watched:
    shape: dict[str, Any] = json.loads(text)
    values = {Property(which): value for which, value in shape["values"].items()}
    return Watched(Seen(Contact(**shape["contact"]), values), shape["missing"])
