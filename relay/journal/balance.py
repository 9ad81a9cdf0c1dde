"""The balance: what came in, against what has become of it, day by day.

Three accounts are kept apart so that they can contradict each other: what was taken in, counted
once at the insertion; the ledger, which follows every change of state; and the rows themselves,
counted anew for each balance. Where retention removed rows, the ledger keeps their number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

EVENT_STATES = {
    "received": "unrouted",
    "unmatched": "unmatched",
    "muted": "muted",
    "routed": "routed",
}
"""How the journal's states of an event are called in the balance, in its order."""
DELIVERY_STATES = ("pending", "held", "claimed", "delivered", "parked", "dead", "suppressed")
TALLIES = ("quarantined", "duplicate", "ignored", "refused")


@dataclass(frozen=True, slots=True)
class Account:
    """The three accounts of one noun on one day."""

    taken: int = 0
    ledger: Mapping[str, int] = field(default_factory=dict)
    closed: Mapping[str, int] = field(default_factory=dict)
    """Of the ledger's: those that retention removed."""
    rows: Mapping[str, int] = field(default_factory=dict)

    def by_state(self) -> dict[str, int]:
        """What has become of them: the rows, and those that retention removed."""
        states = dict.fromkeys((*self.rows, *self.closed))
        return {state: self.rows.get(state, 0) + self.closed.get(state, 0) for state in states}

    def faults(self, noun: str) -> list[str]:
        """What does not balance, in words; empty if all does."""
        found = []
        now = self.by_state()
        total = sum(now.values())
        if self.taken != total:
            found.append(f"{self.taken} {noun} came in and {total} are accounted for")
        for state in sorted({*now, *self.ledger}):
            counted, there = self.ledger.get(state, 0), now.get(state, 0)
            if counted != there:
                found.append(f"{counted} {noun} are counted as {state} and {there} are there")
        return found


@dataclass(frozen=True, slots=True)
class Day:
    """One line of the balance, or the total of all."""

    day: date | None
    """UTC, by the receipt of the events; None: the total."""
    received: int
    events: Mapping[str, int]
    """By state, in the balance's words; `unrouted` to `routed` are always there."""
    owed: int
    deliveries: Mapping[str, int]
    """Of these events, by state; the contract's six are always there."""
    own: int
    """Deliveries of the relay's alarms and tests, which stand beside the balance."""
    tallies: Mapping[str, int]
    faults: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        day: date,
        events: Account,
        deliveries: Account,
        own: Account,
        tallies: Mapping[str, int],
    ) -> Day:
        """The line of one day, with everything that does not balance."""
        named = {EVENT_STATES.get(state, state): n for state, n in events.by_state().items()}
        faults = events.faults("events")
        faults += [
            f"{count} events are {state}, which is no state of an event"
            for state, count in named.items()
            if count and state not in EVENT_STATES.values()
        ]
        faults += deliveries.faults("deliveries")
        faults += own.faults("deliveries of alarms and tests")
        return cls(
            day=day,
            received=events.taken,
            events=dict.fromkeys(EVENT_STATES.values(), 0) | named,
            owed=deliveries.taken,
            deliveries=dict.fromkeys(DELIVERY_STATES, 0) | deliveries.by_state(),
            own=own.taken,
            tallies=dict.fromkeys(TALLIES, 0) | dict(tallies),
            faults=tuple(faults),
        )


@dataclass(frozen=True, slots=True)
class Balance:
    """All days, oldest first, all read from one moment of the journal."""

    days: Sequence[Day]

    @property
    def balanced(self) -> bool:
        return not self.faults

    @property
    def faults(self) -> list[str]:
        """Every fault with its day."""
        return [f"{day.day}: {fault}" for day in self.days for fault in day.faults]

    def total(self) -> Day:
        """The sum of all days; its faults are those of the days."""
        return Day(
            day=None,
            received=sum(day.received for day in self.days),
            events=_sum(dict.fromkeys(EVENT_STATES.values(), 0), [d.events for d in self.days]),
            owed=sum(day.owed for day in self.days),
            deliveries=_sum(dict.fromkeys(DELIVERY_STATES, 0), [d.deliveries for d in self.days]),
            own=sum(day.own for day in self.days),
            tallies=_sum(dict.fromkeys(TALLIES, 0), [d.tallies for d in self.days]),
            faults=tuple(self.faults),
        )


def _sum(start: dict[str, int], counts: Sequence[Mapping[str, int]]) -> dict[str, int]:
    for one in counts:
        for state, count in one.items():
            start[state] = start.get(state, 0) + count
    return start
