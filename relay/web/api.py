"""The JSON API under `/api/`: what came, what became of it, and putting things right."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from hmac import compare_digest
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

from aiohttp import web

from relay.control import peer
from relay.errors import ConfigError, PartnerApiError, UsageError
from relay.journal import Filter, Store
from relay.settings import Operator, Settings
from relay.sources.watch import Changes
from relay.web import asked
from relay.web.asked import Asked, WrongRequestError
from relay.web.shapes import (
    delivery_json,
    event_json,
    forgotten_json,
    loaded_json,
    quarantined_json,
    reverted_json,
    silence_json,
    silenced_json,
)

if TYPE_CHECKING:
    from relay.pipeline import Plan
    from relay.reload import Loaded
    from relay.reload.reloader import Reverted
    from relay.web.page.shared import Shared

T = TypeVar("T")
_WHO: Final = web.RequestKey("who", str)
"""Where a request carries who sent it."""


class Reload(Protocol):
    """Reads the files, because `who` asked for it; with `publish` also where edits are held."""

    async def __call__(self, who: str, *, publish: bool = False) -> Loaded: ...


Handler = Callable[[web.Request], Awaitable[web.Response]]

_REVERT = "/api/rules/{version:[1-9][0-9]{0,17}}/revert"
_RETRY = "/api/deliveries/{id}/retry"
_DISCARD = "/api/deliveries/{id}/discard"
_END = "/api/silences/{id}/end"


@dataclass(frozen=True, slots=True)
class Route:
    """One path of the API."""

    method: str
    path: str
    asked: type[Asked]
    """The one shape of body or query that it takes."""
    handler: Callable[[web.Request, Any], Awaitable[web.Response]]
    answer: str
    """The name of what it answers with 200, in `relay.web.answers`."""
    refusals: tuple[int, ...] = ()
    """Further statuses, each with an error."""


@dataclass(slots=True)
class Admin:
    """What the API and the page work with."""

    settings: Settings
    store: Store
    clock: Callable[[], datetime]
    status: Callable[[], Awaitable[Mapping[str, Any]]]
    changed: Callable[[], None]
    """Somebody put deliveries back: look at the lanes now."""
    reload: Reload
    revert: Callable[[int, str], Awaitable[Reverted]]
    replay: Callable[[asked.Replay, str], Awaitable[Mapping[str, Any]]]
    watch: Callable[[], Awaitable[Changes]]
    """Look at 360dialog's list of numbers now; what was recorded."""
    plan: Callable[[], Awaitable[Plan]]
    """What is live, once it was read."""
    operators: tuple[Operator, ...] = field(init=False)
    _page: Shared | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.operators = self.settings.operators

    @property
    def page(self) -> Shared:
        """What the page knows of its visitors; made when the first of them comes."""
        if self._page is None:
            from relay.web.page.shared import Shared

            self._page = Shared(self)
        return self._page

    async def close(self, _app: web.Application) -> None:
        """The address is about to be given back: whoever follows it hears no more."""
        if self._page is not None:
            self._page.closing.set()

    def add_routes(self, app: web.Application, *, by_socket: bool = False) -> None:
        """All routes, each with the one shape of body or query that it takes.

        They want an operator's token as a bearer, or the session of a page; by the Unix socket
        nothing, as its mode lets in its owner alone.
        """

        for route in self.routes():
            app.router.add_route(route.method, route.path, self._answering(route, by_socket))
        app.router.add_route("GET", "/api/openapi.json", self._described)

    def routes(self) -> tuple[Route, ...]:
        """All that the API answers, `/api/openapi.json` left out, which is made from them."""
        get, post = partial(Route, "GET"), partial(Route, "POST")
        return (
            get("/api/status", asked.Nothing, self._status, "Status"),
            post("/api/reload", asked.Nothing, self._reload, "Loaded", (422,)),
            post("/api/publish", asked.Nothing, self._publish, "Loaded", (422,)),
            post(_REVERT, asked.Nothing, self._revert, "Reverted", (404, 422)),
            post("/api/watch", asked.Nothing, self._watch, "Watched", (422, 502)),
            get("/api/events", asked.Events, self._events, "EventList"),
            get("/api/events/{id}", asked.Nothing, self._event, "EventWithDeliveries", (404,)),
            post("/api/events/{id}/replay", asked.ReplayOne, self._replay_one, "Replayed", (404,)),
            post("/api/replay", asked.Replay, self._replay, "Replayed"),
            get("/api/deliveries", asked.Deliveries, self._deliveries, "DeliveryList"),
            post(_RETRY, asked.Nothing, self._retry_one, "Retried", (404, 409)),
            post(_DISCARD, asked.Nothing, self._discard_one, "Discarded", (404, 409)),
            post("/api/deliveries/retry", asked.Retry, self._retry, "Retried"),
            post("/api/deliveries/discard", asked.Discard, self._discard, "Discarded"),
            post("/api/diff", asked.Diff, self._diff, "Diffed", (422,)),
            get("/api/silences", asked.Silences, self._silences, "SilenceList"),
            post("/api/silences", asked.BeginSilence, self._begin_silence, "Silence"),
            post(_END, asked.Nothing, self._end_silence, "Silence", (404, 409)),
            get("/api/quarantine", asked.Quarantine, self._quarantine, "QuarantineList"),
            post("/api/quarantine/{id}/look", asked.Nothing, self._look, "Looked", (404,)),
            post("/api/forget", asked.Forget, self._forget, "Forgotten"),
            get("/api/directory", asked.Directory, self._directory, "DirectoryList"),
            post("/api/directory", asked.Teach, self._learn, "Learned"),
        )

    def _answering(self, route: Route, by_socket: bool) -> Handler:
        async def handle(request: web.Request) -> web.Response:
            who = _user(request) if by_socket else await self._operator(request)
            if who is None:
                return _no(401, "this needs an admin token as a bearer")
            request[_WHO] = who
            try:
                if route.method == "GET":
                    wanted = asked.of_texts(route.asked, request.query.items())
                else:
                    asked.of_texts(asked.Nothing, request.query.items())
                    wanted = asked.of_body(route.asked, await request.read())
            except WrongRequestError as error:
                return _no(400, str(error))
            answer = await route.handler(request, wanted)
            answer.headers["Cache-Control"] = "no-store"
            return answer

        return handle

    async def _described(self, request: web.Request) -> web.Response:
        """The description of all of it, for whoever may ask."""
        if await self._operator(request) is None and _user(request) is None:
            return _no(401, "this needs an admin token as a bearer")
        from relay.web.openapi import described

        return web.json_response(described(self.routes()))

    async def _operator(self, request: web.Request) -> str | None:
        who = self.bearer(request)
        if who is None and "Cookie" in request.headers:
            from relay.web.page.visit import by_session

            return await by_session(self, request)
        return who

    def bearer(self, request: web.Request) -> str | None:
        """The operator whose token came as a bearer."""
        given = request.headers.get("Authorization", "").encode("utf-8", "surrogateescape")
        scheme, _, value = given.partition(b" ")
        operator = self.operator_of(value.strip()) if scheme.lower() == b"bearer" else None
        return operator.name if operator else None

    def operator_of(self, token: bytes) -> Operator | None:
        """Whose token it is; every one is compared, so that the time tells nothing."""
        proved = [
            operator
            for operator in self.operators
            for accepted in operator.accepted
            if compare_digest(token, accepted)
        ]
        return proved[0] if proved else None

    async def _status(self, _request: web.Request, _asked: Asked) -> web.Response:
        """Whether anything is wrong."""
        return web.json_response(await self.status())

    async def _reload(self, request: web.Request, _asked: Asked) -> web.Response:
        """Read rules, lists and templates now; 422 with every finding if they are refused."""
        return _read(await self.reload(request[_WHO]))

    async def _publish(self, request: web.Request, _asked: Asked) -> web.Response:
        """Read them, and make what is good live also where edits are held; 422 as for a reload."""
        return _read(await self.reload(request[_WHO], publish=True))

    async def _revert(self, request: web.Request, _asked: Asked) -> web.Response:
        """Make an older version live; 404 where there is none, 422 where it cannot be."""
        try:
            done = await self.revert(int(request.match_info["version"]), request[_WHO])
        except ConfigError as error:
            return _no(422, "\n".join(str(f) for f in error.faults if f.level == "error"))
        except UsageError as error:
            return _no(404, str(error))
        return web.json_response(reverted_json(done))

    async def _watch(self, _request: web.Request, _asked: Asked) -> web.Response:
        """Look at 360dialog's list now; 422 where nobody can, 502 where it cannot be read."""
        try:
            changes = await self.watch()
        except UsageError as error:
            return _no(422, str(error))
        except PartnerApiError as error:
            return _no(502, str(error))
        return web.json_response(changes.to_json())

    async def _events(self, _request: web.Request, wanted: asked.Events) -> web.Response:
        """Events, newest last."""
        found = await self.store.records.events(wanted.filter())
        return await listed("events", event_json, found)

    async def _event(self, request: web.Request, _asked: Asked) -> web.Response:
        """One event with its deliveries, by its id or a beginning of at least 4 characters."""
        stored = await self.store.records.event(request.match_info["id"])
        if stored is None:
            return _no(404, "no event has this id")
        owed = await self.store.records.of_event(stored.event.id)
        return web.json_response(
            {**event_json(stored), "deliveries": [delivery_json(one) for one in owed]}
        )

    async def _deliveries(self, _request: web.Request, wanted: asked.Deliveries) -> web.Response:
        """Deliveries, newest last."""
        found = await self.store.records.deliveries(wanted.filter())
        return await listed("deliveries", delivery_json, found)

    async def _retry_one(self, request: web.Request, _asked: Asked) -> web.Response:
        """Put one delivery back, also one that was discarded."""
        one = Filter(ids=(request.match_info["id"],))
        count = await self.retry(one, request[_WHO])
        return await self._of_one(one, "retried", count, "dead, parked or discarded ones can be")

    async def _retry(self, request: web.Request, wanted: asked.Retry) -> web.Response:
        """Put back all dead and parked deliveries that match."""
        return web.json_response({"retried": await self.retry(wanted.filter(), request[_WHO])})

    async def retry(self, wanted: Filter, who: str) -> int:
        """Put dead and parked deliveries back; how many."""
        count = await self.store.journal.retry(wanted, now=self.clock(), who=who)
        if count:
            self.changed()
        return count

    async def discard(self, wanted: Filter, who: str) -> int:
        """Give up what is not finished; how many."""
        return await self.store.journal.discard(wanted, now=self.clock(), who=who)

    async def _discard_one(self, request: web.Request, _asked: Asked) -> web.Response:
        """Give one delivery up."""
        one = Filter(ids=(request.match_info["id"],))
        count = await self.discard(one, request[_WHO])
        return await self._of_one(one, "discarded", count, "pending, parked or dead ones can be")

    async def _discard(self, request: web.Request, wanted: asked.Discard) -> web.Response:
        """Give up all unfinished deliveries that match."""
        count = await self.discard(wanted.filter(), request[_WHO])
        return web.json_response({"discarded": count})

    async def _replay(self, request: web.Request, wanted: asked.Replay) -> web.Response:
        """Tell recorded events again, or with `dry_run` say what would be told."""
        try:
            done = await self.replay(wanted, request[_WHO])
        except UsageError as error:
            return _no(400, str(error))
        return web.json_response(done)

    async def _replay_one(self, request: web.Request, wanted: asked.ReplayOne) -> web.Response:
        """Tell one event again, or with `dry_run` say what would be told."""
        stored = await self.store.records.event(request.match_info["id"])
        if stored is None:
            return _no(404, "no event has this id")
        how = {name: getattr(wanted, name) for name in wanted.model_fields_set}
        return await self._replay(request, asked.Replay(ids=(stored.event.id,), **how))

    async def _of_one(self, one: Filter, done: str, count: int, rule: str) -> web.Response:
        if count:
            return web.json_response({done: count})
        if not await self.store.records.deliveries(one):
            return _no(404, "no delivery has this id")
        return _no(409, f"it cannot be {done}: only {rule}")

    async def _diff(self, _request: web.Request, wanted: asked.Diff) -> web.Response:
        """What rules and templates would change, by the events that came; nothing is sent.

        422 where they would be refused, or where nothing is live.
        """
        try:
            return web.json_response(await self.page.tries.diff_asked(wanted))
        except UsageError as error:
            return _no(422, str(error))

    async def _silences(self, _request: web.Request, wanted: asked.Silences) -> web.Response:
        """Those that are on, and those that were over of late, each with what it suppressed."""
        since = wanted.since or self.clock() - asked.LATELY
        found = await self.store.records.silences(since=since)
        return web.json_response({"silences": [silenced_json(one) for one in found]})

    async def _begin_silence(
        self, request: web.Request, wanted: asked.BeginSilence
    ) -> web.Response:
        """Mute what is known, until an end."""
        from relay import silences

        plan, now = await self.plan(), self.clock()
        try:
            begun = await silences.begin(
                self.store.journal, plan, **wanted.given(), now=now, who=request[_WHO]
            )
        except UsageError as error:
            return _no(400, str(error))
        return web.json_response(silence_json(begun))

    async def _end_silence(self, request: web.Request, _asked: Asked) -> web.Response:
        """End a silence now."""
        name = request.match_info["id"]
        now = self.clock()
        ended = await self.store.journal.end_silence(name, now=now, who=request[_WHO])
        if ended is not None:
            return web.json_response(silence_json(ended))
        if await self.store.records.silences(silence_id=name):
            return _no(409, "this silence is over already")
        return _no(404, "no silence has this id")

    async def _quarantine(self, _request: web.Request, wanted: asked.Quarantine) -> web.Response:
        """What could not be read, without bodies."""
        found = await self.store.records.quarantined(wanted.since, wanted.limit)
        return web.json_response({"quarantine": [quarantined_json(one) for one in found]})

    async def _look(self, request: web.Request, _asked: Asked) -> web.Response:
        """One item of quarantine with its body; that somebody looked is recorded."""
        text = request.match_info["id"]
        item = int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else -1
        found = await self.store.journal.look_at(item, now=self.clock(), who=request[_WHO])
        if found is None:
            return _no(404, "nothing in quarantine has this id")
        return web.json_response(quarantined_json(found, body=True))

    async def _forget(self, request: web.Request, wanted: asked.Forget) -> web.Response:
        """Erase what is known of a number."""
        forgotten = await self.store.journal.forget(
            wanted.phone, now=self.clock(), who=request[_WHO], discard=wanted.discard
        )
        return web.json_response(forgotten_json(forgotten))

    async def _directory(self, _request: web.Request, wanted: asked.Directory) -> web.Response:
        """Who is who."""
        search = wanted.search.strip() or None
        found = await self.store.records.directory(search, wanted.limit)
        return web.json_response({"entries": [entry.to_json() for entry in found]})

    async def _learn(self, request: web.Request, wanted: asked.Teach) -> web.Response:
        """Teach the directory."""
        contacts = wanted.told()
        changed = await self.store.journal.learn(
            contacts, wanted.kind, now=self.clock(), who=request[_WHO]
        )
        return web.json_response({"contacts": len(contacts), "changed": changed})


def _user(request: web.Request) -> str | None:
    """The system user at the other end of the Unix socket."""
    return peer(request.get_extra_info("socket"))


async def listed(
    name: str, shape: Callable[[T], Mapping[str, Any]], found: Sequence[T]
) -> web.Response:
    """Row by row, and many in a thread: webhooks are recorded while somebody reads them all."""

    def text() -> str:
        rows = ", ".join(json.dumps(shape(one)) for one in found)
        return f'{{"{name}": [{rows}]}}'

    said = text() if len(found) <= asked.ROWS else await asyncio.to_thread(text)
    return web.Response(text=said, content_type="application/json")


def _no(status: int, why: str) -> web.Response:
    return web.json_response({"error": why}, status=status)


def _read(loaded: Loaded) -> web.Response:
    return web.json_response(loaded_json(loaded), status=200 if loaded.error is None else 422)
