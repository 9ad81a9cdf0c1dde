"""One event that meets a fault nobody foresaw: it goes to the default, and the others go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from relay.directory import Facts
from relay.events import Event
from relay.inbox import Inbox
from relay.journal import Records, Routing
from relay.rules import Choice, Match, Ruleset
from relay.worker.router import Router
from tests.world import CREATED, LIVE, READY, World, a_world

POISON = CREATED


@pytest.fixture
async def world(folder: Path) -> AsyncIterator[World]:
    async with a_world(folder) as made:
        yield made


class Faulty:
    """Rules that fail for one kind: they cannot judge it, or say what no journal can hold."""

    def __init__(self, rules: Ruleset, *, judges: bool) -> None:
        self._rules = rules
        self._judges = judges

    def match(self, event: Event) -> Match:
        match = self._rules.match(event)
        if event.kind != POISON:
            return match
        if not self._judges:
            raise ZeroDivisionError
        nameless: Any = 7
        return replace(match, choices=(Choice("sales", nameless, None),))


class Unknowing:
    """Records that cannot say of one kind who is who."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def __getattr__(self, name: str) -> Any:
        return getattr(self._records, name)

    async def known_for(self, events: Sequence[Event]) -> Facts:
        if any(event.kind == POISON for event in events):
            raise LookupError
        return await self._records.known_for(events)


@pytest.mark.parametrize(
    ("judges", "said"), [(False, "ZeroDivisionError"), (True, "AttributeError")]
)
async def test_a_fault_touches_its_own_event_which_the_default_hears_of(
    world: World, judges: bool, said: str
) -> None:
    """In matching, or in writing what it owes."""
    worker = world.app.worker
    rules: Any = Faulty(worker.plan.ruleset, judges=judges)
    await worker.adopt(replace(worker.plan, ruleset=rules))
    kinds = [LIVE, POISON, READY, POISON, LIVE]
    names = await asyncio.gather(*(world.happen(kind) for kind in kinds))
    await world.until({"delivered": 3})
    found = await world.until({"delivered": 2}, cause="default")
    assert {one["destination"] for one in found} == {"support"}
    assert all(one["degraded"] for one in found)
    poisoned = [str(post.json) for post in world.slack.posts if said in str(post.json)]
    assert len(poisoned) == 2
    assert all("while the event was routed" in text for text in poisoned)
    assert sum(name in text for name in names for text in poisoned) == 2


async def test_an_event_that_cannot_be_completed_keeps_no_other_from_it(world: World) -> None:
    await world.app.worker.stop(grace=0)
    for kind in (LIVE, POISON, LIVE):
        await world.happen(kind)
    unknowing: Any = Unknowing(world.app.store.records)
    routed: dict[str, Routing] = {}
    faults: list[str] = []
    inbox = Inbox()
    router = Router(
        replace(world.app.store, records=unknowing),
        inbox,
        world.app.worker._lanes,
        plan=lambda: world.app.worker.plan,
        clock=world.clock,
        on_routed=lambda event, routing, _now: routed.update({event.id: routing}),
        on_fault=lambda error, _: faults.append(type(error).__name__),
    )
    await router.go_round()
    assert faults == ["LookupError"]
    owed = [delivery for routing in routed.values() for delivery in routing.deliveries]
    assert sorted(str(one.fault) for one in owed) == [
        "None",
        "None",
        "unforeseen LookupError while the event was routed",
    ]


async def test_an_event_whose_record_is_damaged_is_told_all_the_same(world: World) -> None:
    await world.app.worker.stop(grace=0)
    await world.happen(POISON)
    await world.happen(LIVE)
    await world.stop()
    connection = apsw.Connection(str(world.folder / "relay.db"))
    connection.execute("UPDATE events SET json = '{' WHERE kind = ?", (POISON,))
    connection.close()
    await world.start()
    await world.until({"delivered": 2})
    assert "cannot be read any more" in str([post.json for post in world.slack.posts])


async def test_an_event_that_not_even_the_default_can_be_told_of_stops_nobody(
    world: World,
) -> None:
    """It stays unrouted, and the records say since when."""
    plan = world.app.worker.plan
    version: Any = 2**70
    await world.app.worker.adopt(replace(plan, version=version))
    began = world.clock()
    await world.happen(POISON)
    await world.become(lambda: bool(world.app.worker.inbox._aside))
    await world.app.worker.adopt(plan)
    await world.happen(LIVE)
    await world.until({"delivered": 1})
    status = await world.app.store.records.status(now=world.clock())
    assert status.events["unrouted"] == 1
    (oldest,) = await world.app.store.records.unrouted(1)
    assert began <= oldest.received_at <= world.clock()
    await world.stop()
    await world.start()
    await world.until({"delivered": 2})
