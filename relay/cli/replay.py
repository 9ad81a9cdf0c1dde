"""`relay replay`: tell recorded events again, through the running relay or under its lock."""

from __future__ import annotations

import json
from argparse import Namespace
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from relay import reload, replay
from relay.cli.conditions import given_of, require_known
from relay.cli.control import agreed, ask_relay, opened
from relay.cli.looking import looking
from relay.cli.output import cell, listing, print_json
from relay.control import user
from relay.errors import UsageError
from relay.settings import Settings
from relay.web.asked import Replay, WrongRequestError, of_body

PATIENCE = 600.0
"""Seconds: each event of a long time is looked up."""
UNASKED = 10
"""So many messages need no question."""


async def run(options: Namespace, settings: Settings) -> int:
    """Show what is told again, ask where it is much, and do it; 1 if it is nothing."""
    body = given_of(Replay, options)
    try:
        wanted = of_body(Replay, json.dumps(body).encode(), mark="--")
    except WrongRequestError as error:
        raise UsageError(str(error)) from None
    if wanted.kind or wanted.destination:
        async with looking(settings) as records:
            await require_known(wanted, records, settings)
    found = await _replay(body, wanted, settings, dry_run=True)
    if not options.dry_run and found["replayed"]:
        if (
            found["replayed"] > UNASKED
            and not options.yes
            and not agreed(f"{_words(found)}. Do it?")
        ):
            print("nothing was replayed")
            return 1
        found = await _replay(body, wanted, settings, dry_run=False)
    if options.json:
        print_json(found)
    else:
        rows = [
            (one["event_id"][:8], cell(one["kind"]), cell(one["destination"]))
            for one in found.get("first", ())
        ]
        listing(("event", "kind", "destination"), rows)
        print(_words(found))
    return 0 if found["replayed"] else 1


async def _replay(
    body: Mapping[str, Any], wanted: Replay, settings: Settings, *, dry_run: bool
) -> dict[str, Any]:
    asked = {**body, "dry_run": dry_run}
    answer = await ask_relay(settings, "/api/replay", asked, patience=PATIENCE)
    if answer is not None:
        return answer
    plan = reload.show(settings).plan
    now = datetime.now(UTC)
    async with opened(settings, now) as store:
        newest = await store.records.rules()
        if newest is not None:
            plan = replace(plan, version=newest.version)
        owe = partial(store.journal.owe, now=now, who=user())
        found = await replay.tell(
            store.records,
            plan,
            wanted.filter(),
            now,
            to=wanted.to,
            again=wanted.again,
            record=None if dry_run else owe,
        )
    return found.to_json(dry_run=dry_run)


def _words(found: dict[str, Any]) -> str:
    """The counts in one sentence."""
    events = f"{found['events']} event" + ("" if found["events"] == 1 else "s")
    verb = "would be sent" if found["dry_run"] else "will be sent"
    who = ", ".join(f"{count} to {name}" for name, count in found["destinations"].items())
    parts = [f"{events}: {who} {verb}" if who else f"{events}: nothing {verb}"]
    if before := found["told_before"]:
        parts.append(f"{before} left out, told before (--again tells them too)")
    if unheard := found["unheard"]:
        parts.append(f"{unheard} of which the rules tell nobody")
    return "; ".join(parts)
