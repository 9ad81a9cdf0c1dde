"""The loops: route what came, drive one lane for each target, probe what is out of order.

Work is handed on in memory and woken by signals; the disk is the queue, and it is read again
after a start and whenever memory could not hold all.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial

from relay import logs
from relay.channels import Channel
from relay.deliveries import Delivery, State
from relay.events import Event
from relay.inbox import Inbox
from relay.journal import Aim, EventState, Routing, Store
from relay.metrics import Metrics
from relay.outcomes import outcome_word
from relay.pace import Tempo
from relay.pipeline import Plan
from relay.sending import Tried
from relay.worker.lanes import Lanes
from relay.worker.loops import Daemons, Loops
from relay.worker.probes import Probes
from relay.worker.router import Router

CLAIMS = 60.0
"""Seconds between two looks for claims that nobody holds."""


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
        inbox: Inbox,
        on_settled: Callable[[Tried, Delivery], None] = lambda _tried, _after: None,
        on_routed: Callable[[Event, Routing, datetime], None] = lambda _event, _routing, _now: None,
        chance: random.Random | None = None,
    ) -> None:
        self._store = store
        self.plan = plan
        self._metrics = metrics
        self.clock = clock
        self._on_settled = on_settled
        self._on_routed = on_routed
        self._loops = Loops(metrics)
        self._threads = Daemons(2, "messages")
        self._probes = Probes(store, tempo, self.wake)
        self._lanes = Lanes(
            store,
            channels,
            plan=lambda: self.plan,
            clock=clock,
            chance=chance or random.Random(),  # noqa: S311  jitter, not a secret
            threads=self._threads,
            probes=self._probes,
            on_settled=self._settled,
            on_fault=self._loops.fault,
        )
        self.inbox = inbox
        self._router = Router(
            store,
            self.inbox,
            self._lanes,
            plan=lambda: self.plan,
            clock=clock,
            on_routed=self._routed,
            on_fault=self._unroutable,
        )

    async def start(self) -> None:
        """Aim what is unfinished at the plan's destinations, and begin."""
        await self.adopt(self.plan)
        self._loops.start("router", self._router.go_round)
        self._loops.start("prober", partial(self._probes.go_round, self.clock))
        self._loops.start("claims", self._expire, every=CLAIMS)

    async def adopt(self, plan: Plan) -> None:
        """Make this plan the live one; the next event and the next delivery go by it."""
        aims = {
            name: Aim(d.target, d.account, d.channel, d.fingerprint, d.fallback is not None)
            for name, d in plan.destinations.items()
        }
        await self._store.journal.aim(aims, now=self.clock(), version=plan.version)
        self.plan = plan
        self._metrics.expect(plan.destinations)
        self._lanes.adopt(plan)
        for trouble in await self._store.records.troubles():
            self._probes.begin_now(trouble.key)
        self.wake([lane.target for lane in await self._store.records.lanes()])

    async def take_over(self) -> None:
        """This relay delivers from now on, and routes what another one left."""
        self.inbox.look_again()
        await self.adopt(self.plan)

    def wake(self, targets: Sequence[str] | None = None) -> None:
        """There may be work in these lanes (None: in all)."""
        self._lanes.wake(targets)

    def next_tries(self) -> Mapping[str, datetime]:
        """When each target or account that is out of order is tried next."""
        return self._probes.next_tries(self.clock())

    def hurry(self) -> None:
        """An operator put deliveries back: no lane waits for its own backoff now."""
        self._lanes.hurry()

    async def stop(self, grace: float) -> None:
        """Start nothing new, let sends under way finish within `grace` seconds, then cut them."""
        await self._loops.stop()
        await self._lanes.stop(grace)
        self._threads.shutdown(wait=False)

    async def _expire(self) -> None:
        if not self._store.journal.leads():
            return
        if await self._store.journal.expire(self._lanes.held(), now=self.clock()):
            logs.error("deliveries were held by nobody; they are tried again")
            self.wake()

    def _routed(self, event: Event, routing: Routing, now: datetime) -> None:
        self._metrics.routed(routing.state is not EventState.UNMATCHED)
        # Of what is owed to somebody each attempt has its line; what is not has this one alone.
        say = logs.debug if routing.deliveries else logs.info
        say(
            "routed",
            event_id=event.id,
            kind=event.kind,
            state=routing.state.value,
            deliveries=[delivery.id for delivery in routing.deliveries],
            muted_by=routing.muted_by,
        )
        self._on_routed(event, routing, now)

    def _unroutable(self, error: Exception, event: Event) -> None:
        self._metrics.loop_faults.inc()
        logs.error("event with a fault", event_id=event.id, error=type(error).__name__)

    def _settled(self, tried: Tried, after: Delivery) -> None:
        self._metrics.settled(tried, after)
        _say(tried, after)
        self._on_settled(tried, after)


def _say(tried: Tried, after: Delivery) -> None:
    level = logs.info if after.state is State.DELIVERED else logs.warning
    level(
        "attempt",
        event_id=after.event_id,
        delivery_id=after.id,
        destination=after.destination,
        outcome=outcome_word(tried.outcome),
        state=after.state.value,
        reason=after.reason,
        duration_ms=tried.duration_ms,
    )
