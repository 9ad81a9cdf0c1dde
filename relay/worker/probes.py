"""What is out of order is tried now and then, each time with its oldest delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from relay.journal import Store
from relay.pace import Probing, Tempo


class Probes:
    """When each target and account that is out of order is tried next."""

    def __init__(
        self,
        store: Store,
        tempo: Tempo,
        wake: Callable[[Sequence[str]], None],
    ) -> None:
        self._store = store
        self._tempo = tempo
        self._wake = wake
        self._next: dict[str, Probing] = {}
        self._tried: dict[str, str] = {}
        """By trouble, the target that tried last."""
        self._changed = asyncio.Event()

    def begin(self, key: str) -> None:
        """It was just seen to be out of order."""
        if key not in self._next:
            self._next[key] = Probing.after_fault(_time(), self._tempo)
            self._changed.set()

    def begin_now(self, key: str) -> None:
        """It was out of order when somebody last looked: that may be long ago."""
        self._next.setdefault(key, Probing(_time(), self._tempo))
        self._changed.set()

    def end(self, key: str) -> bool:
        """It works; False where nobody doubted it."""
        return self._next.pop(key, None) is not None

    def next_tries(self, now: datetime) -> dict[str, datetime]:
        """When each target or account that is out of order is tried next."""
        at = _time()
        return {
            key: now + timedelta(seconds=max(0.0, probing.next_at - at))
            for key, probing in self._next.items()
        }

    async def go_round(self, clock: Callable[[], datetime]) -> None:
        """Try what is due, then wait for the next."""
        self._changed.clear()
        at = _time()
        due = [key for key, probing in self._next.items() if probing.next_at <= at]
        for key in due:
            await self._try(key, clock())
        soonest = min((probing.next_at for probing in self._next.values()), default=None)
        with suppress(TimeoutError):
            async with asyncio.timeout(None if soonest is None else max(soonest - at, 0.05)):
                await self._changed.wait()

    async def _try(self, key: str, now: datetime) -> None:
        """Let the oldest delivery find out whether it works again."""
        if key not in {trouble.key for trouble in await self._store.records.troubles()}:
            self._next.pop(key, None)
            return
        if probing := self._next.get(key):
            probing.probed(_time())
        lanes = [
            lane
            for lane in await self._store.records.lanes()
            if key in (lane.target, lane.account) and (lane.parked or lane.pending)
        ]
        # In turn: what one lane's oldest delivery cannot prove, another's may.
        last = self._tried.get(key, "")
        for lane in sorted(lanes, key=lambda lane: (lane.target <= last, lane.target)):
            if lane.pending or await self._store.journal.probe(lane.target, now=now):
                self._tried[key] = lane.target
                self._wake([lane.target])
                return


def _time() -> float:
    return asyncio.get_running_loop().time()
