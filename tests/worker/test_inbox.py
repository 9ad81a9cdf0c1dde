"""Routing gives way to webhooks that are being taken, and not for long."""

from __future__ import annotations

import asyncio
from typing import Any

from relay.inbox import ROUTED_AT_ONCE, Inbox
from tests.message_cases import an_event


class Nothing:
    """Records without anything that waits for routing."""

    async def unrouted(self, limit: int) -> list[Any]:
        return []


async def an_inbox() -> Inbox:
    store: Any = type("Store", (), {"records": Nothing()})
    inbox = Inbox()
    await inbox.take(store)
    inbox.arrived.clear()
    return inbox


async def is_done(task: asyncio.Task[None]) -> bool:
    for _ in range(10):
        await asyncio.sleep(0)
    return task.done()


async def test_an_event_that_comes_alone_is_routed_at_once() -> None:
    inbox = await an_inbox()
    task = asyncio.create_task(inbox.gather())
    assert not await is_done(task)
    inbox.put([an_event()])
    assert await is_done(task)


async def test_while_webhooks_are_being_taken_their_events_are_gathered() -> None:
    inbox = await an_inbox()
    inbox.expect(2)
    inbox.put([an_event()])
    task = asyncio.create_task(inbox.gather())
    assert not await is_done(task)
    inbox.put([an_event()])
    inbox.expect(-2)
    inbox.put([an_event()])
    assert await is_done(task)


async def test_enough_events_are_routed_while_more_are_coming() -> None:
    inbox = await an_inbox()
    inbox.expect(1)
    inbox.put([an_event()] * ROUTED_AT_ONCE)
    task = asyncio.create_task(inbox.gather())
    assert await is_done(task)


async def test_under_endless_webhooks_routing_goes_on() -> None:
    inbox = await an_inbox()
    inbox.expect(1)
    inbox.put([an_event()])
    await asyncio.wait_for(inbox.gather(), 60)
