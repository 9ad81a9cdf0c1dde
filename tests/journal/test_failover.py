"""The database fails over to its standby, and relays are updated one after the other."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fleet import Fleet, a_fleet
from tests.judge import Violation
from tests.needs import PATIENCE
from tests.postgres import PASSWORD, ROLE, Cluster, cluster, quote

pytestmark = pytest.mark.slow


@pytest.fixture
def primary() -> Iterator[Cluster]:
    with Cluster() as made:
        yield made.create()


@pytest.fixture
def standby(primary: Cluster) -> Iterator[Cluster]:
    with primary.standby() as made:
        yield made


def either(primary: Cluster, standby: Cluster, database: str) -> str:
    """The address of whichever of them is the primary."""
    hosts = f"127.0.0.1:{primary.port},127.0.0.1:{standby.port}"
    return f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@{hosts}/{database}"


async def ready(fleet: Fleet) -> None:
    async with asyncio.timeout(PATIENCE):
        while not all([(await one.get("/readyz"))[0] == 200 for one in fleet.living()]):
            await asyncio.sleep(0.1)


async def test_a_failover_to_a_synchronous_standby_loses_nothing_acknowledged(
    tmp_path: Path, primary: Cluster, standby: Cluster
) -> None:
    """And the old primary, when it comes back, records nothing more."""
    database = primary.fresh()
    primary.sql("ALTER SYSTEM SET synchronous_standby_names TO '*'", "SELECT pg_reload_conf()")
    async with a_fleet(tmp_path, either(primary, standby, database), 2) as fleet:
        async with fleet.loaded():
            await asyncio.sleep(2)
            await asyncio.to_thread(primary.stop)
            await asyncio.to_thread(standby.promote)
            await ready(fleet)
            fleet.url = standby.url(database)  # for who looks: nobody fenced the old one
            await asyncio.to_thread(primary.start)
            count = "SELECT count(*) FROM events"
            there = primary.sql(count, database=database)
            await asyncio.sleep(2)
        await fleet.rest()
        assert await fleet.findings(at_rest=True) == []
        assert primary.sql(count, database=database) == there


async def test_without_synchronous_replication_a_failover_loses_what_the_standby_had_not(
    tmp_path: Path, primary: Cluster, standby: Cluster
) -> None:
    """As docs/scaling.md says: no more than that, and all goes on."""
    database = primary.fresh()
    async with a_fleet(tmp_path, either(primary, standby, database), 1) as fleet:
        for _ in range(20):
            await fleet.post("channel_live")
        await fleet.rest()
        kept = set(fleet.acknowledged)
        async with asyncio.timeout(PATIENCE):
            while standby.sql("SELECT pg_last_wal_replay_lsn()") != primary.sql(
                "SELECT pg_current_wal_flush_lsn()"
            ):
                await asyncio.sleep(0.1)
        await asyncio.to_thread(standby.stop)
        for _ in range(20):
            await fleet.post("channel_live")
        await asyncio.to_thread(primary.stop)
        await asyncio.to_thread(standby.start)
        await asyncio.to_thread(standby.promote)
        await ready(fleet)
        lost = fleet.acknowledged - kept
        await fleet.post("channel_live")
        await fleet.rest()
        found = await fleet.findings(at_rest=True)
        assert {one.about for one in found if one.violation is Violation.LOST} == lost
        assert {one.violation for one in found} <= {Violation.LOST, Violation.INVENTED}


async def test_relays_are_updated_one_after_the_other_while_events_come(tmp_path: Path) -> None:
    """As docs/scaling.md says: stop one, start it anew, wait until it is ready, then the other."""
    url = cluster().url(cluster().fresh())
    async with a_fleet(tmp_path, url, 2) as fleet:
        async with fleet.loaded(4):
            for one in fleet.relays:
                await asyncio.sleep(1)
                assert await one.stop() == 0
                await one.start()
                await ready(fleet)
        await fleet.rest()
        assert await fleet.findings(at_rest=True) == []
        assert fleet.statuses[200] == len(fleet.acknowledged)
        assert not [one for one in await fleet.deliveries() if one.delivery.ambiguous]
