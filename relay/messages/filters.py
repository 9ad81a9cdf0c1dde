"""What templates can do to a value: dates, numbers, durations and words for people.

Pure: the time zone is an argument. A value that a filter cannot read comes back as it is, because
a raw value in a message is better than none.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from relay import phones

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = {name.lower(): number for number, name in enumerate(MONTHS, 1)}

# Meta writes dates in English words: "March 31, 2026". Some write "31 March 2026".
_ENGLISH = re.compile(r"([A-Za-z]{3,9})\.? (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})")
_BRITISH = re.compile(r"(\d{1,2})(?:st|nd|rd|th)? ([A-Za-z]{3,9})\.?,? (\d{4})")
_FULL_MONTHS = re.compile(
    "jan(uary)?|feb(ruary)?|mar(ch)?|apr(il)?|may|june?|july?|aug(ust)?|sept?(ember)?"
    "|oct(ober)?|nov(ember)?|dec(ember)?"
)
_SECONDS = re.compile(r"\d{9,14}(\.\d{1,6})?")
_EARLIEST = 1e8
"""Smaller numbers are no moments in Unix seconds (3 March 1973) but something else."""
_MILLISECONDS = 1e11
"""Numbers from here on are milliseconds."""
_LATEST = 4e12

_DIRECTIVES = re.compile(r"(?:[^%]|%[-]?[aAbBdHIjmMpSuwyYzZ%])*")
"""What a date format may hold: no widths, which can be used to fill the memory."""


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
    if not re.match(r"\d{4}-\d{2}-\d{2}", text):
        return None
    try:
        if len(text) == len("2026-03-31"):
            return date.fromisoformat(text)
        found = datetime.fromisoformat(re.sub(r"([+-]\d{2})(\d{2})$", r"\1:\2", text))
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _from_words(text: str) -> date | None:
    if found := _ENGLISH.fullmatch(text):
        month, day, year = found.groups()
    elif found := _BRITISH.fullmatch(text):
        day, month, year = found.groups()
    else:
        return None
    month = month.lower()
    if not _FULL_MONTHS.fullmatch(month):
        return None
    try:
        return date(int(year), _MONTH[month[:3]], int(day))
    except ValueError:
        return None


def show_moment(found: datetime | date, zone: ZoneInfo) -> str:
    """`2 Mar 2026, 11:00 CET` in that zone; a day has no time."""
    if not isinstance(found, datetime):
        return f"{found.day} {MONTHS[found.month - 1]} {found.year}"
    try:
        local = found.astimezone(zone)
    except OverflowError:  # within a day of the year 1 or 9999
        local = found
    name = local.tzname() or "UTC"
    name = f"UTC{name}" if name[0] in "+-" else name
    return (
        f"{local.day} {MONTHS[local.month - 1]} {local.year}, {local.hour:02}:{local.minute:02} "
        f"{name}"
    )


def show_date(value: Any, zone: ZoneInfo, pattern: str | None = None) -> Any:
    """A moment in the zone, in the usual form or by a `strftime` pattern; else the value."""
    found = moment(value)
    if found is None:
        return value
    if pattern is None:
        return show_moment(found, zone)
    if not isinstance(pattern, str) or len(pattern) > 64 or not _DIRECTIVES.fullmatch(pattern):
        raise ValueError(f"date: {pattern!r} is no pattern of % and one letter each")
    return (found.astimezone(zone) if isinstance(found, datetime) else found).strftime(pattern)


def show_phone(value: Any) -> Any:
    """A number in its international form, `+49 171 3920011`; else the value."""
    e164 = phones.normalise(value)
    return phones.display(e164) if e164 else value


_STEPS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def show_duration(value: Any) -> Any:
    """Seconds or a timedelta as `2 h 5 min`, in its two largest units; else the value."""
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if isinstance(seconds, str) and re.fullmatch(r"\d{1,12}(\.\d{1,6})?", seconds):
        seconds = float(seconds)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not abs(seconds) < 1e12:
        return value
    sign, rest = ("-" if seconds < 0 else ""), int(abs(seconds))
    for at, (unit, size) in enumerate(_STEPS):
        if rest >= size:
            parts = [f"{rest // size} {unit}"]
            if at + 1 < len(_STEPS):
                smaller, its_size = _STEPS[at + 1]
                if count := rest % size // its_size:
                    parts.append(f"{count} {smaller}")
            return sign + " ".join(parts)
    return "0 s"


_ENUM = re.compile(r"[A-Z][A-Z0-9]*(_[A-Z0-9]+)*|[a-z][a-z0-9]*(_[a-z0-9]+)+")
_TIER = re.compile(r"(?:TIER_)?(\d{1,9})([KM]?)", re.IGNORECASE)
_UNITS = {"": 1, "K": 1_000, "M": 1_000_000}


def show_words(value: Any) -> Any:
    """A constant of the senders in words: `PIN_CHANGED` is "pin changed"; other values stay.

    Messaging tiers become numbers: `TIER_10K` is "10,000 a day".
    """
    if not isinstance(value, str):
        return value
    if value.upper().startswith("TIER_"):
        return show_limit(value)
    return value.replace("_", " ").lower() if _ENUM.fullmatch(value) else value


def show_limit(value: Any) -> Any:
    """A messaging limit in words: `TIER_2K` and 2000 are "2,000 a day", -1 is "unlimited"."""
    text = str(value).strip() if isinstance(value, str | int) else ""
    word = text.upper().removeprefix("TIER_")
    if isinstance(value, bool) or not text:
        return value
    if word in {"UNLIMITED", "-1"}:
        return "unlimited"
    if found := _TIER.fullmatch(text):
        return f"{int(found[1]) * _UNITS[found[2].upper()]:,} a day"
    if text.upper().startswith("TIER_"):
        return word.replace("_", " ").lower()
    return value
