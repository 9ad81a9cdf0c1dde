"""What really became of a recorded event, for commands and pages: the answer in one sentence."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from relay import reload
from relay.deliveries import Cause, Delivery, State
from relay.directory import Origin, complete
from relay.errors import ConfigError, UsageError
from relay.journal import Attempt, EventState, Filter, Records, StoredDelivery, StoredEvent
from relay.journal.doors import shown
from relay.pipeline import Plan
from relay.settings import Settings

_DAY = "%d %b %Y, %H:%M:%S %Z"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded event, what is owed for it, and the rules of that day."""

    stored: StoredEvent
    deliveries: Sequence[StoredDelivery]
    plan: Plan | None
    """None: no version routed it, or none that can be read any more; `fault` says why."""
    zone: ZoneInfo
    """Of the rules of that day, else of today's."""
    fault: str | None = None


async def recall(
    name: str, records: Records, settings: Settings, today: ZoneInfo, live: Plan | None = None
) -> Recorded:
    """A recorded event by its id, or by that of a delivery of it, whole or its beginning.

    `today` is the zone of today's rules; what is `live` need not be read again. Raises
    `UsageError` if there is none.
    """
    stored = await records.event(name)
    if stored is None:
        ids = Filter(ids=(name,), limit=1)
        for one in await records.deliveries(ids):
            stored = await records.event(one.delivery.event_id)
    if stored is None:
        said = f"no event and no delivery in {shown(settings.journal)} has an id that begins with"
        raise UsageError(f"{said} {name}")
    owed = await records.of_event(stored.event.id)
    plan, fault = await _plan_of_that_day(stored, records, settings, live)
    if stored.state is EventState.RECEIVED:
        known = await records.known_for([stored.event])
        one_now = complete(stored.event, known)
        stored = StoredEvent(one_now.event, stored.state, None, None, one_now.origins)
    return Recorded(stored, owed, plan, plan.timezone if plan else today, fault)


async def _plan_of_that_day(
    stored: StoredEvent, records: Records, settings: Settings, live: Plan | None
) -> tuple[Plan | None, str | None]:
    if stored.rules_version is None:
        return None, None
    if live is not None and live.version == stored.rules_version:
        return live, None
    kept = await records.rules(stored.rules_version)
    if kept is None:
        return None, f"version {stored.rules_version} of the rules is no longer kept"
    try:
        loaded = await asyncio.to_thread(reload.from_version, kept, settings)
    except ConfigError as error:
        first = str(error).splitlines()[0]
        return None, f"version {stored.rules_version} of the rules cannot be read: {first}"
    return loaded.plan, None


def answer(recorded: Recorded) -> str:
    """Who was told, when and by what, or why nobody was: one sentence."""
    stored = recorded.stored
    if recorded.deliveries:
        return "; ".join(_told(one, recorded.zone) for one in recorded.deliveries)
    match stored.state:
        case EventState.MUTED:
            return f'nobody was told: muted by the rule "{stored.muted_by}"'
        case EventState.UNMATCHED:
            return "nobody was told: no rule matched and there was no default"
        case EventState.RECEIVED:
            return "nobody was told yet: the event waits to be routed"
        case _:
            return f"nobody was told: {stored.reason or 'it is recorded without content'}"


def _told(one: StoredDelivery, zone: ZoneInfo) -> str:
    owed = one.delivery
    name, cause = owed.destination, by(owed)
    match owed.state:
        case State.DELIVERED:
            return f"{name} was told on {at(_last(one), zone)} by {cause}"
        case State.PARKED:
            why = f": {owed.reason}" if owed.reason else ""
            return f"{name} waits to be told by {cause}: its target is out of order{why}"
        case State.DEAD:
            return f"{name} was not told, by {cause}: given up on {at(_last(one), zone)}"
        case State.SUPPRESSED:
            return f"{name} was not told, by {cause}: {owed.reason}"
        case State.HELD if owed.via:
            return f"{name} is told by {cause} in the digest {owed.via}"
        case State.HELD:
            return f"{name} was not told yet, by {cause}: held until {at(owed.due_at, zone)}"
        case State.CLAIMED:
            return f"{name} is being told by {cause}"
        case _:
            return f"{name} was not told yet, by {cause}: next try on {at(owed.due_at, zone)}"


def by(owed: Delivery) -> str:
    """What made a delivery, as a sentence names it."""
    match owed.cause:
        case Cause.RULE:
            return f'the rule "{owed.rule}"'
        case Cause.DEFAULT:
            return "the default"
        case Cause.ALARM:
            return "`alarms`"
        case Cause.TEST:
            return "a test"
        case Cause.DIGEST:
            return "a digest"
        case Cause.INCIDENT:
            return "the incident that it was told of"
        case Cause.FALLBACK:
            return f"the fallback of {owed.instead.destination}" if owed.instead else "a fallback"
        case _:
            return "a replay"


def why_instead(owed: Delivery, zone: ZoneInfo) -> str:
    """For whom a fallback stands in, and why; empty for what is none."""
    if (instead := owed.instead) is None:
        return ""
    reason = instead.reason or "not sent"
    return f"{instead.destination}, {instead.channel}, since {at(instead.since, zone)}: {reason}"


def _last(one: StoredDelivery) -> datetime:
    return one.attempts[-1].at if one.attempts else one.settled_at or one.delivery.due_at


def at(moment: datetime, zone: ZoneInfo) -> str:
    """A moment as a sentence says it."""
    return f"{moment.astimezone(zone):{_DAY}}"


def waits(one: StoredDelivery) -> list[tuple[timedelta, Attempt]]:
    """Every attempt of a delivery, with how long it had waited."""
    before = one.created_at or (one.attempts[0].at if one.attempts else None)
    found = []
    for attempt in one.attempts:
        found.append((max(attempt.at - before, timedelta()) if before else timedelta(), attempt))
        before = attempt.at + timedelta(milliseconds=attempt.duration_ms or 0)
    return found


def told_by(origin: Origin, zone: ZoneInfo) -> str:
    """Where an addition came from, in a few words."""
    evidence = origin.evidence
    event = f" {evidence.event_id[:8]}" if evidence.event_id else ""
    at = evidence.at.astimezone(zone)
    return f"{evidence.kind}{event} of {at:%Y-%m-%d %H:%M %Z}, by {origin.through}"
