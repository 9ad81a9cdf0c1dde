"""The JSON API under `/api/`: what came, what became of it, and putting things right.

Behind `RELAY_ADMIN_TOKEN` over the network; the Unix socket beside the journal needs no token,
because its mode lets in its owner alone.
"""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from relay.errors import JournalError
from relay.events import from_iso
from relay.journal import Filter, Store
from relay.phones import normalise
from relay.reload import Loaded
from relay.shapes import delivery_json, event_json
from relay.web.care import CareApi
from relay.web.directory import DirectoryApi

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass(frozen=True, slots=True)
class Admin:
    """What the API works with."""

    store: Store
    clock: Callable[[], datetime]
    status: Callable[[], Awaitable[Mapping[str, Any]]]
    changed: Callable[[], None]
    """Somebody put deliveries back: look at the lanes now."""
    reload: Callable[[], Awaitable[Loaded]]

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/status", self._status)
        app.router.add_post("/api/reload", self._reload)
        app.router.add_get("/api/events", self._events)
        app.router.add_get("/api/events/{id}", self._event)
        app.router.add_get("/api/deliveries", self._deliveries)
        app.router.add_post("/api/deliveries/{id}/retry", self._retry_one)
        app.router.add_post("/api/deliveries/retry", self._retry_many)
        app.router.add_post("/api/deliveries/discard", self._discard_many)
        CareApi(self.store, self.clock, _who).add_routes(app)
        DirectoryApi(self.store, self.clock, _who).add_routes(app)

    async def _status(self, _request: web.Request) -> web.Response:
        return web.json_response(await self.status())

    async def _reload(self, _request: web.Request) -> web.Response:
        """Read rules, lists and templates now; 422 with every finding if they are refused."""
        loaded = await self.reload()
        findings = loaded.faults if loaded.error else loaded.warnings
        return web.json_response(
            {
                "ok": loaded.error is None,
                "version": loaded.plan.version,
                "error": loaded.error,
                "findings": [str(finding) for finding in findings],
            },
            status=200 if loaded.error is None else 422,
        )

    async def _events(self, request: web.Request) -> web.Response:
        found = await self.store.records.events(_filter(request.query))
        return web.json_response({"events": [event_json(stored) for stored in found]})

    async def _event(self, request: web.Request) -> web.Response:
        stored = await self.store.records.event(request.match_info["id"])
        if stored is None:
            return _no(404, "no event has this id")
        owed = await self.store.records.of_event(stored.event.id)
        return web.json_response(
            {**event_json(stored), "deliveries": [delivery_json(one) for one in owed]}
        )

    async def _deliveries(self, request: web.Request) -> web.Response:
        found = await self.store.records.deliveries(_filter(request.query))
        return web.json_response({"deliveries": [delivery_json(stored) for stored in found]})

    async def _retry_one(self, request: web.Request) -> web.Response:
        return await self._retry(request, Filter(ids=(request.match_info["id"],)), one=True)

    async def _retry_many(self, request: web.Request) -> web.Response:
        return await self._retry(request, await _wanted(request), one=False)

    async def _retry(self, request: web.Request, wanted: Filter, *, one: bool) -> web.Response:
        count = await self.store.journal.retry(wanted, now=self.clock(), who=_who(request))
        if count:
            self.changed()
        elif one:
            if not await self.store.records.deliveries(wanted):
                return _no(404, "no delivery has this id")
            return _no(409, "only dead or parked deliveries can be retried")
        return web.json_response({"retried": count})

    async def _discard_many(self, request: web.Request) -> web.Response:
        wanted = await _wanted(request)
        count = await self.store.journal.discard(wanted, now=self.clock(), who=_who(request))
        return web.json_response({"discarded": count})


def guard(token: str) -> Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]:
    """The middleware that lets only the admin token through to `/api/`."""
    expected = token.encode()

    @web.middleware
    async def admit(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path.startswith("/api/"):
            given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
            scheme, _, value = given.partition(b" ")
            right = scheme.lower() == b"bearer" and hmac.compare_digest(value.strip(), expected)
            if not expected or not right:
                return _no(401, "this needs the admin token as a bearer")
        return await handler(request)

    return admit


@web.middleware
async def journal_faults(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A journal that cannot answer is a 503, not an internal error; a wrong filter is a 400."""
    try:
        return await handler(request)
    except JournalError as error:
        return _no(503, str(error))
    except WrongFilterError as error:
        return _no(400, str(error))


class WrongFilterError(ValueError):
    """A filter of a request that cannot be read."""


def _no(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)


def _who(request: web.Request) -> str:
    return "command" if request.transport is None or request.remote in (None, "") else "api"


async def _wanted(request: web.Request) -> Filter:
    """The filter in a request's JSON body; an empty one is refused, as it would mean all."""
    try:
        body = await request.json()
    except ValueError:
        raise WrongFilterError("the body must be JSON") from None
    if not isinstance(body, dict) or not body:
        raise WrongFilterError("say which deliveries: ids, or at least one condition")
    ids = body.pop("ids", None)
    texts = {str(key): str(value) for key, value in body.items() if value is not None}
    wanted = _filter({**texts, "limit": str(10**9)})
    if isinstance(ids, list):
        return Filter(ids=tuple(str(one) for one in ids), state=wanted.state, limit=wanted.limit)
    return wanted


_KEYS = ("state", "kind", "client", "destination")


def _filter(query: Mapping[str, str]) -> Filter:
    unknown = set(query) - {*_KEYS, "phone", "since", "limit"}
    if unknown:
        raise WrongFilterError(f"unknown condition: {', '.join(sorted(unknown))}")
    phone = query.get("phone")
    if phone is not None and (phone := normalise(phone)) is None:
        raise WrongFilterError("phone: write it with its country, like +49 171 3920011")
    try:
        since = from_iso(query["since"]) if "since" in query else None
        limit = int(query.get("limit", "100"))
    except ValueError:
        raise WrongFilterError(
            "since is a time like 2026-11-23T09:00:00Z, limit a number"
        ) from None
    return Filter(
        state=query.get("state"),
        kind=query.get("kind"),
        client=query.get("client"),
        destination=query.get("destination"),
        phone=phone,
        since=since,
        limit=max(1, limit),
    )
