"""Languages by their codes, how each spells days, numbers and spans, and a message's voice.

Babel knows them all. It is imported when it is first asked: English of no country and the codes
`en` and `de` need it for nothing that every message has, and a command starts without it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, tzinfo
from functools import cache, lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from babel import Locale

DEFAULT = "en"
"""The language of destinations that name none, and of the templates beside the folders."""

_WRITTEN = ("en", "de")
"""Codes that are as they are written here."""
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
    if code in _WRITTEN:
        return code
    if not _CODE.fullmatch(code) or code.casefold() in {"und", "root"}:
        return None
    from babel import Locale, UnknownLocaleError

    try:
        return str(Locale.parse(code.replace("_", "-"), sep="-")).replace("_", "-")
    except (UnknownLocaleError, ValueError):
        return None


@lru_cache(maxsize=64)
def locale(language: str) -> Locale:
    """Babel's locale of a code; English for one that it does not know."""
    from babel import Locale

    return Locale.parse(canonical(language) or DEFAULT, sep="-")


@lru_cache(maxsize=64)
def family(language: str) -> tuple[str, ...]:
    """The code and the more general ones, the nearest first: `pt-BR`, `pt`."""
    parts = language.split("-")
    return tuple("-".join(parts[:end]) for end in range(len(parts), 0, -1))


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


# How a language spells what stands in messages. A day, a minute, a number come again and again.

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_SHORT_UNITS = {"day": "day", "hour": "hr", "minute": "min", "second": "sec"}


@lru_cache(maxsize=1024)
def spell_day(day: date, language: str, *, year: bool = True) -> str:
    """`2 Mar 2026`; English of no country has the day first, since everybody can read it."""
    if language == DEFAULT:
        return f"{day.day} {_MONTHS[day.month - 1]}" + (f" {day.year}" if year else "")
    from babel.dates import format_skeleton

    moment = datetime(day.year, day.month, day.day)  # noqa: DTZ001  # a day
    return format_skeleton("yMMMd" if year else "MMMd", moment, locale=locale(language))


def spell_time(hour: int, minute: int, language: str) -> str:
    """`11:00`; English of no country has 24 hours."""
    if language == DEFAULT:
        return f"{hour:02d}:{minute:02d}"
    from babel.dates import format_time

    return format_time(time(hour, minute), "short", locale=locale(language))


def spell_zone(local: datetime, language: str) -> str:
    """The zone's short name as the language has it, else as the world has it, else the offset."""
    name = ""
    if language.partition("-")[0] != DEFAULT:
        from babel.dates import get_timezone_name

        name = get_timezone_name(local, "short", locale=locale(language))
    if not name or name[0] in "+-" or len(name) > 6:
        name = local.tzname() or "UTC"
    return f"UTC{name}" if name[0] in "+-" else name


def spell_moment(local: datetime, language: str, *, year: bool = True, zone: bool = True) -> str:
    """`2 Mar 2026, 11:00 CET`."""
    minute = local.replace(second=0, microsecond=0, tzinfo=None)
    return _moment(minute, local.fold, local.tzinfo, language, year, zone)


@lru_cache(maxsize=1024)
def _moment(
    minute: datetime, fold: int, zone: tzinfo | None, language: str, year: bool, with_zone: bool
) -> str:
    # Equal moments are equal keys, whatever their zones: so the zone stands beside.
    day = spell_day(minute.date(), language, year=year)
    said = spell_time(minute.hour, minute.minute, language)
    if with_zone:
        said = f"{said} {spell_zone(minute.replace(tzinfo=zone, fold=fold), language)}"
    form = "{1}, {0}"
    if language != DEFAULT:
        form = str(locale(language).datetime_formats.get("medium", form)).replace("'", "")
    return form.replace("{1}", day).replace("{0}", said)


@lru_cache(maxsize=1024)
def spell_number(number: float, language: str) -> str:
    """`10,000`, in German `10.000`."""
    if language == DEFAULT and isinstance(number, int):
        return f"{number:,}"
    from babel.numbers import format_decimal

    return format_decimal(number, locale=locale(language))


def decimal_sign(language: str) -> str:
    """The sign before the hundredths."""
    from babel.numbers import get_decimal_symbol

    return get_decimal_symbol(locale(language))


@lru_cache(maxsize=1024)
def spell_unit(count: int, unit: str, language: str, length: str = "long") -> str:
    """`3 days`; where Babel lacks the long form a shorter one, at last in English."""
    if language == DEFAULT:
        word = unit if length == "long" else _SHORT_UNITS[unit]
        plural = "s" if count != 1 and (length == "long" or unit == "day") else ""
        return f"{count:,} {word}{plural}"
    from babel.units import format_unit

    for size in (length, "short", "narrow"):
        said = format_unit(count, f"duration-{unit}", size, locale=locale(language))  # type: ignore[arg-type]
        if "duration" not in said:
            return said
    return spell_unit(count, unit, DEFAULT, length)


@lru_cache(maxsize=1024)
def country_name(code: str, language: str) -> str | None:
    """`DE` is Germany, in German Deutschland."""
    return locale(language).territories.get(code.upper())


@lru_cache(maxsize=1024)
def language_name(code: str, language: str) -> str | None:
    """`de` is German, `pt-BR` Portuguese (Brazil); None for what is no language."""
    found = canonical(code)
    return None if found is None else locale(found).get_display_name(locale(language))
