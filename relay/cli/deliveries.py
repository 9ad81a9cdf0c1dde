"""`relay deliveries`: what is owed to whom, and what the targets answered."""

from __future__ import annotations

from argparse import Namespace

from relay.cli.conditions import asked_of
from relay.cli.events import context
from relay.cli.looking import looking
from relay.cli.output import cell, console, print_json_lines, table, when
from relay.settings import Settings
from relay.web.asked import Deliveries
from relay.web.shapes import delivery_json


async def run(options: Namespace, settings: Settings) -> int:
    """List deliveries, or say why there are none."""
    wanted = asked_of(Deliveries, options).filter()
    async with looking(settings) as records:
        found = await records.deliveries(wanted)
        around = None if options.json else await context(records, len(found), "delivery")
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
    out.print(around, style="dim", markup=False)
    return 0
