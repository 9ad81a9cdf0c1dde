"""What really became of a recorded event: the answer first, then the story of each delivery."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from relay import reload
from relay.cli.looking import looking
from relay.cli.output import cell, clean, text_panel
from relay.deliveries import Cause, Delivery, State
from relay.directory import complete
from relay.errors import ConfigError, UsageError
from relay.journal import EventState, Filter, Records, StoredDelivery, StoredEvent
from relay.pipeline import Plan
from relay.settings import Settings

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {State.DELIVERED: "green", State.DEAD: "red", State.PARKED: "red"}
_DAY = "%d %b %Y, %H:%M:%S"


@dataclass(frozen=True, slots=True)
class Recorded:
    """A recorded event, what is owed for it, and the rules of that day."""

    stored: StoredEvent
    deliveries: Sequence[StoredDelivery]
    plan: Plan | None
    """None: no version routed it, or none that can be read any more; `fault` says why."""
    fault: str | None = None

    @property
    def zone(self) -> ZoneInfo:
        return self.plan.timezone if self.plan else ZoneInfo("UTC")


async def recall(name: str, settings: Settings) -> Recorded:
    """A recorded event by its id, or by that of a delivery of it, whole or its beginning.

    Raises `UsageError` if there is none.
    """
    async with looking(settings) as records:
        stored = await records.event(name)
        if stored is None:
            ids = Filter(ids=(name,), limit=1)
            for one in await records.deliveries(ids):
                stored = await records.event(one.delivery.event_id)
        if stored is None:
            said = f"no event and no delivery in {settings.journal} has an id that begins with"
            raise UsageError(f"{said} {name}")
        owed = await records.of_event(stored.event.id)
        plan, fault = await _plan_of_that_day(stored, records, settings)
        if stored.state is EventState.RECEIVED:
            known = await records.known_for([stored.event])
            one_now = complete(stored.event, known)
            stored = StoredEvent(one_now.event, stored.state, None, None, one_now.origins)
        return Recorded(stored, owed, plan, fault)


async def _plan_of_that_day(
    stored: StoredEvent, records: Records, settings: Settings
) -> tuple[Plan | None, str | None]:
    if stored.rules_version is None:
        return None, None
    kept = await records.rules(stored.rules_version)
    if kept is None:
        return None, f"version {stored.rules_version} of the rules is no longer kept"
    try:
        return reload.from_version(kept, settings).plan, None
    except ConfigError as error:
        first = str(error).splitlines()[0]
        return None, f"version {stored.rules_version} of the rules cannot be read: {first}"


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
    name, by = owed.destination, _by(owed)
    match owed.state:
        case State.DELIVERED:
            return f"{name} was told on {_at(_last(one), zone)} by {by}"
        case State.PARKED:
            return f"{name} waits to be told by {by}: its target is out of order"
        case State.DEAD:
            return f"{name} was not told, by {by}: given up on {_at(_last(one), zone)}"
        case State.SUPPRESSED:
            return f"{name} was not told, by {by}: {owed.reason}"
        case State.CLAIMED:
            return f"{name} is being told by {by}"
        case _:
            return f"{name} was not told yet, by {by}: next try on {_at(owed.due_at, zone)}"


def _by(owed: Delivery) -> str:
    match owed.cause:
        case Cause.RULE:
            return f'the rule "{owed.rule}"'
        case Cause.DEFAULT:
            return "the default"
        case Cause.ALARM:
            return "`alarms`"
        case Cause.TEST:
            return "a test"
        case _:
            return "a replay"


def _last(one: StoredDelivery) -> datetime:
    return one.attempts[-1].at if one.attempts else one.settled_at or one.delivery.due_at


def _at(moment: datetime, zone: ZoneInfo) -> str:
    return f"{moment.astimezone(zone):{_DAY}}"


def show_deliveries(out: Console, recorded: Recorded) -> None:
    """Every delivery with each attempt, the wait before it, and what the target said."""
    for one in recorded.deliveries:
        owed = one.delivery
        proof = f" ({owed.proof})" if owed.proof else ""
        out.print(
            clean(f"{owed.state}{proof}: {owed.destination}, {owed.channel}, by {_by(owed)}"),
            style=_COLOURS.get(owed.state, "yellow"),
            markup=False,
        )
        marks = ["may be a repeat" if owed.ambiguous else "", "degraded" if owed.degraded else ""]
        facts = [
            ("delivery", owed.id),
            ("rules", f"version {owed.rules_version}"),
            ("posted as", ", ".join(f"{key} {value}" for key, value in owed.reference.items())),
            ("refused", "; ".join(f"{who}: {why}" for who, why in owed.refused.items())),
            ("note", ", ".join(filter(None, marks))),
            ("reason", owed.reason or ""),
        ]
        for label, text in facts:
            if text:
                out.print(f"  {label:9} {clean(text)}", style="dim", markup=False, soft_wrap=True)
        _show_attempts(out, one, recorded.zone)
        if one.rendered:
            where = f"what {owed.destination} was told"
            text_of = {key: str(one.rendered.get(key, "")) for key in ("title", "text")}
            out.print(text_panel(text_of["title"], text_of["text"], where, "blue"))


def _show_attempts(out: Console, one: StoredDelivery, zone: ZoneInfo) -> None:
    from relay.cli.output import table

    rows = table("  attempt", "waited", "took", "outcome", "answer")
    before = one.created_at or (one.attempts[0].at if one.attempts else None)
    for attempt in one.attempts:
        waited = max(attempt.at - before, timedelta()) if before else timedelta()
        took = "" if attempt.duration_ms is None else f"{attempt.duration_ms} ms"
        word = (attempt.outcome or "under way").replace("_", " ")
        rows.add_row(f"  {_at(attempt.at, zone)}", _span(waited), took, word, cell(attempt.reason))
        before = attempt.at + timedelta(milliseconds=attempt.duration_ms or 0)
    if one.attempts:
        out.print(rows)
    if one.delivery.state is State.PENDING:
        out.print(f"  next try {_at(one.delivery.due_at, zone)}", style="dim", markup=False)


def _span(span: timedelta) -> str:
    seconds = span.total_seconds()
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3_600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3_600:.1f} h"


def recorded_json(recorded: Recorded) -> dict[str, Any]:
    """The answer, for `relay explain --json`."""
    return {"answer": answer(recorded), "rules_fault": recorded.fault}
