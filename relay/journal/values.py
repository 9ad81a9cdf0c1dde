"""What the verbs of the store take and answer, and what is asked for: values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from relay.deliveries import Delivery
from relay.directory import Completed
from relay.events import Event
from relay.incidents import Living, Updates, View
from relay.outcomes import Scope


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
    incident_key: str | None = None
    """Of the matter that it is about, if it is one that incidents are made of."""
    updates: Mapping[str, Updates] = field(default_factory=dict)
    """How each destination is told of a change of an incident."""


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
    incident: View | None = None
    """How the incident stands that it is owed for."""


@dataclass(frozen=True, slots=True)
class Routed:
    """What came of a batch of routings."""

    events: frozenset[str]
    """The ids of those that had not been routed before."""
    claimed: Mapping[str, Claimed]
    """For idle lanes, by target."""
    suppressed: Mapping[str, Delivery] = field(default_factory=dict)
    """By their ids: those that nobody is told of, as a twin is or a silence covers them."""
    beside: frozenset[str] = frozenset()
    """Targets that are owed something which no rule sends there."""

    def kept(self, routing: Routing) -> Routing:
        """A routing of the batch with its deliveries as they were recorded."""
        if not self.suppressed:
            return routing
        owed = tuple(self.suppressed.get(one.id, one) for one in routing.deliveries)
        return replace(routing, deliveries=owed)


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
    living: Living | None = None
    """What its target shows of an incident from now on."""
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
    falls_back: bool = False
    """It has a fallback."""


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
    who: str = ""
    """Who made it live; empty where a saved file did."""


SEARCHED = 100_000
"""Rows that a search without an index goes through."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events or deliveries are asked for; None is no condition."""

    state: str | None = None
    kind: str | None = None
    phone: str | None = None
    """E.164, or a beginning of it such as `+49*`."""
    client: str | None = None
    """Id or name, without case. In it and in `kind` `*` and `?` are wildcards."""
    destination: str | None = None
    since: datetime | None = None
    text: str | None = None
    """What a person has in hand: part of a number, a name, an id or a reason. Ids, numbers and
    clients are looked up in all rows, reasons in all that is dead or parked; other words are read
    since `since`, else in the newest `SEARCHED` rows."""
    until: datetime | None = None
    """Before this moment."""
    ids: tuple[str, ...] | None = None
    """Ids or unambiguous beginnings of at least 4 characters."""
    reason: str | None = None
    """The whole reason of a delivery; empty where it has none."""
    before: str | None = None
    """Only what was recorded before the one with this whole id: the next page."""
    within: int | None = None
    """Only so many of the newest rows are looked through."""
    limit: int = 100
