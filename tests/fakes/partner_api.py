"""360dialog's Partner API on loopback: pages of channels, and scripted bad answers."""

from __future__ import annotations

from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from relay.partner_api import Access

KEY = "key-of-the-tests"


class FakePartnerApi:
    """Gives `channels` page by page; `script` holds answers that come first."""

    def __init__(self) -> None:
        self.channels: list[dict[str, Any]] = []
        self.script: list[web.Response] = []
        self.largest_page = 100
        self.wrapping = "partner_channels"
        self.tells_total = True
        self.knows_offset = True
        self.asked: list[web.Request] = []
        self.webhook_url: str | None = None
        self.takes_url = True
        """Whether what is posted becomes what is registered."""
        self.knows_path = True
        """Whether `…/webhook_url` exists; else only the partner's own object."""
        app = web.Application()
        partner = "/api/v2/partners/{partner}"
        app.router.add_get(f"{partner}/webhook_url", self._read_url)
        app.router.add_post(f"{partner}/webhook_url", self._write_url)
        app.router.add_get(partner, self._read_url)
        app.router.add_patch(partner, self._write_url)
        app.router.add_get("/api/v2/partners/{partner}/channels", self._channels)
        self._server = TestServer(app)

    async def __aenter__(self) -> FakePartnerApi:
        await self._server.start_server(access_log=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def url(self) -> str:
        return str(self._server.make_url("")).rstrip("/")

    def access(self, **changes: str) -> Access:
        return Access(**{"partner_id": "dev01PA", "api_key": KEY, "base_url": self.url, **changes})

    def _refusal(self, request: web.Request) -> web.Response | None:
        self.asked.append(request)
        if self.script:
            return self.script.pop(0)
        if request.headers.get("X-API-Key") != KEY:
            return web.json_response({"meta": {"success": False}}, status=401)
        if request.match_info["partner"] != "dev01PA":
            return web.json_response({}, status=404)
        return None

    def _is_missing(self, request: web.Request) -> bool:
        return not self.knows_path and request.path.endswith("/webhook_url")

    async def _read_url(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if self._is_missing(request):
            return web.json_response({}, status=404)
        return web.json_response({"webhook_url": self.webhook_url})

    async def _write_url(self, request: web.Request) -> web.Response:
        body = await request.json()
        if (refusal := self._refusal(request)) is not None:
            return refusal
        if self._is_missing(request):
            return web.json_response({}, status=404)
        if self.takes_url:
            self.webhook_url = body["webhook_url"]
        return web.json_response({}, status=201)

    async def _channels(self, request: web.Request) -> web.Response:
        if (refusal := self._refusal(request)) is not None:
            return refusal
        offset = int(request.query.get("offset", "0")) if self.knows_offset else 0
        limit = min(int(request.query.get("limit", "20")), self.largest_page)
        page = self.channels[offset : offset + limit]
        if not self.wrapping:
            return web.json_response(page)
        body: dict[str, Any] = {"filters": [], "sort": ["id"], "count": len(page)}
        body[self.wrapping] = page
        if self.tells_total:
            body["total"] = len(self.channels)
        return web.json_response(body)
