"""A sender and an admin, for a relay in this process."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import io
import json
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

import aiohttp

from relay.app import App
from tests.needs import PATIENCE, growing


class Client:
    """Speaks HTTP to one relay."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.url = f"http://{app.addresses[0]}"
        self.session: aiohttp.ClientSession

    async def __aenter__(self) -> Client:
        self.session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.session.close()

    async def post(
        self,
        body: object,
        route: str = "/webhooks/360dialog",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Post bytes as they are, anything else as JSON; status and body of the answer."""
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(
            self.url + route, data=io.BytesIO(data), headers=headers
        ) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text

    async def get(self, path: str, headers: Mapping[str, str] | None = None) -> tuple[int, Any]:
        async with self.session.get(self.url + path, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else text

    async def api(self, path: str, method: str = "GET", body: object = None) -> tuple[int, Any]:
        """Ask the admin API with its token."""
        headers = {"Authorization": "Bearer admin"}
        async with self.session.request(
            method, self.url + path, headers=headers, json=body
        ) as answer:
            return answer.status, await answer.json()

    async def until(self, path: str, met: Callable[[Any], bool]) -> Any:
        """Ask the admin API until a condition holds, within the deadline."""
        pauses = growing()
        async with asyncio.timeout(PATIENCE):
            while not met(found := (await self.api(path))[1]):
                await asyncio.sleep(next(pauses))
        return found

    async def settled(self) -> list[dict[str, Any]]:
        """All deliveries, once every event is routed and nothing is under way."""

        def done(status: Any) -> bool:
            left = status["deliveries"].get("pending", 0) + status["deliveries"].get("claimed", 0)
            return status["events"]["unrouted"] == 0 and left == 0

        await self.until("/api/status", done)
        found: list[dict[str, Any]] = (await self.api("/api/deliveries?limit=10000"))[1][
            "deliveries"
        ]
        return found


def sign(body: bytes, secret: str) -> str:
    """The signature of a body, as 360dialog and Meta make it."""
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def partner(number: int = 1, **data: object) -> dict[str, Any]:
    """A Partner webhook with an id of its own."""
    return {
        "id": f"evt-{number}",
        "event": "channel_live",
        "data": {
            "id": "c1CH",
            "client": {"id": "c1CL", "name": "Musterladen"},
            "setup_info": {"phone_number": "491713920011"},
            **data,
        },
    }


def waba(field: str, value: object, *, entry: str = "1001", time: int = 1772445600) -> Any:
    """A WABA webhook with one change."""
    changes = [{"field": field, "value": value}]
    return {
        "object": "whatsapp_business_account",
        "entry": [{"id": entry, "time": time, "changes": changes}],
    }
