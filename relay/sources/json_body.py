"""JSON as senders write it: bytes to plain values, tolerant of what costs nobody anything."""

from __future__ import annotations

import hashlib
import json
import math
import re
from typing import Any

from pydantic_core import from_json

_BOM = b"\xef\xbb\xbf"
_INT64 = range(-(2**63), 2**63)
_ESCAPE = re.compile(
    r"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|\\[\s\S]"
)


class UnreadableBodyError(ValueError):
    """The bytes are no JSON; the text says why without quoting them."""


def parse(body: bytes) -> Any:
    """The value that the bytes hold; raises `UnreadableBodyError`.

    A byte order mark is skipped and a lone surrogate, which no store can keep, becomes U+FFFD.
    NaN, infinities and integers beyond 64 bits become text; NUL characters are left out. The
    parser's own limit of 200 levels keeps everything that walks the value within the stack.
    """
    try:
        text = body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UnreadableBodyError("the body is not UTF-8") from error
    if "\\ud" in text or "\\uD" in text:
        text = _ESCAPE.sub(_mend, text)
    try:
        value = from_json(text, cache_strings="keys")
    except ValueError as error:
        raise UnreadableBodyError(_reason(str(error))) from error
    return _tidy(value)


def _mend(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape["lone"] else escape[0]


def _reason(fault: str) -> str:
    """The parser's fault as one of a few sentences: its own may grow to quote the body."""
    place = re.search(r"at line \d+ column \d+$", fault)
    where = f" {place[0]}" if place else ""
    if "recursion limit" in fault:
        return f"the body is JSON of more than 200 levels{where}"
    if "trailing" in fault and "characters" in fault:
        return f"something stands behind the JSON{where}"
    if "EOF" in fault:
        return f"the JSON breaks off{where}"
    return f"the body is not JSON{where}"


def _tidy(value: Any) -> Any:
    if isinstance(value, str):
        return value.replace("\0", "") if "\0" in value else value
    if isinstance(value, dict):
        return {_tidy(key): _tidy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        return str(value)
    return value


def canonical(value: Any) -> bytes:
    """The same bytes for the same value, whatever its key order and whitespace were."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def digest(*values: Any) -> str:
    """A hash over the canonical form of some values."""
    return hashlib.sha256(canonical(list(values))).hexdigest()


def plain(value: Any) -> bytes:
    """A value as JSON bytes for a person, in the order in which it came."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
