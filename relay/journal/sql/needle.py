"""A phone number as it may stand in texts: every spelling of it and of its aliases. Pure."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Set
from typing import Any

import phonenumbers

from relay.journal.sql.rows import COMPLETED, packed
from relay.phones import aliases, index_key

FORGOTTEN = "[forgotten]"
"""What stands where something was erased."""

_BETWEEN = r"[\s().\-/_\[\]·•\u00ad\u2010-\u2015\u2044\u2212\u2215]{0,3}"
_NOT_DIGITS = bytes(set(range(256)) - set(b"0123456789"))
_SHORTEST_NATIONAL = 7
_NAMES_A_NUMBER = re.compile(
    r"(?:phone|phonenumber|phonenumberid|phoneid|phonename|verifiedname|displayname)$"
)
"""Ends of keys (letters and digits alone) whose values are, or name, the number itself."""


class Needle:
    """Finds one number in texts and values."""

    def __init__(self, phone: str) -> None:
        """Of a number in E.164."""
        self._key = index_key(phone)
        patterns: list[str] = []
        self._tails: list[bytes] = []
        for alias in sorted(aliases(phone)):
            digits = alias.removeprefix("+")
            code = _code(alias)
            national = digits.removeprefix(code)
            spaced = _BETWEEN.join(national)
            patterns.append(f"{_BETWEEN.join(code)}{_BETWEEN}(?:0{_BETWEEN})?{spaced}")
            if len(national) >= _SHORTEST_NATIONAL:
                patterns.append(f"0{_BETWEEN}{spaced}")
            self._tails.append(national.encode())
        self._pattern = re.compile(rf"(?<!\d)(?:00)?(?:{'|'.join(patterns)})(?!\d)")

    def is_number(self, phone: str) -> bool:
        """Whether a number in E.164 is this one."""
        return index_key(phone) == self._key

    def is_in(self, value: str | int | float | bytes | None) -> bool:
        """Whether a text, a number or raw bytes hold it, however it is spelled."""
        if value is None:
            return False
        if isinstance(value, bytes):
            return any(self.is_in(text) for text in _texts(value))
        text = value if isinstance(value, str) else str(value)
        if not text.isascii():
            text = "".join(map(_plain, text))
        if not self._may_be_in(text):
            return False
        return self._pattern.search(text) is not None

    def is_in_json(self, text: str | bytes | None) -> bool:
        """The same of JSON, whose escapes may hide it; what is no JSON counts as plain text."""
        if text is None:
            return False
        if self.is_in(text):
            return True
        escape = "\\u" if isinstance(text, str) else b"\\u"
        if escape not in text:  # type: ignore[operator]
            return False
        try:
            value = json.loads(text)
            return bool(self.erased(value) != value)
        except (ValueError, RecursionError):
            return False

    def _may_be_in(self, text: str) -> bool:
        digits = text.encode("ascii", "ignore").translate(None, _NOT_DIGITS)
        return any(tail in digits for tail in self._tails)

    def erased(self, value: Any) -> Any:
        """A JSON value without the number: texts and numbers that hold it are `[forgotten]`."""
        if isinstance(value, Mapping):
            return {
                FORGOTTEN if self.is_in(key) else key: self.erased(item)
                for key, item in value.items()
            }
        if isinstance(value, list):
            return [self.erased(item) for item in value]
        is_scalar = isinstance(value, str | int | float) and not isinstance(value, bool)
        return FORGOTTEN if is_scalar and self.is_in(value) else value

    def in_column(self, column: str, value: Any) -> Any:
        """What a column holds instead; the value itself where it holds nothing of the number."""
        match column:
            case "rendered" | "body":
                return None if self.is_in_json(value) else value
            case "refused" | "reference" | "instead" if self.is_in_json(value):
                return packed(self.erased(json.loads(value)))
            case "files":
                files = json.loads(value)
                erased = {name: self._lines(text) for name, text in files.items()}
                return value if erased == files else packed(erased)
            case _:
                return FORGOTTEN if self.is_in(value) else value

    def _lines(self, text: str) -> str:
        return "\n".join(FORGOTTEN if self.is_in(line) else line for line in text.split("\n"))


def event_without(needle: Needle, shape: Mapping[str, Any]) -> dict[str, Any] | None:
    """A stored event's JSON without the number; None where it holds nothing of it.

    An event of this number also loses what names the number: its display name, and the number's
    id in the event's data; so do the additions of the directory. What the event is about, and
    whose client it is, stays.
    """
    added = shape.get(COMPLETED) or {}
    about = any(needle.is_number(p) for one in (shape, added) for p in one.get("phones", ()))
    names = {
        one["phone_name"].strip().casefold() for one in (shape, added) if one.get("phone_name")
    }
    without: dict[str, Any] = {
        key: value if key in _FIXED else needle.erased(value) for key, value in shape.items()
    }
    if about:
        without |= _of_nobody(needle, shape)
        without["phone"] = next(iter(without["phones"]), None)
        without["data"] = _unnamed(without["data"], names)
        if added:
            without[COMPLETED] = {**without[COMPLETED], **_of_nobody(needle, added)}
    return None if without == dict(shape) else without


def _of_nobody(needle: Needle, shape: Mapping[str, Any]) -> dict[str, Any]:
    phones = [phone for phone in shape["phones"] if not needle.is_number(phone)]
    return {"phones": phones, "phone_name": None}


_FIXED = frozenset(
    {"id", "source", "topic", "severity", "direction", "test", "occurred_at", "received_at"}
)


def _unnamed(value: Any, names: Set[str]) -> Any:
    """The data of an event of the number, without its ids and its names."""
    if isinstance(value, Mapping):
        return {
            key: FORGOTTEN
            if isinstance(item, str | int | float) and _names_a_number(key)
            else _unnamed(item, names)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_unnamed(item, names) for item in value]
    if isinstance(value, str) and value.strip().casefold() in names:
        return FORGOTTEN
    return value


def _names_a_number(key: str) -> bool:
    return _NAMES_A_NUMBER.search(re.sub(r"[\W_]+", "", key).casefold()) is not None


def _texts(value: bytes) -> list[str]:
    """Bytes as the texts that they may be: with a NUL in them also UTF-16."""
    encodings = ("utf-8", "utf-16-le", "utf-16-be") if b"\0" in value else ("utf-8",)
    return [value.decode(encoding, "replace") for encoding in encodings]


def _plain(char: str) -> str:
    """Digits of any script as ASCII; marks that nobody sees as a blank."""
    digit = unicodedata.digit(char, None) if char.isdecimal() else None
    if digit is not None:
        return str(digit)
    return " " if unicodedata.category(char) == "Cf" else char


def _code(e164: str) -> str:
    """The country code; the first digit where no country has the prefix."""
    try:
        return str(phonenumbers.parse(e164).country_code)
    except phonenumbers.NumberParseException:
        return e164[1:2]
