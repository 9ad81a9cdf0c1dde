"""The only builder: puts the parts together, starts them, and stops them in order.

Stopping goes against the flow: first no new webhook, then no new send, then the sends under way
end or are cut, then the journal. What was acknowledged is on disk all the while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from aiohttp import web

from relay import alarms, logs, reload
from relay.alarms import Alarms
from relay.channels import NO_PACE, Channel
from relay.channels.registry import open_channels, sandboxed
from relay.control import short_path, socket_path
from relay.errors import JournalError, UsageError
from relay.events import Event
from relay.journal import Routing, Store
from relay.journal.sqlite.connection import journal_path
from relay.journal.sqlite.engine import examine_journal, open_journal
from relay.metrics import Metrics
from relay.pace import Tempo
from relay.pipeline import Plan
from relay.reload import Loaded
from relay.reload.reloader import LOOK_EVERY, Reloader
from relay.sending import Settled
from relay.settings import Address, Settings
from relay.shapes import ready_json, status_json
from relay.web.api import Admin, guard, journal_faults
from relay.web.bodies import LARGEST_BODY
from relay.web.connections import BACKLOG, Doors, GuardedRunner, make_room
from relay.web.intake import Gate, Health, Intake, plain_errors
from relay.worker import Worker, upkeep
from relay.worker.loops import Loops
from relay.worker.upkeep import Upkeep
from relay.worker.watch import Watch

USUAL = Tempo()
DOORS = web.AppKey("doors", Doors)


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class App:
    """The relay, built and running. Make it with `start`, end it with `stop`."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        loaded: Loaded,
        tempo: Tempo,
        clock: Callable[[], datetime],
        chance: Random | None = None,
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.tempo = tempo
        self.store = store
        self.metrics = Metrics()
        self.failed: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        """Done, with a reason, when the relay must end by itself."""
        self.addresses: list[Address] = []
        """Where it listens, with the ports that it got."""
        plan = self._usable(loaded.plan)
        self._runners: list[web.AppRunner] = []
        self._loops = Loops(self.metrics)
        self._tasks: list[asyncio.Task[None]] = []
        self.channels = self._open_channels()
        self.worker = Worker(
            store,
            plan,
            self.channels,
            metrics=self.metrics,
            clock=self.clock,
            tempo=tempo,
            on_settled=self._on_settled,
            on_routed=self._on_routed,
            chance=chance,
        )
        self.reloader = Reloader(
            settings,
            store,
            loaded,
            strict_env=not settings.sandbox,
            clock=self.worker.clock,
            adopt=self._adopt,
            told=self._tell_of_rules,
        )
        self.alarms = Alarms(store, clock=self.worker.clock, wake=self.worker.wake)
        self.watch = Watch(
            store,
            self.alarms,
            self.metrics,
            plan=lambda: self.worker.plan,
            folder=journal_path(settings.journal).parent,
            clock=self.worker.clock,
            fault=self._loops.fault,
        )
        self.upkeep = Upkeep(store.journal, keep=settings.retention, clock=self.worker.clock)
        self.intake = Intake(
            store.journal,
            Gate.of(settings),
            metrics=self.metrics,
            clock=self.worker.clock,
            keep=lambda: self.worker.plan.keep,
            on_events=self.worker.inbox.put,
            on_refused=self.watch.refused,
            on_withheld=self.watch.withheld,
        )

    @classmethod
    async def start(
        cls,
        settings: Settings,
        tempo: Tempo = USUAL,
        clock: Callable[[], datetime] = utc_now,
        chance: Random | None = None,
    ) -> App:
        """Open the journal, load the rules, listen, and resume all pending work.

        Raises `UsageError` or `JournalError` with one clear line; nothing is left open then.
        """
        if not (settings.has_webhook_secret or settings.sandbox or settings.insecure):
            raise UsageError(
                "no webhook secret is set, so anybody could post events: set "
                "RELAY_360DIALOG_SECRET, RELAY_WEBHOOK_TOKEN or RELAY_META_APP_SECRET, or start "
                "with --sandbox (sends nothing) or --insecure"
            )
        store = await open_journal(settings.journal, now=clock())
        try:
            loaded = await reload.start(
                settings, store, strict_env=not settings.sandbox, now=clock()
            )
            app = cls(settings, store, loaded, tempo, clock, chance)
        except BaseException:
            await store.journal.close()
            raise
        try:
            await app._run()
        except BaseException:
            await app.stop(grace=0)
            raise
        return app

    async def _run(self) -> None:
        loaded = self.reloader.loaded
        for warning in loaded.warnings:
            logs.warning("rules", finding=str(warning))
        if loaded.error:
            logs.error("rules refused", error=loaded.error, live_version=loaded.plan.version)
        if self.store.recovered:
            logs.warning("deliveries of a lost run are tried again", count=self.store.recovered)
        await self.worker.start()
        await self._listen()
        start, patience = self._loops.start, self.tempo.patience
        start(
            "watch",
            self.watch.look,
            every=self.tempo.watch,
            patience=patience,
            wake=self.watch.look_now,
        )
        start("loop lag", self.watch.measure_lag, patience=patience)
        start("retention", self.upkeep.work, every=upkeep.EVERY, patience=upkeep.EVERY)
        start("rules", self.reloader.look, every=LOOK_EVERY, patience=patience)
        self._tasks = [
            asyncio.create_task(self._fail_with_journal(), name="journal guard"),
            asyncio.create_task(self._examine(), name="journal check"),
        ]
        await self._tell_of_rules(loaded)

    def _usable(self, plan: Plan) -> Plan:
        return _unpaced(plan) if self.settings.sandbox else plan

    async def _adopt(self, plan: Plan) -> None:
        await self.worker.adopt(self._usable(plan))

    async def _tell_of_rules(self, loaded: Loaded) -> None:
        """Say in metrics and by an alarm whether the files are live."""
        self.metrics.rules_version.set(loaded.plan.version)
        self.metrics.rules_ok.set(0 if loaded.error else 1)
        notice = alarms.rules_refused(loaded.refused_at or "")
        if loaded.error:
            await self.alarms.begin(notice, self.worker.plan)
        else:
            await self.alarms.end(notice, self.worker.plan)

    def _open_channels(self) -> Mapping[str, Channel]:
        channels = open_channels(reload.outbound(self.settings))
        if self.settings.sandbox:
            return {name: sandboxed(channel) for name, channel in channels.items()}
        return channels

    async def _listen(self) -> None:
        settings = self.settings
        shared = settings.shares_address
        health = Health(self.metrics, self._ready, self.watch.refresh)
        admin = Admin(self.store, self.worker.clock, self.status, self.worker.hurry, self.reload)

        outside = _web([plain_errors, journal_faults, guard(settings.admin_token)])
        self.intake.add_routes(outside)
        health.add_routes(outside, metrics=shared)
        if shared:
            admin.add_routes(outside)
        await self._open(outside, settings.listen, "RELAY_LISTEN")
        if settings.admin_listen and not shared:
            inside = _web([plain_errors, journal_faults, guard(settings.admin_token)])
            health.add_routes(inside, metrics=True)
            admin.add_routes(inside)
            await self._open(inside, settings.admin_listen, "RELAY_ADMIN_LISTEN")
        local = _web([plain_errors, journal_faults])
        admin.add_routes(local)
        await self._open_socket(local)

    async def _open(self, app: web.Application, address: Address, name: str) -> None:
        runner = await self._runner(app)
        site = web.TCPSite(runner, address.host, address.port, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(f"{name}: cannot listen on {address}: {error.strerror}") from None
        host, port = runner.addresses[0][:2]
        self.addresses.append(Address(host, port))

    async def _open_socket(self, app: web.Application) -> None:
        path = socket_path(journal_path(self.settings.journal))
        path.unlink(missing_ok=True)
        runner = await self._runner(app)
        with short_path(path) as short:
            await web.UnixSite(runner, str(short)).start()
        path.chmod(0o600)

    async def _runner(self, app: web.Application) -> web.AppRunner:
        runner = GuardedRunner(app, app[DOORS], shutdown_timeout=self.tempo.grace)
        await runner.setup()
        self._runners.append(runner)
        return runner

    async def stop(self, grace: float | None = None) -> None:
        """Take nothing new, let what is under way end, and close."""
        self.intake.accepting = False
        for runner in self._runners:
            for site in list(runner.sites):
                await site.stop()
        await self.worker.stop(self.tempo.grace if grace is None else grace)
        await self._loops.stop()
        for task in self._tasks:
            task.cancel()
        for runner in self._runners:
            await runner.cleanup()
        for channel in self.channels.values():
            await channel.close()
        with suppress(JournalError):
            await self.store.journal.close()
        socket_path(journal_path(self.settings.journal)).unlink(missing_ok=True)

    async def reload(self) -> Loaded:
        """Read the rules now, because somebody asked for it."""
        return await self.reloader.reload("somebody asked for it")

    async def status(self) -> Mapping[str, Any]:
        """What `/api/status` answers."""
        records = self.store.records
        plan = self.worker.plan
        return status_json(
            await records.status(now=self.worker.clock()),
            plan,
            await records.lanes(),
            await records.troubles(),
            await records.rules(plan.version),
            self.reloader.loaded.error,
        )

    async def _ready(self) -> tuple[bool, Mapping[str, Any]]:
        stuck = self._loops.stuck()
        try:
            troubles = await self.store.records.troubles()
            late = await self.watch.late_event()
        except JournalError as error:
            return False, {"error": str(error)}
        can_store = self.intake.accepting and self.store.journal.can_store()
        refused = self.reloader.loaded.refused_at
        return can_store, ready_json(self.worker.plan, troubles, refused, late=late, stuck=stuck)

    async def _examine(self) -> None:
        """Read every page of a journal that was not closed, or that was damaged before."""
        known = {alarm.key for alarm in await self.store.records.alarms()}
        if not self.store.unclean and alarms.journal_damaged(()).key not in known:
            return
        try:
            faults = await examine_journal(self.settings.journal)
        except JournalError as error:
            faults = [str(error)]
        logs.info("every page of the journal was read", faults=len(faults))
        notice = alarms.journal_damaged(faults)
        await (self.alarms.begin if faults else self.alarms.end)(notice, self.worker.plan)

    async def _fail_with_journal(self) -> None:
        reason = await self.store.journal.broken()
        logs.critical("the journal failed: nothing is acknowledged any more", error=reason)
        if not self.failed.done():
            self.failed.set_result(reason)

    def _on_settled(self, settled: Settled) -> None:
        self.watch.settled(settled)

    def _on_routed(self, event: Event, routing: Routing) -> None:
        self.watch.routed(event, routing)


def _unpaced(plan: Plan) -> Plan:
    """The plan for the sandbox: nothing is sent, so no target's pace has to be kept."""
    free = {
        name: replace(destination, pace=NO_PACE, account_pace=NO_PACE)
        for name, destination in plan.destinations.items()
    }
    return replace(plan, destinations=free)


def _web(middlewares: list[Callable[..., Any]]) -> web.Application:
    doors = Doors(most=make_room())
    app = web.Application(
        middlewares=[doors.middleware, *middlewares], client_max_size=LARGEST_BODY
    )
    app[DOORS] = doors
    return app
