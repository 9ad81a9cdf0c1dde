"""Alarms tell the truth: they begin and end by what the journal holds, also after a restart."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relay import reload
from relay.alarms import Alarms
from relay.deliveries import Cause, State
from relay.events import Severity, Source
from relay.journal import Aim, EventState, Filter, Routing, Store, Trouble
from relay.journal.sqlite.engine import open_journal
from relay.metrics import Metrics
from relay.outcomes import OutOfOrder, Proof, Refused, Scope, Sent, Transient
from relay.pipeline import Plan
from relay.settings import Settings
from relay.worker.watch import Watch
from tests.client import Client
from tests.conftest import Start
from tests.fakes.slack import error
from tests.journal_suite import NOW, claim_one, event, owe, owed, reading, route_one, settled
from tests.world import CREATED, a_world

RULES_HERE = """\
version: 1
accounts:
  slack: {token: xoxb-of-the-tests}
destinations:
  sales: {slack: {channel: "#sales"}}
  "on call": {slack: {channel: "#oncall"}}
rules:
  - {name: All, when: {event: "*"}, send_to: sales}
alarms: {send_to: "on call"}
"""
MINUTE = timedelta(minutes=1)


class Looking:
    """A relay that looks and sends nothing: its watch, a real journal, and a clock to set."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "rules.yaml").write_text(RULES_HERE, encoding="utf-8")
        self.now = NOW
        self.store: Store
        self.watch: Watch
        self.faults: list[Exception] = []

    def plan(self) -> Plan:
        settings = Settings(
            rules=self.folder / "rules.yaml", templates=self.folder / "message_templates"
        )
        return reload.read(settings).plan

    @property
    def sales(self) -> str:
        return self.plan().destinations["sales"].target

    async def start(self) -> None:
        self.store = await open_journal(f"sqlite:///{self.folder / 'relay.db'}", now=self.now)
        plan = self.plan()
        self.watch = Watch(
            self.store,
            Alarms(self.store, clock=lambda: self.now, wake=lambda _targets: None),
            Metrics(),
            plan=lambda: plan,
            folder=self.folder,
            clock=lambda: self.now,
            fault=lambda _name, error: self.faults.append(error),
            seconds=lambda: self.now.timestamp(),
        )

    async def restart(self) -> None:
        await self.store.journal.close()
        await self.start()

    async def look(self, later: timedelta = timedelta(0)) -> list[str]:
        """The titles of all alarms so far, the newest last, after two looks."""
        self.now += later
        await self.watch.look()
        await self.watch.look()
        return [told.title for told in await self.told()]

    async def told(self) -> list[Any]:
        found = await self.store.records.events(Filter())
        return [one.event for one in found if one.event.source is Source.RELAY]

    async def text(self) -> str:
        """What the newest alarm says."""
        return str((await self.told())[-1].data["text"])

    async def waits(self, *names: str, **changes: Any) -> None:
        """Deliveries to sales that are due."""
        account = self.plan().destinations["sales"].account
        placed = {"destination": "sales", "account": account} | changes
        for name in names:
            await owe(self.store, owed(name, self.sales, **placed), now=self.now)

    async def claimed(self) -> Any:
        found = await claim_one(self.store, self.sales, now=self.now)
        assert found is not None
        return found.delivery


@asynccontextmanager
async def looking(folder: Path) -> AsyncIterator[Looking]:
    made = Looking(folder)
    await made.start()
    yield made
    await made.store.journal.close()


@pytest.fixture
async def relay(folder: Path) -> AsyncIterator[Looking]:
    async with looking(folder) as made:
        yield made


async def test_refusals_are_over_after_15_minutes_of_watching_and_not_after_a_restart(
    relay: Looking,
) -> None:
    relay.watch.refused()
    assert await relay.look() == ["Webhooks are being refused (401)"]
    over = "Recovered: no webhook is refused any more"
    await relay.restart()
    assert over not in await relay.look(5 * MINUTE)
    await relay.restart()
    assert over not in await relay.look(14 * MINUTE)
    assert (await relay.look(2 * MINUTE))[-1] == over
    status = await relay.store.records.status(now=relay.now)
    assert status.refused_webhooks == 1


QUIET = "No event from 360dialog any more"
SPEAKS = "Recovered: events come from 360dialog again"


async def heard(relay: Looking, name: str) -> None:
    """An event of 360dialog comes, and is routed."""
    arrived = reading(name, received_at=relay.now)
    (added,) = (await relay.store.journal.append(arrived, now=relay.now)).events
    await route_one(
        relay.store, added.id, Routing(EventState.UNMATCHED, (), rules_version=1), now=relay.now
    )


async def test_silence_is_over_when_an_event_came_and_not_after_a_restart(relay: Looking) -> None:
    await heard(relay, "old")
    await relay.look()
    assert await relay.look(23 * 60 * MINUTE) == []
    assert await relay.look(2 * 60 * MINUTE) == [QUIET]
    await relay.restart()
    assert await relay.look(MINUTE) == [QUIET]
    await heard(relay, "new")
    assert await relay.look(MINUTE) == [QUIET, SPEAKS]


async def test_while_the_relay_was_down_nobody_was_silent_and_the_alarm_says_so(
    relay: Looking,
) -> None:
    await heard(relay, "old")
    await relay.look(20 * 60 * MINUTE)
    relay.now += 30 * 60 * MINUTE
    await relay.restart()
    assert await relay.look() == []
    assert await relay.look(3 * 60 * MINUTE) == []
    assert await relay.look(2 * 60 * MINUTE) == [QUIET]
    assert "The relay itself was down for 30 hours" in await relay.text()


async def test_a_source_that_never_spoke_is_not_missed_beside_one_that_speaks(
    relay: Looking,
) -> None:
    for hour in range(0, 60, 12):
        await heard(relay, f"event {hour}")
        assert await relay.look(12 * 60 * MINUTE) == []


async def test_senders_that_never_said_anything_are_an_alarm_until_one_does(
    relay: Looking,
) -> None:
    assert await relay.look(25 * 60 * MINUTE) == ["No event for 25 hours"]
    await heard(relay, "first")
    assert (await relay.look(MINUTE))[1:] == ["Recovered: events come in"]


async def test_events_that_nobody_routed_for_15_minutes_are_an_alarm_until_they_are(
    relay: Looking,
) -> None:
    await relay.store.journal.append(reading("a", "b"), now=relay.now)
    assert await relay.look(14 * MINUTE) == []
    assert await relay.look(2 * MINUTE) == ["Events are not being routed"]
    text = await relay.text()
    assert "2 events wait" in text
    assert "since 2026-11-23 09:00 UTC" in text
    assert f"Musterladen GmbH dev001CL, +491713920011, {event('a').short_id}" in text
    assert f"`relay explain {event('a').short_id}`" in text
    await relay.restart()
    assert len(await relay.look(MINUTE)) == 1
    for name in ("a", "b"):
        routing = Routing(EventState.UNMATCHED, (), rules_version=1)
        await route_one(relay.store, event(name).id, routing, now=relay.now)
    assert (await relay.look())[1:] == ["Recovered: events are routed again"]


async def test_late_work_names_what_waits_and_is_over_only_when_nothing_old_is_left(
    relay: Looking,
) -> None:
    await relay.waits("a", "b")
    assert await relay.look(14 * MINUTE) == []
    assert await relay.look(2 * MINUTE) == ["Messages for sales are late"]
    text = await relay.text()
    assert "2 deliveries wait, the oldest since 2026-11-23 09:00 UTC (channel_live," in text
    assert "`relay deliveries --state pending --destination sales`" in text
    # A try that fails moves the due time; what waits waits all the same, also after a restart.
    tried = await relay.claimed()
    await settled(relay.store, tried, Transient("no connection"), now=relay.now)
    await relay.claimed()
    await relay.restart()
    assert len(await relay.look()) == 1
    while found := await claim_one(relay.store, relay.sales, now=relay.now + 600 * MINUTE):
        await settled(relay.store, found.delivery, Sent(Proof.POSTED), now=relay.now)
    assert (await relay.look())[1:] == ["Recovered: no message for sales is late"]


async def test_a_delivery_that_stays_claimed_is_late_too(relay: Looking) -> None:
    await relay.waits("a")
    await relay.claimed()
    assert await relay.look(14 * MINUTE) == []
    assert await relay.look(2 * MINUTE) == ["Messages for sales are late"]
    assert "1 delivery waits since 2026-11-23 09:00 UTC" in await relay.text()


async def test_what_was_given_up_is_told_also_when_the_relay_died_before_it_could(
    relay: Looking,
) -> None:
    await relay.waits("a", fault="x")
    given_up = await settled(relay.store, await relay.claimed(), Refused("invalid_blocks"))
    assert given_up.state is State.DEAD
    await relay.restart()
    assert await relay.look() == ["A message for sales was given up"]
    text = await relay.text()
    assert "channel_live, Musterladen GmbH dev001CL" in text
    assert "invalid_blocks" in text
    assert f"`relay retry {given_up.id}`" in text
    await relay.restart()
    assert len(await relay.look()) == 1
    await relay.store.journal.discard(Filter(ids=(given_up.id,)), now=relay.now, who="test")
    assert (await relay.look())[1:] == ["Recovered: no message for sales is given up any more"]


async def test_an_alarm_that_is_given_up_raises_no_alarm(relay: Looking) -> None:
    await relay.waits("a", fault="x", cause=Cause.ALARM)
    await settled(relay.store, await relay.claimed(), Refused("invalid_blocks"))
    assert await relay.look() == []


async def out_of_order(relay: Looking, fingerprint: str = "old") -> None:
    """Sales is out of order, and three deliveries wait for it."""
    await relay.waits("a", "b", "c")
    destination = relay.plan().destinations["sales"]
    aims = {"sales": Aim(relay.sales, destination.account, "slack", fingerprint)}
    await relay.store.journal.aim(aims, now=relay.now)
    trouble = Trouble(relay.sales, Scope.TARGET, "the channel is archived", fingerprint)
    outcome = OutOfOrder("the channel is archived")
    await settled(relay.store, await relay.claimed(), outcome, now=relay.now, trouble=trouble)


async def test_a_target_out_of_order_names_what_waits_and_recovers_when_it_takes_a_message(
    relay: Looking,
) -> None:
    await out_of_order(relay)
    assert await relay.look() == ["Destination sales is out of order"]
    text = await relay.text()
    assert "the channel is archived. 3 deliveries wait, the oldest since" in text
    assert "`relay send-test sales`" in text
    await relay.restart()
    assert len(await relay.look()) == 1
    await relay.store.journal.probe(relay.sales, now=relay.now)
    probe = await relay.claimed()
    await settled(relay.store, probe, Sent(Proof.POSTED), now=relay.now, cured=[relay.sales])
    await relay.restart()
    assert (await relay.look())[1:] == ["Recovered: sales works again"]


async def test_an_edit_alone_does_not_say_that_a_target_works_again(relay: Looking) -> None:
    await out_of_order(relay)
    assert len(await relay.look()) == 1
    destination = relay.plan().destinations["sales"]
    edited = {"sales": Aim(relay.sales, destination.account, "slack", "new")}
    await relay.store.journal.aim(edited, now=relay.now)
    assert await relay.store.records.troubles() == []
    assert len(await relay.look(MINUTE)) == 1
    await settled(relay.store, await relay.claimed(), Sent(Proof.POSTED), now=relay.now)
    assert (await relay.look())[1:] == ["Recovered: sales works again"]


async def test_a_target_that_no_destination_has_any_more_is_not_said_to_work(
    relay: Looking,
) -> None:
    await out_of_order(relay)
    await relay.look()
    rules = RULES_HERE.replace("#sales", "#elsewhere")
    (relay.folder / "rules.yaml").write_text(rules, encoding="utf-8")
    await relay.store.journal.aim(
        {"sales": Aim(relay.sales, "slack", "slack", "new")}, now=relay.now
    )
    await relay.restart()
    assert (await relay.look())[1:] == ["Over: Destination sales is out of order"]
    assert "No destination of the rules leads there any more" in await relay.text()


async def test_a_critical_event_without_a_rule_names_whose_it_is(relay: Looking) -> None:
    critical = event("a", severity=Severity.CRITICAL)
    relay.watch.routed(critical, Routing(EventState.UNMATCHED, (), rules_version=1))
    assert await relay.look() == ["A critical event was told to nobody"]
    assert f"channel_live, Musterladen GmbH dev001CL, +491713920011, {critical.short_id}" in (
        await relay.text()
    )


async def test_a_part_that_cannot_look_does_not_silence_the_others(relay: Looking) -> None:
    await relay.waits("a", fault="x")
    await settled(relay.store, await relay.claimed(), Refused("invalid_blocks"))
    away = relay.folder.with_name("away")
    relay.folder.rename(away)
    try:
        with pytest.raises(FileNotFoundError):
            await relay.watch.look()
        assert [told.title for told in await relay.told()] == ["A message for sales was given up"]
    finally:
        away.rename(relay.folder)


async def test_the_watch_survives_its_folder_being_away_and_stands_in_readyz_meanwhile(
    folder: Path,
) -> None:
    async with a_world(folder) as world:
        await world.stop()
        world.tempo = replace(world.tempo, patience=0.3)
        await world.start()
        away = folder.with_name("away")
        os.rename(folder, away)  # noqa: PTH104
        try:
            async with asyncio.timeout(15):
                while "watch" not in await stuck(world.client):
                    await asyncio.sleep(0.02)
        finally:
            os.rename(away, folder)  # noqa: PTH104
        assert "relay_loop_faults_total 0.0" not in (await world.client.get("/metrics"))[1]
        async with asyncio.timeout(15):
            while await stuck(world.client):
                await asyncio.sleep(0.02)
        world.slack.always(error("channel_not_found"), "#sales")
        await world.happen(CREATED)
        assert "sales is out of order" in (await world.subjects(1))[0]


async def stuck(client: Client) -> set[str]:
    status, ready = await client.get("/readyz")
    assert status == 200
    return {one["loop"] for one in ready["stuck"]}


async def test_an_event_that_nobody_routes_stands_in_readyz(start: Start) -> None:
    client = await start()
    assert (await client.get("/readyz"))[1]["unrouted"] is None
    now: datetime = client.app.clock()
    old = event("a", received_at=now - 20 * MINUTE)
    # Recorded behind the router's back, so that nothing wakes it.
    arrival = replace(reading("a").arrivals[0], event=old)
    await client.app.store.journal.append(replace(reading("a"), arrivals=(arrival,)), now=now)
    ready = (await client.get("/readyz"))[1]
    assert ready["unrouted"]["event_id"] == old.id


async def test_a_target_that_flaps_is_told_three_times_and_then_once_an_hour(
    relay: Looking,
) -> None:
    destination = relay.plan().destinations["sales"]
    ill = "Destination sales is out of order"
    well = "Recovered: sales works again"

    async def flap(name: str) -> None:
        await relay.waits(name)
        trouble = Trouble(relay.sales, Scope.TARGET, "the channel is archived", "x")
        outcome = OutOfOrder("the channel is archived")
        await settled(relay.store, await relay.claimed(), outcome, now=relay.now, trouble=trouble)
        await relay.look(MINUTE)
        cured = (relay.sales, destination.account)
        await relay.store.journal.probe(relay.sales, now=relay.now)
        await settled(
            relay.store, await relay.claimed(), Sent(Proof.POSTED), now=relay.now, cured=cured
        )
        await relay.look(MINUTE)

    async def told() -> list[str]:
        """The titles of what was sent."""
        all_ = [event for event in await relay.told() if "sales" in event.title]
        return [event.title for event in all_ if not event.data["damped"]]

    await flap("a")
    await flap("b")
    assert await told() == [ill, well] * 2
    await flap("c")
    assert await told() == [ill, well, ill, well, ill]
    texts = [str(event.data["text"]) for event in await relay.told() if event.title == ill]
    assert "This is the 3rd time within an hour" in texts[-1]
    for name in "defg":
        await flap(name)
    await relay.restart()
    assert len(await told()) == 5
    await relay.look(timedelta(hours=1))
    assert await told() == [ill, well, ill, well, ill, well]
    texts = [str(event.data["text"]) for event in await relay.told() if event.title == well]
    assert "Since the last message it began 4 times." in texts[-1]
    await relay.look(timedelta(hours=2))
    assert len(await told()) == 6
    await flap("h")
    assert (await told())[6:] == [ill, well]
