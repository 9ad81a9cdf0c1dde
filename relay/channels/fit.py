"""A message made to fit a channel: clean text, safe links, nothing empty, no longer than allowed.

No channel has room for all that an event can hold, so cleaning stops where the room does, and
what is left is only counted: the work is bounded, however long the texts are.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

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
from relay.text import boundary, clean, cut, cut_note, one_line, safe_url, units

NODE = 6
"""What every piece of a message costs beside its characters, so that many tiny ones end too."""
NOTHING = "–"
"""Stands where a fact or an item has no text."""
MOST_BUTTONS = 10
_LONGEST_BUTTON = 75
"""Slack's limit; longer ones are no buttons anywhere."""
_LONGEST_FOOTER = 500
_LONGEST_LABEL = 100
_LONGEST_LINK = 4_000
_LONGEST_TITLE = 1_000
_BREAK = Break()

LONGEST_GIST = 200
"""Phones show about as much below a title."""
_LOOKED_AT = 2_000
_PIECES = 40
_FEW = 3
"""Facts, or short sentences, that stand for the whole."""
_TELLING = 50
"""Characters that a first sentence must have to be enough: a client's name alone says nothing."""
_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[^\s\da-zß-ÿ])")
"""Between two sentences: not after "9." of a date or before a small letter (`z. B. heute`)."""
_MARKS = re.compile(r"(?:\[[^\[\]]{1,80}\] )+")


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


def shown(inlines: Sequence[Inline]) -> str:
    """The characters that a reader sees of a run of inlines."""
    if len(inlines) == 1 and isinstance(only := inlines[0], Text):
        return only.text
    return "".join(
        [
            inline.text
            if isinstance(inline, Text)
            else inline.label
            if isinstance(inline, Link)
            else "\n"
            for inline in inlines
        ]
    )


def title(message: Message) -> str:
    """The title, clean and on one line."""
    return one_line(message.title[:_LONGEST_TITLE]) or "(no title)"


def footer(message: Message) -> str:
    """The footer, clean and on one line; may be empty."""
    return one_line(message.footer[: 2 * _LONGEST_FOOTER], _LONGEST_FOOTER, message.language)


def marks(title: str) -> str:
    """What a title says about the message itself, such as "[test]"; else nothing."""
    found = _MARKS.match(title)
    return found[0].rstrip() if found else ""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A message in which no text holds a newline (those are `Break`s) and nothing is empty.

    Every link is safe to click; title, footer and buttons are one line each.
    """

    message: Message
    cost: int
    """The room that it takes, title and footer not counted."""


def fit(message: Message, *, room: int, each: int, most: int) -> Fitted:
    """The message with at most `room` characters, `each` in a block, and `most` blocks.

    What is cut is replaced by a note. The first ten buttons stay, whatever else is cut, while
    there are blocks left.
    """
    fitter = _Fitter(message, room, each)
    kept: list[Block] = []
    buttons = MOST_BUTTONS
    for number, block in enumerate(message.blocks):
        if isinstance(block, Buttons):
            links = fitter.buttons(block, buttons)
            if links and len(kept) < most:
                kept.append(Buttons(links))
                buttons -= len(links)
        elif not fitter.done:
            last = len(kept) >= most - 1 and number < len(message.blocks) - 1
            short = Paragraph(fitter.end(number)) if last else fitter.block(number)
            if short is not None:
                kept.append(short)
    fitted = replace(message, title=title(message), footer=footer(message), blocks=tuple(kept))
    return Fitted(fitted, room - fitter.left)


class _Fitter:
    """Spends room in reading order; what comes after its end is only counted."""

    def __init__(self, message: Message, room: int, each: int) -> None:
        self._message = message
        self._each = each
        self._number = 0
        """Of this block."""
        self.left = room
        self._here = 0
        """Room for the rest of this block."""
        self._kept = 0
        """Characters of this block that are kept."""
        self._full = False
        self._seen = False
        """Whether a reader sees anything of these inlines."""
        self.done = False

    def buttons(self, block: Buttons, most: int) -> tuple[Link, ...]:
        """Links of a block as buttons; the unsafe ones are none."""
        links = [
            Link(one_line(link.label, _LONGEST_BUTTON, self._message.language), link.url)
            for each in block.links[: 2 * MOST_BUTTONS]
            if isinstance(link := _link(each), Link)
        ]
        return tuple(links[:most])

    def end(self, number: int) -> Inlines:
        """End before the block of this number, with the note alone."""
        self._number, self._kept, self.done = number, 0, True
        return (self._note(),)

    def block(self, number: int) -> Block | None:
        """The block as far as there is room; None where it has no text."""
        self._number, self._kept, self._full = number, 0, False
        before = self._here = min(self._each, self.left)
        short = self._short(self._message.blocks[number])
        self.left -= before - self._here
        return short

    def _short(self, block: Block) -> Block | None:
        match block:
            case Paragraph(inlines=inlines):
                short = self._inlines(inlines)
                return Paragraph(short) if short else None
            case Facts(facts=facts):
                known = tuple([one for fact in facts if (one := self._fact(fact))])
                return Facts(known) if known else None
            case Bullets(items=items, ordered=ordered):
                listed = self._items(items)
                return Bullets(listed, ordered) if listed else None
            case Quote(paragraphs=paragraphs):
                quoted = tuple([kept for each in paragraphs if (kept := self._inlines(each))])
                return Quote(quoted) if quoted else None
        return None

    def _fact(self, fact: Fact) -> Fact | None:
        if self._full:
            return None
        label = one_line(fact.label, _LONGEST_LABEL, self._message.language) or NOTHING
        self._here -= len(label)
        self._kept += len(fact.label)
        return Fact(label, self._inlines(fact.value) or (Text(NOTHING),))

    def _items(self, items: tuple[Item, ...]) -> tuple[Item, ...]:
        kept = []
        for item in items:
            if self._full:
                break
            inlines = self._inlines(item.inlines)
            below = self._items(item.items) if item.items else ()
            if inlines or below:
                kept.append(Item(inlines, below))
        return tuple(kept)

    def _inlines(self, inlines: Inlines) -> Inlines:
        kept: list[Inline] = []
        self._seen = False
        for inline in inlines:
            if self._full:
                break
            if isinstance(inline, Text):
                self._text(inline, kept)
            elif isinstance(inline, Link):
                link = _link(inline)
                self._add(link, link.label if isinstance(link, Link) else link.text, kept)
            else:
                self._add_break(kept)
        while kept and kept[-1] is _BREAK:
            kept.pop()
        return tuple(kept) if self._seen else ()

    def _text(self, text: Text, kept: list[Inline]) -> None:
        said = text.text
        if said.isascii() and said.isprintable() and len(said) <= 2 * self._each:
            if said:
                self._add(text, said, kept)
            return
        lines = clean(said[: 2 * self._each]).replace("\t", " ").split("\n")
        for number, line in enumerate(lines):
            if self._full:
                return
            if number:
                self._add_break(kept)
            if line.strip() or (line and len(lines) == 1):
                self._add(replace(text, text=line), line, kept)
        if len(said) > 2 * self._each and not self._full:
            self._stop(kept)

    def _add_break(self, kept: list[Inline]) -> None:
        """No line break at the start, and never more than one empty line."""
        if kept and not (kept[-1] is _BREAK and len(kept) > 1 and kept[-2] is _BREAK):
            self._add(_BREAK, "\n", kept)

    def _add(self, inline: Inline, text: str, kept: list[Inline]) -> None:
        size = NODE + (len(text) if text.isascii() else units(text))
        if size <= self._here:
            self._seen = self._seen or not text.isspace()
            self._here -= size
            self._kept += len(text)
            kept.append(inline)
            return
        if isinstance(inline, Text) and self._here > NODE:
            narrow = 2 if size - NODE > len(text) else 1
            if index := boundary(text, (self._here - NODE) // narrow):
                self._kept += index
                kept.append(replace(inline, text=text[:index]))
        self._stop(kept)

    def _stop(self, kept: list[Inline]) -> None:
        self._full, self._seen, self._here = True, True, 0
        self.done = self.left <= self._each
        kept.append(self._note())

    def _note(self) -> Text:
        """How much is left out: of all that follows where the message ends, else of the block."""
        end = None if self.done else self._number + 1
        lost = sum(map(_length, self._message.blocks[self._number : end])) - self._kept
        return Text(cut_note(max(lost, 1), self._message.language), italic=True)


def _link(link: Link) -> Link | Text:
    url = safe_url(link.url)
    label = one_line(link.label[:_LONGEST_LINK])
    if url is None:
        address = one_line(link.url[:_LONGEST_LINK])
        return Text(label if label == address else f"{label} ({address})")
    return link if label == link.label and url == link.url and label else Link(label or url, url)


def _length(block: Block) -> int:
    """Characters of a block; its buttons do not count."""
    match block:
        case Paragraph(inlines=inlines):
            return len(shown(inlines))
        case Bullets(items=items):
            return _items_length(items)
        case Quote(paragraphs=paragraphs):
            return sum(len(shown(inlines)) for inlines in paragraphs)
        case Facts(facts=facts):
            return sum(len(fact.label) + len(shown(fact.value)) for fact in facts)
    return 0


def _items_length(items: tuple[Item, ...]) -> int:
    return sum(len(shown(item.inlines)) + _items_length(item.items) for item in items)


def gist(message: Message) -> str:
    """How the body begins, on one line, or its first facts; may be empty.

    What a notification, an inbox and a lock screen show of a message beside its title.
    """
    facts = before = ""
    for block in message.blocks:
        match block:
            case Paragraph(inlines=inlines) | Quote(paragraphs=(inlines, *_)):
                text = _line(inlines)
            case Bullets(items=items):
                text = " · ".join(_line(item.inlines) for item in items[:_FEW])
            case Facts(facts=known):
                parts = (f"{one_line(fact.label)}: {_line(fact.value)}" for fact in known[:_FEW])
                facts = facts or " · ".join(parts)
                continue
            case _:
                continue
        if before or not text.endswith(":"):
            said = f"{before} {text if before else _opening(text)}".strip()
            return cut(said, LONGEST_GIST, message.language)
        before = text  # "Meta has blocked:" says nothing without what follows
    return cut(before or facts, LONGEST_GIST, message.language)


def _opening(text: str) -> str:
    """The first sentence, with those after it while it says little."""
    said = ""
    for sentence in _SENTENCE.split(text, maxsplit=_FEW):
        if said and len(said) + len(sentence) > LONGEST_GIST:
            break
        said = f"{said} {sentence}".lstrip()
        if len(said) >= _TELLING:
            break
    return said


def _line(inlines: Inlines) -> str:
    return one_line(shown(inlines[:_PIECES])[:_LOOKED_AT])
