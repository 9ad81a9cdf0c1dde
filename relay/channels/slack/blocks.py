"""The parts of a message as Slack's blocks.

Event text stands only in `plain_text` objects and `rich_text` elements, which parse nothing: it
cannot become a mention, a link or an emoji.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from relay.channels import Call
from relay.channels.fit import Tone, shown
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
    Paragraph,
    Quote,
    Text,
)
from relay.text import cut, units

BLOCKS = 50
"""Blocks per message (docs.slack.dev, blocks)."""
RICH_TEXT = 3_000
"""Characters of a rich text: no limit is documented, so the one of a section."""
_HEADER = 150
"""`header.text` (python-slack-sdk, HeaderBlock)."""
_ROWS = 5
"""Of a section, whose ten fields stand in two columns."""
_SHORT_LABEL = 30
_SHORT_VALUE = 40
"""What stands on one line, or nearly, in half the width of a message."""
_PLAIN_WORDS = re.compile(r"[^\W_]([^\W_]|[ ,.()/'’-])*")
_Element = dict[str, Any]


def written(blocks: Sequence[Block], colour: Tone, *, columns: bool) -> list[_Element]:
    """The blocks of a tidy message; with `columns` short facts stand in two."""
    return [part for block in blocks for part in _block(block, colour, columns)]


def header(title: str, language: str) -> _Element:
    """The title, as large as Slack has it."""
    return {"type": "header", "text": _plain_text(cut(title, _HEADER, language))}


def mention(calls: Sequence[Call]) -> _Element:
    """Those who are called, in elements that Slack resolves whatever the text says."""
    elements: list[_Element] = []
    for call in calls:
        elements += [{"type": "text", "text": " "}] if elements else []
        elements.append(_called(call))
    return _rich_text([{"type": "rich_text_section", "elements": elements}])


def _called(call: Call) -> _Element:
    if call.id in ("here", "channel"):
        return {"type": "broadcast", "range": call.id}
    if call.id.startswith("S"):
        return {"type": "usergroup", "usergroup_id": call.id}
    return {"type": "user", "user_id": call.id}


def footer(text: str) -> _Element:
    """The block that closes every message, overrides included."""
    return {"type": "context", "elements": [_plain_text(text)]}


def _block(block: Block, colour: Tone, columns: bool) -> Iterator[_Element]:
    match block:
        case Paragraph(inlines=inlines):
            yield _rich_text([_section("rich_text_section", inlines)])
        case Bullets(items=items, ordered=ordered):
            yield _rich_text(list(_lists(items, ordered, 0)))
        case Quote(paragraphs=paragraphs):
            lines: list[Inline] = []
            for paragraph in paragraphs:
                lines += [Break(), Break(), *paragraph] if lines else paragraph
            yield _rich_text([_section("rich_text_quote", lines)])
        case Facts(facts=facts):
            if columns and all(_is_short(fact) for fact in facts):
                yield from _columns(facts)
            else:
                yield _rich_text([_section("rich_text_section", _lines(facts))])
        case Buttons(links=links):
            buttons = [_button(link) for link in links]
            if colour in (Tone.WARNING, Tone.BAD):
                buttons[0]["style"] = "primary"  # something is to be done, and this is it
            yield {"type": "actions", "elements": buttons}


def _lines(facts: Sequence[Fact]) -> list[Inline]:
    pairs: list[Inline] = []
    for fact in facts:
        pairs += [Break()] if pairs else []
        pairs += [Text(f"{fact.label}: ", bold=True), *fact.value]
    return pairs


def _columns(facts: Sequence[Fact]) -> Iterator[_Element]:
    """Labels left, values right; a phone shows one below the other.

    Only mrkdwn is bold in a column, so a label must be of plain words. The value stands in plain
    text, where nothing is parsed.
    """
    for start in range(0, len(facts), _ROWS):
        fields: list[_Element] = []
        for fact in facts[start : start + _ROWS]:
            fields.append({"type": "mrkdwn", "text": f"*{fact.label}*", "verbatim": True})
            fields.append(_plain_text(shown(fact.value)))
        yield {"type": "section", "fields": fields}


def _is_short(fact: Fact) -> bool:
    return (
        len(fact.label) <= _SHORT_LABEL
        and _PLAIN_WORDS.fullmatch(fact.label) is not None
        and units(shown(fact.value)) <= _SHORT_VALUE
        and all(
            isinstance(inline, Text) and not (inline.bold or inline.italic or inline.code)
            for inline in fact.value
        )
    )


def _rich_text(elements: Sequence[_Element]) -> _Element:
    return {"type": "rich_text", "elements": list(elements)}


def _section(kind: str, inlines: Sequence[Inline]) -> _Element:
    return {"type": kind, "elements": [_inline(inline) for inline in inlines]}


def _lists(items: tuple[Item, ...], ordered: bool, indent: int) -> Iterator[_Element]:
    """Slack has no nested lists: an inner one is a further list with an indent."""
    style = "ordered" if ordered else "bullet"
    run: list[_Element] = []
    done = 0
    for item in items:
        run.append(_section("rich_text_section", item.inlines or (Text("–"),)))
        if item.items:
            yield _list(run, style, indent, done)
            yield from _lists(item.items, False, indent + 1)
            done += len(run)
            run = []
    if run:
        yield _list(run, style, indent, done)


def _list(sections: list[_Element], style: str, indent: int, done: int) -> _Element:
    shape: _Element = {
        "type": "rich_text_list",
        "style": style,
        "indent": indent,
        "elements": sections,
    }
    if style == "ordered" and done:
        shape["offset"] = done
    return shape


def _inline(inline: Inline) -> _Element:
    match inline:
        case Text(text=text, bold=bold, italic=italic, code=code):
            element: _Element = {"type": "text", "text": text}
            if bold or italic or code:
                styles = {"bold": bold, "italic": italic, "code": code}
                element["style"] = {name: True for name, on in styles.items() if on}
            return element
        case Link(label=label, url=url):
            return {"type": "link", "url": url} | ({"text": label} if label != url else {})
        case Break():
            return {"type": "text", "text": "\n"}


def _button(link: Link) -> _Element:
    return {
        "type": "button",
        "text": _plain_text(link.label),
        "url": link.url,
    }


def _plain_text(text: str) -> _Element:
    return {"type": "plain_text", "text": text, "emoji": False}
