"""A burst of 50,000 events into 500 lanes: how long until the last is told, and what it leaves."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from benchmarks import yard
from benchmarks.yard import Options, Row, Server

LANES = 500


async def load(server: Server, target: Server, count: int) -> tuple[float, float, float]:
    """Seconds until all are taken and until all arrived; the memory in MB then."""
    await server.up()
    numbers = range(count)
    began = time.monotonic()
    await yard.post_all(server, numbers, LANES)
    taken = time.monotonic() - began
    last = max((await yard.arrived(target, numbers)).values())
    return taken, last - began, server.memory()


def measure(options: Options) -> Sequence[Row]:
    count = options.of(50_000, 1_000)
    times, memory = [], []
    for _ in range(options.rounds):
        with yard.slack() as target, yard.relay(options, yard.rules(LANES, target.port)) as server:
            taken, told, held = asyncio.run(load(server, target, count))
        yard.say(f"{count:,} taken in {taken:.1f} s, told in {told:.1f} s; {held:.0f} MB")
        times.append(told)
        memory.append(held)
    return [
        Row(
            f"a burst of {count:,} into {LANES} lanes, until the last is told",
            f"{yard.median(times):.0f} s",
        ),
        Row("memory after a burst", f"{yard.median(memory):.0f} MB", "120 MB", "80 MB"),
    ]


if __name__ == "__main__":
    yard.run(measure)
