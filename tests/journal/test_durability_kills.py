"""A1, A2, A11: killed at random, at named points, and told to stop under load."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import aiohttp
import pytest

from relay.failpoints import OF_A_DIGEST, Failpoint
from tests.client import partner
from tests.crashes import RULES, Clients, event_id_of, kill_rounds, look
from tests.engines import Place
from tests.fakes.http import STALL
from tests.fakes.slack import FakeSlack
from tests.judge import Judge
from tests.needs import PATIENCE
from tests.relay_process import RelayProcess, run_relay


async def test_a_relay_killed_at_random_moments_keeps_every_promise(tmp_path: Path) -> None:
    """A1, scaled down; `make torture` has 200 rounds."""
    report = await kill_rounds(tmp_path, rounds=4, clients=20, seed=1)
    assert report.findings == []
    assert report.damaged == 0
    assert report.acknowledged > 50
    # Beside its imports, which do not count here, a start costs a few hundredths of a second.
    assert max(report.cpu) < 10 * max(report.cpu[0], 0.02), "much to recover after a kill"


KEPT = frozenset(Failpoint) - OF_A_DIGEST - {Failpoint.AFTER_READ, Failpoint.BEFORE_COMMIT}
"""Points after which the event is on disk."""
HELD = frozenset({Failpoint.AFTER_CLAIM, Failpoint.BEFORE_SEND, Failpoint.AFTER_SEND})
"""Points at which a delivery is claimed, so that nobody can know whether it was sent."""


@pytest.mark.parametrize("point", [one for one in Failpoint if one not in OF_A_DIGEST])
async def test_a_kill_at_a_named_point_loses_nothing_and_repeats_only_after_the_send(
    tmp_path: Path, place: Place, point: Failpoint
) -> None:
    """A2. What may be a repeat says so."""
    body = {**partner(1), "event": "channel_created"}
    acknowledged: set[str] = set()
    async with FakeSlack() as slack:
        relay = RelayProcess(
            tmp_path,
            RULES.format(slack=slack),
            env={"RELAY_FAIL_AT": point.value, "RELAY_JOURNAL": place.url},
        )
        async with relay:
            try:
                if (await relay.post(body))[0] == 200:
                    acknowledged.add(event_id_of(body))
            except aiohttp.ClientError:
                pass
            assert relay.process
            async with asyncio.timeout(PATIENCE):
                assert await relay.process.wait() == -signal.SIGKILL
            await relay.kill()
            assert bool(acknowledged) <= (point in KEPT)
            assert await look(relay, slack, acknowledged, Judge(), at_rest=False) == []
            del relay.env["RELAY_FAIL_AT"]
            await relay.start()
            if point not in KEPT:
                assert (await relay.post(body))[1]["accepted"] == 1
            (one,) = await relay.until(
                lambda all_: [found["state"] for found in all_] == ["delivered"]
            )
            assert (await relay.post(body))[1]["duplicate"] == 1
            assert await relay.stop() == 0
            acknowledged.add(event_id_of(body))
            assert await look(relay, slack, acknowledged, Judge(), at_rest=True) == []
        assert len(slack.posts) == (2 if point is Failpoint.AFTER_SEND else 1)
        assert one["ambiguous"] is (point in HELD)


async def test_a_point_that_does_not_exist_is_refused_at_the_start(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path, RULES.format(slack=FakeSlack()))
    code, _, said = await run_relay(
        "serve", env={**relay.env, "RELAY_FAIL_AT": "sometime"}, cwd=tmp_path
    )
    assert code == 2
    assert said.startswith("relay: RELAY_FAIL_AT: there is no such point")


async def test_sigterm_under_load_loses_nothing_acknowledged_and_ends_with_0(
    tmp_path: Path,
) -> None:
    """A11."""
    async with FakeSlack() as slack:
        relay = RelayProcess(tmp_path, RULES.format(slack=slack))
        clients = Clients(relay)
        judge = Judge()
        async with relay, aiohttp.ClientSession() as session:
            tasks = clients.start(20, session)
            async with asyncio.timeout(PATIENCE):
                while len(clients.acknowledged) < 60:
                    await asyncio.sleep(0.005)
            assert await relay.stop() == 0
            await asyncio.gather(*tasks)
            assert set(clients.statuses) <= {200, 503}
            assert await look(relay, slack, clients.acknowledged, judge, at_rest=False) == []
            await relay.start()
            await relay.until(lambda all_: all(one["state"] == "delivered" for one in all_))
            assert await relay.stop() == 0
            assert await look(relay, slack, clients.acknowledged, judge, at_rest=True) == []


async def test_a_second_sigterm_ends_it_at_once(tmp_path: Path) -> None:
    """A11: while a target that stalls would have its grace."""
    async with FakeSlack() as slack:
        slack.always(STALL)
        relay = RelayProcess(tmp_path, RULES.format(slack=slack))
        async with relay:
            assert (await relay.post(partner(1)))[0] == 200
            await slack.wait_for(1)
            assert relay.process
            relay.process.terminate()
            await relay.said("relay is stopping")
            relay.process.terminate()
            async with asyncio.timeout(PATIENCE):
                assert await relay.process.wait() == 1
