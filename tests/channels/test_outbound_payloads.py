"""Hostile text is text and nothing else, in the payload of every channel."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft6Validator
from slack_sdk.models.blocks import Block as SlackBlock

from relay.channels.email.writing import compose
from relay.channels.exchange import encoded
from relay.channels.registry import open_channels, sandboxed
from relay.channels.slack.override import problems
from relay.messages import Bullets, Buttons, Fact, Facts, Item, Link, Message, Paragraph, Text
from relay.outcomes import Proof, Sent
from relay.text import one_line, units
from tests.each import each
from tests.fakes.messages import (
    HOSTILE,
    LOOPBACK,
    destination,
    everything,
    message,
    parcel,
    skeleton,
    strings,
)
from tests.needs import examples

CHANNELS = open_channels(LOOPBACK)
BOT = destination("slack", {"channel": "#a"}, {"token": "xoxb-1"})
HOOK = destination("slack", {"webhook": "https://hooks.slack.com/services/T/B/x"})
FLOW = destination("teams", {"url": "https://x.environment.api.powerplatform.com/y?sig=z"})
MAIL = destination(
    "email",
    {"to": ["a@example.com", "b@example.com"]},
    {"host": "h", "tls": "none", "sender": "Relay <relay@example.com>"},
)
EVERY = [BOT, HOOK, FLOW, MAIL]
ANY = st.text(st.characters(codec=None), max_size=200)
LONG = message(
    *(Paragraph((Text(f"paragraph {n} " + "ü€👩" * 200),)) for n in range(80)),
    Facts(tuple(Fact(f"label {n}", (Text("v" * 50),)) for n in range(300))),
    Bullets(tuple(Item((Text("x"),)) for _ in range(5_000))),
    Buttons(tuple(Link(f"go {n}", f"https://x.example/{n}") for n in range(40))),
)


def payload(to: Any, content: Message, **more: Any) -> dict[str, Any]:
    shape = CHANNELS[to.channel].payload(to, parcel(content, **more))
    assert json.loads(json.dumps(shape)) == shape
    return shape


def sound(to: Any, shape: dict[str, Any]) -> None:
    """The payload is what its target takes."""
    match to.channel:
        case "slack":
            assert problems(shape) == []
            for part in [shape, *shape.get("attachments", [])]:
                for block in SlackBlock.parse_all(part.get("blocks", [])):
                    block.to_dict()
        case "teams":
            assert len(encoded(shape)) <= 20_000
            card = {k: v for k, v in shape["attachments"][0]["content"].items() if k != "msteams"}
            is_card(card)
            assert not set(kinds(card)) & {"TextBlock", "FactSet"}
        case "email":
            mail = cast(EmailMessage, message_from_bytes(compose(shape), policy=default))
            assert set(mail.keys()) - {"MIME-Version", "Content-Type"} == set(shape["headers"])
            assert [part.get_content_type() for part in mail.iter_parts()] == [
                "text/plain",
                "text/html",
            ]
            assert all(len(line) <= 998 for line in compose(shape).split(b"\r\n"))
            assert len(shape["html"].encode()) <= 100_000, "Gmail cuts mails off at 102 KB"
            for part, name in zip(mail.iter_parts(), ("plain", "html"), strict=True):
                body = cast(EmailMessage, part).get_content()
                assert body.splitlines() == shape[name].splitlines()


def kinds(shape: object) -> Iterator[str]:
    for part in objects(shape):
        if isinstance(part.get("type"), str):
            yield part["type"]


def objects(shape: object) -> Iterator[dict[str, Any]]:
    """Every object inside a payload."""
    if isinstance(shape, dict):
        yield shape
    if isinstance(shape, dict | list):
        for value in shape.values() if isinstance(shape, dict) else shape:
            yield from objects(value)


def _schema() -> Draft6Validator:
    import adaptive_cards

    found = [
        path for path in files(adaptive_cards).joinpath("schemas").iterdir() if "1.4" in path.name
    ]
    return Draft6Validator(json.loads(found[0].read_text()))


SCHEMA = _schema()
_TEXTS = re.compile(r'"(text|url|fallbackText)": "(?:[^"\\]|\\.)*"')
_GOOD: set[str] = set()
"""Cards of one element that the schema took, without their texts: it looks at no text."""


def is_card(card: dict[str, Any]) -> None:
    """The official schema takes the card: whole but for its body, and each element of that."""
    for body in ([], *([part] for part in card["body"])):
        small = {**card, "body": body}
        key = _TEXTS.sub(r'"\1": ""', json.dumps(small))
        if key not in _GOOD:
            SCHEMA.validate(small)
            _GOOD.add(key)


class Tags(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, tuple[str, ...]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, tuple(sorted(name for name, _ in attrs))))


def shape_of(to: Any, body: dict[str, Any]) -> object:
    if to.channel == "email":
        return Tags(body["html"]).found, list(body["headers"])
    return skeleton(body)


@each("name", HOSTILE)
@each("to", EVERY, ids=lambda to: to.target)
@each("plain", [False, True])
def test_hostile_text_makes_a_sound_payload(name: str, to: Any, plain: bool) -> None:
    sound(to, payload(to, everything(HOSTILE[name]), plain=plain))


@examples(60)
@given(ANY.filter(lambda text: text.strip()))
def test_structure_does_not_depend_on_values(value: str) -> None:
    """No value makes or removes an element, a style, a tag, an attribute or a header."""
    # The layout of facts goes by length and plain words; "§" makes every label no plain word.
    text = "§" + one_line(value)
    harmless = "§" + "".join(c if c == " " else "x" * units(c) for c in text[1:])
    for to in EVERY:
        assert shape_of(to, payload(to, everything(text))) == shape_of(
            to, payload(to, everything(harmless))
        )


@pytest.mark.parametrize("to", EVERY, ids=lambda to: to.target)
def test_long_message_is_cut_where_everybody_sees_it(to: Any) -> None:
    shape = payload(to, LONG)
    sound(to, shape)
    assert any("… (cut, " in text for text in strings(shape))
    assert any("1a2b3c4d" in text for text in strings(shape)), "the footer stays"
    assert any("https://x.example/0" in text for text in strings(shape)), "the buttons stay"


@each("size", [19_000, 27_000, 40_000])
@each("sign", ["ü", "🚀", '"', "\\"])
def test_card_is_at_most_20_kb_in_bytes(size: int, sign: str) -> None:
    text = sign * (size // len(sign.encode()) // 5)
    shape = payload(FLOW, message(*(Paragraph((Text(text),)) for _ in range(5))))
    sound(FLOW, shape)
    assert len(encoded(shape)) > 15_000, "no more is cut than must be"


def test_slack_text_is_escaped_once() -> None:
    text = payload(BOT, message(title="a <!channel> & b"))["text"]
    assert text.startswith("a &lt;!channel&gt; &amp; b\n")


@pytest.mark.parametrize("to", [BOT, HOOK], ids=["bot", "hook"])
def test_slack_values_stand_where_nothing_is_parsed(to: Any) -> None:
    shape = payload(to, everything("<!here> *b*"))
    parsed = [part["text"] for part in objects(shape) if part.get("type") == "mrkdwn"]
    assert set(parsed) <= {"*Label*", "*Empty*"}
    assert shape["unfurl_links"] is shape["unfurl_media"] is shape["link_names"] is False


def test_slack_post_has_the_same_client_msg_id_each_time() -> None:
    one, two = payload(BOT, everything("a")), payload(BOT, everything("b"))
    assert one["client_msg_id"] == two["client_msg_id"]
    assert "client_msg_id" not in payload(HOOK, everything("a"))


def test_bad_link_is_text() -> None:
    for to in EVERY:
        shape = payload(to, message(Paragraph((Link("here", "javascript:alert(1)"),))))
        assert "here (javascript:alert(1))" in json.dumps(shape)
        assert 'href="javascript' not in json.dumps(shape)


def test_plain_parcel_has_no_structure_to_refuse() -> None:
    assert set(payload(HOOK, everything("x"), plain=True)) == {
        "text", "mrkdwn", "parse", "link_names", "unfurl_links", "unfurl_media",
    }  # fmt: skip
    card = payload(FLOW, everything("x"), plain=True)["attachments"][0]["content"]
    assert set(kinds(card["body"])) == {"RichTextBlock", "TextRun"}


def test_mail_headers_are_clean_and_steady() -> None:
    content = message(title="a\r\nBcc: x@example.com\u2028b\x00" + "c" * 500)
    one, two = (payload(MAIL, content, thread="quality +49") for _ in range(2))
    assert compose(one) == compose(two)
    mail = message_from_bytes(compose(one), policy=default)
    assert mail["Bcc"] is None
    assert len(mail["Subject"]) <= 200
    assert mail["Message-ID"] == f"<{'d' * 20}@example.com>"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["References"] == mail["In-Reply-To"] != mail["Message-ID"]


def test_mail_html_loads_nothing() -> None:
    html = payload(MAIL, everything("x"))["html"]
    assert not {"img", "link", "script", "iframe"} & {tag for tag, _ in Tags(html).found}
    assert "url(" not in html
    assert "@import" not in html
    assert "src=" not in html


def test_mail_ids_of_a_long_domain_are_not_folded() -> None:
    sender = f"relay@{'sub.' * 40}example.com"
    to = destination(
        "email", {"to": "a@example.com"}, {"host": "h", "tls": "none", "sender": sender}
    )
    raw = compose(payload(to, message(), thread="x"))
    assert b"=?" not in raw
    assert raw.count(b"<thread-") == 2


async def test_sandbox_writes_the_same_and_sends_nothing() -> None:
    for to in EVERY:
        channel = sandboxed(CHANNELS[to.channel])
        shape = channel.payload(to, parcel())
        assert shape == CHANNELS[to.channel].payload(to, parcel())
        outcome = await channel.send(to, shape)
        assert isinstance(outcome, Sent)
        assert outcome.proof is Proof.SANDBOX


def test_registry_imports_no_client_library() -> None:
    code = (
        "import sys, relay.channels.registry;"
        "print(*{'aiohttp', 'slack_sdk', 'aiosmtplib'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == ""
