"""The watch of numbers: asks 360dialog for its list, again and again, and records what changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from relay import logs, notices
from relay.alarms import Alarms
from relay.errors import PartnerApiError, UsageError
from relay.events import Event
from relay.events.properties import Property
from relay.journal import Store
from relay.metrics import Metrics
from relay.partner_api import Access, connect
from relay.pipeline import Plan
from relay.sources.watch import Changes, Seen

FAILURES_BEFORE_ALARM = 3
"""Looks that fail in a row until somebody is told."""
USUAL_PERIOD = timedelta(minutes=15)
"""For a look that somebody asks for while the rules ask for none."""
COMPARED_EVERY = 3600.0
"""Seconds between two looks at the webhook URL that 360dialog has."""
LONGEST_LOOK = 60.0
"""Seconds for one page, unless the period is shorter."""


async def ask(access: Access, period: timedelta) -> Sequence[Seen]:
    """All numbers as 360dialog has them now; each page is asked for once.

    Raises `PartnerApiError` where any page does not come whole.
    """
    patience = min(LONGEST_LOOK, max(1.0, period.total_seconds()))
    async with connect(access, patience=patience, tries=1) as api:
        return await api.look()


class Numbers:
    """Looks once in each period of the live rules."""

    def __init__(
        self,
        store: Store,
        told: Alarms,
        metrics: Metrics,
        *,
        env: Mapping[str, str],
        allow_private: bool,
        public_url: str | None,
        plan: Callable[[], Plan],
        clock: Callable[[], datetime],
        on_events: Callable[[Sequence[Event]], None],
    ) -> None:
        self._store = store
        self._told = told
        self._metrics = metrics
        self._env = env
        self._allow_private = allow_private
        self._public_url = public_url
        self._plan = plan
        self._clock = clock
        self._on_events = on_events
        self._looking = asyncio.Lock()
        self._looked_at: float | None = None
        """By the loop's clock."""
        self.changed = asyncio.Event()
        """The rules may want another period."""

    async def go_round(self) -> None:
        """Wait until a look is due, and take it."""
        period = self._plan().watching.quality
        wait = None if period is None else self._due_in(period)
        if wait is None or wait > 0:
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self.changed.wait()
            self.changed.clear()
            return
        try:
            await self.look()
        except (PartnerApiError, UsageError) as error:
            logs.warning("the watch could not look", reason=str(error))

    async def compare(self) -> None:
        """Hold the webhook URL that is registered at 360dialog against this relay's own."""
        own, plan = self._public_url, self._plan()
        if own is None or plan.watching.quality is None:
            return
        try:
            access = Access.of(self._env, allow_private=self._allow_private)
            async with connect(access, patience=LONGEST_LOOK, tries=1) as api:
                registered = await api.webhook_url()
        except (PartnerApiError, UsageError) as error:
            logs.warning("the registered webhook URL cannot be read", reason=str(error))
            return
        notice = notices.registered_elsewhere(registered, own)
        if _place(registered or "") == _place(own):
            await self._told.end(notice, plan)
        else:
            await self._told.begin(notice, plan)

    def _due_in(self, period: timedelta) -> float:
        """Seconds until the next look; after a start there is one at once."""
        if self._looked_at is None:
            return 0.0
        since = asyncio.get_running_loop().time() - self._looked_at
        return period.total_seconds() - since

    async def look(self) -> Changes:
        """Look now; what was recorded. Raises `UsageError`, `PartnerApiError`."""
        async with self._looking:
            self._looked_at = asyncio.get_running_loop().time()
            return await self._look(self._plan())

    async def _look(self, plan: Plan) -> Changes:
        period = plan.watching.quality or USUAL_PERIOD
        try:
            access = Access.of(self._env, allow_private=self._allow_private)
        except UsageError as error:
            await self._told.begin(notices.watch_unset(str(error)), plan)
            raise
        await self._told.end(notices.watch_unset(""), plan)
        try:
            seen = await ask(access, period)
        except PartnerApiError as error:
            failed = await self._store.journal.watch_failed(str(error))
            self._metrics.watch_failures.inc()
            if failed >= FAILURES_BEFORE_ALARM:
                await self._told.begin(notices.watch_failed(failed, str(error)), plan)
            raise
        now = self._clock()
        changes = await self._store.journal.watch(seen, now=now, period=period)
        self._metrics.watch_success.set(now.timestamp())
        self._metrics.watched_numbers.set(len(seen))
        self._on_events(changes.events)
        await self._told.end(notices.watch_failed(0, ""), plan)
        if any(Property.QUALITY in one.values for one in seen):
            await self._told.end(notices.no_ratings(len(seen)), plan)
        elif seen:
            await self._told.begin(notices.no_ratings(len(seen)), plan)
        logs.info("watch", numbers=len(seen), changes=len(changes.events))
        return changes


def _place(url: str) -> tuple[str | None, str]:
    """Host and path of a URL, as far as they say where it leads."""
    parts = urlsplit(url)
    return parts.hostname, parts.path.rstrip("/")
