"""What every bundled template says reaches every channel as text, whatever the event holds."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from relay import samples
from relay.events import Client, Event
from relay.messages import Message
from relay.messages.templates import Templates
from relay.text import clean
from tests.channels.test_outbound_payloads import (
    BOT,
    EVERY,
    FLOW,
    HOOK,
    MAIL,
    objects,
    payload,
    sound,
)
from tests.each import each
from tests.fakes.messages import HOSTILE
from tests.message_cases import NOON, a_context
from tests.needs import examples, some

BUNDLED = Templates.shipped()
SHORT = " ".join(text for text in HOSTILE.values() if len(text) < 200)
TEXTS = {"short": SHORT, "lines": HOSTILE["lines"], "long": f"<@U1> {HOSTILE['long']}"}
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)

SLACK_TYPES = {
    "header", "rich_text", "rich_text_section", "rich_text_list", "rich_text_quote", "section",
    "context", "actions", "button", "plain_text", "mrkdwn", "text", "link",
}  # fmt: skip
CARD_TYPES = {
    "message", "AdaptiveCard", "Container", "RichTextBlock", "TextRun", "ColumnSet", "Column",
    "ActionSet", "Action.OpenUrl",
}  # fmt: skip
TAGS = {
    "html", "head", "meta", "title", "style", "body", "div", "table", "tr", "td", "h1", "p", "span",
    "ul", "ol", "li", "br", "strong", "em", "code", "a",
}  # fmt: skip
ATTRIBUTES = {
    "lang", "xmlns", "charset", "name", "content", "style", "role", "width", "cellpadding",
    "cellspacing", "border", "bgcolor", "dir", "class", "valign", "align", "href", "target", "rel",
}  # fmt: skip
OURS = re.compile(r"https://([a-z]+\.)*(360dialog\.(com|io)|facebook\.com|meta\.com)(/.*)?")


def events_of(name: str) -> Event:
    return samples.events_in(samples.find(name), NOON)[0]


EVENTS = {name: events_of(name) for name in samples.names()}


def filled(value: Any, text: str) -> Any:
    """The same data with the text in the place of every text."""
    if isinstance(value, dict):
        return {key: filled(inner, text) for key, inner in value.items()}
    if isinstance(value, list):
        return [filled(inner, text) for inner in value]
    return text if isinstance(value, str) else value


def hostile(event: Event, text: str) -> Event:
    return replace(
        event,
        client=Client(text, text),
        phone_name=text,
        waba=text,
        country=text,
        data=filled(event.data, text),
    )


def told(event: Event, language: str = "en") -> Message:
    context = a_context(rule="<!here> *rule*", now=event.late_since, language=language)
    return BUNDLED.render(event, context=context)


class _Html(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.words = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name == "href"}

    def handle_data(self, data: str) -> None:
        self.words += data


def pieces(to: Any, shape: dict[str, Any]) -> Iterator[str]:
    """What a reader sees of a payload; fails on whatever is neither text nor ours."""
    if to is MAIL:
        read = _Html(shape["html"])
        assert read.tags <= TAGS
        assert read.attributes <= ATTRIBUTES
        assert all(OURS.fullmatch(link) for link in read.links), read.links
        yield read.words
        yield shape["plain"]
        return
    types = CARD_TYPES if to is FLOW else SLACK_TYPES
    for part in objects(shape):
        kind = part.get("type")
        assert kind is None or kind in types
        if "url" in part:
            assert OURS.fullmatch(part["url"])
        if kind == "mrkdwn":
            assert re.fullmatch(r"\*[\w ,.()/'’-]+\*", part["text"])
        if kind in ("plain_text", "text", "TextRun"):
            yield part["text"]
        if kind is None and to is not FLOW and "text" in part:
            assert not re.search("[<>]|&(?!amp;|lt;|gt;)", part["text"]), "the top-level text"


def is_safe(event: Event, text: str, language: str = "en") -> None:
    message = told(hostile(event, text), language)
    start = next((line for line in clean(text).split("\n") if line.strip()), "")[:40].strip()
    for to in EVERY:
        shape = payload(to, message)
        sound(to, shape)
        seen = list(pieces(to, shape))
        if start and start in message.title:
            assert any(start in piece for piece in seen), f"{to.channel} has not {start!r}"


@each("name", EVENTS)
def test_hostile_values_are_text_and_nothing_else(name: str) -> None:
    for text in some([*TEXTS], list(EVENTS).index(name)):
        is_safe(EVENTS[name], TEXTS[text])


@examples(80)
@given(st.sampled_from(sorted(EVENTS)), ANY, st.sampled_from(["en", "de"]))
def test_any_value_is_text_and_nothing_else(name: str, text: str, language: str) -> None:
    is_safe(EVENTS[name], text, language)


@each("name", EVENTS)
@each("language", ["en", "de"])
def test_every_sample_is_told_whole_in_every_channel(name: str, language: str) -> None:
    message = told(EVENTS[name], language)
    for to in EVERY:
        shape = payload(to, message)
        sound(to, shape)
        seen = "\n".join(pieces(to, shape))
        assert message.title in seen or to in (BOT, HOOK)
        assert message.title[:100] in seen
        assert message.footer in seen
        assert "… (cut, " not in seen
