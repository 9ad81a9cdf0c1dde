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
from relay.events.meanings import first, text_at

_OF_THE_PORTFOLIO = frozenset(
    {
        *("PARTNER_ADDED", "PARTNER_REMOVED", "PARTNER_APP_INSTALLED", "PARTNER_APP_UNINSTALLED"),
        *("AD_ACCOUNT_LINKED", "MM_LITE_TERMS_SIGNED"),
    }
)
"""Details of `account_update` whose `entry.id` is the partner's business portfolio; that of the
client's certification is the client's account (account_update reference, September 2026)."""
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
    account = _object(data, "waba_account")
    waba_360 = id_of(account.get("id"))
    waba = id_of(account.get("external_id")) or id_of(_object(data, "waba_info").get("waba_id"))
    own_id = id_of(data.get("id"))
    if waba is None and own_id is not None and own_id.isascii() and own_id.isdecimal():
        waba = own_id
    return _facts(kind.lower(), data, account, waba or waba_360, waba_360)


def of_waba(kind: str, detail: str | None, data: Mapping[str, Any], entry_id: str | None) -> Facts:
    """The facts of a change; `entry.id` is the WABA except where it is a portfolio or a test."""
    kind = kind.lower()
    account = _object(data, "waba_account")
    waba = id_of(_object(data, "waba_info").get("waba_id"))
    of_portfolio = kind == "partner_solutions" or (
        kind == "account_update" and (detail or "").upper() in _OF_THE_PORTFOLIO
    )
    if waba is None and not of_portfolio and entry_id != "0":
        waba = entry_id
    return _facts(kind, data, account, waba, id_of(account.get("id")))


def _facts(
    kind: str,
    data: Mapping[str, Any],
    account: Mapping[str, Any],
    waba: str | None,
    waba_360: str | None,
) -> Facts:
    client, setup = _object(data, "client"), _object(data, "setup_info")
    numbers = _numbers(data)
    said = _text(_object(client, "contact_info").get("country")) or _text(
        _object(data, "contact_info").get("country")
    )
    if said is None or not (len(said) == 2 and said.isascii() and said.isalpha()):
        country = phones.country(numbers[0]) if numbers else None
    else:
        country = said.upper()
    name = _text(setup.get("phone_name")) or _text(data.get("phone_name"))
    name = name or _text(data.get("verified_name"))
    if name is None and kind == "phone_number_name_update" and _approved(data):
        # A name that was not approved is only a wish: it stays in the data.
        name = _text(data.get("requested_verified_name"))
    return Facts(numbers, name, _client(kind, data, client, account), country, waba, waba_360)


def _approved(data: Mapping[str, Any]) -> bool:
    return (text_at(data, "decision") or "").upper() == "APPROVED"


def _numbers(data: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands at the four places, each number once whatever its spelling."""
    found: dict[str, str] = {}
    setup, metadata = data.get("setup_info"), data.get("metadata")
    for value in (
        setup.get("phone_number") if isinstance(setup, dict) else None,
        data.get("phone_number"),
        metadata.get("display_phone_number") if isinstance(metadata, dict) else None,
        data.get("display_phone_number"),
    ):
        if value is not None and (number := phones.normalise(value)) is not None:
            found.setdefault(phones.index_key(number), number)
    return tuple(found.values())


def _client(
    kind: str, data: Mapping[str, Any], client: Mapping[str, Any], account: Mapping[str, Any]
) -> Client:
    client_id = id_of(client.get("id")) or id_of(data.get("client_id"))
    name = _text(client.get("name")) or _text(data.get("client_name"))
    own_id = id_of(data.get("id"))
    flat = kind == "client_created" or (own_id is not None and own_id.endswith("CL"))
    if flat and not isinstance(data.get("client"), dict):
        client_id = client_id or own_id
        name = name or _text(data.get("name"))
    if name is None:
        name = _text(_object(account, "on_behalf_of_business_info").get("name"))
    if name is None:
        name = _text(_object(data, "on_behalf_of_business_info").get("name"))
    return Client(client_id, name)


def _object(holder: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """The object that stands there, the first of a list; empty where none stands."""
    value = first(holder.get(name))
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str | None:
    """A real text: a number or truth value is no name."""
    return value.strip() or None if isinstance(value, str) else None


def id_of(value: Any) -> str | None:
    """An id as text; None where the value is neither a text nor a whole number."""
    if isinstance(value, str):
        return value.strip() or None
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else None


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
