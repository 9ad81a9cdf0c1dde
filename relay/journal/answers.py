"""What the questions of the store answer: values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from relay.deliveries import Delivery, State
from relay.directory import Origin
from relay.events import Event
from relay.incidents import Incident
from relay.journal.values import Attempt, EventState
from relay.quiet import Silence


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with what became of it."""

    event: Event
    state: EventState
    muted_by: str | None
    rules_version: int | None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    """Where the fields came from that its sender did not say, by field."""
    reason: str | None = None
    """Why it was ignored."""


@dataclass(frozen=True, slots=True)
class Past:
    """A recorded event as one looks back at it."""

    event: Event
    is_complete: bool
    """It was routed, and has what the directory knew then."""


@dataclass(frozen=True, slots=True)
class StoredDelivery:
    """A delivery with its attempts and, once written, its message."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    rendered: Mapping[str, Any] | None = None
    """`{"title", "text"}`, and `"payload"` in sandbox mode or when it is dead."""
    created_at: datetime | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery that a silence suppressed."""

    delivery_id: str
    destination: str
    at: datetime
    event: Event


@dataclass(frozen=True, slots=True)
class Silenced:
    """A silence with what it suppressed, as far as retention has kept it."""

    silence: Silence
    counts: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """By destination and kind, the most first."""
    last: tuple[Kept, ...] = ()
    """The newest, newest first."""

    @property
    def count(self) -> int:
        """How many deliveries it suppressed."""
        return sum(self.counts.values())


@dataclass(frozen=True, slots=True)
class Held:
    """A delivery that waits for quiet hours to end or for a digest."""

    delivery: Delivery
    event: Event
    created_at: datetime
    incident: Incident | None = None
    """How the incident of its event stands."""
    is_living: bool = False
    """Its target shows that incident in a message, which is edited rather than told again."""


@dataclass(frozen=True, slots=True)
class Holding:
    """What is held for one destination."""

    count: int
    until: datetime
    """When the first of it is due."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The unfinished work of one target."""

    target: str
    account: str
    pending: int
    parked: int
    oldest_due_at: datetime | None
    """Of all of them, also of those that are being sent."""
    claimed: int = 0
    waiting_since: datetime | None = None
    """Since when the oldest pending or claimed delivery has been tried."""
    first: str | None = None
    """The id of the oldest unfinished delivery."""


@dataclass(frozen=True, slots=True)
class Late:
    """A delivery whose fallback may come to be owed."""

    delivery: Delivery
    since: datetime
    """When it first became due."""


@dataclass(frozen=True, slots=True)
class Hour:
    """What came in one hour, and what has become of what it owed."""

    at: datetime
    """Its beginning."""
    received: int = 0
    """Events, the relay's own left out."""
    delivered: int = 0
    failed: int = 0
    """Deliveries that were given up, or whose target is out of order."""


@dataclass(frozen=True, slots=True)
class Audited:
    """What a person did."""

    id: int
    at: datetime
    who: str
    action: str
    """`retry`, `discard`, `replay`, `directory`, `look at quarantine`, `forget`."""
    subject: str
    """What was changed: mostly an id."""


@dataclass(frozen=True, slots=True)
class Stopped:
    """Deliveries of one destination that were given up or are parked for the same reason."""

    state: State
    reason: str
    """Empty where none was told."""
    destination: str
    count: int
    newest: datetime
    """When the newest of them was recorded."""


@dataclass(frozen=True, slots=True)
class Dead:
    """The deliveries of one destination that were given up."""

    destination: str
    count: int
    since: datetime
    last: str
    """The id of the newest one."""


@dataclass(frozen=True, slots=True)
class Status:
    """The counts of the balance; sources other than `partner` and `waba` are left out."""

    events: Mapping[str, int]
    """received (all), unrouted, unmatched, muted, routed, quarantined, duplicate, ignored."""
    deliveries: Mapping[str, int]
    """By state, alarms and tests included."""
    last_event_at: datetime | None = None
    refused_webhooks: int = 0
    """401s of the last 24 hours."""
    ignored: Mapping[str, int] = field(default_factory=dict)
    """Dropped items by cause; see `relay.sources.Ignored`."""


@dataclass(frozen=True, slots=True)
class Relay:
    """One of the relays that share a journal, and live."""

    name: str
    """Host and process."""
    leads: bool
    """It delivers."""
    version: int = 0
    """The rules by which it goes; 0 while it reads them."""
    waits: tuple[str, ...] = ()
    """Its files that say something else."""


@dataclass(frozen=True, slots=True)
class WatchState:
    """When 360dialog's list was last read whole, and what went wrong since."""

    seen_at: datetime | None = None
    failed: int = 0
    """Looks that failed in a row since then."""
    reason: str = ""
    """Why the last one did."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A trouble of the relay itself, told once when it begins and once when it is over."""

    key: str
    began_at: datetime
    text: str
