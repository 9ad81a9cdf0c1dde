"""A completed event in the journal: the event as it was said, with the additions beside it.

The additions stand in a column of their own; until version 6, and after an erasure, under
`completed` in the event's own JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import apsw

from relay.directory import Completed, Origin
from relay.events import Client, Direction, Event, Severity, Source, Topic
from relay.journal.sqlite.rows import moment

KEY = "completed"


def shape_of(text: str, added: str | None = None) -> dict[str, Any]:
    """The JSON of a stored event, with what was added to it."""
    shape: dict[str, Any] = json.loads(text)
    if added is not None:
        shape[KEY] = json.loads(added)
    return shape


def additions(completed: Completed) -> dict[str, Any]:
    """The JSON of what was added to an event."""
    event = completed.event
    return {
        "phones": list(event.phones),
        "phone_name": event.phone_name,
        "client": {"id": event.client.id, "name": event.client.name},
        "country": event.country,
        "waba": event.waba,
        "waba_360": event.waba_360,
        "origins": {name: origin.to_json() for name, origin in completed.origins.items()},
    }


def event_of(shape: Mapping[str, Any]) -> Event:
    """The event as it was completed when it was routed; before that, as it was said."""
    event = Event.from_json(shape)
    added = shape.get(KEY)
    if not isinstance(added, Mapping):
        return event
    return replace(
        event,
        phones=tuple(added["phones"]),
        phone_name=added["phone_name"],
        client=Client(**added["client"]),
        country=added["country"],
        waba=added["waba"],
        waba_360=added["waba_360"],
    )


def origins_of(text: str, found: str | None) -> dict[str, Origin]:
    """Where the additions came from; `text` and `found` are the columns `json` and `added`."""
    try:
        added = shape_of(text, found).get(KEY)
    except ValueError:
        return {}
    if not isinstance(added, Mapping):
        return {}
    return {name: Origin.from_json(origin) for name, origin in added["origins"].items()}


EVENT_COLUMNS = "e.json, e.added, e.id, e.source, e.kind, e.received_at"
"""For a SELECT from `events AS e`, in the order that `event_of_row` reads."""


def event_of_row(row: Sequence[Any]) -> Event:
    """The event of a row read by `EVENT_COLUMNS`, completed if it was routed.

    Where its JSON cannot be read, the columns say that there is one: it must not stop the others.
    """
    text, added, event_id, source, kind, received_at = row
    try:
        return event_of(shape_of(text, added))
    except Exception:
        return Event(
            id=event_id,
            source=Source(source),
            kind=kind,
            detail=None,
            topic=Topic.OTHER,
            severity=Severity.WARNING,
            direction=Direction.NEUTRAL,
            title="Event that cannot be read any more",
            received_at=moment(received_at),
        )


def completed_event(connection: apsw.Connection, event_id: str) -> Event:
    """A stored event as it was completed."""
    row: Any = connection.execute(
        f"SELECT {EVENT_COLUMNS} FROM events AS e WHERE e.id = ?",  # noqa: S608
        (event_id,),
    ).fetchone()
    return event_of_row(row)
