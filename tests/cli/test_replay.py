"""`relay replay`: recorded events are told again, and nobody twice by accident."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from relay.replay import AT_ONCE, MOST_LISTED
from tests.client import partner
from tests.directory_cases import WABA, partner_body, template_value, waba_body
from tests.fakes.slack import error
from tests.guides import printed
from tests.world import CREATED, LIVE, RULES, World, a_world


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    (tmp_path / "message_templates").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELAY_ALLOW_PRIVATE_DESTINATIONS", "1")
    mute = "  - {name: Silent, when: {event: channel_submitted}, send_to: none}\n"
    async with a_world(tmp_path, RULES.replace("rules:\n", f"rules:\n{mute}")) as made:
        yield made


async def said(line: str) -> str:
    return await asyncio.to_thread(printed, f"relay replay {line}")


async def done(line: str) -> dict[str, Any]:
    shape: dict[str, Any] = json.loads(await said(f"{line} --json"))
    return shape


async def event_of(world: World, kind: str) -> str:
    (found,) = (await world.client.api(f"/api/events?kind={kind}"))[1]["events"]
    return str(found["id"])


async def test_a_target_that_has_it_is_told_again_only_where_that_is_asked_for(
    world: World,
) -> None:
    await world.happen()
    await world.until({"delivered": 1})
    event = await event_of(world, LIVE)
    assert "1 left out, told before" in await said(event)
    assert len(world.slack.posts) == 1
    assert "1 to support will be sent" in await said(f"{event} --again")
    await world.until({"delivered": 1}, "replay")
    assert "[replay]" in str(world.slack.posts[1].json)


async def test_who_was_given_up_or_never_asked_is_told(world: World) -> None:
    await world.happen()
    await world.until({"delivered": 1})
    event = await event_of(world, LIVE)
    assert (await done(f"{event[:8]} --to sales"))["destinations"] == {"sales": 1}
    (told,) = await world.until({"delivered": 1}, "replay")
    assert (told["destination"], told["rule"]) == ("sales", None)
    assert (await done(f"{event[:8]} --to sales"))["replayed"] == 0


async def test_what_is_dead_goes_out_again_by_the_rules_of_today(world: World) -> None:
    world.slack.always(error("msg_too_long"), "#support")
    await world.happen()
    await world.until({"dead": 1})
    world.slack.always(None, "#support")
    assert (await done("--since 1h"))["destinations"] == {"support": 1}
    (told,) = await world.until({"delivered": 1}, "replay")
    assert told["rule"] == "Live"
    assert (await done("--since 1h"))["told_before"] == 1


async def test_of_a_report_whose_twin_never_arrived_one_is_told(world: World) -> None:
    world.slack.always(error("msg_too_long"), "#support")
    template = {"name": "order_shipped", "new_status": "REJECTED", "language": "en_US"}
    partners = partner_body("waba_template_status_changed", {"id": WABA, "template": template})
    await world.client.post(waba_body("message_template_status_update", template_value()))
    await world.until({"dead": 1}, "default")
    await world.client.post(partners)
    owed = await world.until({"dead": 1, "suppressed": 1}, "default")
    world.slack.always(None, "#support")
    (suppressed,) = [one["event_id"] for one in owed if one["state"] == "suppressed"]
    assert (await done(f"{suppressed} --dry-run"))["replayed"] == 1
    for how in ("--dry-run", ""):
        both = await done(f"--kind '*template*' {how}")
        assert (both["replayed"], both["told_before"]) == (1, 1)
    await world.until({"delivered": 1}, "replay")
    assert (await done("--kind '*template*'"))["told_before"] == 2


async def test_a_dry_run_says_what_would_be_told_and_tells_nobody(world: World) -> None:
    await world.happen()
    await world.happen(CREATED)
    await world.until({"delivered": 2})
    shown = await said("--since 1h --again --dry-run")
    assert "2 events: 1 to support, 1 to sales would be sent" in shown
    assert LIVE in shown
    assert await world.deliveries("replay") == []


async def test_conditions_are_needed_and_must_be_possible(world: World) -> None:
    await world.happen()
    await world.until({"delivered": 1})
    assert "say which events" in await said("")
    assert "there is no destination" in await said("--since 1h --to nobody")
    assert "no event that meets" in await said("00000000")
    assert "--until" in await said("--until never")
    assert (await done("--until 1h"))["events"] == 0


async def test_an_event_that_a_rule_mutes_goes_nowhere_but_where_it_is_sent(world: World) -> None:
    await world.happen("channel_submitted")
    await world.client.until("/api/status", lambda status: status["events"]["muted"] == 1)
    assert (await done("--state muted"))["unheard"] == 1
    assert (await done("--state muted --to support"))["replayed"] == 1
    await world.until({"delivered": 1}, "replay")


async def test_more_events_than_one_page_holds_are_all_found_once(world: World) -> None:
    count = 2 * AT_ONCE + 50
    await world.client.post([partner(n) | {"event": "channel_submitted"} for n in range(count)])
    await world.client.until("/api/status", lambda told: told["events"]["muted"] == count)
    found = await done("--state muted --to sales --dry-run")
    assert (found["events"], found["replayed"]) == (count, count)
    assert len({one["event_id"] for one in found["first"]}) == len(found["first"]) == MOST_LISTED


async def test_alarms_are_no_events_to_replay(world: World) -> None:
    world.slack.always(error("channel_not_found"), "#support")
    await world.happen()
    await world.until({"parked": 1})
    await world.client.until("/api/status", lambda status: bool(status["alarms"]))
    assert (await done("--since 1h --again --dry-run"))["events"] == 1


async def test_many_messages_are_asked_for_first(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    for _ in range(11):
        await world.happen()
    await world.until({"delivered": 11})
    assert "nothing was replayed" in await said("--since 1h --again")
    assert (await done("--since 1h --again --yes"))["replayed"] == 11
    await world.until({"delivered": 11}, "replay")


async def test_without_a_relay_it_is_owed_under_the_lock_and_balances(world: World) -> None:
    await world.happen()
    await world.until({"delivered": 1})
    await world.stop()
    assert (await done("--since 1h --again"))["replayed"] == 1
    shown = await asyncio.to_thread(printed, "relay reconcile")
    assert "it balances" in shown
    assert "owed          2 = pending 1" in shown
    await world.start()
    await world.until({"delivered": 1}, "replay")


async def test_by_the_path_of_an_event_it_alone_is_told_again(world: World) -> None:
    for _ in range(2):
        await world.happen()
    event = str((await world.until({"delivered": 2}))[0]["event_id"])
    path = f"/api/events/{event}/replay"
    assert (await world.client.api(path, "POST", {"dry_run": True}))[1]["told_before"] == 1
    status, told = await world.client.api(path, "POST", {"again": True})
    assert (status, told["replayed"], told["dry_run"]) == (200, 1, False)
    (again,) = await world.until({"delivered": 1}, "replay")
    assert again["event_id"] == event
    assert (await world.client.api(path, "POST", {"to": "nobody"}))[0] == 400
    assert (await world.client.api(path, "POST", {"ids": [event]}))[0] == 400
    assert (await world.client.api("/api/events/00000000/replay", "POST"))[0] == 404


async def test_pressed_twice_at_once_it_is_told_once(world: World) -> None:
    await world.happen()
    await world.until({"delivered": 1})
    event = await event_of(world, LIVE)
    body = {"ids": [event], "to": "sales"}
    await asyncio.gather(*(world.client.api("/api/replay", "POST", body) for _ in range(5)))
    await world.until({"delivered": 1}, "replay")
    assert [post.key for post in world.slack.posts] == ["#support", "#sales"]
