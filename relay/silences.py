"""Silences as people use them: begun in the rules' zone, and told of at their end.

At its end each target that would have heard something is told in one line what it was not told. It
is said by an event of the relay's own, a target's part of it by one that nobody else gets.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from datetime import datetime

from relay import logs, quiet
from relay.deliveries import Cause, Delivery
from relay.events import Direction, Event, Severity, Source, Topic, event_id
from relay.journal import Journal, Silenced, Store
from relay.pipeline import Plan, owe
from relay.quiet import Conditions, Silence
from relay.text import one_line

MOST_KINDS = 5
"""Kinds that the line at the end counts one by one."""


async def begin(
    journal: Journal,
    plan: Plan,
    about: Conditions,
    *,
    lasting: str | None,
    until: str | None,
    why: str,
    also_critical: bool,
    now: datetime,
    who: str,
) -> Silence:
    """Begin a silence that lasts for a span, or until a moment of the rules' zone.

    Raises `UsageError` for one that covers nothing, or that has no end to come.
    """
    quiet.check(about, plan.destinations)
    end = quiet.until(until, lasting, now, plan.timezone)
    silence = Silence("", about, one_line(why), who, now, end, also_critical)
    return await journal.begin_silence(silence)


class Silences:
    """Ends silences whose time has come, and tells of each that is over."""

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

    async def look(self) -> None:
        """Look once at all whose end was not told yet."""
        journal, records = self._store.journal, self._store.records
        for silence in await records.untold_silences():
            now = self._clock()
            if silence.is_on(now):
                continue
            await journal.end_silence(silence.id, now=now)
            # What it suppressed stands still from here on.
            (found,) = await records.silences(silence_id=silence.id)
            told = _words_of_its_end(found, self._plan(), now)
            if await journal.tell_silence(silence.id, told, now=now):
                logs.info("silence over", silence=silence.id, suppressed=found.count)
                self._wake([delivery.target for _, delivery in told])


def _words_of_its_end(found: Silenced, plan: Plan, now: datetime) -> list[tuple[Event, Delivery]]:
    """What each target that would have heard something is told, with its delivery."""
    kept: dict[str, Counter[str]] = {}
    names: dict[str, str] = {}
    for (name, kind), count in found.counts.items():
        if (destination := plan.destinations.get(name)) is not None:
            kept.setdefault(destination.target, Counter())[kind] += count
            names.setdefault(destination.target, name)
    told = []
    for target, kinds in kept.items():
        event = _over(found.silence, target, kinds, now)
        destination = plan.destinations[names[target]]
        delivery = owe(event, destination, cause=Cause.ALARM, now=now, version=plan.version)
        told.append((event, delivery))
    return told


def _over(silence: Silence, target: str, kinds: Mapping[str, int], now: datetime) -> Event:
    count = sum(kinds.values())
    many = "1 message was" if count == 1 else f"{count} messages were"
    shown = [f"{kind} {number}" for kind, number in Counter(kinds).most_common(MOST_KINDS)]
    if len(kinds) > MOST_KINDS:
        shown.append(f"{len(kinds) - MOST_KINDS} more kinds")
    zone = silence.until.tzinfo
    began = f"{silence.began_at.astimezone(zone):%d %b, %H:%M}"
    ended = f"{(silence.ended_at or silence.until).astimezone(zone):%d %b, %H:%M %Z}"
    early = f", ended by {silence.ended_by}" if silence.ended_by else ""
    return Event(
        id=event_id(f"silence:{silence.id}:{silence.began_at.isoformat()}:{target}"),
        source=Source.RELAY,
        kind="relay_alarm",
        detail="SILENCE_OVER",
        topic=Topic.OTHER,
        severity=Severity.INFO,
        direction=Direction.NEUTRAL,
        title=f"Silence over: {many} not sent here",
        received_at=now,
        occurred_at=now,
        data={
            "text": f"{silence.who} silenced {silence.about} from {began} to {ended}{early} "
            f"({silence.why}). Not told: {', '.join(shown)}. `relay silence list` shows them."
        },
    )
