"""`relay migrate`: move the journal from its file to PostgreSQL."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime

from relay.cli.output import print_json, progress
from relay.journal.doors import move, shown
from relay.settings import Settings


async def run(options: Namespace, _settings: Settings) -> int:
    """Move a journal that no relay serves; repeated, it goes on where it was interrupted."""
    with progress("moving the journal") as line:
        moved = await move(options.source, options.target, now=datetime.now(UTC), tell=line.tell)
    if options.json:
        print_json(
            {
                "events": moved.events,
                "deliveries": moved.deliveries,
                "rows": moved.rows,
                "resumed": moved.resumed,
            }
        )
        return 0
    print(
        f"moved to {shown(options.target)}: {moved.events} events, {moved.deliveries} deliveries;"
        " both sides have the same balance"
    )
    print("start relays with its address from now on; the file stays as it is, as a backup")
    return 0
