"""Putting the values into a parsed template: they only ever become the text of nodes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

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
from relay.messages.links import address
from relay.messages.markdown import Draft
from relay.messages.marks import fill

LONGEST_TITLE = 300
NOTHING = "–"
"""Stands where a fact has an empty value."""

_SPACES = re.compile(r"\s+")


def filled(draft: Draft, values: Sequence[str]) -> tuple[str, tuple[Block, ...]]:
    """Title and blocks with the values in place; blocks that stay empty are left out."""
    lines = [_SPACES.sub(" ", value) for value in values]
    title = _SPACES.sub(" ", fill(draft.title, lines)).strip()
    if len(title) > LONGEST_TITLE:
        title = title[: LONGEST_TITLE - 1].rstrip() + "…"
    blocks = (block for part in draft.blocks for block in _block(part, values, lines))
    return title, tuple(blocks)


def _block(block: Block, values: Sequence[str], lines: Sequence[str]) -> Iterator[Block]:
    match block:
        case Paragraph(inlines=inlines):
            if full := _inlines(inlines, values, lines):
                yield Paragraph(full)
        case Bullets(items=items, ordered=ordered):
            if kept := _items(items, lines):
                yield Bullets(kept, ordered)
        case Quote(paragraphs=paragraphs):
            quoted = [_inlines(inlines, values, lines) for inlines in paragraphs]
            if said := tuple(inlines for inlines in quoted if inlines):
                yield Quote(said)
        case Facts(facts=facts):
            yield Facts(tuple(_fact(fact, lines) for fact in facts))
        case Buttons(links=links):
            yield from _buttons(links, lines)


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
    for inline in inlines:
        match inline:
            case Text():
                full += _lines(inline, fill(inline.text, values))
            case Link():
                full.append(_link(inline, lines))
            case Break():
                full.append(inline)
    blank = all(isinstance(i, Break) or (isinstance(i, Text) and not i.text.strip()) for i in full)
    return () if blank else tuple(full)


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
