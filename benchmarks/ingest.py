"""Webhooks taken: the relay's durable 200 with no delivery owed, against a bare aiohttp handler."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from benchmarks.yard import (
    Options,
    Row,
    Server,
    bare,
    listens,
    median,
    percentile,
    post_all,
    relay,
    rules,
    run,
    say,
)


async def load(server: Server, count: int) -> tuple[float, float]:
    """Webhooks a second, and the p99 of their answers."""
    listens(server)
    await post_all(server, range(200), 1)
    began = time.monotonic()
    took = await post_all(server, range(1_000, 1_000 + count), 1)
    return count / (time.monotonic() - began), percentile(took, 0.99)


def measure(options: Options) -> Sequence[Row]:
    ratios = []
    for _ in range(options.rounds):
        with relay(options, rules(1, 9, send=False)) as server:
            ours = asyncio.run(load(server, options.of(5_000, 200)))
        with bare() as server:
            theirs = asyncio.run(load(server, options.of(20_000, 500)))
        say(f"relay         {ours[0]:7.0f}/s  p99 {ours[1] * 1e3:6.1f} ms")
        say(f"bare aiohttp  {theirs[0]:7.0f}/s  p99 {theirs[1] * 1e3:6.1f} ms")
        ratios.append(ours[0] / theirs[0])
    what = "durable ingest against a bare aiohttp handler"
    return [Row(what, f"{median(ratios):.2f}", "0.40", "0.65")]


if __name__ == "__main__":
    run(measure)
