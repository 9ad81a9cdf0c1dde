"""A message made to fit a channel: clean, without empty parts, and no longer than allowed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from relay.channels.tidying import (
    MOST_BUTTONS,
    NODE,
    heading,
    length,
    shown,
    tidy_block,
)
from relay.events import Direction, Severity
from relay.messages import (
    Block,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Inline,
    Inlines,
    Item,
    Message,
    Paragraph,
    Quote,
    Text,
)
from relay.text import boundary, cut_note, units

_SPARE = 40
"""What cleaning does beyond the limit, so that the cut surely falls within what is clean."""


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


@dataclass(frozen=True, slots=True)
class Tidy:
    """A message with clean text.

    After it no text holds a newline (those are `Break`s), no text or list is empty, every link is
    safe to click, title, footer and buttons are one line each.
    """

    message: Message
    lost: int
    """Characters of its end that were not even cleaned: no channel has room for them."""
    cost: int
    """The room that it needs to stand uncut."""


def fit(message: Message, *, room: int, each: int, most: int) -> Message:
    """The message, tidy, with at most `room` characters in all, `each` in a block, `most` blocks.

    What is cut is replaced by a visible mark. Title and footer are not counted.
    """
    return trim(tidy(message, room=room, each=each), room, most)


def tidy(message: Message, *, room: int, each: int) -> Tidy:
    """The message with clean text and at most `each` characters in a block.

    Cleaning ends where `room` surely does, whatever comes then: the work is bounded.
    """
    blocks: list[Block] = []
    left, lost = room + _SPARE, 0
    for block in message.blocks:
        if left < 0 and not isinstance(block, Buttons):
            lost += length(block)
            continue
        whole, dropped = tidy_block(block, each + _SPARE, message.language)
        if whole is None and not dropped:
            continue
        if whole is None:
            whole = Paragraph((Text(cut_note(dropped, message.language), italic=True),))
        elif not isinstance(whole, Buttons):
            cutter = _Cutter(each, length(whole) + dropped, message.language)
            whole = cutter.whole(whole)
            left -= each - cutter.room
        blocks.append(whole)
    cost = room + _SPARE - left
    return Tidy(replace(heading(message), blocks=tuple(blocks)), lost, cost)


def trim(tidied: Tidy, room: int, most: int) -> Message:
    """A tidy message with at most `room` characters and `most` blocks.

    The first ten buttons stay, whatever else is cut, while there are blocks left.
    """
    blocks = tidied.message.blocks
    whole = sum(length(block) for block in blocks) + tidied.lost
    cutter = _Cutter(room, whole, tidied.message.language)
    kept: list[Block] = []
    buttons = MOST_BUTTONS
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
    if tidied.lost and not cutter.full and len(kept) < most:
        kept.append(Paragraph((cutter.stop(),)))
    return replace(tidied.message, blocks=tuple(kept))


class _Cutter:
    """Spends room on pieces in reading order; what comes after its end is dropped.

    The mark is set where the room ends, so it can count all that follows.
    """

    def __init__(self, room: int, whole: int, language: str) -> None:
        self.room = room
        self._language = language
        self._rest = whole
        self.full = False

    def stop(self) -> Text:
        """End here, with the mark."""
        self.full = True
        return Text(cut_note(max(self._rest, 1), self._language), italic=True)

    def whole(self, block: Block) -> Block:
        """The block, or the mark alone."""
        short = self.block(block)
        return short if short is not None else Paragraph((self.stop(),))

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
            text = shown(inline)
            size = units(text)
            if size + NODE <= self.room:
                self.room -= size + NODE
                self._rest -= len(text)
                kept.append(inline)
                continue
            if isinstance(inline, Text) and self.room > NODE:
                index = boundary(text, (self.room - NODE) // (2 if size > len(text) else 1))
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
        self.room -= len(fact.label)
        self._rest -= len(fact.label)
        return Fact(fact.label, self.inlines(fact.value))
