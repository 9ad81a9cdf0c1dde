"""A destination that cannot be told has another told in its place: once, and with the reason."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.channels.slack.settings import SlackDestination
from relay.deliveries import Cause, Delivery, Fallback, Instead, State, hold
from relay.journal import Aim, Filter, Store
from relay.quiet import Conditions, Silence, falls_back_at
from tests.client import partner
from tests.config.test_config import config, faults
from tests.each import each
from tests.engines import Open
from tests.fakes.slack import STALL, FakeSlack, error
from tests.fakes.smtp import FakeSmtp
from tests.journal_suite import NOW, event, owe, owed
from tests.needs import PATIENCE
from tests.relay_process import RelayProcess
from tests.world import CREATED, LIVE, RULES, World, a_world

MINUTE = timedelta(minutes=1)
SOON = '"#support"}, pace: none, fallback: {to: oncall, after: 1s}'
LATER = '"#support"}, pace: none, fallback: {to: oncall, after: 10m}'
Worlds = Callable[..., AbstractAsyncContextManager[World]]


# When: pure


@given(st.sampled_from(State), st.sampled_from(Cause), st.integers(0, 60), st.integers(1, 60))
def test_it_is_owed_after_its_span_at_once_when_given_up_and_never_for_what_is_over(
    state: State, cause: Cause, age: int, after: int
) -> None:
    delivery = owed(state=state, cause=cause)
    at = falls_back_at(delivery, NOW - age * MINUTE, after * MINUTE, NOW)
    mine = cause in (Cause.RULE, Cause.DEFAULT, Cause.FALLBACK)
    if not mine or state in (State.DELIVERED, State.SUPPRESSED, State.HELD):
        assert at is None
    elif state is State.DEAD:
        assert at is not None
        assert at <= NOW
    else:
        assert at == NOW + (after - age) * MINUTE


def test_a_clock_that_was_set_back_delays_none_for_longer_than_its_span() -> None:
    assert falls_back_at(owed(), NOW + 60 * MINUTE, MINUTE, NOW) == NOW


# What the journal keeps


AIMS = {
    "wa": Aim("slack:#wa", "slack", "slack", "f", falls_back=True),
    "oncall": Aim("mail", "mail", "email", "f"),
    "sales": Aim("slack:#sales", "slack", "slack", "f"),
}


def stand_in(late: Delivery, name: str = "a") -> Delivery:
    return replace(
        owed(name, "mail", destination="oncall", channel="email", account="mail"),
        id=f"fallback of {late.event_id}",
        cause=Cause.FALLBACK,
        instead=Instead("wa", "slack", "gone (not_in_channel)", NOW),
    )


async def names_of(store: Store) -> list[str]:
    return [late.delivery.id for late in await store.records.late(["wa", "sales"])]


async def test_what_is_unfinished_where_a_fallback_is_may_come_to_owe_it(store: Store) -> None:
    await store.journal.aim(AIMS, now=NOW)
    late, never = owed(), owed(target="slack:#sales")
    await owe(store, late, never, owed("b", cause=Cause.TEST))
    (found,) = await store.records.late(["wa", "sales"])
    assert (found.delivery.id, found.since) == (late.id, NOW)


async def test_it_is_owed_once_and_stands_with_the_reason(opening: Open) -> None:
    store = await opening()
    await store.journal.aim(AIMS, now=NOW)
    late = owed()
    await owe(store, late)
    asked = [(late.id, event(), stand_in(late))]
    assert await store.journal.fall_back(asked, now=NOW) == {"mail"}
    assert await store.journal.fall_back(asked, now=NOW) == set()
    await store.journal.close()
    store = await opening()
    assert await store.journal.fall_back(asked, now=NOW) == set()
    assert await names_of(store) == []
    first, second = await store.records.of_event(event().id)
    assert first.delivery.fell_back_to == "oncall"
    assert second.delivery.instead == stand_in(late).instead
    assert (await store.records.balance()).balanced
    await store.journal.close()


async def test_what_was_told_meanwhile_owes_none(store: Store) -> None:
    await store.journal.aim(AIMS, now=NOW)
    late = owed()
    await owe(store, late)
    await store.journal.discard(Filter(ids=(late.id,)), now=NOW, who="me")
    asked = [(late.id, event(), stand_in(late))]
    assert await store.journal.fall_back(asked, now=NOW) == set()
    assert await names_of(store) == []


async def test_a_target_that_is_owed_the_event_anyway_gets_nothing_more(store: Store) -> None:
    await store.journal.aim(AIMS, now=NOW)
    late = owed()
    await owe(store, late, owed(target="mail", destination="oncall", account="mail"))
    assert not await store.journal.fall_back([(late.id, event(), stand_in(late))], now=NOW)
    found = await store.records.of_event(event().id)
    assert [one.delivery.fell_back_to for one in found] == ["oncall", None]


async def test_a_silence_holds_and_nobody_is_said_to_be_told(store: Store) -> None:
    await store.journal.aim(AIMS, now=NOW)
    late = owed()
    await owe(store, late)
    about = Conditions(destination="oncall")
    silence = Silence("", about, "known", "anna", NOW, NOW + 60 * MINUTE)
    await store.journal.begin_silence(silence)
    await store.journal.fall_back([(late.id, event(), stand_in(late))], now=NOW)
    first, second = await store.records.of_event(event().id)
    assert second.delivery.state is State.SUPPRESSED
    assert first.delivery.fell_back_to == ""


async def test_rules_that_come_to_have_one_count_for_what_waits_already(store: Store) -> None:
    bare = {name: replace(aim, falls_back=False) for name, aim in AIMS.items()}
    await store.journal.aim(bare, now=NOW)
    parked, waiting = owed("parked"), owed("waiting", "slack:#wa")
    await owe(store, waiting, parked)
    assert await names_of(store) == []
    await store.journal.aim(AIMS, now=NOW + MINUTE)
    assert set(await names_of(store)) == {parked.id, waiting.id}


async def test_what_is_held_owes_none_and_counts_from_its_release_on(store: Store) -> None:
    await store.journal.aim(AIMS, now=NOW)
    until = NOW + 60 * MINUTE
    alone, asked = hold(owed("alone"), until), hold(owed("asked"), until)
    await owe(store, alone, asked)
    assert await names_of(store) == []
    await store.journal.release([alone.id], now=NOW + MINUTE)
    await store.journal.retry(Filter(ids=(asked.id,)), now=NOW + MINUTE, who="me")
    found = await store.records.late(["wa"])
    assert {late.since for late in found} == {NOW + MINUTE}
    assert len(found) == 2


# A whole relay


def rules(fallback: str = SOON, **more: str) -> str:
    made = RULES.replace('"#support"}, pace: none', fallback)
    for before, after in more.items():
        made = made.replace(before, after)
    return made.replace("alarms: {send_to: [support, oncall]}", "alarms: {send_to: three}")


@pytest.fixture
def worlds(tmp_path: Path) -> Worlds:
    (tmp_path / "message_templates").mkdir()
    return lambda text: a_world(tmp_path, text)


async def test_what_is_parked_is_told_elsewhere_with_the_reason_and_late_after_all(
    worlds: Worlds,
) -> None:
    async with worlds(rules()) as world:
        world.slack.always(error("not_in_channel"), "#support")
        await world.happen()
        (subject,) = await world.subjects(1)
        assert subject.startswith("[fallback] ")
        (mine,) = await world.until({"delivered": 1}, "fallback")
        assert mine["instead"]["destination"] == "support"
        text = await told(world, mine)
        assert "This was to reach support. Slack: the bot is not in the channel" in text
        assert "(not_in_channel) since " in text
        assert "invite it" not in text
        world.slack.always(None, "#support")
        (late,) = await world.until({"delivered": 1})
        assert late["fell_back_to"] == "oncall"
        assert "This is late: oncall was told of it meanwhile." in await told(world, late)
        assert "[late: 1 min]" in str(world.slack.posts[-1].json)
        assert len(world.oncall) == 1


async def told(world: World, delivery: Mapping[str, Any]) -> str:
    """The text of a delivery's message."""
    stored = await world.app.store.records.of_event(delivery["event_id"])
    (one,) = [one for one in stored if one.delivery.id == delivery["id"]]
    assert one.rendered is not None
    return str(one.rendered["text"])


async def test_what_is_only_slow_is_told_elsewhere_too_and_each_event_by_itself(
    worlds: Worlds,
) -> None:
    async with worlds(rules()) as world:
        world.slack.always(STALL, "#support")
        await world.happen()
        await world.happen()
        await world.subjects(2)
        _, waiting = await world.until({"delivered": 2}, "fallback")
        assert "Slack: not sent since " in await told(world, waiting)


async def test_what_is_given_up_falls_back_at_once(worlds: Worlds) -> None:
    async with worlds(rules(LATER)) as world:
        world.slack.always(error("invalid_blocks"), "#support")
        await world.happen()
        await world.subjects(1)
        await world.until({"dead": 1})


async def test_what_is_in_time_and_what_has_no_fallback_is_told_once(worlds: Worlds) -> None:
    async with worlds(rules(LATER)) as world:
        world.slack.always(error("not_in_channel"), "#sales")
        await world.happen(LIVE)
        await world.happen(CREATED)
        await world.until({"delivered": 1, "parked": 1})
        await world.stop()
        world.skew = timedelta(hours=1)
        await world.start()
        await world.client.settled()
        assert await world.deliveries("fallback") == []


async def test_quiet_hours_hold_a_fallback_that_can_wait(worlds: Worlds) -> None:
    quiet = {"oncall: {": 'oncall: {digest: "every 24h", '}
    async with worlds(rules(**quiet)) as world:
        world.slack.always(error("not_in_channel"), "#support")
        await world.happen("account_violation")
        await world.happen()
        found = await world.until({"held": 1, "delivered": 1}, "fallback")
        assert [one["state"] for one in found] == ["delivered", "held"]


async def test_the_time_goes_on_while_the_relay_is_off(worlds: Worlds) -> None:
    async with worlds(rules(LATER)) as world:
        world.slack.always(error("not_in_channel"), "#support")
        await world.happen()
        await world.until({"parked": 1})
        await world.stop()
        world.skew = timedelta(minutes=11)
        await world.start()
        await world.subjects(1)
        await world.stop()
        await world.start()
        await world.client.settled()
        assert len(await world.deliveries("fallback")) == 1


async def test_rules_decide_it_that_are_live_when_it_is_owed(worlds: Worlds) -> None:
    """An edit during an outage counts for what waits already."""
    async with worlds(rules('"#support"}, pace: none')) as world:
        world.slack.always(error("not_in_channel"), "#support")
        await world.happen()
        await world.until({"parked": 1})
        world.rules = rules()
        world.write_rules()
        await world.subjects(1)


async def test_a_chain_goes_on_and_each_place_is_told_once(worlds: Worlds) -> None:
    chain = {'"#sales"}': '"#sales"}, fallback: {to: oncall, after: 1s}'}
    made = rules(SOON.replace("oncall", "sales"), **chain)
    async with worlds(made) as world:
        world.slack.always(error("token_revoked"))
        await world.happen()
        await world.subjects(1)
        found = await world.deliveries("fallback")
        assert [(one["destination"], one["instead"]["destination"]) for one in found] == [
            ("sales", "support"),
            ("oncall", "sales"),
        ]


async def test_who_was_told_instead_hears_the_end_of_the_matter_too(worlds: Worlds) -> None:
    quality = "rules:\n  - {name: Quality, when: {topic: quality}, send_to: support}\n"
    made = rules(SOON.replace("oncall", "sales"), **{"rules:\n": quality})
    async with worlds(made) as world:
        world.slack.always(error("not_in_channel"), "#support")
        said = {"current_quality_update_event": "FLAGGED", "current_quality_rating": "RED"}
        await world.happen("phone_number_quality_changed", **said)
        await world.until({"delivered": 1}, "fallback")
        said = {"current_quality_update_event": "UNFLAGGED", "current_quality_rating": "GREEN"}
        await world.happen("phone_number_quality_changed", **said)
        await world.until({"delivered": 1}, "incident")
        (only,) = world.slack.channels["#sales"].values()
        assert "over within a minute" in only.title
        async with asyncio.timeout(PATIENCE):
            while await world.app.store.records.late(["support"]):
                await asyncio.sleep(0.02)
        world.slack.always(None, "#support")
        late = await world.until({"delivered": 2})
        assert {one["fell_back_to"] for one in late} == {"sales"}
        assert len(await world.deliveries("fallback")) == 1


async def test_replays_and_tests_start_none(worlds: Worlds) -> None:
    async with worlds(rules()) as world:
        await world.happen(CREATED)
        (one,) = await world.until({"delivered": 1})
        world.slack.always(error("not_in_channel"), "#support")
        route = f"/api/events/{one['event_id']}/replay"
        assert (await world.client.api(route, "POST", {"to": "support"}))[0] == 200
        await world.until({"parked": 1}, "replay")
        assert await world.app.store.records.late(["support"]) == ()


KILLED = """\
version: 1
accounts:
  slack: {{token: xoxb-of-the-tests, api_url: "{slack}"}}
  email: {{host: {smtp.host}, port: {smtp.port}, tls: none, sender: relay@example.com}}
destinations:
  support: {{slack: {{channel: "#support"}}, fallback: {{to: oncall, after: 1s}}}}
  oncall: {{email: {{to: [oncall@example.com]}}, pace: none}}
rules:
  - {{name: Live, when: {{event: channel_live}}, send_to: support}}
"""


async def test_relays_that_are_killed_owe_each_fallback_once(tmp_path: Path) -> None:
    async with FakeSlack() as slack, FakeSmtp() as smtp:
        slack.always(error("not_in_channel"))
        text = KILLED.format(slack=slack.api_url, smtp=smtp)
        async with RelayProcess(tmp_path, text) as relay:
            for number in range(4):
                status, _ = await relay.post({**partner(number), "event": "channel_live"})
                assert status == 200
                await relay.kill()
                await relay.start()
            found = await relay.until(lambda found: _fell_back(found) == 4)
            assert len({one["event_id"] for one in found if one["cause"] == "fallback"}) == 4
            async with asyncio.timeout(PATIENCE):
                while len({str(mail.message["Message-ID"]) for mail in smtp.mails}) < 4:
                    await asyncio.sleep(0.02)


def _fell_back(found: list[dict[str, Any]]) -> int:
    return sum(one["cause"] == "fallback" for one in found)


# What the file says


FILE = """\
version: 1
accounts:
  slack: {{token: xoxb-of-the-tests}}
  email: {{host: h.example.com, tls: none, sender: relay@example.com}}
destinations:
  support: {{slack: {{channel: "#support"}}, fallback: {support}}}
  sales: {{slack: {{channel: "#sales"}}{sales}}}
  same: {{slack: {{channel: "#support"}}}}
  oncall: {{email: {{to: [a@example.com]}}{oncall}}}
rules:
  - {{name: one, when: {{event: "*"}}, send_to: [support, same, sales]}}
default: {{send_to: support}}
alarms: {{send_to: [support, sales]}}
"""


def file(support: str, *, sales: str = "", oncall: str = "") -> str:
    more = {"sales": sales, "oncall": oncall}
    return FILE.format(
        support=support,
        **{name: f", fallback: {said}" if said else "" for name, said in more.items()},
    )


@each(
    "said, minutes",
    [
        ("{to: oncall, after: 10m}", 10),
        ("{to: oncall}", 10),
        ("{to: oncall, after: 1h30m}", 90),
        ('{to: "${WHO}", after: "${WHEN}"}', 5),
    ],
)
def test_a_destination_has_a_fallback(said: str, minutes: int) -> None:
    found = config(file(said), {"WHO": "oncall", "WHEN": "5m"})
    assert found.destinations["support"].fallback == Fallback("oncall", minutes * MINUTE)
    assert not [fault for fault in found.warnings if "oncall" in fault.message]


def test_a_fallback_makes_no_other_place_of_it() -> None:
    said = config(file("{to: oncall}")).destinations["support"]
    other = config(file("{to: sales}")).destinations["support"]
    assert isinstance(said, SlackDestination)
    assert (said.target, said.fingerprint) == (other.target, other.fingerprint)


@each(
    "said, more, expected",
    [
        ("{to: onkall}", {}, 'did you mean "oncall"?'),
        ("{after: 10m}", {}, "fallback has no `to`"),
        ("oncall", {}, "fallback must be a map: {to: …, after: …}"),
        ("{to: oncall, afterr: 10m}", {}, 'did you mean "after"?'),
        ("{to: oncall, after: soon}", {}, '"soon" is no span of time: write 30s, 10m or 2h'),
        ("{to: oncall, after: 0s}", {}, "from 1s to 3d"),
        ("{to: oncall, after: 4d}", {}, "from 1s to 3d"),
        ("{to: support}", {}, "leads back to where it began (support → support)"),
        ("{to: same}", {}, "leads back to where it began (support → same)"),
        ("{to: none}", {}, 'unknown destination "none"'),
        (
            "{to: sales}",
            {"sales": "{to: oncall}", "oncall": "{to: support}"},
            "destinations.support.fallback leads back to where it began "
            "(support → sales → oncall → support)",
        ),
    ],
)
def test_what_cannot_be_is_said_where_it_stands(
    said: str, more: Mapping[str, str], expected: str
) -> None:
    found = [fault for fault in faults(file(said, **more)) if expected in fault.message]
    assert [fault.line for fault in found] == [6]


def test_a_chain_that_does_not_return_is_none_of_its_business() -> None:
    assert config(file("{to: sales, after: 1m}", sales="{to: oncall}"))
