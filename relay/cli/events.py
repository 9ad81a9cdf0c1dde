"""`relay events`: what came, and what became of it."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime

from relay.cli.conditions import asked_of
from relay.cli.looking import looking
from relay.cli.output import cell, listing, print_json_lines, when
from relay.journal import Records, StoredEvent
from relay.phones import display
from relay.settings import Settings
from relay.web.asked import Events
from relay.web.shapes import event_json

COLUMNS = ("received (UTC)", "id", "kind", "what", "number", "client", "state")


async def run(options: Namespace, settings: Settings) -> int:
    """List recorded events, or say why there are none."""
    wanted = asked_of(Events, options).filter()
    async with looking(settings) as records:
        found = await records.events(wanted)
        around = "" if options.json else await context(records, len(found), "event")
    if options.json:
        print_json_lines(event_json(stored) for stored in found)
        return 0
    listing(COLUMNS, [_row(stored) for stored in found], around)
    return 0


def _row(stored: StoredEvent) -> tuple[str, ...]:
    event = stored.event
    return (
        when(event.received_at),
        event.short_id,
        cell(event.kind + (f"/{event.detail}" if event.detail else "")),
        cell(event.title),
        display(event.phone) if event.phone else "",
        cell(event.client.name or event.client.id),
        stored.state.value + (f": {cell(stored.reason)}" if stored.reason else ""),
    )


async def context(records: Records, count: int, noun: str) -> str:
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
