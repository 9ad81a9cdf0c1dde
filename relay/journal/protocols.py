"""The verbs that change the store, and the store as it is opened.

Every verb returns only when its change is on disk. Moments are aware datetimes in UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from relay.deliveries import Delivery
from relay.directory import Contact
from relay.events import Event
from relay.journal.care import START, Forgotten, Mark, Pruned, Quarantined
from relay.journal.records import Records
from relay.journal.values import (
    Aim,
    Appended,
    Ask,
    Checked,
    Filter,
    Owing,
    Recorded,
    Routed,
    Settlement,
    Turn,
)
from relay.quiet import Silence
from relay.sources import Reading
from relay.sources.watch import Changes, Seen


class Journal(Protocol):
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
        completed event its additions are stored. What its twin owes a target already is
        suppressed, and what a silence covers, which stays on record with it. Lanes of the `idle`
        targets, which have nothing older that is due, get their first delivery claimed at once.
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

    async def owe(self, owed: Sequence[Delivery], *, now: datetime, who: str = "") -> int:
        """Record further deliveries of known events, replays by somebody; how many were new."""
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

    async def aim(
        self, aims: Mapping[str, Aim], *, now: datetime, version: int | None = None
    ) -> None:
        """Point unfinished deliveries at where their destinations are now.

        The aims belong to a version of the rules: those of an older one than was adopted last
        change nothing, so that two relays with different files never move each other's work.

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

    async def hold(self, due: Mapping[str, datetime]) -> None:
        """Hold deliveries that are held, by their ids, until other moments."""
        ...

    async def release(self, ids: Sequence[str], *, now: datetime) -> int:
        """Put held deliveries back, each by itself; how many."""
        ...

    async def gather(
        self, event: Event, digest: Delivery, ids: Sequence[str], *, now: datetime
    ) -> bool:
        """Fix the members of a digest, and record it with the event of the relay's own that it is.

        What becomes of it becomes of them. False, and nothing is recorded, if one of them is held
        no more or stands in another digest.
        """
        ...

    async def begin_silence(self, silence: Silence) -> Silence:
        """From now on nobody is told of what it covers; the same with its id."""
        ...

    async def end_silence(
        self, silence_id: str, *, now: datetime, who: str | None = None
    ) -> Silence | None:
        """End a silence, by hand where `who` does; None if there is none that is on."""
        ...

    async def tell_silence(
        self, silence_id: str, told: Sequence[tuple[Event, Delivery]], *, now: datetime
    ) -> bool:
        """Record that the end of a silence is told, with the events of the relay's own that do.

        False, and nothing is recorded, if that was done before.
        """
        ...

    async def fall_back(
        self, owed: Sequence[tuple[str, Event, Delivery]], *, now: datetime
    ) -> Set[str]:
        """Record what is owed in the place of late deliveries, by their ids; to which targets.

        Each falls back once, and only while it is unfinished; it stays owed itself. A target that
        is owed the event anyway gets nothing more.
        """
        ...

    async def adopt_rules(
        self,
        files: Mapping[str, str],
        *,
        now: datetime,
        checked: Checked | None = None,
        who: str = "",
    ) -> int:
        """The version number of these files, a new one if they differ from the newest.

        `checked` is kept until the next adoption. `who` made them live; empty where they were
        saved, and nobody asked for it by name.
        """
        ...

    async def rewrite_rules(self, rewrite: Callable[[Mapping[str, str]], Mapping[str, str]]) -> int:
        """Replace the files of all versions, once for each journal; how many are others now."""
        ...

    async def raise_alarm(self, key: str, text: str, *, now: datetime) -> bool:
        """Remember an alarm; False if it is on already."""
        ...

    async def remember(self, name: str, text: str) -> None:
        """Keep a text of the relay's own under a name, in the place of what stood there."""
        ...

    async def clear_alarm(self, key: str) -> bool:
        """Forget an alarm; False if it is not on."""
        ...

    async def prune(self, *, now: datetime, keep: timedelta | None, after: Mark = START) -> Pruned:
        """One step of retention: remove at most 500 rows of finished work older than `keep`.

        None keeps all but the bodies in quarantine. Go on with the answer's `next`.
        """
        ...

    async def forget(
        self, phone: str, *, now: datetime, who: str, discard: bool = False
    ) -> Forgotten:
        """Erase what is known of a number in E.164, its aliases included.

        The rows stay, so that the balance does. With `discard` unfinished deliveries of its
        events are given up.
        """
        ...

    async def look_at(self, item: int, *, now: datetime, who: str) -> Quarantined | None:
        """One item of quarantine with its body; that somebody looked is recorded."""
        ...

    async def watch(self, look: Sequence[Seen], *, now: datetime, period: timedelta) -> Changes:
        """Record a complete look at 360dialog's list with the events that it makes, in one step.

        `period` is the time until the next one.
        """
        ...

    async def watch_failed(self, reason: str) -> int:
        """Record that a look failed, which changes nothing else; how many did so in a row."""
        ...

    def leads(self) -> bool:
        """Whether this relay delivers, and does what is done once; always where it is alone."""
        ...

    async def lead(self, *, now: datetime) -> int | None:
        """Lead from now on, if no relay that lives does; how many deliveries the last one lost.

        None where another leads, or this one did already. What dead relays left is cleared away.
        """
        ...

    async def note_rules(self, version: int, waits: Sequence[str]) -> None:
        """Tell those who look on by which rules this relay goes, and which files say otherwise."""
        ...

    async def news(self) -> Set[str]:
        """Wait for what a relay that shares its journal should know, and answer in words.

        `work`: something is due; `changed`: aims, troubles, silences or rules are others; `vacant`:
        none leads; `left`: a relay that took webhooks ended; `lost`: the store cannot be reached;
        `back`: it can be again.
        """
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


@dataclass(frozen=True, slots=True)
class Store:
    """An open journal with its records."""

    journal: Journal
    records: Records
    recovered: int = field(default=0)
    """Deliveries whose driver was lost before this opening."""
    weaknesses: tuple[str, ...] = ()
    """Settings of a database by which it may lose what it acknowledged, in words."""
    unclean: bool = False
    """The last relay did not close it: worth a look at every page."""
    key: bytes = field(default=b"", repr=False)
    """A random key of this journal's own, for the fingerprints that it keeps."""
