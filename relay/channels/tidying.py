"""A message with clean text: no empty parts, no unsafe links, no newline outside of a `Break`.

No channel has room for all that an event can hold, so cleaning stops where the room surely ends,
and what is left is only counted: the work is bounded, however long the texts are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

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
    Message,
    Paragraph,
    Quote,
    Text,
)
from relay.text import clean, cut, one_line, safe_url, units

NODE = 6
"""What every piece of a message costs beside its characters, so that many tiny ones end too."""
MOST_BUTTONS = 10
_LONGEST_BUTTON = 75
"""Slack's limit; longer ones are no buttons anywhere."""
_LONGEST_FOOTER = 500
_LONGEST_LABEL = 100
_LONGEST_TITLE = 1_000
_CHUNK = 4_096
"""Characters that are cleaned at a time."""
NOTHING = "–"
"""Stands where a fact or an item has no text."""


def heading(message: Message) -> Message:
    """The message with clean title and footer of one line each."""
    return replace(
        message,
        title=one_line(message.title[:_LONGEST_TITLE]) or "(no title)",
        footer=one_line(message.footer[: 2 * _LONGEST_FOOTER], _LONGEST_FOOTER, message.language),
    )


def tidy_block(block: Block, room: int, language: str) -> tuple[Block | None, int]:
    """The block with clean text, None if it has none, and how many characters were left out.

    Where some were, the block costs a little more than `room`.
    """
    cleaner = _Cleaner(room, language)
    return cleaner.block(block), cleaner.lost


class _Cleaner:
    """Cleans in reading order, until more than `room` is spent."""

    def __init__(self, room: int, language: str) -> None:
        self._room = room
        self._language = language
        self.lost = 0

    @property
    def full(self) -> bool:
        return self._room < 0

    def block(self, block: Block) -> Block | None:
        match block:
            case Paragraph(inlines=inlines):
                short = self._inlines(inlines)
                return Paragraph(short) if short else None
            case Bullets(items=items):
                listed = self._items(items)
                return replace(block, items=listed) if listed else None
            case Quote(paragraphs=paragraphs):
                quoted = tuple(short for each in paragraphs if (short := self._inlines(each)))
                return Quote(quoted) if quoted else None
            case Facts(facts=facts):
                known = tuple(kept for fact in facts if (kept := self._fact(fact)))
                return Facts(known) if known else None
            case Buttons(links=links):
                shown = tuple(
                    Link(cut(link.label, _LONGEST_BUTTON, self._language), link.url)
                    for each in links[: 2 * MOST_BUTTONS]
                    if isinstance(link := _link(each), Link)
                )
                return Buttons(shown[:MOST_BUTTONS]) if shown else None

    def _items(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        kept = []
        for item in items:
            if self.full:
                self.lost += _items_length((item,))
                continue
            inlines, below = self._inlines(item.inlines), self._items(item.items)
            if inlines or below:
                kept.append(Item(inlines, below))
        return tuple(kept)

    def _fact(self, fact: Fact) -> Fact | None:
        if self.full:
            self.lost += len(fact.label) + inlines_length(fact.value)
            return None
        label = one_line(fact.label[: 2 * _LONGEST_LABEL])[:_LONGEST_LABEL] or NOTHING
        self._room -= len(label)
        return Fact(label, self._inlines(fact.value) or (Text(NOTHING),))

    def _inlines(self, inlines: Inlines) -> Inlines:
        kept: list[Inline] = []
        for inline in inlines:
            if self.full:
                self.lost += len(shown(inline))
            else:
                kept.extend(self._inline(inline, kept))
        while kept and isinstance(kept[-1], Break):
            kept.pop()
        return tuple(kept) if any(shown(inline).strip() for inline in kept) else ()

    def _inline(self, inline: Inline, before: list[Inline]) -> Iterator[Inline]:
        last: Inline | None = before[-1] if before else None
        last_but_one: Inline | None = before[-2] if len(before) > 1 else None
        for piece in self._pieces(inline):
            # No line break at the start, and never more than one empty line.
            empty = isinstance(last, Break) and isinstance(last_but_one, Break)
            if isinstance(piece, Break) and (last is None or empty):
                continue
            self._room -= units(shown(piece)) + NODE
            last, last_but_one = piece, last
            yield piece

    def _pieces(self, inline: Inline) -> Iterator[Inline]:
        match inline:
            case Link():
                yield _link(inline)
            case Break():
                yield inline
            case Text(text=text, bold=bold, italic=italic, code=code):
                for start in range(0, len(text), _CHUNK):
                    if self.full:
                        self.lost += len(text) - start
                        return
                    lines = clean(text[start : start + _CHUNK]).replace("\t", " ").split("\n")
                    for number, line in enumerate(lines):
                        if self.full:
                            self.lost += sum(len(rest) + 1 for rest in lines[number:])
                            break
                        if number:
                            yield Break()
                        if line.strip() or (line and len(lines) == 1):
                            yield Text(line, bold, italic, code)


def _link(link: Link) -> Link | Text:
    url = safe_url(link.url)
    label = one_line(link.label[:_CHUNK])
    if url is None:
        address = one_line(link.url[:_CHUNK])
        return Text(label if label == address else f"{label} ({address})")
    return Link(label or url, url)


def shown(inline: Inline) -> str:
    """The characters that a reader sees of an inline."""
    match inline:
        case Text(text=text):
            return text
        case Link(label=label):
            return label
        case Break():
            return "\n"


def length(block: Block) -> int:
    """Characters of a block; its buttons do not count."""
    match block:
        case Paragraph(inlines=inlines):
            return inlines_length(inlines)
        case Bullets(items=items):
            return _items_length(items)
        case Quote(paragraphs=paragraphs):
            return sum(inlines_length(inlines) for inlines in paragraphs)
        case Facts(facts=facts):
            return sum(len(fact.label) + inlines_length(fact.value) for fact in facts)
        case Buttons():
            return 0


def inlines_length(inlines: Inlines) -> int:
    """Characters of a run of inlines."""
    return sum(len(shown(inline)) for inline in inlines)


def _items_length(items: tuple[Item, ...]) -> int:
    return sum(inlines_length(item.inlines) + _items_length(item.items) for item in items)
