"""What templates can do to a value: dates, numbers, spans of time and words for people.

Pure: language, time zone and moment come as a `Voice`. A value that a filter cannot read comes
back as it is, because a raw value in a message is better than none.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

from relay import phones
from relay.messages.languages import (
    DEFAULT,
    Voice,
    country_name,
    decimal_sign,
    language_name,
    spell_day,
    spell_moment,
    spell_number,
    spell_time,
    spell_unit,
)
from relay.messages.words import TIER, say

FORMS = ("short", "day", "day as sent", "time")
"""What `date` takes besides patterns: without year and zone, without time (in the voice's zone, or
the day that the sender wrote, whatever the zone), the time alone.
"""

_DIRECTIVES = re.compile(r"(?:[^%]|%[-]?[aAbBdHIjmMpSuwyYzZ%])*")
"""What a date format may hold: no widths, which can be used to fill the memory."""
_BIGGEST = 10**15
"""Larger numbers are no amounts but ids."""


def show_moment(found: datetime | date, voice: Voice, *, short: bool = False) -> str:
    """`2 Mar 2026, 11:00 CET` in the voice's zone and language; a day has no time.

    `short` is without the zone, and without the year where it is this one.
    """
    local, language = _local(found, voice), voice.language
    year = not short or local.year != voice.now.astimezone(voice.zone).year
    if not isinstance(local, datetime):
        return spell_day(local, language, year=year)
    return spell_moment(local, language, year=year, zone=not short)


def _local(found: datetime | date, voice: Voice) -> datetime | date:
    if not isinstance(found, datetime):
        return found
    try:
        return found.astimezone(voice.zone)
    except OverflowError:  # within a day of the year 1 or 9999
        return found


def show_date(value: Any, voice: Voice, form: str | None = None) -> Any:
    """A moment in the zone, in the usual form, one of `FORMS` or a pattern; else the value.

    A pattern is `strftime`'s, and its names of months and days are English.
    """
    found = moment(value)
    if found is None:
        return value
    match form:
        case None:
            return show_moment(found, voice)
        case "short":
            return show_moment(found, voice, short=True)
        case "day" | "day as sent":
            is_written = form != "day" and isinstance(value, str) and "-" in value
            local = found if is_written else _local(found, voice)
            day = local.date() if isinstance(local, datetime) else local
            return spell_day(day, voice.language)
        case "time":
            local = _local(found, voice)
            if not isinstance(local, datetime):
                return value
            return spell_time(local.hour, local.minute, voice.language)
    if fault := fault_of_form(form):
        raise ValueError(f"date: {fault}")
    return _local(found, voice).strftime(form)


def fault_of_form(form: object) -> str | None:
    """What is wrong with a form of dates; None where nothing is."""
    if form is None or form in FORMS:
        return None
    if isinstance(form, str) and "%" in form and len(form) <= 64 and _DIRECTIVES.fullmatch(form):
        return None
    return f"{form!r} is neither {', '.join(FORMS)} nor a pattern of % and one letter each"


def show_phone(value: Any) -> Any:
    """A number in its international form, `+49 171 3920011`; else the value."""
    e164 = phones.normalise(value)
    return phones.display(e164) if e164 else value


_STEPS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def show_duration(value: Any, voice: Voice, form: str | None = None) -> Any:
    """Seconds or a timedelta as `3 days 4 hours`, in its two largest units; else the value.

    Seconds are told of less than a minute only. `short` is `3 days, 4 hr`.
    """
    if form not in (None, "short"):
        raise ValueError(f"duration: {form!r} is not short")
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, str) and re.fullmatch(r"\d{1,12}(\.\d{1,6})?", seconds):
        seconds = float(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < 1e12:
        return value
    sign, rest = ("-" if seconds < 0 else ""), int(abs(seconds))
    parts: list[str] = []
    for unit, size in _STEPS:
        count, rest = divmod(rest, size)
        if parts and unit == "second":
            break
        if count:
            parts.append(spell_unit(count, unit, voice.language, form or "long"))
        if len(parts) == 2 or (parts and not count):
            break
    return sign + " ".join(parts or [spell_unit(0, "second", voice.language, form or "long")])


def show_since(value: Any, voice: Voice, form: str | None = None) -> Any:
    """How long before the event that moment was; None where that cannot be said."""
    return _span(value, voice, form, "since")


def show_until(value: Any, voice: Voice, form: str | None = None) -> Any:
    """How long after the event that moment is; None where that cannot be said."""
    return _span(value, voice, form, "until")


def _span(value: Any, voice: Voice, form: str | None, word: str) -> Any:
    found = moment(value)
    if found is None:
        return None
    if isinstance(found, datetime):
        span = voice.happened - found
    else:
        span = voice.happened.astimezone(voice.zone).date() - found
    span = span if word == "since" else -span
    if span < timedelta():
        return None
    if not isinstance(found, datetime):  # of a day nothing smaller than days is known
        return spell_unit(span.days, "day", voice.language, form or "long")
    return show_duration(span, voice, form)


def show_number(value: Any, voice: Voice) -> Any:
    """`10,000`, in German `10.000`; else the value."""
    number = value
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,15}(\.\d{1,6})?", value):
        number = float(value) if "." in value else int(value)
    if isinstance(number, bool) or not isinstance(number, int | float):
        return value
    if not abs(number) < _BIGGEST:
        return value
    return spell_number(number, voice.language)


def show_sum(value: int, offset: int, voice: Voice) -> str:
    """A sum of money of which `offset` make one: `1,234.50` of 123450 hundredths."""
    if offset != 100:
        return str(show_number(round(value / offset, 3), voice))
    point = decimal_sign(voice.language)
    return f"{show_number(value // 100, voice)}{point}{value % 100:02d}"


def show_country(value: Any, voice: Voice) -> Any:
    """`DE` is Germany, in German Deutschland; else the value."""
    if not isinstance(value, str) or not re.fullmatch(r"[A-Za-z]{2}", value):
        return value
    return country_name(value, voice.language) or value


def show_language(value: Any, voice: Voice) -> Any:
    """`de` is German, `pt_BR` Portuguese (Brazil); else the value."""
    if not isinstance(value, str) or len(value) > 20:
        return value
    return language_name(value, voice.language) or value


_ENUM = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*|[a-z][a-z0-9]*(_[a-z0-9]+)+")


def show_words(value: Any, voice: Voice, group: str | None = None) -> Any:
    """A constant of the senders in words; one that nobody knows is lower-cased, `new thing`.

    `group` says what it is about, where it means different things in different places.
    """
    if not isinstance(value, str):
        return value
    if said := _said(value, voice, group):
        return said
    if not _ENUM.fullmatch(value):
        return value
    return value.removeprefix("TIER_").replace("_", " ").lower()


def show_limit(value: Any, voice: Voice) -> Any:
    """A messaging limit in words: `TIER_2K` and 2000 are "2,000 conversations a day"."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return value
    said = _said(str(value).strip(), voice, TIER)
    if said is None and str(value).upper().startswith("TIER_"):
        return show_words(value, voice)
    return value if said is None else said


def _said(term: str, voice: Voice, group: str | None) -> str | None:
    """The words of the language, else the English ones."""
    for language in (voice.language, DEFAULT):
        if (said := say(term, language, group)) is not None:
            return said
        if group not in (None, TIER) and (said := say(term, language)) is not None:
            return said
    return None


# Moments and days as the senders write them, in all the spellings that were seen.

# Meta writes dates in English words: "March 31, 2026". Some write "31st Mar. 2026".
_WORDS = ("%B %d %Y", "%b %d %Y", "%d %B %Y", "%d %b %Y")
_BESIDE = re.compile(r"[.,]|(?<=[0-9])(?:st|nd|rd|th)\b|(?<=sep)t\b", re.IGNORECASE)
"""What may stand beside the words and numbers of a date."""
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_SECONDS = re.compile(r"\d{9,14}(\.\d{1,6})?")
_EARLIEST = 1e8
"""Smaller numbers are no moments in Unix seconds (3 March 1973) but something else."""
_MILLISECONDS = 1e11
"""Numbers from here on are milliseconds."""
_LATEST = 4e12


def moment(value: Any) -> datetime | date | None:
    """The moment or day that a value names; None where it names none.

    Reads datetimes, ISO 8601, Unix seconds and milliseconds as numbers or text, and English
    dates. A text without a zone is UTC.
    """
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=UTC)
    if isinstance(value, date):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _from_seconds(value)
    if not isinstance(value, str) or len(value) > 64:
        return None
    text = value.strip()
    if _SECONDS.fullmatch(text):
        return _from_seconds(float(text))
    return _from_iso(text) or _from_words(text)


def _from_seconds(number: float) -> datetime | None:
    if not _EARLIEST <= number < _LATEST:
        return None
    seconds = number / 1000 if number >= _MILLISECONDS else number
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None


def _from_iso(text: str) -> datetime | date | None:
    # Bare digits and week dates are valid ISO 8601 to Python, and mean something else here.
    if not _DAY.match(text):
        return None
    try:
        if len(text) == len("2026-03-31"):
            return date.fromisoformat(text)
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _from_words(text: str) -> date | None:
    bare = _BESIDE.sub("", text)
    for form in _WORDS if bare[-4:].isdecimal() else ():
        try:
            return datetime.strptime(bare, form).date()  # noqa: DTZ007  # a day
        except ValueError:
            continue
    return None
