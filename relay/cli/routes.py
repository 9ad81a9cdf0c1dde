"""`relay routes`: who gets what, as a matrix of kinds and destinations."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from relay import reload, samples
from relay.cli.conditions import parse_phone
from relay.cli.output import console, print_json_lines, table
from relay.events import Client, Event
from relay.phones import country, display
from relay.rules import Match
from relay.settings import Settings


async def run(options: Namespace, settings: Settings) -> int:
    """Show as a matrix which destination hears of which kind."""
    plan = reload.show(settings).plan
    now = datetime.now(UTC)
    phone = parse_phone(options.phone) if options.phone else None
    matches = {
        name: plan.ruleset.match(_as_asked(samples.event(name, now), phone, options.client))
        for name in samples.names()
    }
    if options.json:
        print_json_lines(_json(name, match) for name, match in matches.items())
        return 0
    names = list(plan.destinations)
    rows = table("kind/detail", *names)
    for name, match in matches.items():
        mark = "○" if match.by_default else "●"
        told = {choice.destination: mark for choice in match.choices}
        cells = [told.get(destination, "·") for destination in names]
        rows.add_row(name, *cells, style=None if told else "dim")
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


def _json(name: str, match: Match) -> dict[str, Any]:
    """Who hears of it, and by which rule; null: by the default."""
    kind, _, detail = name.partition("/")
    return {
        "kind": kind,
        "detail": detail or None,
        "destinations": [
            {"name": choice.destination, "rule": choice.rule} for choice in match.choices
        ],
        "muted_by": match.muted_by,
    }
