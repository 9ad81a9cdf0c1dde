"""The only builder: puts the parts together, starts them, and stops them in order.

Intake needs no rules, so the relay listens first and reads them then: what was imported for the one
is all that stands before the first 200. Stopping goes against the flow: first no new webhook, then
no new send, then the sends under way end or are cut, then the journal. What was acknowledged is on
disk all the while.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from importlib import import_module
from random import Random
from typing import TYPE_CHECKING, Any

from aiohttp import web

from relay import logs
from relay.control import for_the_owner_alone, short_path, socket_path
from relay.errors import JournalError, UsageError
from relay.inbox import Inbox
from relay.journal import Store
from relay.journal.doors import is_shared, journal_path, open_journal
from relay.metrics import Metrics
from relay.pace import Tempo
from relay.settings import Address, Settings
from relay.web import page
from relay.web.api import Admin
from relay.web.intake import Gate, Health, Intake
from relay.web.senders import BACKLOG, Doors, Runner, most_connections

if TYPE_CHECKING:
    from relay.channels import Channel
    from relay.events import Event
    from relay.live import Live
    from relay.pipeline import Plan
    from relay.reload import Loaded
    from relay.reload.reloader import Reverted
    from relay.sources.watch import Changes
    from relay.tracing import Tracing
    from relay.web import asked
    from relay.worker import Worker

USUAL = Tempo()
READY_WITHIN = 2.0
"""Seconds that the journal has to answer whoever asks whether the relay is ready."""


def utc_now() -> datetime:
    """The wall clock."""
    return datetime.now(UTC)


class App:
    """The relay, built and running. Make it with `start`, end it with `stop`."""

    def __init__(
        self,
        settings: Settings,
        store: Store,
        tempo: Tempo,
        clock: Callable[[], datetime],
        keep: frozenset[str],
    ) -> None:
        """`keep` is the private content that the last rules kept, until these are read."""
        self.settings = settings
        self.clock = clock
        self.tempo = tempo
        self.store = store
        self.metrics = Metrics()
        loop = asyncio.get_running_loop()
        self.failed: asyncio.Future[str] = loop.create_future()
        """Done, with a reason, when the relay must end by itself."""
        self.addresses: list[Address] = []
        """Where it listens, with the ports that it got."""
        self._live: asyncio.Future[Live] = loop.create_future()
        self._keep = keep
        self._early: list[Callable[[Live], None]] = []
        """What the watch is told as soon as there is one."""
        self._runners: list[Runner] = []
        self._guard: asyncio.Task[None] | None = None
        self.inbox = Inbox()
        self._tracing: Tracing | None = None
        if settings.traces:
            self._tracing = import_module("relay.tracing").Tracing()
        self.intake = Intake(
            store.journal,
            Gate.of(settings),
            metrics=self.metrics,
            clock=self._now,
            keep=lambda: self.worker.plan.keep if self._live.done() else self._keep,
            on_events=self._took if self._tracing else self.inbox.put,
            expect=self.inbox.expect,
            on_refused=lambda: self._tell(lambda live: live.watch.refused()),
            on_withheld=lambda event: self._tell(lambda live: live.watch.withheld(event)),
            key=store.key,
        )

    @classmethod
    async def start(
        cls,
        settings: Settings,
        tempo: Tempo = USUAL,
        clock: Callable[[], datetime] = utc_now,
        chance: Random | None = None,
    ) -> App:
        """Open the journal, listen, load the rules, and resume all pending work.

        Where no rules were ever live they are loaded before listening: a first start is right or
        does not begin. Raises `UsageError`, `ConfigError` or `JournalError` with one clear line;
        nothing is left open then.
        """
        if not (settings.has_webhook_secret or settings.sandbox or settings.insecure):
            raise UsageError(
                "no webhook secret is set, so anybody could post events: set "
                "RELAY_360DIALOG_SECRET, RELAY_WEBHOOK_TOKEN or RELAY_META_APP_SECRET, or start "
                "with --sandbox (sends nothing) or --insecure"
            )
        store = await open_journal(settings.journal, now=clock())
        try:
            last = await store.records.rules()
            checked = last.checked if last else None
            app = cls(settings, store, tempo, clock, frozenset(checked.keep if checked else ()))
        except BaseException:
            await store.journal.close()
            raise
        app._guard = asyncio.create_task(app._fail_with_journal(), name="journal guard")
        try:
            if checked is not None:
                await app._listen()
            live = await app._load(chance)
            if checked is None:
                await app._listen()
            await app._begin(live)
        except BaseException:
            await app.stop(grace=0)
            raise
        return app

    async def _load(self, chance: Random | None) -> Live:
        module = await asyncio.to_thread(import_module, "relay.live")
        loaded: Loaded = await module.reload.start(self.settings, self.store, now=self.clock())
        live: Live = module.Live(
            self.settings,
            self.store,
            loaded,
            metrics=self.metrics,
            tempo=self.tempo,
            inbox=self.inbox,
            clock=self.clock,
            chance=chance,
            tracing=self._tracing,
        )
        self._live.set_result(live)
        return live

    async def _begin(self, live: Live) -> None:
        for weakness in self.store.weaknesses:
            logs.warning(weakness)
        if self.store.recovered:
            logs.warning("deliveries of a lost run are tried again", count=self.store.recovered)
        await live.start()
        for told in self._early:
            told(live)

    @property
    def worker(self) -> Worker:
        """What routes and delivers, once the rules were read."""
        return self._live.result().worker

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Where it sends, once the rules were read."""
        return self._live.result().channels

    def _now(self) -> datetime:
        return self._live.result().clock() if self._live.done() else self.clock()

    def _took(self, events: tuple[Event, ...], size: int) -> None:
        if self._tracing:
            self._tracing.took(events)
        self.inbox.put(events, size)

    def _tell(self, told: Callable[[Live], None]) -> None:
        if self._live.done():
            told(self._live.result())
        else:
            self._early.append(told)

    async def _listen(self) -> None:
        settings = self.settings
        shared = settings.shares_address
        health = Health(self.metrics, self._ready, self._refresh)
        admin = Admin(
            self.settings,
            self.store,
            self._now,
            self.status,
            self._hurry,
            self.reload,
            self.revert,
            self.replay,
            self.look,
            self.plan,
        )

        outside = self._runner()
        self.intake.add_routes(outside.app)
        if self._tracing:
            outside.app.middlewares.append(self._tracing.webhook)
        health.add_routes(outside.app, metrics=shared)
        if shared:
            admin.add_routes(outside.app)
            page.add_routes(outside.app, admin)
        await self._open(outside, settings.listen, "RELAY_LISTEN")
        if settings.admin_listen and not shared:
            inside = self._runner()
            health.add_routes(inside.app, metrics=True)
            admin.add_routes(inside.app)
            page.add_routes(inside.app, admin)
            await self._open(inside, settings.admin_listen, "RELAY_ADMIN_LISTEN")
        if not is_shared(settings.journal):  # what is, commands change themselves
            local = self._runner()
            admin.add_routes(local.app, by_socket=True)
            await self._open_socket(local)

    async def _open(self, runner: Runner, address: Address, name: str) -> None:
        await runner.setup()
        site = web.TCPSite(runner, address.host, address.port, backlog=BACKLOG)
        try:
            await site.start()
        except OSError as error:
            raise UsageError(f"{name}: cannot listen on {address}: {error.strerror}") from None
        host, port = runner.addresses[0][:2]
        self.addresses.append(Address(host, port))

    async def _open_socket(self, runner: Runner) -> None:
        path = socket_path(journal_path(self.settings.journal))
        path.unlink(missing_ok=True)
        await runner.setup()
        with short_path(path) as short, for_the_owner_alone():
            await web.UnixSite(runner, str(short)).start()

    def _runner(self) -> Runner:
        runner = Runner(Doors(most=most_connections()), grace=self.tempo.grace)
        self._runners.append(runner)
        return runner

    async def stop(self, grace: float | None = None) -> None:
        """Take nothing new, let what is under way end, and close."""
        self.intake.accepting = False
        for runner in self._runners:
            for site in list(runner.sites):
                await site.stop()
        if self._live.done():
            await self._live.result().stop(self.tempo.grace if grace is None else grace)
        self._live.cancel()
        if self._guard:
            self._guard.cancel()
        for runner in self._runners:
            await runner.cleanup()
        if self._tracing:
            await self._tracing.close()
        with suppress(JournalError):
            await self.store.journal.close()
        if not is_shared(self.settings.journal):
            socket_path(journal_path(self.settings.journal)).unlink(missing_ok=True)

    async def reload(self, who: str = "", *, publish: bool = False) -> Loaded:
        """Read the rules now, because somebody asked for it; once they were read at all."""
        return await (await asyncio.shield(self._live)).reload(who, publish=publish)

    async def revert(self, version: int, who: str) -> Reverted:
        """Make an older version live, and write its files; once the rules were read at all."""
        return await (await asyncio.shield(self._live)).revert(version, who)

    async def replay(self, wanted: asked.Replay, who: str) -> Mapping[str, Any]:
        """Tell recorded events again, by the live rules; once the rules were read."""
        return await (await asyncio.shield(self._live)).replay(wanted, who)

    async def look(self) -> Changes:
        """Ask 360dialog for its numbers now, because somebody wants it; what was recorded."""
        return await (await asyncio.shield(self._live)).numbers.look()

    async def status(self) -> Mapping[str, Any]:
        """What `/api/status` answers, once the rules were read."""
        return await (await asyncio.shield(self._live)).status()

    async def plan(self) -> Plan:
        """What is live, once the rules were read."""
        await asyncio.shield(self._live)
        return self.worker.plan

    async def _refresh(self) -> None:
        if self._live.done():
            await self._live.result().watch.refresh()

    def _hurry(self) -> None:
        if self._live.done():
            self.worker.hurry()

    async def _ready(self) -> tuple[bool, Mapping[str, Any]]:
        can_store = self.intake.accepting and self.store.journal.can_store()
        if not self._live.done():
            return can_store, {"starting": "the rules are being read"}
        try:
            async with asyncio.timeout(READY_WITHIN):
                return can_store, await self._live.result().ready()
        except TimeoutError:
            return False, {"error": f"the journal has not answered for {READY_WITHIN:.0f} s"}
        except JournalError as error:
            return False, {"error": str(error)}

    async def _fail_with_journal(self) -> None:
        reason = await self.store.journal.broken()
        logs.critical("the journal failed: nothing is acknowledged any more", error=reason)
        if not self.failed.done():
            self.failed.set_result(reason)
