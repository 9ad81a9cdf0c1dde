"""Long runs: a relay at its rate with a fault every few seconds; retention beside intake."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp

from relay.events import event_id
from relay.journal import EventState, Routing, Store
from relay.journal.sqlite.engine import open_journal
from relay.worker.loops import prune_all
from tests.client import partner
from tests.crashes import RULES, event_id_of, look
from tests.fakes.http import DROP_AFTER, DROP_BEFORE, STALL, Reply
from tests.fakes.slack import FakeSlack, error
from tests.journal_suite import NOW, owe, owed, reading, route_one
from tests.judge import Judge
from tests.relay_process import RelayProcess
from tests.torture import size

SECONDS = size("RELAY_SOAK_SECONDS", 600)
A_SECOND = size("RELAY_SOAK_RATE", 20)
"""Webhooks a second: many times what a partner with a thousand numbers gets."""
EVERY = 5.0
"""Seconds between two faults."""
LONG = 0.25
"""Seconds; a step of retention holds the writer for some 20 ms, on a busy machine for more."""
ROWS = size("RELAY_RETENTION_ROWS", 100_000)

FAULTS: Mapping[str, Reply] = {
    "answers 503": Reply(503, "try later"),
    "loses answers": DROP_AFTER,
    "refuses connections": DROP_BEFORE,
    "asks to wait": Reply(429, "", {"Retry-After": "1"}),
    "is gone": error("channel_not_found"),
    "stalls": STALL,
}


@dataclass
class Gauges:
    """What must not grow: looked at now and then, by run of the relay."""

    memory: list[list[int]] = field(default_factory=list)
    """Kilobytes."""
    handles: list[list[int]] = field(default_factory=list)

    def begin(self) -> None:
        self.memory.append([])
        self.handles.append([])

    def look(self, relay: RelayProcess) -> None:
        assert relay.process
        here = Path(f"/proc/{relay.process.pid}")
        (line,) = [one for one in (here / "status").read_text().splitlines() if "VmRSS" in one]
        self.memory[-1].append(int(line.split()[1]))
        self.handles[-1].append(len(list((here / "fd").iterdir())))


async def test_a_long_run_with_a_fault_every_few_seconds(tmp_path: Path) -> None:
    """H2: flat memory, handles and WAL, and no violation."""
    chance = random.Random(1)
    acknowledged: set[str] = set()
    gauges, judge = Gauges(), Judge()
    numbers = itertools.count(1)
    kills = 0
    async with FakeSlack() as slack:
        relay = RelayProcess(tmp_path, RULES.format(slack=slack))
        async with relay:
            gauges.begin()

            async def send() -> None:
                while True:
                    body = partner(next(numbers))
                    try:
                        if (await relay.post(body))[0] == 200:
                            acknowledged.add(event_id_of(body))
                    except (aiohttp.ClientError, OSError, TimeoutError):
                        pass
                    await asyncio.sleep(4 / A_SECOND)

            senders = [asyncio.create_task(send()) for _ in range(4)]
            end = time.monotonic() + SECONDS
            while time.monotonic() < end:
                name = chance.choice(["kill", "stop", *FAULTS])
                place = chance.choice(["#support", "#sales", None])
                if name in FAULTS:
                    slack.always(FAULTS[name], place)
                elif name == "kill":
                    kills += 1
                    await relay.kill()
                else:
                    await relay.stop()
                await asyncio.sleep(EVERY / 2)
                if name in FAULTS:
                    slack.always(None, place)
                else:
                    await relay.start()
                    gauges.begin()
                gauges.look(relay)
                await asyncio.sleep(EVERY / 2)
                gauges.look(relay)
            for sender in senders:
                sender.cancel()
            await asyncio.gather(*senders, return_exceptions=True)
            await relay.api("/api/status")
            async with asyncio.timeout(1_200):
                while True:
                    counts = (await relay.api("/api/status"))["deliveries"]
                    if not counts["pending"] + counts["claimed"] + counts["parked"]:
                        break
                    await asyncio.sleep(1)
            wal = relay.journal.with_name("relay.db-wal").stat().st_size
            await relay.stop()
            found = await look(relay, slack, acknowledged, judge, at_rest=True)
        memory = max(itertools.chain(*gauges.memory))
        print(
            f"\n{SECONDS} s: {len(acknowledged)} acknowledged, {len(slack.posts)} received, "
            f"{kills} kills, {len(found)} violations; memory {memory // 1024} MB at most, "
            f"{max(itertools.chain(*gauges.handles))} handles, WAL {wal // 1024} KB, "
            f"{relay.journal.stat().st_size // max(1, len(acknowledged))} bytes an event"
        )
    assert found == []
    assert memory < 200 * 1024
    assert max(itertools.chain(*gauges.handles)) < 100
    assert wal < 70 * 2**20


async def test_retention_runs_beside_intake(tmp_path: Path) -> None:
    """A13, scaled down: nobody waits long for a 200 meanwhile, and unfinished work stays."""
    store = await open_journal(f"sqlite:///{tmp_path}/relay.db", now=NOW)
    await owe(store, owed("pending"))
    for first in range(0, ROWS, 500):
        names = [f"old {n}" for n in range(first, min(first + 500, ROWS))]
        await store.journal.append(reading(*names), now=NOW)
        finished = Routing(EventState.UNMATCHED, (), rules_version=1)
        await asyncio.gather(
            *(route_one(store, event_id(name), finished, now=NOW) for name in names)
        )
    later = NOW + timedelta(days=100)
    before = await _p99(store, "before", 4)
    pruning = asyncio.create_task(prune_all(store.journal, now=later, keep=timedelta(days=90)))
    during = []
    while not pruning.done():
        during.append(await _p99(store, f"during {len(during)}", 1))
    pruned = await pruning
    worst = sorted(during)[len(during) // 2]
    print(f"\n{pruned.events} of {ROWS} events removed; p99 {before:.4f} s, then {worst:.4f} s")
    assert pruned.events == ROWS
    assert worst < max(2 * before, LONG)
    status = await store.records.status(now=later)
    assert status.deliveries["pending"] == 1
    await store.journal.close()


async def _p99(store: Store, name: str, seconds: float) -> float:
    times = []
    end = time.monotonic() + seconds
    at = NOW + timedelta(days=100)
    while time.monotonic() < end:
        started = time.monotonic()
        await store.journal.append(reading(f"{name} {len(times)}", received_at=at), now=at)
        times.append(time.monotonic() - started)
    return sorted(times)[len(times) * 99 // 100]
