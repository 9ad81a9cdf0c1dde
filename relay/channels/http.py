"""The HTTP session of a channel: guarded, capped, and honest about how far a request came.

No redirects, no proxy from the environment, no cookies, no address that is not public (unless
allowed), at most 64 KB of an answer. Whoever makes a request in it, a client library too, leaves
what came of it in the `Exchange` of the running send. Imports aiohttp: import it when it is used.
"""

from __future__ import annotations

import socket
import ssl
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.connector import Connection

from relay.channels import Outbound
from relay.channels.addresses import is_public
from relay.channels.exchange import Answer, Exchange, PrivateAddressError, as_json

MOST_BYTES = 65_536
"""Of an answer; a longer one is cut."""
_IDLE = 3.0
"""Seconds that a connection is kept for the next message. Servers keep one for five or more, so
that none is closed by its target just when a request goes out: that would have to count as
perhaps posted."""

running: ContextVar[Exchange] = ContextVar("running")
"""Of the send under way in this task."""


class _Request(aiohttp.ClientRequest):
    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        running.get().written = True
        return await super().send(conn)


class _Response(aiohttp.ClientResponse):
    """Keeps what was answered in the running exchange, whatever a client library makes of it."""

    async def start(self, connection: Connection) -> aiohttp.ClientResponse:
        await super().start(connection)
        if 300 <= self.status < 400:
            self._keep(b"", whole=True)
            raise aiohttp.ClientConnectionError("redirects are not followed")
        return self

    async def read(self) -> bytes:
        if self._body is None:
            body, whole = b"", False
            try:
                while len(body) <= MOST_BYTES and (piece := await self.content.readany()):
                    body += piece
                whole = len(body) <= MOST_BYTES
            finally:
                self._keep(body[:MOST_BYTES], whole=whole)
                self._body = body[:MOST_BYTES]
                if not whole:
                    self.close()
        return self._body

    def _keep(self, body: bytes, *, whole: bool) -> None:
        running.get().answer = Answer(self.status, self.headers, body, whole)


def open_session(outbound: Outbound) -> aiohttp.ClientSession:
    """A session of one channel; must be called inside a running loop."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            ssl=ssl.create_default_context(),
            keepalive_timeout=_IDLE,
            limit=0,
            socket_factory=_open_socket if outbound.allow_private else _guarded_socket,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        json_serialize=as_json,
        # The total of a send is kept by its caller, over everything it does.
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
        request_class=_Request,
        response_class=_Response,
    )


def _open_socket(info: tuple[Any, ...]) -> socket.socket:
    return socket.socket(family=info[0], type=info[1], proto=info[2])


def _guarded_socket(info: tuple[Any, ...]) -> socket.socket:
    address = str(info[4][0])
    if not is_public(address):
        raise PrivateAddressError(address)
    return _open_socket(info)
