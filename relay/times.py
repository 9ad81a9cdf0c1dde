"""Moments and spans of time as people write them, in English or German. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, tzinfo

_UNITS: Mapping[timedelta, str] = {
    timedelta(seconds=1): "s sec secs second seconds sek sekunde sekunden",
    timedelta(minutes=1): "m min mins minute minutes minuten",
    timedelta(hours=1): "h hr hrs hour hours std stunde stunden",
    timedelta(days=1): "d day days tag tage tagen",
    timedelta(weeks=1): "w wk week weeks woche wochen",
}
_UNIT = {word: unit for unit, words in _UNITS.items() for word in words.split()}
_PART = re.compile(r"(\d{1,9}(?:[.,]\d{1,3})?)\s*([a-z]+)\.?\s*(?:,|and|und)?\s*", re.ASCII)
_DAYS = {
    word: number
    for number, words in enumerate(
        (
            "mon monday montag mo",
            "tue tues tuesday dienstag di",
            "wed wednesday mittwoch mi",
            "thu thur thurs thursday donnerstag do",
            "fri friday freitag fr",
            "sat saturday samstag sonnabend sa",
            "sun sunday sonntag so",
        )
    )
    for word in words.split()
}
_AWAY = {
    "today": 0,
    "heute": 0,
    "tomorrow": 1,
    "morgen": 1,
    "day after tomorrow": 2,
    "übermorgen": 2,
}
_MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)
_HOURS = {"noon": 12, "mittag": 12, "mittags": 12, "midnight": 24, "mitternacht": 24}
_MONTHS = {
    word: number
    for number, words in enumerate(
        (
            "jan january januar",
            "feb february februar",
            "mar march märz maerz",
            "apr april",
            "may mai",
            "jun june juni",
            "jul july juli",
            "aug august",
            "sep sept september",
            "oct october okt oktober",
            "nov november",
            "dec december dez dezember",
        ),
        1,
    )
    for word in words.split()
}
_FILLERS = re.compile(r"[,\u202f\xa0]|\b(?:at|um|on|(?<!\d )am(?= [a-z])|den)\b")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d)(?::(?P<second>\d\d))?)?\s*(?P<half>am|pm|uhr)?"
)
_NUMBERS = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(\d{4}|\d\d))?")
_NAMED = re.compile(r"(?:([a-zä]+)\s+(\d{1,2})|(\d{1,2})\.?\s+([a-zä]+))(?:\s+(\d{4}))?")
_TIME = rf"(?P<clock>\d[\d:.]*\s*(?:am|pm|uhr)?|{'|'.join(_HOURS)})"
_DAY_AND_TIME = (
    re.compile(rf"(?:(?P<day>.*?)(?:\s+|t))??{_TIME}"),
    re.compile(rf"{_TIME}\s(?P<day>.+)"),
)


def span(text: str) -> timedelta | None:
    """A span such as `2h`, `90 min`, `1h30m`, `1.5 hours` or `2 Tage`; None for anything else."""
    rest = text.strip().lower()
    total = timedelta()
    while rest:
        found = _PART.match(rest)
        unit = _UNIT.get(found[2]) if found else None
        if found is None or unit is None:
            return None
        try:
            total += unit * float(found[1].replace(",", "."))
        except OverflowError:
            return None
        rest = rest[found.end() :]
    return total or None


def coming(text: str, now: datetime, zone: tzinfo) -> datetime | None:
    """The moment that a person means who speaks of the future; None if it says none.

    ISO 8601 with or without an offset, `29.11.2026 09:00`, `Nov 29 9:00`, `18:00`, `6pm`,
    `tomorrow 9:00`, `9am tomorrow`, `Monday`, `Mo 9 Uhr`, `midnight`. What names no offset is in
    `zone`; a day alone is its beginning; a time or a weekday alone is the next one. A time that
    the clock skips is the one that it skips to; of one that it shows twice, the next.
    """
    said = " ".join(_FILLERS.sub(" ", text.lower()).split())
    moment: datetime | None
    try:
        moment = datetime.fromisoformat(said.upper())
    except ValueError:
        try:
            moment = _spoken(said, now.astimezone(zone))
        except OverflowError:
            return None
        if moment is None:
            return None
    try:
        found = (moment if moment.tzinfo else _next(moment, now, zone)).astimezone(UTC)
        found.astimezone(zone)  # as people are shown it
    except OverflowError:
        return None
    return found


def _next(local: datetime, now: datetime, zone: tzinfo | None) -> datetime:
    """The moment at which the clocks of a zone show this; of two, the one that is not over."""
    first = local.replace(tzinfo=zone)
    return first if first.astimezone(UTC) > now else first.replace(fold=1)


def _spoken(said: str, now: datetime) -> datetime | None:
    """The same as clocks there show it, of what ISO does not know; `now` is in their zone."""
    today = now.replace(tzinfo=None)
    if (day := _on(said, timedelta(), today)) is not None:
        return day
    for form in _DAY_AND_TIME:
        found = form.fullmatch(said)
        clock = _clock(found["clock"]) if found else None
        if found is None or clock is None:
            continue
        if found["day"]:
            return _on(found["day"], clock, today)
        at = _at(today, clock)
        return at if _next(at, now, now.tzinfo).astimezone(UTC) > now else at + timedelta(days=1)
    return None


def _at(day: date, clock: timedelta) -> datetime:
    return datetime.combine(day, time()) + clock


def _on(said: str, clock: timedelta, now: datetime) -> datetime | None:
    if said in _AWAY:
        return _at(now, timedelta(days=_AWAY[said]) + clock)
    if said in _DAYS:
        at = _at(now, timedelta((_DAYS[said] - now.weekday()) % 7) + clock)
        return at if at > now else at + timedelta(days=7)
    day = _date(said, now)
    return None if day is None else _at(day, clock)


def _date(said: str, now: datetime) -> date | None:
    """A date; one without a year is the next of its kind."""
    if found := _NUMBERS.fullmatch(said):
        day, month, year = int(found[1]), int(found[2]), found[3] and f"20{found[3]}"[-4:]
    elif found := _NAMED.fullmatch(said):
        name = found[1] or found[4]
        day, month, year = int(found[2] or found[3]), _MONTHS.get(name, 0), found[5]
    else:
        try:
            return date.fromisoformat(said.upper())
        except ValueError:
            return None
    for one in (int(year),) if year else range(now.year, now.year + 9):
        try:
            made = date(one, month, day)
        except ValueError:  # 29 February waits for its year
            continue
        if year or made >= now.date():
            return made
    return None


def _clock(said: str) -> timedelta | None:
    """A time of day since its beginning; 24:00 is its end."""
    if said in _HOURS:
        return timedelta(hours=_HOURS[said])
    found = _CLOCK.fullmatch(said)
    if found is None or (found["minute"] is None and found["half"] is None):
        return None
    hour, half = int(found["hour"]), found["half"]
    minute, second = int(found["minute"] or 0), int(found["second"] or 0)
    if half in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    clock = timedelta(hours=hour, minutes=minute, seconds=second)
    return clock if max(minute, second) < 60 and clock <= timedelta(days=1) else None


def clock(said: str) -> time | None:
    """A time of day such as `9:00`, `6 pm` or `18 Uhr`, in small letters; `24:00` is midnight."""
    found = _clock(said)
    return None if found is None else (_MIDNIGHT + found).time()


def weekday(said: str) -> int | None:
    """The number of a day of the week, Monday being 0, from its name in small letters."""
    return _DAYS.get(said)
