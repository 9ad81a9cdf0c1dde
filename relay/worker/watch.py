"""The loop that looks after the relay itself: alarms, gauges and the lag of the event loop.

What is wrong, and that it is over, is read from the journal at each look, so that a restart neither
forgets an alarm nor ends one. Memory only says when to look at once.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from relay import notices
from relay.alarms import Alarms
from relay.deliveries import Delivery, State
from relay.events import Event, Severity, Source
from relay.journal import Alarm, EventState, Filter, Lane, Routing, Store
from relay.journal.doors import free_space
from relay.metrics import Metrics
from relay.notices import Notice
from relay.outcomes import OutOfOrder
from relay.pace import FAULTS_BEFORE_PAUSE, is_failing
from relay.pipeline import Plan
from relay.sending import Tried
from relay.worker.no_events import NoEvents

LAG_EVERY = 0.5
LAG_OVER = 60.0
LATE = timedelta(minutes=15)
REFUSALS_OVER = timedelta(minutes=15)


class Watch:
    """Notices what is wrong with the relay and its targets, and says it."""

    def __init__(
        self,
        store: Store,
        told: Alarms,
        metrics: Metrics,
        *,
        plan: Callable[[], Plan],
        folder: Path | None,
        clock: Callable[[], datetime],
        fault: Callable[[str, Exception], None],
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`fault` is told of each fault of one part of a look; the other parts go on."""
        self._store = store
        self._told = told
        self._metrics = metrics
        self._plan = plan
        self._folder = folder
        self._clock = clock
        self._fault = fault
        self._started = clock()
        self._seconds = seconds
        self._began = seconds()
        self._silences = NoEvents(store, clock, seconds)
        self._refusals = 0
        self._last_refusal = self._started
        """When the last one was, or when looking began: what was before is not known."""
        self._late: set[str] = set()
        """Lanes that were late at the last look."""
        self._unrouted_late = False
        self._on: frozenset[str] = frozenset()
        """The keys of the alarms that were on at the last look."""
        self._worked: set[str] = set()
        """Targets and accounts that took a message since the last look."""
        self._notices: list[Notice] = []
        """What has no end and is told at the next look."""
        self._lags: deque[float] = deque(maxlen=round(LAG_OVER / LAG_EVERY))
        self.look_now = asyncio.Event()

    def refused(self) -> None:
        """A sender was answered 401. Counted here and written in bulk: it costs no disk each."""
        self._refusals += 1
        self._last_refusal = self._clock()

    def routed(self, event: Event, routing: Routing) -> None:
        """A critical event that nobody hears of is an alarm."""
        unheard = routing.state is EventState.UNMATCHED
        if unheard and event.severity is Severity.CRITICAL and event.source is not Source.RELAY:
            self._tell(notices.unmatched_critical(event))

    def withheld(self, event: Event) -> None:
        """A critical event that was dropped for private content in it is an alarm."""
        if event.severity is Severity.CRITICAL and not event.test:
            self._tell(notices.withheld_critical(event))

    def settled(self, tried: Tried, after: Delivery) -> None:
        """A target out of order, a delivery given up, and a target that works may be news."""
        if isinstance(tried.outcome, OutOfOrder) or after.state is State.DEAD:
            self.look_now.set()
        if self._on and after.state is State.DELIVERED:
            told = {f"out-of-order:{after.target}", f"out-of-order:{after.account}"}
            told |= {f"overdue:{after.target}", f"dead:{after.destination}"}
            if not self._on.isdisjoint(told):
                self._worked |= {after.target, after.account}
                self.look_now.set()

    def _tell(self, notice: Notice) -> None:
        self._notices.append(notice)
        self.look_now.set()

    async def measure_lag(self) -> None:
        """How late the loop wakes a sleeper, once.

        The worst of the last minute is shown: between two looks of Prometheus it would be missed.
        """
        loop = asyncio.get_running_loop()
        before = loop.time()
        await asyncio.sleep(LAG_EVERY)
        self._lags.append(max(0.0, loop.time() - before - LAG_EVERY))
        self._metrics.loop_lag.set(max(self._lags))

    async def look(self) -> None:
        """One look at everything. Raises the first fault, after all parts had their turn."""
        plan = self._plan()
        parts: Sequence[Callable[[Plan], Awaitable[None]]] = (
            self._tell_notices,
            self._look_at_senders,
            self._look_at_silence,
            self._look_at_disk,
            self._look_at_routing,
            self._look_at_targets,
            self._look_at_dead,
            self._told.sum_up,
        )
        first: Exception | None = None
        for part in parts:
            try:
                await part(plan)
            except Exception as error:  # one part that fails must not silence the others
                if first is not None:
                    self._fault("watch", error)
                first = first or error
        self._on = frozenset(alarm.key for alarm in await self._store.records.alarms())
        await self.refresh()
        if first is not None:
            raise first

    async def refresh(self) -> None:
        """Bring the gauges up to date."""
        now = self._clock()
        lanes = await self._store.records.lanes()
        dues = [lane.oldest_due_at for lane in lanes if _is_open(lane) and lane.oldest_due_at]
        age = (now - min(dues)).total_seconds() if dues else 0.0
        self._metrics.queue_age.set(max(0.0, age))
        self._metrics.queue.labels("pending").set(sum(lane.pending for lane in lanes))
        self._metrics.queue.labels("parked").set(sum(lane.parked for lane in lanes))
        self._metrics.out_of_order.set(len(await self._store.records.troubles()))
        self._metrics.failing.set(len(await self.failing()))
        status = await self._store.records.status(now=now)
        self._metrics.unrouted.set(status.events.get("unrouted", 0))

    async def late_event(self) -> Event | None:
        """The oldest event, if it has waited for routing for too long."""
        oldest = await self._store.records.unrouted(1)
        late = bool(oldest) and self._clock() - oldest[0].received_at > LATE
        return oldest[0] if late else None

    async def failing(self) -> dict[str, str]:
        """The destinations that fail just now, of those for which something waits, and why."""
        records = self._store.records
        busy = {lane.target for lane in await records.lanes() if _is_open(lane)}
        everyone = self._plan().destinations
        targets = {name: one.target for name, one in everyone.items() if one.target in busy}
        return {
            name: answers[0].reason or ""
            for name, answers in (await records.answers(targets, FAULTS_BEFORE_PAUSE)).items()
            if is_failing([one.outcome for one in answers])
        }

    async def _tell_notices(self, plan: Plan) -> None:
        while self._notices:
            await self._told.tell(self._notices[0], plan)
            self._notices.pop(0)

    async def _look_at_senders(self, plan: Plan) -> None:
        now = self._clock()
        if count := self._refusals:
            await self._told.begin(notices.senders_refused(count, now), plan)
            await self._store.journal.tally("refused", now=now, count=count)
            self._refusals -= count
        elif now - self._last_refusal > REFUSALS_OVER:
            await self._told.end(notices.senders_refused(0, now), plan)

    async def _look_at_silence(self, plan: Plan) -> None:
        span = plan.watching.no_events
        now = self._clock()
        known = await self._silences.look()
        if span is None:
            return
        listened = timedelta(seconds=self._seconds() - self._began)
        if known:
            await self._told.end(notices.nothing_heard(listened), plan)
        elif listened > span:
            await self._told.begin(notices.nothing_heard(listened), plan)
        for source, silence in known.items():
            notice = notices.silence(source, silence.last, now - silence.last - silence.quiet)
            if silence.quiet > span:
                await self._told.begin(notice, plan)
            else:
                await self._told.end(notice, plan)

    async def _look_at_disk(self, plan: Plan) -> None:
        if self._folder is None:
            return
        free, floor = free_space(self._folder)
        if free < 2 * floor:
            await self._told.begin(notices.disk_low(free), plan)
        elif free > 3 * floor:
            await self._told.end(notices.disk_low(free), plan)

    async def _look_at_routing(self, plan: Plan) -> None:
        event = await self.late_event()
        # Late at two looks in a row: after a start the first may find what is routed just now.
        before, self._unrouted_late = self._unrouted_late, event is not None
        if event is None:
            await self._told.end(notices.unrouted(0, None), plan)
        elif before:
            status = await self._store.records.status(now=self._clock())
            await self._told.begin(notices.unrouted(status.events.get("unrouted", 1), event), plan)

    async def _look_at_targets(self, plan: Plan) -> None:
        """Begin the alarms of what is out of order or late; end those of what works again."""
        now = self._clock()
        records = self._store.records
        worked, self._worked = self._worked, set()
        lanes = {lane.target: lane for lane in await records.lanes()}
        ill = {trouble.key: trouble for trouble in await records.troubles()}
        on = {alarm.key: alarm for alarm in await records.alarms()}
        for trouble in ill.values():
            if f"out-of-order:{trouble.key}" not in on:
                behind = [
                    lane for lane in lanes.values() if trouble.key in (lane.target, lane.account)
                ]
                names = _names(plan, trouble.key)
                waiting = await self._waiting(behind)
                await self._told.begin(notices.out_of_order(trouble, names, waiting), plan)
        # Late at two looks in a row: the first may stand between a new time and its new due times.
        late = {key for key, lane in lanes.items() if _late(lane, now)}
        late -= {key for key in late if not ill.keys().isdisjoint((key, lanes[key].account))}
        before, self._late = self._late, late
        for target in before & self._late:
            if f"overdue:{target}" not in on:
                waiting = await self._waiting([lanes[target]])
                await self._told.begin(notices.overdue(target, _names(plan, target), waiting), plan)
        for alarm in on.values():
            word, _, key = alarm.key.partition(":")
            if word == "out-of-order" and key not in ill:
                if notice := await self._recovery(alarm, key, plan, lanes, key in worked):
                    await self._told.end(notice, plan)
            elif word == "overdue" and (key not in lanes or _on_time(lanes[key], now)):
                await self._told.end(notices.overdue(key, _names(plan, key)), plan)

    async def _recovery(
        self, alarm: Alarm, key: str, plan: Plan, lanes: dict[str, Lane], worked: bool
    ) -> Notice | None:
        """What ends the alarm of a target that is no longer ill; None while nothing proves it.

        A trouble also ends when its destination is edited or leaves the rules: neither proves that
        anything works.
        """
        names = _names(plan, key)
        if not names:
            return notices.no_destination(alarm)
        for name in () if worked else names:
            wanted = Filter(state=State.DELIVERED.value, destination=name, limit=1)
            for last in await self._store.records.deliveries(wanted):
                worked |= last.settled_at is not None and last.settled_at >= alarm.began_at
        if worked:
            return notices.works_again(key, names)
        waits = any(key in (lane.target, lane.account) for lane in lanes.values())
        return None if waits else notices.edited(alarm, names)

    async def _look_at_dead(self, plan: Plan) -> None:
        records = self._store.records
        dead = {one.destination: one for one in await records.dead()}
        on = {alarm.key for alarm in await records.alarms()}
        for name, one in dead.items():
            if f"dead:{name}" not in on:
                (last,) = await records.deliveries(Filter(ids=(one.last,)))
                event = await records.event(last.delivery.event_id)
                await self._told.begin(
                    notices.dead(one, last.delivery, event.event if event else None), plan
                )
        for key in on:
            word, _, name = key.partition(":")
            if word == "dead" and name not in dead:
                await self._told.end(notices.none_dead(name), plan)

    async def _waiting(self, lanes: Sequence[Lane]) -> notices.Waiting | None:
        """What waits in some lanes; None if nothing does."""
        found = [
            one
            for lane in lanes
            if lane.first
            for one in await self._store.records.deliveries(Filter(ids=(lane.first,)))
        ]
        if not found:
            return None
        oldest = min(found, key=lambda one: one.created_at or self._clock())
        event = await self._store.records.event(oldest.delivery.event_id)
        count = sum(lane.pending + lane.parked + lane.claimed for lane in lanes)
        return notices.Waiting(count, oldest.created_at, event.event if event else None)


def _names(plan: Plan, key: str) -> tuple[str, ...]:
    """The destinations that a target or an account stands for."""
    return tuple(
        name
        for name, destination in plan.destinations.items()
        if key in (destination.target, destination.account)
    )


def _is_open(lane: Lane) -> bool:
    return bool(lane.pending or lane.claimed)


def _late(lane: Lane, now: datetime) -> bool:
    since = lane.oldest_due_at
    return bool(_is_open(lane) and since and now - since > LATE)


def _on_time(lane: Lane, now: datetime) -> bool:
    """Nothing there has been tried for long: a due time alone moves on with each try."""
    since = lane.waiting_since
    return not (lane.parked or _late(lane, now) or (since and now - since > LATE))
