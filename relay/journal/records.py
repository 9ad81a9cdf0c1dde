"""The questions of the store; nothing here changes it. Moments are aware datetimes in UTC."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from relay.deliveries import Delivery
from relay.directory import Entry, Facts
from relay.events import Event
from relay.journal.answers import (
    Alarm,
    Audited,
    Dead,
    Held,
    Holding,
    Hour,
    Lane,
    Late,
    Past,
    Relay,
    Silenced,
    Status,
    Stopped,
    StoredDelivery,
    StoredEvent,
    WatchState,
)
from relay.journal.balance import Balance
from relay.journal.care import Quarantined
from relay.journal.values import (
    Attempt,
    Filter,
    RulesVersion,
    Trouble,
)
from relay.quiet import Silence
from relay.sources.watch import Watched


class Records(Protocol):
    """The questions; nothing here changes the store."""

    async def event(self, event_id: str) -> StoredEvent | None:
        """By id, or by a beginning of at least 4 characters that only one event has."""
        ...

    async def events(self, wanted: Filter) -> Sequence[StoredEvent]:
        """Newest last; at most `limit`, the newest ones."""
        ...

    async def places(self, wanted: Filter) -> Sequence[int]:
        """Where all events stand that a filter finds, oldest first, the relay's own left out.

        Whoever goes through very many asks for their places once, and with `past` for some at a
        time; `limit` means nothing here.
        """
        ...

    async def past(self, at: Sequence[int]) -> Sequence[Past]:
        """The events at some hundred places, oldest first; those that are gone are left out."""
        ...

    async def unrouted(self, limit: int) -> Sequence[Event]:
        """Events that wait for routing, oldest first."""
        ...

    async def deliveries(self, wanted: Filter) -> Sequence[StoredDelivery]:
        """Newest last; at most `limit`, the newest ones."""
        ...

    async def count_events(self, wanted: Filter) -> int:
        """How many events there are, counted up to `limit`."""
        ...

    async def count_deliveries(self, wanted: Filter) -> int:
        """How many deliveries there are, counted up to `limit`."""
        ...

    async def stopped(self) -> Sequence[Stopped]:
        """What was given up or is parked, by reason and destination."""
        ...

    async def of_event(self, event_id: str) -> Sequence[StoredDelivery]:
        """All deliveries of one event, in the order of its rules."""
        ...

    async def owed(self, event_ids: Sequence[str]) -> Sequence[Delivery]:
        """The same of at most some hundred events, without their attempts and messages."""
        ...

    async def lanes(self) -> Sequence[Lane]:
        """Every target that has pending, claimed or parked deliveries."""
        ...

    async def dead(self) -> Sequence[Dead]:
        """What was given up, the relay's own alarms left out, by destination."""
        ...

    async def late(self, destinations: Collection[str]) -> Sequence[Late]:
        """What is unfinished at destinations and may come to owe a fallback.

        Of each destination and state those that first became due, some at a time.
        """
        ...

    async def troubles(self) -> Sequence[Trouble]:
        """What is out of order."""
        ...

    async def held(self, *, until: datetime | None = None) -> Sequence[Held]:
        """What is held and in no digest, lane by lane; due until a moment, or all of it."""
        ...

    async def holding(self) -> Mapping[str, Holding]:
        """How much is held for each destination."""
        ...

    async def silences(
        self, *, since: datetime | None = None, silence_id: str | None = None
    ) -> Sequence[Silenced]:
        """Silences with what they suppressed, by their beginning.

        Those that are on, and those that were over since a moment, or ever; or one by its id.
        """
        ...

    async def untold_silences(self) -> Sequence[Silence]:
        """Those whose end was not told yet; all that are on are among them."""
        ...

    async def alarms(self) -> Sequence[Alarm]:
        """What is on."""
        ...

    async def recalled(self, name: str) -> str | None:
        """What was remembered under a name."""
        ...

    async def answers(
        self, targets: Mapping[str, str], count: int
    ) -> Mapping[str, Sequence[Attempt]]:
        """The last tries of destinations (by name, with their targets) that ended, newest first."""
        ...

    async def heard(self, after: int) -> tuple[int, Mapping[str, datetime]]:
        """The newest event's place in the journal, and when each source last spoke after a place.

        A source that said nothing after it is left out.
        """
        ...

    async def status(self, *, now: datetime) -> Status:
        """The counts."""
        ...

    async def hours(self, *, now: datetime) -> Sequence[Hour]:
        """The hours of the last day in which anything happened, oldest first."""
        ...

    async def watch_state(self) -> WatchState:
        """When 360dialog's list was last read whole."""
        ...

    async def watched(self) -> Mapping[str, Watched]:
        """What is known of each number since then, by its key."""
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

    async def relays(self) -> Sequence[Relay]:
        """The relays that share the journal and live, by name; none where it cannot be shared."""
        ...

    async def version_of(self, files: Mapping[str, str]) -> int | None:
        """The newest version that had exactly these files."""
        ...

    async def balance(self, since: datetime | None = None) -> Balance:
        """What came in against what became of it, day by day, from that of `since` on."""
        ...

    async def audit(self, before: int | None = None, limit: int = 100) -> Sequence[Audited]:
        """What people did, newest first; at most `limit`, those before an id."""
        ...

    async def quarantined(
        self, since: datetime | None = None, limit: int = 100
    ) -> Sequence[Quarantined]:
        """What could not be read, without bodies, newest last; at most `limit`."""
        ...

    async def close(self) -> None:
        """Give the connections back; for records that were opened without a journal."""
        ...
