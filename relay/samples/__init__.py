"""Bundled sample webhooks: one for every kind of event and for every detail with a meaning.

A sample is called `KIND` or `KIND/DETAIL`. Where that means several things, another word in lower
case follows: `account_update/DISABLED_UPDATE/reinstate`, `template_category_update/notice`.
Clients, numbers and ids are fictitious; times stand in March 2026.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.resources import files
from typing import Any

from relay.errors import UsageError
from relay.events import Event
from relay.events.catalogue import KINDS
from relay.sources.reading import read
from relay.sources.watch import GONE_AFTER, Seen, Watched, compare, seen
from relay.text import nearest, shown

_SUFFIX = ".json"
_LOOKS = ("before", "now")
_PERIOD = timedelta(minutes=15)
_HAPPENED = datetime(2026, 3, 2, 10, tzinfo=UTC)
"""When a sample happened that has no time of its own."""
_TIME_KEY = re.compile(r"(?:time|timestamp|expiration|date)$")
_OWN_TIME = re.compile(r'"timestamp": "([0-9]{10})"')
"""Of a payment, whose envelope has none."""
_SECONDS = re.compile(r"1[78][0-9]{8}")
_ISO = re.compile(r"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z")
_MONTH = re.compile(r"20[0-9]{2}-[0-9]{2}")
_LONG = "%B %d, %Y"
_LONG_DATE = re.compile(r"[A-Z][a-z]+ [0-9]{1,2}, 20[0-9]{2}")
_MOST_TELLING = {
    "phone_number_name_update": "REJECTED",
    "account_update": "ACCOUNT_RESTRICTION",
    "account_review_update": "REJECTED",
    "message_template_status_update": "REJECTED",
    "message_template_quality_update": "RED",
    "waba_template_status_changed": "REJECTED",
    "payment_configuration_update": "Needs Connecting",
    "channel_status_changed": "error",
    "security": "PIN_RESET_REQUEST",
}
"""The details that stand for their kinds; elsewhere it is the first one of the catalogue."""
_DEMO = (
    "client_created",
    "channel_created",
    "account_review_update/APPROVED",
    "channel_live",
    "phone_number_name_update/APPROVED",
    "message_template_status_update/REJECTED",
    "quality_watch/RED",
    "limit_watch/TIER_2K",
    "account_update/ACCOUNT_RESTRICTION",
    "account_update/DISABLED_UPDATE/reinstate",
    "security/PIN_RESET_REQUEST",
    "payment/failed",
    "cancellation_request",
)


def names() -> tuple[str, ...]:
    """The names of all samples, in the order of the catalogue."""
    return tuple(_files())


def demo() -> tuple[str, ...]:
    """The names of some samples that tell a story, in its order."""
    return _DEMO


def find(name: str) -> bytes:
    """The body of a sample; the case of the name is free, and a bare kind finds its most telling.

    Raises `UsageError` naming the nearest sample.
    """
    known = {_key(sample): sample for sample in names()}
    sample = known.get(_key(name)) or _of_kind(_key(name))
    if sample is None:
        near = nearest(name, [*names(), *filter(_of_kind, KINDS)], 0.4)
        hint = f': did you mean "{near}"?' if near else ""
        raise UsageError(f'there is no sample "{shown(name, 80)}"{hint}')
    return (files(__name__) / _files()[sample]).read_bytes()


def matching(name: str) -> tuple[str, ...]:
    """The samples of a kind, or of a kind and detail, in the order of the catalogue.

    Raises `UsageError` naming the nearest sample.
    """
    find(name)
    key = _key(name)
    return tuple(one for one in names() if f"{_key(one)}/".startswith(f"{key}/"))


def event(name: str, now: datetime) -> Event:
    """The event of a sample, as if it had happened now. Raises `UsageError` as `find` does."""
    return events_in(fresh(name, now), now)[0]


def events_in(body: bytes, now: datetime) -> tuple[Event, ...]:
    """The events of a sample's body: a webhook, or what two looks at 360dialog's list saw."""
    looks = looks_in(body)
    if looks is None:
        return tuple(arrival.event for arrival in read(body, received_at=now).arrivals)
    before, after = looks
    known: Mapping[str, Watched] = {}
    since = None
    for look in (before, *[after] * GONE_AFTER):
        changes = compare(known, look, now=now, since=since, period=_PERIOD)
        if changes.events:
            return changes.events
        known, since = changes.watched, now - _PERIOD
    return ()


def looks_in(body: bytes) -> tuple[Sequence[Seen], Sequence[Seen]] | None:
    """What two looks at 360dialog's list saw; None where a sample's body is a webhook."""
    looks = json.loads(body).get("watch")
    if not isinstance(looks, dict):
        return None
    before, after = ([seen(one) for one in looks.get(when) or ()] for when in _LOOKS)
    return before, after


def fresh(name: str, now: datetime) -> bytes:
    """The body of a sample as if it had happened now: all its times move as far as its own does."""
    body = json.loads(find(name))
    said = [entry["time"] for entry in body.get("entry", ()) if "time" in entry]
    said = said or [int(found) for found in _OWN_TIME.findall(json.dumps(body))]
    happened = datetime.fromtimestamp(said[0], UTC) if said else _HAPPENED
    step = timedelta(seconds=int((now - happened).total_seconds()))
    return json.dumps(_moved(body, "", step), ensure_ascii=False).encode()


def _moved(value: Any, key: str, step: timedelta) -> Any:
    """A part of a sample with every time in it moved; `key` is the field that it stands in."""
    if isinstance(value, dict):
        return {name: _moved(held, name, step) for name, held in value.items()}
    if isinstance(value, list):
        return [_moved(held, key, step) for held in value]
    if isinstance(value, int | str) and _TIME_KEY.search(key) and _SECONDS.fullmatch(str(value)):
        return type(value)(int(value) + int(step.total_seconds()))
    if isinstance(value, str) and _ISO.fullmatch(value):
        return (datetime.fromisoformat(value) + step).isoformat().replace("+00:00", "Z")
    if isinstance(value, str) and _MONTH.fullmatch(value):
        return f"{datetime.fromisoformat(f'{value}-15') + step:%Y-%m}"
    if isinstance(value, str) and _LONG_DATE.fullmatch(value):
        return f"{datetime.strptime(value, _LONG) + step:{_LONG}}"  # noqa: DTZ007  a mere date
    return value


def _key(name: str) -> str:
    return name.strip().casefold().replace(" ", "_")


def _of_kind(kind: str) -> str | None:
    """The most telling sample of a kind that is named without a detail."""
    if kind in _MOST_TELLING:
        return f"{kind}/{_MOST_TELLING[kind]}"
    return next((sample for sample in names() if sample.partition("/")[0] == kind), None)


@cache
def _files() -> dict[str, str]:
    """File names by sample names, in the order of the catalogue."""
    found = (item.name for item in files(__name__).iterdir() if item.name.endswith(_SUFFIX))
    named = {name.removesuffix(_SUFFIX).replace(".", "/"): name for name in found}
    return {name: named[name] for name in sorted(named, key=_place)}


def _place(sample: str) -> tuple[int, int, str]:
    kind, _, rest = sample.partition("/")
    details = ("", *KINDS[kind].details)
    detail = rest.partition("/")[0]
    at = details.index(detail) if detail in details else len(details)
    return list(KINDS).index(kind), at, rest
