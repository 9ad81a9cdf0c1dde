"""Route what came: complete each event, match it, and record what it owes.

A fault of the journal stops all for a moment; any other fault touches its own event only.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime

from relay import incidents
from relay.directory import Facts, complete, lacks_something
from relay.errors import (
    JournalBrokenError,
    JournalBusyError,
    JournalClosedError,
    JournalFullError,
)
from relay.events import Event
from relay.inbox import Inbox
from relay.journal import Claimed, Owing, Routing, Store
from relay.pipeline import Plan, held_back, route, route_faulty
from relay.worker.lanes import Lanes

_NOT_THE_EVENTS = (JournalBrokenError, JournalBusyError, JournalClosedError, JournalFullError)
"""Faults that any event would meet now, so they are no event's own."""
AT_ONCE = 10
"""So many events are matched in one go."""


class Router:
    """Takes events from the inbox and routes them by the live plan."""

    def __init__(
        self,
        store: Store,
        inbox: Inbox,
        lanes: Lanes,
        *,
        plan: Callable[[], Plan],
        clock: Callable[[], datetime],
        on_routed: Callable[[Event, Routing, datetime], None],
        on_fault: Callable[[Exception, Event], None],
    ) -> None:
        self._store = store
        self._inbox = inbox
        self._lanes = lanes
        self._plan = plan
        self._clock = clock
        self._on_routed = on_routed
        self._on_fault = on_fault

    async def go_round(self) -> None:
        """Wait for events, and route until there are none."""
        await self._inbox.gather()
        while events := await self._inbox.take(self._store):
            try:
                await self._route(events)
            except BaseException:
                self._inbox.look_again()
                raise

    async def _route(self, events: Sequence[Event]) -> None:
        # Read after all of these were recorded, so their order decides nothing.
        known = await self._known(events)
        now = self._clock()
        batch: list[Owing] = []
        for number, event in enumerate(events, 1):
            try:
                if known is None:
                    known_alone = await self._store.records.known_for([event])
                    batch.append(self._owing(event, known_alone, now))
                else:
                    batch.append(self._owing(event, known, now))
            except _NOT_THE_EVENTS:
                raise
            except Exception as error:  # whatever it is: the events behind this one must go on
                self._on_fault(error, event)
                batch.append(self._faulty(event, error, now))
            if number % AT_ONCE == 0:
                await asyncio.sleep(0)  # webhooks first
        try:
            await self._record(batch, now)
        except _NOT_THE_EVENTS:
            raise
        except Exception:  # one of them cannot be recorded; it is met again alone
            for owing in batch:
                await self._record_alone(owing, now)

    async def _known(self, events: Sequence[Event]) -> Facts | None:
        """What may complete them; None if each must ask alone, as one is in the way of all."""
        try:
            lacking = [event for event in events if lacks_something(event)]
            return await self._store.records.known_for(lacking) if lacking else Facts()
        except _NOT_THE_EVENTS:
            raise
        except Exception:  # it is met again, and said, by the event whose fault it is
            return None

    def _owing(self, event: Event, known: Facts, now: datetime) -> Owing:
        completed = complete(event, known)
        plan = self._plan()
        key = incidents.key_of(completed)
        updates = {} if key is None else {d.name: d.updates for d in plan.destinations.values()}
        routing = held_back(route(completed.event, plan, now), completed.event, plan, now)
        return Owing(completed.event, routing, completed, key, updates)

    def _faulty(self, event: Event, error: Exception, now: datetime) -> Owing:
        fault = f"unforeseen {type(error).__name__} while the event was routed"
        return Owing(event, route_faulty(event, self._plan(), now, fault))

    async def _record_alone(self, owing: Owing, now: datetime) -> None:
        try:
            await self._record([owing], now)
        except _NOT_THE_EVENTS:
            raise
        except Exception as error:
            self._on_fault(error, owing.event)
            try:
                await self._record([self._faulty(owing.event, error, now)], now)
            except _NOT_THE_EVENTS:
                raise
            except Exception as second:  # it waits for a person: the watch tells of it
                self._inbox.set_aside(owing.event.id)
                self._on_fault(second, owing.event)

    async def _record(self, batch: Sequence[Owing], now: datetime) -> None:
        """Record a batch; lanes that wait for work get their first delivery with it."""
        owed = Counter(one.target for owing in batch for one in owing.routing.deliveries)
        promised = self._lanes.promise(owed)
        claimed: Mapping[str, Claimed] = {}
        beside: Collection[str] = ()
        try:
            routed = await self._store.journal.route(batch, now=now, idle=promised)
            claimed, beside = routed.claimed, routed.beside
        finally:
            more = [target for target, count in owed.items() if count > (target in claimed)]
            self._lanes.hand(promised, claimed, [*more, *beside])
        for owing in batch:
            if owing.event.id in routed.events:
                self._on_routed(owing.event, routed.kept(owing.routing), now)
