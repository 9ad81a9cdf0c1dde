"""A completed event in the journal: the event as it was said, with the additions beside it.

The additions stand in the event's own JSON under `completed`, so that what is done to the event
(removal, erasure of a number) is done to them as well.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from relay.directory import Completed, Origin
from relay.events import Client, Event

KEY = "completed"


def shape_of(text: str) -> dict[str, Any]:
    """The JSON of a stored event."""
    shape: dict[str, Any] = json.loads(text)
    return shape


def with_additions(shape: Mapping[str, Any], completed: Completed) -> dict[str, Any]:
    """The JSON of a stored event with what was added to it."""
    event = completed.event
    return {
        **shape,
        KEY: {
            "phones": list(event.phones),
            "phone_name": event.phone_name,
            "client": {"id": event.client.id, "name": event.client.name},
            "country": event.country,
            "waba": event.waba,
            "waba_360": event.waba_360,
            "origins": {name: origin.to_json() for name, origin in completed.origins.items()},
        },
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


def origins_of(shape: Mapping[str, Any]) -> dict[str, Origin]:
    """Where the additions came from."""
    added = shape.get(KEY)
    if not isinstance(added, Mapping):
        return {}
    return {name: Origin.from_json(origin) for name, origin in added["origins"].items()}
