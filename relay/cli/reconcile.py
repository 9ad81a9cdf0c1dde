"""`relay reconcile`: what came in, against what has become of it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping
from datetime import UTC, datetime

from relay.cli.conditions import parse_since
from relay.cli.looking import looking
from relay.cli.output import clean, print_json, progress
from relay.journal.balance import Day
from relay.settings import Settings
from relay.web.shapes import balance_json


async def run(options: Namespace, settings: Settings) -> int:
    """Show the balance of each day; 1 if something does not add up, and what."""
    since = parse_since(options.since, datetime.now(UTC)) if options.since else None
    async with looking(settings) as records:
        with progress("counting events and deliveries"):
            balance = await records.balance(since)
    if options.json:
        print_json(balance_json(balance))
        return 0 if balance.balanced else 1
    for day in balance.days:
        _print(str(day.day), day)
    _print("total", balance.total())
    if balance.balanced:
        print("it balances: every event and every delivery is accounted for")
        return 0
    for fault in balance.faults:
        print(f"relay: it does not balance: {clean(fault)}", file=sys.stderr)
    return 1


def _print(name: str, day: Day) -> None:
    mark = "=" if not day.faults else "≠"
    beside = ", ".join(f"{tally} {count}" for tally, count in day.tallies.items())
    print(f"{name:<11} received {day.received:>6} {mark} {_sum(day.events)}")
    print(f"{'':<11} owed     {day.owed:>6} {mark} {_sum(day.deliveries)}")
    print(f"{'':<11} beside: {beside}; for alarms and tests {day.own}")


def _sum(counts: Mapping[str, int]) -> str:
    return " + ".join(f"{clean(state)} {count}" for state, count in counts.items())
