"""Somebody sets the clock: nothing is lost, nothing is sent twice, and nobody waits longer."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.clocks import TOLERANCE, Timekeeper
from relay.deliveries import HORIZON
from relay.journal.sqlite.engine import open_journal
from tests.fakes.http import STALL, Reply
from tests.fakes.slack import error
from tests.journal_suite import NOW, only, owe, owed
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
async def test_what_waits_when_the_clock_is_set_is_sent_once_and_soon(
    world: World, jump: timedelta, capfd: pytest.CaptureFixture[str]
) -> None:
    """A first try, a retry and a snoozed delivery, on three lanes."""
    world.slack.behave(Reply(429, "", {"Retry-After": "1"}), key="#sales")
    world.teams.behave(Reply(502))
    names = [await world.happen(kind) for kind in ("channel_created", "channel_ready")]
    await world.become(lambda: len(world.slack.posts) == len(world.teams.posts) == 1)
    capfd.readouterr()
    world.skew = jump
    names.append(await world.happen())
    found = await world.until({"delivered": 3})
    assert [len(one["attempts"]) for one in found] == [2, 2, 1]
    assert len(world.slack.posts) == 3
    assert len(world.teams.posts) == 2
    assert "the clock was set" in (said := "".join(capfd.readouterr()))
    assert said.count("\n") < 40


async def test_a_wait_that_began_before_the_clock_was_set_back_is_as_long_as_before(
    world: World,
) -> None:
    world.slack.behave(Reply(429, "", {"Retry-After": "2"}), key="#support")
    await world.happen()
    await world.become(lambda: len(world.slack.posts) == 1)
    began = world.app.clock()
    world.skew = -HOUR
    await world.until({"delivered": 1})
    assert world.app.clock() + HOUR - began < timedelta(seconds=8)


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


async def test_retiming_moves_all_that_is_unfinished_and_nothing_else(tmp_path: Path) -> None:
    store = await open_journal(f"sqlite:///{tmp_path / 'relay.db'}", now=NOW)
    soon = owed("a", "slack:#a", due_at=NOW + timedelta(minutes=5))
    far = owed("a", "slack:#b", due_at=NOW + timedelta(days=30))
    await owe(store, soon, far)
    await store.journal.retime(-HOUR, now=NOW - HOUR)
    after_soon, after_far = await only(store, soon), await only(store, far)
    await store.journal.close()
    assert after_soon == replace(
        soon, due_at=soon.due_at - HOUR, tried_since=soon.tried_since - HOUR
    )
    assert after_far.due_at == NOW - HOUR


@given(
    st.lists(st.tuples(st.floats(0, 1000), st.integers(-(10**6), 10**6)), min_size=1, max_size=20)
)
def test_every_step_is_found_once_and_time_that_passes_is_none(
    moves: list[tuple[float, int]],
) -> None:
    steady = 0.0
    skew = timedelta(0)
    found: list[timedelta] = []
    clock = Timekeeper(
        lambda: NOW + timedelta(seconds=steady) + skew,
        lambda: steady,
        lambda step, _: found.append(step),
    )
    for passed, seconds in moves:
        steady += passed
        by = timedelta(seconds=seconds)
        skew += by
        found.clear()
        assert clock() == NOW + timedelta(seconds=steady) + skew
        assert len(found) == (abs(by) >= TOLERANCE)
        assert all(abs(step - by) < timedelta(milliseconds=1) for step in found)
        clock()
        assert len(found) <= 1
