"""Values on their way through a template, held by marks that mean nothing to Markdown.

A mark is one private-use character of plane 15 that stands for the value of that number. Values
lose all private-use characters on entry (`relay.text.clean`), so none can pass for a mark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

MOST_CHARACTERS = 2_000
"""Units of a value; a longer one is cut, visibly."""

FIRST_MARK = 0xF0000
MOST_MARKS = 0xFFFD
"""The last two code points of the plane are no characters."""

PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
"""Private-use characters (and the noncharacters among them) of all planes."""

_MARK = re.compile("[\U000f0000-\U000ffffd]")


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
