"""A proxy on loopback that speaks CONNECT, and finds every host on this machine."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress


class FakeProxy:
    """Tunnels to 127.0.0.1, whatever the host; `status` other than 200 refuses."""

    def __init__(self, login: str = "") -> None:
        self.asked: list[str] = []
        """`host:port` of each CONNECT, or the URL of a plain request."""
        self.status = 200
        self.port = 0
        """Where the tunnels lead, if not to the port that was asked for."""
        self._login = b64encode(login.encode()).decode() if login else ""
        self.url = ""

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[FakeProxy]:
        server = await asyncio.start_server(self._serve, "127.0.0.1")
        self.url = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            method, target, _ = head.split("\r\n")[0].split(" ")
            self.asked.append(target)
            status = self.status
            if self._login and f"Proxy-Authorization: Basic {self._login}" not in head:
                status = 407
            if method == "CONNECT" and status == 200:
                port = self.port or int(target.rpartition(":")[2])
                there, back = await asyncio.open_connection("127.0.0.1", port)
                writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
                await asyncio.gather(_pump(reader, back), _pump(there, writer))
            else:
                writer.write(f"HTTP/1.1 {status} Whatever\r\nContent-Length: 0\r\n\r\n".encode())
        writer.close()


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while piece := await source.read(65_536):
            sink.write(piece)
            await sink.drain()
    sink.close()
