"""`relay backup`, `relay forget` and `relay quarantine`: looking after the store."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from argparse import Namespace
from datetime import datetime
from pathlib import Path
from typing import Any

from relay.cli.conditions import asked_of
from relay.cli.control import agreed, change
from relay.cli.output import cell, clean, console, print_json, print_json_lines, table, when
from relay.errors import RelayError, UsageError
from relay.events import from_iso
from relay.journal import Journal
from relay.journal.sqlite.backup import back_up
from relay.journal.sqlite.engine import open_records
from relay.phones import display, normalise
from relay.settings import Settings
from relay.shapes import forgotten_json, quarantined_json
from relay.web.asked import Quarantine

LONG = 3600.0
"""Seconds: a large journal is looked through row by row."""


async def backup(options: Namespace, settings: Settings) -> int:
    """Copy the journal, also while a relay serves it."""
    path = Path(options.file)
    copied = await asyncio.to_thread(back_up, settings.journal, path, replace=options.force)
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
    unfinished = sum(copied.deliveries.get(s, 0) for s in ("pending", "claimed", "parked", "dead"))
    print(
        f"{copied.path}: {copied.size} bytes, {copied.received} events, {copied.owed} deliveries,"
        f" {unfinished} of them unfinished; the copy was checked and is whole"
    )
    if not copied.balanced:
        print("relay: its counts do not balance; `relay reconcile` says what", file=sys.stderr)
    return 0


async def forget(options: Namespace, settings: Settings) -> int:
    """Erase a number; 1 if nothing was known of it."""
    phone = normalise(options.phone)
    if phone is None:
        raise UsageError(
            f'--phone: "{clean(options.phone)}" is no number with its country, like +49 171…'
        )
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


async def quarantine(options: Namespace, settings: Settings) -> int:
    """List what could not be read; with an id, show one body, which is recorded."""
    if options.id is not None:
        return await _look(options, settings)
    wanted = asked_of(Quarantine, options)
    records = open_records(settings.journal)
    try:
        found = await records.quarantined(wanted.since, wanted.limit)
    finally:
        await records.close()
    if options.json:
        print_json_lines(quarantined_json(one) for one in found)
        return 0
    if not found:
        print("nothing is in quarantine" + (" since then" if wanted.since else ""))
        return 0
    rows = table("id", "came (UTC)", "route", "size", "body", "sha256", "reason")
    for one in found:
        kept = "kept" if one.kept else "gone or private"
        cells = (one.route or "", str(one.size), kept, one.sha256[:16], one.reason)
        rows.add_row(str(one.id), when(one.at), *(cell(c) for c in cells))
    console().print(rows)
    return 0


async def _look(options: Namespace, settings: Settings) -> int:
    if options.since or options.limit:
        raise UsageError("--since and --limit are for the list, not for one id")
    if not (options.id.isascii() and options.id.isdecimal() and len(options.id) < 19):
        raise UsageError(f'"{clean(options.id)}" is no id; `relay quarantine` lists them')
    item = int(options.id)

    async def under_lock(journal: Journal, now: datetime, who: str) -> dict[str, Any]:
        found = await journal.look_at(item, now=now, who=who)
        if found is None:
            raise RelayError("nothing in quarantine has this id")
        return quarantined_json(found, body=True)

    shape = await change(settings, f"/api/quarantine/{item}/look", {}, under_lock)
    if options.json:
        print(json.dumps(shape))
        return 0
    came = when(from_iso(shape["at"]))
    print(f"{shape['id']}  {came} UTC  {clean(shape['route'])}  {shape['size']} bytes")
    print(f"reason: {clean(shape['reason'])}")
    print(f"sha256: {shape['sha256']}")
    if shape["body_base64"] is None:
        print("its body is not kept: it looked private, or it is older than 14 days")
    else:
        print(visible(base64.b64decode(shape["body_base64"])))
    return 0


def visible(body: bytes) -> str:
    """Bytes as a text in which nothing can steer a terminal or hide; line breaks stay."""
    text = body.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
    return "".join(
        char if char.isprintable() or char == "\n" else char.encode("unicode_escape").decode()
        for char in text
    )
