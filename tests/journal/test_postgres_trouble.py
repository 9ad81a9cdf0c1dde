"""The database in trouble: intake says so, nothing acknowledged is lost, all resumes by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests import postgres
from tests.fakes.line import Line
from tests.fleet import Fleet, a_fleet
from tests.needs import PATIENCE
from tests.relay_process import RelayProcess

pytestmark = pytest.mark.slow
GROWTH = 60_000
"""Kilobytes that a relay may take for what comes while the database is away."""


@pytest.fixture
def database() -> str:
    """A fresh one of the cluster that the tests share."""
    return postgres.cluster().fresh()


@pytest.fixture
async def line(database: str) -> AsyncIterator[Line]:
    async with Line(postgres.cluster().port) as line:
        yield line


@pytest.fixture
async def fleet(tmp_path: Path, database: str, line: Line) -> AsyncIterator[Fleet]:
    """One relay, which reaches its database over the line."""
    cluster = postgres.cluster()
    async with a_fleet(tmp_path, cluster.url(database, port=line.port), 1) as fleet:
        fleet.url = cluster.url(database)  # for who looks
        yield fleet


def memory(relay: RelayProcess) -> int:
    """Kilobytes that it holds."""
    assert relay.process
    status = Path(f"/proc/{relay.process.pid}/status").read_text()
    return int(next(row.split()[1] for row in status.splitlines() if row.startswith("VmRSS")))


async def ready(fleet: Fleet, wanted: bool) -> str:
    """Wait until `/readyz` says so; its body."""
    async with asyncio.timeout(PATIENCE):
        while True:
            status, body = await fleet.relays[0].get("/readyz")
            if (status == 200) is wanted:
                return body
            await asyncio.sleep(0.05)


async def all_is_well(fleet: Fleet) -> None:
    """It serves again, and no promise was broken."""
    await ready(fleet, True)
    await fleet.post("channel_live")
    await fleet.rest()
    assert await fleet.findings(at_rest=True) == []


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=pytest.mark.slow)])
async def test_while_the_database_is_gone_intake_says_503_and_then_all_goes_on(
    fleet: Fleet, line: Line, seconds: int
) -> None:
    relay = fleet.relays[0]
    async with fleet.loaded():
        await asyncio.sleep(1)
        before = memory(relay)
        await line.refuse()
        assert "database" in await ready(fleet, False)
        fleet.statuses.clear()
        await asyncio.sleep(seconds)
        assert set(fleet.statuses) <= {503, 0}
        assert fleet.statuses[503]
        assert (await relay.get("/healthz"))[0] == 200
        assert memory(relay) - before < GROWTH
        await line.restore()
        await ready(fleet, True)
    await all_is_well(fleet)


async def test_a_database_that_crashes_under_load_costs_nothing_acknowledged(fleet: Fleet) -> None:
    async with fleet.loaded():
        for _ in range(2):
            await asyncio.sleep(1)
            await asyncio.to_thread(postgres.cluster().restart)
            await ready(fleet, True)
    await all_is_well(fleet)


async def test_connections_that_are_cut_one_by_one_cost_nothing_acknowledged(
    fleet: Fleet, line: Line
) -> None:
    async with fleet.loaded():
        for _ in range(30):
            line.cut(1)
            await asyncio.sleep(0.1)
    await all_is_well(fleet)


async def test_a_database_that_answers_nothing_more_is_said_within_a_minute(
    fleet: Fleet, line: Line
) -> None:
    """Nothing is closed, so the relay has to find out by itself."""
    async with fleet.loaded(2):
        await asyncio.sleep(1)
        line.stall()
        await ready(fleet, False)
        assert (await fleet.relays[0].get("/healthz"))[0] == 200
        await line.restore()
        await ready(fleet, True)
    await all_is_well(fleet)


async def test_two_seconds_a_statement_are_said_and_lose_nothing(fleet: Fleet, line: Line) -> None:
    await fleet.post("channel_live")
    line.delay = 2.0
    posts = [asyncio.create_task(fleet.post("channel_live")) for _ in range(30)]
    async with asyncio.timeout(PATIENCE):
        while not fleet.statuses[503]:
            await asyncio.sleep(0.05)
    await ready(fleet, False)
    await line.restore()
    await asyncio.gather(*posts)
    await all_is_well(fleet)


async def test_a_full_database_refuses_webhooks_and_takes_them_when_there_is_room(
    fleet: Fleet, database: str
) -> None:
    cluster = postgres.cluster()
    await fleet.post("channel_live")
    cluster.sql(
        "CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION"
        " 'could not extend file: No space left on device' USING ERRCODE = '53100'; END $$",
        "CREATE TRIGGER no_room BEFORE INSERT ON events EXECUTE FUNCTION no_room()",
        database=database,
    )
    body = {"id": "x", "event": "channel_live", "data": {}}
    assert (await fleet.relays[0].post(body))[0] == 503
    cluster.sql("DROP TRIGGER no_room ON events", database=database)
    await all_is_well(fleet)


async def test_a_database_that_may_lose_what_it_acknowledged_is_told_at_the_start(
    tmp_path: Path, database: str
) -> None:
    cluster = postgres.cluster()
    cluster.sql(f"ALTER DATABASE {database} SET synchronous_commit TO off")
    async with a_fleet(tmp_path, cluster.url(database), 1) as fleet:
        what = "its synchronous_commit is off; set it to on"
        await fleet.relays[0].said(f"the database may lose what it acknowledged: {what}")
