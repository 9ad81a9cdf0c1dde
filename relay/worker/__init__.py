"""The loops: route what came, drive one lane for each target, probe what is out of order.

Work is handed on in memory and woken by signals; the disk is the queue, and it is read again
after a start and whenever memory could not hold all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

import structlog

from relay.channels import Channel
from relay.deliveries import (
    Ambiguous,
    Interrupted,
    OutOfOrder,
    PartlyRefused,
    RateLimited,
    Refused,
    Scope,
    Sent,
    State,
    Transient,
    outcome_word,
    snooze,
)
from relay.errors import JournalError
from relay.events import Event
from relay.journal import Aim, EventState, Routing, Store
from relay.metrics import Metrics
from relay.pace import Probing, Tempo
from relay.pipeline import Plan, Settled, deliver, route, settle_unsent
from relay.worker.inbox import Inbox
from relay.worker.lanes import Account, Lane, signalled

LONGEST_SLEEP = 30.0
"""Seconds after which a waiting lane looks again, whatever the wall clock did meanwhile."""
AFTER_A_FAULT = 1.0

log = structlog.get_logger("relay.worker")


class Worker:
    """Routes events and delivers what they owe, until it is stopped."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        channels: Mapping[str, Channel],
        *,
        metrics: Metrics,
        clock: Callable[[], datetime],
        tempo: Tempo,
        on_settled: Callable[[Settled], None] = lambda _: None,
        on_routed: Callable[[Event, Routing], None] = lambda _event, _routing: None,
    ) -> None:
        self._store = store
        self.plan = plan
        self._channels = channels
        self._metrics = metrics
        self._clock = clock
        self._tempo = tempo
        self._on_settled = on_settled
        self._on_routed = on_routed
        self.inbox = Inbox()
        self._lanes: dict[str, Lane] = {}
        self._accounts: dict[str, Account] = {}
        self._probes: dict[str, Probing] = {}
        self._probes_changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stopping = False
        self._chance = random.Random()  # noqa: S311  jitter, not a secret

    async def start(self) -> None:
        """Aim what is unfinished at the plan's destinations, and begin."""
        await self.adopt(self.plan)
        self._spawn(self._forever(self._route_all, "router"), "router")
        self._spawn(self._forever(self._probe_all, "prober"), "prober")

    async def adopt(self, plan: Plan) -> None:
        """Make this plan the live one; the next event and the next delivery go by it."""
        aims = {
            name: Aim(d.target, d.account, d.channel, d.fingerprint)
            for name, d in plan.destinations.items()
        }
        await self._store.journal.aim(aims, now=self._clock())
        self.plan = plan
        known = {d.target: d for d in plan.destinations.values()}
        for target, destination in known.items():
            lane = self._lanes.get(target)
            if lane is None:
                lane = self._lanes[target] = Lane(target, destination.account)
                self._spawn(self._forever(partial(self._drive, lane), target), target)
            lane.account = destination.account
            lane.adopt_pace(destination.pace)
            account = self._account(destination.account)
            account.adopt_pace(destination.account_pace)
        for trouble in await self._store.records.troubles():
            self._probes.setdefault(trouble.key, Probing(self._time(), self._tempo))
        self._probes_changed.set()
        self.wake()

    def wake(self, targets: Sequence[str] | None = None) -> None:
        """There may be work in these lanes (None: in all)."""
        for target in self._lanes if targets is None else targets:
            if lane := self._lanes.get(target):
                lane.work.set()

    def wake_account(self, account: str) -> None:
        self.wake([lane.target for lane in self._lanes.values() if lane.account == account])

    def hurry(self) -> None:
        """An operator put deliveries back: no lane waits for its own backoff now."""
        for paced in (*self._lanes.values(), *self._accounts.values()):
            paced.health.paused_until = 0.0
        for lane in self._lanes.values():
            lane.hurry.set()
        self.wake()

    async def stop(self, grace: float) -> None:
        """Start nothing new, let sends under way finish within `grace` seconds, then cut them."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        turns = [lane.turn for lane in self._lanes.values() if lane.turn and not lane.turn.done()]
        if turns:
            await asyncio.wait(turns, timeout=grace)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    def _spawn(self, loop: Coroutine[None, None, None], name: str) -> None:
        task = asyncio.create_task(loop, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _forever(self, step: Callable[[], Awaitable[None]], name: str) -> None:
        """Run a loop's step again and again; a fault is said, counted and survived."""
        while not self._stopping:
            try:
                await step()
            except JournalError as error:
                log.error("journal", loop=name, error=str(error))
                await asyncio.sleep(AFTER_A_FAULT)
            except Exception as error:  # the loop must go on for the deliveries behind this one
                self._metrics.loop_faults.inc()
                log.error("unforeseen fault in a loop", loop=name, error=type(error).__name__)
                await asyncio.sleep(AFTER_A_FAULT)

    async def _route_all(self) -> None:
        await self.inbox.arrived.wait()
        self.inbox.arrived.clear()
        while events := await self.inbox.take(self._store):
            results = await asyncio.gather(
                *(self._route_one(event) for event in events), return_exceptions=True
            )
            faults = [result for result in results if isinstance(result, BaseException)]
            if faults:
                self.inbox.look_again()
                raise faults[0]

    async def _route_one(self, event: Event) -> None:
        now = self._clock()
        routing = route(event, self.plan, now)
        if not await self._store.journal.route(event.id, routing, now=now):
            return
        self._metrics.routed(routing.state is not EventState.UNMATCHED)
        log.info(
            "routed",
            event_id=event.id,
            kind=event.kind,
            state=routing.state.value,
            deliveries=[delivery.id for delivery in routing.deliveries],
            muted_by=routing.muted_by,
        )
        self.wake([delivery.target for delivery in routing.deliveries])
        self._on_routed(event, routing)

    async def _drive(self, lane: Lane) -> None:
        """One turn of a lane: wait until it may send, claim what is due, deliver it."""
        lane.work.clear()
        wait = self._wait(lane)
        if wait > 0:
            lane.hurry.clear()
            await signalled(lane.hurry, wait)
            lane.work.set()
            return
        # A turn is a task of its own: stopping the loop must not tear a claim from its settlement.
        lane.turn = asyncio.create_task(self._turn(lane), name=f"turn of {lane.target}")
        if not await asyncio.shield(lane.turn):
            due = await self._store.records.next_due(lane.target)
            await signalled(lane.work, self._seconds_until(due))
        lane.work.set()

    async def _turn(self, lane: Lane) -> bool:
        """Claim and deliver one; False when nothing is due."""
        now = self._clock()
        claimed = await self._store.journal.claim(lane.target, now=now, head=lane.health.probing)
        if claimed is None:
            return False
        delivery, event = claimed
        account = self._account(delivery.account)
        if self._stopping:
            stopped = Interrupted(written=False)
            await settle_unsent(delivery, stopped, self._store.journal, now=now)
            return False
        at = self._time()
        lane.bucket.take(at)
        account.bucket.take(at)
        settled = await deliver(
            delivery,
            event,
            self.plan,
            self._channels,
            self._store.journal,
            clock=self._clock,
            chance=self._chance.random(),
        )
        if settled is not None:
            self._learn(lane, account, settled)
            self._metrics.settled(settled)
            _say(settled)
            self._on_settled(settled)
        return True

    def _learn(self, lane: Lane, account: Account, settled: Settled) -> None:
        """What an outcome says of its target and its account."""
        at = self._time()
        outcome = settled.outcome
        match outcome:
            case Sent() | PartlyRefused():
                lane.health.went_well()
                account.health.went_well()
                if self._probes.pop(settled.before.target, None):
                    lane.work.set()
                if self._probes.pop(settled.before.account, None):
                    self.wake_account(settled.before.account)
            case Refused():
                lane.health.went_well()
            case Transient(scope=scope) | Ambiguous(scope=scope):
                health = account.health if scope is Scope.ACCOUNT else lane.health
                health.failed(at, self._chance.random())
            case RateLimited(retry_after=after, scope=scope):
                health = account.health if scope is Scope.ACCOUNT else lane.health
                health.pause(at + snooze(after).total_seconds())
            case OutOfOrder(scope=scope):
                before = settled.before
                key = before.account if scope is Scope.ACCOUNT else before.target
                if key not in self._probes:
                    self._probes[key] = Probing.after_fault(at, self._tempo)
                    self._probes_changed.set()
            case _:
                pass

    def _wait(self, lane: Lane) -> float:
        at = self._time()
        account = self._account(lane.account)
        return max(
            lane.health.paused_until - at,
            account.health.paused_until - at,
            lane.bucket.wait(at),
            account.bucket.wait(at),
            0.0,
        )

    def _seconds_until(self, due: datetime | None) -> float | None:
        """None where nothing is due; bounded, as the wall clock may jump meanwhile."""
        if due is None:
            return None
        left = (due - self._clock()) / timedelta(seconds=1)
        return min(max(left, 0.01), LONGEST_SLEEP)

    def _account(self, account: str) -> Account:
        return self._accounts.setdefault(account, Account())

    async def _probe_all(self) -> None:
        """Let the oldest delivery of what is out of order find out whether it works again."""
        self._probes_changed.clear()
        at = self._time()
        due = [key for key, probing in self._probes.items() if probing.next_at <= at]
        for key in due:
            await self._probe(key)
        soonest = min((p.next_at for p in self._probes.values()), default=None)
        await signalled(self._probes_changed, None if soonest is None else max(soonest - at, 0.05))

    async def _probe(self, key: str) -> None:
        if key not in {trouble.key for trouble in await self._store.records.troubles()}:
            self._probes.pop(key, None)
            return
        if probing := self._probes.get(key):
            probing.probed(self._time())
        for lane in await self._store.records.lanes():
            if key not in (lane.target, lane.account) or not (lane.parked or lane.pending):
                continue
            if lane.pending or await self._store.journal.probe(lane.target, now=self._clock()):
                self.wake([lane.target])
                return


def _say(settled: Settled) -> None:
    after = settled.after
    level = log.info if after.state is State.DELIVERED else log.warning
    level(
        "attempt",
        event_id=after.event_id,
        delivery_id=after.id,
        destination=after.destination,
        outcome=outcome_word(settled.outcome),
        state=after.state.value,
        reason=after.reason,
        duration_ms=settled.duration_ms,
    )
