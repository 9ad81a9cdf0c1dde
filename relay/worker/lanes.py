"""One lane for each target, one account for what lanes share: their pace, pauses and signals."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from relay.channels import NO_PACE, Pace
from relay.pace import Bucket, Health


class Paced:
    """A bucket that keeps its level while its pace stays the same."""

    def __init__(self) -> None:
        self._pace = NO_PACE
        self.bucket = Bucket(NO_PACE)
        self.health = Health()

    def adopt_pace(self, pace: Pace) -> None:
        if pace != self._pace:
            self._pace, self.bucket = pace, Bucket(pace)


class Lane(Paced):
    """The ordered queue of one target, with its one driver."""

    def __init__(self, target: str, account: str) -> None:
        super().__init__()
        self.target = target
        self.account = account
        self.work = asyncio.Event()
        self.work.set()
        self.hurry = asyncio.Event()
        self.turn: asyncio.Task[bool] | None = None
        self.catching_up = 0
        """Turns that go by age alone: after an outage what was tried in vain comes first."""


class Account(Paced):
    """What the lanes of one account share."""

    def __init__(self) -> None:
        super().__init__()
        self.free = asyncio.Event()
        """While it backs off, one lane at a time finds out for all; set when none is at it."""
        self.free.set()


async def signalled(signal: asyncio.Event, seconds: float | None) -> None:
    """Wait for a signal, at most so many seconds."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await signal.wait()
