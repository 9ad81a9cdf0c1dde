"""`relay watch once`: look at 360dialog's list of numbers now, as the timer does."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from relay.cli.control import change
from relay.cli.looking import looking
from relay.cli.output import cell, console, print_json, table
from relay.errors import PartnerApiError
from relay.events import Event
from relay.journal import Journal, WatchState
from relay.journal.doors import is_there
from relay.partner_api import Access
from relay.phones import display
from relay.settings import Settings
from relay.sources.watch import Seen, Watched, compare
from relay.worker.numbers import USUAL_PERIOD, ask

PATIENCE = 900.0
"""Seconds; a long list has many pages."""


async def run(options: Namespace, settings: Settings) -> int:
    """One look, through the running relay or under its lock; with `--dry-run` nothing is kept."""
    if options.dry_run:
        found = await _compared(settings)
    else:
        found = await change(
            settings, "/api/watch", {}, lambda *held: _recorded(settings, *held), patience=PATIENCE
        )
    if options.json:
        print_json(found)
    else:
        _show(found, dry=options.dry_run)
    return 0


def _show(found: dict[str, Any], *, dry: bool) -> None:
    events = [Event.from_json(shape) for shape in found["events"]]
    if events:
        rows = table("number", "name", "client", "what", "before", "now")
        for event in events:
            rows.add_row(
                display(event.phone) if event.phone else "",
                cell(event.phone_name),
                cell(event.client.name or event.client.id),
                cell(event.title),
                cell(event.data.get("old")),
                cell(event.detail),
            )
        console().print(rows)
    if found["first"]:
        what = "the first look: nothing is news yet"
    else:
        what = f"{len(events)} {'change' if len(events) == 1 else 'changes'}"
    done = "nothing was recorded" if dry else "recorded"
    print(f"{found['numbers']} numbers at 360dialog, {what}; {done}")


async def _compared(settings: Settings) -> dict[str, Any]:
    """What a look would record."""
    seen = await _seen(settings)
    before: Mapping[str, Watched] = {}
    state = WatchState()
    if is_there(settings.journal):
        async with looking(settings) as records:
            before, state = await records.watched(), await records.watch_state()
    now = datetime.now(UTC)
    return compare(before, seen, now=now, since=state.seen_at, period=USUAL_PERIOD).to_json()


async def _recorded(
    settings: Settings, journal: Journal, now: datetime, _who: str
) -> dict[str, Any]:
    try:
        seen = await _seen(settings)
    except PartnerApiError as error:
        await journal.watch_failed(str(error))
        raise
    return (await journal.watch(seen, now=now, period=USUAL_PERIOD)).to_json()


async def _seen(settings: Settings) -> Sequence[Seen]:
    access = Access.of(settings.env, allow_private=settings.allow_private)
    return await ask(access, USUAL_PERIOD)
