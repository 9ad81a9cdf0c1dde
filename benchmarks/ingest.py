"""Webhooks taken: the relay's durable 200 with no delivery owed, against a bare aiohttp handler."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from benchmarks import yard
from benchmarks.yard import Options, Row, Server


async def load(server: Server, count: int) -> tuple[float, float]:
    """Webhooks a second, and the p99 of their answers."""
    yard.listens(server)
    await yard.post_all(server, range(200), 1)
    began = time.monotonic()
    took = await yard.post_all(server, range(1_000, 1_000 + count), 1)
    return count / (time.monotonic() - began), yard.percentile(took, 0.99)


def measure(options: Options) -> Sequence[Row]:
    ratios = []
    for _ in range(options.rounds):
        with yard.relay(options, yard.rules(1, 9, send=False)) as server:
            ours = asyncio.run(load(server, options.of(5_000, 200)))
        with yard.bare() as server:
            theirs = asyncio.run(load(server, options.of(20_000, 500)))
        yard.say(f"relay         {ours[0]:7.0f}/s  p99 {ours[1] * 1e3:6.1f} ms")
        yard.say(f"bare aiohttp  {theirs[0]:7.0f}/s  p99 {theirs[1] * 1e3:6.1f} ms")
        ratios.append(ours[0] / theirs[0])
    what = "durable ingest against a bare aiohttp handler"
    return [Row(what, f"{yard.median(ratios):.2f}", "0.40", "0.65")]


if __name__ == "__main__":
    yard.run(measure)
