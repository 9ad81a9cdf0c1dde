"""`relay retry` and `relay discard`: through the running relay, or under its lock."""

from __future__ import annotations

import getpass
from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from relay.cli.asking import ask_relay
from relay.cli.listing import EVERYTHING, wanted
from relay.errors import UsageError
from relay.events import iso
from relay.journal import Filter
from relay.journal.sqlite.connection import journal_path
from relay.journal.sqlite.engine import open_journal
from relay.settings import Settings


async def retry(options: Namespace, settings: Settings) -> int:
    """Put dead or parked deliveries back."""
    return await _change("retry", "retried", options, settings)


async def discard(options: Namespace, settings: Settings) -> int:
    """Give deliveries up for good."""
    return await _change("discard", "discarded", options, settings)


async def _change(verb: str, done: str, options: Namespace, settings: Settings) -> int:
    ids = tuple(options.ids) or None
    if options.limit is None:
        options.limit = EVERYTHING
    asked = wanted(options, ids)
    conditions = (asked.state, asked.kind, asked.phone, asked.client, asked.destination)
    if ids is None and not any(conditions) and asked.since is None:
        raise UsageError(f"say which deliveries to {verb}: ids, or a filter such as --state dead")
    count = await _through_relay(verb, done, asked, settings)
    if count is None:
        count = await _under_lock(verb, asked, settings)
    print(f"{done}: {count}")
    return 0 if count else 1


async def _through_relay(verb: str, done: str, asked: Filter, settings: Settings) -> int | None:
    """The number of changed deliveries; None where no relay serves."""
    body: dict[str, Any] = {
        "ids": list(asked.ids) if asked.ids else None,
        "state": asked.state,
        "kind": asked.kind,
        "phone": asked.phone,
        "client": asked.client,
        "destination": asked.destination,
        "since": iso(asked.since) if asked.since else None,
    }
    given = {key: value for key, value in body.items() if value is not None}
    shape = await ask_relay(settings, f"/api/deliveries/{verb}", given)
    return None if shape is None else int(shape[done])


async def _under_lock(verb: str, asked: Filter, settings: Settings) -> int:
    if not journal_path(settings.journal).exists():
        raise UsageError(f"there is no journal at {settings.journal}")
    now = datetime.now(UTC)
    store = await open_journal(settings.journal, now=now)
    try:
        change = store.journal.retry if verb == "retry" else store.journal.discard
        return await change(asked, now=now, who=getpass.getuser())
    finally:
        await store.journal.close()
