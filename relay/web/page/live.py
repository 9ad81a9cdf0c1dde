"""Open pages hear that something changed, by server-sent events."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from aiohttp import web

from relay.errors import JournalError
from relay.web.page.sessions import COOKIE
from relay.web.page.shared import EVERY
from relay.web.page.visit import HEADERS, Visit

_QUIET = 15
"""Looks without news after which something is said all the same, so that no proxy hangs up."""


async def follow(visit: Visit) -> web.StreamResponse:
    """`GET /page/live`: an empty message at each change, until the session or the relay ends."""
    shared, loop = visit.admin.page, asyncio.get_running_loop()
    answer = web.StreamResponse(headers=HEADERS)
    answer.content_type = "text/event-stream"
    await answer.prepare(visit.request)
    known, quiet = await shared.pulse(loop.time), 0
    while not shared.closing.is_set() and await _holds(visit):
        with suppress(TimeoutError):
            async with asyncio.timeout(EVERY):
                await shared.closing.wait()
        try:
            now = await shared.pulse(loop.time)
        except JournalError:
            break
        quiet = 0 if now != known else quiet + 1
        try:
            if now != known:
                await answer.write(b"data: \n\n")
            elif quiet % _QUIET == 0:
                await answer.write(b": \n\n")
        except ConnectionError:
            break
        known = now
    return answer


async def _holds(visit: Visit) -> bool:
    """Whether the session has not been logged out meanwhile."""
    if visit.session is None:
        return True
    cookie = visit.request.cookies.get(COOKIE, "")
    return await visit.admin.page.sessions.known(cookie, visit.admin.clock()) is not None
