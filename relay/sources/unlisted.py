"""What is kept of a kind that the catalogue does not know: only what is known to be harmless.

Meta and 360dialog add kinds without notice, and some of them hold what nobody may keep: invite
links, subjects of groups, what consumers clicked on. So of such a kind everything goes that is not
on the list here. The names of fields stay, so that people see what there is to know.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from relay import phones
from relay.events.catalogue import KINDS
from relay.sources import facts

_FIELD = re.compile(r"[a-z][a-z0-9_]{0,47}")
_WORD = re.compile(r"[A-Z][A-Z0-9_]{1,47}")
_WORDS = frozenset({"event", "status", "type", "decision", "reason", "code"})
"""Where senders put one of a few fixed words of theirs."""
_ID = re.compile(r"[A-Za-z0-9]{1,40}")
_IDS = frozenset(
    {
        *("client_id", "waba_id", "phone_number_id", "flow_id", "template_id"),
        *("message_template_id", "client.id", "flow.id", "template.id", "message_template.id"),
        *("waba_account.id", "waba_account.external_id", "waba_info.waba_id"),
        "metadata.phone_number_id",
    }
)
_OWN_ID = re.compile(r"[A-Za-z0-9]{1,30}(?:CL|CH|WA|PA)|\d{15,17}")
"""360dialog's ids of clients, channels, accounts and partners; Meta's of an account."""
_NAMES = frozenset(
    {
        *("client.name", "client_name", "on_behalf_of_business_info.name"),
        "waba_account.on_behalf_of_business_info.name",
    }
)
_NUMBERS = frozenset(
    {
        *("phone_number", "display_phone_number"),
        *("setup_info.phone_number", "metadata.display_phone_number"),
    }
)
_COUNTRY, _LANGUAGE = re.compile("[A-Za-z]{2}"), re.compile("[A-Za-z]{2,3}(?:[_-][A-Za-z]{2,4})?")
_CONTACT = {
    "contact_info.country": _COUNTRY,
    "contact_info.language": _LANGUAGE,
    "client.contact_info.country": _COUNTRY,
    "client.contact_info.language": _LANGUAGE,
}
_TIME = re.compile(r"(?:.*_)?(?:at|date|time|timestamp|until|expires|expiration)")
_BIRTH = re.compile(r"birth|born|dob")
_ISO = re.compile(
    r"20\d\d-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_MEASURES = frozenset(
    {
        *("count", "total", "limit", "max", "min", "rate", "percent", "percentage", "score"),
        *("threshold", "availability", "latency", "version", "priority", "level"),
        *("subcode", "attempt", "attempts", "retries", "seconds", "minutes", "hours", "days"),
        *("duration", "quota", "remaining", "tier", "enabled", "disabled", "active", "allowed"),
        *("required", "eligible", "verified", "approved", "test", "live", "official", "ready"),
    }
)
"""A field with one of these words in its name measures something, or says yes or no."""
_CODES = frozenset({"code", "error_code", "reason_code", "status_code", "error_subcode"})
"""Other codes open something, or say where somebody lives."""
_LARGEST = 10**9
"""A measure stays below; numbers of phones with their country and most ids do not."""
_LONGEST_NAME = 200


def is_unlisted(kind: str) -> bool:
    """Whether the catalogue does not know this kind."""
    return kind.lower() not in KINDS


def kept(data: Mapping[str, Any], keep: Collection[str] = ()) -> dict[str, Any]:
    """What may be kept of the data; null stands where a value was dropped.

    `keep` names private parts that the operator decided to keep.
    """
    found = _object(data, "", keep)
    if str(found.get("id")).endswith("CL") and _is_name(name := data.get("name")):
        found["name"] = name
    return found


def _object(value: Mapping[str, Any], under: str, keep: Collection[str]) -> dict[str, Any]:
    found = {}
    for name, item in value.items():
        if name in keep:
            found[name] = item
        elif _FIELD.fullmatch(name):
            found[name] = _value(item, name, f"{under}{name}", keep)
    return found


def _value(value: Any, name: str, path: str, keep: Collection[str]) -> Any:
    if isinstance(value, Mapping):
        return _object(value, f"{path}.", keep)
    if isinstance(value, list):
        return [item for one in value if (item := _value(one, name, path, keep)) is not None]
    return value if _is_harmless(value, name, path) else None


def _is_harmless(value: Any, name: str, path: str) -> bool:
    if value is None:
        return False
    if _TIME.fullmatch(name) and not _BIRTH.search(path):
        return facts.moment(value) is not None or _is_iso(value)
    if isinstance(value, bool):
        return _is_measure(name)
    text = str(value) if isinstance(value, int) else value
    if isinstance(text, str):
        if path in _IDS:
            return _ID.fullmatch(text) is not None
        if path == "id":
            return _OWN_ID.fullmatch(text) is not None
        if path in _NUMBERS:
            return phones.normalise(value) is not None
    if isinstance(value, int | float):
        return abs(value) < _LARGEST and (name in _CODES or _is_measure(name))
    if path in _NAMES:
        return _is_name(value)
    if path in _CONTACT:
        return _CONTACT[path].fullmatch(value) is not None
    return name in _WORDS and _WORD.fullmatch(value) is not None


def _is_measure(name: str) -> bool:
    return not _MEASURES.isdisjoint(name.split("_"))


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= _LONGEST_NAME


def _is_iso(value: Any) -> bool:
    if not isinstance(value, str) or not _ISO.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True
