"""Moments and days as the senders write them, in all the spellings that were seen."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from typing import Any

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH = {name: number for number, name in enumerate(_MONTHS, 1)}

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
