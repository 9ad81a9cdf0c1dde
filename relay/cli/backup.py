"""`relay backup`: copy the journal, also while a relay serves it."""

from __future__ import annotations

import asyncio
import sys
from argparse import Namespace
from pathlib import Path

from relay.cli.output import print_json, progress
from relay.journal.doors import back_up
from relay.settings import Settings


async def run(options: Namespace, settings: Settings) -> int:
    """Copy the journal, also while a relay serves it."""
    path = Path(options.file)
    with progress("copying the journal") as line:
        copied = await asyncio.to_thread(
            back_up, settings.journal, path, replace=options.force, tell=line.tell
        )
    if options.json:
        print_json(
            {
                "file": str(copied.path),
                "size": copied.size,
                "events": {"received": copied.received, **copied.events},
                "deliveries": {"owed": copied.owed, **copied.deliveries},
                "balanced": copied.balanced,
            }
        )
        return 0
    unfinished = sum(
        copied.deliveries.get(s, 0) for s in ("pending", "held", "claimed", "parked", "dead")
    )
    print(
        f"{copied.path}: {copied.size} bytes, {copied.received} events, {copied.owed} deliveries,"
        f" {unfinished} of them unfinished; the copy was checked and is whole"
    )
    if not copied.balanced:
        print("relay: its counts do not balance; `relay reconcile` says what", file=sys.stderr)
    return 0
