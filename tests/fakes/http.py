"""What the fakes of Slack and Teams share: an HTTP server with scripted answers."""

from __future__ import annotations

import asyncio
import json
import ssl
from abc import ABC, abstractmethod
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from aiohttp import web

from tests.needs import PATIENCE


@dataclass(frozen=True, slots=True)
class Reply:
    """One scripted answer.

    `drop`: "before" closes the connection without reading the post, "after" reads it and closes
    without an answer. `stall` reads and never answers. `drip` sends the body byte by byte with
    that many seconds between; `endless` sends so many bytes of it.
    """

    status: int = 200
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    drop: Literal["before", "after"] | None = None
    stall: bool = False
    drip: float = 0.0
    endless: int = 0


DROP_BEFORE = Reply(drop="before")
DROP_AFTER = Reply(drop="after")
STALL = Reply(stall=True)


@dataclass(frozen=True, slots=True)
class Post:
    """One post that was read whole."""

    path: str
    headers: Mapping[str, str]
    raw: bytes
    json: Any
    key: str
    """What it was for: the channel or the name of the webhook."""


class FakeHttp(ABC):
    """An HTTP server on loopback; use `async with` or `start` and `stop`."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.posts: list[Post] = []
        self.answers: list[tuple[Post, Reply]] = []
        """Each post with what became of it."""
        self.connections = 0
        """Requests that began, read or not."""
        self.peers: set[str] = set()
        """Where they came from: one for each connection."""
        self.bytes_sent = 0
        """Of endless answers."""
        self._tls = tls
        self._queues: defaultdict[str | None, deque[Reply]] = defaultdict(deque)
        self._always: dict[str | None, Reply] = {}
        self._changed = asyncio.Condition()
        self._stop = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.base = ""
        """`http://127.0.0.1:port`."""

    def behave(self, *replies: Reply, key: str | None = None) -> None:
        """Answer the next posts so, in order, then normally; with `key` those for it alone."""
        self._queues[key].extend(replies)

    def always(self, reply: Reply | None, key: str | None = None) -> None:
        """Answer every post so until told otherwise (None)."""
        if reply is None:
            self._always.pop(key, None)
        else:
            self._always[key] = reply

    async def wait_for(self, count: int, timeout: float = PATIENCE) -> list[Post]:  # noqa: ASYNC109
        """The posts, once there are so many."""
        async with asyncio.timeout(timeout), self._changed:
            await self._changed.wait_for(lambda: len(self.posts) >= count)
        return self.posts

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self, port: int = 0) -> None:
        """Listen; a port of 0 is a free one."""
        self._stop.clear()
        app = web.Application(client_max_size=10_000_000)
        app.router.add_route("*", "/{tail:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", port, ssl_context=self._tls)
        await site.start()
        found: tuple[str, int] = self._runner.addresses[0]
        host = "localhost" if self._tls else "127.0.0.1"
        self.base = f"{'https' if self._tls else 'http'}://{host}:{found[1]}"

    async def stop(self) -> None:
        """Stop listening and let all stalled answers go."""
        self._stop.set()
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    @abstractmethod
    def key_of(self, path: str, body: Any) -> str:
        """What a post is for."""

    @abstractmethod
    def usual(self, post: Post) -> Reply:
        """The answer when nothing is scripted."""

    def _next(self, key: str, usual: Callable[[], Reply]) -> Reply:
        for place in (key, None):
            if self._queues[place]:
                return self._queues[place].popleft()
        for place in (key, None):
            if place in self._always:
                return self._always[place]
        return usual()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.connections += 1
        if request.transport is not None:
            self.peers.add(str(request.transport.get_extra_info("peername")))
        blind = self._queues[None] or [self._always.get(None, Reply())]
        if blind[0].drop == "before":
            self._next("", Reply)
            return self._hang_up(request)
        raw = await request.read()
        try:
            body = json.loads(raw)
        except ValueError:
            body = None
        key = self.key_of(request.path, body)
        post = Post(request.raw_path, dict(request.headers), raw, body, key)
        self.posts.append(post)
        async with self._changed:
            self._changed.notify_all()
        reply = self._next(key, lambda: self.usual(post))
        self.answers.append((post, reply))
        if reply.drop:
            return self._hang_up(request)
        if reply.stall:
            await self._stop.wait()
            return self._hang_up(request)
        return await self._write(request, reply)

    async def _write(self, request: web.Request, reply: Reply) -> web.StreamResponse:
        body = reply.body.encode() if isinstance(reply.body, str) else reply.body
        headers = {"Content-Type": reply.content_type, **reply.headers}
        if not reply.drip and not reply.endless:
            return web.Response(status=reply.status, body=body, headers=headers)
        response = web.StreamResponse(status=reply.status, headers=headers)
        await response.prepare(request)
        try:
            for _ in range(0, reply.endless, 8_192):
                await response.write((body or b"x") * (8_192 // max(1, len(body))))
                self.bytes_sent += 8_192
            for byte in body if reply.drip else b"":
                await response.write(bytes([byte]))
                if await self._stopped_within(reply.drip):
                    break
        except ConnectionError:
            pass
        return response

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stop.wait()
        except TimeoutError:
            return False

    def _hang_up(self, request: web.Request) -> web.Response:
        if request.transport is not None:
            request.transport.abort()
        return web.Response()
