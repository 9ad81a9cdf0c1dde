"""The part of the API that knows who is who: searching the directory, and filling it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from aiohttp import web

from relay.directory import Contact
from relay.directory.table import IMPORTED, SYNCED
from relay.journal import Store
from relay.phones import normalise

ROWS = 100
MOST_CONTACTS = 2_000
"""In one request: webhooks are recorded between two of them."""
_LARGEST = 2**63 - 1
_TEXTS = tuple(field.name for field in fields(Contact) if field.name != "ended")


@dataclass(frozen=True, slots=True)
class DirectoryApi:
    """What these routes work with."""

    store: Store
    clock: Callable[[], datetime]
    who: Callable[[web.Request], str]

    def add_routes(self, app: web.Application) -> None:
        app.router.add_get("/api/directory", self._entries)
        app.router.add_post("/api/directory", self._learn)

    async def _entries(self, request: web.Request) -> web.Response:
        try:
            limit = max(1, min(int(request.query.get("limit", ROWS)), _LARGEST))
        except ValueError:
            return _no("limit is a number")
        search = request.query.get("search", "").strip() or None
        found = await self.store.records.directory(search, limit)
        return web.json_response({"entries": [entry.to_json() for entry in found]})

    async def _learn(self, request: web.Request) -> web.Response:
        try:
            body = await request.json()
            contacts, kind = _given(body)
        except ValueError as error:
            return _no(str(error))
        changed = await self.store.journal.learn(
            contacts, kind, now=self.clock(), who=self.who(request)
        )
        return web.json_response({"contacts": len(contacts), "changed": changed})


def shape_of(contact: Contact) -> dict[str, Any]:
    """A contact as `POST /api/directory` takes it."""
    shape = {name: value for name in _TEXTS if (value := getattr(contact, name))}
    return {**shape, "ended": True} if contact.ended else shape


def _given(body: Any) -> tuple[list[Contact], str]:
    """What a request teaches. Raises ValueError with what is wrong."""
    shapes = body.get("contacts") if isinstance(body, dict) else None
    if not isinstance(shapes, list) or len(shapes) > MOST_CONTACTS:
        raise ValueError(f'the body must be JSON with "contacts", at most {MOST_CONTACTS} of them')
    kind = body.get("kind", IMPORTED)
    if kind not in (IMPORTED, SYNCED):
        raise ValueError(f'"kind" is {IMPORTED} or {SYNCED}')
    return [_contact(shape) for shape in shapes], kind


def _contact(shape: Any) -> Contact:
    if not isinstance(shape, dict) or set(shape) - {*_TEXTS, "ended"}:
        raise ValueError(f"a contact has no other fields than {', '.join(_TEXTS)}, ended")
    texts = {name: shape[name] for name in _TEXTS if shape.get(name) is not None}
    if not all(isinstance(text, str) for text in texts.values()):
        raise ValueError("the fields of a contact are texts")
    if "phone" in texts:
        texts["phone"] = normalise(texts["phone"])
        if texts["phone"] is None:
            raise ValueError("phone: write it with its country, like +49 171 3920011")
    return Contact(**texts, ended=shape.get("ended") is True)


def _no(why: str) -> web.Response:
    return web.json_response({"error": why}, status=400)
