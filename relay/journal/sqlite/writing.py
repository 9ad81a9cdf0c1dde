"""The connection that writes, with what its one thread knows by heart and books beside the rows.

One process owns the file, so what few rows say (the aims of destinations, the troubles) is read
once and then kept. A transaction that is taken back takes this knowledge with it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import apsw

from relay.deliveries import State
from relay.events import Event
from relay.journal import Aim
from relay.outcomes import Scope
from relay.quiet import Silence

MOST_EVENTS = 1_000
"""Events that are kept, so that who took them need not read them again."""

_TAKEN = (
    "INSERT INTO taken VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count"
)
_LEDGER = (
    "INSERT INTO ledger VALUES (?, ?, ?, ?, 0)"
    " ON CONFLICT DO UPDATE SET count = count + excluded.count"
)

Troubles = Mapping[tuple[Scope, str], str]


class HurriedError(Exception):
    """What was asked for may take long, and whoever asked has no time."""


class Writing(apsw.Connection):
    """A connection of the writer's thread, used by no other."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._taken: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._moved: defaultdict[tuple[int, str, str], int] = defaultdict(int)
        self._aims: dict[str, Aim] | None = None
        self._troubles: dict[tuple[Scope, str], str] | None = None
        self.silences: tuple[Silence, ...] | None = None
        """Those that are not over; None: they are to be read."""
        self._events: dict[str, Event] = {}
        self.is_hurried = False
        """What may take long is not to be done now."""

    def rows(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement, which is over with it."""
        return self.execute(sql, parameters).fetchall()

    def take(self, day: int, noun: str, state: str) -> None:
        """Count one that came in, in its first state; `noun` is one of the ledger's."""
        self._taken[day, noun] += 1
        self._moved[day, noun, state] += 1

    def move(self, day: int, noun: str, before: str, after: str) -> None:
        """Count that one has another state now."""
        self._moved[day, noun, before] -= 1
        self._moved[day, noun, after] += 1

    def move_all(
        self, before: State, after: State, sql: str, parameters: Mapping[str, Any] | tuple[Any, ...]
    ) -> int:
        """Run an UPDATE of deliveries from one state to another, counted; how many there were.

        There may be very many. Raises `HurriedError`.
        """
        if self.is_hurried:
            raise HurriedError
        rows = self.rows(f"{sql} RETURNING day, own", parameters)
        for day, own in rows:
            self.move(day, noun_of(own), before, after)
        return len(rows)

    def book(self) -> None:
        """Write down what was counted since the last time, before the commit."""
        if self._taken:
            self.executemany(_TAKEN, [(*key, count) for key, count in self._taken.items()])
            self._taken.clear()
        moved = [(*key, count) for key, count in self._moved.items() if count]
        if moved:
            self.executemany(_LEDGER, moved)
        self._moved.clear()

    def take_back(self) -> None:
        """The transaction came to nothing: forget what was counted and what it may have changed."""
        self._taken.clear()
        self._moved.clear()
        self._aims = self._troubles = self.silences = None
        self._events.clear()

    @property
    def aims(self) -> Mapping[str, Aim]:
        """Where destinations are, by name."""
        if self._aims is None:
            self._aims = {
                name: Aim(*values)
                for name, *values in self.execute(
                    "SELECT destination, target, account, channel, fingerprint FROM aims"
                )
            }
        return self._aims

    @property
    def troubles(self) -> Troubles:
        """The reasons of all troubles, by what they are about."""
        if self._troubles is None:
            self._troubles = {
                (Scope(scope), key): reason
                for scope, key, reason in self.execute("SELECT scope, key, reason FROM troubles")
            }
        return self._troubles

    def changed_troubles(self, *, aims: bool = False) -> None:
        """Read the troubles anew when they are asked for next; with `aims` these too."""
        self._troubles = None
        if aims:
            self._aims = None

    def keep(self, events: Iterable[Event]) -> None:
        """Keep these as they were routed; the oldest make room."""
        for event in events:
            self._events[event.id] = event
        while len(self._events) > MOST_EVENTS:
            del self._events[next(iter(self._events))]

    def kept(self, event_id: str) -> Event | None:
        """A kept event."""
        return self._events.get(event_id)

    def forget_events(self) -> None:
        """Keep none of them: something is erased from one."""
        self._events.clear()


def noun_of(own: int) -> str:
    """How the ledger calls deliveries: `own` are those of alarms and tests."""
    return "own" if own else "deliveries"
