"""Putting the values into a parsed template: they only ever become the text of nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Inline,
    Inlines,
    Item,
    Link,
    Paragraph,
    Quote,
    Text,
)
from relay.messages.markdown import Draft
from relay.messages.marks import address, fill, has_mark
from relay.text import boundary

LONGEST_TITLE = 300
NOTHING = "–"
"""Stands where a fact has an empty value."""

_SPACES = re.compile(r"\s+")


def filled(draft: Draft, values: Sequence[str]) -> tuple[str, tuple[Block, ...]]:
    """Title and blocks with the values in place; blocks that stay empty are left out."""
    if len(draft.steps) < len(draft.blocks):
        draft.steps = tuple(
            block if _holds_mark(block) else tuple(_block(block, (), ())) for block in draft.blocks
        )
    together = " ".join(values)
    lines = values if _is_line(together) else list(map(_one_line, values))
    title = _one_line(fill(draft.title, lines)).strip()
    if len(title) > LONGEST_TITLE:
        title = title[: boundary(title, LONGEST_TITLE - 1)].rstrip() + "…"
    blocks: list[Block] = []
    for step in draft.steps:
        blocks += step if isinstance(step, tuple) else _block(step, values, lines)
    return title, tuple(blocks)


def _is_line(text: str) -> bool:
    return text.isprintable() and "  " not in text


def _one_line(text: str) -> str:
    return text if _is_line(text) else _SPACES.sub(" ", text)


def _holds_mark(part: Any) -> bool:
    """Whether a part of a parsed message has a place for a value."""
    if isinstance(part, str):
        return has_mark(part)
    if isinstance(part, tuple):
        return any(map(_holds_mark, part))
    return any(_holds_mark(getattr(part, name)) for name in getattr(part, "__slots__", ()))


def _block(block: Block, values: Sequence[str], lines: Sequence[str]) -> Sequence[Block]:
    match block:
        case Paragraph(inlines=inlines):
            full = _inlines(inlines, values, lines)
            return (Paragraph(full),) if full else ()
        case Facts(facts=facts):
            return (Facts(tuple([_fact(fact, lines) for fact in facts])),)
        case Bullets(items=items, ordered=ordered):
            kept = _items(items, lines)
            return (Bullets(kept, ordered),) if kept else ()
        case Quote(paragraphs=paragraphs):
            quoted = [_inlines(inlines, values, lines) for inlines in paragraphs]
            said = tuple(inlines for inlines in quoted if inlines)
            return (Quote(said),) if said else ()
        case Buttons(links=links):
            return list(_buttons(links, lines))


def _items(items: tuple[Item, ...], lines: Sequence[str]) -> tuple[Item, ...]:
    kept = []
    for item in items:
        inlines, inner = _inlines(item.inlines, lines, lines), _items(item.items, lines)
        if inlines or inner:
            kept.append(Item(inlines or (Text(NOTHING),), inner))
    return tuple(kept)


def _fact(fact: Fact, lines: Sequence[str]) -> Fact:
    label = fill(fact.label, lines).strip() or NOTHING
    return Fact(label, _inlines(fact.value, lines, lines) or (Text(NOTHING),))


def _buttons(links: tuple[Link, ...], lines: Sequence[str]) -> Iterator[Block]:
    """Links that may be followed as buttons; the labels of the others as text."""
    full = [_link(link, lines) for link in links]
    if good := tuple(link for link in full if isinstance(link, Link)):
        yield Buttons(good)
    for label in full:
        if isinstance(label, Text) and label.text.strip():
            yield Paragraph((label,))


def _inlines(inlines: Inlines, values: Sequence[str], lines: Sequence[str]) -> Inlines:
    """`values` for running text, where a newline is a break; `lines` for labels."""
    full: list[Inline] = []
    seen = False
    for inline in inlines:
        if isinstance(inline, Text):
            said = fill(inline.text, values)
            if said == inline.text:
                full.append(inline)
            elif "\n" in said:
                full += _lines(inline, said)
            elif said:
                full.append(Text(said, inline.bold, inline.italic, inline.code))
            seen = seen or not (said.isspace() or not said)
        elif isinstance(inline, Link):
            full.append(_link(inline, lines))
            seen = True
        else:
            full.append(inline)
    return tuple(full) if seen else ()


def _lines(text: Text, full: str) -> Iterator[Inline]:
    for number, line in enumerate(full.split("\n")):
        if number:
            yield Break()
        if line:
            yield Text(line, text.bold, text.italic, text.code)


def _link(link: Link, lines: Sequence[str]) -> Link | Text:
    label = fill(link.label, lines).strip()
    url = address(link.url, lines)
    if url is None:
        return Text(label or NOTHING)
    return Link(label or url, url)
