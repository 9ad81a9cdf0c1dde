"""Values on their way through a template: cleaned, and held by marks that mean nothing to Markdown.

A mark is one private-use character of plane 15 that stands for the value of that number. Values
lose all private-use characters on entry, so none can pass for a mark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from babel.numbers import format_decimal

from relay.messages.languages import DEFAULT, locale
from relay.messages.phrases import PHRASES, phrase

MOST_CHARACTERS = 2_000
"""A value is cut here, visibly."""

FIRST_MARK = 0xF0000
MOST_MARKS = 0xFFFD
"""The last two code points of the plane are no characters."""

PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
"""Private-use characters (and the noncharacters among them) of all planes."""

_MARK = re.compile("[\U000f0000-\U000ffffd]")

# Controls but tab and newline, lone surrogates, bidirectional controls, invisible characters,
# tags, noncharacters. ZWJ and variation selectors may be part of an emoji and are looked at below.
_UNWANTED = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ue000-\uf8ff\U000f0000-\U0010ffff"
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b\u200c\u200e\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0e\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\U000e0000-\U000e0fff]"
)
_JOINERS = re.compile("[\u200d\ufe0f]+")
_LINE_ENDS = re.compile("\r\n?|[\u2028\u2029\x85\x0b\x0c]")
_SUSPECT = re.compile(f"{_UNWANTED.pattern[:-1]}\r\u200d\ufe0f\u2028\u2029]")

# What a joiner may stand beside: emoji and the signs that emoji are made of.
_EMOJI = re.compile(
    "[\u00a9\u00ae\u203c\u2049\u20e3\u2122\u2139\u2190-\u21ff\u2300-\u23ff\u2460-\u24ff"
    "\u25a0-\u27bf\u2934\u2935\u2b00-\u2bff\u3030\u303d\u3297\u3299\ufe0f\U0001f000-\U0001faff"
    "0-9#*]"
)


def clean(text: str) -> str:
    """The text without what could deceive a reader or break a channel; line ends are newlines.

    Controls, lone surrogates, private-use, bidirectional and invisible characters go. The joiner
    and the variation selector of emoji stay inside emoji.
    """
    if not _SUSPECT.search(text):
        return text
    text = _LINE_ENDS.sub("\n", text)
    return _JOINERS.sub(_kept_joiner, _UNWANTED.sub("", text))


def _kept_joiner(found: re.Match[str]) -> str:
    text = found.string
    before = text[found.start() - 1] if found.start() else ""
    after = text[found.end()] if found.end() < len(text) else ""
    if not before or not _EMOJI.match(before):
        return ""
    selector = "\ufe0f" if found[0].startswith("\ufe0f") else ""
    joins = "\u200d" in found[0] and after and _EMOJI.match(after) and not after.isascii()
    return selector + ("\u200d" if joins else "")


_ANY_COUNT = r"\S{1,20}"
_WAS_CUT = re.compile(
    "(?:"
    + "|".join(
        re.escape(words["cut"]).replace(r"\{count\}", _ANY_COUNT) for words in PHRASES.values()
    )
    + ")$"
)
"""A text is cut as it comes in; it is not cut again as it is printed."""


def cut(text: str, most: int = MOST_CHARACTERS, language: str = DEFAULT) -> str:
    """At most about so many characters, and how many more there were."""
    if len(text) <= most or (len(text) <= most + 60 and _WAS_CUT.search(text)):
        return text
    count = format_decimal(len(text) - most, locale=locale(language))
    return text[:most] + phrase("cut", language, count=count)


def one_line(text: str, most: int = MOST_CHARACTERS) -> str:
    """Clean text without line breaks, in which no run of spaces is longer than one."""
    return cut(" ".join(clean(text).split()), most)


def mark(number: int) -> str:
    """The mark of the value with this number."""
    return chr(FIRST_MARK + number)


def has_mark(text: str) -> bool:
    return _MARK.search(text) is not None


def is_mark(text: str) -> bool:
    """Whether the text is one mark and nothing else."""
    return _MARK.fullmatch(text) is not None


def before_first_mark(text: str) -> str:
    return _MARK.split(text, maxsplit=1)[0]


def fill(text: str, values: Sequence[Any]) -> str:
    """The text with the values in the places of their marks."""

    def value(found: re.Match[str]) -> str:
        number = ord(found[0]) - FIRST_MARK
        return str(values[number]) if number < len(values) else ""

    return _MARK.sub(value, text)
