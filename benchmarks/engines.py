"""The journal in PostgreSQL against the file, and two relays against one, end to end in one run."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks import yard
from benchmarks.yard import Options, Row, Server
from tests.postgres import Cluster, why_not

LANES = 50


async def load(servers: Sequence[Server], target: Server, count: int) -> tuple[float, float]:
    """Events a second, and seconds of processor time for an event, after a short warm-up."""
    for server in servers:
        await server.up("/readyz")

    async def post(numbers: Sequence[int]) -> None:
        parts = [numbers[place :: len(servers)] for place in range(len(servers))]
        posts = [yard.post_all(*each, LANES) for each in zip(servers, parts, strict=True)]
        await asyncio.gather(*posts)

    warm, numbers = range(200), range(1_000, 1_000 + count)
    await post(warm)
    await yard.arrived(target, warm)
    cpu, began = sum(server.cpu() for server in servers), time.monotonic()
    await post(numbers)
    last = max((await yard.arrived(target, numbers)).values())
    return count / (last - began), (sum(server.cpu() for server in servers) - cpu) / count


@contextmanager
def relays(
    options: Options, cluster: Cluster | None, count: int, port: int
) -> Iterator[list[Server]]:
    """So many relays on a new database of the cluster; without one, on a file."""
    journal = [] if cluster is None else ["--journal", cluster.url(cluster.fresh())]
    with ExitStack() as stack:
        rules = yard.rules(LANES, port)
        yield [
            stack.enter_context(yard.relay(options, rules, None, *journal)) for _ in range(count)
        ]


def measure(options: Options) -> Sequence[Row]:
    if (reason := why_not()) is not None:
        yard.say(reason)
        return []
    count = options.of(5_000, 200)
    rates: dict[str, list[float]] = {"file": [], "one relay": [], "two relays": []}
    with Cluster(durable=True).create() as cluster:
        for _ in range(options.rounds):
            for name, place, number in (
                ("file", None, 1),
                ("one relay", cluster, 1),
                ("two relays", cluster, 2),
            ):
                with (
                    yard.slack() as target,
                    relays(options, place, number, target.port) as servers,
                ):
                    rate, cpu = asyncio.run(load(servers, target, count))
                yard.say(
                    f"{name:<10} {rate:6.0f} events/s  {cpu * 1e3:5.2f} ms of processor time each"
                )
                rates[name].append(rate)
    one = [a / b for a, b in zip(rates["one relay"], rates["file"], strict=True)]
    two = [a / b for a, b in zip(rates["two relays"], rates["one relay"], strict=True)]
    return [
        Row("events end to end in PostgreSQL against the file", f"{yard.median(one):.2f}", "0.5"),
        Row("two relays on a database against one", f"{yard.median(two):.2f}", "1.0"),
    ]


if __name__ == "__main__":
    yard.run(measure)
