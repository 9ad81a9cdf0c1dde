"""End to end at full load: webhooks in, Slack messages out, 50 lanes, against Alertmanager."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from benchmarks import yard
from benchmarks.yard import Options, Row, Server

LANES = 50


async def load(server: Server, target: Server, count: int, start: int = 0) -> tuple[float, float]:
    """Events a second, and seconds of processor time for an event, after a short warm-up."""
    await server.up()
    warm = range(start, start + 200)
    await yard.post_all(server, warm, LANES)
    await yard.arrived(target, warm)
    numbers = range(start + 1_000, start + 1_000 + count)
    cpu, began = server.cpu(), time.monotonic()
    await yard.post_all(server, numbers, LANES)
    last = max((await yard.arrived(target, numbers)).values())
    return count / (last - began), (server.cpu() - cpu) / count


def measure(options: Options) -> Sequence[Row]:
    count = options.of(5_000, 200)
    fast, light = [], []
    for _ in range(options.rounds):
        with yard.slack() as target, yard.relay(options, yard.rules(LANES, target.port)) as server:
            ours = asyncio.run(load(server, target, count))
        yard.say(
            f"relay         {ours[0]:7.0f} events/s  {ours[1] * 1e3:6.2f} ms of processor time each"
        )
        if not yard.ALERTMANAGER:
            continue
        with yard.slack() as target, yard.alertmanager(LANES, target.port) as server:
            theirs = asyncio.run(load(server, target, count))
        yard.say(f"Alertmanager  {theirs[0]:7.0f} events/s  {theirs[1] * 1e3:6.2f} ms")
        fast.append(ours[0] / theirs[0])
        light.append(ours[1] / theirs[1])
    if not fast:
        return [Row("events end to end", f"{ours[0]:.0f}/s (no Alertmanager here)")]
    return [
        Row(
            "events end to end against Alertmanager, 50 Slack lanes",
            f"{yard.median(fast):.2f}",
            "1.0",
            "1.2",
        ),
        Row(
            "processor time for an event against Alertmanager",
            f"{yard.median(light):.2f}",
            "1.0",
            "0.6",
        ),
    ]


if __name__ == "__main__":
    yard.run(measure)
