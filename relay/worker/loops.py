"""What runs the relay's loops: faults are told, counted and survived; one that stands is seen.

A loop is a step that is taken again and again. No fault ends it, be it a journal that cannot be
read, a folder that is away or a mistake of ours: behind it wait the steps that would have worked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

from relay import logs
from relay.errors import JournalError
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
