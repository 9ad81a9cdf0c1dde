"""Traces: from the sender's span to the receiver's, over the journal and over a restart."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay import samples
from relay.errors import UsageError
from tests.channels.test_webhook import Receiver
from tests.fakes.collector import FakeCollector, Span
from tests.fakes.http import Reply
from tests.relay_process import TOKEN, RelayProcess

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SENT = {"Authorization": f"Bearer {TOKEN}", "traceparent": f"00-{TRACE}-{CALLER}-01"}
RULES = """\
version: 1
destinations: {crm: {webhook: {url: "%s/hook"}, pace: none}}
rules: [{name: Everything, when: {event: "*"}, send_to: crm}]
"""


@pytest.fixture
async def collector() -> AsyncIterator[FakeCollector]:
    async with FakeCollector() as one:
        yield one


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as one:
        yield one


def named(name: str, spans: list[Span]) -> Span:
    (found,) = (span for span in spans if span.name == name)
    return found


async def test_spans_lead_from_the_sender_to_the_receiver(
    tmp_path: Path, collector: FakeCollector, receiver: Receiver
) -> None:
    relay = RelayProcess(tmp_path, RULES % receiver.base, env=collector.env)
    async with relay:
        await relay.post(samples.find("channel_live"), headers=SENT)
        spans = await collector.until(lambda found: any(one.name == "deliver" for one in found))
        assert await relay.stop() == 0
    webhook, event, route = (named(name, spans) for name in ("webhook", "event", "route"))
    assert (webhook.trace, webhook.parent, webhook.service) == (TRACE, CALLER, "relay")
    assert event.links == ((TRACE, webhook.id),)
    assert (route.trace, route.parent) == (event.trace, event.id)
    whole = named("deliver", spans)
    assert whole.links == ((event.trace, event.id),)
    assert whole.attributes["relay.state"] == "delivered"
    parts = [named(name, spans) for name in ("render", "send", "settle")]
    assert {(part.trace, part.parent) for part in parts} == {(whole.trace, whole.id)}
    moments = [whole.began, *(moment for part in parts for moment in (part.began, part.ended))]
    assert [*moments, whole.ended] == sorted([*moments, whole.ended])
    (got,) = receiver.posts
    heard = {name.lower(): value for name, value in got.headers.items()}["traceparent"]
    assert heard == f"00-{whole.trace}-{parts[1].id}-01"
    assert event.attributes["relay.kind"] == "channel_live"


async def test_a_try_after_a_restart_leads_back_to_the_event(
    tmp_path: Path, collector: FakeCollector, receiver: Receiver
) -> None:
    receiver.behave(Reply(503, headers={"Retry-After": "1"}))
    rules = RULES % receiver.base
    async with RelayProcess(tmp_path, rules, env=collector.env) as relay:
        await relay.post(samples.find("channel_live"), headers=SENT)
        await collector.until(lambda found: any(one.name == "deliver" for one in found))
        await relay.kill()
    async with RelayProcess(tmp_path, rules, env=collector.env):
        spans = await collector.until(
            lambda found: sum(one.name == "deliver" for one in found) == 2
        )
    first, second = (one for one in spans if one.name == "deliver")
    assert first.trace == second.trace
    assert first.links == second.links == ((named("event", spans).trace, named("event", spans).id),)
    assert [one.failed for one in spans if one.name == "send"] == [True, False]


async def test_strangers_make_no_spans_and_no_span_holds_a_number_or_a_name(
    tmp_path: Path, collector: FakeCollector, receiver: Receiver
) -> None:
    async with RelayProcess(tmp_path, RULES % receiver.base, env=collector.env) as relay:
        await relay.post(b"{}", headers={**SENT, "Authorization": "Bearer wrong"})
        await relay.get("/webhooks/elsewhere")
        await relay.post(samples.find("channel_live"))
        spans = await collector.until(lambda found: any(one.name == "settle" for one in found))
    assert len([one for one in spans if one.name == "webhook"]) == 1
    told = str(spans)
    assert [word for word in ("4917139", "Musterladen", TOKEN) if word in told] == []


async def test_a_collector_that_is_gone_holds_up_nothing(
    tmp_path: Path, receiver: Receiver
) -> None:
    env = {"RELAY_TRACES": "1", "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}
    async with RelayProcess(tmp_path, RULES % receiver.base, env=env) as relay:
        await relay.post(samples.find("channel_live"))
        await receiver.wait_for(1)
        assert await relay.stop() == 0


def test_without_the_extra_the_switch_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "relay.tracing", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    with pytest.raises(UsageError, match=r"install relay-360\[otel\]"):
        import relay.tracing  # noqa: F401


def test_without_the_switch_nothing_of_it_is_imported() -> None:
    code = "import sys, relay.app, relay.live; sys.exit('opentelemetry' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
