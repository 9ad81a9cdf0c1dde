"""The HTTP session of a channel: guarded, capped, and honest about how far a request came.

No redirects, no proxy but the one that is given, no cookies, no address that is not public (unless
allowed, or found by the proxy), at most 64 KB of an answer. Imports aiohttp: import it when used.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any

import aiohttp
from aiohttp.connector import Connection
from yarl import URL

from relay.channels import Outbound
from relay.channels.addresses import is_public
from relay.channels.exchange import Answer, Exchange, PrivateAddressError

MOST_BYTES = 65_536
"""Of an answer; a longer one is cut."""
_IDLE = 3.0
"""Seconds that a connection is kept for the next message. Servers keep one for five or more, so
that none is closed by its target just when a request goes out: that would have to count as
perhaps posted."""

_sending: ContextVar[Exchange] = ContextVar("sending")
"""The request of this task."""


class _Request(aiohttp.ClientRequest):
    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        _sending.get().written = True
        return await super().send(conn)


async def post(
    session: aiohttp.ClientSession,
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    exchange: Exchange,
) -> None:
    """Post to a URL, which is taken to the letter; what came of it stands in `exchange`."""
    _sending.set(exchange)
    answer = await session.post(
        URL(url, encoded=True),
        data=body,
        headers=headers,
        allow_redirects=False,
        proxy=exchange.proxy,
    )
    said, whole = b"", False
    try:
        while len(said) <= MOST_BYTES and (piece := await answer.content.readany()):
            said += piece
        whole = len(said) <= MOST_BYTES
    finally:
        exchange.answer = Answer(answer.status, answer.headers, said[:MOST_BYTES], whole)
        if not whole:
            answer.close()


async def get(session: aiohttp.ClientSession, url: str, proxy: str | None) -> int:
    """The status that a URL answers with; nothing else of the answer is read."""
    _sending.set(Exchange(proxy))
    async with session.get(URL(url, encoded=True), allow_redirects=False, proxy=proxy) as answer:
        return answer.status


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
        # The total of a send is kept by its caller, over everything it does.
        timeout=aiohttp.ClientTimeout(total=None),
        trust_env=False,
        request_class=_Request,
    )


def _open_socket(info: tuple[Any, ...]) -> socket.socket:
    return socket.socket(family=info[0], type=info[1], proto=info[2])


def _guarded_socket(info: tuple[Any, ...]) -> socket.socket:
    address = str(info[4][0])
    # An address that is connected to on the way by a proxy is the proxy's own.
    if _sending.get().proxy is None and not is_public(address):
        raise PrivateAddressError(address)
    return _open_socket(info)
