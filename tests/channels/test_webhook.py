"""The webhook channel against a fake receiver."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import samples
from relay.channels import Channel, Outbound
from relay.channels.exchange import Answer
from relay.channels.registry import CHANNELS
from relay.channels.webhook import WebhookChannel
from relay.channels.webhook.answers import read
from relay.checks.templates import check
from relay.config import load_text
from relay.messages import Message
from relay.messages.templates import Context, Templates
from relay.outcomes import (
    Ambiguous,
    Outcome,
    OutOfOrder,
    Proof,
    RateLimited,
    Refused,
    Sent,
    Transient,
)
from relay.pipeline import Plan
from tests.each import each
from tests.fakes.http import DROP_AFTER, DROP_BEFORE, STALL, FakeHttp, Post, Reply
from tests.fakes.messages import HASTY, LOOPBACK, destination, message, parcel, post
from tests.needs import ROOT
from tests.world import LIVE, RULES, World, a_world

SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes ...").decode()
AT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


class Receiver(FakeHttp):
    """It takes whatever comes."""

    def key_of(self, path: str, body: Any) -> str:
        return path

    def usual(self, post: Post) -> Reply:
        return Reply(204)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with Receiver() as fake:
        yield fake


@pytest.fixture
async def channel() -> AsyncIterator[Channel]:
    opened = WebhookChannel(LOOPBACK)
    yield opened
    await opened.close()


def hook(receiver: Receiver, **settings: Any) -> Any:
    return destination("webhook", {"url": f"{receiver.base}/hooks/a-5ecret-path", **settings})


def lower(post: Post) -> Mapping[str, str]:
    return {name.lower(): value for name, value in post.headers.items()}


@pytest.mark.parametrize(
    ("secret", "key"),
    [(SECRET, b"a secret of thirty-two bytes ..."), ("plain bytes, as they are", None)],
)
async def test_a_request_is_signed_as_standard_webhooks_says(
    receiver: Receiver, channel: Channel, secret: str, key: bytes | None
) -> None:
    outcome = await post(channel, hook(receiver, secret=secret), message(title="Zürich 🚀"))
    assert isinstance(outcome, Sent)
    assert outcome.proof is Proof.POSTED
    (got,) = receiver.posts
    headers = lower(got)
    assert headers["content-type"].startswith("application/json")
    assert headers["webhook-id"] == "d" * 20
    sent = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    assert abs(datetime.now(UTC) - sent) < timedelta(minutes=5)
    signed = b".".join([b"d" * 20, headers["webhook-timestamp"].encode(), got.raw])
    proof = hmac.new(key or secret.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(proof).decode()}"


async def test_fields_are_put_in_when_it_is_sent_and_shown_nowhere(
    receiver: Receiver, channel: Channel
) -> None:
    key = "0123456789abcdef0123456789abcdef"
    to = hook(receiver, secret=SECRET, fields={"routing_key": key})
    assert key not in repr(to) + repr(channel.payload(to, parcel()))
    receiver.behave(Reply(400, f"no service has {key}", content_type="text/plain"))
    refused = await post(channel, to)
    assert isinstance(refused, Refused)
    assert key not in refused.reason
    assert isinstance(await post(channel, to), Sent)
    got = receiver.posts[1]
    assert got.json["routing_key"] == key
    assert got.json["title"] == "Quality dropped"
    signed = f"{'d' * 20}.{lower(got)['webhook-timestamp']}.".encode() + got.raw
    proof = hmac.new(b"a secret of thirty-two bytes ...", signed, hashlib.sha256).digest()
    assert lower(got)["webhook-signature"] == f"v1,{base64.b64encode(proof).decode()}"
    other = hook(receiver, fields={"routing_key": key[::-1]})
    assert len({hook(receiver).target, to.target, other.target}) == 3


async def test_without_a_secret_a_request_is_unsigned(receiver: Receiver, channel: Channel) -> None:
    await post(channel, hook(receiver, headers={"Authorization": "Bearer abc"}))
    headers = lower(receiver.posts[0])
    assert "webhook-signature" not in headers
    assert headers["webhook-id"] == "d" * 20
    assert headers["authorization"] == "Bearer abc"


def test_without_a_template_the_body_says_what_happened_and_all_facts() -> None:
    to = destination("webhook", {"url": "https://x.example"})
    event = samples.event("channel_live", AT)
    body = WebhookChannel(LOOPBACK).payload(to, parcel(event=event))["body"]
    assert body["type"] == "channel_live"
    assert body["title"] == "Quality dropped"
    assert "Something happened." in body["text"]
    assert body["data"] == event.to_json()


@each(
    ("status", "headers", "kind"),
    [
        (200, {}, Sent), (202, {}, Sent), (204, {}, Sent),
        (301, {}, OutOfOrder), (307, {}, OutOfOrder),
        (400, {}, Refused), (413, {}, Refused), (422, {}, Refused),
        (401, {}, OutOfOrder), (403, {}, OutOfOrder), (404, {}, OutOfOrder), (410, {}, OutOfOrder),
        (405, {}, OutOfOrder), (402, {}, OutOfOrder), (408, {}, Ambiguous),
        (429, {}, RateLimited), (503, {"Retry-After": "3"}, RateLimited),
        (500, {}, Ambiguous), (502, {}, Ambiguous), (503, {}, Ambiguous), (504, {}, Ambiguous),
    ],
)  # fmt: skip
def test_answers(status: int, headers: dict[str, str], kind: type[Outcome]) -> None:
    assert type(read(Answer(status, headers, b"", True))) is kind


async def test_retry_after_is_heard(receiver: Receiver, channel: Channel) -> None:
    receiver.behave(Reply(429, "", {"Retry-After": "12"}))
    outcome = await post(channel, hook(receiver))
    assert isinstance(outcome, RateLimited)
    assert outcome.retry_after == 12


async def test_a_receiver_that_is_gone_is_told_with_the_remedy(
    receiver: Receiver, channel: Channel
) -> None:
    receiver.behave(Reply(410))
    outcome = await post(channel, hook(receiver))
    assert isinstance(outcome, OutOfOrder)
    assert "set its new URL, or remove the destination" in outcome.reason


async def test_a_redirect_is_not_followed(receiver: Receiver, channel: Channel) -> None:
    async with Receiver() as aim:
        receiver.behave(Reply(307, "", {"Location": aim.base}))
        outcome = await post(channel, hook(receiver))
        assert isinstance(outcome, OutOfOrder)
        assert "redirect" in outcome.reason
        assert aim.connections == 0


@pytest.mark.parametrize(
    "reply", [DROP_BEFORE, DROP_AFTER, STALL], ids=["before", "after", "stall"]
)
async def test_a_lost_answer_is_ambiguous_after_one_request(
    receiver: Receiver, reply: Reply
) -> None:
    channel = WebhookChannel(HASTY)
    receiver.behave(reply)
    assert isinstance(await post(channel, hook(receiver)), Ambiguous)
    assert receiver.connections == 1
    await channel.close()


async def test_nothing_listens(channel: Channel) -> None:
    receiver = Receiver()
    await receiver.start()
    to = hook(receiver)
    await receiver.stop()
    assert isinstance(await post(channel, to), Transient)


async def test_no_secret_is_told(
    receiver: Receiver, channel: Channel, caplog: pytest.LogCaptureFixture
) -> None:
    """Not even when the receiver repeats what it was sent."""
    caplog.set_level(logging.DEBUG)
    to = hook(receiver, secret="key-5ecret-of-24-bytes-or-so", headers={"X-Key": "K 5ecret-token"})
    told = [repr(to), to.target]
    for status in (302, 400, 401, 404, 500):
        receiver.behave(
            Reply(status, f"no {receiver.base}/hooks/a-5ecret-path, 5ecret-token, "
                          "key-5ecret-of-24-bytes-or-so")
        )  # fmt: skip
        told.append(repr(await post(channel, to)))
    assert "5ecret" not in "\n".join([*told, caplog.text])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"url": "http://x.example"}, "https"),
        ({"url": "https://10.0.0.1/x"}, "private"),
        ({"headers": {"webhook-id": "x"}}, "set by the relay"),
        ({"headers": {"Relay-Cause": "x"}}, "set by the relay"),
        ({"headers": {"Host": "x"}}, "set by the relay"),
        ({"headers": {"Content-Length": "1"}}, "set by the relay"),
        ({"headers": {"X-Key": "5ecret\r\nX-Other: y"}}, "line breaks"),
        ({"headers": {"X Key": "y"}}, "no name"),
        ({"body": "../crm.json.j2"}, "folder"),
        ({"secret": "whsec_5ecret!"}, "base64"),
        ({"secret": ""}, "empty"),
    ],
)
def test_what_cannot_be_used_is_refused_and_not_shown(changes: Any, said: str) -> None:
    settings = {"url": "https://x.example/5ecret", **changes}
    with pytest.raises(ValueError, match=said) as caught:
        destination("webhook", settings, outbound=Outbound())
    assert "5ecret" not in str(caught.value)


def test_places_behind_one_address_are_several_targets() -> None:
    url = "https://x.example"
    made = [
        destination("webhook", {"url": url, **more})
        for more in ({}, {"body": "a"}, {"body": "b"}, {"headers": {"X-Key": "a"}})
    ]
    assert len({one.target for one in made}) == 4


def test_a_short_secret_is_doubted() -> None:
    kind = CHANNELS["webhook"]
    assert kind.doubts(kind.destination(url="https://x.example", secret="short"))
    assert not kind.doubts(kind.destination(url="https://x.example", secret=SECRET))


CRM = '{"who": {{ event.client.name }}, "list": [{{ "a " ~ event.phone_name }}], "n": 1}'


def crm_body(text: str, file: str = "crm.json.j2", **event: Any) -> Message:
    templates = Templates.from_texts({file: text}, behind=Templates.shipped())
    context = Context(
        rule="r", template=None, timezone=ZoneInfo("UTC"), now=AT, cause="rule",
        channel="webhook", body="crm.json.j2",
    )  # fmt: skip
    happened = samples.event("channel_live", AT)
    return templates.render(replace(happened, **event), context=context)


@given(st.text(st.characters(exclude_categories=["Co"]), min_size=1))
def test_a_value_is_a_json_text_whatever_it_holds(value: str) -> None:
    made = crm_body(CRM, phone_name=f"x{value}x")
    to = destination("webhook", {"url": "https://x.example"})
    body = WebhookChannel(LOOPBACK).payload(to, parcel(made))["body"]
    again = json.loads(json.dumps(body))
    assert set(again) == {"who", "list", "n"}
    (only,) = again["list"]
    assert isinstance(only, str)
    assert only.startswith("a x")


def test_without_its_template_the_usual_body_says_so() -> None:
    made = crm_body(CRM, file="other.json.j2")
    assert "webhook" not in made.native
    assert made.fault == "there is no template crm.json.j2"


def test_a_body_that_is_no_json_for_an_event_gives_way_to_the_usual_one() -> None:
    text = '{"all": [{% for phone in event.phones %}{{ phone }}{% endfor %}]}'
    made = crm_body(text, phones=("+49151", "+49152"))
    assert "webhook" not in made.native
    assert "crm.json.j2 failed" in (made.fault or "")


@pytest.fixture
async def relay(tmp_path: Path, receiver: Receiver) -> AsyncIterator[World]:
    """What goes live is told to the receiver."""
    (tmp_path / "message_templates").mkdir()
    rules = RULES.replace(
        "  flow: {teams",
        f"  crm: {{webhook: {{url: '{receiver.base}/crm'}}, pace: none}}\n  flow: {{teams",
    ).replace("event: channel_live}, send_to: support", "event: channel_live}, send_to: crm")
    async with a_world(tmp_path, rules) as world:
        yield world


async def test_a_repeat_has_the_same_id(receiver: Receiver, relay: World) -> None:
    receiver.behave(DROP_AFTER, Reply(500))
    await relay.happen(LIVE)
    await relay.until({"delivered": 1})
    ids = [lower(post)["webhook-id"] for post in receiver.posts]
    assert len(ids) == 3
    assert len(set(ids)) == 1


async def test_each_request_says_why_it_comes(receiver: Receiver, relay: World) -> None:
    await relay.happen(LIVE)
    (told,) = await relay.until({"delivered": 1})
    path = f"/api/events/{told['event_id']}/replay"
    await relay.client.api(path, "POST", {"again": True})
    await relay.until({"delivered": 1}, "replay")
    assert [lower(post)["relay-cause"] for post in receiver.posts] == ["rule", "replay"]


async def test_a_receiver_that_is_gone_is_parked_with_an_alarm(
    receiver: Receiver, relay: World
) -> None:
    receiver.always(Reply(410))
    await relay.happen(LIVE)
    (parked,) = await relay.until({"parked": 1})
    assert "set its new URL" in parked["reason"]
    await relay.subjects(1)
    assert "crm" in str(relay.smtp.mails[0].message)


PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")


async def test_the_receiver_of_the_page_takes_a_request_once_and_no_other(
    receiver: Receiver, channel: Channel
) -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    page: dict[str, Any] = {}
    exec(source, page)  # our own page
    await post(channel, hook(receiver, secret=SECRET))
    (got,) = receiver.posts
    seen: set[str] = set()
    assert page["accept"](lower(got), got.raw, SECRET, seen) is True
    assert page["accept"](lower(got), got.raw, SECRET, seen) is False
    old = {**lower(got), "webhook-timestamp": "1"}
    for headers, raw in ((lower(got), got.raw + b" "), (old, got.raw)):
        with pytest.raises(PermissionError):
            page["accept"](headers, raw, SECRET, set())


def checked(tmp_path: Path, body: str | None) -> str:
    if body is not None:
        (tmp_path / "crm.json.j2").write_text(body)
    text = RULES_OF_A_HOOK
    found = load_text(text, "rules.yaml", env={}, outbound=LOOPBACK, strict_env=False)
    templates = Templates.load(tmp_path, behind=Templates.shipped())
    plan = Plan(1, found.rules, found.destinations, templates, ZoneInfo("UTC"))
    return "\n".join(map(str, check(plan, "message_templates")))


RULES_OF_A_HOOK = """\
version: 1
destinations:
  crm: {webhook: {url: "${CRM_URL}", body: crm.json.j2}}
rules:
  - {name: All, when: {event: "*"}, send_to: crm}
"""


def test_check_names_a_template_that_is_not_there(tmp_path: Path) -> None:
    assert "crm wants crm.json.j2: there is none" in checked(tmp_path, None)


def test_check_tries_a_body_with_every_sample(tmp_path: Path) -> None:
    said = checked(tmp_path, '{"a": [{% for one in [1, 2] %}{{ event.title }}{% endfor %}]}')
    assert "crm.json.j2:1:1: error: rendered with" in said
    assert checked(tmp_path, '{"a": {{ event.title }}}') == ""
