"""The conditions of the command line, checked as those of the API are."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from relay.errors import ConfigError, UsageError
from relay.events import iso
from relay.events.catalogue import KINDS
from relay.journal import EventState, Filter, Records
from relay.phones import normalise
from relay.settings import Settings
from relay.text import printable
from relay.web.asked import Asked, Conditions, WrongRequestError, moment_of, of_texts

T = TypeVar("T", bound=Asked)

EVERYTHING = 10**9


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


async def require_known(wanted: Conditions, records: Records, settings: Settings) -> None:
    """Raise `UsageError` for a kind or a destination that nobody knows, with the nearest one.

    Right are those of the catalogue and of today's rules, and those that are recorded.
    """
    kind, destination = wanted.kind, wanted.destination
    if kind and not {"*", "?"} & set(kind) and kind not in KINDS:
        asked = Filter(kind=kind, limit=1), Filter(kind=kind, limit=1, state=EventState.IGNORED)
        if not any([await records.events(one) for one in asked]):
            raise UsageError(f"--kind: {_unknown('kind', kind, KINDS)}")
    if destination and not await records.deliveries(Filter(destination=destination, limit=1)):
        known = await _destinations(records, settings)
        if known and destination not in known:
            raise UsageError(f"--destination: {_unknown('destination', destination, known)}")


def _unknown(what: str, word: str, known: Collection[str]) -> str:
    from relay.config.nodes import unknown  # paid by who errs alone

    return unknown(what, word, known)


async def _destinations(records: Records, settings: Settings) -> Collection[str]:
    """Those of today's rules, or of the live ones where today's cannot be read."""
    from relay import reload

    with suppress(ConfigError):
        return reload.show(settings).plan.destinations
    if newest := await records.rules():
        with suppress(ConfigError):
            return reload.from_version(newest, settings).plan.destinations
    return ()


def parse_phone(text: str) -> str:
    """The number of `--phone`, as events have it. Raises `UsageError`."""
    phone = normalise(text)
    if phone is None:
        said = printable(text)
        raise UsageError(f'--phone: "{said}" is no number with its country, like +49 171…')
    return phone


def parse_since(text: str, now: datetime, option: str = "--since") -> datetime:
    """A moment from `14d`, `2h` or an ISO date. Raises `UsageError`."""
    try:
        return moment_of(text, now)
    except ValueError as error:
        raise UsageError(f"{option}: {error}") from None
