"""Who an event is about: the facts that its data tells, looked for only where senders put them.

A private contact's number may stand anywhere in a body, so nothing here searches. A place that
holds something of another type counts as missing, and the next place is looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from relay import phones
from relay.events import Client
from relay.events.meanings import as_text, first, text_at

_PHONE_PLACES = (
    ("setup_info", "phone_number"),
    ("phone_number",),
    ("metadata", "display_phone_number"),
    ("display_phone_number",),
)
_OF_THE_PORTFOLIO = ("PARTNER_", "AD_ACCOUNT_LINKED", "MM_LITE_TERMS_SIGNED")
"""Details of `account_update` whose `entry.id` is the partner's business portfolio."""
_EARLIEST, _LATEST = 1_230_768_000, 4_102_444_800
"""2009, when WhatsApp began, and 2100."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an event's data says of number, client and account."""

    phones: tuple[str, ...] = ()
    phone_name: str | None = None
    client: Client = field(default_factory=Client)
    country: str | None = None
    waba: str | None = None
    waba_360: str | None = None


def of_partner(kind: str, data: Mapping[str, Any]) -> Facts:
    """The facts of a Partner event; those passed on from Meta name the WABA in `data.id`."""
    waba_360 = _id(data, "waba_account.id")
    waba = _id(data, "waba_account.external_id", "waba_info.waba_id")
    data_id = _id(data, "id")
    if waba is None and data_id is not None and data_id.isascii() and data_id.isdecimal():
        waba = data_id
    return _facts(kind, data, _client(kind, data), waba or waba_360, waba_360)


def of_waba(kind: str, detail: str | None, data: Mapping[str, Any], entry_id: str | None) -> Facts:
    """The facts of a change; `entry.id` is the WABA except where it is a portfolio or a test."""
    waba = _id(data, "waba_info.waba_id")
    of_portfolio = kind.lower() == "account_update" and (detail or "").upper().startswith(
        _OF_THE_PORTFOLIO
    )
    if waba is None and not of_portfolio and entry_id != "0":
        waba = entry_id
    return _facts(kind, data, _client(kind, data), waba, _id(data, "waba_account.id"))


def _facts(
    kind: str, data: Mapping[str, Any], client: Client, waba: str | None, waba_360: str | None
) -> Facts:
    numbers = _numbers(data)
    return Facts(
        phones=numbers,
        phone_name=_phone_name(kind, data),
        client=client,
        country=_country(data) or (phones.country(numbers[0]) if numbers else None),
        waba=waba,
        waba_360=waba_360,
    )


def _numbers(data: Mapping[str, Any]) -> tuple[str, ...]:
    found: dict[str, str] = {}
    for place in _PHONE_PLACES:
        value: Any = data
        for name in place:
            value = value.get(name) if isinstance(value, Mapping) else None
        number = phones.normalise(value)
        if number is not None:
            found.setdefault(phones.index_key(number), number)
    return tuple(found.values())


def _value(data: Mapping[str, Any], path: str) -> Any:
    *parents, name = path.split(".")
    value: Any = data
    for parent in parents:
        value = first(value.get(parent)) if isinstance(value, Mapping) else None
    return value.get(name) if isinstance(value, Mapping) else None


def _text(data: Mapping[str, Any], *paths: str) -> str | None:
    """The first place that holds a real text: a number or truth value is no name."""
    for path in paths:
        value = _value(data, path)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return None


def _id(data: Mapping[str, Any], *paths: str) -> str | None:
    """The first place that holds an id: a text or a whole number."""
    return next((found for path in paths if (found := id_of(_value(data, path)))), None)


def id_of(value: Any) -> str | None:
    """An id as text; None where the value is neither a text nor a whole number."""
    return None if isinstance(value, bool | float) else as_text(value)


def _client(kind: str, data: Mapping[str, Any]) -> Client:
    client_id = _id(data, "client.id", "client_id")
    name = _text(data, "client.name", "client_name")
    own_id = _id(data, "id")
    flat = kind.lower() == "client_created" or (own_id or "").endswith("CL")
    if flat and not isinstance(data.get("client"), Mapping):
        client_id = client_id or own_id
        name = name or _text(data, "name")
    name = name or _text(
        data,
        "waba_account.on_behalf_of_business_info.name",
        "on_behalf_of_business_info.name",
    )
    return Client(client_id, name)


def _phone_name(kind: str, data: Mapping[str, Any]) -> str | None:
    name = _text(data, "setup_info.phone_name", "phone_name", "verified_name")
    approved = (text_at(data, "decision") or "").upper() == "APPROVED"
    if name is None and kind.lower() == "phone_number_name_update" and approved:
        # A name that was not approved is only a wish: it stays in the data.
        name = _text(data, "requested_verified_name")
    return name


def _country(data: Mapping[str, Any]) -> str | None:
    said = _text(data, "client.contact_info.country", "contact_info.country")
    return said.upper() if said and len(said) == 2 and said.isascii() and said.isalpha() else None


def moment(value: Any) -> datetime | None:
    """Unix seconds, or milliseconds, as a number or digits; None where it is no sane time."""
    if isinstance(value, str):
        value = value.strip()
        if not (value.isascii() and value.isdecimal() and len(value) < 20):
            return None
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    seconds = value / 1000 if value >= _EARLIEST * 100 else value
    if not _EARLIEST <= seconds < _LATEST:
        return None
    return datetime.fromtimestamp(seconds, UTC)
