"""`relay explain`: who would be told of an event, and why; sends nothing."""

from __future__ import annotations

import re
import sys
from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from relay import reload, samples
from relay.channels.registry import open_channels
from relay.cli.looking import completed, looking, silences_on, zone_of
from relay.cli.output import cell, clean, console, json_body, panel, print_json, table
from relay.cli.recorded import recorded_json, show_deliveries
from relay.errors import ConfigError, RelayError, UsageError
from relay.events import Event, Source
from relay.journal import EventState, Routing
from relay.pipeline import Explanation, Plan, explain
from relay.quiet import Silence
from relay.settings import Settings
from relay.sources import Reading
from relay.sources.reading import read
from relay.web.recorded import answer, recall, told_by
from relay.web.shapes import delivery_json, explanation_json

if TYPE_CHECKING:
    from rich.console import Console

LARGEST_FILE = 64 * 1024 * 1024
_ID = re.compile(r"[0-9a-f]{4,20}")


async def run(options: Namespace, settings: Settings) -> int:
    """Explain each event of a file, a sample, or a recorded one by the rules of its day."""
    if _is_recorded(options.what):
        return await _explain_recorded(options, settings)
    plan = reload.show(settings).plan
    now = datetime.now(UTC)
    reading, events = _read(options.what, plan, now)
    whole, source = await completed(events, settings)
    channels = open_channels(reload.outbound(settings))
    silences = await silences_on(settings)
    explained = [
        replace(explain(one.event, plan, channels, now, silences), origins=one.origins)
        for one in whole
    ]
    unreadable = [item.reason for item in reading.unreadable]
    if options.json:
        ignored = [item.reason for item in reading.ignored]
        print_json({**explanation_json(explained, ignored, unreadable), "directory": source})
        return 0
    out = console()
    for explanation in explained:
        _show(out, explanation, plan.timezone)
    for item in reading.ignored:
        out.print(f"ignored: {clean(item.reason)}", style="dim", markup=False)
    for reason in unreadable:
        out.print(f"would go to quarantine: {clean(reason)}", style="red", markup=False)
    if source:
        out.print(f"who is who: {clean(source)}", style="dim", markup=False)
    if not (explained or reading.ignored or unreadable):
        out.print("it holds no event", style="dim")
    return 0


async def _explain_recorded(options: Namespace, settings: Settings) -> int:
    """What really happened, by the rules of that day; with `--now` also what would today."""
    async with looking(settings) as records:
        recorded = await recall(options.what, records, settings, await zone_of(records, settings))
        silences = await records.untold_silences() if options.now else ()
    stored, then = recorded.stored, recorded.plan
    today, fault = _today(settings) if options.now else (None, None)
    now = datetime.now(UTC)
    channels = open_channels(reload.outbound(settings))

    def by(plan: Plan | None, silences: Sequence[Silence] = ()) -> Explanation:
        if plan is None or stored.event.source is Source.RELAY:
            routing = Routing(stored.state, (), stored.rules_version or 0, stored.muted_by)
            return Explanation(stored.event, (), routing, (), stored.origins)
        explanation = explain(stored.event, plan, channels, now, silences)
        return replace(explanation, origins=stored.origins)

    if options.json:
        shape = explanation_json([by(then)], [])
        if fault:
            shape |= {"now": None, "now_fault": str(fault)}
        if today:
            shape["now"] = explanation_json([by(today, silences)], [])["events"]
        owed = [delivery_json(one) for one in recorded.deliveries]
        print_json({**shape, **recorded_json(recorded), "recorded": owed, "directory": None})
        return _said(fault)
    out = console()
    out.print(clean(answer(recorded)), style="bold", markup=False, soft_wrap=True)
    out.print()
    _show_event(out, by(then), recorded.zone)
    show_deliveries(out, recorded)
    if stored.event.source is Source.RELAY:
        out.print("of the relay's own: no rule is asked; it goes to `alarms`, else to the default")
    elif recorded.fault:
        out.print(clean(recorded.fault), style="yellow", markup=False, soft_wrap=True)
    elif then:
        out.print(f"The rules of that day, version {then.version}:", style="bold")
        _show_rules(out, by(then))
    if today and stored.event.source is not Source.RELAY:
        out.print(f"Today, by {settings.rules}:", style="bold", markup=False)
        _show_rules(out, by(today))
        _show_owed(out, by(today, silences))
    return _said(fault)


def _today(settings: Settings) -> tuple[Plan | None, ConfigError | None]:
    """Today's rules, or why they cannot be read, which is told behind what was recorded."""
    try:
        return reload.show(settings).plan, None
    except ConfigError as error:
        return None, error


def _said(fault: ConfigError | None) -> int:
    """The exit code behind an answer. Raises what is wrong with today's file."""
    if fault:
        sys.stdout.flush()
        raise fault
    return 0


def _is_recorded(what: str) -> bool:
    if what == "-" or Path(what).exists():
        return False
    return _ID.fullmatch(what) is not None


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


def _show(out: Console, explanation: Explanation, zone: ZoneInfo) -> None:
    _show_event(out, explanation, zone)
    _show_rules(out, explanation)
    _show_owed(out, explanation)


def _show_event(out: Console, explanation: Explanation, zone: ZoneInfo) -> None:
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
            told = "; ".join(dict.fromkeys(told_by(one, zone) for one in said))
            line = f"{value}  <- {told}" if told else value
            out.print(f"  {label:8} {clean(line)}", style="dim", markup=False, soft_wrap=True)
    out.print()


def _show_rules(out: Console, explanation: Explanation) -> None:
    rules = table("", "rule", "why")
    for verdict in explanation.verdicts:
        mark, style = ("✓", "green") if verdict.matched else ("✗", "dim")
        rules.add_row(mark, cell(verdict.name), cell(verdict.reason), style=style)
    out.print(rules)
    out.print()


def _show_owed(out: Console, explanation: Explanation) -> None:
    if not explanation.owed:
        out.print(_nobody(explanation), style="yellow", markup=False)
        out.print()
    for owed in explanation.owed:
        rule = f'rule "{owed.delivery.rule}"' if owed.delivery.rule else "the default"
        template = owed.message.template or "the built-in message"
        where = f"{owed.delivery.channel}: {owed.delivery.destination}, by {rule}, {template}"
        calls = f"calls {', '.join(call.name for call in owed.calls)}" if owed.calls else None
        body = json_body(owed.delivery.channel, owed.payload)
        out.print(panel(owed.message, where, body, below=calls))
        if owed.until is not None and owed.silence is None:
            said = f"{owed.delivery.destination} would be told later: held until"
            out.print(clean(f"{said} {owed.until:%Y-%m-%d %H:%M %Z}"), style="yellow", markup=False)
        if owed.silence is not None:
            said = f"{owed.delivery.destination} would not be told now: {owed.silence.reason}"
            out.print(clean(said), style="yellow", markup=False, soft_wrap=True)


def _nobody(explanation: Explanation) -> str:
    if explanation.routing.state is EventState.MUTED:
        return f'nobody would be told: muted by the rule "{explanation.routing.muted_by}"'
    return "nobody would be told: no rule matches and there is no default"


def _bracket(text: str | None) -> str | None:
    return f"({text})" if text else None
