"""A message in one breath: what a notification, an inbox and a lock screen show of it."""

from __future__ import annotations

import re

from relay.channels.tidying import shown
from relay.messages import (
    Bullets,
    Facts,
    Inlines,
    Message,
    Paragraph,
    Quote,
)
from relay.text import cut, one_line

LONGEST = 200
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


def gist(message: Message) -> str:
    """How the body begins, on one line, or its first facts; may be empty."""
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
            return cut(said, LONGEST, message.language)
        before = text  # "Meta has blocked:" says nothing without what follows
    return cut(before or facts, LONGEST, message.language)


def marks(title: str) -> str:
    """What a title says about the message itself, such as "[test]"; else nothing."""
    found = _MARKS.match(title)
    return found[0].rstrip() if found else ""


def _opening(text: str) -> str:
    """The first sentence, with those after it while it says little."""
    said = ""
    for sentence in _SENTENCE.split(text, maxsplit=_FEW):
        if said and len(said) + len(sentence) > LONGEST:
            break
        said = f"{said} {sentence}".lstrip()
        if len(said) >= _TELLING:
            break
    return said


def _line(inlines: Inlines) -> str:
    return one_line("".join(shown(inline) for inline in inlines[:_PIECES])[:_LOOKED_AT])
