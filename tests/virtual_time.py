"""An event loop whose time passes only when nothing is left to do: three days take no time.

Threads are real (the journal writes in one), so the loop waits for them, and for nothing else.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any

from tests.needs import PATIENCE

TICK = 1e-7
"""Seconds that a turn of the loop takes, so that a wait shorter than a float can tell ends."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """`time()` is virtual; `busy` says whether a thread has something to answer yet."""

    def __init__(self) -> None:
        self.moment = 0.0
        self.busy: Callable[[], bool] = lambda: False
        self._in_threads = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.moment

    @property
    def waits_for_threads(self) -> bool:
        return self._in_threads > 0 or self.busy()

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self._in_threads += 1
        future.add_done_callback(self._returned)
        return future

    def _returned(self, _: asyncio.Future[Any]) -> None:
        self._in_threads -= 1


class _Selector(selectors.BaseSelector):
    """The system's, but a wait with nothing under way moves the clock instead."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self._loop.moment += TICK
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._loop.waits_for_threads:
            ready = self._real.select(PATIENCE)
            assert ready, "a thread did not answer in time"
            return ready
        assert timeout is not None, "nothing will ever happen again"
        self._loop.moment += timeout
        return []

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()
