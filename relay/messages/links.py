"""Addresses in templates: fixed up to their path by the author, or wholly a checked value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, urlsplit

from relay.messages.marks import before_first_mark, fill, has_mark, is_mark

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
