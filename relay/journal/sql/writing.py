"""What the verbs and questions need of a connection, and the books of the one that writes.

What few rows say (the aims of destinations, the troubles) is read once and then kept. A transaction
that is taken back takes this knowledge with it, and so does a change by another relay.
"""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Protocol

from relay.deliveries import State
from relay.events import Event
from relay.journal import Aim
from relay.outcomes import Scope
from relay.quiet import Silence

MOST_EVENTS = 1_000
"""Events that are kept, so that who took them need not read them again."""

_TAKEN = (
    "INSERT INTO taken VALUES (?, ?, ?)"
    " ON CONFLICT (day, noun) DO UPDATE SET count = taken.count + excluded.count"
)
_LEDGER = (
    "INSERT INTO ledger VALUES (?, ?, ?, ?, 0)"
    " ON CONFLICT (day, noun, state) DO UPDATE SET count = ledger.count + excluded.count"
)

Troubles = Mapping[tuple[Scope, str], str]


class HurriedError(Exception):
    """What was asked for may take long, and whoever asked has no time."""


class Result(Protocol):
    """The rows of a statement."""

    @property
    def get(self) -> Any:
        """The only value of a single row; None where there is no row."""

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All that are left."""

    def __iter__(self) -> Iterator[tuple[Any, ...]]: ...


class Connection(Protocol):
    """A connection within a transaction. Parameters are `?` with a sequence, `:name` with a dict.

    An engine may put a statement off until a result is asked for, or the commit.
    """

    def execute(self, statements: str, bindings: Any = None, /) -> Result:
        """Run a statement."""
        ...

    def executemany(self, statements: str, sequenceofbindings: Iterable[Any], /) -> object:
        """Run a statement once for each of its parameters."""
        ...

    def changes(self) -> int:
        """Rows that the last INSERT, UPDATE or DELETE changed."""
        ...

    def total_changes(self) -> int:
        """Rows that were ever changed by this connection."""
        ...


class Writing(Connection):
    """A connection that writes, used by one thread alone; an engine mixes its own into it."""

    def __init__(self) -> None:
        self._taken: defaultdict[tuple[int, str], int] = defaultdict(int)
        self._moved: defaultdict[tuple[int, str, str], int] = defaultdict(int)
        self._aims: dict[str, Aim] | None = None
        self._troubles: dict[tuple[Scope, str], str] | None = None
        self.silences: tuple[Silence, ...] | None = None
        """Those that are not over; None: they are to be read."""
        self._events: dict[str, Event] = {}
        self.leads = True
        """This relay delivers; where several share a journal, one of them does."""
        self.is_hurried = False
        """What may take long is not to be done now."""

    @abstractmethod
    def insert(self, sql: str, parameters: Any, key: str = "seq") -> int | None:
        """Run an INSERT of one row; the number it got in the column `key`, None if it was none."""

    @abstractmethod
    def give_back_space(self) -> int:
        """Give some of the space back that nothing uses any more; how many pages."""

    def rows(self, sql: str, parameters: Any = ()) -> list[tuple[Any, ...]]:
        """All rows of a statement, which is over with it."""
        return self.execute(sql, parameters).fetchall()

    def each(self, sql: str, many: Iterable[Any]) -> list[list[tuple[Any, ...]]]:
        """The rows of a statement for each of its parameters."""
        return [self.rows(sql, parameters) for parameters in many]

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
        self.forget_known()

    def changed(self) -> None:
        """What is kept of the aims, troubles, silences or events is no longer what the rows say."""
        self.forget_known()

    def forget_known(self) -> None:
        """Read all that is kept of rows anew when it is asked for next."""
        self._aims = self._troubles = self.silences = None
        self._events.clear()

    @property
    def aims(self) -> Mapping[str, Aim]:
        """Where destinations are, by name."""
        if self._aims is None:
            self._aims = {
                name: Aim(target, account, channel, fingerprint, bool(falls_back))
                for name, target, account, channel, fingerprint, falls_back in self.execute(
                    "SELECT destination, target, account, channel, fingerprint, falls_back"
                    " FROM aims"
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

    def keep(self, events: Iterable[Event]) -> None:
        """Keep these as they were routed; the oldest make room."""
        for event in events:
            self._events[event.id] = event
        while len(self._events) > MOST_EVENTS:
            del self._events[next(iter(self._events))]

    def kept(self, event_id: str) -> Event | None:
        """A kept event."""
        return self._events.get(event_id)


def noun_of(own: int) -> str:
    """How the ledger calls deliveries: `own` are those of alarms and tests."""
    return "own" if own else "deliveries"
