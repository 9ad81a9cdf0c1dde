"""Lanes at work: what becomes of deliveries when targets refuse, stall, vanish and come back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from relay.app import App
from relay.pace import Tempo
from relay.settings import Address, Settings
from tests.client import Client, partner
from tests.fakes.http import DROP_AFTER, STALL, Reply
from tests.fakes.slack import FakeSlack, error
from tests.fakes.smtp import FakeSmtp
from tests.needs import PATIENCE

QUICK = Tempo(first_probe=0.05, longest_probe=0.2, watch=0.05, grace=0.5)

RULES = """\
version: 1
accounts:
  slack: {{token: "${{SLACK_TOKEN}}", api_url: "{slack.api_url}"}}
  email: {{host: 127.0.0.1, port: {smtp.port}, tls: none, sender: relay@example.com}}
destinations:
  support: {{slack: {{channel: "#support"}}, pace: none}}
  same: {{slack: {{channel: "support"}}, pace: none}}
  sales: {{slack: {{channel: "#sales"}}, pace: none}}
  oncall: {{email: {{to: [oncall@example.com]}}, pace: none}}
rules:
  - name: Live
    when: {{event: channel_live}}
    send_to: [support, same]
  - name: Created
    when: {{event: channel_created}}
    send_to: [sales]
  - name: Both
    when: {{event: channel_ready}}
    send_to: [support, sales]
default: {{send_to: support}}
alarms: {{send_to: [support, oncall]}}
"""


class World:
    """A relay with its targets."""

    def __init__(self, folder: Path, slack: FakeSlack, smtp: FakeSmtp) -> None:
        self.folder = folder
        self.slack = slack
        self.smtp = smtp
        self.app: App
        self.client: Client
        self._numbers = iter(range(1, 10_000))

    def settings(self) -> Settings:
        return Settings(
            rules=self.folder / "rules.yaml",
            templates=self.folder / "message_templates",
            journal=f"sqlite:///{self.folder / 'relay.db'}",
            listen=Address("127.0.0.1", 0),
            insecure=True,
            allow_private=True,
            admin_token="admin",
            env={"SLACK_TOKEN": "xoxb-of-the-tests"},
        )

    def write_rules(self, text: str) -> None:
        (self.folder / "rules.yaml").write_text(
            text.format(slack=self.slack, smtp=self.smtp), encoding="utf-8"
        )

    async def start(self) -> None:
        self.app = await App.start(self.settings(), QUICK)
        self.client = Client(self.app)
        await self.client.__aenter__()

    async def stop(self) -> None:
        await self.client.__aexit__(None, None, None)
        await self.app.stop(grace=0.2)

    async def happen(self, kind: str = "channel_live") -> int:
        """Post one event; its number."""
        number = next(self._numbers)
        status, answer = await self.client.post({**partner(number), "event": kind})
        assert (status, answer["accepted"]) == (200, 1)
        return number

    async def deliveries(self, cause: str = "rule") -> list[dict[str, Any]]:
        found = (await self.client.api("/api/deliveries?limit=10000"))[1]["deliveries"]
        return [one for one in found if one["cause"] == cause]

    async def until(self, states: dict[str, int], cause: str = "rule") -> list[dict[str, Any]]:
        """Wait until so many deliveries are in each state."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.deliveries(cause)
                counts: dict[str, int] = {}
                for one in found:
                    counts[one["state"]] = counts.get(one["state"], 0) + 1
                if counts == states:
                    return found
                await asyncio.sleep(0.02)

    async def alarms(self, count: int) -> list[str]:
        """The subjects of so many mails to the person on call."""
        await self.smtp.wait_for(count)
        return [str(mail.message["Subject"]) for mail in self.smtp.mails]


@pytest.fixture
async def world(folder: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(FakeSlack())
        smtp = await stack.enter_async_context(FakeSmtp())
        made = World(folder, slack, smtp)
        made.write_rules(RULES)
        await made.start()
        stack.push_async_callback(made.stop)
        yield made


async def test_two_destinations_that_are_one_target_are_owed_one_delivery(world: World) -> None:
    await world.happen("channel_live")
    found = await world.until({"delivered": 1})
    assert found[0]["destination"] == "support"
    assert len(world.slack.posts) == 1


async def test_a_dead_channel_parks_its_deliveries_and_raises_one_alarm_elsewhere(
    world: World,
) -> None:
    world.slack.always(error("channel_not_found"), "#support")
    for _ in range(5):
        await world.happen()
    await world.until({"parked": 5})
    subjects = await world.alarms(1)
    assert "support" in subjects[0]
    assert "out of order" in subjects[0]
    ready = await world.client.get("/readyz")
    assert ready[0] == 200
    assert ready[1]["out_of_order"][0]["destinations"] == ["support", "same"]


async def test_a_mended_channel_gets_all_that_waited_by_itself_and_the_alarm_ends(
    world: World,
) -> None:
    world.slack.always(error("is_archived"), "#support")
    numbers = [await world.happen() for _ in range(5)]
    await world.until({"parked": 5})
    await world.alarms(1)
    world.slack.always(None, "#support")
    found = await world.until({"delivered": 5})
    assert len(numbers) == len(found)
    assert (await world.alarms(2))[1].count("Recovered: support, same work again") == 1
    assert len(world.smtp.mails) == 2


async def test_parked_deliveries_spend_no_attempts(world: World) -> None:
    world.slack.always(error("channel_not_found"), "#support")
    for _ in range(20):
        await world.happen()
    found = await world.until({"parked": 20})
    assert sum(bool(one["attempts"]) for one in found) < 20
    last = found[-1]
    assert last["attempts"] == []


async def test_a_revoked_token_parks_all_lanes_of_the_account_with_one_alarm(
    world: World,
) -> None:
    world.slack.always(error("token_revoked"))
    for _ in range(3):
        await world.happen("channel_ready")
    await world.until({"parked": 6})
    subjects = await world.alarms(1)
    assert "account" in subjects[0].lower()
    world.slack.always(None)
    await world.until({"delivered": 6})
    assert len(await world.alarms(2)) == 2


async def test_a_stalled_target_delays_nobody_else(world: World) -> None:
    world.slack.always(STALL, "#support")
    await world.happen("channel_live")
    for _ in range(10):
        await world.happen("channel_created")
    async with asyncio.timeout(PATIENCE):
        while sum(post.key == "#sales" for post in world.slack.posts) < 10:
            await asyncio.sleep(0.01)
    found = await world.deliveries()
    states = {one["destination"]: one["state"] for one in found}
    assert states["support"] == "claimed"
    world.slack.always(None, "#support")


async def test_a_rate_limit_makes_the_lane_wait_and_costs_no_attempt(world: World) -> None:
    world.slack.behave(Reply(429, "", {"Retry-After": "1"}), key="#support")
    await world.happen("channel_ready")
    found = await world.until({"delivered": 2})
    support = next(one for one in found if one["destination"] == "support")
    outcomes = [attempt["outcome"] for attempt in support["attempts"]]
    assert outcomes == ["rate_limited", "sent"]


async def test_a_refused_message_goes_out_as_the_plain_one(world: World) -> None:
    world.slack.behave(error("invalid_blocks"), key="#support")
    await world.happen()
    found = await world.until({"delivered": 1})
    assert found[0]["degraded"] is True
    assert len(world.slack.posts) == 2
    assert "invalid_blocks" in str(world.slack.posts[1].json)


async def test_a_message_refused_twice_is_dead_and_an_operator_can_retry_it(world: World) -> None:
    world.slack.behave(error("invalid_blocks"), error("invalid_blocks"), key="#support")
    await world.happen()
    found = await world.until({"dead": 1})
    assert "given up" in (await world.alarms(1))[0]
    status, answer = await world.client.api(f"/api/deliveries/{found[0]['id']}/retry", "POST")
    assert (status, answer) == (200, {"retried": 1})
    found = await world.until({"delivered": 1})
    assert found[0]["degraded"] is False
    status, _ = await world.client.api(f"/api/deliveries/{found[0]['id']}/retry", "POST")
    assert status == 409


async def test_a_lost_answer_is_ambiguous_and_repeated_once_with_the_same_id(
    world: World,
) -> None:
    world.slack.behave(DROP_AFTER, key="#support")
    await world.happen()
    found = await world.until({"delivered": 1})
    assert found[0]["ambiguous"] is True
    assert [attempt["outcome"] for attempt in found[0]["attempts"]] == ["ambiguous", "sent"]
    ids = [post.json["client_msg_id"] for post in world.slack.posts]
    assert len(ids) == 2
    assert ids[0] == ids[1]


async def test_deliveries_of_a_removed_destination_wait_until_it_is_back(world: World) -> None:
    world.slack.always(error("channel_not_found"), "#support")
    await world.happen()
    await world.until({"parked": 1})
    await world.stop()
    without = RULES.replace("support: {{slack: {{channel", "help: {{slack: {{channel")
    without = without.replace("[support, same]", "help").replace("support", "help")
    world.write_rules(without.replace('"help"', '"#help"'))
    await world.start()
    found = await world.until({"parked": 1})
    assert "no longer known" in found[0]["reason"]
    await world.stop()
    world.slack.always(None, "#support")
    world.write_rules(RULES)
    await world.start()
    await world.until({"delivered": 1})


async def test_an_edited_destination_gets_what_waited_at_its_new_place(world: World) -> None:
    world.slack.always(error("channel_not_found"), "#support")
    await world.happen()
    await world.until({"parked": 1})
    await world.stop()
    world.write_rules(RULES.replace('"#support"', '"#wa-support"').replace('"support"', '"#x"'))
    await world.start()
    await world.until({"delivered": 1})
    assert "#wa-support" in {post.key for post in world.slack.posts}


async def test_a_bad_rules_file_starts_with_the_last_good_version_and_says_so(
    world: World,
) -> None:
    await world.happen()
    await world.until({"delivered": 1})
    await world.stop()
    (world.folder / "rules.yaml").write_text("version: 1\nrules:\n  - nonsense\n")
    await world.start()
    await world.happen()
    await world.until({"delivered": 2})
    status = (await world.client.api("/api/status"))[1]
    assert status["rules"]["ok"] is False
    assert "rules.yaml:" in status["rules"]["error"]
    assert "refused" in (await world.alarms(1))[0]
    await world.stop()
    world.write_rules(RULES)
    await world.start()
    assert (await world.client.api("/api/status"))[1]["rules"]["ok"] is True
    assert "Recovered: rules.yaml is live" in (await world.alarms(2))[1]


async def test_a_ban_that_is_dropped_as_private_is_told_and_listed_once(world: World) -> None:
    value = {"event": "DISABLED_UPDATE", "phone_number": "491713920011"}
    ban = {"field": "account_update", "value": value | {"messages": [{"text": "hush-4711"}]}}
    chat = {"field": "messages", "value": {"messages": [{"text": "hush-4711"}]}}
    body = {"entry": [{"id": "100000000000777", "time": 1790000000, "changes": [ban, chat]}]}
    for _ in range(2):
        assert (await world.client.post(body))[1]["ignored"] == 2
    assert "ignored for its private content" in (await world.alarms(1))[0]
    listed = (await world.client.api("/api/events?state=ignored"))[1]["events"]
    assert [(one["kind"], one["detail"], one["data"]) for one in listed] == [
        ("account_update", "DISABLED_UPDATE", {})
    ]
    assert listed[0]["reason"] == "field account_update: private content is never kept"
    assert (await world.client.api("/api/status"))[1]["ignored"] == {
        "private kind": 2,
        "private content": 2,
    }
    await world.happen("channel_created")
    await world.until({"delivered": 1})
    assert len(world.smtp.mails) == 1
