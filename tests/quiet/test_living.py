"""One matter is one message: it is edited, answered in its thread, and goes on after a restart."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.slack import DROP_AFTER, Shown, error
from tests.world import RULES, World, a_world

WORSE = "  - {name: Quality, when: {topic: quality, direction: worse}, send_to: support}\n"
ALL = "  - {name: Quality, when: {topic: quality}, send_to: support}\n"
BETTER = "  - {name: Better, when: {topic: quality, direction: better}, send_to: %s}\n"
Worlds = Callable[..., AbstractAsyncContextManager[World]]


def rules(quality: str = ALL, to: str = "", updates: str = "edit") -> str:
    made = RULES.replace("rules:\n", "rules:\n" + (quality.replace("support", to or "support")))
    return made.replace('"#support"}', f'"#support"}}, updates: {updates}')


@pytest.fixture
def worlds(tmp_path: Path) -> Worlds:
    (tmp_path / "message_templates").mkdir()
    return lambda text: a_world(tmp_path, text)


async def flag(world: World, rating: str = "RED", **more: Any) -> str:
    """360dialog tells that the number is rated low."""
    said = {"current_quality_update_event": "FLAGGED", "current_quality_rating": rating}
    return await world.happen("phone_number_quality_changed", **said, **more)


async def recover(world: World) -> str:
    said = {"current_quality_update_event": "UNFLAGGED", "current_quality_rating": "GREEN"}
    return await world.happen("phone_number_quality_changed", **said)


async def shown(world: World, channel: str = "#support") -> list[Shown]:
    await world.client.settled()
    return list(world.slack.channels.get(channel, {}).values())


def edits(world: World) -> int:
    return sum(post.path.endswith("chat.update") for post in world.slack.posts)


async def owed(world: World, cause: str) -> list[dict[str, Any]]:
    await world.client.settled()
    return await world.deliveries(cause)


async def test_a_matter_is_one_message_with_a_thread_and_what_is_worse_is_posted_too(
    worlds: Worlds,
) -> None:
    async with worlds(rules()) as world:
        await flag(world, "YELLOW")
        (only,) = await shown(world)
        assert (only.edits, only.replies) == (0, [])
        world.skew = timedelta(hours=3, minutes=12)
        await flag(world, "RED")
        (only,) = await shown(world)
        assert "Number flagged for low quality" in only.title
        assert " · since " in only.title
        assert "(3 hr 12 min)" in only.title
        assert "(YELLOW)" in only.body
        assert [reply.broadcast for reply in only.replies] == [True]
        world.skew = timedelta(hours=5)
        await recover(world)
        (only,) = await shown(world)
        assert only.title.startswith("Number no longer flagged")
        assert only.title.endswith(" · over after 5 hr")
        assert [reply.broadcast for reply in only.replies] == [True, False]
        assert edits(world) == 2
        found = await owed(world, "rule")
        assert [one["proof"] for one in found] == ["posted", "edited", "edited"]
        assert [len(one["attempts"]) for one in found] == [1, 2, 2]


async def test_the_closing_edit_comes_also_where_no_rule_sends_the_recovery(
    worlds: Worlds,
) -> None:
    async with worlds(rules(WORSE + BETTER % "sales")) as world:
        await flag(world)
        await recover(world)
        (only,) = await shown(world)
        assert "over within a minute" in only.title
        assert [reply.broadcast for reply in only.replies] == [False]
        (mine,) = await owed(world, "incident")
        assert (mine["destination"], mine["rule"], mine["proof"]) == ("support", None, "edited")
        # Who was never told of it gets a message of its own, and no living one.
        (other,) = await shown(world, "#sales")
        assert other.edits == 0
        _, balance = await world.client.api("/api/status")
        assert balance["deliveries"]["delivered"] == 3


async def test_a_mute_holds_but_for_the_closing_edit(worlds: Worlds) -> None:
    async with worlds(rules(WORSE + BETTER % "none")) as world:
        await flag(world)
        await recover(world)
        (only,) = await shown(world)
        assert (only.edits, only.replies) == (1, [])
        assert "over within" in only.title


async def test_a_silence_holds_but_for_the_closing_edit(worlds: Worlds) -> None:
    async with worlds(rules()) as world:
        await flag(world)
        await shown(world)
        body = {"topic": "quality", "for": "1h", "why": "known"}
        assert (await world.client.api("/api/silences", "POST", body))[0] == 200
        await flag(world)
        (only,) = await shown(world)
        assert only.edits == 0
        await recover(world)
        (only,) = await shown(world)
        assert (only.edits, only.replies) == (1, [])
        assert "over within" in only.title


async def test_after_a_restart_the_same_message_goes_on(worlds: Worlds) -> None:
    async with worlds(rules()) as world:
        await flag(world)
        await shown(world)
        await world.stop()
        await world.start()
        await recover(world)
        (only,) = await shown(world)
        assert (only.edits, len(only.replies)) == (1, 1)


async def test_a_message_that_is_gone_is_replaced_by_one_that_says_so(worlds: Worlds) -> None:
    async with worlds(rules()) as world:
        await flag(world)
        await shown(world)
        world.slack.delete("#support")
        await flag(world)
        (only,) = await shown(world)
        assert "The first message about this is gone" in only.body
        assert "So far" in only.body
        await recover(world)
        (only,) = await shown(world)
        assert (only.edits, len(only.replies)) == (1, 1)


async def test_a_thread_that_is_gone_is_no_fault_of_the_channel(worlds: Worlds) -> None:
    async with worlds(rules(updates="thread")) as world:
        await flag(world)
        await shown(world)
        world.slack.behave(error("cannot_reply_to_message"), key="#support")
        await flag(world)
        assert len(await shown(world)) == 2
        assert (await world.client.api("/api/status"))[1]["alarms"] == []


async def test_events_at_once_make_one_edit_and_each_is_told_in_the_thread(
    worlds: Worlds,
) -> None:
    async with worlds(rules()) as world:
        await flag(world)
        await shown(world)
        world.slack.always(DROP_AFTER, "#support")
        await flag(world)
        await flag(world)
        await recover(world)
        await world.client.until("/api/status", lambda status: status["events"]["routed"] == 4)
        world.slack.always(None, "#support")
        (only,) = await shown(world)
        assert (only.edits, len(only.replies)) == (1, 3)
        assert "over within" in only.title


async def test_what_came_before_the_first_message_went_out_is_told_by_it(worlds: Worlds) -> None:
    async with worlds(rules()) as world:
        world.slack.always(DROP_AFTER, "#support")
        await flag(world)
        await recover(world)
        await world.client.until("/api/status", lambda status: status["events"]["routed"] == 2)
        world.slack.always(None, "#support")
        (only,) = await shown(world)
        assert (only.edits, only.replies) == (0, [])
        assert "over within" in only.title
        first, second = await owed(world, "rule")
        merged = [one for one in (first, second) if one["via"]]
        assert [one["proof"] for one in merged] == ["posted"]


async def test_in_a_thread_alone_the_first_message_stays_as_it_is(worlds: Worlds) -> None:
    async with worlds(rules(updates="thread")) as world:
        await flag(world)
        await flag(world)
        await recover(world)
        (only,) = await shown(world)
        assert (only.edits, [reply.broadcast for reply in only.replies]) == (0, [True, False])


async def test_elsewhere_a_follow_up_names_the_first_and_when(worlds: Worlds) -> None:
    async with worlds(rules(to="oncall")) as world:
        await flag(world)
        await world.client.settled()
        await recover(world)
        await world.client.settled()
        first, second = (mail.message for mail in world.smtp.mails)
        assert second["In-Reply-To"] == first["Message-ID"]
        assert first["Message-ID"] in second["References"]
        text = second.get_body(("plain",)).get_content()
        assert "Follows “Number flagged for low quality (RED)” of " in text
        assert "Follows" not in first.get_body(("plain",)).get_content()


async def test_worse_within_an_hour_is_the_same_matter_and_later_another(worlds: Worlds) -> None:
    async with worlds(rules()) as world:
        await flag(world)
        await recover(world)
        await shown(world)
        world.skew = timedelta(minutes=50)
        await flag(world)
        assert len(await shown(world)) == 1
        await recover(world)
        await shown(world)
        world.skew = timedelta(hours=2)
        await flag(world)
        assert len(await shown(world)) == 2


async def test_an_always_rule_has_its_change_posted_too(worlds: Worlds) -> None:
    always = ALL.replace("send_to", "always: true, send_to")
    async with worlds(rules(always)) as world:
        await flag(world)
        await recover(world)
        (only,) = await shown(world)
        assert [reply.broadcast for reply in only.replies] == [True]


async def test_a_replay_changes_nothing(worlds: Worlds) -> None:
    async with worlds(rules()) as world:
        await flag(world)
        (first,) = await owed(world, "rule")
        body = {"ids": [first["event_id"]], "again": True}
        assert (await world.client.api("/api/replay", "POST", body))[0] == 200
        await world.until({"delivered": 1}, "replay")
        assert [one.edits for one in await shown(world)] == [0, 0]
