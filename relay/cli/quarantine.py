"""`relay quarantine`: what could not be read."""

from __future__ import annotations

import base64
import json
from argparse import Namespace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from relay.cli.conditions import asked_of
from relay.cli.control import change
from relay.cli.looking import looking, zone_of
from relay.cli.output import cell, clean, listing, print_json_lines, when
from relay.errors import RelayError, UsageError
from relay.events import from_iso
from relay.journal import Journal
from relay.journal.care import Quarantined
from relay.settings import Settings
from relay.web.asked import Quarantine
from relay.web.shapes import quarantined_json


async def run(options: Namespace, settings: Settings) -> int:
    """List what could not be read; with an id, show one body, which is recorded."""
    if options.id is not None:
        return await _look(options, settings)
    wanted = asked_of(Quarantine, options)
    async with looking(settings) as records:
        found = await records.quarantined(wanted.since, wanted.limit)
        zone = await zone_of(records, settings)
    if options.json:
        print_json_lines(quarantined_json(one) for one in found)
        return 0
    if not found:
        print("nothing is in quarantine" + (" since then" if wanted.since else ""))
        return 0
    columns = ("id", f"came ({zone})", "route", "size", "body", "sha256", "reason")
    listing(columns, [_row(one, zone) for one in found])
    return 0


def _row(one: Quarantined, zone: ZoneInfo) -> tuple[str, ...]:
    kept = "kept" if one.kept else "gone or private"
    cells = (one.route or "", str(one.size), kept, one.sha256[:16], one.reason)
    return (str(one.id), when(one.at, zone), *(cell(text) for text in cells))


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
    async with looking(settings) as records:
        zone = await zone_of(records, settings)
    came = f"{when(from_iso(shape['at']), zone)} ({zone})"
    print(f"{shape['id']}  {came}  {clean(shape['route'])}  {shape['size']} bytes")
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
