"""What is never kept: chats, contacts, calls, and the person behind a client.

Private content comes uninvited and under changing names, so it is told by the keys that hold it,
wherever they stand, and not by the kind of the event alone. Keys are compared without case and
without `_`, `-` and blanks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

_HOLDERS = frozenset(
    {
        "messages",
        "messageechoes",
        "smbmessageechoes",
        "contacts",
        "statuses",
        "history",
        "statesync",
        "smbappstatesync",
        "calls",
    }
)
_KINDS = _HOLDERS | {
    "messagereactions",
    "messaging",
    "messaginghandovers",
    "standby",
    "userpreferences",
    "useridupdate",
    "groupparticipantsupdate",
}
_CONTACT_INFO = "contactinfo"
_KEPT_OF_CONTACT = frozenset({"country", "language"})
_PERSONAL = frozenset({"waid", "recipientid", "wamid"})
"""Keys whose values are, or encode, the number of a private person."""
_WAMID = re.compile(r"\s*wamid\.", re.IGNORECASE)
_LOOKS_PRIVATE = re.compile(
    rb"(?<![a-z0-9])(?:messages|(?:smb_)?message_?echoes|contacts?|contact_?\w+|statuses|history"
    rb"|(?:smb_app_)?state_?sync|calls|wa_?id|wamid|recipient_?id)(?![a-z0-9_])",
    re.IGNORECASE,
)
"""Whole words only: `message_template_status_update` is not private."""


def _plain(key: str) -> str:
    return re.sub(r"[\s_-]+", "", key).casefold()


def is_private_kind(kind: str) -> bool:
    """Whether this kind of event carries nothing but private content."""
    return _plain(kind) in _KINDS


def _may_hold(key: str, value: Any) -> bool:
    return isinstance(value, list | dict | str) and _plain(key) in _HOLDERS


def is_nothing(value: Any) -> bool:
    """Whether nothing stands in a value: null, a blank text, a list or map of nothing at all."""
    if isinstance(value, Mapping):
        return all(is_nothing(item) for item in value.values())
    if isinstance(value, list):
        return all(is_nothing(item) for item in value)
    return value is None or (isinstance(value, str) and not value.strip())


def is_private_value(value: Any) -> bool:
    """Whether an event's own data holds private content at its top.

    What holds nothing is not private: senders of account events add empty lists of contacts.
    """
    return isinstance(value, Mapping) and any(
        _may_hold(key, item) and not is_nothing(item) for key, item in value.items()
    )


def cleaned(value: Any, keep: Collection[str] = ()) -> Any:
    """The value without private content further down.

    Of `contact_info` country and language stay, or all of it if `keep` has `contact_info`.
    """
    if isinstance(value, list):
        return [cleaned(item, keep) for item in value if not _is_wamid(item)]
    if not isinstance(value, Mapping):
        return value
    kept = {}
    for key, item in value.items():
        name = _plain(key)
        if name == _CONTACT_INFO:
            if "contact_info" in keep:
                kept[key] = item
            elif (reduced := _contact(item)) is not None:
                kept[key] = reduced
        elif not (
            name.startswith("contact")
            or name in _PERSONAL
            or _is_wamid(item)
            or _may_hold(key, item)
        ):
            kept[key] = cleaned(item, keep)
    return kept


def _is_wamid(value: Any) -> bool:
    """Message ids encode the number of the person written to."""
    return isinstance(value, str) and _WAMID.match(value) is not None


def _contact(info: Any) -> Any:
    if isinstance(info, list):
        return [kept for item in info if (kept := _contact(item)) is not None]
    if not isinstance(info, Mapping):
        return None
    return {
        key: item
        for key, item in info.items()
        if key in _KEPT_OF_CONTACT and isinstance(item, str) and len(item) <= 35
    }


def looks_private(value: Any) -> bool:
    """Whether private content may stand anywhere in a value that could not be read as events."""
    if isinstance(value, list):
        return any(looks_private(item) for item in value)
    if isinstance(value, Mapping):
        return any(
            (_plain(key) in _KINDS | _PERSONAL or _plain(key).startswith("contact"))
            or looks_private(item)
            for key, item in value.items()
            if not is_nothing(item)
        )
    return isinstance(value, str) and (_is_wamid(value) or is_private_kind(value))


def bytes_look_private(body: bytes) -> bool:
    """The same of bytes that are no JSON: any word of private content is enough."""
    return _LOOKS_PRIVATE.search(body.replace(b"\0", b"")) is not None
