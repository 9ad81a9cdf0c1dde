"""`relay explain`: who would be told of an event, and why; sends nothing."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from relay import reload, samples
from relay.channels.registry import open_channels
from relay.cli.looking import completed, looking, told_by
from relay.cli.output import cell, clean, console, panel, print_json, table
from relay.directory import Completed, complete
from relay.errors import RelayError, UsageError
from relay.events import Event, Source
from relay.journal import EventState, StoredDelivery
from relay.pipeline import Explanation, Plan, explain
from relay.settings import Settings
from relay.sources import Reading
from relay.sources.reading import read
from relay.web.shapes import delivery_json, explanation_json

if TYPE_CHECKING:
    from rich.console import Console

LARGEST_FILE = 64 * 1024 * 1024
_ID = re.compile(r"[0-9a-f]{4,20}")


async def run(options: Namespace, settings: Settings) -> int:
    """Explain each event of a file, a sample, or one recorded event by today's rules."""
    plan = reload.show(settings).plan
    recorded: list[StoredDelivery] = []
    now = datetime.now(UTC)
    source = None
    if _is_recorded(options.what):
        one, recorded = await _recorded(options.what, settings)
        reading, whole = Reading(), [one]
    else:
        reading, events = _read(options.what, plan, now)
        whole, source = await completed(events, settings)
    channels = open_channels(reload.outbound(settings))
    explained = [
        replace(
            _own(explain(one.event, plan, channels, now)),
            origins=one.origins,
        )
        for one in whole
    ]
    unreadable = [item.reason for item in reading.unreadable]
    if options.json:
        ignored = [item.reason for item in reading.ignored]
        shape = explanation_json(explained, ignored, unreadable)
        shape["directory"] = source
        if recorded:
            shape["recorded"] = [delivery_json(one) for one in recorded]
        print_json(shape)
        return 0
    out = console()
    for explanation in explained:
        _show(out, explanation)
    for item in reading.ignored:
        out.print(f"ignored: {clean(item.reason)}", style="dim", markup=False)
    for reason in unreadable:
        out.print(f"would go to quarantine: {clean(reason)}", style="red", markup=False)
    if recorded:
        _show_recorded(out, recorded)
    if source:
        out.print(f"who is who: {clean(source)}", style="dim", markup=False)
    if not (explained or reading.ignored or unreadable):
        out.print("it holds no event", style="dim")
    return 0


def _own(explanation: Explanation) -> Explanation:
    """An alarm or a test of the relay is asked of no rule: what was owed stands in the journal."""
    if explanation.event.source is not Source.RELAY:
        return explanation
    return replace(explanation, verdicts=(), owed=())


def _is_recorded(what: str) -> bool:
    if what == "-" or Path(what).exists():
        return False
    return _ID.fullmatch(what) is not None


async def _recorded(what: str, settings: Settings) -> tuple[Completed, list[StoredDelivery]]:
    async with looking(settings) as records:
        stored = await records.event(what)
        if stored is None:
            raise UsageError(f"no event in {settings.journal} has an id that begins with {what}")
        one = Completed(stored.event, stored.origins)
        if stored.state is EventState.RECEIVED:
            one = complete(stored.event, await records.known_for([stored.event]))
        return one, list(await records.of_event(stored.event.id))


def _read(what: str, plan: Plan, now: datetime) -> tuple[Reading, list[Event]]:
    """What a file holds, or the event of a sample."""
    path = Path(what)
    if what == "-":
        body = sys.stdin.buffer.read(LARGEST_FILE)
    elif path.suffix == ".json" or path.exists():
        try:
            with path.open("rb") as file:
                body = file.read(LARGEST_FILE)
        except OSError as error:
            raise UsageError(f"cannot read {what}: {error.strerror}") from None
    else:
        try:
            return Reading(), [samples.event(what, now)]
        except RelayError as error:
            raise UsageError(f"{error}; give a file, an event's id, or KIND[/DETAIL]") from None
    reading = read(body, received_at=now, keep=plan.keep)
    return reading, [arrival.event for arrival in reading.arrivals]


def _show(out: Console, explanation: Explanation) -> None:
    event = explanation.event
    kind = event.kind + (f"/{event.detail}" if event.detail else "")
    out.print(f"{clean(kind)}", style="bold", markup=False, end="")
    out.print(f"  {clean(event.title)}", markup=False)
    client = " ".join(filter(None, (event.client.name, _bracket(event.client.id))))
    facts: list[tuple[str, str | None, tuple[str, ...]]] = [
        ("id", event.id, ()),
        ("topic", f"{event.topic}, {event.severity}, {event.direction}", ()),
        ("number", ", ".join(event.phones), ("phones",)),
        ("name", event.phone_name, ("phone_name",)),
        ("client", client, ("client.id", "client.name")),
        ("country", event.country, ("country",)),
        ("WABA", event.waba, ("waba",)),
    ]
    for label, value, fields in facts:
        if value:
            said = [explanation.origins[name] for name in fields if name in explanation.origins]
            told = "; ".join(dict.fromkeys(map(told_by, said)))
            line = f"{value}  <- {told}" if told else value
            out.print(f"  {label:8} {clean(line)}", style="dim", markup=False, soft_wrap=True)
    out.print()
    if event.source is Source.RELAY:
        out.print(
            "of the relay's own: no rule is asked; alarms go to `alarms`, else to `default`\n"
        )
        return
    rules = table("", "rule", "why")
    for verdict in explanation.verdicts:
        mark, style = ("✓", "green") if verdict.matched else ("✗", "dim")
        rules.add_row(mark, cell(verdict.name), cell(verdict.reason), style=style)
    out.print(rules)
    out.print()
    if not explanation.owed:
        out.print(_nobody(explanation), style="yellow", markup=False)
        out.print()
    for owed in explanation.owed:
        rule = f'rule "{owed.delivery.rule}"' if owed.delivery.rule else "the default"
        template = owed.message.template or "the built-in message"
        where = f"{owed.delivery.channel}: {owed.delivery.destination}, by {rule}, {template}"
        out.print(panel(owed.message, where))


def _nobody(explanation: Explanation) -> str:
    if explanation.routing.state is EventState.MUTED:
        return f'nobody would be told: muted by the rule "{explanation.routing.muted_by}"'
    return "nobody would be told: no rule matches and there is no default"


def _bracket(text: str | None) -> str | None:
    return f"({text})" if text else None


def _show_recorded(out: Console, recorded: list[StoredDelivery]) -> None:
    out.print("What really happened:", style="bold")
    rows = table("delivery", "destination", "rule", "state", "attempts", "reason")
    for stored in recorded:
        one = stored.delivery
        rows.add_row(
            one.id[:8],
            one.destination,
            cell(one.rule or one.cause.value),
            one.state.value,
            str(len(stored.attempts)),
            cell(one.reason),
        )
    out.print(rows)
