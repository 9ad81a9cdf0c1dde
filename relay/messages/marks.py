"""Values on their way through a template, held by marks that mean nothing to Markdown.

A mark is one private-use character of plane 15 that stands for the value of that number. Values
lose all private-use characters on entry (`relay.text.clean`), so none can pass for a mark.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from urllib.parse import quote, urlsplit

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


def fill(text: str, values: Sequence[str]) -> str:
    """The text with the values in the places of their marks."""
    form = _form(text)
    return text if form is None else form(values)


@lru_cache(maxsize=4096)
def _form(text: str) -> Callable[[Sequence[str]], str] | None:
    """What puts the values in; None where the text has no mark."""
    if not has_mark(text):
        return None
    bare = text.replace("{", "{{").replace("}", "}}")
    return _MARK.sub(lambda found: f"{{0[{ord(found[0]) - FIRST_MARK}]}}", bare).format


# Addresses in templates: fixed up to their path by the author, or wholly a checked value.

LONGEST_URL = 2_000

_ADDRESS = re.compile(r"https?://[^/?#\s@]+([/?#]\S*)?")
_WITH_HOST = re.compile(r"https?://[^/?#\s@]+[/?#]\S*")
_SPACES = re.compile(r"\s")
_HOST = re.compile(r"[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\]")


def is_address(marked: str) -> bool:
    """Whether it is a whole value, or begins with http(s):// and a host that no value changes."""
    if is_mark(marked):
        return True
    pattern = _WITH_HOST if has_mark(marked) else _ADDRESS
    return pattern.fullmatch(before_first_mark(marked)) is not None


def address(marked: str, values: Sequence[str]) -> str | None:
    """The address with its values in place; None where it cannot be followed.

    Values in an address of the author are percent-encoded; a whole value must be plain http(s).
    """
    if is_mark(marked):
        return _whole(fill(marked, values))
    full = fill(marked, [quote(value, safe="") for value in values])
    return full if len(full) <= LONGEST_URL and not _SPACES.search(full) else None


def _whole(value: str) -> str | None:
    value = value.strip()
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    if parts.scheme not in {"http", "https"} or not _HOST.fullmatch(host):
        return None
    full = quote(value, safe=":/?#[]@!$&()*+,;=%-._~")
    return full if len(full) <= LONGEST_URL else None
