"""`relay retry`: put deliveries back, through the running relay or under its lock."""

from __future__ import annotations

import json
from argparse import Namespace
from datetime import UTC, datetime
from typing import Any

from relay.cli.conditions import given_of, require_known
from relay.cli.control import agreed, change
from relay.cli.looking import looking
from relay.errors import UsageError
from relay.journal import Journal
from relay.settings import Settings
from relay.web.asked import Discard, Retry, WrongRequestError, of_body


async def run(options: Namespace, settings: Settings) -> int:
    """Put dead or parked deliveries back, and discarded ones that are named."""
    return await put_right(Retry, "retry", "retried", ("dead", "parked"), options, settings)


async def put_right(
    model: type[Retry | Discard],
    verb: str,
    done: str,
    states: tuple[str, ...],
    options: Namespace,
    settings: Settings,
) -> int:
    """Run a verb over the deliveries that the options name; 1 if it changed none.

    `states` are those that it moves where all are meant.
    """
    body = given_of(model, options)
    try:
        wanted = of_body(model, json.dumps(body).encode(), mark="--")
    except WrongRequestError as error:
        raise UsageError(str(error)) from None
    if wanted.kind or wanted.destination:
        async with looking(settings) as records:
            await require_known(wanted, records, settings)
    if wanted.all and not options.yes and not await _agreed(verb, states, settings):
        print(f"nothing was {done}")
        return 1

    async def under_lock(journal: Journal, now: datetime, who: str) -> dict[str, Any]:
        move = journal.retry if verb == "retry" else journal.discard
        return {done: await move(wanted.filter(), now=now, who=who)}

    answer = await change(settings, f"/api/deliveries/{verb}", body, under_lock)
    print(f"{done}: {answer[done]}")
    return 0 if answer[done] else 1


async def _agreed(verb: str, states: tuple[str, ...], settings: Settings) -> bool:
    """Whether whoever sits there wants it for so many; nobody there is a no."""
    async with looking(settings) as records:
        counts = (await records.status(now=datetime.now(UTC))).deliveries
    found = ", ".join(f"{counts.get(state, 0)} {state}" for state in states)
    return agreed(f"{verb.capitalize()} all deliveries: {found}?")
