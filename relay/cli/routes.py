"""`relay routes`: who gets what, as a matrix of kinds and destinations."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from relay import reload, samples
from relay.cli.conditions import parse_phone
from relay.cli.looking import completed
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
    events = {name: samples.event(name, now) for name in samples.names()}
    if phone:
        events = await _of_number(phone, events, settings)
    if options.client:
        client = Client(id=options.client, name=options.client)
        events = {name: replace(event, client=client) for name, event in events.items()}
    matches = {name: plan.ruleset.match(event) for name, event in events.items()}
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


async def _of_number(
    phone: str, events: Mapping[str, Event], settings: Settings
) -> dict[str, Event]:
    """The events as if they were about this number; whose it is the directory says."""
    bare = replace(
        next(iter(events.values())),
        phones=(phone,),
        phone_name=None,
        client=Client(),
        country=country(phone),
        waba=None,
        waba_360=None,
    )
    (found,), _ = await completed([bare], settings)
    names = ("phones", "phone_name", "client", "country", "waba", "waba_360")
    known = {name: getattr(found.event, name) for name in names}
    return {name: replace(event, **known) for name, event in events.items()}


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
