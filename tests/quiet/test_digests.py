"""What is held in quiet hours, or for a digest, is told once, in one message."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import deliveries
from relay.deliveries import Cause, State
from relay.events import Source
from relay.failpoints import Failpoint
from relay.journal import Filter, Holding, Settlement, Store
from relay.outcomes import Proof, Sent
from relay.quiet import Daily, Every, Hours, release
from tests.client import partner
from tests.fakes.slack import FakeSlack, Shown, error
from tests.journal_suite import DAY, NOW, claim_one, event, owe, owed
from tests.relay_process import RelayProcess
from tests.world import LIVE, RULES, World, a_world

BERLIN = ZoneInfo("Europe/Berlin")
UTC_ZONE = ZoneInfo("UTC")
NIGHT = Hours(time(20), time(7))
Worlds = Callable[..., AbstractAsyncContextManager[World]]


def local(text: str, zone: ZoneInfo = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=zone)


@pytest.mark.parametrize(
    ("hours", "now", "until"),
    [
        (NIGHT, "2026-11-28T19:59", None),
        (NIGHT, "2026-11-28T20:00", "2026-11-29T07:00"),
        (NIGHT, "2026-11-29T06:59", "2026-11-29T07:00"),
        (NIGHT, "2026-11-29T07:00", None),
        (Hours(time(12), time(13)), "2026-11-28T12:30", "2026-11-28T13:00"),
        # Saturday's night goes on into Sunday, on which none begins.
        (Hours(time(20), time(7), frozenset({5})), "2026-11-29T06:00", "2026-11-29T07:00"),
        (Hours(time(20), time(7), frozenset({5})), "2026-11-29T21:00", None),
        (Hours(time(20), time(7), zone=UTC_ZONE), "2026-11-29T07:30", "2026-11-29T08:00"),
        # The night in which an hour is skipped, and the one in which an hour comes twice.
        (NIGHT, "2027-03-28T01:30", "2027-03-28T07:00"),
        (NIGHT, "2026-10-25T02:30", "2026-10-25T07:00"),
        (Hours(time(0), time(2, 30)), "2027-03-28T01:00", "2027-03-28T03:30"),
    ],
)
def test_quiet_hours_are_those_of_the_clock_on_the_wall(
    hours: Hours, now: str, until: str | None
) -> None:
    found = hours.over(local(now), BERLIN)
    assert found == (None if until is None else local(until))


def test_a_digest_that_falls_into_quiet_hours_waits_for_their_end() -> None:
    early, now = Daily(time(6)), local("2026-11-28T12:00")
    assert release(None, early, now, BERLIN) == local("2026-11-29T06:00")
    assert release(NIGHT, early, now, BERLIN) == local("2026-11-29T07:00")
    assert release(None, Every(timedelta(minutes=30)), now, BERLIN) == local("2026-11-28T12:30")
    assert release(None, None, now, BERLIN) is None


zones = st.sampled_from(sorted(available_timezones())).map(ZoneInfo)
moments = st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
clocks = st.times().map(lambda found: found.replace(second=0, microsecond=0))


@given(zones, moments, clocks, clocks)
def test_whatever_the_clock_does_what_is_held_is_told_within_two_days(
    zone: ZoneInfo, now: datetime, begin: time, end: time
) -> None:
    """Also over both changes of the clock, in any zone."""
    until = release(Hours(begin, end) if begin != end else None, Daily(end), now, zone)
    assert until is not None
    assert now < until <= now + timedelta(days=2, hours=2)
    assert Hours(begin, end).over(until, zone) is None or begin == end


@given(zones, moments, clocks, clocks)
def test_the_end_of_quiet_hours_is_the_same_from_each_of_their_moments(
    zone: ZoneInfo, now: datetime, begin: time, end: time
) -> None:
    hours = Hours(begin, end)
    until = hours.over(now, zone)
    if until is not None and begin != end:
        assert until > now
        assert hours.over(until - timedelta(seconds=1), zone) == until


def rules(hold: str, extra: str = "") -> str:
    made = RULES.replace('"#support"}', f'"#support"}}, {hold}')
    return made.replace("rules:\n", f"rules:\n{extra}")


QUALITY = (
    "  - {name: Worse, when: {topic: quality, direction: worse}, send_to: support}\n"
    "  - {name: Better, when: {topic: quality}, send_to: sales}\n"
)


@pytest.fixture
def worlds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Worlds:
    (tmp_path / "message_templates").mkdir()
    monkeypatch.chdir(tmp_path)
    return lambda text: a_world(tmp_path, text)


def shown(world: World) -> list[Shown]:
    return list(world.slack.channels.get("#support", {}).values())


async def held(world: World, count: int) -> list[dict[str, Any]]:
    await world.client.until("/api/status", lambda s: s["deliveries"].get("held") == count)
    return [one for one in await world.deliveries(None) if one["state"] == "held"]


async def parts_of(world: World) -> dict[str, list[str]]:
    """What the only digest says, by its headings."""
    (found,) = (await world.client.api("/api/events?kind=relay_digest"))[1]["events"]
    return {part["heading"]: part["lines"] for part in found["data"]["parts"]}


HOURLY = 'digest: "every 1h"'


async def test_several_become_one_message_that_counts_and_names_them(worlds: Worlds) -> None:
    async with worlds(rules(HOURLY)) as world:
        for _ in range(3):
            await world.happen()
        waiting = await held(world, 3)
        assert shown(world) == []
        world.skew = timedelta(hours=1)
        await world.until({"delivered": 3})
        (digest,) = await world.deliveries("digest")
        members = await world.deliveries("rule")
        assert {one["via"] for one in members} == {digest["id"]}
        assert {one["proof"] for one in members} == {"posted"}
        ((heading, (line,)),) = (await parts_of(world)).items()
        assert heading == "Besides"
        assert line.startswith("3 × Number is live (")
        assert all(one["event_id"][:8] in line for one in waiting)
        assert len(shown(world)) == 1


async def test_one_that_is_alone_goes_out_as_itself(worlds: Worlds) -> None:
    async with worlds(rules(HOURLY)) as world:
        await world.happen()
        (waiting,) = await held(world, 1)
        assert waiting["due_at"] > world.clock().isoformat()
        world.skew = timedelta(hours=1)
        (told,) = await world.until({"delivered": 1})
        assert (told["via"], await world.deliveries("digest")) == (None, [])


async def test_what_is_critical_and_what_is_always_told_passes(worlds: Worlds) -> None:
    always = "  - {name: A, when: {event: channel_live}, send_to: support, always: true}\n"
    async with worlds(rules(HOURLY, always)) as world:
        await world.happen()
        await world.until({"delivered": 1})
        await world.happen("account_violation")
        await world.until({"delivered": 1}, "default")


async def test_a_replay_and_a_test_are_told_at_once(worlds: Worlds) -> None:
    async with worlds(rules(HOURLY)) as world:
        await world.happen()
        (waiting,) = await held(world, 1)
        body = {"ids": [waiting["event_id"]], "again": True}
        assert (await world.client.api("/api/replay", "POST", body))[0] == 200
        await world.until({"delivered": 1}, "replay")


async def test_what_is_open_and_what_came_and_went_is_said_first(worlds: Worlds) -> None:
    async with worlds(rules(HOURLY, QUALITY)) as world:
        await quality(world, "FLAGGED", "a1CL", "491713920011")
        await quality(world, "FLAGGED", "b2CL", "447700900123")
        await world.happen("channel_submitted")
        await held(world, 3)
        await quality(world, "UNFLAGGED", "b2CL", "447700900123")
        await world.until({"suppressed": 1}, "incident")
        world.skew = timedelta(hours=1)
        await world.client.until("/api/status", lambda s: s["deliveries"].get("held") == 0)
        await world.client.settled()
        parts = await parts_of(world)
        assert list(parts) == ["Still open", "Came and is over", "Besides"]
        assert [len(lines) for lines in parts.values()] == [1, 1, 1]
        assert "a1CL" in parts["Still open"][0]
        assert "b2CL" in parts["Came and is over"][0]
        # It was told of what is open, so it hears of the end, also where no rule sends that.
        await quality(world, "UNFLAGGED", "a1CL", "491713920011")
        await world.until({"delivered": 1, "suppressed": 1}, "incident")
        assert "over after" in shown(world)[1].title


async def quality(world: World, change: str, client: str, phone: str) -> None:
    number = next(world.numbers)
    said = {
        "client": {"id": client, "name": client},
        "setup_info": {"phone_number": phone},
        "current_quality_update_event": change,
    }
    body = {**partner(number, **said), "event": "phone_number_quality_changed"}
    assert (await world.client.post(body))[0] == 200


async def test_a_digest_that_fails_is_tried_again_as_the_same(worlds: Worlds) -> None:
    async with worlds(rules(HOURLY)) as world:
        world.slack.always(error("msg_too_long"), "#support")
        for _ in range(2):
            await world.happen()
        await held(world, 2)
        world.skew = timedelta(hours=1)
        await world.until({"dead": 2})
        (digest,) = await world.deliveries("digest")
        world.slack.always(None, "#support")
        path = f"/api/deliveries/{digest['id']}/retry"
        assert (await world.client.api(path, "POST"))[0] == 200
        await world.until({"delivered": 2})
        assert sum("held since" in message.title for message in shown(world)) == 1


async def test_an_operator_can_tell_one_now_or_give_it_up(worlds: Worlds) -> None:
    async with worlds(rules(HOURLY)) as world:
        for _ in range(2):
            await world.happen()
        first, second = await held(world, 2)
        await world.client.api(f"/api/deliveries/{first['id']}/retry", "POST")
        await world.client.api(f"/api/deliveries/{second['id']}/discard", "POST")
        await world.until({"delivered": 1, "suppressed": 1})


async def test_a_destination_that_holds_no_more_is_told_at_once(worlds: Worlds) -> None:
    async with worlds(rules(HOURLY)) as world:
        for _ in range(2):
            await world.happen()
        await held(world, 2)
        world.rules = RULES
        world.write_rules()
        await world.client.api("/api/reload", "POST")
        await world.until({"delivered": 2})
        assert await world.deliveries("digest") == []


async def test_what_was_due_while_the_relay_was_off_goes_out_once_at_the_start(
    worlds: Worlds,
) -> None:
    async with worlds(rules(HOURLY)) as world:
        for _ in range(2):
            await world.happen()
        await held(world, 2)
        await world.stop()
        world.skew = timedelta(hours=3)
        await world.start()
        await world.until({"delivered": 2})
        assert len(shown(world)) == 1


async def test_a_silence_suppresses_what_would_be_held(worlds: Worlds) -> None:
    async with worlds(rules(HOURLY)) as world:
        body = {"kind": LIVE, "for": "1h", "why": "known"}
        assert (await world.client.api("/api/silences", "POST", body))[0] == 200
        await world.happen()
        await world.until({"suppressed": 1})


@pytest.mark.parametrize(
    ("point", "then"),
    [
        (Failpoint.BEFORE_GATHER, None),
        (Failpoint.AFTER_GATHER, Failpoint.BEFORE_SEND),
        (Failpoint.AFTER_GATHER, Failpoint.AFTER_SEND),
    ],
)
async def test_a_kill_puts_no_event_into_two_digests_or_none(
    tmp_path: Path, point: Failpoint, then: Failpoint | None
) -> None:
    async with FakeSlack() as slack:
        text = rules('digest: "every 3s"') % {
            "token": "xoxb-of-the-tests",
            "slack": slack.api_url,
            "host": "127.0.0.1",
            "smtp": 1,
            "teams": f"{slack.base}/workflows/x/triggers/manual/paths/invoke",
        }
        relay = RelayProcess(tmp_path, text, env={"RELAY_FAIL_AT": point.value})
        async with relay:
            for number in range(1, 5):
                await relay.post(partner(number))
            for armed in (point, then):
                if armed is None:
                    continue
                if armed is not point:
                    relay.env["RELAY_FAIL_AT"] = armed.value
                    with suppress(AssertionError):  # it may be killed before it says that it serves
                        await relay.start()
                assert relay.process
                async with asyncio.timeout(90):
                    assert await relay.process.wait() == -signal.SIGKILL
                await relay.kill()
            del relay.env["RELAY_FAIL_AT"]
            await relay.start()
            async with asyncio.timeout(90):
                found = await relay.until(
                    lambda all_: {one["state"] for one in all_} == {"delivered"}
                )
        digests = [one for one in found if one["cause"] == "digest"]
        told = [one["via"] for one in found if one["cause"] == "rule"]
        assert len(told) == 4
        assert set(told) == {one["id"] for one in digests}
        posts = {post.json["client_msg_id"] for post in slack.posts}
        assert len(posts) == len(digests)
        assert len(slack.posts) == len(digests) + (then is Failpoint.AFTER_SEND)


async def test_the_members_of_a_digest_are_fixed_once_and_share_its_end(store: Store) -> None:
    """On each engine: the journal's part of it."""
    names = ("a", "b", "c")
    await owe(store, *(deliveries.hold(owed(name), NOW + DAY) for name in names))
    assert await store.records.held(until=NOW) == ()
    due = await store.records.held(until=NOW + DAY)
    ids = [one.delivery.id for one in due]
    assert ids == [owed(name).id for name in names]
    assert (await store.records.holding())["wa"] == Holding(3, NOW + DAY)
    await store.journal.hold({ids[0]: NOW})
    assert len(await store.records.held(until=NOW)) == 1

    told = event("digest", source=Source.RELAY, kind="relay_digest")
    digest = replace(owed("digest"), cause=Cause.DIGEST)
    assert await store.journal.gather(told, digest, ids[:2], now=NOW)
    again = replace(owed("more"), cause=Cause.DIGEST)
    more = event("more", source=Source.RELAY, kind="relay_digest")
    assert not await store.journal.gather(more, again, ids[1:], now=NOW)
    assert await store.records.event(more.id) is None
    assert await store.journal.release(ids, now=NOW) == 1
    assert await store.journal.discard(Filter(ids=(ids[0],)), now=NOW, who="me") == 0
    # The digest is as any other delivery; the one that was released came before it.
    found = [await claim_one(store, "slack:#wa") for _ in range(2)]
    assert {one.delivery.id for one in found if one} == {digest.id, ids[2]}
    (mine,) = [one for one in found if one and one.delivery.id == digest.id]
    end = deliveries.settle(mine.delivery, Sent(Proof.POSTED), NOW, 0.0)
    settlement = Settlement(mine.delivery, end, mine.attempt, "sent", "sent")
    assert (await store.journal.settle(settlement, now=NOW)).held
    for name in names[:2]:
        (one,) = await store.records.of_event(owed(name).event_id)
        assert (one.delivery.state, one.delivery.via) == (State.DELIVERED, digest.id)
        assert one.delivery.proof is Proof.POSTED
    assert (await store.records.balance()).balanced
