"""`relay routes`: who gets what, as a matrix of kinds and destinations."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from relay import reload, samples
from relay.cli.conditions import parse_phone
from relay.cli.looking import completed, looking
from relay.cli.output import cell, clean, console, print_json_lines, table
from relay.cli.recorded import spell_span
from relay.directory import Entry
from relay.events import Client, Event
from relay.journal.doors import is_there
from relay.phones import country, display
from relay.rules import Match
from relay.settings import Settings
from relay.web.asked import MOST

if TYPE_CHECKING:
    from rich.table import Table

MOST_NUMBERS = 5
"""Of a client that are listed."""
_NO_NUMBER: dict[str, Any] = {
    "phones": (),
    "phone_name": None,
    "country": None,
    "waba": None,
    "waba_360": None,
}


async def run(options: Namespace, settings: Settings) -> int:
    """Show as a matrix which destination hears of which kind."""
    plan = reload.show(settings).plan
    now = datetime.now(UTC)
    phone = parse_phone(options.phone) if options.phone else None
    events = {name: samples.event(name, now) for name in samples.names()}
    if phone:
        events = await _of_number(phone, events, settings)
    numbers: Sequence[Entry] = ()
    if options.client:
        client, numbers = await _known(options.client, settings)
        alone = {} if phone else _NO_NUMBER
        events = {name: replace(one, client=client, **alone) for name, one in events.items()}
    matches = {name: plan.ruleset.match(event) for name, event in events.items()}
    if options.json:
        print_json_lines(_json(name, match) for name, match in matches.items())
        return 0
    out = console()
    out.print(_matrix(matches, list(plan.destinations), out.width))
    who = [f"number {display(phone)}"] if phone else []
    who += [f"client {clean(options.client)}"] if options.client else []
    asked = " and ".join(who) or "the bundled sample of each kind"
    out.print(
        f"● by a rule, ○ by the default, for {asked}. `relay explain KIND/DETAIL` says why.",
        style="dim",
        markup=False,
    )
    if handed := [
        f"{clean(name)} falls back to {clean(one.fallback.to)} after"
        f" {spell_span(one.fallback.after)}"
        for name, one in plan.destinations.items()
        if one.fallback is not None
    ]:
        out.print(f"{'; '.join(handed)}.", style="dim", markup=False)
    if options.client and not phone:
        out.print(_numbers_of(numbers), style="dim", markup=False)
    return 0


def _matrix(matches: Mapping[str, Match], destinations: Sequence[str], width: int) -> Table:
    """Kinds and destinations crosswise; by name, where so many columns do not fit."""
    wide = max(map(len, matches)) + sum(len(name) + 2 for name in destinations)
    rows = table("kind/detail", *(map(cell, destinations) if wide <= width else ("told",)))
    for name, match in matches.items():
        mark = "○" if match.by_default else "●"
        told = {choice.destination: mark for choice in match.choices}
        if wide <= width:
            cells = [told.get(destination, "·") for destination in destinations]
        else:
            cells = [cell(", ".join(f"{mark}\u00a0{one}" for one in told)) or "·"]
        rows.add_row(name, *cells, style=None if told else "dim")
    return rows


async def _known(client: str, settings: Settings) -> tuple[Client, Sequence[Entry]]:
    """A client that is named by id or name, with the numbers that the directory knows for it."""
    wanted, found = client.casefold(), []
    if is_there(settings.journal):
        async with looking(settings) as records:
            for one in await records.directory(client, MOST):
                facts = one.client_id, one.client_name
                if wanted in [fact.value.casefold() for fact in facts if fact]:
                    found.append(one)
    if not found:
        return Client(id=client, name=client), ()
    known = found[0]
    name = known.client_name.value if known.client_name else None
    return Client(id=known.client_id.value if known.client_id else client, name=name), found


def _numbers_of(found: Sequence[Entry]) -> str:
    """Of a client that was asked for alone: which numbers rules by number would look at."""
    if not found:
        return "Rules by number do not count here: the directory knows no number of this client."
    more = f" and {len(found) - MOST_NUMBERS} more" if len(found) > MOST_NUMBERS else ""
    listed = ", ".join(display(one.phone) for one in found[:MOST_NUMBERS])
    return f"Rules by number do not count here; --phone N shows one of {listed}{more}."


async def _of_number(
    phone: str, events: Mapping[str, Event], settings: Settings
) -> dict[str, Event]:
    """The events as if they were about this number; whose it is the directory says."""
    bare = replace(
        next(iter(events.values())),
        client=Client(),
        **{**_NO_NUMBER, "phones": (phone,), "country": country(phone)},
    )
    (found,), _ = await completed([bare], settings)
    known = {name: getattr(found.event, name) for name in (*_NO_NUMBER, "client")}
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
