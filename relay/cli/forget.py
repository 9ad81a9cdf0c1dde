"""`relay forget`: erase the personal data of a number for good."""

from __future__ import annotations

import sys
from argparse import Namespace
from datetime import datetime
from typing import Any

from relay.cli.conditions import parse_phone
from relay.cli.control import agreed, change
from relay.cli.output import print_json, progress
from relay.journal import Journal
from relay.phones import display
from relay.settings import Settings
from relay.web.shapes import forgotten_json

LONG = 3600.0
"""Seconds: a large journal is looked through row by row."""


async def run(options: Namespace, settings: Settings) -> int:
    """Erase a number; 1 if nothing was known of it."""
    phone = parse_phone(options.phone)
    if (
        not options.yes
        and sys.stdin.isatty()
        and not agreed(f"Erase everything about {display(phone)}? It cannot be undone.")
    ):
        print("nothing was erased")
        return 1
    body = {"phone": phone, "discard": options.discard}

    async def under_lock(journal: Journal, now: datetime, who: str) -> dict[str, Any]:
        found = await journal.forget(phone, now=now, who=who, discard=options.discard)
        return forgotten_json(found)

    with progress(f"erasing {display(phone)} from the journal"):
        done = await change(settings, "/api/forget", body, under_lock, patience=LONG)
    if options.json:
        print_json(done)
    else:
        _tell(phone, done)
    return 0 if any(done["erased"].values()) else 1


def _tell(phone: str, done: dict[str, Any]) -> None:
    erased = {table: count for table, count in done["erased"].items() if count}
    if not erased:
        print(f"nothing is known of {display(phone)}")
    else:
        print("erased in: " + ", ".join(f"{table} {count}" for table, count in erased.items()))
    if done["unfinished"]:
        print(
            f"{done['unfinished']} deliveries of these events are still owed and go out without it"
        )
    if done["discarded"]:
        print(f"{done['discarded']} deliveries of these events were discarded")
    if done["in_live_rules"]:
        print("the live rules name it: take it out of rules.yaml and its lists, then forget again")
    if not done["synced"]:
        print(
            "another program reads the journal, whose files may still hold it: forget again later"
        )
