"""Traces for OpenTelemetry, where `RELAY_TRACES=1` asks for them; imports its SDK, an extra.

A webhook is a span in the sender's trace, or in one of its own. What comes of it later, perhaps in
another process, is found without anything stored: the ids of an event's trace are made of the
event's id, those of a delivery's trace of the delivery's, and links lead back. Spans hold ids and
words of the catalogue and of the rules; no number, no name, no text of a sender.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from hashlib import sha256
from typing import Any, ParamSpec

from aiohttp import web
from aiohttp.typedefs import Handler

from relay import __version__, logs
from relay.deliveries import Delivery, State
from relay.errors import UsageError
from relay.events import Event, Source
from relay.journal import Routing
from relay.logs import Seldom
from relay.outcomes import outcome_word
from relay.sending import Tried

try:
    from opentelemetry import trace
    from opentelemetry.context import Context
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
    from opentelemetry.sdk.trace.sampling import Decision
    from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
except ImportError:
    raise UsageError("RELAY_TRACES=1 needs OpenTelemetry: install relay-360[otel]") from None

PATIENCE = 5.0
"""Seconds that the end waits for a collector."""
TOLD = (200, 503)
"""The answers to senders that were admitted: strangers make no spans."""
P = ParamSpec("P")
_seldom = Seldom()
_taken: ContextVar[list[Event]] = ContextVar("taken")
"""The new events of this task's webhook."""


def _harmless(make: Callable[P, None]) -> Callable[P, None]:
    """A span that cannot be made is said, and touches nothing of what it is about."""

    def made(*args: P.args, **named: P.kwargs) -> None:
        try:
            make(*args, **named)
        except Exception as error:
            _seldom(logs.error, "a span could not be made", error=type(error).__name__)

    return made


class _Ids(RandomIdGenerator):
    """Random ids, but for the next span's where they are given."""

    def __init__(self) -> None:
        self.trace = self.span = 0

    def generate_trace_id(self) -> int:
        given, self.trace = self.trace, 0
        return given or super().generate_trace_id()

    def generate_span_id(self) -> int:
        given, self.span = self.span, 0
        return given or super().generate_span_id()


class Tracing:
    """Makes spans of what the relay does, and exports them as the `OTEL_` variables say."""

    def __init__(self) -> None:
        ours = Resource({"service.name": "relay", "service.version": __version__})
        named = ours.merge(OTELResourceDetector().detect())
        self._ids = _Ids()
        self._provider = TracerProvider(
            resource=Resource.create(dict(named.attributes)),
            id_generator=self._ids,
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("relay", __version__)
        self._sending: dict[str, int] = {}
        """The spans under way whose ids were told to their targets, by delivery."""

    @web.middleware
    async def webhook(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """The span of a webhook that was admitted, and one for each event that is new."""
        if request.method != "POST" or not request.path.startswith("/webhooks/"):
            return await handler(request)
        began = time.time_ns()
        taken: list[Event] = []
        _taken.set(taken)
        answer = await handler(request)
        if answer.status in TOLD:
            self._answered(request, answer.status, taken, began)
        return answer

    def took(self, events: Sequence[Event]) -> None:
        """These events of the task's webhook are on disk."""
        _taken.get().extend(events)

    @_harmless
    def _answered(
        self, request: web.Request, status: int, taken: Sequence[Event], began: int
    ) -> None:
        span = self._tracer.start_span(
            "webhook",
            TraceContextTextMapPropagator().extract(request.headers),
            SpanKind.SERVER,
            {
                "http.request.method": "POST",
                "http.route": request.path,
                "http.response.status_code": status,
                "relay.events": len(taken),
            },
            start_time=began,
        )
        if status != 200:
            span.set_status(Status(StatusCode.ERROR))
        for event in taken:
            self._event(event, began, (Link(span.get_span_context()),))
        span.end()

    @_harmless
    def routed(self, event: Event, routing: Routing, now: datetime) -> None:
        """What became of an event; `now` is when it was matched."""
        began = _nanoseconds(now)
        if event.source not in (Source.PARTNER, Source.WABA):  # nobody sent it
            self._event(event, began)
        self._tracer.start_span(
            "route",
            self._within(_event_ids(event.id)),
            attributes=_filled(
                {
                    "relay.event": event.id,
                    "relay.state": routing.state.value,
                    "relay.muted_by": routing.muted_by,
                    "relay.rules_version": routing.rules_version,
                    "relay.deliveries": [one.id for one in routing.deliveries],
                }
            ),
            start_time=began,
        ).end()

    def traceparent(self, delivery_id: str) -> str:
        """What tells the target of a delivery which span asks it."""
        span = self._sending[delivery_id] = RandomIdGenerator().generate_span_id()
        trace_id = _delivery_trace(delivery_id)
        return f"00-{trace_id:032x}-{span:016x}-{self._flags(trace_id):02x}"

    @_harmless
    def settled(self, tried: Tried, after: Delivery) -> None:
        """What came of an attempt: written, sent, recorded."""
        now = time.time_ns()
        sent = now - time.monotonic_ns() + int(tried.started * 1e9) if tried.started else now
        answered = min(now, sent + tried.duration_ms * 1_000_000)
        began = min(sent, _nanoseconds(tried.began)) if tried.began else sent
        self._ids.trace = _delivery_trace(after.id)
        whole = self._tracer.start_span(
            "deliver",
            Context(),
            attributes=_filled(
                {
                    "relay.delivery": after.id,
                    "relay.event": after.event_id,
                    "relay.destination": after.destination,
                    "relay.channel": after.channel,
                    "relay.rule": after.rule,
                    "relay.cause": after.cause.value,
                    "relay.outcome": outcome_word(tried.outcome),
                    "relay.state": after.state.value,
                }
            ),
            links=(Link(self._context(*_event_ids(after.event_id))),),
            start_time=began,
        )
        inside = trace.set_span_in_context(whole, Context())
        if tried.began:
            self._tracer.start_span("render", inside, start_time=began).end(sent)
        if tried.started:
            self._ids.span = self._sending.pop(after.id, 0)
            send = self._tracer.start_span("send", inside, SpanKind.CLIENT, start_time=sent)
            if after.state is not State.DELIVERED:
                send.set_status(Status(StatusCode.ERROR, outcome_word(tried.outcome)))
            send.end(answered)
        self._tracer.start_span("settle", inside, start_time=answered).end(now)
        whole.end(now)

    async def close(self) -> None:
        """Export what waits, if the collector takes it soon."""
        done = threading.Thread(target=self._provider.shutdown, daemon=True)
        done.start()
        await asyncio.to_thread(done.join, PATIENCE)

    def _event(self, event: Event, began: int, links: Sequence[Link] = ()) -> None:
        self._ids.trace, self._ids.span = _event_ids(event.id)
        self._tracer.start_span(
            "event",
            Context(),
            attributes=_filled(
                {
                    "relay.event": event.id,
                    "relay.source": event.source.value,
                    "relay.kind": event.kind,
                    "relay.detail": event.detail,
                    "relay.topic": event.topic.value,
                }
            ),
            links=links,
            start_time=began,
        ).end()

    def _within(self, ids: tuple[int, int]) -> Context:
        """The context of a span that another process may have made."""
        return trace.set_span_in_context(trace.NonRecordingSpan(self._context(*ids)), Context())

    def _context(self, trace_id: int, span_id: int) -> SpanContext:
        return SpanContext(trace_id, span_id, is_remote=True, trace_flags=self._flags(trace_id))

    def _flags(self, trace_id: int) -> TraceFlags:
        """Whether a trace of ours is sampled, as is decided by its id alone."""
        decided = self._provider.sampler.should_sample(None, trace_id, "").decision
        is_sampled = decided is Decision.RECORD_AND_SAMPLE
        return TraceFlags(TraceFlags.SAMPLED if is_sampled else TraceFlags.DEFAULT)


def _event_ids(event_id: str) -> tuple[int, int]:
    """The trace and the span of an event."""
    made = sha256(f"event {event_id}".encode()).digest()
    return int.from_bytes(made[:16]), int.from_bytes(made[16:24])


def _delivery_trace(delivery_id: str) -> int:
    return int.from_bytes(sha256(f"delivery {delivery_id}".encode()).digest()[:16])


def _filled(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _nanoseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1e9)
