"""Targets that refuse, stall, lie, limit and come back: what reaches them, and in what order.

The cases of group B that need a whole relay; those of one channel stand beside the channel.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from relay.channels import Channel, Destination, Parcel
from relay.errors import UnsendableError
from relay.events import from_iso
from relay.outcomes import Outcome
from relay.pipeline import owe
from tests.client import partner
from tests.fakes.http import DROP_AFTER, STALL, FakeHttp, Reply
from tests.fakes.slack import error
from tests.fakes.smtp import DROP
from tests.fakes.teams import error as teams_error
from tests.needs import PATIENCE
from tests.world import CREATED, LIVE, READY, RULES, World, a_world

THREE = "channel_running"
CLIENT = "client_created"
SMTP_SAYS = {
    "helo": "504 5.5.2 <3f9c0d12ab34>: Helo command rejected: need fully-qualified hostname",
    "relaying": "554 5.7.1 <ops@example.com>: Relay access denied",
    "client": "554 5.7.1 <unknown[192.0.2.7]>: Client host rejected: Access denied",
    "sender": "553 5.7.1 <relay@example.com>: Sender address rejected: not owned by user relay",
    "login": "550 5.7.1 Authentication required",
}
"""What mail servers say at RCPT about whoever sends."""
MAILS = RULES.replace("[support, oncall]", "support").replace(
    "default:", "  - {name: Client, when: {event: client_created}, send_to: oncall}\ndefault:"
)
"""Mail of two destinations; alarms go by Slack alone."""


@pytest.fixture
async def world(folder: Path) -> AsyncIterator[World]:
    async with a_world(folder) as made:
        yield made


@pytest.fixture
async def mails(folder: Path) -> AsyncIterator[World]:
    async with a_world(folder, MAILS) as made:
        yield made


def port_of(fake: FakeHttp) -> int:
    return int(fake.base.rpartition(":")[2])


async def tried(world: World, times: int) -> None:
    """Wait for so many tries, whichever deliveries they are of."""
    async with asyncio.timeout(PATIENCE):
        while sum(len(one["attempts"]) for one in await world.deliveries()) < times:
            await asyncio.sleep(0.01)


async def test_after_an_outage_everything_arrives_in_order_of_age(world: World) -> None:
    port = port_of(world.slack)
    await world.slack.stop()
    names = [await world.happen() for _ in range(12)]
    await tried(world, 3)
    names += [await world.happen() for _ in range(3)]
    await world.slack.start(port)
    world.app.worker.hurry()
    found = await world.until({"delivered": 15})
    assert world.shown() == names
    assert sum(len(one["attempts"]) for one in found) < 15 + 10


async def test_after_an_outage_what_is_critical_goes_first(world: World) -> None:
    port = port_of(world.slack)
    await world.slack.stop()
    for _ in range(6):
        await world.happen()
    await tried(world, 3)
    critical = await world.happen("account_violation")
    async with asyncio.timeout(PATIENCE):
        while not await world.deliveries("default"):
            await asyncio.sleep(0.01)
    await world.slack.start(port)
    world.app.worker.hurry()
    await world.until({"delivered": 6})
    assert critical in world.shown()[:2]


async def test_a_backlog_keeps_the_pace_of_its_target(folder: Path) -> None:
    """Slack's own pace: a burst of three, then one a second, whatever the queue holds."""
    paced = RULES.replace('"#sales"}, pace: none}', '"#sales"}}')
    async with a_world(folder, paced) as world:
        times = [time.monotonic()]
        for _ in range(5):
            await world.happen(CREATED)
        for count in range(1, 6):
            await world.slack.wait_for(count)
            times.append(time.monotonic())
    assert times[4] - times[0] > 0.95
    assert times[5] - times[0] > 1.95


async def test_the_same_webhook_five_times_at_once_and_again_after_a_restart_is_told_once(
    world: World,
) -> None:
    body = partner(77)
    answers = await asyncio.gather(*(world.client.post(body) for _ in range(5)))
    assert [status for status, _ in answers] == [200] * 5
    assert sum(answer["accepted"] for _, answer in answers) == 1
    await world.until({"delivered": 1})
    await world.stop()
    await world.start()
    assert (await world.client.post(body))[1]["duplicate"] == 1
    assert len(world.slack.posts) == 1


async def test_a_mail_whose_answer_was_lost_is_repeated_with_the_same_message_id(
    world: World,
) -> None:
    world.smtp.reply("DOT", DROP)
    await world.happen(THREE)
    found = await world.until({"delivered": 1})
    assert [one["outcome"] for one in found[0]["attempts"]] == ["ambiguous", "sent"]
    ids = [mail.message["Message-ID"] for mail in world.smtp.mails]
    assert len(ids) == 2
    assert ids[0] == ids[1]


async def test_a_lost_answer_of_teams_makes_two_posts_and_not_more(world: World) -> None:
    world.teams.behave(DROP_AFTER)
    await world.happen(READY)
    found = await world.until({"delivered": 1})
    assert found[0]["ambiguous"] is True
    assert found[0]["proof"] == "accepted"
    assert len(world.teams.posts) == 2


async def test_one_target_that_stalls_slows_nine_others_by_nothing(folder: Path) -> None:
    """300 events for nine channels beside one that never answers."""
    channels = "".join(f'  c{n}: {{slack: {{channel: "#c{n}"}}, pace: none}}\n' for n in range(9))
    rules = RULES.replace("destinations:\n", "destinations:\n" + channels).replace(
        "send_to: sales", "send_to: [sales, c0, c1, c2, c3, c4, c5, c6, c7, c8]"
    )
    async with a_world(folder, rules) as world:
        world.slack.always(STALL, "#sales")
        for _ in range(33):
            await world.happen(CREATED)

        def fast() -> int:
            return sum(post.key.startswith("#c") for post in world.slack.posts)

        await world.become(lambda: fast() == 33 * 9)
        found = await world.deliveries()
        states = [one["state"] for one in found if one["destination"] == "sales"]
        assert sorted(set(states)) == ["claimed", "pending"]
        assert states.count("claimed") == 1


async def test_ten_thousand_overdue_retries_hold_up_no_first_try(world: World) -> None:
    """New events for the same target, and for another one, go before and beside them."""
    world.slack.always(STALL, "#support")
    await world.happen()
    await world.become(lambda: len(world.slack.posts) == 1)
    store, plan = world.app.store, world.app.worker.plan
    (stored,) = await world.deliveries()
    event = await store.records.event(stored["event_id"])
    assert event is not None
    now = world.clock() - timedelta(minutes=10)
    overdue = [
        replace(
            owe(
                event.event,
                plan.destinations["support"],
                cause=plan_cause,
                now=now,
                version=1,
                occasion=f"retry {n}",
            ),
            failures=1,
        )
        for plan_cause in (_rule_cause(),)
        for n in range(10_000)
    ]
    await store.journal.owe(overdue, now=now)
    new = await world.happen()
    elsewhere = await world.happen(CREATED)
    port = port_of(world.slack)
    world.slack.always(None, "#support")
    await world.become(lambda: elsewhere in world.shown("#sales"))
    await world.slack.stop()
    world.slack.posts.clear()
    await world.slack.start(port)
    world.app.worker.hurry()
    await world.become(lambda: new in world.shown()[:3])


def _rule_cause() -> Any:
    from relay.deliveries import Cause

    return Cause.RULE


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "30"}, 25, 31),
        ({"Retry-After": "41.5"}, 36, 43),
        ({"Retry-After": "Wed, 01 Jan 2200 00:00:00 GMT"}, 3590, 3601),
        ({"Retry-After": "99999999"}, 3590, 3601),
        ({"Retry-After": "-1"}, 25, 31),
        ({"Retry-After": "soon"}, 25, 31),
        ({}, 25, 31),
    ],
    ids=str,
)
async def test_a_target_that_asks_to_wait_is_left_alone_for_so_long(
    world: World, headers: Mapping[str, str], least: float, most: float
) -> None:
    """And it costs no attempt, and the other channels of the workspace go on."""
    world.slack.behave(Reply(429, "", headers), key="#support")
    asked = world.clock()
    await world.happen()
    await world.become(lambda: len(world.slack.posts) == 1)
    later = await world.happen()
    await world.happen(CREATED)
    found = await world.until({"pending": 2, "delivered": 1})
    due = next(
        from_iso(one["due_at"]) for one in found if one["attempts"] and one["state"] == "pending"
    )
    assert least <= (due - asked).total_seconds() <= most
    assert later not in world.shown()
    assert len(world.slack.posts) == 2


async def test_a_target_that_asks_to_wait_for_no_time_is_not_hammered(world: World) -> None:
    world.slack.always(Reply(429, "", {"Retry-After": "0"}), "#support")
    await world.happen()
    await world.become(lambda: len(world.slack.posts) == 2)
    began = time.monotonic()
    await world.become(lambda: len(world.slack.posts) == 3)
    assert time.monotonic() - began > 0.7


def _slack_says(code: str) -> Callable[[World, bool], None]:
    return lambda world, ill: world.slack.always(error(code) if ill else None)


def _teams_says(status: int) -> Callable[[World, bool], None]:
    return lambda world, ill: world.teams.always(teams_error(status) if ill else None)


def _smtp_says(command: str, reply: str) -> Callable[[World, bool], None]:
    return lambda world, ill: world.smtp.always(command, reply if ill else None)


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        (LIVE, _slack_says("channel_not_found")),
        (LIVE, _slack_says("invalid_auth")),
        (LIVE, _slack_says("account_inactive")),
        (READY, _teams_says(404)),
        (READY, _teams_says(401)),
        (THREE, _smtp_says("MAIL", "550 5.7.30 basic authentication is not supported")),
        (THREE, _smtp_says("CONNECT", "554 5.7.1 we know you not")),
    ],
    ids=["channel_not_found", "invalid_auth", "account_inactive", "404", "401", "5.7.30", "554"],
)
async def test_a_target_out_of_order_parks_raises_one_alarm_elsewhere_and_recovers(
    world: World, kind: str, fault: Callable[[World, bool], None]
) -> None:
    fault(world, True)
    for _ in range(3):
        await world.happen(kind)
    await world.until({"parked": 3})
    if kind == THREE:
        await world.become(lambda: len(world.slack.posts) >= 1)
    else:
        await world.subjects(1)
    fault(world, False)
    await world.until({"delivered": 3})
    async with asyncio.timeout(PATIENCE):
        while True:
            alarms = await world.deliveries("alarm")
            if len({one["event_id"] for one in alarms}) == 2:
                break
            await asyncio.sleep(0.01)
    ill = "oncall" if kind == THREE else "support"
    begun = [one for one in alarms if one["event_id"] == alarms[0]["event_id"]]
    if kind != READY:
        assert ill not in {one["destination"] for one in begun}
    assert len({one["event_id"] for one in alarms}) == 2


async def test_a_webhook_that_is_gone_is_parked(folder: Path) -> None:
    rules = RULES.replace(
        'sales: {slack: {channel: "#sales"}', 'sales: {slack: {webhook: "%(hook)s"}'
    )
    async with a_world(folder, rules.replace("%(hook)s", "http://127.0.0.1:9/x")) as world:
        await world.stop()
        world.rules = rules.replace("%(hook)s", world.slack.webhook_url("gone"))
        world.slack.always(Reply(404, "no_active_hooks", content_type="text/html"), "gone")
        await world.start()
        await world.happen(CREATED)
        await world.until({"parked": 1})


async def test_with_no_other_target_an_alarm_is_recorded_shown_and_not_sent_to_the_ill_one(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with a_world(folder, RULES.replace("[support, oncall]", "support")) as world:
        world.slack.always(error("channel_not_found"), "#support")
        await world.happen()
        await world.until({"parked": 1})
        await world.become(lambda: "no healthy destination" in "".join(capfd.readouterr()))
        assert await world.deliveries("alarm") == []
        status = (await world.client.api("/api/status"))[1]
        ill = next(one for one in status["destinations"] if one["name"] == "support")
        assert ill["state"] == "parked"
        assert "channel_not_found" in ill["reason"]
        world.slack.always(None, "#support")
        await world.until({"delivered": 1})


async def test_a_delivery_that_is_dead_is_told_elsewhere_once_and_again_when_it_is_settled(
    world: World,
) -> None:
    world.slack.always(error("invalid_blocks"), "#support")
    await world.happen()
    await world.happen()
    found = await world.until({"dead": 2})
    assert "given up" in (await world.subjects(1))[0]
    assert {one["destination"] for one in await world.deliveries("alarm")} == {"oncall"}
    world.slack.always(None, "#support")
    ids = [one["id"] for one in found]
    await world.client.api("/api/deliveries/retry", "POST", {"ids": ids})
    await world.until({"delivered": 2})
    assert len(await world.subjects(2)) == 2


@pytest.mark.parametrize(
    ("kind", "refuse"),
    [
        (LIVE, lambda world: world.slack.behave(error("msg_too_long"), key="#support")),
        (READY, lambda world: world.teams.behave(teams_error(400))),
        (THREE, lambda world: world.smtp.reply("DOT", "552 5.3.4 too big")),
    ],
    ids=["msg_too_long", "400", "552"],
)
async def test_a_refused_message_is_not_repeated_but_written_plainly(
    world: World, kind: str, refuse: Callable[[World], None]
) -> None:
    refuse(world)
    name = await world.happen(kind)
    found = await world.until({"delivered": 1})
    assert found[0]["degraded"] is True
    assert [one["outcome"] for one in found[0]["attempts"]] == ["refused", "sent"]
    sent = [str(post.json) for post in (*world.slack.posts, *world.teams.posts)]
    sent += [mail.message.as_string() for mail in world.smtp.mails]
    assert len(sent) == 2
    assert name in sent[1]


async def test_three_recipients_three_fates_through_the_whole_path(world: World) -> None:
    world.smtp.always("RCPT", "550 5.1.1 no such user", to="b@example.com")
    world.smtp.reply("RCPT", "451 4.7.1 greylisted", to="c@example.com")
    await world.happen(THREE)
    found = await world.until({"dead": 1})
    assert [mail.recipients for mail in world.smtp.mails if len(mail.recipients) != 1] == []
    assert [mail.recipients[0] for mail in world.smtp.mails][:2] == [
        "a@example.com",
        "c@example.com",
    ]
    assert found[0]["refused"].keys() == {"b@example.com"}
    assert found[0]["recipients"] == []
    assert [one["outcome"] for one in found[0]["attempts"]] == ["partly_refused", "sent"]


@pytest.mark.parametrize("said", sorted(SMTP_SAYS))
async def test_a_mail_fault_of_ours_parks_all_mail_with_one_alarm_and_nothing_is_lost(
    mails: World, said: str
) -> None:
    """Nobody is at fault but the account: what waits goes out when the server takes it again."""
    mails.smtp.always("RCPT", SMTP_SAYS[said])
    for _ in range(3):
        await mails.happen(THREE)
        await mails.happen(CLIENT)
    found = await mails.until({"parked": 6})
    assert all("accounts.email" in one["reason"] for one in found)
    [trouble] = (await mails.client.get("/readyz"))[1]["out_of_order"]
    assert set(trouble["destinations"]) == {"oncall", "three"}
    await mails.become(lambda: bool(mails.slack.posts))
    mails.smtp.always("RCPT", None)
    await mails.until({"delivered": 6})
    assert len(mails.smtp.mails) == 6
    alarms = [str(post.json) for post in mails.slack.posts if "out of order" in str(post.json)]
    assert len([text for text in alarms if "Over" not in text and "Recovered" not in text]) == 1


async def test_a_destination_whose_address_is_wrong_waits_for_the_right_one(mails: World) -> None:
    """It alone: mail to others goes on, and what waited is sent where the edit says."""
    mails.smtp.always("RCPT", "550 5.1.1 user unknown")
    mails.smtp.always("RCPT", "250 2.1.5 ok", to="right@example.com")
    mails.smtp.always("RCPT", "250 2.1.5 ok", to="oncall@example.com")
    await mails.happen(THREE)
    await mails.until({"parked": 1})
    await mails.happen(CLIENT)
    await mails.until({"parked": 1, "delivered": 1})
    rules = mails.folder / "rules.yaml"
    edited = rules.read_text().replace(
        "[a@example.com, b@example.com, c@example.com]", "[right@example.com]"
    )
    rules.write_text(edited)
    await mails.client.api("/api/reload", "POST")
    found = await mails.until({"delivered": 2})
    assert ("right@example.com",) in [mail.recipients for mail in mails.smtp.mails]
    assert {tuple(one["recipients"]) for one in found} == {
        ("right@example.com",),
        ("oncall@example.com",),
    }


async def test_a_greylisted_mail_is_delivered_once(world: World) -> None:
    world.smtp.reply("MAIL", "451 4.7.1 try again later", "421 4.3.2 shutting down")
    await world.happen(THREE)
    await world.until({"delivered": 1})
    assert len(world.smtp.mails) == 1


ODD = {
    "html": Reply(200, "<html>sign in</html>", content_type="text/html"),
    "unknown code": error("a_code_of_tomorrow"),
    "a list": Reply(200, "[1, 2]"),
    "a text": Reply(200, '"ok"'),
    "not json": Reply(200, "{"),
    "nothing": Reply(200, ""),
    "bad gateway": Reply(502, "<html>", content_type="text/html"),
    "teapot": Reply(418, "short and stout"),
    "deep": Reply(200, "[" * 50_000),
    "no utf-8": Reply(200, b"\xff\xfe\x00"),
    "gzip that is none": Reply(200, b"rubbish", {"Content-Encoding": "gzip"}),
}


async def test_odd_answers_reach_no_further_than_their_delivery(world: World) -> None:
    """Each leaves an attempt with an outcome; the loops see no fault and the other lanes go on."""
    for reply in ODD.values():
        world.slack.behave(reply, key="#support")
        await world.happen()
        world.app.worker.hurry()
    async with asyncio.timeout(PATIENCE):
        while len(world.slack.posts) < len(ODD):
            world.app.worker.hurry()
            await asyncio.sleep(0.01)
    await world.happen(CREATED)
    await world.become(lambda: len(world.shown("#sales")) == 1)
    assert "relay_loop_faults_total 0.0" in (await world.client.get("/metrics"))[1]
    assert not [one for one in await world.deliveries() if one["state"] in ("dead", "suppressed")]


class Buggy:
    """A channel with a fault of ours in it."""

    name = "slack"

    def __init__(self, inner: Channel, bad: str, where: str) -> None:
        self._inner, self._bad, self._where = inner, bad, where
        self.calls = 0

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        if self._where == "payload" and self._bad in parcel.message.title:
            self.calls += 1
            raise KeyError("a fault of ours")
        return self._inner.payload(destination, parcel)

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        if self._where == "send" and self._bad in str(payload):
            self.calls += 1
            raise KeyError("a fault of ours")
        return await self._inner.send(destination, payload)

    async def close(self) -> None:
        await self._inner.close()


def _infect(world: World, where: str) -> Buggy:
    channels: Any = world.app.channels
    channels["slack"] = buggy = Buggy(channels["slack"], "client-1.", where)
    return buggy


async def test_an_unforeseen_fault_is_counted_recorded_and_ends_after_three_times(
    world: World,
) -> None:
    """The deliveries behind it go out meanwhile."""
    buggy = _infect(world, "payload")
    await world.happen()
    others = [await world.happen() for _ in range(5)]
    found = await world.until({"dead": 1, "delivered": 5})
    assert world.shown()[:5] == others
    dead = next(one for one in found if one["state"] == "dead")
    assert [one["outcome"] for one in dead["attempts"]] == ["lost"] * 3
    assert "KeyError" in dead["reason"]
    assert buggy.calls == 3
    assert "relay_loop_faults_total 3.0" in (await world.client.get("/metrics"))[1]
    assert "given up" in (await world.subjects(1))[0]


async def test_an_unforeseen_fault_while_sending_is_ambiguous_and_tried_again(
    world: World,
) -> None:
    buggy = _infect(world, "send")
    await world.happen()
    await world.happen()
    await world.become(lambda: len(world.slack.posts) >= 1 and buggy.calls >= 2)
    bad, _good = await world.until({"delivered": 1, "pending": 1})
    assert bad["ambiguous"] is True
    assert bad["attempts"][0]["outcome"] == "ambiguous"


class Speechless(Buggy):
    """A channel that can put no message about one client into its form, not even the shortest."""

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        if self._bad in str(parcel.message):
            self.calls += 1
            raise UnsendableError("too long, whatever is cut")
        return self._inner.payload(destination, parcel)


async def test_a_message_that_cannot_be_written_is_refused_and_counted_as_posted_nowhere(
    world: World,
) -> None:
    channels: Any = world.app.channels
    channels["slack"] = speechless = Speechless(channels["slack"], "client-1", "payload")
    await world.happen()
    other = await world.happen()
    found = await world.until({"dead": 1, "delivered": 1})
    dead = next(one for one in found if one["state"] == "dead")
    assert [one["outcome"] for one in dead["attempts"]] == ["refused", "refused"]
    assert (dead["proof"], dead["reference"]) == (None, {})
    assert "too long, whatever is cut" in dead["reason"]
    assert speechless.calls > 1
    assert world.shown("#support") == [other]
    metrics = (await world.client.get("/metrics"))[1]
    assert 'relay_deliveries_delivered_total{destination="support",proof="posted"} 1.0' in metrics
    assert 'relay_attempts_failed_total{destination="support",reason="refused"} 2.0' in metrics
