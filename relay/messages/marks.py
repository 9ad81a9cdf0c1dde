"""Values on their way through a template, held by marks that mean nothing to Markdown.

A mark is one private-use character of plane 15 that stands for the value of that number. Values
lose all private-use characters on entry (`relay.text.clean`), so none can pass for a mark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

MOST_CHARACTERS = 2_000
"""Units of a value; a longer one is cut, visibly."""

SHORT = MOST_CHARACTERS // 2
"""Texts of so many characters need not be counted in units: none takes more than two."""

FIRST_MARK = 0xF0000
MOST_MARKS = 0xFFFD
"""The last two code points of the plane are no characters."""

PRIVATE = re.compile("[\ue000-\uf8ff\U000f0000-\U0010ffff]")
"""Private-use characters (and the noncharacters among them) of all planes."""

_MARK = re.compile("[\U000f0000-\U000ffffd]")
_A_MARK = re.compile(f"({_MARK.pattern})")


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


@lru_cache(maxsize=4096)
def _parts(text: str) -> tuple[str | int, ...]:
    """The text between its marks, and their numbers."""
    found = _A_MARK.split(text)
    return tuple(ord(part) - FIRST_MARK if at % 2 else part for at, part in enumerate(found))


def fill(text: str, values: Sequence[str]) -> str:
    """The text with the values in the places of their marks."""
    parts = _parts(text)
    if len(parts) == 1:
        return text
    most = len(values)
    return "".join(
        [part if isinstance(part, str) else values[part] if part < most else "" for part in parts]
    )
