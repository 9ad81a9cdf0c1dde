"""The loop that looks after the relay itself: alarms, gauges and the lag of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from relay import alarms
from relay.alarms import Alarms, Notice
from relay.deliveries import Cause, OutOfOrder, Scope, State
from relay.errors import JournalError
from relay.events import Event, Severity, Source
from relay.journal import EventState, Filter, Lane, Routing, Store
from relay.journal.sqlite.room import free_space
from relay.metrics import Metrics
from relay.pace import Tempo
from relay.pipeline import Plan
from relay.sending import Settled

LAG_EVERY = 0.5
LAG_OVER = 60.0
LATE = timedelta(minutes=15)
SILENT = timedelta(hours=24)
REFUSALS_OVER = timedelta(minutes=15)

log = structlog.get_logger("relay.worker.watch")


class Watch:
    """Notices what is wrong with the relay and its targets, and says it."""

    def __init__(
        self,
        store: Store,
        told: Alarms,
        metrics: Metrics,
        *,
        plan: Callable[[], Plan],
        folder: Path,
        clock: Callable[[], datetime],
        tempo: Tempo,
    ) -> None:
        self._tempo = tempo
        self._store = store
        self._told = told
        self._metrics = metrics
        self._plan = plan
        self._folder = folder
        self._clock = clock
        self._started = clock()
        self._refusals = 0
        self._last_refusal: datetime | None = None
        self._late: set[str] = set()
        """Lanes that were late at the last look."""
        self._on: frozenset[str] = frozenset()
        """The keys of the alarms that were on at the last look."""
        self._look_now = asyncio.Event()
        self._notices: list[tuple[Notice, bool]] = []
        """What is to be told at the next look: (notice, it has an end)."""

    def refused(self) -> None:
        """A sender was answered 401. Counted here and written in bulk: it costs no disk each."""
        self._refusals += 1
        self._last_refusal = self._clock()

    def routed(self, event: Event, routing: Routing) -> None:
        """A critical event that nobody hears of is an alarm."""
        unheard = routing.state is EventState.UNMATCHED
        if unheard and event.severity is Severity.CRITICAL and event.source is not Source.RELAY:
            self._tell(alarms.unmatched_critical(event), lasting=False)

    def withheld(self, event: Event) -> None:
        """A critical event that was dropped for private content in it is an alarm."""
        if event.severity is Severity.CRITICAL and not event.test:
            self._tell(alarms.withheld_critical(event), lasting=False)

    def settled(self, settled: Settled) -> None:
        """A target out of order and a delivery given up are alarms."""
        after = settled.after
        if isinstance(settled.outcome, OutOfOrder):
            scope = settled.outcome.scope
            key = after.account if scope is Scope.ACCOUNT else after.target
            self._tell(
                alarms.out_of_order(key, scope, settled.outcome.reason, self._names(key)),
                lasting=True,
            )
        if after.state is State.DEAD and after.cause is not Cause.ALARM:
            reason = after.reason or "unknown"
            self._tell(alarms.dead(after.destination, reason, after.target), lasting=True)
        told = {f"out-of-order:{after.target}", f"out-of-order:{after.account}"}
        told |= {f"overdue:{after.target}", f"dead:{after.destination}"}
        if after.state is State.DELIVERED and not self._on.isdisjoint(told):
            self._look_now.set()

    def _tell(self, notice: Notice, *, lasting: bool) -> None:
        self._notices.append((notice, lasting))
        self._look_now.set()

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            try:
                await self.look()
            except JournalError as error:
                log.error("journal", error=str(error))
            with suppress(TimeoutError):
                async with asyncio.timeout(self._tempo.watch):
                    await self._look_now.wait()
            self._look_now.clear()

    async def measure_lag(self) -> None:
        """How late the loop wakes a sleeper, again and again until cancelled.

        The worst of the last minute is shown: between two looks of Prometheus it would be missed.
        """
        loop = asyncio.get_running_loop()
        lags: deque[float] = deque(maxlen=round(LAG_OVER / LAG_EVERY))
        while True:
            before = loop.time()
            await asyncio.sleep(LAG_EVERY)
            lags.append(max(0.0, loop.time() - before - LAG_EVERY))
            self._metrics.loop_lag.set(max(lags))

    async def look(self) -> None:
        """One look at everything."""
        plan = self._plan()
        while self._notices:
            notice, lasting = self._notices[0]
            if lasting:
                await self._told.begin(notice, plan)
            else:
                await self._told.tell(notice, plan)
            self._notices.pop(0)
        await self._look_at_senders(plan)
        await self._look_at_disk(plan)
        await self._look_at_targets(plan)
        self._on = frozenset(alarm.key for alarm in await self._store.records.alarms())
        await self.refresh()

    async def refresh(self) -> None:
        """Bring the gauges up to date."""
        now = self._clock()
        lanes = await self._store.records.lanes()
        dues = [lane.oldest_due_at for lane in lanes if lane.pending and lane.oldest_due_at]
        age = (now - min(dues)).total_seconds() if dues else 0.0
        self._metrics.queue_age.set(max(0.0, age))
        self._metrics.queue.labels("pending").set(sum(lane.pending for lane in lanes))
        self._metrics.queue.labels("parked").set(sum(lane.parked for lane in lanes))
        self._metrics.out_of_order.set(len(await self._store.records.troubles()))
        status = await self._store.records.status(now=now)
        self._metrics.unrouted.set(status.events.get("unrouted", 0))

    async def _look_at_senders(self, plan: Plan) -> None:
        now = self._clock()
        if self._refusals:
            count, self._refusals = self._refusals, 0
            await self._store.journal.tally("refused", now=now, count=count)
            await self._told.begin(alarms.senders_refused(count), plan)
        elif self._last_refusal is None or now - self._last_refusal > REFUSALS_OVER:
            await self._told.end(alarms.senders_refused(0), plan)
        status = await self._store.records.status(now=now)
        last = max(status.last_event_at or self._started, self._started)
        if now - last > SILENT:
            await self._told.begin(alarms.silence(status.last_event_at), plan)
        else:
            await self._told.end(alarms.silence(status.last_event_at), plan)

    async def _look_at_disk(self, plan: Plan) -> None:
        free, floor = free_space(self._folder)
        if free < 2 * floor:
            await self._told.begin(alarms.disk_low(free), plan)
        elif free > 3 * floor:
            await self._told.end(alarms.disk_low(free), plan)

    async def _look_at_targets(self, plan: Plan) -> None:
        """Begin the alarms of late lanes; end those of what works again."""
        now = self._clock()
        lanes = {lane.target: lane for lane in await self._store.records.lanes()}
        ill = {trouble.key: trouble for trouble in await self._store.records.troubles()}
        for trouble in ill.values():
            await self._told.begin(
                alarms.out_of_order(
                    trouble.key, trouble.scope, trouble.reason, self._names(trouble.key)
                ),
                plan,
            )
        # Late at two looks in a row: the first may stand between a new time and its new due times.
        before, self._late = self._late, {key for key in lanes if _late(lanes[key], now)}
        for target in before & self._late:
            lane = lanes[target]
            if since := lane.oldest_due_at:
                await self._told.begin(
                    alarms.overdue(target, self._names(target), since, lane.pending), plan
                )
        for alarm in await self._store.records.alarms():
            word, _, key = alarm.key.partition(":")
            if word == "out-of-order" and key not in ill:
                names = self._names(key)
                await self._told.end(
                    alarms.out_of_order(key, Scope.TARGET, "It works again", names), plan
                )
            elif word == "overdue" and (key not in lanes or not _late(lanes[key], now)):
                await self._told.end(alarms.overdue(key, self._names(key), now, 0), plan)
            elif word == "dead" and not await self._store.records.deliveries(
                Filter(state=State.DEAD.value, destination=key, limit=1)
            ):
                await self._told.end(alarms.dead(key, "none is left"), plan)

    def _names(self, key: str) -> tuple[str, ...]:
        return tuple(
            name
            for name, destination in self._plan().destinations.items()
            if key in (destination.target, destination.account)
        )


def _late(lane: Lane, now: datetime) -> bool:
    since = lane.oldest_due_at
    return bool(lane.pending and since and now - since > LATE)
