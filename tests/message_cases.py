"""Events, contexts and templates for the tests of messages, with defaults for all that is given."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from relay.events import Client, Direction, Event, Severity, Source, Topic
from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Facts,
    Inline,
    Inlines,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
    Text,
)
from relay.messages.languages import Voice
from relay.messages.templates import Context, Templates

NOON = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
ENGLISH = Voice("en", BERLIN, NOON, NOON)
GERMAN = Voice("de", BERLIN, NOON, NOON)
FOLDER = Path(__file__).parent.parent / "message_templates"


def an_event(**given: Any) -> Event:
    fields: dict[str, Any] = {
        "id": "0123456789abcdef0123",
        "source": Source.WABA,
        "kind": "phone_number_quality_update",
        "detail": "FLAGGED",
        "topic": Topic.QUALITY,
        "severity": Severity.WARNING,
        "direction": Direction.WORSE,
        "title": "Number flagged for low quality",
        "received_at": NOON,
        "occurred_at": NOON,
        "phones": ("+491713920011",),
        "phone_name": "Musterladen Support",
        "client": Client("dev001CL", "Musterladen Handels GmbH"),
        "country": "DE",
        "waba": "100000000000101",
        "data": {"event": "FLAGGED", "current_limit": "TIER_10K"},
    }
    return Event(**(fields | given))


def a_context(**given: Any) -> Context:
    fields: dict[str, Any] = {
        "rule": "Quality drops",
        "template": None,
        "timezone": BERLIN,
        "now": NOON,
        "cause": "rule",
    }
    return Context(**(fields | given))


def written(text: str, event: Event | None = None, **context: Any) -> Message:
    """The message of a template with this text."""
    templates = Templates.from_texts({"default.md.j2": text})
    return templates.render(event or an_event(), context=a_context(**context))


def body(text: str, event: Event | None = None, **context: Any) -> str:
    """The plain body without its footer; the title is supplied, and no fault may happen."""
    message = written(f"# T\n\n{text}", event, **context)
    assert message.fault is None, message.fault
    return message.text.removesuffix(message.footer).rstrip()


def all_inlines(blocks: tuple[Block, ...]) -> Iterator[Inline]:
    for block in blocks:
        match block:
            case Paragraph(inlines=inlines):
                yield from inlines
            case Quote(paragraphs=paragraphs):
                for inlines in paragraphs:
                    yield from inlines
            case Facts(facts=facts):
                for fact in facts:
                    yield Text(fact.label)
                    yield from fact.value
            case Buttons(links=links):
                yield from links
            case Bullets(items=items):
                yield from _of_items(items)


def _of_items(items: tuple[Item, ...]) -> Iterator[Inline]:
    for item in items:
        yield from item.inlines
        yield from _of_items(item.items)


def shape(value: Any) -> Any:
    """A message's structure without its words: nodes and styles, runs of one style as one."""
    match value:
        case Message():
            return tuple(shape(block) for block in value.blocks)
        case Paragraph() | Quote():
            inner = value.paragraphs if isinstance(value, Quote) else (value.inlines,)
            return type(value).__name__, tuple(_run(inlines) for inlines in inner)
        case Facts():
            return "Facts", tuple((_run((Text(f.label),)), _run(f.value)) for f in value.facts)
        case Buttons():
            return "Buttons", len(value.links)
        case Bullets():
            return "Bullets", value.ordered, tuple(shape(item) for item in value.items)
        case Item():
            return _run(value.inlines), tuple(shape(item) for item in value.items)
    raise AssertionError(value)


def _run(inlines: Inlines) -> tuple[Any, ...]:
    run: list[Any] = []
    for inline in inlines:
        if isinstance(inline, Break):
            continue
        sign = "Link" if isinstance(inline, Link) else (inline.bold, inline.italic, inline.code)
        if not run or run[-1] != sign:
            run.append(sign)
    return tuple(run)
