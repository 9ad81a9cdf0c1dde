"""The loops: route what came, drive one lane for each target, probe what is out of order.

Work is handed on in memory and woken by signals; the disk is the queue, and it is read again
after a start and whenever memory could not hold all.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial

from relay import failpoints, logs
from relay.channels import Channel
from relay.clocks import Timekeeper
from relay.deliveries import (
    Ambiguous,
    Interrupted,
    Lost,
    OutOfOrder,
    PartlyRefused,
    RateLimited,
    Refused,
    Scope,
    State,
    Transient,
    outcome_word,
    snooze,
    took,
)
from relay.errors import JournalError
from relay.events import Event
from relay.failpoints import Failpoint
from relay.journal import Aim, EventState, Routing, Store
from relay.logs import Seldom
from relay.metrics import Metrics
from relay.pace import FAULTS_BEFORE_PAUSE, Tempo
from relay.pipeline import Plan
from relay.sending import Settled, deliver, settle_unsent
from relay.worker.inbox import Inbox
from relay.worker.lanes import Account, Lane, signalled
from relay.worker.loops import AFTER_A_FAULT, Loops
from relay.worker.probes import Probes
from relay.worker.router import Router

LONGEST_SLEEP = 30.0
"""Seconds after which a waiting lane looks again, whatever the wall clock did meanwhile."""
SHORTEST_PAUSE = 1.0
"""Seconds that a lane waits when its target asks for a pause, even for none at all."""


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
        chance: random.Random | None = None,
    ) -> None:
        self._store = store
        self.plan = plan
        self._channels = channels
        self._metrics = metrics
        self.clock = Timekeeper(clock, self._time, self._clock_was_set)
        """The clock for all that has to do with deliveries; their waits follow it."""
        self._tempo = tempo
        self._on_settled = on_settled
        self._on_routed = on_routed
        self.inbox = Inbox()
        self._router = Router(
            store,
            self.inbox,
            plan=lambda: self.plan,
            clock=self.clock,
            on_routed=self._routed,
            on_fault=self._unroutable,
        )
        self._lanes: dict[str, Lane] = {}
        self._accounts: dict[str, Account] = {}
        self._probes = Probes(store, tempo, self._time, self.wake)
        self._loops = Loops(metrics)
        self._retiming: asyncio.Task[None] | None = None
        self._stopping = False
        self._writers = ThreadPoolExecutor(2, thread_name_prefix="messages")
        self._seldom = Seldom()
        self._chance = chance or random.Random()  # noqa: S311  jitter, not a secret

    async def start(self) -> None:
        """Aim what is unfinished at the plan's destinations, and begin."""
        await self._store.journal.retime(timedelta(0), now=self.clock())
        await self.adopt(self.plan)
        self._loops.start("router", self._router.go_round)
        self._loops.start("prober", partial(self._probes.go_round, self.clock))

    async def adopt(self, plan: Plan) -> None:
        """Make this plan the live one; the next event and the next delivery go by it."""
        aims = {
            name: Aim(d.target, d.account, d.channel, d.fingerprint)
            for name, d in plan.destinations.items()
        }
        await self._store.journal.aim(aims, now=self.clock())
        self.plan = plan
        known = {d.target: d for d in plan.destinations.values()}
        for target, destination in known.items():
            lane = self._lanes.get(target)
            if lane is None:
                lane = self._lanes[target] = Lane(target, destination.account)
                self._loops.start(target, partial(self._drive, lane))
            lane.account = destination.account
            lane.adopt_pace(destination.pace)
            account = self._account(destination.account)
            account.adopt_pace(destination.account_pace)
        for trouble in await self._store.records.troubles():
            self._probes.begin_now(trouble.key)
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
        await self._loops.stop()
        turns = [lane.turn for lane in self._lanes.values() if lane.turn and not lane.turn.done()]
        if turns:
            await asyncio.wait(turns, timeout=grace)
        for turn in turns:
            turn.cancel()
        await asyncio.gather(*turns, return_exceptions=True)
        self._writers.shutdown(wait=False)

    def _time(self) -> float:
        return asyncio.get_running_loop().time()

    def _routed(self, event: Event, routing: Routing) -> None:
        self._metrics.routed(routing.state is not EventState.UNMATCHED)
        logs.info(
            "routed",
            event_id=event.id,
            kind=event.kind,
            state=routing.state.value,
            deliveries=[delivery.id for delivery in routing.deliveries],
            muted_by=routing.muted_by,
        )
        self.wake([delivery.target for delivery in routing.deliveries])
        self._on_routed(event, routing)

    def _unroutable(self, error: Exception, event: Event) -> None:
        self._metrics.loop_faults.inc()
        logs.error("event with a fault", event_id=event.id, error=type(error).__name__)

    async def _drive(self, lane: Lane) -> None:
        """One turn of a lane: wait until it may send, claim what is due, deliver it."""
        lane.work.clear()
        wait = self._wait(lane)
        if wait > 0:
            lane.hurry.clear()
            await signalled(lane.hurry, wait)
            lane.work.set()
            return
        account = self._account(lane.account)
        probes = account.health.probing
        if probes and not account.free.is_set():
            await account.free.wait()
            lane.work.set()
            return
        # A turn is a task of its own: stopping the loop must not tear a claim from its settlement.
        lane.turn = asyncio.create_task(self._turn(lane), name=f"turn of {lane.target}")
        if probes:
            account.free.clear()
            lane.turn.add_done_callback(lambda _: account.free.set())
        if not await asyncio.shield(lane.turn):
            due = await self._store.records.next_due(lane.target)
            await signalled(lane.work, self._seconds_until(due))
        lane.work.set()

    async def _turn(self, lane: Lane) -> bool:
        """Claim and deliver one; False when nothing is due."""
        now = self.clock()
        probing = lane.health.probing or self._account(lane.account).health.probing
        catching_up = lane.catching_up > 0 and not probing
        claimed = await self._store.journal.claim(
            lane.target, now=now, head=probing, by_age=catching_up
        )
        if claimed is None:
            lane.catching_up = 0
            return False
        lane.catching_up -= catching_up
        failpoints.reach(Failpoint.AFTER_CLAIM)
        delivery, event = claimed
        account = self._account(delivery.account)
        if self._stopping:
            stopped = Interrupted(written=False)
            await settle_unsent(delivery, stopped, self._store.journal, now=now)
            return False
        at = self._time()
        lane.bucket.take(at)
        account.bucket.take(at)
        try:
            settled = await deliver(
                delivery,
                event,
                self.plan,
                self._channels,
                self._store.journal,
                clock=self.clock,
                chance=self._chance.random(),
                threads=self._writers,
                moved=self.clock.moved,
            )
        except JournalError:
            raise
        except Exception as error:  # whatever it is, this delivery must not stay claimed
            self._loops.fault(lane.target, error)
            lost = Lost(f"unforeseen {type(error).__name__} while the relay held this delivery")
            settled = await settle_unsent(delivery, lost, self._store.journal, now=self.clock())
            await asyncio.sleep(AFTER_A_FAULT)
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
            case _ if took(outcome):
                self._catch_up(lane, account)
                lane.health.went_well()
                account.health.went_well()
                if self._probes.end(settled.before.target):
                    lane.work.set()
                if self._probes.end(settled.before.account):
                    self.wake_account(settled.before.account)
            case Refused() | PartlyRefused():
                lane.health.went_well()
            case Transient(scope=scope) | Ambiguous(scope=scope):
                health = account.health if scope is Scope.ACCOUNT else lane.health
                health.failed(at, self._chance.random())
            case RateLimited(retry_after=after, scope=scope):
                health = account.health if scope is Scope.ACCOUNT else lane.health
                health.pause(at + max(snooze(after).total_seconds(), SHORTEST_PAUSE))
            case OutOfOrder(scope=scope):
                before = settled.before
                key = before.account if scope is Scope.ACCOUNT else before.target
                self._probes.begin(key)
            case _:
                pass

    def _clock_was_set(self, step: timedelta, now: datetime) -> None:
        """Let all waits go on as if it had not been."""
        self._seldom(logs.warning, "the clock was set", seconds=round(step.total_seconds()))
        # Asked for here and now, so that it comes before whatever is recorded with the new time.
        asked = self._store.journal.retime(step, now=now)
        self._retiming = asyncio.create_task(self._retimed(asked), name="retime")

    async def _retimed(self, done: Awaitable[None]) -> None:
        try:
            await done
        except JournalError as error:
            logs.error("the waits could not follow the clock", error=str(error))
        self.wake()

    def _catch_up(self, lane: Lane, account: Account) -> None:
        """After an outage what it set back comes first: at most as many as there were faults."""
        lanes = [other for other in self._lanes.values() if other.account == lane.account]
        for health, over in ((lane.health, [lane]), (account.health, lanes)):
            if health.faults >= FAULTS_BEFORE_PAUSE:
                for one in over:
                    one.catching_up = max(one.catching_up, health.faults)

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
        left = (due - self.clock()) / timedelta(seconds=1)
        return min(max(left, 0.01), LONGEST_SLEEP)

    def _account(self, account: str) -> Account:
        return self._accounts.setdefault(account, Account())


def _say(settled: Settled) -> None:
    after = settled.after
    level = logs.info if after.state is State.DELIVERED else logs.warning
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
