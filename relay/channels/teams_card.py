"""A message as an Adaptive Card in the body that a Workflows webhook takes.

Version 1.4, which every Teams client shows. All texts stand in `RichTextBlock`s: `TextBlock` and
`FactSet` parse Markdown, and there is no documented way to escape it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from relay.channels import Parcel
from relay.channels.fitting import Tone, tidy, tone, trim
from relay.channels.texts import cut
from relay.errors import UnsendableError
from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Inline,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
    Text,
)

MOST_BYTES = 20_000
"""Of the whole body. Teams refuses 28,672 bytes of its own encoding, after its 202, and a body
of 24,453 bytes had grown to 28,897 there (MicrosoftDocs/msteams-docs#11274)."""
STYLES = {
    Tone.GOOD: "good",
    Tone.INFO: "emphasis",
    Tone.WARNING: "warning",
    Tone.BAD: "attention",
}
_TITLE = 300
_BUTTON = 75
_MOST_ACTIONS = 6
"""Teams shows six actions of a set."""
_ROOM = 12_000
_NEAR = 64
"""Characters by which the room may miss the best one."""
_EACH = 6_000
_MOST_BLOCKS = 60
_INDENT = "\u00a0\u00a0\u00a0\u00a0"
_Element = dict[str, Any]


def write(parcel: Parcel) -> dict[str, Any]:
    """The body, at most `MOST_BYTES` long as `encoded` writes it.

    Raises `UnsendableError` where not even the shortest form is short enough.
    """
    message = parcel.message
    dressed, plain = tidy(message, _EACH), tidy(_words(message), _EACH)
    write_at = partial(_body, plain if parcel.plain else dressed, plain=parcel.plain)
    if len(encoded(body := write_at(_ROOM))) <= MOST_BYTES:
        return body
    # What a card costs beside its text depends on its parts, so the room is found by trying.
    low, high = 0, _ROOM
    while high - low > _NEAR:
        middle = (low + high) // 2
        if len(encoded(write_at(middle))) <= MOST_BYTES:
            low = middle
        else:
            high = middle
    for body in (write_at(low), write_at(low // 2), _body(plain, low // 2, plain=True)):
        if len(encoded(body)) <= MOST_BYTES:
            return body
    raise UnsendableError("the message is too long for Teams, whatever is cut")


def encoded(body: object) -> bytes:
    """The bytes that go out: letters as they are, since Teams' limit counts bytes."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def _body(message: Message, room: int, *, plain: bool) -> dict[str, Any]:
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "msteams": {"width": "Full"},
        "body": list(_plain(message, room) if plain else _dressed(message, room)),
    }
    return {
        "type": "message",
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": card,
            }
        ],
    }


def _words(message: Message) -> Message:
    """The message as lines of text and nothing else."""
    paragraphs = tuple(Paragraph((Text(part),)) for part in message.text.split("\n\n"))
    return replace(message, blocks=paragraphs, footer="")


def _plain(message: Message, room: int) -> Iterator[_Element]:
    fitted = trim(message, room, _MOST_BLOCKS)
    yield _line([_run(cut(fitted.title, _TITLE), weight="Bolder")])
    for block in fitted.blocks:
        yield from _block(block)


def _dressed(message: Message, room: int) -> Iterator[_Element]:
    fitted = trim(message, room, _MOST_BLOCKS)
    yield {
        "type": "Container",
        "style": STYLES[tone(message)],
        "bleed": True,
        "items": [_line([_run(cut(fitted.title, _TITLE), weight="Bolder", size="Medium")])],
    }
    for block in fitted.blocks:
        yield from _block(block)
    if fitted.footer:
        yield _line([_run(fitted.footer, isSubtle=True, size="Small")]) | {"separator": True}


def _block(block: Block) -> Iterator[_Element]:
    match block:
        case Paragraph(inlines=inlines):
            yield from _lines(inlines)
        case Bullets(items=items, ordered=ordered):
            yield from _items(items, ordered, "")
        case Quote(paragraphs=paragraphs):
            quoted = [line for inlines in paragraphs for line in _lines(inlines)]
            yield {"type": "Container", "style": "emphasis", "items": quoted}
        case Facts(facts=facts):
            for number, fact in enumerate(facts):
                yield _fact(fact) | ({"spacing": "Small"} if number else {})
        case Buttons(links=links):
            for start in range(0, len(links), _MOST_ACTIONS):
                actions = [_button(link) for link in links[start : start + _MOST_ACTIONS]]
                yield {"type": "ActionSet", "actions": actions}


def _lines(inlines: Iterable[Inline]) -> Iterator[_Element]:
    """One block a line: a line break inside a run is not shown everywhere."""
    line: list[_Element] = []
    first = True
    for inline in (*inlines, Break()):
        if not isinstance(inline, Break):
            line.append(_inline(inline))
            continue
        if line:
            yield _line(line) | ({} if first else {"spacing": "None"})
            first = False
        line = []


def _items(items: tuple[Item, ...], ordered: bool, indent: str) -> Iterator[_Element]:
    for number, item in enumerate(items, 1):
        mark = f"{number}. " if ordered else ("◦ " if indent else "• ")
        for place, line in enumerate(_lines(item.inlines or (Text("–"),))):
            lead = indent + (mark if place == 0 else _INDENT)
            tight = {} if number == 1 and not indent and place == 0 else {"spacing": "Small"}
            yield line | {"inlines": [_run(lead), *line["inlines"]]} | tight
        yield from _items(item.items, False, indent + _INDENT)


def _fact(fact: Fact) -> _Element:
    label = [_line([_run(fact.label, weight="Bolder")])]
    return {
        "type": "ColumnSet",
        "columns": [
            {"type": "Column", "width": 1, "items": label},
            {"type": "Column", "width": 3, "items": list(_lines(fact.value))},
        ],
    }


def _inline(inline: Text | Link) -> _Element:
    match inline:
        case Text(text=text, bold=bold, italic=italic, code=code):
            style: _Element = {}
            if bold:
                style["weight"] = "Bolder"
            if italic:
                style["italic"] = True
            if code:
                style["fontType"] = "Monospace"
            return _run(text, **style)
        case Link(label=label, url=url):
            return _run(label, color="Accent", selectAction={"type": "Action.OpenUrl", "url": url})


def _run(text: str, **style: Any) -> _Element:
    return {"type": "TextRun", "text": text, **style}


def _line(runs: Sequence[_Element]) -> _Element:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _button(link: Link) -> _Element:
    return {"type": "Action.OpenUrl", "title": cut(link.label, _BUTTON), "url": link.url}
