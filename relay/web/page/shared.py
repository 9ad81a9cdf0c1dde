"""What all visits of one relay share."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Callable
from typing import TYPE_CHECKING

from relay.web.drafts import Tries
from relay.web.page.sessions import Attempts, Sessions

if TYPE_CHECKING:
    from relay.web.api import Admin

EVERY = 2.0
"""Seconds between two looks for whoever has a page open."""


class Shared:
    """Sessions, attempts to log in, and the pulse of open pages."""

    def __init__(self, admin: Admin) -> None:
        self.sessions = Sessions(admin.store, admin.operators)
        self.attempts = Attempts()
        self.tries = Tries(admin.settings)
        self.drawings: dict[str, str] = {}
        """Previews of drafts, by a name that nobody guesses; the oldest goes first."""
        self.publishing = asyncio.Lock()
        self.closing = asyncio.Event()
        """The relay stops: open pages are let go."""
        self._admin = admin
        self._seen = ("", 0.0)
        self._asking = asyncio.Lock()

    async def pulse(self, clock: Callable[[], float]) -> str:
        """What is another text as soon as anything changed; asked once for all open pages."""
        async with self._asking:
            if clock() - self._seen[1] >= EVERY / 2:
                told = json.dumps(await self._admin.status(), sort_keys=True)
                self._seen = (hashlib.sha256(told.encode()).hexdigest(), clock())
            return self._seen[0]
