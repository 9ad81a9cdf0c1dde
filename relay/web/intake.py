"""Bytes in, 200 out after the journal has them; health, readiness and metrics."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import Any

from aiohttp import web

from relay import failpoints, logs
from relay.errors import JournalError
from relay.events import Event
from relay.failpoints import Failpoint
from relay.journal import Journal
from relay.logs import Seldom
from relay.metrics import Metrics
from relay.settings import Settings
from relay.sources import Reading, Unreadable
from relay.sources.reading import read
from relay.sources.signatures import (
    Proofs,
    Verdict,
    admit_360dialog,
    admit_meta,
    parse_secrets,
    parse_tokens,
)
from relay.web.senders import Room, later, read_body

LARGE_BODY = 256 * 1024
"""Bytes; a larger one is read beside the event loop, so that nobody else waits for it."""


DIALOG, META = "/webhooks/360dialog", "/webhooks/meta"
_NAMES = "hook|dialog|360|meta|whatsapp|waba|callback"
_LIKE_A_WEBHOOK = f"(?i:.*(?:{_NAMES}).*)"
_NAMES_US = re.compile(f"(?i)[a-z_-]{{0,9}}(?:{_NAMES})[a-z_-]{{0,9}}")

Admit = Callable[[web.Request, bytes], Verdict]


@dataclass(frozen=True, slots=True)
class Gate:
    """The proofs that each route asks for."""

    dialog: Proofs
    meta: Proofs
    verify_token: str = field(default="", repr=False)
    open_to_all: bool = False
    """No secret at all is configured, and the operator started it so."""

    @classmethod
    def of(cls, settings: Settings) -> Gate:
        """The gate that the settings describe."""
        return cls(
            Proofs(parse_secrets(settings.secret_360dialog), parse_tokens(settings.webhook_token)),
            Proofs(parse_secrets(settings.meta_app_secret)),
            settings.meta_verify_token,
            not settings.has_webhook_secret,
        )

    def admit_360dialog(self, request: web.Request, body: bytes) -> Verdict:
        """Judge a webhook on 360dialog's route."""
        if self.open_to_all:
            return _OPEN
        signatures = request.headers.getall("x-360dialog-signature", [])
        authorizations = request.headers.getall("authorization", [])
        return admit_360dialog(signatures, authorizations, body, self.dialog)

    def admit_meta(self, request: web.Request, body: bytes) -> Verdict:
        """Judge a webhook on Meta's route."""
        if self.open_to_all:
            return _OPEN
        signatures = request.headers.getall("x-hub-signature-256", [])
        return admit_meta(signatures, body, self.meta)

    def admit_subscriber(self, mode: str, token: str) -> bool:
        """Judge Meta's handshake by the token that the operator gave to Meta."""
        right = hmac.compare_digest(
            token.encode("utf-8", "replace"), self.verify_token.encode("utf-8", "replace")
        )
        return mode == "subscribe" and bool(self.verify_token) and right


_OPEN = Verdict(True, "no secret is configured and the relay was started without")


class Intake:
    """Takes webhooks: verify, read, append, answer."""

    def __init__(
        self,
        journal: Journal,
        gate: Gate,
        *,
        metrics: Metrics,
        clock: Callable[[], datetime],
        keep: Callable[[], frozenset[str]],
        on_events: Callable[[tuple[Event, ...], int], None],
        expect: Callable[[int], None] = lambda _count: None,
        on_refused: Callable[[], None] = lambda: None,
        on_withheld: Callable[[Event], None] = lambda _event: None,
        key: bytes = b"",
    ) -> None:
        self._journal = journal
        self._gate = gate
        self._metrics = metrics
        self._clock = clock
        self._keep = keep
        self._key = key
        self._on_events = on_events
        self._expect = expect
        self._on_refused = on_refused
        self._on_withheld = on_withheld
        self._room = Room()
        self._seldom_refused = Seldom()
        self._seldom_failed = Seldom()
        self._seldom_astray = Seldom(most=3)
        self.accepting = True

    def add_routes(self, app: web.Application) -> None:
        """The routes that senders know."""
        for end in ("", "/"):
            dialog, meta = f"{DIALOG}{end}", f"{META}{end}"
            app.router.add_get(dialog, self._here)
            app.router.add_post(dialog, partial(self._take, self._gate.admit_360dialog))
            app.router.add_get(meta, self._handshake)
            app.router.add_post(meta, partial(self._take, self._gate.admit_meta))
        for method in ("GET", "POST"):
            app.router.add_route(method, f"/{{path:{_LIKE_A_WEBHOOK}}}", self._astray)

    async def _here(self, _request: web.Request) -> web.Response:
        return web.json_response({"relay": "here"})

    async def _astray(self, request: web.Request) -> web.Response:
        """A wrong path that somebody took for ours: who sends to it would tell nobody."""
        right = f"webhooks are taken at {DIALOG} and {META}"
        # Of the path only what is no secret: somebody may have put a token into it.
        parts = request.path.split("/")
        path = "/".join(part if not part or _NAMES_US.fullmatch(part) else "…" for part in parts)
        self._seldom_astray(logs.warning, "webhook at a wrong path", path=path[:100], right=right)
        self._metrics.refused.labels("404").inc()
        return web.json_response({"error": f"nothing is here; {right}"}, status=404)

    async def _handshake(self, request: web.Request) -> web.Response:
        """Meta's subscription: the bare challenge back, if the token is ours."""
        query = request.query
        mode, token = query.get("hub.mode", ""), query.get("hub.verify_token", "")
        if not self._gate.admit_subscriber(mode, token):
            return web.Response(status=403, text="the verify token is not ours\n")
        return web.Response(text=query.get("hub.challenge", ""))

    async def _take(self, admit: Admit, request: web.Request) -> web.Response:
        started = time.monotonic()
        body = await read_body(request, self._room)
        if isinstance(body, web.Response):
            answer = body
        else:
            self._expect(1)
            try:
                answer = await self._answer(admit, request, body)
            finally:
                self._expect(-1)
                self._room.give_back(len(body))
        self._metrics.answer_seconds.observe(time.monotonic() - started)
        if answer.status != 200:
            self._metrics.refused.labels(str(answer.status)).inc()
        return answer

    async def _answer(self, admit: Admit, request: web.Request, body: bytes) -> web.Response:
        verdict = admit(request, body)
        if not verdict.admitted:
            self._seldom_refused(
                logs.warning, "webhook refused", route=request.path, reason=verdict.reason
            )
            self._on_refused()
            return web.json_response({"error": "not admitted"}, status=401)
        if not self.accepting:
            return later("the relay is stopping")
        now = self._clock()
        if len(body) > LARGE_BODY:
            reading = await asyncio.to_thread(_read, body, now, self._keep(), self._key)
        else:
            reading = _read(body, now, self._keep(), self._key)
        failpoints.reach(Failpoint.AFTER_READ)
        try:
            added = await self._journal.append(reading, now=now, route=request.path)
        except JournalError as error:
            self._seldom_failed(
                logs.error, "webhook not stored", route=request.path, error=str(error)
            )
            return later("it cannot be stored now")
        failpoints.reach(Failpoint.AFTER_COMMIT)
        self._on_events(added.events, len(body))
        for event in added.events:
            self._metrics.took(event)
        for item in reading.ignored:
            self._metrics.ignored.labels(item.cause).inc()
        for event in added.withheld:
            self._on_withheld(event)
        counts = {
            "accepted": len(added.events),
            "duplicate": added.duplicates,
            "ignored": added.ignored,
            "quarantined": added.quarantined + added.conflicts,
        }
        if counts["duplicate"]:
            self._metrics.duplicates.inc(counts["duplicate"])
        if counts["quarantined"]:
            self._metrics.quarantined.inc(counts["quarantined"])
        ids = [event.id for event in added.events[:20]]
        logs.info("webhook", route=request.path, size=len(body), event_ids=ids, **counts)
        return web.json_response(counts)


def _read(body: bytes, now: datetime, keep: frozenset[str], key: bytes) -> Reading:
    """`read`, and if it fails in a way that nobody foresaw, the body goes to quarantine whole."""
    try:
        return read(body, received_at=now, keep=keep, key=key)
    except Exception as error:
        logs.error("unforeseen fault while reading a webhook", error=type(error).__name__)
        reason = f"the reader failed: {type(error).__name__}"
        digest = hashlib.sha256(body).hexdigest()
        return Reading(unreadable=(Unreadable(reason, len(body), digest, body),))


class Health:
    """What load balancers and people ask: is it alive, can it store, what cannot deliver."""

    def __init__(
        self,
        metrics: Metrics,
        ready: Callable[[], Awaitable[tuple[bool, Mapping[str, Any]]]],
        refresh: Callable[[], Awaitable[None]],
    ) -> None:
        self._metrics = metrics
        self._ready = ready
        self._refresh = refresh

    def add_routes(self, app: web.Application, *, metrics: bool) -> None:
        app.router.add_get("/healthz", self._healthz)
        app.router.add_get("/readyz", self._readyz)
        if metrics:
            app.router.add_get("/metrics", self._metrics_text)

    async def _healthz(self, _request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def _readyz(self, _request: web.Request) -> web.Response:
        ready, body = await self._ready()
        return web.json_response({"ready": ready, **body}, status=200 if ready else 503)

    async def _metrics_text(self, _request: web.Request) -> web.Response:
        await self._refresh()
        return web.Response(
            body=self._metrics.text(),
            headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
        )
