"""`relay events`: what came, and what became of it."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from relay.cli.conditions import asked_of, require_known
from relay.cli.looking import looking, zone_of
from relay.cli.output import cell, listing, print_json_lines, when
from relay.journal import SEARCHED, Filter, Records, StoredEvent
from relay.phones import display
from relay.settings import Settings
from relay.web.asked import Events
from relay.web.shapes import event_json


async def run(options: Namespace, settings: Settings) -> int:
    """List recorded events, or say why there are none."""
    asked = asked_of(Events, options)
    wanted = asked.filter()
    async with looking(settings) as records:
        await require_known(asked, records, settings)
        found = await records.events(wanted)
        zone = await zone_of(records, settings)
        around = "" if options.json else await context(records, wanted, len(found), "event", zone)
    if options.json:
        print_json_lines(event_json(stored) for stored in found)
        return 0
    columns = (f"received ({zone})", "id", "kind", "what", "number", "client", "state")
    listing(columns, [_row(stored, zone) for stored in found], around)
    return 0


def _row(stored: StoredEvent, zone: ZoneInfo) -> tuple[str, ...]:
    event = stored.event
    return (
        when(event.received_at, zone),
        event.short_id,
        cell(event.kind + (f"/{event.detail}" if event.detail else "")),
        cell(event.title),
        display(event.phone) if event.phone else "",
        cell(event.client.name or event.client.id),
        stored.state.value + (f": {cell(stored.reason)}" if stored.reason else ""),
    )


async def context(records: Records, wanted: Filter, count: int, noun: str, zone: ZoneInfo) -> str:
    """Never just empty: what came, what was kept out, and how far a search went."""
    status = await records.status(now=datetime.now(UTC))
    plural = {"event": "events", "delivery": "deliveries"}[noun]
    shown = f"{count} {noun if count == 1 else plural}" if count else f"no {noun} matches"
    last = status.last_event_at
    kept_out = "".join(f", {count} ignored ({cause})" for cause, count in status.ignored.items())
    came = f"the last event came {when(last, zone)}" if last else "no event ever came"
    told = (
        f"{shown}; {came}; {status.refused_webhooks} webhooks refused in 24 hours, "
        f"{status.events.get('quarantined', 0)} in quarantine{kept_out}"
    )
    if wanted.text is not None and wanted.since is None:
        told += (
            "; ids, numbers and clients were looked up in all, other words in the newest "
            f"{SEARCHED:,} (--since T: in all since then)"
        )
    return told
