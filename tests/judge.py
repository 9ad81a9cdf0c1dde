"""The judge: compares what was acknowledged, what the journal holds and what targets received.

It knows nothing of how a relay works inside, only what it promises. Each broken promise has a
name here, and `tests/journal/test_judge.py` breaks each and asks whether it is called by that name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from relay.deliveries import Cause, State
from relay.events import Source
from relay.journal import EventState, Filter, Records, Status, StoredDelivery, StoredEvent

ALL = 1_000_000


class Violation(StrEnum):
    """A broken promise."""

    LOST = "an acknowledged event is not in the journal"
    UNROUTED = "at rest, an event waits for its routing"
    WRONGLY_OWED = "an event is owed to others than the rules say"
    STUCK = "at rest, a delivery has no final state"
    UNEXPLAINED = "a delivery does not say why it is where it is"
    OPEN_ATTEMPT = "an attempt has no outcome, though nobody drives its delivery"
    LEFT_A_FINAL_STATE = "a delivery left a state that is final"
    UNDELIVERED = "a delivery counts as delivered and was never received"
    REPEATED = "a target received a delivery more often than its attempts admit"
    NOT_SAID_TO_BE_AMBIGUOUS = "a delivery may have been posted and does not say so"
    INVENTED = "a target received what the journal does not know"
    UNBALANCED = "the counts do not add up to the rows"


@dataclass(frozen=True, slots=True)
class Finding:
    """A violation with what it is about."""

    violation: Violation
    about: str


@dataclass(frozen=True, slots=True)
class Ledgers:
    """The three ledgers at one moment."""

    acknowledged: Set[str]
    """Ids of the events that a sender was told are stored."""
    received: Mapping[str, int]
    """How often a target received a delivery, by its id."""
    events: Sequence[StoredEvent]
    deliveries: Sequence[StoredDelivery]
    status: Status

    @classmethod
    async def read(
        cls,
        records: Records,
        *,
        acknowledged: Set[str],
        received: Mapping[str, int],
        now: datetime,
    ) -> Ledgers:
        """With all that the journal holds."""
        events = await records.events(Filter(limit=ALL))
        deliveries = await records.deliveries(Filter(limit=ALL))
        status = await records.status(now=now)
        return cls(frozenset(acknowledged), dict(received), events, deliveries, status)


Owed = Callable[[StoredEvent], Set[str]]
"""The destinations that a routed event is owed, by the judge's own understanding of the rules."""

_PERHAPS = frozenset({"ambiguous", "lost", "interrupted"})
"""Outcomes after which a message may or may not have been posted."""
_FINAL = frozenset({State.DELIVERED, State.SUPPRESSED})
_NEEDS_REASON = frozenset({State.DEAD, State.SUPPRESSED, State.PARKED})


@dataclass
class Judge:
    """Looks again and again at one relay's ledgers, over all its crashes and restarts."""

    owed: Owed | None = None
    _finals: dict[str, State] = field(default_factory=dict)

    def look(self, ledgers: Ledgers, *, at_rest: bool = False) -> list[Finding]:
        """Every broken promise; `at_rest` when all targets work and there was time enough."""
        found: list[Finding] = []
        stored = {one.event.id: one for one in ledgers.events}
        owing: dict[str, list[StoredDelivery]] = {}
        for one in ledgers.deliveries:
            owing.setdefault(one.delivery.event_id, []).append(one)
        found += [Finding(Violation.LOST, one) for one in ledgers.acknowledged - stored.keys()]
        for event in stored.values():
            found += self._event(event, owing.get(event.event.id, []), at_rest)
        for delivery in ledgers.deliveries:
            times = ledgers.received.get(delivery.delivery.id, 0)
            found += self._delivery(delivery, times, at_rest)
        known = {one.delivery.id for one in ledgers.deliveries}
        found += [Finding(Violation.INVENTED, one) for one in ledgers.received.keys() - known]
        found += _balance(ledgers)
        return found

    def _event(
        self, stored: StoredEvent, owing: Sequence[StoredDelivery], at_rest: bool
    ) -> list[Finding]:
        if stored.event.source is Source.RELAY:
            return []
        about = f"{stored.event.kind} {stored.event.id} is {stored.state}"
        if stored.state is EventState.RECEIVED:
            found = [Finding(Violation.UNROUTED, about)] if at_rest else []
            return found + [Finding(Violation.WRONGLY_OWED, about)] * bool(owing)
        routed = [
            one.delivery for one in owing if one.delivery.cause in (Cause.RULE, Cause.DEFAULT)
        ]
        names = Counter(one.destination for one in routed)
        wanted = self.owed(stored) if self.owed else names.keys()
        right = names == Counter(wanted) and bool(names) == (stored.state is EventState.ROUTED)
        return [] if right else [Finding(Violation.WRONGLY_OWED, f"{about}, to {dict(names)}")]

    def _delivery(self, stored: StoredDelivery, received: int, at_rest: bool) -> list[Finding]:
        found = []
        one = stored.delivery
        outcomes = Counter(attempt.outcome for attempt in stored.attempts)
        about = f"{one.id} to {one.destination} is {one.state} after {dict(outcomes)}, {received}x"

        def say(violation: Violation) -> None:
            found.append(Finding(violation, about))

        if at_rest and one.state in (State.PENDING, State.CLAIMED, State.PARKED):
            say(Violation.STUCK)
        if (one.state in _NEEDS_REASON and not one.reason) or (
            one.state is State.DELIVERED and one.proof is None
        ):
            say(Violation.UNEXPLAINED)
        if one.state is not State.CLAIMED and outcomes[None]:
            say(Violation.OPEN_ATTEMPT)
        before = self._finals.get(one.id, one.state)
        if before is not one.state:
            say(Violation.LEFT_A_FINAL_STATE)
        if one.state in _FINAL:
            self._finals[one.id] = one.state
        if one.state is State.DELIVERED and not received:
            say(Violation.UNDELIVERED)
        perhaps = sum(outcomes[word] for word in _PERHAPS)
        under_way = outcomes[None]
        if received > outcomes["sent"] + perhaps + under_way or outcomes["sent"] > 1:
            say(Violation.REPEATED)
        if perhaps and not one.ambiguous:
            say(Violation.NOT_SAID_TO_BE_AMBIGUOUS)
        return found


def _balance(ledgers: Ledgers) -> list[Finding]:
    """The counts that the journal keeps, against the rows and against each other."""
    events = Counter(
        str(one.state) for one in ledgers.events if one.event.source is not Source.RELAY
    )
    deliveries = Counter(str(one.delivery.state) for one in ledgers.deliveries)
    said = ledgers.status.events
    rows = {
        "received": sum(events.values()),
        "unrouted": events[EventState.RECEIVED],
        "unmatched": events[EventState.UNMATCHED],
        "muted": events[EventState.MUTED],
        "routed": events[EventState.ROUTED],
    }
    found = [
        Finding(Violation.UNBALANCED, f"{name}: {said[name]} counted, {count} found")
        for name, count in rows.items()
        if said[name] != count
    ]
    found += [
        Finding(Violation.UNBALANCED, f"{state}: {count} counted, {deliveries[state]} found")
        for state, count in ledgers.status.deliveries.items()
        if count != deliveries[state]
    ]
    if said["received"] != said["unrouted"] + said["unmatched"] + said["muted"] + said["routed"]:
        found.append(Finding(Violation.UNBALANCED, f"events: {dict(said)}"))
    return found
