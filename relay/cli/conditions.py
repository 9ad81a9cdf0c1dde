"""The conditions of the command line, checked as those of the API are."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from relay.errors import UsageError
from relay.events import from_iso, iso
from relay.phones import normalise
from relay.text import printable
from relay.web.asked import Asked, WrongRequestError, of_texts

T = TypeVar("T", bound=Asked)

EVERYTHING = 10**9
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_LONGEST = 12
"""Digits of a span that are read: so many seconds are longer ago than any year."""


def asked_of(model: type[T], options: Namespace) -> T:
    """The fields of a model that the options give. Raises `UsageError`."""
    given = given_of(model, options)
    if getattr(options, "json", False) and "limit" in model.model_fields:
        given.setdefault("limit", EVERYTHING)
    try:
        return of_texts(model, ((name, str(value)) for name, value in given.items()), mark="--")
    except WrongRequestError as error:
        raise UsageError(str(error)) from None


def given_of(model: type[Asked], options: Namespace) -> dict[str, Any]:
    """The same as the body of a request, not yet checked."""
    given = {
        name: value
        for name in model.model_fields
        if (value := getattr(options, name, None)) not in (None, False, [])
    }
    for name in ("since", "until"):
        if text := given.get(name):
            given[name] = iso(parse_since(text, datetime.now(UTC), f"--{name}"))
    return given


def parse_phone(text: str) -> str:
    """The number of `--phone`, as events have it. Raises `UsageError`."""
    phone = normalise(text)
    if phone is None:
        said = printable(text)
        raise UsageError(f'--phone: "{said}" is no number with its country, like +49 171…')
    return phone


def parse_since(text: str, now: datetime, option: str = "--since") -> datetime:
    """A moment from `14d`, `2h` or an ISO date. Raises `UsageError`."""
    number, unit = text[:-1], _UNITS.get(text[-1:].lower())
    try:
        if unit and number.isascii() and number.isdecimal():
            return now - timedelta(seconds=int(number[:_LONGEST]) * unit)
        return from_iso(text)
    except OverflowError:
        raise UsageError(f"{option}: that is too long ago") from None
    except ValueError:
        message = f'{option}: "{text}" is no time; write 14d, 2h or 2026-11-23T09:00'
        raise UsageError(message) from None
