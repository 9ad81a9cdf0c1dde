"""Incidents: one matter of one subject that opens, changes and closes, and what shows it.

The first event that is worse opens one, further ones change it, a better one closes it; within an
hour of that a worse one opens the same again. Tests open and change none. At every target that was
told there is a living message: what is to be done there for an event is decided when it is done, by
what holds then, so that an edit never shows an older state than the target has seen. Pure.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from relay.deliveries import Cause, Delivery
from relay.directory import Completed
from relay.events import Direction, Event, Source, Topic
from relay.events.meanings import first_text
from relay.events.properties import new_value
from relay.outcomes import Act
from relay.phones import index_key

REOPENED = timedelta(hours=1)
"""So soon after its end a worse event opens the same incident again."""
FORGOTTEN = timedelta(days=30)
"""After so long without a word a worse event is another matter: nobody sees the old message."""
MOST_SHOWN = 10
"""Events that a living message lists, the newest."""


class Updates(StrEnum):
    """How a destination is told of a change of an open incident."""

    EDIT = "edit"
    """Its first message shows the state now, and each change goes into its thread."""
    THREAD = "thread"
    POST = "post"
    """A message for each change, which names the first."""


class Matter(StrEnum):
    """What an incident is about."""

    QUALITY = "quality"
    LIMIT = "limit"
    STANDING = "standing"
    """Violations, restrictions and bans: the same account goes from one to the next."""
    TEMPLATE = "template"
    REVIEW = "review"


_MATTERS: Mapping[Topic, Matter] = {
    Topic.QUALITY: Matter.QUALITY,
    Topic.LIMIT: Matter.LIMIT,
    Topic.VIOLATION: Matter.STANDING,
    Topic.RESTRICTION: Matter.STANDING,
    Topic.BAN: Matter.STANDING,
    Topic.TEMPLATE: Matter.TEMPLATE,
    Topic.REVIEW: Matter.REVIEW,
}
_OF_A_NUMBER = (Matter.QUALITY, Matter.LIMIT)
_STILL_LOW = frozenset({("quality", "YELLOW"), ("quality", "RED")})


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident as it stands."""

    id: str
    key: str
    """A hash of matter and subject."""
    opened_at: datetime
    state_at: datetime
    """When what holds now happened."""
    changed_at: datetime
    """When the last event of it was routed."""
    changes: int = 1
    """The events that it had, the first one included."""
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class View:
    """What a driver knows of the incident of a delivery that it has claimed."""

    incident: Incident
    history: tuple[Event, ...]
    """Its newest events, the newest last."""
    first: Event
    place: int
    """Which of the incident's events the delivery is owed for, from 1 on."""
    posted: int = 0
    """So many events of it its living message had when it was posted; 0: there is none."""
    shown: int = 0
    """So many it shows since its last edit."""
    living: str = ""
    """The delivery that posted it."""
    reference: Mapping[str, str] = field(default_factory=dict)
    """How the target names it."""


@dataclass(frozen=True, slots=True)
class Living:
    """What a target shows of an incident after an attempt that went well."""

    incident: str
    target: str
    delivery: str
    reference: Mapping[str, str]
    posted: int
    shown: int


def key_of(completed: Completed) -> str | None:
    """The matter and subject that an event is about, as a hash; None: about none of these."""
    event = completed.event
    matter = _MATTERS.get(event.topic)
    if matter is None or event.test or event.source is Source.RELAY:
        return None
    own = event.phone if "phones" not in completed.origins else None
    number = own if len(event.phones) == 1 and own else None
    subject: tuple[str, ...] | None
    if matter is Matter.TEMPLATE:
        name = first_text(event.data, "message_template_name", "template.name")
        language = first_text(event.data, "message_template_language", "template.language")
        account = event.waba or event.client.id
        subject = (account, name, (language or "").replace("-", "_")) if account and name else None
    elif matter in _OF_A_NUMBER and number:
        subject = (index_key(number),)
    else:
        account = event.waba or (number and index_key(number)) or event.client.id
        subject = (account,) if account else None
    return None if subject is None else key(matter, *subject)


def key(matter: Matter, *subject: str) -> str:
    """The key of a matter of a subject."""
    said = json.dumps([matter, *(part.casefold() for part in subject)])
    return hashlib.sha256(said.encode()).hexdigest()[:32]


def step(known: Incident | None, event: Event, key: str, now: datetime) -> Incident | None:
    """The incident after an event of its key; None where the event is of none.

    `known` is the last incident of that key.
    """
    at = event.late_since
    worse = event.direction is Direction.WORSE
    if known is not None and now - known.changed_at > FORGOTTEN:
        known = None
    if known is None or (known.closed_at is not None and now - known.closed_at > REOPENED):
        return Incident(event.id, key, at, at, now) if worse else None
    if at < known.state_at or (known.closed_at is not None and not worse):
        return None  # a late report of what is over changes nothing
    closed_at = now if _closes(event) else None
    return replace(
        known, state_at=at, changed_at=now, changes=known.changes + 1, closed_at=closed_at
    )


def _closes(event: Event) -> bool:
    """Better is well again, but for a rating that is still low."""
    if event.direction is not Direction.BETTER:
        return False
    return new_value(event) not in _STILL_LOW


def next_act(updates: Updates, delivery: Delivery, view: View) -> Act | None:
    """What is to be done next at a target for an event of an incident; None: nothing more."""
    done = delivery.acts
    if updates is Updates.POST:
        return None if Act.POST in done else Act.POST
    if not view.posted:
        # Where nothing was told, a change that no rule sends there says nothing. A digest may have
        # told it, whose message is about more than this.
        owes = delivery.cause is not Cause.INCIDENT or Act.LOST in done or view.shown
        return Act.POST if owes else None
    if updates is Updates.EDIT and Act.EDIT not in done and view.shown < view.incident.changes:
        return Act.EDIT
    if Act.REPLY not in done and view.posted < view.place:
        return Act.REPLY
    return None


def after(act: Act, view: View, reference: Mapping[str, str], delivery: Delivery) -> View:
    """The same once that was done; `reference` is how the target names what it got."""
    changes = view.incident.changes
    match act:
        case Act.POST:
            return replace(
                view, posted=changes, shown=changes, living=delivery.id, reference=reference
            )
        case Act.EDIT:
            return replace(view, shown=changes)
        case _:
            return view
