"""Route what came: complete each event, match it, and record what it owes.

A fault of the journal stops all for a moment; any other fault touches its own event only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

from relay.directory import Completed, Facts, complete
from relay.errors import (
    JournalBrokenError,
    JournalBusyError,
    JournalClosedError,
    JournalFullError,
)
from relay.events import Event
from relay.journal import Routing, Store
from relay.pipeline import Plan, route, route_faulty
from relay.worker.inbox import Inbox

_NOT_THE_EVENTS = (JournalBrokenError, JournalBusyError, JournalClosedError, JournalFullError)
"""Faults that any event would meet now, so they are no event's own."""


class Router:
    """Takes events from the inbox and routes them by the live plan."""

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        *,
        plan: Callable[[], Plan],
        clock: Callable[[], datetime],
        on_routed: Callable[[Event, Routing], None],
        on_fault: Callable[[Exception, Event], None],
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._plan = plan
        self._clock = clock
        self._on_routed = on_routed
        self._on_fault = on_fault

    async def go_round(self) -> None:
        """Wait for events, and route until there are none."""
        await self._inbox.arrived.wait()
        self._inbox.arrived.clear()
        while events := await self._inbox.take(self._store):
            try:
                await self._route(events)
            except BaseException:
                self._inbox.look_again()
                raise

    async def _route(self, events: Sequence[Event]) -> None:
        # Read after all of these were recorded, so their order decides nothing.
        known = await self._known(events)
        results = await asyncio.gather(
            *(self._route_one(event, known) for event in events), return_exceptions=True
        )
        faults = [result for result in results if isinstance(result, BaseException)]
        if faults:
            raise faults[0]

    async def _known(self, events: Sequence[Event]) -> Facts | None:
        """What may complete them; None if each must ask alone, as one is in the way of all."""
        try:
            return await self._store.records.known_for(events)
        except _NOT_THE_EVENTS:
            raise
        except Exception:  # it is met again, and said, by the event whose fault it is
            return None

    async def _route_one(self, event: Event, known: Facts | None) -> None:
        try:
            facts = known if known is not None else await self._store.records.known_for([event])
            completed = complete(event, facts)
            now = self._clock()
            routing = route(completed.event, self._plan(), now)
            await self._record(completed.event, routing, now, completed)
        except _NOT_THE_EVENTS:
            raise
        except Exception as error:  # whatever it is: the events behind this one must go on
            self._on_fault(error, event)
            await self._route_faulty(event, error)

    async def _route_faulty(self, event: Event, error: Exception) -> None:
        now = self._clock()
        fault = f"unforeseen {type(error).__name__} while the event was routed"
        try:
            await self._record(event, route_faulty(event, self._plan(), now, fault), now)
        except _NOT_THE_EVENTS:
            raise
        except Exception as second:  # it waits for a person: the watch tells of it
            self._inbox.set_aside(event.id)
            self._on_fault(second, event)

    async def _record(
        self, event: Event, routing: Routing, now: datetime, completed: Completed | None = None
    ) -> None:
        if await self._store.journal.route(event.id, routing, now=now, completed=completed):
            self._on_routed(event, routing)
