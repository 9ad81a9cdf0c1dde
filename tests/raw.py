"""A sender that writes bytes as it likes: halves, drips, nonsense."""

from __future__ import annotations

import asyncio
from types import TracebackType

from relay.settings import Address
from tests.needs import PATIENCE


class Raw:
    """One connection to a server."""

    def __init__(self, address: Address) -> None:
        self._address = address
        self.reader: asyncio.StreamReader
        self.writer: asyncio.StreamWriter

    async def __aenter__(self) -> Raw:
        self.reader, self.writer = await asyncio.open_connection(
            self._address.host, self._address.port
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.writer.transport.abort()

    async def say(self, data: bytes | str) -> Raw:
        self.writer.write(data.encode() if isinstance(data, str) else data)
        await self.writer.drain()
        return self

    async def status(self) -> int:
        """The status of the next answer; 0 where the connection ends without one."""
        async with asyncio.timeout(PATIENCE):
            try:
                line = await self.reader.readline()
            except ConnectionError:
                return 0
        return int(line.split()[1]) if line else 0

    async def rest(self) -> bytes:
        """All that comes until the server closes."""
        async with asyncio.timeout(PATIENCE):
            try:
                return await self.reader.read()
            except ConnectionError:
                return b""

    @property
    def is_open(self) -> bool:
        return not self.reader.at_eof() and self.reader.exception() is None


def head(
    method: str = "POST",
    path: str = "/webhooks/360dialog",
    length: int | None = None,
    more: str = "",
) -> str:
    """A request's head, its blank line included; `more` is whole header lines."""
    sized = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: relay\r\n{sized}{more}\r\n"
