"""Two servers to measure against, each a light process of its own.

`slack PORT [SECONDS]` is a fake Slack that answers every post after so many seconds and remembers
when each event's word (`ev0000123`) arrived; `bare PORT` an aiohttp handler that parses JSON and
answers 200, the least that any intake does.
"""

from __future__ import annotations

import asyncio
import gc
import json
import re
import sys
import time

WORD = re.compile(rb"ev\d{7}")
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_OK = b'{"ok":true,"channel":"C01234567","ts":"1700000000.000100","message":{}}'


class Slack(asyncio.Protocol):
    """Answers `ok` to posts; `GET /seen` tells what came and when, `GET /count` how much."""

    seen: list[tuple[str, float]] = []  # noqa: RUF012  one for all connections
    delay = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            head = self._buffer[:end]
            length = _LENGTH.search(head)
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            body, self._buffer = self._buffer[end + 4 : whole], self._buffer[whole:]
            self._take(head, body)

    def _take(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"GET /seen"):
            self._answer(json.dumps(self.seen).encode())
        elif head.startswith(b"GET"):
            self._answer(str(len(self.seen)).encode())
        else:
            word = WORD.search(body)
            self.seen.append((word[0].decode() if word else "", time.monotonic()))
            if self.delay:
                asyncio.get_running_loop().call_later(self.delay, self._answer, _OK)
            else:
                self._answer(_OK)

    def _answer(self, body: bytes) -> None:
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        self._transport.write(head % len(body) + body)


async def slack(port: int, delay: float) -> None:
    Slack.delay = delay
    gc.disable()
    server = await asyncio.get_running_loop().create_server(Slack, "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


async def bare(port: int) -> None:
    from aiohttp import web

    async def take(request: web.Request) -> web.Response:
        json.loads(await request.read())
        return web.json_response({"accepted": 1})

    app = web.Application()
    app.router.add_post("/webhooks/360dialog", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


if __name__ == "__main__":
    what, port, *rest = sys.argv[1:]
    asyncio.run(bare(int(port)) if what == "bare" else slack(int(port), float(rest[0])))
