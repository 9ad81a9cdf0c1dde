"""The raw bytes of a webhook, within limits of size, time and memory.

Only bytes that came count, never those that a header announces: senders that promise megabytes
and send nothing take no room from others. Small bodies need no room at all, so a few large ones
cannot keep them out.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from aiohttp import web

LARGEST_BODY = 3 * 1024 * 1024
"""Bytes. Meta posts up to 3 MB, and a smaller limit turns into days of retries."""
SMALL_BODY = 64 * 1024
"""Bytes; what a body has beyond them must find room."""
ROOM = 48 * 1024 * 1024
"""Bytes of large bodies that are in hand at the same time, from the first byte to the answer."""
BODY_DEADLINE = 10.0
"""Seconds for the whole body; 360dialog itself waits 5."""
TRY_AGAIN = 5
"""Seconds that a 503 asks the sender to wait."""


class Hands:
    """How much of large bodies is held in memory."""

    def __init__(self, room: int = ROOM) -> None:
        self._left = room

    def hold(self) -> Held:
        """The share of one webhook; a context manager, which gives it back."""
        return Held(self)

    def take(self, count: int) -> bool:
        if count > self._left:
            return False
        self._left -= count
        return True

    def give_back(self, count: int) -> None:
        self._left += count


class Held:
    """What one webhook holds."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._taken = 0

    def __enter__(self) -> Held:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hands.give_back(self._taken)
        self._taken = 0

    def grow(self, size: int) -> bool:
        """The body has so many bytes now; False where there is no room for them."""
        more = max(0, size - SMALL_BODY) - self._taken
        if more <= 0:
            return True
        if not self._hands.take(more):
            return False
        self._taken += more
        return True


async def read_body(
    request: web.Request, held: Held, *, deadline: float = BODY_DEADLINE
) -> bytes | web.Response:
    """The raw bytes; or the refusal: 415, 413, 408, 400, or 503 where there is no room."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        return web.json_response({"error": "send the body without Content-Encoding"}, status=415)
    if (request.content_length or 0) > LARGEST_BODY:
        return _too_large()
    parts = bytearray()
    try:
        async with asyncio.timeout(deadline):
            async for chunk in request.content.iter_any():
                parts += chunk
                if len(parts) > LARGEST_BODY:
                    return _too_large()
                if not held.grow(len(parts)):
                    return _last(later("too much is being read at the moment"))
    except TimeoutError:
        answer = web.json_response({"error": "the body came too slowly"}, status=408)
        return _last(answer)
    except (web.RequestPayloadError, ConnectionError, ValueError):
        return _last(web.json_response({"error": "the body is broken"}, status=400))
    return bytes(parts)


def later(why: str) -> web.Response:
    """The answer that makes a sender repeat."""
    return web.json_response({"error": why}, status=503, headers={"Retry-After": str(TRY_AGAIN)})


def _too_large() -> web.Response:
    return _last(web.json_response({"error": f"at most {LARGEST_BODY} bytes"}, status=413))


def _last(answer: web.Response) -> web.Response:
    """The connection ends with it: the rest of the body is not wanted."""
    answer.force_close()
    return answer
