"""Languages by their codes, and the voice in which a message speaks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from functools import cache, lru_cache
from zoneinfo import ZoneInfo

from babel import Locale, UnknownLocaleError
from babel.localedata import locale_identifiers

DEFAULT = "en"
"""The language of destinations that name none, and of the templates beside the folders."""

_CODE = re.compile(r"[a-z]{2,3}([-_][a-z0-9]{2,8}){0,3}", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Voice:
    """In which language and time zone a message speaks, and of which moments."""

    language: str
    """A code that `canonical` gave."""
    zone: ZoneInfo
    now: datetime
    happened: datetime
    """When the event happened, else when it came."""


@lru_cache(maxsize=512)
def canonical(code: str) -> str | None:
    """The code as it is written here, `de`, `pt-BR`; None for one that Babel does not know.

    The case is free, and an underscore does for a hyphen.
    """
    code = code.strip()
    if not _CODE.fullmatch(code) or code.casefold() in {"und", "root"}:
        return None
    try:
        return str(Locale.parse(code.replace("_", "-"), sep="-")).replace("_", "-")
    except (UnknownLocaleError, ValueError):
        return None


@lru_cache(maxsize=64)
def locale(language: str) -> Locale:
    """Babel's locale of a code; English for one that it does not know."""
    return Locale.parse(canonical(language) or DEFAULT, sep="-")


@lru_cache(maxsize=64)
def family(language: str) -> tuple[str, ...]:
    """The code and the more general ones, the nearest first: `pt-BR`, `pt`."""
    parts = language.split("-")
    return tuple("-".join(parts[:end]) for end in range(len(parts), 0, -1))


@cache
def codes() -> tuple[str, ...]:
    """Every code that Babel knows."""
    return tuple(sorted(found.replace("_", "-") for found in locale_identifiers()))


def meant(word: str) -> str | None:
    """The code that a word stands for: `de` for German, Deutsch and `de-XX`."""
    known = _codes_by_name().get(word.strip().casefold())
    codes = family(word.strip().replace("_", "-")[:40])
    return known or next((code for part in codes if (code := canonical(part))), None)


@cache
def _codes_by_name() -> dict[str, str]:
    codes: dict[str, str] = {}
    for code in ("en", "de", "fr", "es", "it", "pt", "nl", "pl", "tr"):
        own = locale(code)
        codes.setdefault(str(own.languages.get(code, code)).casefold(), code)
    for code in ("en", "de"):
        for found, name in locale(code).languages.items():
            if canonical(found) is not None:
                codes.setdefault(str(name).casefold(), found.replace("_", "-"))
    return codes
