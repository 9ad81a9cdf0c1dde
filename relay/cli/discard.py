"""`relay discard`: give deliveries up, through the running relay or under its lock."""

from __future__ import annotations

from argparse import Namespace

from relay.cli.retry import put_right
from relay.settings import Settings
from relay.web.asked import Discard

STATES = ("pending", "parked", "dead")


async def run(options: Namespace, settings: Settings) -> int:
    """Give deliveries up; `relay retry` of their ids takes it back."""
    return await put_right(Discard, "discard", "discarded", STATES, options, settings)
