"""One lane for each target: its deliveries go out one by one, at its pace, the next one at hand.

A lane that waits costs nothing but a timer: its driver is a task that lives from the first
delivery to the last. Lanes of one account share its pace, its pauses and its backing off.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor
from datetime import datetime, timedelta

from relay import failpoints
from relay.channels import Channel
from relay.deliveries import Delivery, State, snooze
from relay.failpoints import Failpoint
from relay.journal import Ask, Claimed, Store
from relay.outcomes import (
    Ambiguous,
    Gone,
    Interrupted,
    Lost,
    OutOfOrder,
    PartlyRefused,
    RateLimited,
    Refused,
    Scope,
    Transient,
    took,
)
from relay.pace import FAULTS_BEFORE_PAUSE
from relay.pipeline import Plan
from relay.sending import Tried, deliver, record
from relay.worker.lane import Account, Lane
from relay.worker.loops import AFTER_A_FAULT
from relay.worker.probes import Probes

LONGEST_SLEEP = 30.0
"""Seconds after which a waiting lane looks again, whatever the wall clock did meanwhile."""
SHORTEST_PAUSE = 1.0
"""Seconds that a lane waits when its target asks for a pause, even for none at all."""
AFTER_THE_OTHERS = 0.05
"""Seconds that the lane which tried last for its account lets the others go first."""
LAST_WORDS = 5.0
"""Seconds that what came of the last sends may take to be recorded when the relay stops."""


class Lanes:
    """All lanes, and what their outcomes say of targets and accounts."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        *,
        plan: Callable[[], Plan],
        clock: Callable[[], datetime],
        chance: random.Random,
        threads: Executor,
        probes: Probes,
        on_settled: Callable[[Tried, Delivery], None],
        on_fault: Callable[[str, BaseException], None],
    ) -> None:
        self._store = store
        self._channels = channels
        self._plan = plan
        self._clock = clock
        self._chance = chance
        self._threads = threads
        self._probes = probes
        self._on_settled = on_settled
        self._on_fault = on_fault
        self._lanes: dict[str, Lane] = {}
        self._driven: set[Lane] = set()
        self._accounts: dict[str, Account] = {}
        self._stopping = False

    def adopt(self, plan: Plan) -> None:
        """Have a lane for each target of the plan, and for no other that is idle."""
        known = {d.target: d for d in plan.destinations.values()}
        for target in self._lanes.keys() - known.keys():
            self._rest(self._lanes.pop(target))
        driven = {lane.target: lane for lane in self._driven}
        for target, destination in known.items():
            account = self._account(destination.account)
            lane = self._lanes.get(target) or driven.get(target) or Lane(target, account)
            self._lanes[target] = lane
            lane.account = account
            lane.adopt_pace(destination.pace)
            account.adopt_pace(destination.account_pace)

    def wake(self, targets: Iterable[str] | None = None) -> None:
        """There may be work in these lanes (None: in all)."""
        if not self._store.journal.leads():
            return
        for target in tuple(self._lanes) if targets is None else targets:
            if lane := self._lanes.get(target):
                lane.has_work = True
                self._start(lane)

    def hurry(self) -> None:
        """An operator put deliveries back: no lane waits for its own backoff now."""
        for paced in (*self._lanes.values(), *self._accounts.values()):
            paced.health.paused_until = 0.0
        self.wake()

    def promise(self, targets: Collection[str]) -> set[str]:
        """Those of the targets whose lanes wait for work, and wait for what comes until `hand`."""
        found = set[str]()
        if not self._store.journal.leads():
            return found
        for target in targets:
            lane = self._lanes.get(target)
            if lane is None or lane.has_work or lane.driver or lane.is_promised or self._stopping:
                continue
            probing = lane.health.probing or lane.account.health.probing
            if not probing and not lane.catching_up and self._wait(lane, _time()) <= 0:
                lane.is_promised = True
                found.add(target)
        return found

    def hand(
        self, promised: Collection[str], claimed: Mapping[str, Claimed], owed: Iterable[str]
    ) -> None:
        """Give lanes what was claimed for them; `owed` are all targets that are owed something."""
        for target in promised:
            if lane := self._lanes.get(target) or self._orphan(target, claimed):
                lane.is_promised = False
                lane.handed = claimed.get(target)
                if lane.handed or lane.has_work:
                    self._start(lane)
        self.wake(owed)

    def held(self) -> list[str]:
        """The ids of all deliveries that some lane holds."""
        claims = (one for lane in self._driven for one in (lane.holds, lane.handed))
        return [claimed.delivery.id for claimed in claims if claimed]

    async def stop(self, grace: float) -> None:
        """Start nothing new, let sends under way finish within `grace` seconds, then cut them."""
        self._stopping = True
        for lane in self._lanes.values():
            self._rest(lane)
        drivers = {lane.driver for lane in self._driven if lane.driver}
        if drivers:
            await asyncio.wait(drivers, timeout=grace)
        for lane in self._driven:
            if lane.driver and lane.is_sending:
                lane.driver.cancel()
        left = {driver for driver in drivers if not driver.done()}
        if left:
            _, left = await asyncio.wait(left, timeout=LAST_WORDS)
        for driver in left:
            driver.cancel()
        await asyncio.gather(*drivers, return_exceptions=True)

    def _orphan(self, target: str, claimed: Mapping[str, Claimed]) -> Lane | None:
        """A lane whose destination went while a claim was on its way: it has to give it back."""
        if (one := claimed.get(target)) is None:
            return None
        return Lane(target, self._account(one.delivery.account))

    def _start(self, lane: Lane) -> None:
        if lane.driver or (lane.is_promised and lane.handed is None):
            return
        if lane.handed is None:
            if self._stopping:
                return
            if (wait := self._wait(lane, _time())) > 0:
                self._sleep(lane, wait)
                return
        self._driven.add(lane)
        lane.driver = asyncio.create_task(self._drive(lane), name=lane.target)

    async def _drive(self, lane: Lane) -> None:
        """Deliver one after the other, until nothing is due or the lane has to wait."""
        try:
            claimed, lane.handed = lane.handed, None
            while claimed or (claimed := await self._claim(lane)):
                claimed = await self._turn(lane, claimed)
        except Exception as error:  # the deliveries behind this one must go on
            self._on_fault(lane.target, error)
            lane.has_work = True
            self._sleep(lane, AFTER_A_FAULT)
        finally:
            lane.driver = lane.holds = None
            self._driven.discard(lane)
            account = lane.account
            if account.trying is lane:
                account.trying = None
                waiting, account.waiting = account.waiting, set()
                self.wake([other.target for other in waiting])
        if lane.has_work and lane.timer is None and self._lanes.get(lane.target) is lane:
            self._start(lane)

    async def _claim(self, lane: Lane) -> Claimed | None:
        """Claim what is due, if the lane may send now; else see to it that it looks again."""
        account = lane.account
        while lane.has_work and not self._stopping and self._lanes.get(lane.target) is lane:
            if (wait := self._wait(lane, _time())) > 0:
                self._sleep(lane, wait)
                return None
            if account.health.probing:
                if account.trying not in (None, lane):
                    account.waiting.add(lane)
                    lane.has_work = False
                    return None
                account.trying = account.tried = lane
            lane.has_work = False
            turn = await self._store.journal.claim(self._ask(lane), now=self._clock())
            if turn.claimed:
                lane.has_work = True
                return turn.claimed
            lane.catching_up = 0
            self._sleep_until(lane, turn.due_at)
        return None

    async def _turn(self, lane: Lane, claimed: Claimed) -> Claimed | None:
        """Deliver one and record it; the next one, if it may go out at once."""
        lane.holds = claimed
        failpoints.reach(Failpoint.AFTER_CLAIM)
        account = self._account(claimed.delivery.account)
        if lane.catching_up:
            lane.catching_up -= 1
        if self._stopping:
            tried = Tried(claimed.delivery, Interrupted(written=False))
        else:
            tried = await self._try(lane, account, claimed)
        at = _time()
        self._learn(lane, account, tried, at)
        after, turn = await record(
            claimed,
            tried,
            self._store.journal,
            clock=self._clock,
            chance=self._chance.random(),
            then=self._ask_at_once(lane, account, at),
        )
        failpoints.reach(Failpoint.AFTER_SETTLE)
        try:
            self._on_settled(tried, after)
        except Exception as error:  # the next one may be claimed already
            self._on_fault(lane.target, error)
        if isinstance(tried.outcome, Lost):
            await asyncio.sleep(AFTER_A_FAULT)
        if after.state is State.PENDING:
            lane.has_work = True
        if turn is None:
            return None
        if turn.claimed is None:
            lane.catching_up = 0
            self._sleep_until(lane, turn.due_at)
        else:
            lane.has_work = True
        return turn.claimed

    async def _try(self, lane: Lane, account: Account, claimed: Claimed) -> Tried:
        at = _time()
        lane.bucket.take(at)
        account.bucket.take(at)
        lane.is_sending = True
        try:
            return await deliver(
                claimed, self._plan(), self._channels, clock=self._clock, threads=self._threads
            )
        except Exception as error:  # whatever it is, this delivery must not stay claimed
            self._on_fault(lane.target, error)
            lost = Lost(f"unforeseen {type(error).__name__} while the relay held this delivery")
            return Tried(claimed.delivery, lost)
        finally:
            lane.is_sending = False

    def _ask(self, lane: Lane) -> Ask:
        probing = lane.health.probing or lane.account.health.probing
        return Ask(lane.target, head=probing, oldest=lane.catching_up > 0 and not probing)

    def _ask_at_once(self, lane: Lane, account: Account, at: float) -> Ask | None:
        """What to claim with the settlement; None if nothing is there, or the lane must wait."""
        if not lane.has_work or self._stopping or account is not lane.account:
            return None
        if account.health.probing or lane.target not in self._lanes or self._wait(lane, at) > 0:
            return None
        lane.has_work = False
        return self._ask(lane)

    def _learn(self, lane: Lane, account: Account, tried: Tried, at: float) -> None:
        """What an outcome says of its target and its account."""
        outcome, delivery = tried.outcome, tried.delivery
        match outcome:
            case _ if took(outcome):
                self._catch_up(lane, account)
                lane.health.went_well()
                account.health.went_well()
                if self._probes.end(delivery.target):
                    lane.has_work = True
                if self._probes.end(delivery.account):
                    self.wake([other.target for other in self._of(account)])
            case Refused() | PartlyRefused() | Gone():
                lane.health.went_well()
            case Transient(scope=scope) | Ambiguous(scope=scope):
                health = account.health if scope is Scope.ACCOUNT else lane.health
                health.failed(at, self._chance.random())
            case RateLimited(retry_after=after, scope=scope):
                health = account.health if scope is Scope.ACCOUNT else lane.health
                health.pause(at + max(snooze(after).total_seconds(), SHORTEST_PAUSE))
            case OutOfOrder(scope=scope):
                key = delivery.account if scope is Scope.ACCOUNT else delivery.target
                self._probes.begin(key)
            case _:
                pass

    def _catch_up(self, lane: Lane, account: Account) -> None:
        """After an outage what it set back comes first: at most as many as there were faults."""
        for health, over in ((lane.health, [lane]), (account.health, None)):
            if health.faults >= FAULTS_BEFORE_PAUSE:
                for one in over or self._of(account):
                    one.catching_up = max(one.catching_up, health.faults)

    def _of(self, account: Account) -> list[Lane]:
        """The lanes of an account."""
        return [lane for lane in self._lanes.values() if lane.account is account]

    def _wait(self, lane: Lane, at: float) -> float:
        """Seconds from `at` until the lane may send."""
        account = lane.account
        wait = max(
            lane.health.paused_until - at,
            account.health.paused_until - at,
            lane.bucket.wait(at),
            account.bucket.wait(at),
        )
        return wait + AFTER_THE_OTHERS if wait > 0 and account.tried is lane else wait

    def _sleep_until(self, lane: Lane, due: datetime | None) -> None:
        if due is not None:
            left = (due - self._clock()) / timedelta(seconds=1)
            self._sleep(lane, max(left, 0.01))

    def _sleep(self, lane: Lane, seconds: float) -> None:
        """Look again then, or sooner: the wall clock may be set meanwhile."""
        if self._stopping:
            return
        self._rest(lane)
        loop = asyncio.get_running_loop()
        lane.timer = loop.call_later(min(seconds, LONGEST_SLEEP), self._look_again, lane)

    def _look_again(self, lane: Lane) -> None:
        lane.timer = None
        if self._lanes.get(lane.target) is lane:
            self.wake([lane.target])

    def _rest(self, lane: Lane) -> None:
        if lane.timer:
            lane.timer.cancel()
            lane.timer = None

    def _account(self, account: str) -> Account:
        if (found := self._accounts.get(account)) is None:
            found = self._accounts[account] = Account(account)
        return found


def _time() -> float:
    return asyncio.get_running_loop().time()
