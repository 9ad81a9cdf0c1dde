"""What strangers and senders can post: never a 500, nothing stored that was refused, no injection.

All of it goes to one real process with fake targets; after everything it still works.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
import pytest_asyncio

from relay.settings import Address
from relay.web.senders import LARGEST_BODY
from tests.client import partner, sign
from tests.fakes.messages import HOSTILE, strings
from tests.fakes.slack import FakeSlack
from tests.fakes.smtp import FakeSmtp
from tests.fakes.teams import FakeTeams
from tests.needs import PATIENCE
from tests.raw import Raw, head
from tests.relay_process import TOKEN, RelayProcess

SECRET, OLD = "platform-secret-new", "platform-secret-old"
SIGNATURE = "x-360dialog-signature"

RULES = """\
version: 1
accounts:
  slack: {token: xoxb-of-the-tests, api_url: "%s"}
  email: {host: 127.0.0.1, port: %d, tls: none, sender: relay@example.com}
destinations:
  support: {slack: {channel: "#support"}, pace: none}
  sales: {teams: {url: "%s"}, pace: none}
  oncall: {email: {to: [oncall@example.com]}, pace: none}
rules:
  - {name: Pending templates, when: {detail: PENDING}, send_to: none}
  - {name: All, when: {event: "*"}, send_to: [support, sales, oncall]}
"""


KEPT = ("received", "quarantined", "duplicate", "ignored")


class Relay(RelayProcess):
    """The process with its targets."""

    slack: FakeSlack
    teams: FakeTeams
    smtp: FakeSmtp

    @property
    def address(self) -> Address:
        return Address("127.0.0.1", int(self.url.rpartition(":")[2]))

    async def counted(self) -> dict[str, int]:
        """What came and was kept, whatever has become of it since."""
        found: dict[str, int] = (await self.api("/api/status"))["events"]
        return {key: found[key] for key in KEPT}

    async def quiet(self) -> None:
        """Wait until nothing is left to route or to send."""

        async def left() -> int:
            status = await self.api("/api/status")
            owed = status["deliveries"]
            waiting: int = owed["pending"] + owed["claimed"] + status["events"]["unrouted"]
            return waiting

        async with asyncio.timeout(PATIENCE):
            while await left():
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def relay(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Relay]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(FakeSlack())
        teams = await stack.enter_async_context(FakeTeams())
        smtp = await stack.enter_async_context(FakeSmtp())
        process = Relay(
            tmp_path_factory.mktemp("hostile"),
            RULES % (slack.api_url, smtp.port, teams.url()),
            templates={
                "default.md.j2": "# {{ event.title }}: {{ event.client.name }}\n\n"
                "Name {{ event.client.name }} *and* **{{ event.phone_name }}**\n\n"
                "- **Value:** {{ event.data.value }}\n- {{ event.data.value }}\n"
            },
            env={"RELAY_360DIALOG_SECRET": f"{SECRET} {OLD}"},
        )
        process.slack, process.teams, process.smtp = slack, teams, smtp
        yield await stack.enter_async_context(process)  # type: ignore[misc]


pytestmark = pytest.mark.asyncio(loop_scope="module")

LONG = "x" * 10_000

STRANGERS: dict[str, dict[str, str]] = {
    "nothing": {},
    "empty token": {"Authorization": ""},
    "scheme alone": {"Authorization": "Bearer "},
    "beginning of the token": {"Authorization": f"Bearer {TOKEN[:-1]}"},
    "token and more": {"Authorization": f"Bearer {TOKEN}x"},
    "not ascii": {"Authorization": "Bearer t\u00f6k\u20acn"},
    "empty signature": {SIGNATURE: ""},
    "signature that is none": {SIGNATURE: "sha256=zz"},
    "signature of another length": {SIGNATURE: "sha256=" + "0" * 63},
    "wrong signature and right token": {
        SIGNATURE: "0" * 64,
        "Authorization": f"Bearer {TOKEN}",
    },
}


@pytest.mark.parametrize("headers", STRANGERS.values(), ids=STRANGERS)
async def test_a_stranger_gets_the_same_401_and_leaves_nothing(
    relay: Relay, headers: dict[str, str]
) -> None:
    before = await relay.counted()
    answer = await relay.post(partner(1), headers=headers)
    assert answer == (401, {"error": "not admitted"})
    assert await relay.counted() == before


@pytest.mark.parametrize(
    ("value", "expected"),
    [(LONG, {400}), ("nul\x00", {400}), ("\xff\xfe", {401}), ("\x01", {400, 401})],
    ids=["10 KB", "nul", "bytes", "control"],
)
async def test_an_odd_authorization_header_is_a_refusal_and_no_fault(
    relay: Relay, value: str, expected: set[int]
) -> None:
    before = await relay.counted()
    async with Raw(relay.address) as sender:
        request = head(length=2, more=f"Authorization: Bearer {value}\r\n") + "{}"
        await sender.say(request.encode("latin-1"))
        assert await sender.status() in expected
    assert await relay.counted() == before


async def test_bodies_about_the_limit(relay: Relay) -> None:
    """At it 200; one byte more, announced or in chunks, 413; and without a length 200."""
    empty = json.dumps(partner(900, filler="")).encode()
    fits = json.dumps(partner(900, filler="x" * (LARGEST_BODY - len(empty)))).encode()
    before = await relay.counted()
    assert (await relay.post(fits + b" "))[0] == 413
    async with Raw(relay.address) as sender:
        chunked = f"Authorization: {TOKEN}\r\nTransfer-Encoding: chunked\r\n"
        await sender.say(head(more=chunked))
        for _ in range(LARGEST_BODY // 65_536 + 1):
            await sender.say(b"10000\r\n" + b" " * 65_536 + b"\r\n")
        assert await sender.status() == 413
    assert await relay.counted() == before
    assert (await relay.post(fits))[0] == 200
    body = json.dumps(partner(901)).encode()
    async with Raw(relay.address) as sender:
        await sender.say(head(more=chunked).encode() + f"{len(body):x}\r\n".encode() + body)
        await sender.say(b"\r\n0\r\n\r\n")
        assert await sender.status() == 200


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (gzip.compress(b" " * 50_000_000), "gzip"),
        (b"\x1f\x8b rubbish", "gzip"),
        (zlib.compress(b"{}"), "deflate"),
        (b"{}", "br"),
        (gzip.compress(gzip.compress(b"{}")), "gzip, gzip"),
        (b"{}", "x" * 100),
    ],
    ids=["bomb", "corrupt", "deflate", "br", "double", "unknown"],
)
async def test_compressed_bodies_are_415_and_never_unpacked(
    relay: Relay, body: bytes, encoding: str
) -> None:
    before = await relay.counted()
    headers = {"Authorization": TOKEN, "Content-Encoding": encoding}
    assert (await relay.post(body, headers=headers))[0] == 415
    assert await relay.counted() == before


def envelope(data: str) -> bytes:
    return f'{{"id": "json-abuse", "event": "channel_live", "data": {data}}}'.encode()


ABUSE = {
    "nesting": b"[" * 100_000,
    "nested objects": b'{"a":' * 100_000,
    "nested in data": envelope("[" * 5_000 + "]" * 5_000),
    "long integer": envelope('{"n": %s}' % ("9" * 5_000)),
    "integer of 4,300 digits": envelope('{"n": %s}' % ("9" * 4_300)),
    "beyond 64 bits": envelope('{"n": 9223372036854775808}'),
    "infinity": envelope('{"n": 1e999}'),
    "nan": envelope('{"n": NaN}'),
    "duplicate keys": b'{"event": "channel_live", "event": "x", "data": {}, "data": []}',
    "150,000 keys": envelope("{" + ",".join(f'"k{n}":{n}' for n in range(150_000)) + "}"),
    "half a surrogate": envelope('{"client": {"name": "\\ud800"}}'),
    "nul": envelope('{"client": {"name": "\\u0000"}, "\\u0000": 1}'),
    "not utf-8": b'{"event": "\xff\xfe"}',
    "utf-16": '{"event": "channel_live"}'.encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(partner(902)).encode(),
    "trailing": json.dumps(partner(903)).encode() + b"{}",
    "nothing": b"",
    "null": b"null",
    "a text": b'"channel_live"',
    "a number": b"-0",
    "an empty list": b"[]",
    "an empty object": b"{}",
    "list for an object": b'{"object": "whatsapp_business_account", "entry": {"id": []}}',
    "objects for texts": b'{"id": {}, "event": {"a": 1}, "data": "text"}',
    "event without kind": b'{"id": "x", "data": {"client": {"name": "a"}}}',
    "changes of all types": json.dumps(
        {
            "object": "whatsapp_business_account",
            "entry": [None, 1, "x", [], {}, {"id": 1, "changes": [None, 1, {"field": []}, {}]}],
        }
    ).encode(),
    "html": b"<html><script>alert(1)</script></html>",
    "form": b"a=1&b=2",
    "random": bytes(range(256)) * 50,
}


@pytest.mark.parametrize("body", ABUSE.values(), ids=ABUSE)
async def test_whatever_an_admitted_sender_posts_is_kept_and_answered_with_200(
    relay: Relay, body: bytes
) -> None:
    before = await relay.counted()
    status, answer = await relay.post(body)
    assert status == 200
    after = await relay.counted()
    for word, tally in (("duplicate", "duplicate"), ("quarantined", "quarantined")):
        assert after[tally] - before[tally] == answer[word]
    assert after["received"] - before["received"] == answer["accepted"]


async def test_two_thousand_events_in_one_webhook_with_bad_ones_between_are_all_kept(
    relay: Relay,
) -> None:
    changes: list[Any] = [
        {"field": "message_template_status_update", "value": {"event": "PENDING", "n": n}}
        for n in range(2_000)
    ]
    changes[1_000:1_000] = [None, "x", 7]
    body = {"object": "whatsapp_business_account", "entry": [{"id": "9", "changes": changes}]}
    status, answer = await relay.post(body)
    assert (status, answer["accepted"]) == (200, 2_000)
    assert answer["quarantined"] >= 1
    assert (await relay.post(body))[1]["duplicate"] == 2_000


async def told(relay: Relay, number: int, value: str) -> tuple[Any, Any, Any]:
    """What each target got for an event that has the value in many places."""
    posts, cards, mails = len(relay.slack.posts), len(relay.teams.posts), len(relay.smtp.mails)
    await relay.quiet()
    data = {
        "value": value,
        "client": {"id": "c1CL", "name": value},
        "setup_info": {"phone_number": "491713920011", "phone_name": value},
    }
    body = {"id": f"inject-{number}", "event": "channel_live", "data": data}
    text = json.dumps(body).encode()
    assert (await relay.post(text))[0] == 200
    async with asyncio.timeout(PATIENCE):
        while (
            len(relay.slack.posts) == posts
            or len(relay.teams.posts) == cards
            or len(relay.smtp.mails) == mails
        ):
            await asyncio.sleep(0.01)
    return relay.slack.posts[-1].json, relay.teams.posts[-1].json, relay.smtp.mails[-1]


TRICKS = {
    **{name: text for name, text in HOSTILE.items() if name not in ("long", "lines", "emoji")},
    "jinja": "{{ 7*7 }} {% for x in y %} {{ config }}",
    "formats": "%s {0.__class__} ${x} #{x} %(x)s",
    "private use": "\ue000\ue001\uf8ff",
    "address": '"a\r\n"@x <b@c>',
}


def structure(shape: object) -> set[str]:
    """Every key of a payload, and every type that its parts have."""
    if isinstance(shape, dict):
        own = {f"type {shape['type']}"} if isinstance(shape.get("type"), str) else set()
        return own.union(shape, *(structure(value) for value in shape.values()))
    if isinstance(shape, list):
        return set().union(*(structure(value) for value in shape))
    return set()


async def test_no_event_text_becomes_structure_at_any_target(relay: Relay) -> None:
    """The payload of every trick has no part that those of harmless texts do not have."""
    slack, teams, mail = await told(relay, 0, "harmless")
    shapes = structure(slack), structure(teams)
    for number, text in enumerate(("harmless and long " * 200, "short\nlines\n" * 5), 500):
        long_slack, long_teams, _ = await told(relay, number, text)
        shapes = shapes[0] | structure(long_slack), shapes[1] | structure(long_teams)
    headers = sorted(mail.message.keys())
    for number, (name, text) in enumerate(TRICKS.items(), 1):
        slack, teams, mail = await told(relay, number, text)
        assert structure(slack) <= shapes[0], name
        assert structure(teams) <= shapes[1], name
        assert sorted(mail.message.keys()) == headers, name
        assert mail.recipients == ("oncall@example.com",), name
        assert "\n" not in str(mail.message["Subject"]), name
        html = mail.message.get_body(("html",))
        assert html is not None
        shown = html.get_content().lower()
        assert "<script" not in shown, name
        assert "<img" not in shown, name
        assert 'href="javascript' not in shown, name
        assert "<!channel>" not in slack["text"], name
        for part in (*strings(slack), *strings(teams)):
            assert "\u202e" not in part, name
            assert "\x00" not in part, name

    assert any("{{ 7*7 }}" in text for post in relay.slack.posts for text in strings(post.json))


async def test_rotated_secrets_are_both_good_and_then_the_new_one_alone(relay: Relay) -> None:
    body = json.dumps(partner(950)).encode()
    for secret in (OLD, SECRET):
        assert (await relay.post(body, headers={SIGNATURE: sign(body, secret)}))[0] == 200
    await relay.stop()
    relay.env["RELAY_360DIALOG_SECRET"] = SECRET
    await relay.start()
    assert (await relay.post(body, headers={SIGNATURE: sign(body, SECRET)}))[0] == 200
    assert (await relay.post(body, headers={SIGNATURE: sign(body, OLD)}))[0] == 401


async def test_guesses_at_paths_and_tokens_do_not_fill_the_log(relay: Relay) -> None:
    before = len(relay.raw)
    for n in range(150):
        assert (await relay.get(f"/webhooks/360dialog/guess-{n}"))[0] == 404
        assert (await relay.post(b"{}", headers={"Authorization": f"guess-{n}"}))[0] == 401
        assert (await relay.get("/api/status", Authorization=f"Bearer guess-{n}"))[0] == 401
    status = await relay.get(f"/{'a/' * 2_000}")
    assert status[0] == 404
    refusals = [line for line in relay.raw[before:] if "webhook refused" in line]
    assert len(refusals) <= 20
    assert "guess-" not in "".join(relay.raw[before:])


async def test_an_old_body_posted_again_is_a_duplicate(relay: Relay) -> None:
    body = json.dumps(partner(960)).encode()
    headers = {SIGNATURE: sign(body, SECRET)}
    assert (await relay.post(body, headers=headers))[1]["accepted"] == 1
    assert (await relay.post(body, headers=headers))[1] == {
        "accepted": 0,
        "duplicate": 1,
        "ignored": 0,
        "quarantined": 0,
    }


async def test_after_all_that_the_relay_works_and_saw_no_fault_of_its_own(relay: Relay) -> None:
    assert "relay_loop_faults_total 0.0" in (await relay.get("/metrics"))[1]
    assert 'status="500"' not in (await relay.get("/metrics"))[1]
    said = "".join(relay.raw)
    assert "Traceback" not in said
    assert "unforeseen" not in said
    await told(relay, 999, "the last one")
    counted = (await relay.api("/api/status"))["events"]
    parts = ("unrouted", "unmatched", "muted", "routed")
    assert counted["received"] == sum(counted[part] for part in parts)
