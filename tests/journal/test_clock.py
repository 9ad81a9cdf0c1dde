"""Somebody sets the clock: nothing is lost or sent twice, and no wait is longer than any can be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from relay.deliveries import HORIZON
from tests.fakes.http import STALL, Reply
from tests.fakes.slack import error
from tests.world import World, a_world

HOUR = timedelta(hours=1)
JUMPS = {
    "an hour back": -HOUR,
    "an hour on": HOUR,
    "ten years on": timedelta(days=3653),
    "ten years back": -timedelta(days=3653),
}


@pytest.fixture
async def world(folder: Path) -> AsyncIterator[World]:
    async with a_world(folder) as made:
        yield made


@pytest.mark.parametrize("jump", JUMPS.values(), ids=JUMPS)
async def test_what_comes_after_the_clock_was_set_is_sent_once_and_at_once(
    world: World, jump: timedelta
) -> None:
    await world.happen()
    await world.until({"delivered": 1})
    world.skew = jump
    await world.happen()
    found = await world.until({"delivered": 2})
    assert [len(one["attempts"]) for one in found] == [1, 1]
    assert len(world.slack.posts) == 2


@pytest.mark.parametrize("jump", [jump for jump in JUMPS.values() if jump > 0 * HOUR])
async def test_what_waits_when_the_clock_is_set_on_is_sent_once(
    world: World, jump: timedelta
) -> None:
    """It may be due early, and its target that asked for a pause has it all the same."""
    world.slack.behave(Reply(429, "", {"Retry-After": "1"}), key="#support")
    await world.happen()
    await world.become(lambda: len(world.slack.posts) == 1)
    world.skew = jump
    (found,) = await world.until({"delivered": 1})
    assert [attempt["outcome"] for attempt in found["attempts"]] == ["rate_limited", "sent"]


async def test_what_waits_when_the_clock_is_set_far_back_does_not_wait_for_it(
    world: World,
) -> None:
    world.slack.behave(Reply(429, "", {"Retry-After": "1"}), key="#support")
    await world.happen()
    await world.become(lambda: len(world.slack.posts) == 1)
    world.skew = -timedelta(days=3653)
    await world.until({"delivered": 1})
    assert len(world.slack.posts) == 2


async def test_a_clock_set_on_during_a_send_that_fails_does_not_end_its_horizon(
    world: World,
) -> None:
    world.slack.behave(STALL, key="#support")
    await world.happen()
    await world.become(lambda: len(world.slack.posts) == 1)
    world.skew = timedelta(days=3653)
    port = world.slack.base.rpartition(":")[2]
    await world.slack.stop()
    await world.slack.start(int(port))
    found = await world.until({"delivered": 1})
    assert [attempt["outcome"] for attempt in found[0]["attempts"]] == ["ambiguous", "sent"]


async def test_a_clock_that_goes_to_and_fro_makes_no_loop_busy(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """Parked deliveries behind it, and one that comes after each jump."""
    world.slack.always(error("channel_not_found"), "#support")
    await world.happen()
    await world.until({"parked": 1})
    capfd.readouterr()
    for hours in (1, -1, 24, -24, 0):
        world.skew = timedelta(hours=hours)
        await world.happen("channel_created")
    await world.until({"parked": 1, "delivered": 5})
    assert world.app.store.journal.commits < 400  # type: ignore[attr-defined]
    assert "".join(capfd.readouterr()).count("\n") < 60


async def test_a_due_time_farther_than_any_wait_is_due_after_the_next_start(
    folder: Path, world: World
) -> None:
    """As a clock that was wrong in the last run leaves it behind."""
    world.slack.always(Reply(502), "#support")
    world.skew = timedelta(days=3653)
    await world.happen()
    await world.become(lambda: len(world.slack.posts) >= 1)
    await world.stop()
    world.skew = timedelta(0)
    world.slack.always(None, "#support")
    await world.start()
    await world.until({"delivered": 1})


async def test_a_relay_that_was_off_for_longer_than_the_horizon_tries_again(world: World) -> None:
    """Its deliveries were not tried meanwhile, so the first failure must not be the last."""
    world.slack.always(Reply(502), "#support")
    await world.happen()
    await world.become(lambda: len(world.slack.posts) >= 1)
    await world.stop()
    world.skew = HORIZON * 2
    await world.start()
    await world.become(lambda: len(world.slack.posts) >= 2)
    assert [one["state"] for one in await world.deliveries()] != ["dead"]
    world.slack.always(None, "#support")
    await world.until({"delivered": 1})
