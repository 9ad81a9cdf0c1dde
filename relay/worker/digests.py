"""Ends what is held: one message for several, at the time that its destination says.

Which deliveries a digest tells is fixed in one transaction, before anything of it is sent. What is
alone, and what changes a message that its target shows, goes out by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import groupby

from relay import failpoints, logs
from relay.channels import Destination
from relay.deliveries import Cause
from relay.events import Direction, Event, Severity, Source, Topic, event_id
from relay.failpoints import Failpoint
from relay.journal import Held, Store
from relay.messages.filters import show_moment
from relay.messages.languages import Voice
from relay.messages.told import who
from relay.messages.words import phrase, title
from relay.pipeline import Plan, held_until, owe
from relay.text import one_line

KIND = "relay_digest"
MOST_LINES = 30
"""Of a digest; what is more is counted."""
MOST_IDS = 5
"""Of one line that counts."""


class Digests:
    """Looks at what is held."""

    def __init__(
        self,
        store: Store,
        *,
        plan: Callable[[], Plan],
        clock: Callable[[], datetime],
        wake: Callable[[list[str]], None],
    ) -> None:
        self._store = store
        self._plan = plan
        self._clock = clock
        self._wake = wake

    async def adopt(self, plan: Plan) -> None:
        """Hold what is held until the moments that these rules say, if this relay leads."""
        if not self._store.journal.leads():
            return
        now = self._clock()
        due: dict[str, datetime] = {}
        free: list[str] = []
        for one in await self._store.records.held():
            until = held_until(one.delivery.destination, plan, one.created_at)
            if until is None:
                free.append(one.delivery.id)
            elif until != one.delivery.due_at:
                due[one.delivery.id] = until
        if due:
            await self._store.journal.hold(due)
        if free:
            await self._store.journal.release(free, now=now)

    async def look(self) -> None:
        """Let go what is due, lane by lane."""
        found = await self._store.records.held(until=self._clock())
        for target, held in groupby(found, lambda one: one.delivery.target):
            await self._let_go(target, list(held))

    async def _let_go(self, target: str, held: Sequence[Held]) -> None:
        plan, now = self._plan(), self._clock()
        destination = plan.destinations.get(held[0].delivery.destination)
        told = [one for one in held if not one.is_living]
        if destination is None or len(told) < 2:
            told = []
        alone = [one.delivery.id for one in held if one not in told]
        if told and destination is not None:
            event = _digest(told, destination, plan, now)
            delivery = owe(event, destination, cause=Cause.DIGEST, now=now, version=plan.version)
            ids = [one.delivery.id for one in told]
            failpoints.reach(Failpoint.BEFORE_GATHER)
            if await self._store.journal.gather(event, delivery, ids, now=now):
                logs.info("digest", delivery_id=delivery.id, destination=destination.name)
            failpoints.reach(Failpoint.AFTER_GATHER)
        if alone:
            await self._store.journal.release(alone, now=now)
        self._wake([target])


def _digest(told: Sequence[Held], destination: Destination, plan: Plan, now: datetime) -> Event:
    """The event that a digest is: its lines in the language of those who read it."""
    voice = Voice(destination.language, plan.timezone, now, now)
    still, over, rest = _parted(told)
    room = MOST_LINES
    lines: dict[str, list[str]] = {}
    for name, events in (("open", still), ("over", over)):
        lines[name] = [_line(event, voice) for event in events[:room]]
        if len(events) > room:
            lines[name].append(phrase("more", voice.language, count=len(events) - room))
        room = max(room - len(events), 0)
    lines["rest"] = list(_counts(rest, voice, max(room, MOST_IDS)))
    first = min(one.created_at for one in told)
    return Event(
        id=event_id(f"digest:{','.join(sorted(one.delivery.id for one in told))}"),
        source=Source.RELAY,
        kind=KIND,
        detail=None,
        topic=Topic.OTHER,
        severity=Severity.WARNING if still else Severity.INFO,
        direction=Direction.NEUTRAL,
        title=phrase(
            "held",
            voice.language,
            count=len(told),
            since=show_moment(first, voice, short=True),
        ),
        received_at=now,
        occurred_at=now,
        data={
            "parts": [
                {"heading": phrase(f"digest_{name}", voice.language), "lines": held}
                for name, held in lines.items()
                if held
            ]
        },
    )


def _parted(told: Sequence[Held]) -> tuple[list[Event], list[Event], list[Event]]:
    """What is still open and what is over, each by its last event, and what is of no incident."""
    last: dict[str, Held] = {}
    rest = []
    for one in told:
        if one.incident is None:
            rest.append(one.event)
        else:
            last[one.incident.id] = one
    still = [one.event for one in last.values() if one.incident and not one.incident.closed_at]
    over = [one.event for one in last.values() if one.incident and one.incident.closed_at]
    return still, over, rest


def _line(event: Event, voice: Voice) -> str:
    name = who(event, voice.language)
    said = one_line(title(event.title, voice.language), 160)
    at = show_moment(event.late_since, voice, short=True)
    return f"{at}: {said}{f': {name}' if name else ''} ({event.short_id})"


def _counts(events: Sequence[Event], voice: Voice, room: int) -> Iterator[str]:
    """A line for each title, with how often it came, and the short ids."""
    ids: dict[str, list[str]] = {}
    for event in events:
        ids.setdefault(event.title, []).append(event.short_id)
    counts = Counter({name: len(found) for name, found in ids.items()}).most_common()
    for name, count in counts[:room]:
        more = "" if count <= MOST_IDS else ", …"
        said = one_line(title(name, voice.language), 160)
        yield f"{count} × {said} ({', '.join(ids[name][:MOST_IDS])}{more})"
    if beyond := sum(count for _, count in counts[room:]):
        yield phrase("more", voice.language, count=beyond)
