"""A line to a server that can be cut, refused, slow, or dead without anybody being told."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Self

_PIECE = 65_536


class Line:
    """A TCP proxy on loopback, good until told otherwise; use `async with`."""

    def __init__(self, port: int) -> None:
        self.port = 0
        """Where to connect instead of to the server."""
        self.delay = 0.0
        """Seconds that each piece of a client takes: about that much more for each statement."""
        self.opened = 0
        """Connections that were made over it."""
        self.target = port
        """The server's port, for connections to come."""
        self._server: asyncio.Server | None = None
        self._passes = asyncio.Event()
        self._passes.set()
        self._writers: list[asyncio.StreamWriter] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        await self.restore()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.refuse()
        self._passes.set()
        await asyncio.gather(*self._tasks)

    async def restore(self) -> None:
        """The line is good: connections are taken, and what waited goes on."""
        self.delay = 0.0
        self._passes.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._meet, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    def stall(self) -> None:
        """Nothing arrives any more in either direction, and nothing is closed."""
        self._passes.clear()

    def cut(self, count: int | None = None) -> None:
        """Reset connections, the oldest first; all unless a number is given."""
        for writer in self._writers[:count]:
            writer.transport.abort()

    async def refuse(self) -> None:
        """Reset all connections and take no new ones, as a server that is not there."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.cut()

    async def _meet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.append(writer)
        try:
            await self._passes.wait()
            far, out = await asyncio.open_connection("127.0.0.1", self.target)
            try:
                pumps = [
                    asyncio.create_task(self._pump(reader, out, waits=True)),
                    asyncio.create_task(self._pump(far, writer)),
                ]
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                for pump in pumps:
                    pump.cancel()
                await asyncio.gather(*pumps, return_exceptions=True)
            finally:
                out.transport.abort()
        except OSError:
            pass
        finally:
            writer.transport.abort()
            self._writers.remove(writer)
            self._tasks.discard(task)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, waits: bool = False
    ) -> None:
        with suppress(OSError):
            while piece := await reader.read(_PIECE):
                if waits and self.delay:
                    await asyncio.sleep(self.delay)
                await self._passes.wait()
                writer.write(piece)
                await writer.drain()
