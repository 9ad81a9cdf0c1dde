"""Events on disk that wait for routing, handed over in memory while it can hold them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from relay.events import Event
from relay.journal import Store

MOST_IN_MEMORY = 10_000
MOST_BYTES = 16 * 1024 * 1024
"""Of the webhooks that the events in memory came with."""
ROUTED_AT_ONCE = 200
LONGEST_WAIT = 0.05
"""Seconds that routing gives way to webhooks that are being taken: they come in bursts, and what
is routed together costs less."""


class Inbox:
    """What the server hands to the router; the disk has it all, memory only what fits."""

    def __init__(self) -> None:
        self._events: deque[tuple[Event, int]] = deque()
        self._bytes = 0
        self._behind = True
        self._missed = False
        self._aside: set[str] = set()
        self._coming = 0
        self.arrived = asyncio.Event()
        self.arrived.set()

    def put(self, events: Sequence[Event], size: int = 0) -> None:
        """These are on disk; they are routed soon. `size` is that of their webhook, in bytes."""
        many = len(self._events) + len(events) > MOST_IN_MEMORY
        if self._behind or many or self._bytes + size > MOST_BYTES:
            self._behind = self._missed = True
        elif events:
            share = size // len(events)
            self._events.extend((event, share) for event in events)
            self._bytes += share * len(events)
        self.arrived.set()

    def expect(self, count: int) -> None:
        """So many more webhooks are being taken now; fewer, if it is negative."""
        self._coming += count

    async def gather(self) -> None:
        """Return when there are events, and either enough of them or no more to wait for."""
        await self.arrived.wait()
        self.arrived.clear()
        try:
            async with asyncio.timeout(LONGEST_WAIT):
                while self._coming and len(self._events) < ROUTED_AT_ONCE and not self._behind:
                    await self.arrived.wait()
                    self.arrived.clear()
        except TimeoutError:
            return

    def look_again(self) -> None:
        """Read the disk: something that was taken out was not routed."""
        self._behind = self._missed = True
        self.arrived.set()

    def set_aside(self, event_id: str) -> None:
        """This one cannot be routed by any means: it stays on disk, and in nobody's way."""
        self._aside.add(event_id)

    async def take(self, store: Store) -> Sequence[Event]:
        """The next events, oldest first; empty when there are none."""
        if self._events:
            count = min(len(self._events), ROUTED_AT_ONCE)
            taken = [self._events.popleft() for _ in range(count)]
            self._bytes -= sum(share for _, share in taken)
            return [event for event, _ in taken]
        while self._behind:
            self._missed = False
            found = await store.records.unrouted(ROUTED_AT_ONCE + len(self._aside))
            if waiting := [event for event in found if event.id not in self._aside]:
                return waiting
            self._behind = self._missed
        return ()
