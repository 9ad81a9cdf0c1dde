"""`relay events`, `relay deliveries`, `relay routes` and `relay kinds`."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime

from relay import reload, samples
from relay.checks import sample
from relay.cli.conditions import asked_of
from relay.cli.output import cell, console, print_json_lines, table, when
from relay.errors import UsageError
from relay.events import Client, Event, Source
from relay.events.catalogue import KINDS
from relay.journal import Records
from relay.journal.sqlite.engine import open_records
from relay.phones import country, display, normalise
from relay.pipeline import Plan
from relay.settings import Settings
from relay.shapes import delivery_json, event_json
from relay.web.asked import Deliveries, Events


async def events(options: Namespace, settings: Settings) -> int:
    """List recorded events, or say why there are none."""
    wanted = asked_of(Events, options).filter()
    records = open_records(settings.journal)
    found = await records.events(wanted)
    if options.json:
        print_json_lines(event_json(stored) for stored in found)
        return 0
    out = console()
    rows = table("received (UTC)", "id", "kind", "what", "number", "client", "state")
    for stored in found:
        event = stored.event
        kind = event.kind + (f"/{event.detail}" if event.detail else "")
        phone = display(event.phone) if event.phone else ""
        rows.add_row(
            when(event.received_at),
            event.short_id,
            cell(kind),
            cell(event.title),
            phone,
            cell(event.client.name or event.client.id),
            stored.state.value + (f": {cell(stored.reason)}" if stored.reason else ""),
        )
    if found:
        out.print(rows)
    out.print(await _context(records, len(found), "event"), style="dim", markup=False)
    return 0


async def deliveries(options: Namespace, settings: Settings) -> int:
    """List deliveries, or say why there are none."""
    wanted = asked_of(Deliveries, options).filter()
    records = open_records(settings.journal)
    found = await records.deliveries(wanted)
    if options.json:
        print_json_lines(delivery_json(stored) for stored in found)
        return 0
    out = console()
    rows = table("due (UTC)", "id", "event", "destination", "rule", "state", "tries", "reason")
    for stored in found:
        one = stored.delivery
        state = one.state.value + (f" ({one.proof.value})" if one.proof else "")
        marks = ("degraded" if one.degraded else "", "may be a repeat" if one.ambiguous else "")
        reason = "; ".join(part for part in (one.reason or "", *marks) if part)
        rows.add_row(
            when(one.due_at),
            one.id[:8],
            one.event_id[:8],
            cell(one.destination),
            cell(one.rule or one.cause.value),
            state,
            str(len(stored.attempts)),
            cell(reason),
        )
    if found:
        out.print(rows)
    out.print(await _context(records, len(found), "delivery"), style="dim", markup=False)
    return 0


async def _context(records: Records, count: int, noun: str) -> str:
    """Never just empty: what came, and what was kept out."""
    status = await records.status(now=datetime.now(UTC))
    plural = {"event": "events", "delivery": "deliveries"}[noun]
    shown = f"{count} {noun if count == 1 else plural}" if count else f"no {noun} matches"
    last = status.last_event_at
    kept_out = "".join(f", {count} ignored ({cause})" for cause, count in status.ignored.items())
    came = f"the last event came {when(last)} UTC" if last else "no event ever came"
    return (
        f"{shown}; {came}; {status.refused_webhooks} webhooks refused in 24 hours, "
        f"{status.events.get('quarantined', 0)} in quarantine{kept_out}"
    )


async def kinds(options: Namespace, _settings: Settings) -> int:
    """List the catalogue."""
    if options.json:
        print_json_lines(
            {
                "kind": kind.name,
                "source": kind.source.value,
                "topics": [topic.value for topic in kind.topics],
                "details": list(kind.details),
                "description": kind.description,
            }
            for kind in KINDS.values()
            if kind.source is not Source.RELAY
        )
        return 0
    rows = table("kind", "source", "topic", "what it means", "details")
    for kind in KINDS.values():
        if kind.source is not Source.RELAY:
            topics = ", ".join(topic.value for topic in kind.topics)
            rows.add_row(
                kind.name, kind.source.value, topics, kind.description, ", ".join(kind.details)
            )
    console().print(rows)
    return 0


async def routes(options: Namespace, settings: Settings) -> int:
    """Show as a matrix which destination hears of which kind."""
    plan = reload.read(settings, strict_env=False).plan
    now = datetime.now(UTC)
    phone = None
    if options.phone and (phone := normalise(options.phone)) is None:
        raise UsageError(f'--phone: "{options.phone}" is no number with its country, like +49 171…')
    names = list(plan.destinations)
    rows = table("kind/detail", *names)
    for name in samples.names():
        event = _as_asked(sample(name, now), phone, options.client)
        told = _told(event, plan)
        cells = [told.get(destination, "·") for destination in names]
        rows.add_row(name, *cells, style=None if any(told.values()) else "dim")
    out = console()
    out.print(rows)
    who = [f"number {display(phone)}"] if phone else []
    who += [f"client {options.client}"] if options.client else []
    asked = " and ".join(who) or "the bundled sample of each kind"
    out.print(
        f"● by a rule, ○ by the default, for {asked}. `relay explain KIND/DETAIL` says why.",
        style="dim",
        markup=False,
    )
    return 0


def _as_asked(event: Event, phone: str | None, client: str | None) -> Event:
    if phone:
        event = replace(event, phones=(phone,), country=country(phone))
    if client:
        event = replace(event, client=Client(id=client, name=client))
    return event


def _told(event: Event, plan: Plan) -> dict[str, str]:
    match = plan.ruleset.match(event)
    mark = "○" if match.by_default else "●"
    return {choice.destination: mark for choice in match.choices}
