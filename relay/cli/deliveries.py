"""`relay deliveries`: what is owed to whom, and what the targets answered."""

from __future__ import annotations

from argparse import Namespace

from relay.cli.conditions import asked_of
from relay.cli.events import context
from relay.cli.looking import looking
from relay.cli.output import cell, listing, print_json_lines, when
from relay.journal import StoredDelivery
from relay.settings import Settings
from relay.web.asked import Deliveries
from relay.web.shapes import delivery_json

COLUMNS = ("due (UTC)", "id", "event", "destination", "rule", "state", "tries", "reason")


async def run(options: Namespace, settings: Settings) -> int:
    """List deliveries, or say why there are none."""
    wanted = asked_of(Deliveries, options).filter()
    async with looking(settings) as records:
        found = await records.deliveries(wanted)
        around = "" if options.json else await context(records, len(found), "delivery")
    if options.json:
        print_json_lines(delivery_json(stored) for stored in found)
        return 0
    listing(COLUMNS, [_row(stored) for stored in found], around)
    return 0


def _row(stored: StoredDelivery) -> tuple[str, ...]:
    one = stored.delivery
    marks = ("degraded" if one.degraded else "", "may be a repeat" if one.ambiguous else "")
    return (
        when(one.due_at),
        one.id[:8],
        one.event_id[:8],
        cell(one.destination),
        cell(one.rule or one.cause.value),
        one.state.value + (f" ({one.proof.value})" if one.proof else ""),
        str(len(stored.attempts)),
        cell("; ".join(part for part in (one.reason or "", *marks) if part)),
    )
