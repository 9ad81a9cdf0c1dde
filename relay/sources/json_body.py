"""JSON as senders write it: bytes to plain values, tolerant of what costs nobody anything."""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
from typing import Any

from pydantic_core import from_json

_INT64 = range(-(2**63), 2**63)
_ESCAPE = re.compile(
    r"(?P<pair>\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    r"|(?P<lone>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    r"|(?P<nul>\\u0000)"
    r"|\\[\s\S]"
)
_FLAT = bytes.maketrans(b"123456789E", b"000000000e")
_LARGE = (b"0" * 19, b"0e000", b"0e+000")
"""What a number beyond 64 bits cannot be written without, its digits taken for zeros."""
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), check_circular=False).encode
_PLAIN = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), check_circular=False).encode


class UnreadableBodyError(ValueError):
    """The bytes are no JSON; the text says why without quoting them."""


def parse(body: bytes) -> Any:
    """The value that the bytes hold; raises `UnreadableBodyError`.

    A byte order mark is skipped and a lone surrogate, which no store can keep, becomes U+FFFD.
    NaN, infinities and integers beyond 64 bits become text; NUL characters are left out. The
    parser's own limit of 200 levels keeps everything that walks the value within the stack.
    """
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableBodyError("the body is not UTF-8") from error
    if "\\ud" in text or "\\uD" in text or "\\u0000" in text:
        text = _ESCAPE.sub(_mend, text)
    try:
        value = from_json(text, cache_strings="keys")
    except ValueError as error:
        raise UnreadableBodyError(_reason(str(error))) from error
    flat = body.translate(_FLAT)
    if b"NaN" in body or b"Infinity" in body or any(large in flat for large in _LARGE):
        value = _tidy(value)
    return value


def _mend(escape: re.Match[str]) -> str:
    return "\\ufffd" if escape["lone"] else "" if escape["nul"] else escape[0]


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
    """The value with numbers that no store can keep as text."""
    if isinstance(value, dict):
        return {key: _tidy(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_tidy(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, int) and not isinstance(value, bool) and value not in _INT64:
        return str(value)
    return value


def digest(*values: Any) -> str:
    """A hash over some values, the same whatever their key order and whitespace were."""
    return hashlib.sha256(_CANONICAL(values).encode()).hexdigest()


def keyed(key: bytes, *values: Any) -> str:
    """The same for what is not kept: without the key no guess at the values can be proved."""
    return hmac.digest(key, _CANONICAL(values).encode(), "sha256").hex()


def plain(value: Any) -> bytes:
    """A value as JSON bytes for a person, in the order in which it came."""
    return _PLAIN(value).encode()
