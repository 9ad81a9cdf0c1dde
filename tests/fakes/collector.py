"""A collector of OpenTelemetry on loopback: takes OTLP over HTTP, and keeps the spans."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from tests.needs import PATIENCE


@dataclass(frozen=True, slots=True)
class Span:
    """One span as it was exported; ids in hexadecimal."""

    name: str
    trace: str
    id: str
    parent: str
    links: tuple[tuple[str, str], ...]
    attributes: dict[str, Any]
    began: int
    ended: int
    failed: bool
    service: str


class FakeCollector:
    """Use as a context manager."""

    def __init__(self) -> None:
        self.spans: list[Span] = []
        self._news = asyncio.Condition()
        app = web.Application()
        app.router.add_post("/v1/traces", self._take)
        self._server = TestServer(app)

    async def __aenter__(self) -> FakeCollector:
        await self._server.start_server(access_log=None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.close()

    @property
    def env(self) -> dict[str, str]:
        """What has a relay export to it at once."""
        return {
            "RELAY_TRACES": "1",
            "OTEL_EXPORTER_OTLP_ENDPOINT": str(self._server.make_url("")).rstrip("/"),
            "OTEL_BSP_SCHEDULE_DELAY": "20",
        }

    async def until(self, met: Callable[[list[Span]], bool]) -> list[Span]:
        """The spans, once they are what is waited for."""
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(lambda: met(self.spans))
        return self.spans

    async def _take(self, request: web.Request) -> web.Response:
        said = ExportTraceServiceRequest.FromString(await request.read())
        async with self._news:
            for resource in said.resource_spans:
                named = _values(resource.resource.attributes)
                for scope in resource.scope_spans:
                    self.spans += [_span(one, str(named["service.name"])) for one in scope.spans]
            self._news.notify_all()
        body = ExportTraceServiceResponse().SerializeToString()
        return web.Response(body=body, content_type="application/x-protobuf")


def _span(one: Any, service: str) -> Span:
    return Span(
        one.name,
        one.trace_id.hex(),
        one.span_id.hex(),
        one.parent_span_id.hex(),
        tuple((link.trace_id.hex(), link.span_id.hex()) for link in one.links),
        _values(one.attributes),
        one.start_time_unix_nano,
        one.end_time_unix_nano,
        one.status.code == one.status.STATUS_CODE_ERROR,
        service,
    )


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}
