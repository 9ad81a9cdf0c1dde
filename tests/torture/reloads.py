"""A minute of reloads, up to ten a second, with sixty webhooks a second beside them."""

from __future__ import annotations

import asyncio
import os
import resource
from pathlib import Path

from tests.client import partner
from tests.config.test_reload import OTHER, RULES, own_tasks, write
from tests.conftest import Start

SECONDS = float(os.environ.get("TORTURE_RELOAD_SECONDS", "60"))


async def test_a_minute_of_reloads_routes_every_event_once(start: Start, folder: Path) -> None:
    """No event unrouted or routed twice; no growth of tasks, handles or memory."""
    client = await start()
    loop = asyncio.get_running_loop()
    over = loop.time() + SECONDS
    sent, reloads = 0, 0

    async def send(first: int) -> None:
        nonlocal sent
        number = first
        while loop.time() < over:
            assert (await client.post(partner(number)))[0] == 200
            number += 10
            sent += 1
            await asyncio.sleep(0.05)

    async def swap() -> None:
        nonlocal reloads
        while loop.time() < over:
            write(folder, OTHER if reloads % 2 else RULES)
            assert (await client.api("/api/reload", "POST"))[0] == 200
            reloads += 1
            await asyncio.sleep(0.1)

    def handles() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    await asyncio.gather(*(client.api("/api/status") for _ in range(8)))
    tasks, files = own_tasks(), handles()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await asyncio.gather(*(send(first) for first in range(1, 4)), swap())
    status = await client.until(
        "/api/status",
        lambda shape: shape["events"]["unrouted"] == 0 and not shape["deliveries"]["pending"],
    )
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(f"{reloads} reloads, {sent} events, {grown} KiB more memory")
    assert status["events"]["routed"] == status["events"]["received"] == sent
    assert sum(status["deliveries"].values()) == sent
    assert own_tasks() <= tasks + 1  # the lane of the other destination
    assert handles() <= files + 6
    assert grown < 64 * 1024
