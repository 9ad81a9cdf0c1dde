"""POST to target, open loop: 50 and 200 events a second against Alertmanager, and a slow target."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from benchmarks import yard
from benchmarks.yard import Options, Row, Server

LANES = 50
SLOW = 1.0


async def load(
    server: Server, target: Server, rate: int, seconds: float, lanes: int, warm: int = 200
) -> tuple[float, float]:
    """The p50 and p99 in ms from when an event was due to be posted until it is at the target."""
    await server.up()
    await yard.post_all(server, range(warm), lanes)
    await yard.arrived(target, range(warm))
    numbers = range(1_000, 1_000 + int(rate * seconds))
    due = await yard.post_at(server, numbers, lanes, rate)
    came = await yard.arrived(target, numbers)
    took = [1e3 * (came[word] - due[word]) for word in due]
    return yard.percentile(took, 0.5), yard.percentile(took, 0.99)


def at_rate(options: Options, rate: int) -> Row:
    seconds = options.of(15, 1)
    ratios = []
    for _ in range(options.rounds):
        with yard.slack() as target, yard.relay(options, yard.rules(LANES, target.port)) as server:
            ours = asyncio.run(load(server, target, rate, seconds, LANES))
        yard.say(f"relay         {rate}/s  p50 {ours[0]:8.1f}  p99 {ours[1]:8.1f} ms")
        if yard.ALERTMANAGER:
            with yard.slack() as target, yard.alertmanager(LANES, target.port) as server:
                theirs = asyncio.run(load(server, target, rate, seconds, LANES))
            yard.say(f"Alertmanager  {rate}/s  p50 {theirs[0]:8.1f}  p99 {theirs[1]:8.1f} ms")
            ratios.append(ours[1] / theirs[1])
    found = f"{yard.median(ratios):.1f}" if ratios else f"{ours[1]:.0f} ms (no Alertmanager here)"
    return Row(f"POST to target at {rate}/s, p99, against Alertmanager", found, "3", "1.2")


def slow_target(options: Options) -> Row:
    took = []
    for _ in range(options.rounds):
        with (
            yard.slack(SLOW) as target,
            yard.relay(options, yard.rules(100, target.port)) as server,
        ):
            ours = asyncio.run(load(server, target, 50, options.of(15, 2), 100, warm=2))
        # From the post to the target's answer: to its arrival there, and the time that it takes.
        took.append(ours[1] / 1e3 + SLOW)
        yard.say(f"relay, slow target: p50 {ours[0] / 1e3 + SLOW:.3f}  p99 {took[-1]:.3f} s")
    what = "a target that takes 1 s, 50 events/s over 100 lanes in turn, p99 to its answer"
    return Row(what, f"{yard.median(took):.2f} s", "1.2 s", "1.05 s")


def measure(options: Options) -> Sequence[Row]:
    return [at_rate(options, 50), at_rate(options, 200), slow_target(options)]


if __name__ == "__main__":
    yard.run(measure)
