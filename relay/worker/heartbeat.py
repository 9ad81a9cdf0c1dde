"""The heartbeat: a URL that is called while all is well, so that somebody else notices when not.

Nobody tells of a relay that is off but whoever misses its heartbeat.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from relay import logs
from relay.channels import Outbound, http
from relay.logs import Seldom

TIMEOUT = 10.0
"""Seconds for one call."""


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
            async with asyncio.timeout(TIMEOUT), http.open_session(self._outbound) as session:
                status = await http.get(session, url, self._outbound.proxies.of_url(url))
        except Exception as error:  # the URL is a secret: of a fault only its kind is said
            self._seldom(logs.warning, "heartbeat not taken", error=type(error).__name__)
            return
        if not 200 <= status < 300:
            self._seldom(logs.warning, "heartbeat not taken", status=status)
