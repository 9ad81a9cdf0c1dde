"""What runs the relay's loops: faults are told, counted and survived; one that stands is seen.

A loop is a step that is taken again and again. No fault ends it, be it a journal that cannot be
read, a folder that is away or a mistake of ours: behind it wait the steps that would have worked.
The heartbeat and retention are such steps; `Daemons` are threads that keep no process from ending.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from queue import SimpleQueue
from typing import Any, ParamSpec, TypeVar

from relay import logs
from relay.channels import Outbound, http
from relay.errors import JournalError
from relay.journal import Journal
from relay.journal.care import START, Mark, Pruned
from relay.logs import Seldom
from relay.metrics import Metrics

AFTER_A_FAULT = 1.0
"""Seconds that a loop rests after a fault, at least."""
LONGEST_REST = 60.0
"""Seconds that it rests at most: also what is seldom done is tried again soon."""


@dataclass(slots=True)
class _Round:
    """Of one loop, when it last went round, and how long it may take."""

    gone_at: float
    patience: float | None


class Loops:
    """Some loops that begin together or one by one, and end together."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._tasks: set[asyncio.Task[None]] = set()
        self._rounds: dict[str, _Round] = {}
        self._seldom = Seldom()

    def start(
        self,
        name: str,
        step: Callable[[], Awaitable[None]],
        *,
        every: float = 0.0,
        patience: float | None = None,
        wake: asyncio.Event | None = None,
    ) -> None:
        """Take a step again and again, resting `every` seconds between two, or until `wake`.

        With `patience` the loop is stuck when that many seconds more than `every` went by without
        a step that went well; without, it may wait for as long as it likes.
        """
        now = asyncio.get_running_loop().time()
        self._rounds[name] = _Round(now, None if patience is None else every + patience)
        task = asyncio.create_task(self._forever(name, step, every, wake), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def stuck(self) -> dict[str, float]:
        """The loops that have not gone round in their time: for how many seconds, by name."""
        now = asyncio.get_running_loop().time()
        return {
            name: now - one.gone_at
            for name, one in self._rounds.items()
            if one.patience is not None and now - one.gone_at > one.patience
        }

    def fault(self, name: str, error: BaseException) -> None:
        """Tell and count what a loop survived."""
        self._metrics.loop_faults.inc()
        # An unforeseen fault's words may show what no log may; the journal's and the system's not.
        known = isinstance(error, JournalError | OSError)
        said = str(error) if known else type(error).__name__
        self._seldom(logs.error, "a fault in a loop", loop=name, error=said)

    async def stop(self) -> None:
        """End all of them, wherever they stand."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _forever(
        self,
        name: str,
        step: Callable[[], Awaitable[None]],
        every: float,
        wake: asyncio.Event | None,
    ) -> None:
        this = asyncio.current_task()
        while True:
            rest = every
            try:
                await step()
                self._rounds[name].gone_at = asyncio.get_running_loop().time()
            except (Exception, asyncio.CancelledError) as error:
                if isinstance(error, asyncio.CancelledError) and this and this.cancelling():
                    raise  # the relay stops; else something below was cancelled, not this loop
                self.fault(name, error)
                rest = min(max(every, AFTER_A_FAULT), LONGEST_REST)
            if wake is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(rest):
                        await wake.wait()
                wake.clear()
            elif rest:
                await asyncio.sleep(rest)


P = ParamSpec("P")
T = TypeVar("T")


class Daemons(Executor):
    """A few threads for templates that take long.

    The threads of `ThreadPoolExecutor` are waited for when the process ends. A template is stopped
    after a while, but a single step of it cannot be: SIGTERM must not wait for that.
    """

    def __init__(self, most: int, name: str) -> None:
        self._most = most
        self._name = name
        self._threads = 0
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Run it as soon as a thread is free."""
        future: Future[T] = Future()
        self._work.put(partial(_run, future, partial(fn, *args, **kwargs)))
        if self._threads < self._most:
            self._threads += 1
            threading.Thread(target=self._serve, name=self._name, daemon=True).start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:  # noqa: ARG002
        """Let the threads end after what they do; nobody waits for them."""
        for _ in range(self._threads):
            self._work.put(None)

    def _serve(self) -> None:
        while work := self._work.get():
            work()


def _run(future: Future[Any], work: Callable[[], Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        future.set_result(work())
    except BaseException as error:
        future.set_exception(error)


BEAT_WITHIN = 10.0
"""Seconds for one call of the heartbeat's URL."""


class Heartbeat:
    """Calls the URL of the live rules."""

    def __init__(
        self,
        outbound: Outbound,
        *,
        url: Callable[[], str | None],
        is_well: Callable[[], Awaitable[bool]],
    ) -> None:
        """`is_well`: events can be stored, and nothing is stuck."""
        self._outbound = outbound
        self._url = url
        self._is_well = is_well
        self._seldom = Seldom()

    async def beat(self) -> None:
        """Call it once, if there is one and all is well. What comes of it is only logged."""
        url = self._url()
        if url is None or not await self._is_well():
            return
        try:
            async with asyncio.timeout(BEAT_WITHIN), http.open_session(self._outbound) as session:
                status = await http.get(session, url, self._outbound.proxies.of_url(url))
        except Exception as error:  # the URL is a secret: of a fault only its kind is said
            self._seldom(logs.warning, "heartbeat not taken", error=type(error).__name__)
            return
        if not 200 <= status < 300:
            self._seldom(logs.warning, "heartbeat not taken", status=status)


PRUNED_EVERY = 3600.0
"""Seconds between two passes of retention, the first with the start; one may take as long."""
PRUNE_PAUSE = 0.02
"""Seconds between two steps of a pass, in which the writer is the webhooks' alone."""
LARGEST_JUMP = timedelta(days=1)
"""The clock may gain so much between two passes; after more, one pass is left out."""


async def prune_all(
    journal: Journal, *, now: datetime, keep: timedelta | None, pause: float = PRUNE_PAUSE
) -> Pruned:
    """One whole pass; what it removed."""
    done = Pruned(None)
    mark: Mark | None = START
    while mark is not None:
        step = await journal.prune(now=now, keep=keep, after=mark)
        done += step
        mark = step.next
        await asyncio.sleep(pause)
    return done


class Upkeep:
    """Removes what is older than `keep`, pass by pass; None keeps everything."""

    def __init__(
        self, journal: Journal, *, keep: timedelta | None, clock: Callable[[], datetime]
    ) -> None:
        self._journal = journal
        self._keep = keep
        self._clock = clock
        self._last: tuple[datetime, float] | None = None
        """The two clocks at the last pass."""

    async def work(self) -> None:
        """One pass, unless the clock jumped since the last one."""
        now, at = self._clock(), time.monotonic()
        last, self._last = self._last, (now, at)
        if last is not None and now - last[0] > timedelta(seconds=at - last[1]) + LARGEST_JUMP:
            logs.warning("the clock jumped: nothing is removed by it yet", now=now.isoformat())
            return
        done = await prune_all(self._journal, now=now, keep=self._keep)
        if done != Pruned(None):
            logs.info(
                "retention",
                events=done.events,
                deliveries=done.deliveries,
                attempts=done.attempts,
                keys=done.keys,
                bodies=done.bodies,
                quarantined=done.quarantined,
                pages=done.pages,
            )
