"""`relay deliveries`: what is owed to whom, and what the targets answered."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence
from dataclasses import replace
from zoneinfo import ZoneInfo

from relay.cli.conditions import asked_of, require_known
from relay.cli.events import context
from relay.cli.looking import looking, zone_of
from relay.cli.output import cell, listing, print_json_lines, when
from relay.deliveries import Cause, Delivery
from relay.journal import StoredDelivery
from relay.settings import Settings
from relay.web.asked import Deliveries
from relay.web.shapes import delivery_json

EVERYTHING = 2**31


async def run(options: Namespace, settings: Settings) -> int:
    """List deliveries, or say why there are none."""
    asked = asked_of(Deliveries, options)
    wanted = asked.filter()
    if options.by and not options.limit:
        wanted = replace(wanted, limit=EVERYTHING)
    async with looking(settings) as records:
        await require_known(asked, records, settings)
        found = await records.deliveries(wanted)
        zone = await zone_of(records, settings)
        around = (
            "" if options.json else await context(records, wanted, len(found), "delivery", zone)
        )
    if options.by:
        _show_reasons(found, zone, around, as_json=options.json)
        return 0
    if options.json:
        print_json_lines(delivery_json(stored) for stored in found)
        return 0
    due = f"due ({zone})"
    columns = (due, "id", "event", "destination", "rule", "state", "tries", "reason")
    listing(columns, [_row(stored, zone) for stored in found], around)
    return 0


def _show_reasons(
    found: Sequence[StoredDelivery], zone: ZoneInfo, around: str, *, as_json: bool
) -> None:
    """How many deliveries there are of each state and reason, the most first."""
    groups: dict[tuple[str, str], list[Delivery]] = {}
    for stored in found:
        one = stored.delivery
        groups.setdefault((one.state.value, one.reason or ""), []).append(one)
    most = sorted(groups.items(), key=lambda group: -len(group[1]))
    if as_json:
        print_json_lines(
            {"state": state, "reason": reason or None, "count": len(ones)}
            for (state, reason), ones in most
        )
        return
    rows = [
        (
            str(len(ones)),
            state,
            cell(", ".join(sorted({one.destination for one in ones}))),
            when(max(one.due_at for one in ones), zone),
            cell(reason),
        )
        for (state, reason), ones in most
    ]
    listing(("count", "state", "destinations", f"newest ({zone})", "reason"), rows, around)


def _row(stored: StoredDelivery, zone: ZoneInfo) -> tuple[str, ...]:
    one = stored.delivery
    marks = ("degraded" if one.degraded else "", "may be a repeat" if one.ambiguous else "")
    return (
        when(one.due_at, zone),
        one.id[:8],
        one.event_id[:8],
        cell(one.destination),
        cell("fallback" if one.cause is Cause.FALLBACK else one.rule or one.cause.value),
        one.state.value + (f" ({one.proof.value})" if one.proof else ""),
        str(len(stored.attempts)),
        cell("; ".join(part for part in (one.reason or "", *marks) if part)),
    )
