"""More than the relay can take: it answers 200 or 503, its memory is bounded, nothing is lost."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest

from relay.app import App, utc_now
from relay.deliveries import Cause
from relay.inbox import MOST_BYTES, MOST_IN_MEMORY, Inbox
from relay.journal import Filter
from relay.journal.sqlite.engine import open_journal
from relay.pipeline import owe
from relay.settings import Address, Settings
from relay.web.api import listed
from relay.web.asked import ROWS
from tests.client import partner, waba
from tests.conftest import RULES, Start
from tests.journal_suite import event, reading
from tests.needs import PATIENCE
from tests.raw import Raw, head
from tests.relay_process import TOKEN, RelayProcess

NUMBERS = iter(range(10_000_000))
IDLE, SLOW = 1_500, 150
"""Connections; a tenth to a third of what the plan names, as these run on two cores."""


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[RelayProcess]:
    """The real process, which sends nothing."""
    async with RelayProcess(tmp_path, RULES, options=["--sandbox"]) as process:
        yield process


def resident(relay: RelayProcess) -> int:
    """Bytes of memory that the process has."""
    assert relay.process
    pages = Path(f"/proc/{relay.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


def address(relay: RelayProcess) -> Address:
    return Address("127.0.0.1", int(relay.url.rpartition(":")[2]))


async def flood(relay: RelayProcess, senders: int, each: int) -> list[int]:
    """All answers to so many senders, each as fast as it can, so many times."""

    async def send() -> list[int]:
        bodies = ({"event": "APPROVED", "n": next(NUMBERS)} for _ in range(each))
        posts = (waba("message_template_status_update", body) for body in bodies)
        return [(await relay.post(post))[0] for post in posts]

    answers = await asyncio.gather(*(send() for _ in range(senders)))
    return [status for one in answers for status in one]


async def test_a_flood_is_answered_with_200_or_503_and_every_200_is_kept(
    relay: RelayProcess,
) -> None:
    await flood(relay, 10, 20)
    before = resident(relay)
    kept = (await relay.api("/api/status"))["events"]["received"]
    statuses = await flood(relay, 100, 8)
    assert set(statuses) <= {200, 503}
    assert resident(relay) - before < 100_000_000
    status = await relay.api("/api/status")
    assert status["events"]["received"] == kept + statuses.count(200)
    async with asyncio.timeout(PATIENCE):
        while (await relay.api("/api/status"))["events"]["unrouted"]:
            await asyncio.sleep(0.05)


async def test_idle_and_slow_senders_hurt_no_real_one_and_are_cut_off(
    relay: RelayProcess,
) -> None:
    before = resident(relay)
    async with AsyncExitStack() as stack:
        idle = []
        for n in range(0, IDLE, 250):
            idle += await asyncio.gather(
                *(stack.enter_async_context(Raw(address(relay))) for _ in range(n, n + 250))
            )
        slow = [await stack.enter_async_context(Raw(address(relay))) for _ in range(SLOW)]
        drips = [asyncio.create_task(drip(one, n)) for n, one in enumerate(slow)]
        assert set(await flood(relay, 10, 20)) == {200}
        assert resident(relay) - before < 150_000_000
        async with asyncio.timeout(PATIENCE):
            while any(one.is_open for one in idle):
                await asyncio.sleep(0.1)
        answers = await asyncio.gather(*drips)
        assert set(answers) <= {408, 0}
    assert (await relay.post(partner(1)))[0] == 200


async def drip(sender: Raw, number: int) -> int:
    """One byte now and then, of a head or of a body; the status in the end."""
    body = b"x" * 500
    text = head(length=500, more=f"Authorization: {TOKEN}\r\n").encode()
    sent = text + body if number % 2 else text[: len(text) // 2]
    answer = asyncio.create_task(sender.status())
    await sender.say(sent[: len(text) if number % 2 else 5])
    for byte in sent[len(text) if number % 2 else 5 :]:
        done, _ = await asyncio.wait([answer], timeout=0.5)
        if done:
            break
        try:
            await sender.say(bytes([byte]))
        except ConnectionError:
            break
    return await answer


async def test_a_loop_that_was_held_up_shows_and_loses_nothing(start: Start) -> None:
    client = await start()
    await client.post(partner(1))
    time.sleep(0.8)  # noqa: ASYNC251  the fault that is tested
    assert (await client.post(partner(2)))[0] == 200

    async def lag() -> float:
        lines = (await client.get("/metrics"))[1].splitlines()
        return float(next(one for one in lines if one.startswith("relay_loop_lag")).split()[1])

    async with asyncio.timeout(PATIENCE):
        while await lag() < 0.2:
            await asyncio.sleep(0.05)
    assert {one["state"] for one in await client.settled()} == {"delivered"}


async def test_a_hundred_thousand_waiting_deliveries_are_no_burden_at_start(folder: Path) -> None:
    settings = Settings(
        rules=folder / "rules.yaml",
        templates=folder / "message_templates",
        journal=f"sqlite:///{folder / 'relay.db'}",
        listen=Address("127.0.0.1", 0),
        sandbox=True,
        admin_token="admin",
    )
    app = await App.start(settings)
    support = app.worker.plan.destinations["support"]
    await app.stop()
    then = utc_now() - timedelta(minutes=10)
    store = await open_journal(settings.journal, now=then)
    await store.journal.append(reading("a"), now=then)
    owed = owe(event("a"), support, cause=Cause.RULE, now=then, version=1)
    await store.journal.owe([replace(owed, failures=1)], now=then)
    await store.journal.close()
    multiply(folder / "relay.db", 100_000)
    before = own_memory()
    app = await App.start(settings)
    try:
        async with asyncio.timeout(PATIENCE):
            while len(await app.store.records.deliveries(Filter(state="delivered"))) < 5:
                await asyncio.sleep(0.02)
        sent = await app.store.records.deliveries(Filter(state="delivered"))
        order = sorted(sent, key=lambda one: one.attempts[0].at)
        assert [one.delivery.due_at for one in order] == [
            then + timedelta(microseconds=n) for n in range(len(order))
        ]
        assert own_memory() - before < 60_000_000
    finally:
        await app.stop(grace=0)


def multiply(journal: Path, count: int) -> None:
    """Make so many deliveries of the one that there is, each due a little later."""
    connection = apsw.Connection(str(journal))
    columns = [name for _, name, *_ in connection.execute("PRAGMA table_info(deliveries)")]
    own = {"seq": "d.seq + n", "id": "'copy ' || n", "due_at": "d.due_at + n"}
    connection.execute(
        "WITH RECURSIVE counted(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counted WHERE n < ?)"
        f" INSERT INTO deliveries ({', '.join(columns)})"
        f" SELECT {', '.join(own.get(name, 'd.' + name) for name in columns)}"
        " FROM deliveries AS d, counted",
        (count,),
    )
    connection.close()


def own_memory() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_what_is_handed_over_in_memory_is_bounded_by_number_and_by_size() -> None:
    class Nothing:
        asked = 0

        async def unrouted(self, _limit: int) -> list[Any]:
            self.asked += 1
            return []

    class Store:
        records = Nothing()

    async def filled(count: int, size: int) -> int:
        inbox, store = Inbox(), Store()
        await inbox.take(store)  # type: ignore[arg-type]
        for n in range(count):
            inbox.put([event(str(n))], size)
        held = 0
        while taken := await inbox.take(store):  # type: ignore[arg-type]
            held += len(taken)
        return held

    assert await filled(10, 100) == 10
    assert await filled(MOST_IN_MEMORY + 10, 0) == MOST_IN_MEMORY
    assert await filled(10, MOST_BYTES // 4) == 4


async def test_a_list_of_all_is_written_beside_the_loop_that_takes_webhooks() -> None:
    threads = set()

    def shape(number: int) -> dict[str, int]:
        threads.add(threading.get_ident())
        return {"id": number}

    for count in (0, 2, ROWS + 1):
        answer = await listed("events", shape, range(count))
        assert answer.text is not None
        assert json.loads(answer.text) == {"events": [{"id": number} for number in range(count)]}
        assert (threading.get_ident() in threads) is (0 < count <= ROWS)
        threads.clear()
