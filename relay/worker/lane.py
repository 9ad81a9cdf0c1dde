"""What one lane is, and what lanes of one account share; `lanes` drives them."""

from __future__ import annotations

import asyncio

from relay.channels import NO_PACE, Pace
from relay.journal import Claimed
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


class Account(Paced):
    """What the lanes of one account share."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name
        self.trying: Lane | None = None
        """While it backs off, the one lane that finds out for all."""
        self.tried: Lane | None = None
        """The lane that did so last."""
        self.waiting: set[Lane] = set()
        """The lanes that wait for what it finds."""


class Lane(Paced):
    """The ordered queue of one target, with its one driver."""

    def __init__(self, target: str, account: Account) -> None:
        super().__init__()
        self.target = target
        self.account = account
        self.has_work = True
        """There may be something on disk that is due."""
        self.is_promised = False
        """A claim may be on its way to it, so nobody else may ask for one."""
        self.handed: Claimed | None = None
        self.holds: Claimed | None = None
        self.is_sending = False
        self.driver: asyncio.Task[None] | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.catching_up = 0
        """Turns that go by age alone: after an outage what was tried in vain comes first."""
