"""The durable store: `Journal`, the verbs that change it, and `Records`, the questions.

`sqlite.open_journal` opens the embedded engine. Every verb returns only when its change is on
disk. Moments are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol

from relay.deliveries import Delivery, Scope
from relay.directory import Completed, Contact, Entry, Facts, Origin
from relay.events import Event
from relay.journal.care import Care, CareRecords
from relay.sources import Reading


class EventState(StrEnum):
    """What became of an event."""

    RECEIVED = "received"
    """On disk, not yet routed."""
    ROUTED = "routed"
    UNMATCHED = "unmatched"
    """No rule took it and there is no default."""
    MUTED = "muted"
    """A rule says that nobody is told."""
    IGNORED = "ignored"
    """Dropped for its private content, though its kind is a warning or critical. Such events stand
    beside the others and outside of the balance, with kind and reason alone."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What one webhook added."""

    events: tuple[Event, ...] = ()
    """The new ones, in order, with the ids under which they are stored."""
    duplicates: int = 0
    conflicts: int = 0
    """Known ids that came with another content; kept in quarantine."""
    ignored: int = 0
    withheld: tuple[Event, ...] = ()
    """Of the ignored items those that are new and whose kind is a warning or critical."""
    quarantined: int = 0
    """Unreadable items, conflicts not included."""


@dataclass(frozen=True, slots=True)
class Routing:
    """What the rules said of one event."""

    state: EventState
    deliveries: tuple[Delivery, ...] = ()
    rules_version: int = 0
    muted_by: str | None = None


@dataclass(frozen=True, slots=True)
class Owing:
    """An event that is routed, with what it owes."""

    event: Event
    routing: Routing
    completed: Completed | None = None
    """The same event with where its additions came from."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A target, or an account with all its targets, that is out of order."""

    key: str
    """The target or the account, as deliveries name it."""
    scope: Scope
    reason: str
    fingerprint: str = ""
    """Of the destination's settings when it began: another one lifts the trouble."""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that a lane holds, with its event and its open attempt."""

    delivery: Delivery
    event: Event
    attempt: int


@dataclass(frozen=True, slots=True)
class Routed:
    """What came of a batch of routings."""

    events: frozenset[str]
    """The ids of those that had not been routed before."""
    claimed: Mapping[str, Claimed]
    """For idle lanes, by target."""


@dataclass(frozen=True, slots=True)
class Ask:
    """What a lane wants next: critical first, first tries, retries, each oldest first."""

    target: str
    head: bool = False
    """The oldest one, due or not: the lane backs off as a whole, and its head finds out for all."""
    oldest: bool = False
    """What is critical and due, then the oldest, due or not: after an outage, what the target
    refused goes before what came later."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a lane gets."""

    claimed: Claimed | None = None
    due_at: datetime | None = None
    """With nothing claimed: when the next one is due; None where none waits."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """What became of a claimed delivery."""

    before: Delivery
    after: Delivery
    attempt: int
    outcome: str
    """A word of `relay.deliveries.outcome_word`."""
    reason: str | None
    duration_ms: int = 0
    rendered: Mapping[str, Any] | None = None
    trouble: Trouble | None = None
    """It parks all pending deliveries of its target or account, and is remembered."""
    cured: Sequence[str] = ()
    """Targets and accounts that work: their troubles end, and what they parked is due now."""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What came of a settlement."""

    held: bool
    """False: claim or attempt no longer held, and nothing was changed."""
    turn: Turn | None = None
    """What the lane gets next, where it asked."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a delivery and its outcome."""

    at: datetime
    outcome: str | None
    """A word of `relay.deliveries.outcome_word`; None while it is under way."""
    reason: str | None = None
    duration_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Aim:
    """Where a destination's deliveries go now."""

    target: str
    account: str
    channel: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Checked:
    """That a version's checks and tests passed, and what must be the same for that to hold."""

    relay: str
    """Which relay checked it: a digest of its own sources."""
    rules: str
    """A digest of the rules, the files that they name and what they took from the environment."""
    keep: tuple[str, ...] = ()
    """The private content that they keep: what intake needs to know of them."""


@dataclass(frozen=True, slots=True)
class RulesVersion:
    """Rules and templates that were live: `files` maps file names to their texts, as written."""

    version: int
    loaded_at: datetime
    files: Mapping[str, str]
    checked: Checked | None = None
    """Of the newest version, if it was told."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events or deliveries are asked for; None is no condition."""

    state: str | None = None
    kind: str | None = None
    phone: str | None = None
    """E.164."""
    client: str | None = None
    """Id or name, without case."""
    destination: str | None = None
    since: datetime | None = None
    ids: tuple[str, ...] | None = None
    """Ids or unambiguous beginnings of at least 4 characters."""
    limit: int = 100


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
class StoredDelivery:
    """A delivery with its attempts and, once written, its message."""

    delivery: Delivery
    attempts: tuple[Attempt, ...]
    rendered: Mapping[str, Any] | None = None
    """`{"title", "text"}`, and `"payload"` in sandbox mode or when it is dead."""
    created_at: datetime | None = None
    settled_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Lane:
    """The unfinished work of one target."""

    target: str
    account: str
    pending: int
    parked: int
    oldest_due_at: datetime | None
    """Of all of them, also of those that are being sent."""
    next_due_at: datetime | None
    """The soonest due time of a pending delivery."""
    claimed: int = 0
    waiting_since: datetime | None = None
    """Since when the oldest pending or claimed delivery has been tried."""
    first: str | None = None
    """The id of the oldest unfinished delivery."""


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
    unrouted_since: datetime | None = None
    """When the oldest of the unrouted came."""
    ignored: Mapping[str, int] = field(default_factory=dict)
    """Dropped items by cause; see `relay.sources.Ignored`."""


@dataclass(frozen=True, slots=True)
class Alarm:
    """A trouble of the relay itself, told once when it begins and once when it is over."""

    key: str
    began_at: datetime
    text: str


class Journal(Care, Protocol):
    """The verbs that change the store."""

    async def append(
        self, reading: Reading, *, now: datetime, route: str | None = None
    ) -> Appended:
        """Record one webhook whole: events, conflicts, quarantine and tallies.

        `route` is the path that it was posted to.
        """
        ...

    async def tally(self, name: str, *, now: datetime, count: int = 1) -> None:
        """Count something that leaves no other trace, by day."""
        ...

    async def route(
        self, batch: Sequence[Owing], *, now: datetime, idle: Collection[str] = ()
    ) -> Routed:
        """Record what is owed for events, those left out that were routed before.

        Deliveries whose target or account is out of order are stored as parked. With the
        completed event its additions are stored, and what its twin owes a target already is
        suppressed. Lanes of the `idle` targets, which have nothing older that is due, get their
        first delivery claimed at once.
        """
        ...

    async def learn(
        self, contacts: Sequence[Contact], kind: str, *, now: datetime, who: str
    ) -> int:
        """Teach the directory what a person gave; how many facts changed something."""
        ...

    async def post(self, event: Event, owed: Sequence[Delivery], *, now: datetime) -> None:
        """Record an event of the relay's own with its deliveries, routed at once."""
        ...

    async def owe(self, owed: Sequence[Delivery], *, now: datetime) -> int:
        """Record further deliveries of known events (replays); how many were new."""
        ...

    async def claim(self, ask: Ask, *, now: datetime) -> Turn:
        """Claim the next delivery of a lane and open its attempt, before anything is sent."""
        ...

    async def expire(self, held: Collection[str], *, now: datetime) -> int:
        """Settle as lost what was claimed longer than a lease ago, and is none of these; how many.

        `held` are the ids of what this relay's own lanes hold.
        """
        ...

    async def probe(self, target: str, *, now: datetime) -> bool:
        """Put the oldest parked delivery of a target back as pending and due; False if none."""
        ...

    async def settle(
        self, settlement: Settlement, *, now: datetime, then: Ask | None = None
    ) -> Recorded:
        """Record what became of a claimed delivery, if claim and attempt still hold.

        With `then` the lane's next delivery is claimed in the same transaction, also where the
        settlement no longer held.
        """
        ...

    async def aim(self, aims: Mapping[str, Aim], *, now: datetime) -> None:
        """Point unfinished deliveries at where their destinations are now.

        By destination name: target, account and channel follow the destination. Pending ones of
        unknown destinations are parked; parked ones whose destination came back or was edited
        (another fingerprint than their trouble's) are due now, and the trouble ends. Troubles of
        keys that no destination has any more end.
        """
        ...

    async def retry(self, wanted: Filter, *, now: datetime, who: str) -> int:
        """Put dead or parked deliveries back; how many."""
        ...

    async def discard(self, wanted: Filter, *, now: datetime, who: str) -> int:
        """Give up pending, parked or dead deliveries for good; how many."""
        ...

    async def adopt_rules(
        self, files: Mapping[str, str], *, now: datetime, checked: Checked | None = None
    ) -> int:
        """The version number of these files, a new one if they differ from the newest.

        `checked` is kept until the next adoption.
        """
        ...

    async def rewrite_rules(self, rewrite: Callable[[Mapping[str, str]], Mapping[str, str]]) -> int:
        """Replace the files of all versions, once for each journal; how many are others now."""
        ...

    async def raise_alarm(self, key: str, text: str, *, now: datetime) -> bool:
        """Remember an alarm; False if it is on already."""
        ...

    async def clear_alarm(self, key: str) -> bool:
        """Forget an alarm; False if it is not on."""
        ...

    def can_store(self) -> bool:
        """Whether a webhook would be taken now; asks no disk for longer than a moment."""
        ...

    async def broken(self) -> str:
        """Return, with the reason, when nothing can be recorded any more; the process ends then."""
        ...

    async def close(self) -> None:
        """Finish what was asked for and give the store back, its records included."""
        ...


class Records(CareRecords, Protocol):
    """The questions; nothing here changes the store."""

    async def event(self, event_id: str) -> StoredEvent | None:
        """By id, or by a beginning of at least 4 characters that only one event has."""
        ...

    async def events(self, wanted: Filter) -> Sequence[StoredEvent]:
        """Newest last; at most `limit`, the newest ones."""
        ...

    async def unrouted(self, limit: int) -> Sequence[Event]:
        """Events that wait for routing, oldest first."""
        ...

    async def deliveries(self, wanted: Filter) -> Sequence[StoredDelivery]:
        """Newest last; at most `limit`, the newest ones."""
        ...

    async def of_event(self, event_id: str) -> Sequence[StoredDelivery]:
        """All deliveries of one event, in the order of its rules."""
        ...

    async def lanes(self) -> Sequence[Lane]:
        """Every target that has pending, claimed or parked deliveries."""
        ...

    async def dead(self) -> Sequence[Dead]:
        """What was given up, the relay's own alarms left out, by destination."""
        ...

    async def troubles(self) -> Sequence[Trouble]:
        """What is out of order."""
        ...

    async def alarms(self) -> Sequence[Alarm]:
        """What is on."""
        ...

    async def status(self, *, now: datetime) -> Status:
        """The counts."""
        ...

    async def known_for(self, events: Sequence[Event]) -> Facts:
        """All facts of the directory that may complete these events."""
        ...

    async def directory(self, search: str | None = None, limit: int = 100) -> Sequence[Entry]:
        """The numbers that a search finds, by number; at most `limit`.

        A search is a part of a number, or of a name or an id without case.
        """
        ...

    async def rules(self, version: int | None = None) -> RulesVersion | None:
        """A rules version; None: the newest."""
        ...

    async def close(self) -> None:
        """Give the connections back; for records that were opened without a journal."""
        ...


@dataclass(frozen=True, slots=True)
class Store:
    """An open journal with its records."""

    journal: Journal
    records: Records
    recovered: int = field(default=0)
    """Deliveries whose driver was lost before this opening."""
    unclean: bool = False
    """The last relay did not close it: worth a look at every page."""
    key: bytes = field(default=b"", repr=False)
    """A random key of this journal's own, for the fingerprints that it keeps."""
