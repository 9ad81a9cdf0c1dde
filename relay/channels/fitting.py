"""A message made to fit a channel: clean, without empty parts, and no longer than allowed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from enum import StrEnum

from relay.channels.texts import boundary, clean, cut, cut_mark, one_line, safe_url, units
from relay.events import Direction, Severity
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

_NODE = 6
"""What every piece of a message costs beside its characters, so that many tiny ones end too."""
_MOST_BUTTONS = 10
_LONGEST_BUTTON = 75
"""Slack's limit; longer ones are no buttons anywhere."""
_LONGEST_FOOTER = 500


class Tone(StrEnum):
    """What the colour of a message says."""

    GOOD = "good"
    INFO = "info"
    WARNING = "warning"
    BAD = "bad"


def tone(message: Message) -> Tone:
    """Good news is green however grave its subject; the rest goes by severity."""
    if message.direction is Direction.BETTER:
        return Tone.GOOD
    match message.severity:
        case Severity.CRITICAL:
            return Tone.BAD
        case Severity.WARNING:
            return Tone.WARNING
    return Tone.WARNING if message.direction is Direction.WORSE else Tone.INFO


def fit(message: Message, *, room: int, each: int, most: int) -> Message:
    """The message, tidy, with at most `room` characters in all, `each` in a block, `most` blocks.

    What is cut is replaced by a visible mark. Title and footer are not counted.
    """
    return trim(tidy(message, each), room, most)


def tidy(message: Message, each: int) -> Message:
    """The message with clean text and at most `each` characters in a block.

    After it no text holds a newline (those are `Break`s), no text or list is empty, every link is
    safe to click, title, footer and buttons are one line each.
    """
    blocks = []
    for block in message.blocks:
        whole = _clean_block(block)
        if whole is not None:
            blocks.append(whole if isinstance(whole, Buttons) else _alone(whole, each))
    return replace(
        message,
        title=one_line(message.title) or "(no title)",
        blocks=tuple(blocks),
        footer=cut(one_line(message.footer), _LONGEST_FOOTER),
    )


def trim(message: Message, room: int, most: int) -> Message:
    """A tidy message with at most `room` characters and `most` blocks.

    The first ten buttons stay, whatever else is cut, while there are blocks left.
    """
    blocks = message.blocks
    cutter = _Cutter(room, sum(_length(block) for block in blocks))
    kept: list[Block] = []
    buttons = _MOST_BUTTONS
    for block in blocks:
        if len(kept) >= most - 1 and len(blocks) > most and not cutter.full:
            kept.append(Paragraph((cutter.stop(),)))
        if isinstance(block, Buttons):
            if len(kept) < most and buttons:
                kept.append(Buttons(block.links[:buttons]))
                buttons -= len(block.links[:buttons])
            continue
        if cutter.full:
            continue
        short = cutter.block(block)
        if short is not None:
            kept.append(short)
    return replace(message, blocks=tuple(kept))


def _alone(block: Block, each: int) -> Block:
    length = _length(block)
    short = _Cutter(each, length).block(block) if length else block
    return short if short is not None else Paragraph((Text(cut_mark(length)),))


class _Cutter:
    """Spends room on pieces in reading order; what comes after its end is dropped.

    The mark is set where the room ends, so it can count all that follows.
    """

    def __init__(self, room: int, length: int) -> None:
        self._room = room
        self._rest = length
        self.full = False

    def stop(self) -> Text:
        """End here, with the mark."""
        self.full = True
        return Text(cut_mark(self._rest), italic=True)

    def block(self, block: Block) -> Block | None:
        match block:
            case Paragraph(inlines=inlines):
                short = self.inlines(inlines)
                return Paragraph(short) if short else None
            case Bullets(items=items):
                return replace(block, items=self._items(items))
            case Quote(paragraphs=paragraphs):
                return Quote(tuple(short for each in paragraphs if (short := self.inlines(each))))
            case Facts(facts=facts):
                return Facts(tuple(kept for fact in facts if (kept := self._fact(fact))))
            case Buttons():
                return block

    def inlines(self, inlines: Inlines) -> Inlines:
        kept: list[Inline] = []
        for inline in inlines:
            if self.full:
                break
            text = _shown(inline)
            cost = units(text) + _NODE
            if cost <= self._room:
                self._room -= cost
                self._rest -= len(text)
                kept.append(inline)
                continue
            if isinstance(inline, Text) and self._room > _NODE:
                index = boundary(
                    text, (self._room - _NODE) // (2 if units(text) > len(text) else 1)
                )
                if index:
                    self._rest -= index
                    kept.append(replace(inline, text=text[:index]))
            kept.append(self.stop())
        return tuple(kept)

    def _items(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        kept = []
        for item in items:
            if self.full:
                break
            inlines = self.inlines(item.inlines)
            below = () if self.full else self._items(item.items)
            if inlines or below:
                kept.append(Item(inlines, below))
        return tuple(kept)

    def _fact(self, fact: Fact) -> Fact | None:
        if self.full:
            return None
        self._room -= len(fact.label)
        self._rest -= len(fact.label)
        return Fact(fact.label, self.inlines(fact.value))


def _clean_block(block: Block) -> Block | None:
    match block:
        case Paragraph(inlines=inlines):
            short = _clean_inlines(inlines)
            return Paragraph(short) if short else None
        case Bullets(items=items):
            listed = _clean_items(items)
            return replace(block, items=listed) if listed else None
        case Quote(paragraphs=paragraphs):
            quoted = tuple(short for each in paragraphs if (short := _clean_inlines(each)))
            return Quote(quoted) if quoted else None
        case Facts(facts=facts):
            cleaned = tuple(
                Fact(one_line(fact.label)[:100] or "–", _clean_inlines(fact.value) or (Text("–"),))
                for fact in facts
            )
            return Facts(cleaned) if cleaned else None
        case Buttons(links=links):
            shown = tuple(
                Link(cut(link.label, _LONGEST_BUTTON), link.url)
                for each in links
                if isinstance(link := _clean_link(each), Link)
            )
            return Buttons(shown) if shown else None


def _clean_items(items: tuple[Item, ...]) -> tuple[Item, ...]:
    cleaned = (Item(_clean_inlines(item.inlines), _clean_items(item.items)) for item in items)
    return tuple(item for item in cleaned if item.inlines or item.items)


def _clean_link(link: Link) -> Link | Text:
    url = safe_url(link.url)
    label = one_line(link.label)
    if url is None:
        address = one_line(link.url)
        return Text(label if label == address else f"{label} ({address})")
    return Link(label or url, url)


def _clean_inlines(inlines: Inlines) -> Inlines:
    cleaned = [piece for inline in inlines for piece in _clean_inline(inline)]
    while cleaned and isinstance(cleaned[0], Break):
        cleaned.pop(0)
    while cleaned and isinstance(cleaned[-1], Break):
        cleaned.pop()
    if not "".join(_shown(inline) for inline in cleaned).strip():
        return ()
    return tuple(cleaned)


def _clean_inline(inline: Inline) -> Iterator[Inline]:
    match inline:
        case Text(text=text):
            for number, line in enumerate(clean(text).replace("\t", " ").split("\n")):
                if number:
                    yield Break()
                if line:
                    yield replace(inline, text=line)
        case Link():
            yield _clean_link(inline)
        case Break():
            yield inline


def _shown(inline: Inline) -> str:
    match inline:
        case Text(text=text):
            return text
        case Link(label=label):
            return label
        case Break():
            return "\n"


def _length(block: Block) -> int:
    match block:
        case Paragraph(inlines=inlines):
            return _inlines_length(inlines)
        case Bullets(items=items):
            return _items_length(items)
        case Quote(paragraphs=paragraphs):
            return sum(_inlines_length(inlines) for inlines in paragraphs)
        case Facts(facts=facts):
            return sum(len(fact.label) + _inlines_length(fact.value) for fact in facts)
        case Buttons():
            return 0


def _inlines_length(inlines: Inlines) -> int:
    return sum(len(_shown(inline)) for inline in inlines)


def _items_length(items: tuple[Item, ...]) -> int:
    return sum(_inlines_length(item.inlines) + _items_length(item.items) for item in items)
