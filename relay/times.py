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
_PART = re.compile(r"(\d{1,9}(?:[.,]\d{1,3})?)\s*([a-z]+)\s*(?:,|and|und)?\s*", re.ASCII)
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
_AWAY = {"today": 0, "heute": 0, "tomorrow": 1, "morgen": 1}
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
_FILLERS = re.compile(r"[,\u202f\xa0]|\b(?:at|um|on|am(?= [a-z])|den)\b")
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2})(?:[:.](?P<minute>\d\d)(?::(?P<second>\d\d))?)?\s*(?P<half>am|pm|uhr|h)?"
)
_NUMBERS = re.compile(r"(\d{1,2})\.\s?(\d{1,2})\.(?:\s?(\d{4}))?")
_NAMED = re.compile(r"(?:([a-zä]+)\s+(\d{1,2})|(\d{1,2})\.?\s+([a-zä]+))(?:\s+(\d{4}))?")
_TIME_AT_END = re.compile(r"^(?:(?P<day>.*?)(?:\s+|t))??(?P<clock>\d[\d:.]*\s*(?:am|pm|uhr|h)?)$")


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
    `tomorrow 9:00`, `Monday`, `Mo 9 Uhr`. What names no offset is in `zone`; a day alone is its
    beginning; a time or a weekday alone is the next one. A time that the clock skips is the one
    that it skips to.
    """
    said = " ".join(_FILLERS.sub(" ", text.lower()).split())
    moment: datetime | None
    try:
        moment = datetime.fromisoformat(said.upper())
    except ValueError:
        local = now.astimezone(zone)
        moment = _spoken(said, local.replace(tzinfo=None))
        if moment is None:
            return None
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    except OverflowError:
        return None


def _spoken(said: str, now: datetime) -> datetime | None:
    """The same without a zone, of what ISO does not know."""
    if (day := _on(said, time(), now)) is not None:
        return day
    found = _TIME_AT_END.fullmatch(said)
    clock = _clock(found["clock"]) if found else None
    if found is None or clock is None:
        return None
    if not found["day"]:
        at = datetime.combine(now.date(), clock)
        return at if at > now else at + timedelta(days=1)
    return _on(found["day"], clock, now)


def _on(said: str, clock: time, now: datetime) -> datetime | None:
    if said in _AWAY:
        return datetime.combine(now.date() + timedelta(days=_AWAY[said]), clock)
    if said in _DAYS:
        at = datetime.combine(now.date() + timedelta((_DAYS[said] - now.weekday()) % 7), clock)
        return at if at > now else at + timedelta(days=7)
    day = _date(said, now)
    return None if day is None else datetime.combine(day, clock)


def _date(said: str, now: datetime) -> date | None:
    """A date; one without a year is the next of its kind."""
    if found := _NUMBERS.fullmatch(said):
        day, month, year = int(found[1]), int(found[2]), found[3]
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


def _clock(said: str) -> time | None:
    found = _CLOCK.fullmatch(said)
    if found is None or (found["minute"] is None and found["half"] is None):
        return None
    hour, half = int(found["hour"]), found["half"]
    if half in ("am", "pm"):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if half == "pm" else 0)
    try:
        return time(hour, int(found["minute"] or 0), int(found["second"] or 0))
    except ValueError:
        return None
