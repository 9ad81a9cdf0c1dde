"""The watch of numbers: a running relay, a fake of 360dialog's Partner API, fake targets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from relay.errors import UsageError
from relay.settings import Settings, public_url
from tests.client import partner
from tests.directory_cases import channel_data
from tests.fakes.partner_api import KEY, FakePartnerApi
from tests.world import RULES, World, a_world

WATCHED = (
    RULES.replace(
        "rules:\n",
        "rules:\n  - {name: Quality, when: {topic: quality}, send_to: [support, flow, three]}\n",
        1,
    )
    + "watch: {quality: 31d}\n"
)
ENV = {"RELAY_360DIALOG_PARTNER_ID": "dev01PA", "RELAY_360DIALOG_API_KEY": KEY}


class Watching(World):
    """A relay that may ask the fake."""

    env: dict[str, str]

    def settings(self, **changes: Any) -> Settings:
        usual = super().settings(**changes)
        return replace(usual, env={**usual.env, **self.env})

    async def look(self) -> dict[str, Any]:
        status, answer = await self.client.api("/api/watch", method="POST")
        return {"status": status, **answer}


def numbers(count: int) -> list[dict[str, Any]]:
    found = [channel_data(phone=f"4917139{n:05}", number=f"n{n}CH") for n in range(count)]
    return [{**one, "current_quality_rating": "GREEN"} for one in found]


@asynccontextmanager
async def watching(folder: Path, fake: FakePartnerApi, rules: str) -> AsyncIterator[Watching]:
    Watching.env = {**ENV, "RELAY_360DIALOG_API_URL": fake.url}
    (folder / "message_templates").mkdir()
    async with a_world(folder, rules, kind=Watching) as world:
        assert isinstance(world, Watching)
        yield world


@pytest.fixture
async def fake() -> AsyncIterator[FakePartnerApi]:
    async with FakePartnerApi() as one:
        one.channels = numbers(300)
        yield one


async def looked(world: Watching, fake: FakePartnerApi, pages: int = 3) -> None:
    """The first look, which comes by itself, is over."""
    await world.become(lambda: len(fake.asked) >= pages)
    async with asyncio.timeout(30):
        while (await world.app.store.records.watch_state()).seen_at is None:
            await asyncio.sleep(0.01)


async def test_each_drop_and_its_end_is_told_once_in_each_channel_also_over_a_restart(
    tmp_path: Path, fake: FakePartnerApi
) -> None:
    async with watching(tmp_path, fake, WATCHED) as world:
        await looked(world, fake)
        for index in (3, 120, 299):
            fake.channels[index]["current_quality_rating"] = "RED"
        assert len((await world.look())["events"]) == 3
        assert (await world.look())["events"] == []
        await world.until({"delivered": 9})
        await world.stop()
        await world.start()
        for index in (3, 120, 299):
            fake.channels[index]["current_quality_rating"] = "GREEN"
        assert {one["detail"] for one in (await world.look())["events"]} <= {"GREEN"}
        found = await world.until({"delivered": 18})
        assert len({one["event_id"] for one in found}) == 6
        dropped = [post for post in world.slack.posts if "RED" in str(post.json)]
        assert len(dropped) >= 3
        status, balance = await world.client.api("/api/status")
        assert (status, balance["events"]["received"], balance["events"]["routed"]) == (200, 6, 6)


async def test_a_look_that_fails_makes_no_event_and_three_make_one_alarm(
    tmp_path: Path, fake: FakePartnerApi
) -> None:
    async with watching(tmp_path, fake, WATCHED) as world:
        await looked(world, fake)
        fake.channels = fake.channels[:2]
        bad = [web.Response(status=500), web.json_response({}, status=401), web.Response(text="{")]
        for answer in bad:
            fake.script = [answer]
            asked = len(fake.asked)
            refused = await world.look()
            assert refused["status"] == 502
            assert KEY not in str(refused)
            assert len(fake.asked) == asked + 1
        assert [one for one in await world.subjects(1) if "360dialog" in one] == world.oncall
        assert len(await world.app.store.records.watched()) == 300
        assert (await world.look())["events"] == []
        await world.subjects(2)
        assert "Recovered" in world.oncall[1]


async def test_a_page_that_is_missing_is_no_number_that_is_gone(
    tmp_path: Path, fake: FakePartnerApi
) -> None:
    async with watching(tmp_path, fake, WATCHED) as world:
        await looked(world, fake)
        fake.knows_offset = False
        for _ in range(2):
            assert (await world.look())["status"] == 502


async def test_a_webhook_that_told_the_new_value_makes_the_watch_silent(
    tmp_path: Path, fake: FakePartnerApi
) -> None:
    async with watching(tmp_path, fake, WATCHED) as world:
        await looked(world, fake)
        data = {
            "current_quality_rating": "Low",
            "setup_info": {"phone_number": fake.channels[3]["setup_info"]["phone_number"]},
        }
        body = {**partner(1), "event": "phone_number_quality_changed", "data": data}
        assert (await world.client.post(body))[0] == 200
        await world.until({"delivered": 3})
        fake.channels[3]["current_quality_rating"] = "RED"
        fake.channels[4]["current_quality_rating"] = "RED"
        assert len((await world.look())["events"]) == 2
        found = await world.until({"delivered": 6, "suppressed": 3})
        assert all("twin" in one["attempts"][-1:] or one for one in found)


async def test_a_webhook_after_the_watch_is_the_second_and_another_value_is_no_twin(
    tmp_path: Path, fake: FakePartnerApi
) -> None:
    async with watching(tmp_path, fake, WATCHED) as world:
        await looked(world, fake)
        fake.channels[3]["current_quality_rating"] = "RED"
        await world.look()
        await world.until({"delivered": 3})
        setup = {"phone_number": fake.channels[3]["setup_info"]["phone_number"]}
        for number, rating in enumerate(("Medium", "Low")):
            data = {"current_quality_rating": rating, "setup_info": setup}
            body = {**partner(number), "event": "phone_number_quality_changed", "data": data}
            await world.client.post(body)
        await world.until({"delivered": 6, "suppressed": 3})


async def test_what_360dialog_does_not_rate_is_told_once(
    tmp_path: Path, fake: FakePartnerApi
) -> None:
    for channel in fake.channels:
        channel["current_quality_rating"] = None
    async with watching(tmp_path, fake, WATCHED) as world:
        await looked(world, fake)
        await world.look()
        assert "no quality ratings" in (await world.subjects(1))[0]


async def test_without_a_key_the_relay_serves_and_says_what_is_missing(
    tmp_path: Path, fake: FakePartnerApi
) -> None:
    Watching.env = {}
    (tmp_path / "message_templates").mkdir()
    async with a_world(tmp_path, WATCHED, kind=Watching) as world:
        assert "not watched" in (await world.subjects(1))[0]
        assert not fake.asked


async def test_in_the_sandbox_nobody_is_asked(tmp_path: Path, fake: FakePartnerApi) -> None:
    class Sandboxed(Watching):
        def settings(self, **changes: Any) -> Settings:
            return replace(super().settings(**changes), sandbox=True)

    Watching.env = {**ENV, "RELAY_360DIALOG_API_URL": fake.url}
    (tmp_path / "message_templates").mkdir()
    async with a_world(tmp_path, WATCHED, kind=Sandboxed) as world:
        await world.happen()
        await world.until({"delivered": 1})
        assert not fake.asked


async def test_a_webhook_url_at_360dialog_that_leads_elsewhere_is_an_alarm(
    tmp_path: Path, fake: FakePartnerApi
) -> None:
    class Public(Watching):
        def settings(self, **changes: Any) -> Settings:
            own = "https://relay.example.com/webhooks/360dialog"
            return replace(super().settings(**changes), public_url=own)

    Watching.env = {**ENV, "RELAY_360DIALOG_API_URL": fake.url}
    (tmp_path / "message_templates").mkdir()
    fake.webhook_url = "https://old.example.com/hook"
    async with a_world(tmp_path, WATCHED, kind=Public) as world:
        assert "somewhere else" in (await world.subjects(1))[0]
        fake.webhook_url = "https://relay.example.com/webhooks/360dialog/"
        await world.app._live.result().numbers.compare()
        assert "Recovered" in (await world.subjects(2))[1]


@pytest.mark.parametrize(
    ("said", "url"),
    [
        ("", None),
        (" https://your.host/ ", "https://your.host/webhooks/360dialog"),
        ("https://your.host/a/hook", "https://your.host/a/hook"),
    ],
)
def test_the_own_address_is_that_of_the_webhook(said: str, url: str | None) -> None:
    assert public_url(said) == url


def test_an_own_address_that_is_none_is_told() -> None:
    with pytest.raises(UsageError, match="RELAY_PUBLIC_URL"):
        public_url("your.host")
