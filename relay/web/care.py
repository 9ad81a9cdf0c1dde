"""The part of the API that looks after the store: quarantine, and forgetting a number."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from aiohttp import web

from relay.events import from_iso
from relay.journal import Store
from relay.phones import normalise
from relay.shapes import forgotten_json, quarantined_json

ROWS = 100
_LARGEST_ID = 2**63 - 1


@dataclass(frozen=True, slots=True)
class CareApi:
    """What these routes work with."""

    store: Store
    clock: Callable[[], datetime]
    who: Callable[[web.Request], str]

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/quarantine", self._quarantine)
        app.router.add_post("/api/quarantine/{id}/look", self._look)
        app.router.add_post("/api/forget", self._forget)

    async def _quarantine(self, request: web.Request) -> web.Response:
        try:
            since = from_iso(request.query["since"]) if "since" in request.query else None
            limit = max(1, int(request.query.get("limit", ROWS)))
        except ValueError:
            return _no(400, "since is a time like 2026-11-23T09:00:00Z, limit a number")
        found = await self.store.records.quarantined(since, min(limit, _LARGEST_ID))
        return web.json_response({"quarantine": [quarantined_json(one) for one in found]})

    async def _look(self, request: web.Request) -> web.Response:
        """The body too; that somebody looked is recorded."""
        text = request.match_info["id"]
        item = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1
        who = self.who(request)
        found = await self.store.journal.look_at(item, now=self.clock(), who=who)
        if found is None:
            return _no(404, "nothing in quarantine has this id")
        return web.json_response(quarantined_json(found, body=True))

    async def _forget(self, request: web.Request) -> web.Response:
        try:
            asked = await request.json()
        except ValueError:
            asked = None
        phone = normalise(asked.get("phone")) if isinstance(asked, dict) else None
        if phone is None:
            return _no(400, "phone: write it with its country, like +49 171 3920011")
        discard = asked.get("discard", False)
        if set(asked) - {"phone", "discard"} or not isinstance(discard, bool):
            return _no(400, "say phone, and discard as true or false; nothing else")
        forgotten = await self.store.journal.forget(
            phone, now=self.clock(), who=self.who(request), discard=discard
        )
        return web.json_response(forgotten_json(forgotten))


def _no(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)
