"""What the relay needs rules for: it routes, delivers, watches and reloads.

Stands apart from the builder, which listens before any of this is even imported.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from random import Random
from typing import TYPE_CHECKING, Any

from relay import logs, notices, reload, replay
from relay.alarms import Alarms
from relay.channels import NO_PACE, Channel
from relay.channels.registry import open_channels, sandboxed
from relay.deliveries import Delivery, State
from relay.errors import JournalError
from relay.events import Event
from relay.inbox import Inbox
from relay.journal import Routing, Store
from relay.journal.doors import examine_journal, is_shared, journal_path
from relay.metrics import Metrics
from relay.pace import Tempo
from relay.pipeline import Plan
from relay.reload import Loaded
from relay.reload.reloader import LOOK_EVERY, Reloader, Reverted
from relay.sending import Tried
from relay.settings import Settings
from relay.silences import Silences
from relay.web import asked
from relay.web.shapes import ready_json
from relay.web.status import gather
from relay.worker import Worker
from relay.worker.digests import Digests
from relay.worker.fallbacks import Fallbacks
from relay.worker.loops import PRUNED_EVERY, Heartbeat, Loops, Upkeep
from relay.worker.numbers import COMPARED_EVERY, Numbers
from relay.worker.watch import Watch

if TYPE_CHECKING:
    from relay.record import Record
    from relay.tracing import Tracing

SWEEP = 15.0
"""Seconds between two looks for what no relay was told of."""
NOT_LEADING = 1.0
"""Seconds between two looks whether this relay leads."""


class Live:
    """The worker with everything around it; nothing runs before `start`."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        loaded: Loaded,
        *,
        metrics: Metrics,
        tempo: Tempo,
        inbox: Inbox,
        clock: Callable[[], datetime],
        chance: Random | None,
        tracing: Tracing | None,
    ) -> None:
        self._settings = settings
        self._store = store
        self._metrics = metrics
        self._tempo = tempo
        self._loops = Loops(metrics)
        self._examining: asyncio.Task[None] | None = None
        self._record = _record(settings)
        self._tracing = tracing
        self.channels = _channels(settings, tracing)
        self.worker = Worker(
            store,
            self._usable(loaded.plan),
            self.channels,
            metrics=metrics,
            clock=clock,
            tempo=tempo,
            inbox=inbox,
            on_settled=self._settled,
            on_routed=self._routed,
            chance=chance,
        )
        self.clock = self.worker.clock
        self.reloader = Reloader(
            settings,
            store,
            loaded,
            clock=self.clock,
            adopt=self._adopt,
            told=self._tell_of_rules,
        )
        self.alarms = Alarms(store, clock=self.clock, wake=self.worker.wake)
        journal = settings.journal
        self.watch = Watch(
            store,
            self.alarms,
            metrics,
            plan=lambda: self.worker.plan,
            folder=None if is_shared(journal) else journal_path(journal).parent,
            clock=self.clock,
            fault=self._loops.fault,
        )
        self.silences = Silences(
            store, plan=lambda: self.worker.plan, clock=self.clock, wake=self.worker.wake
        )
        self.digests = Digests(
            store, plan=lambda: self.worker.plan, clock=self.clock, wake=self.worker.wake
        )
        self.fallbacks = Fallbacks(
            store, plan=lambda: self.worker.plan, clock=self.clock, wake=self.worker.wake
        )
        self.numbers = Numbers(
            store,
            self.alarms,
            metrics,
            env=settings.env,
            allow_private=settings.allow_private,
            public_url=settings.public_url,
            plan=lambda: self.worker.plan,
            clock=self.clock,
            on_events=inbox.put,
        )
        self.heartbeat = Heartbeat(
            reload.outbound(settings),
            url=lambda: self.worker.plan.watching.heartbeat,
            is_well=self._is_well,
        )
        self.upkeep = Upkeep(store.journal, keep=settings.retention, clock=self.clock)

    async def start(self) -> None:
        """Route and deliver what waits and what comes."""
        loaded = self.reloader.loaded
        for warning in loaded.warnings:
            logs.warning("rules", finding=str(warning))
        if loaded.error:
            logs.error("rules refused", error=loaded.error, live_version=loaded.plan.version)
        await self.worker.start()
        await self.digests.adopt(self.worker.plan)
        start, patience = self._loops.start, self._tempo.patience
        alone = self._alone
        start("news", self._hear)
        start(
            "watch",
            alone(self.watch.look),
            every=self._tempo.watch,
            patience=patience,
            wake=self.watch.look_now,
        )
        if not self._settings.sandbox:
            start("numbers", alone(self.numbers.go_round))
            start("registration", alone(self.numbers.compare), every=COMPARED_EVERY)
            start("heartbeat", alone(self.heartbeat.beat), every=self._tempo.heartbeat)
        start("digests", alone(self.digests.look), every=self._tempo.watch, patience=patience)
        start("silences", alone(self.silences.look), every=self._tempo.watch, patience=patience)
        start("fallbacks", alone(self.fallbacks.go_round))
        if is_shared(self._settings.journal):
            start("other relays", self._sweep, every=SWEEP)
        start("loop lag", self.watch.measure_lag, patience=patience)
        start("retention", alone(self.upkeep.work), every=PRUNED_EVERY, patience=PRUNED_EVERY)
        start("rules", self.reloader.look, every=LOOK_EVERY, patience=patience)
        self._examining = asyncio.create_task(self._examine(), name="journal check")
        await self._tell_of_rules(loaded)

    def _alone(self, step: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        """A step that one relay alone takes of those that share a journal."""

        async def taken() -> None:
            if self._store.journal.leads():
                await step()
            else:
                await asyncio.sleep(NOT_LEADING)

        return taken

    async def _hear(self) -> None:
        """Do what the relays that share the journal want of this one."""
        news = await self._store.journal.news()
        if "lost" in news:
            logs.error("the journal cannot be reached: webhooks are refused until it can")
        if "back" in news:
            logs.info("the journal can be reached again")
            # What was refused for a lost answer may have been recorded all the same.
            self.worker.inbox.look_again()
        if "vacant" in news and await self._store.journal.lead(now=self.clock()) is not None:
            logs.warning("this relay delivers from now on: no other one does")
            await self.worker.take_over()
        if "left" in news:
            await self._store.journal.lead(now=self.clock())
            self.worker.inbox.look_again()
        if {"changed", "back"} & news:
            await self.reloader.follow()
        if {"work", "changed", "back"} & news:
            self.worker.wake()

    async def _sweep(self) -> None:
        """Find what another relay told while this one could not hear, or could not tell."""
        await self.reloader.follow()
        if self._store.journal.leads():
            self.worker.inbox.look_again()
            self.worker.wake()

    async def stop(self, grace: float) -> None:
        """Begin no new send, let those under way end within `grace` seconds, and close."""
        await self.worker.stop(grace)
        await self._loops.stop()
        if self._examining:
            self._examining.cancel()
        for channel in self.channels.values():
            await channel.close()
        if self._record:
            self._record.close()

    def _settled(self, tried: Tried, after: Delivery) -> None:
        if self._record:
            self._record.settled(tried, after, self.clock())
        if self._tracing:
            self._tracing.settled(tried, after)
        self.watch.settled(tried, after)
        if after.state is State.DEAD:
            self.fallbacks.look_now.set()

    def _routed(self, event: Event, routing: Routing, now: datetime) -> None:
        if self._record:
            self._record.routed(event, routing, now)
        if self._tracing:
            self._tracing.routed(event, routing, now)
        self.watch.routed(event, routing)

    async def _adopt(self, plan: Plan) -> None:
        await self.worker.adopt(self._usable(plan))
        await self.digests.adopt(self.worker.plan)
        self.numbers.changed.set()
        self.fallbacks.look_now.set()

    async def reload(self, who: str, *, publish: bool) -> Loaded:
        """Read the rules now, because somebody asked for it."""
        why = "published" if publish else "somebody asked for it"
        return await self.reloader.reload(why, who=who, publish=publish)

    async def revert(self, version: int, who: str) -> Reverted:
        """Make an older version live, and write its files."""
        return await self.reloader.revert(version, who)

    async def replay(self, wanted: asked.Replay, who: str) -> Mapping[str, Any]:
        """Tell recorded events again, by the live rules; what was owed."""
        now = self.clock()

        async def record(owed: Sequence[Delivery]) -> None:
            await self._store.journal.owe(owed, now=now, who=who)
            self.worker.hurry()

        found = await replay.tell(
            self._store.records,
            self.worker.plan,
            wanted.filter(),
            now,
            to=wanted.to,
            again=wanted.again,
            record=None if wanted.dry_run else record,
        )
        return found.to_json(dry_run=wanted.dry_run)

    async def status(self) -> Mapping[str, Any]:
        """What `/api/status` answers."""
        plan = self.worker.plan
        return await gather(
            self._store.records,
            plan.destinations,
            self.reloader.loaded.error,
            now=self.clock(),
            version=plan.version,
            waits=self.reloader.loaded.waits,
            tries=self.worker.next_tries(),
        )

    async def ready(self) -> Mapping[str, Any]:
        """What cannot deliver or does not go on. Raises `JournalError`."""
        return ready_json(
            self.worker.plan,
            await self._store.records.troubles(),
            self.reloader.loaded.refused_at,
            waits=self.reloader.loaded.waits,
            late=await self.watch.late_event(),
            stuck=self._loops.stuck(),
            failing=await self.watch.failing(),
        )

    async def _is_well(self) -> bool:
        """Events can be stored, and nothing is stuck."""
        stuck = self._loops.stuck() or await self.watch.late_event()
        return self._store.journal.can_store() and not stuck

    def _usable(self, plan: Plan) -> Plan:
        return _unpaced(plan) if self._settings.sandbox else plan

    async def _tell_of_rules(self, loaded: Loaded) -> None:
        """Say in metrics and by an alarm whether the files are live."""
        self._metrics.rules_version.set(loaded.plan.version)
        self._metrics.rules_ok.set(0 if loaded.error else 1)
        await self._store.journal.note_rules(loaded.plan.version, loaded.waits)
        notice = notices.rules_refused(loaded.refused_at or "")
        if loaded.error:
            await self.alarms.begin(notice, self.worker.plan)
        else:
            await self.alarms.end(notice, self.worker.plan)

    async def _examine(self) -> None:
        """Read every page of a journal that was not closed, or that was damaged before."""
        known = {alarm.key for alarm in await self._store.records.alarms()}
        if not self._store.unclean and notices.journal_damaged(()).key not in known:
            return
        try:
            faults = await examine_journal(self._settings.journal)
        except JournalError as error:
            faults = [str(error)]
        logs.info("every page of the journal was read", faults=len(faults))
        notice = notices.journal_damaged(faults)
        await (self.alarms.begin if faults else self.alarms.end)(notice, self.worker.plan)


def _record(settings: Settings) -> Record | None:
    if settings.record is None:
        return None
    from relay.record import Record  # paid by who asks for it

    return Record(settings.record)


def _channels(settings: Settings, tracing: Tracing | None) -> Mapping[str, Channel]:
    outbound = reload.outbound(settings)
    if tracing:
        outbound = replace(outbound, traceparent=tracing.traceparent)
    channels = open_channels(outbound)
    if settings.sandbox:
        return {name: sandboxed(channel) for name, channel in channels.items()}
    return channels


def _unpaced(plan: Plan) -> Plan:
    """The plan for the sandbox: nothing is sent, so no target's pace has to be kept."""
    free = {
        name: replace(destination, pace=NO_PACE, account_pace=NO_PACE)
        for name, destination in plan.destinations.items()
    }
    return replace(plan, destinations=free)
