"""`quiet` and `digest` of destinations: when what can wait is told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from relay.config.form import Form
from relay.config.nodes import Entry, quoted, unknown
from relay.quiet import Daily, Every, Hours
from relay.times import clock, span, weekday

QUIET_KEYS = ("from", "to", "days", "timezone")
SHORTEST, LONGEST = timedelta(seconds=1), timedelta(days=7)
_CLOCK: Mapping[str, Any] = {
    "type": "string",
    "pattern": r"^\s*\d{1,2}([:.]\d\d)?\s*([aApP][mM]|[uU][hH][rR]|[hH])?\s*$|\$\{",
    "examples": ["20:00", "07:00"],
}
_DAY: Mapping[str, Any] = {"type": "string", "examples": ["mon", "tue", "sat", "sun"]}
QUIET: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "from": {**_CLOCK, "description": "When it begins: 20:00."},
        "to": {**_CLOCK, "description": "When it ends; the next day where that is earlier: 07:00."},
        "days": {
            "anyOf": [_DAY, {"type": "array", "items": _DAY, "minItems": 1}],
            "description": "On which days it begins. Unset: on each.",
        },
        "timezone": {"type": "string", "description": "Whose clock it is. Unset: the rules'."},
    },
    "required": ["from", "to"],
    "additionalProperties": False,
    "description": "Holds what is neither critical nor sent by a rule with `always`, then tells it "
    "in one message.",
}
DIGEST: Mapping[str, Any] = {
    "type": "string",
    "pattern": r"^\s*(daily|every)\s+\S|\$\{",
    "description": "Holds what can wait, and tells it in one message each day at a time, or every "
    "so often.",
    "examples": ["daily 09:00", "every 30m"],
}


def read_quiet(form: Form, entry: Entry) -> Hours | None:
    """The quiet hours of a destination."""
    fields = form.fields(entry.value, "quiet", QUIET_KEYS)
    if fields is None:
        return None
    for name in ("from", "to"):
        if fields.entry(name) is None:
            form.error(entry.key, f'quiet needs {name}: a time such as "20:00"')
    begin, end = (_time(form, fields.entry(name)) for name in ("from", "to"))
    days = _days(form, fields.entry("days"))
    zone = _zone(form, fields.entry("timezone"))
    if begin is None or end is None:
        return None
    if begin == end:
        form.error(entry.key, "quiet begins and ends at the same time: use digest to hold always")
        return None
    return Hours(begin, end, days, zone)


def read_digest(form: Form, entry: Entry) -> Daily | Every | None:
    """When a destination is told what was held."""
    filled = form.given(entry)
    if filled is None:
        return None
    word, _, rest = filled.text.strip().lower().partition(" ")
    at, length = clock(rest.strip()), span(rest)
    if word == "daily" and at is not None:
        return Daily(at)
    if word == "every" and length is not None and SHORTEST <= length <= LONGEST:
        return Every(length)
    form.error(entry.value, 'digest must be such as "daily 09:00" or "every 30m" (at most 7d)')
    return None


def _time(form: Form, entry: Entry | None) -> time | None:
    filled = form.given(entry)
    if entry is None or filled is None:
        return None
    found = clock(filled.text.strip().lower())
    if found is None:
        form.error(entry.value, f'{quoted(filled.written)} is no time of day: write "20:00"')
    return found


def _days(form: Form, entry: Entry | None) -> frozenset[int]:
    every = frozenset(range(7))
    if entry is None:
        return every
    found = set()
    for node in form.items(entry.value, "days"):
        filled = form.filled(node, "days")
        if filled is None or filled.missing:
            continue
        day = weekday(filled.text.strip().casefold())
        if day is None:
            names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
            form.error(node, unknown("day", filled.written, names))
        else:
            found.add(day)
    return frozenset(found) or every


def _zone(form: Form, entry: Entry | None) -> ZoneInfo | None:
    filled = form.given(entry)
    if entry is None or filled is None:
        return None
    try:
        return ZoneInfo(filled.text.strip())
    except (ValueError, OSError, KeyError):
        form.error(entry.value, unknown("time zone", filled.written, available_timezones()))
    return None
