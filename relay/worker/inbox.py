"""Events on disk that wait for routing, handed over in memory while it can hold them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence

from relay.events import Event
from relay.journal import Store

MOST_IN_MEMORY = 10_000
ROUTED_AT_ONCE = 200


class Inbox:
    """What the server hands to the router; the disk has it all, memory only what fits."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._behind = True
        self._missed = False
        self.arrived = asyncio.Event()
        self.arrived.set()

    def put(self, events: Sequence[Event]) -> None:
        """These are on disk; they are routed soon."""
        if self._behind or len(self._events) + len(events) > MOST_IN_MEMORY:
            self._behind = self._missed = True
        else:
            self._events.extend(events)
        self.arrived.set()

    def look_again(self) -> None:
        """Read the disk: something that was taken out was not routed."""
        self._behind = self._missed = True
        self.arrived.set()

    async def take(self, store: Store) -> Sequence[Event]:
        """The next events, oldest first; empty when there are none."""
        if self._events:
            return [self._events.popleft() for _ in range(min(len(self._events), ROUTED_AT_ONCE))]
        while self._behind:
            self._missed = False
            waiting = await store.records.unrouted(ROUTED_AT_ONCE)
            if waiting:
                return waiting
            self._behind = self._missed
        return ()
