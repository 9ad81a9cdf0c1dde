"""`relay silence`: nobody is told of what it covers until it ends, and everybody can see why."""

from __future__ import annotations

import asyncio
import json
import shlex
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relay import cli
from tests.guides import printed
from tests.world import LIVE, RULES, World, a_world

ADD = "relay silence add --why 'moving offices'"


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    (tmp_path / "message_templates").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELAY_ALLOW_PRIVATE_DESTINATIONS", "1")
    rules = RULES.replace("channel_live}", "channel_live}, always: true")
    async with a_world(tmp_path, rules + "timezone: Asia/Kolkata\n") as made:
        yield made


async def said(line: str) -> str:
    return await asyncio.to_thread(printed, line)


async def listed() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (await said("relay silence list --json")).splitlines()]


async def test_nobody_is_told_while_it_is_on_also_by_always_and_all_say_why(world: World) -> None:
    begun = await said(f"{ADD} --kind channel_* --for '2 hours'")
    assert begun.startswith("silence 1: nobody is told of kind channel_* until ")
    await world.happen()
    (owed,) = await world.until({"suppressed": 1})
    assert owed["reason"].startswith("silenced by ")
    assert owed["reason"].endswith(" IST (silence 1): moving offices")
    assert 'support was not told, by the rule "Live": silenced by' in await said(
        f"relay explain {owed['event_id']}"
    )
    assert "support would not be told now: silenced by" in await said(f"relay explain {LIVE}")
    status = await said("relay status")
    assert "silence 1 until " in status
    assert "; 1 suppressed" in status
    shown = await said("relay silence list")
    assert "suppressed 1: support 1" in shown
    assert owed["event_id"][:8] in shown
    assert world.slack.posts == []


async def test_at_its_end_each_who_would_have_heard_is_told_in_one_line(world: World) -> None:
    await said(f"{ADD} --topic onboarding --for 2h")
    for _ in range(3):
        await world.happen()
    await world.happen("channel_created")
    await world.until({"suppressed": 4})
    world.skew = timedelta(hours=2)
    told = await world.until({"delivered": 2}, "alarm")
    assert {one["destination"] for one in told} == {"support", "sales"}
    texts = {post.key: str(post.json) for post in world.slack.posts}
    assert "3 messages were not sent here" in texts["#support"]
    assert "1 message was not sent here" in texts["#sales"]
    events = (await world.client.api("/api/events?kind=relay_alarm"))[1]["events"]
    (sales,) = [one["data"]["text"] for one in events if "channel_created" in one["data"]["text"]]
    assert "(moving offices). Not told: channel_created 1." in sales
    (found,) = await listed()
    assert (found["suppressed"], found["ended_by"]) == (4, None)
    await world.happen()
    await world.until({"suppressed": 4, "delivered": 1})


async def test_a_silence_that_kept_nothing_ends_without_a_word(world: World) -> None:
    await said(f"{ADD} --client nobody --for 2h")
    assert "silence 1 is over" in await said("relay silence end 1")
    (found,) = await listed()
    assert found["ended_at"] is not None
    assert "no silence is on" in await said("relay silence list")
    assert "over already" in await said("relay silence end 1")
    assert "no silence has this id" in await said("relay silence end 7")
    await world.happen()
    await world.until({"delivered": 1})
    assert await world.deliveries("alarm") == []


async def test_a_replay_and_a_test_pass_and_what_was_silenced_can_be_told_later(
    world: World,
) -> None:
    await said(f"{ADD} --destination support --until tomorrow")
    await world.happen()
    (owed,) = await world.until({"suppressed": 1})
    assert "1 to support" in await said(f"relay replay {owed['event_id']}")
    await world.until({"delivered": 1}, "replay")


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ("--for 2h --why x", "at least one of"),
        ("--topic quality --why x", "say when it ends"),
        ("--topic quality --for 2h --until 18:00 --why x", "either for"),
        ("--topic quality --for soon --why x", "no span"),
        ("--topic quality --until 2020-01-01 --why x", "over already"),
        ("--topic quality --for 2h", "--why"),
        ("--topic quality --for 2h --why ' '", "--why"),
        ("--destination nobody --for 2h --why x", "there are support"),
        ("--phone 0171 --for 2h --why x", "country code"),
    ],
)
@pytest.mark.parametrize("serving", [True, False])
async def test_what_cannot_be_is_wrong_use_also_where_no_relay_serves(
    options: str, why: str, serving: bool, world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    if not serving:
        await world.app.stop(grace=0)
    words = ["silence", "add", *shlex.split(options)]
    assert await asyncio.to_thread(cli.run, words) == cli.WRONG
    assert why in capsys.readouterr().err
    assert await listed() == []


async def test_without_a_relay_the_journal_itself_is_changed(world: World) -> None:
    await world.app.stop(grace=0)
    assert "silence 1:" in await said(f"{ADD} --topic quality --for 2h")
    assert "silence 1 is over" in await said("relay silence end 1")
    assert "is on" in await said("relay silence end 1")


async def test_the_api_says_and_does_the_same_by_the_name_of_its_operator(world: World) -> None:
    body = {"phone": "0049 171 392-0011", "for": "2h", "why": "known"}
    status, begun = await world.client.api("/api/silences", "POST", body)
    assert status == 200
    assert (begun["phone"], begun["who"]) == ("+491713920011", "admin")
    status, wrong = await world.client.api("/api/silences", "POST", {**body, "hours": 2})
    assert (status, "hours" in wrong["error"]) == (400, True)
    found = (await world.client.api("/api/silences"))[1]["silences"]
    assert [(one["id"], one["suppressed"]) for one in found] == [(begun["id"], 0)]
    assert (await world.client.api("/api/status"))[1]["silences"][0]["id"] == begun["id"]
    path = f"/api/silences/{begun['id']}/end"
    status, ended = await world.client.api(path, "POST")
    assert (status, ended["ended_by"]) == (200, "admin")
    assert (await world.client.api(path, "POST"))[0] == 409
