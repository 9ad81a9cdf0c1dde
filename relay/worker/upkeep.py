"""Retention while the relay serves: small steps, now and then, and never by a clock that jumped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from relay import logs
from relay.journal import Journal
from relay.journal.care import START, Mark, Pruned

EVERY = 3600.0
"""Seconds between two passes; the first one begins with the relay, and may take as long."""
PAUSE = 0.02
"""Seconds between two steps of a pass, in which the writer is the webhooks' alone."""
LARGEST_JUMP = timedelta(days=1)
"""The clock may gain so much between two passes; after more, one pass is left out."""


async def prune_all(
    journal: Journal, *, now: datetime, keep: timedelta | None, pause: float = PAUSE
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
