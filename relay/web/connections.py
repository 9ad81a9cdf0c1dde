"""Who may hold a connection to the relay, and for how long.

aiohttp waits for ever for a request's head, and takes connections until no file is left. So a
`Door` stands before each connection: it has ten seconds for a whole head and closes what stays
idle; when all places are taken, whoever has waited longest makes room, so that ten thousand idle
connections do not keep out a real sender. The deadline of the body is kept by who reads it.
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web
from aiohttp.typedefs import Middleware

from relay import logs
from relay.logs import Seldom

HEAD_DEADLINE = 10.0
"""Seconds for a whole request head, from the opening or from its first byte."""
KEEP_ALIVE = 75.0
"""Seconds that a connection may stay open between two requests, as common proxies expect."""
LINGER = 2.0
"""Seconds in which the rest of a refused body is thrown away, so that the answer is read."""
HALF_CLOSED = 1.0
"""Seconds for what was read before the sender closed its side to reach its handler."""
BACKLOG = 1024
"""Connections that may wait to be accepted: senders come in bursts."""
MOST_CONNECTIONS = 8_000
SPARE_FILES = 256
"""Files that stay free for the journal, the targets and the rest of the process."""

_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Doors:
    """The connections of one address."""

    def __init__(
        self,
        *,
        most: int = MOST_CONNECTIONS,
        head_deadline: float = HEAD_DEADLINE,
        keep_alive: float = KEEP_ALIVE,
    ) -> None:
        self.most = most
        self.head_deadline = head_deadline
        self.keep_alive = keep_alive
        self._open: dict[asyncio.BaseProtocol, Door] = {}
        self._waiting: dict[Door, None] = {}
        """Those without a request under way, the longest waiting first."""
        self._make: Callable[[], asyncio.Protocol] | None = None

    def __len__(self) -> int:
        return len(self._open)

    @property
    def idle(self) -> int:
        """How many have no request under way."""
        return len(self._waiting)

    def __call__(self) -> Door:
        """A door for a new connection, with aiohttp's handler behind it."""
        if self._make is None:
            raise RuntimeError("these doors lead nowhere yet")
        return Door(self, self._make())

    def lead_to(self, make: Callable[[], asyncio.Protocol]) -> None:
        """What stands behind each door."""
        self._make = make

    def let_in(self, door: Door) -> bool:
        """Whether there is a place; the longest waiting connection makes one if it must."""
        if len(self._open) >= self.most:
            longest = next(iter(self._waiting), None)
            if longest is None:
                return False
            longest.cut()
        self._open[door.behind] = door
        self._waiting[door] = None
        return True

    def waits(self, door: Door) -> None:
        """Its request is answered."""
        if door.behind in self._open:
            self._waiting[door] = None

    def works(self, door: Door) -> None:
        """Its request has begun."""
        self._waiting.pop(door, None)

    def forget(self, door: Door) -> None:
        """It is closed, or about to be."""
        self._waiting.pop(door, None)
        self._open.pop(door.behind, None)

    @property
    def middleware(self) -> Middleware:
        """Tells each door when its request begins and ends; must be the first one."""

        @web.middleware
        async def mind(request: web.Request, handler: Handler) -> web.StreamResponse:
            door = self._open.get(request.protocol)
            if door is None:
                return await handler(request)
            door.begins(request)
            try:
                answer = await handler(request)
                if door.half_closed:
                    answer.force_close()
                return answer
            finally:
                door.ends()

        return mind


class Door(asyncio.Protocol):
    """Stands between one connection and aiohttp's handler of it."""

    def __init__(self, doors: Doors, behind: asyncio.Protocol) -> None:
        self.behind = behind
        self.half_closed = False
        """The sender has closed its side and still waits for its answer."""
        self._doors = doors
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._request: web.Request | None = None
        self._between = False
        """Between two requests, with no byte of the next one."""
        self._heard = False
        self._refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        if not self._doors.let_in(self):
            self._refused = True
            self._transport.write(_BUSY)
            self._transport.close()
            return
        self.behind.connection_made(transport)
        self._allow(self._doors.head_deadline)

    def data_received(self, data: bytes) -> None:
        if self._refused:
            return
        self._heard = True
        if self._between:
            self._between = False
            self._allow(self._doors.head_deadline)
        self.behind.data_received(data)

    def eof_received(self) -> bool:
        """The sender closed its side: it may still be waiting for the answer."""
        if self._refused or self._between or not self._heard:
            return False
        self.half_closed = True
        if self._request is None:
            self._allow(HALF_CLOSED)
            return True
        return self._request.content.is_eof()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._doors.forget(self)
        if not self._refused:
            self.behind.connection_lost(exc)

    def pause_writing(self) -> None:
        self.behind.pause_writing()

    def resume_writing(self) -> None:
        self.behind.resume_writing()

    def begins(self, request: web.Request) -> None:
        """A whole head came, and its request is being answered."""
        self._request = request
        self._between = False
        self._doors.works(self)
        if self._timer is not None:
            self._timer.cancel()
        if self.half_closed and not request.content.is_eof():
            self.cut()  # the rest of its body will never come

    def ends(self) -> None:
        """The request is answered."""
        self._request = None
        self._between = True
        self._heard = False
        self._doors.waits(self)
        self._allow(self._doors.keep_alive)

    def cut(self) -> None:
        """End the connection at once."""
        self._doors.forget(self)
        if self._transport is not None:
            self._transport.abort()

    def _allow(self, seconds: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = asyncio.get_running_loop().call_later(seconds, self._too_late)

    def _too_late(self) -> None:
        if self._transport is None or self._request is not None:
            return
        if self._between or not self._heard or self.half_closed:
            self.cut()
            return
        self._doors.forget(self)
        self._transport.write(_TIMEOUT)
        self._transport.close()


class GuardedRunner(web.AppRunner):
    """An aiohttp runner whose connections come through doors."""

    __slots__ = ("_doors",)

    def __init__(self, app: web.Application, doors: Doors, *, shutdown_timeout: float) -> None:
        super().__init__(
            app,
            access_log=None,
            handle_signals=False,
            keepalive_timeout=doors.keep_alive,
            lingering_time=LINGER,
            auto_decompress=False,
            shutdown_timeout=shutdown_timeout,
            logger=_HttpLog("relay.http"),
        )
        self._doors = doors

    @property
    def server(self) -> Any:
        """What sites call for a new connection; None before the setup."""
        inner = super().server
        if inner is None:
            return None
        self._doors.lead_to(inner)
        return self._doors


class _HttpLog(logging.Logger):
    """What aiohttp says of requests that it cannot read: seldom, and never their content.

    Its own lines come with a traceback that quotes the broken header, which may be a secret.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._seldom = Seldom()

    def handle(self, record: logging.LogRecord) -> None:
        if record.levelno < logging.WARNING:
            return
        error = record.exc_info[1] if record.exc_info else None
        self._seldom(logs.warning, "request not readable", error=type(error).__name__)


def make_room() -> int:
    """Let the process open as many files as it may; how many connections that allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MOST_CONNECTIONS + SPARE_FILES
    ceiling = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < ceiling:
        resource.setrlimit(resource.RLIMIT_NOFILE, (ceiling, hard))
        soft = ceiling
    if soft == resource.RLIM_INFINITY:
        return MOST_CONNECTIONS
    return max(16, min(MOST_CONNECTIONS, soft - SPARE_FILES))
