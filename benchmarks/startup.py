"""From `serve`, files unchanged, to the first 200 and to that event at its target.

The measure is the time that `python -c "import aiohttp, pydantic, jinja2, rich"` takes beside it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from benchmarks import yard
from benchmarks.commands import imports
from benchmarks.yard import Options, Row, Server


async def taken(server: Server, number: int, lane: int) -> float:
    """Seconds from its start until an event was taken."""
    request = server.request(number, lane)
    while server.alive():
        try:
            connection = await yard.connect(server.port)
            answer = await connection.ask(request)
        except OSError:
            await asyncio.sleep(0.002)
            continue
        connection.transport.close()
        if answer.startswith(b"HTTP/1.1 200"):
            break
    return time.monotonic() - server.began


async def first(server: Server, target: Server, number: int, lanes: int) -> tuple[float, float]:
    """Seconds from its start until an event was taken, and until it was told."""
    seconds = await taken(server, number, number % lanes)
    told = await yard.arrived(target, range(number, number + 1))
    return seconds, told[f"ev{number:07}"] - server.began


def measure(options: Options) -> Sequence[Row]:
    soon, told, many = [], [], []
    lanes = options.of(1_000, 20)
    with yard.slack() as target, yard.folder() as small, yard.folder() as large:
        for home, count in ((small, 1), (large, lanes)):
            (home / "rules.yaml").write_text(yard.rules(count, target.port, hooks=True))
            server = yard.serve(options, home)
            try:
                asyncio.run(server.up())
                asyncio.run(first(server, target, count, count))
            finally:
                server.stop()
        for turn in range(options.rounds):
            found = []
            unit = imports(options).wall
            for home, count, number in ((small, 1, 10_000 + turn), (large, lanes, 20_000 + turn)):
                server = yard.serve(options, home)
                try:
                    found.append(asyncio.run(first(server, target, number, count)))
                finally:
                    server.stop()
            (one, one_told), (all_, all_told) = found
            yard.say(
                f"imports {unit:.2f} s; 1 rule: taken {one:.2f}, told {one_told:.2f} s; ", end=""
            )
            yard.say(f"{lanes} rules: taken {all_:.2f}, told {all_told:.2f} s")
            soon.append(one / unit)
            told.append(one_told / unit)
            many.append(all_told / one_told)
    return [
        Row("`serve` to the first 200 against the imports", f"{yard.median(soon):.1f}", "2", "1.3"),
        Row(
            "`serve` to that event at the target against the imports",
            f"{yard.median(told):.1f}",
            "3",
            "2",
        ),
        Row(
            "start with 1,000 rules and destinations against 1",
            f"{yard.median(many):.2f}",
            "1.5",
            "1.2",
        ),
    ]


if __name__ == "__main__":
    yard.run(measure)
