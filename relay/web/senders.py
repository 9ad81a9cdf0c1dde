"""What a hostile sender may cost: a bound on open connections, on time and on memory.

No more than a bound, for the day when the relay stands in the open: who is let in, how often and
how slowly is a proxy's business (docs/guarantees.md says what it must do).
"""

from __future__ import annotations

import asyncio
import logging
import resource
from collections.abc import Awaitable, Callable
from typing import Any, cast

from aiohttp import web

from relay import logs
from relay.errors import JournalError
from relay.logs import Seldom

MOST_CONNECTIONS = 8_000
SPARE_FILES = 256
"""Files that stay free for the journal, the targets and the rest of the process."""
BACKLOG = 1024
"""Connections that may wait to be accepted: senders come in bursts."""
DEADLINE = 10.0
"""Seconds for a whole head, and for a whole body; 360dialog itself waits 5."""
HALF_CLOSED = 1.0
"""Seconds for what was read before the sender closed its side to reach its handler."""
KEEP_ALIVE = 75.0
"""Seconds that a connection may stay open between two requests, as common proxies expect."""
LINGER = 2.0
"""Seconds in which the rest of a refused body is thrown away, so that the answer is read."""
LARGEST_BODY = 3 * 1024 * 1024
"""Bytes. Meta posts up to 3 MB, and a smaller limit turns into days of retries."""
SMALL_BODY = 64 * 1024
"""Bytes; what a body has beyond them must find room."""
ROOM = 48 * 1024 * 1024
"""Bytes of large bodies that are in hand at the same time, from the first byte to the answer."""
TRY_AGAIN = 5
"""Seconds that a 503 asks the sender to wait."""

_TIMEOUT = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\n"
    b"Content-Length: 0\r\n\r\n"
)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Room:
    """Memory for large bodies. Only bytes that came count, never those that a header announces."""

    def __init__(self, left: int = ROOM) -> None:
        self.left = left

    def give_back(self, size: int) -> None:
        """A body of this size is answered."""
        self.left += max(0, size - SMALL_BODY)


async def read_body(
    request: web.Request, room: Room, *, deadline: float = DEADLINE
) -> bytes | web.Response:
    """The raw bytes, whose room the caller gives back; or the refusal: 415, 413, 408, 400, 503."""
    encoding = request.headers.get("Content-Encoding")
    if encoding is not None and encoding.strip().lower() not in ("", "identity"):
        return web.json_response({"error": "send the body without Content-Encoding"}, status=415)
    if (request.content_length or 0) > LARGEST_BODY:
        return _too_large()
    content = request.content
    if content.is_eof() and content.total_bytes <= SMALL_BODY and content.exception() is None:
        return content.read_nowait()
    parts = bytearray()
    refusal: web.Response
    try:
        async with asyncio.timeout(deadline):
            async for chunk in content.iter_any():
                before = max(SMALL_BODY, len(parts))
                parts += chunk
                room.left -= max(0, len(parts) - before)
                if len(parts) > LARGEST_BODY:
                    refusal = _too_large()
                    break
                if room.left < 0 and len(parts) > SMALL_BODY:
                    refusal = last(later("too much is being read at the moment"))
                    break
            else:
                return bytes(parts)
    except TimeoutError:
        refusal = last(web.json_response({"error": "the body came too slowly"}, status=408))
    except (web.RequestPayloadError, ConnectionError, ValueError):
        refusal = last(web.json_response({"error": "the body is broken"}, status=400))
    room.give_back(len(parts))
    return refusal


def later(why: str) -> web.Response:
    """The answer that makes a sender repeat."""
    return web.json_response({"error": why}, status=503, headers={"Retry-After": str(TRY_AGAIN)})


def last(answer: web.Response) -> web.Response:
    """The connection ends with it: the rest of the body is not wanted."""
    answer.force_close()
    return answer


def _too_large() -> web.Response:
    return last(web.json_response({"error": f"at most {LARGEST_BODY} bytes"}, status=413))


class Doors:
    """The connections of one address: a bounded number, each with a deadline for a head.

    aiohttp takes connections until no file is left, and waits for ever for the first head.
    """

    def __init__(self, *, most: int, deadline: float = DEADLINE) -> None:
        self.most = most
        self.deadline = deadline
        self.open: dict[asyncio.BaseProtocol, Door] = {}
        self.make: Callable[[], asyncio.Protocol]
        self._sweep: asyncio.TimerHandle | None = None

    def __call__(self) -> Door:
        """A door for a new connection, with aiohttp's handler behind it."""
        if self._sweep is None:
            self._sweep = asyncio.get_running_loop().call_later(self.deadline / 10, self.sweep)
        return Door(self, self.make())

    def sweep(self) -> None:
        """End what has waited too long for a head."""
        loop = asyncio.get_running_loop()
        before = loop.time() - self.deadline
        for door in [door for door in self.open.values() if door.since < before]:
            door.too_late()
        self._sweep = loop.call_later(self.deadline / 10, self.sweep) if self.open else None

    @property
    def middleware(self) -> Any:
        """Tells each door when its request begins and ends; every error is a small JSON body."""

        @web.middleware
        async def mind(request: web.Request, handler: Handler) -> web.StreamResponse:
            door = self.open.get(request.protocol)
            if door is None:
                return await _told(request, handler)
            door.since, door.request = IN_HAND, request
            if door.half_closed and not request.content.is_eof():
                door.transport.abort()  # The rest of its body will never come.
            try:
                answer = await _told(request, handler)
            finally:
                door.since, door.request = IDLE, None
            if door.half_closed:
                answer.force_close()
            return answer

        return mind


IN_HAND = IDLE = float("inf")


class Door(asyncio.Protocol):
    """Stands between one connection and aiohttp's handler of it."""

    __slots__ = (
        "behind",
        "doors",
        "half_closed",
        "heard",
        "refused",
        "request",
        "since",
        "transport",
    )

    def __init__(self, doors: Doors, behind: asyncio.Protocol) -> None:
        self.doors = doors
        self.behind = behind
        self.transport: asyncio.Transport
        self.since = asyncio.get_running_loop().time()
        """When it began to wait for the rest of a head; never, if it does not."""
        self.request: web.Request | None = None
        """The one that is being answered."""
        self.heard = self.half_closed = self.refused = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        if len(self.doors.open) >= self.doors.most:
            self.refused = True
            self.transport.write(_BUSY)
            self.transport.close()
            return
        self.doors.open[self.behind] = self
        self.behind.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        if self.refused:
            return
        self.heard = True
        if self.request is None and self.since == IDLE:
            self.since = asyncio.get_running_loop().time()
        self.behind.data_received(data)

    def eof_received(self) -> bool:
        """The sender closed its side: it may still be waiting for the answer."""
        if self.refused or not self.heard:
            return False
        if self.request is not None:
            self.half_closed = True
            return self.request.content.is_eof()
        if self.since == IDLE:
            return False
        self.half_closed = True
        self.since = asyncio.get_running_loop().time() - self.doors.deadline + HALF_CLOSED
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.refused:
            self.doors.open.pop(self.behind, None)
            self.behind.connection_lost(exc)

    def pause_writing(self) -> None:
        self.behind.pause_writing()

    def resume_writing(self) -> None:
        self.behind.resume_writing()

    def too_late(self) -> None:
        if self.heard and not self.half_closed:
            self.transport.write(_TIMEOUT)
        self.transport.close()


async def _told(request: web.Request, handler: Handler) -> web.StreamResponse:
    """The answer, or a small JSON body for whatever went wrong; the log gets no content."""
    try:
        return await handler(request)
    except web.HTTPException as answer:
        if answer.status < 400:
            raise
        return web.json_response(
            {"error": answer.reason.lower()},
            status=answer.status,
            headers={"Allow": answer.headers["Allow"]} if "Allow" in answer.headers else None,
        )
    except JournalError as error:
        return web.json_response({"error": str(error)}, status=503)
    except Exception as error:
        logs.error("unforeseen fault in a request", path=request.path, error=type(error).__name__)
        return web.json_response({"error": "internal error"}, status=500)


class Runner(web.AppRunner):
    """An aiohttp runner whose connections come through doors."""

    __slots__ = ("doors",)

    def __init__(self, doors: Doors, *, grace: float) -> None:
        self.doors = doors
        super().__init__(
            web.Application(middlewares=[doors.middleware], client_max_size=LARGEST_BODY),
            access_log=None,
            handle_signals=False,
            keepalive_timeout=KEEP_ALIVE,
            lingering_time=LINGER,
            auto_decompress=False,
            shutdown_timeout=grace,
            logger=_HttpLog("relay.http"),
        )

    @property
    def server(self) -> Any:
        """What sites call for a new connection; None before the setup."""
        inner = super().server
        if inner is None:
            return None
        self.doors.make = inner
        return self.doors


class _HttpLog(logging.Logger):
    """What aiohttp says of requests that it cannot read: seldom, and never their content.

    Its own lines come with a traceback that quotes the broken header, which may be a secret.
    """

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self._seldom = Seldom()

    def handle(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.WARNING:
            error = record.exc_info[1] if record.exc_info else None
            self._seldom(logs.warning, "request not readable", error=type(error).__name__)


def most_connections() -> int:
    """How many the process may have, which may open as many files as it is allowed to."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    infinite = resource.RLIM_INFINITY
    if soft != infinite:
        wanted = MOST_CONNECTIONS + SPARE_FILES
        soft = max(soft, wanted if hard == infinite else min(wanted, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return (
        MOST_CONNECTIONS if soft == infinite else max(16, min(MOST_CONNECTIONS, soft - SPARE_FILES))
    )
