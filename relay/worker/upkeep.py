"""Retention while the relay serves: small steps, now and then, and never by a clock that jumped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from relay.errors import JournalError
from relay.journal import Journal
from relay.journal.care import START, Mark, Pruned

EVERY = 3600.0
"""Seconds between two passes; the first one begins with the relay."""
PAUSE = 0.02
"""Seconds between two steps of a pass, in which the writer is the webhooks' alone."""
LARGEST_JUMP = timedelta(days=1)
"""The clock may gain so much between two passes; after more, one pass is left out."""

log = structlog.get_logger("relay.worker.upkeep")


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


async def run(
    journal: Journal,
    *,
    keep: timedelta | None,
    clock: Callable[[], datetime],
    every: float = EVERY,
) -> None:
    """Pass after pass until cancelled; `every` is the seconds between them."""
    seen: tuple[datetime, float] | None = None
    while True:
        now, at = clock(), time.monotonic()
        if seen is not None and now - seen[0] > timedelta(seconds=at - seen[1]) + LARGEST_JUMP:
            log.warning("the clock jumped: nothing is removed by it yet", now=now.isoformat())
        else:
            await _pass(journal, now, keep)
        seen = now, at
        await asyncio.sleep(every)


async def _pass(journal: Journal, now: datetime, keep: timedelta | None) -> None:
    try:
        done = await prune_all(journal, now=now, keep=keep)
    except JournalError as error:
        log.error("retention", error=str(error))
        return
    if done != Pruned(None):
        log.info(
            "retention",
            events=done.events,
            deliveries=done.deliveries,
            attempts=done.attempts,
            keys=done.keys,
            bodies=done.bodies,
            quarantined=done.quarantined,
            pages=done.pages,
        )
