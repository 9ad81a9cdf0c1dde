"""What is never kept: chats, contacts, calls, and the person behind a client.

Private content comes uninvited and under changing names, so it is told by the keys that hold it,
wherever they stand, and not by the kind of the event alone. Keys are compared without case and
without `_`, `-` and blanks.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from enum import Enum, auto
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
_HOLDING = frozenset({list, dict, str})
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


class _Key(Enum):
    """What a key says of its value; most say nothing."""

    HOLDER = auto()
    """Private content, if it is a list, a map or a text."""
    CONTACTS = auto()
    """The same, or somebody's number."""
    CONTACT_INFO = auto()
    PERSON = auto()
    """Somebody's number or id, or what belongs to a contact, without making all of it private."""


def _judge(key: str) -> _Key | None:
    name = _plain(key)
    if name in _HOLDERS:
        return _Key.CONTACTS if name == "contacts" else _Key.HOLDER
    if name == _CONTACT_INFO:
        return _Key.CONTACT_INFO
    return _Key.PERSON if name in _PERSONAL or name.startswith("contact") else None


class _Judged(dict[str, _Key | None]):
    """What keys say, remembered; bounded, as keys are the sender's and may be new each time."""

    def __missing__(self, key: str) -> _Key | None:
        said = _judge(key)
        if len(key) <= LONGEST_KEY:
            if len(self) >= MOST_KEYS:
                self.clear()
            self[key] = said
        return said


LONGEST_KEY = 64
MOST_KEYS = 4096
REMEMBERED = _Judged()


def is_private_kind(kind: str) -> bool:
    """Whether this kind of event carries nothing but private content."""
    return _plain(kind) in _KINDS


def is_nothing(value: Any) -> bool:
    """Whether nothing stands in a value: null, a blank text, a list or map of nothing at all."""
    if isinstance(value, dict):
        return all(map(is_nothing, value.values()))
    if isinstance(value, list):
        return all(map(is_nothing, value))
    return value is None or (isinstance(value, str) and not value.strip())


def is_private_value(data: dict[str, Any]) -> bool:
    """Whether an event's own data holds private content at its top.

    What holds nothing is not private: senders of account events add empty lists of contacts.
    """
    for key in data:
        if REMEMBERED[key] in (_Key.HOLDER, _Key.CONTACTS):
            item = data[key]
            if type(item) in _HOLDING and not is_nothing(item):
                return True
    return False


def clean(value: Any, keep: Collection[str] = ()) -> None:
    """Take private content out of a value of JSON, however deep it stands, in place.

    Of `contact_info` country and language stay, or all of it if `keep` has `contact_info`.
    """
    if type(value) is list:
        if any(type(item) is str and _is_wamid(item) for item in value):
            value[:] = [item for item in value if not _is_wamid(item)]
        for item in value:
            if type(item) is dict or type(item) is list:
                clean(item, keep)
        return
    dropped = []
    for key, item in value.items():
        said = REMEMBERED[key]
        kind = type(item)
        if said is None:
            if kind is dict or kind is list:
                clean(item, keep)
            elif kind is str and "." in item and _is_wamid(item):
                dropped.append(key)
        elif said is _Key.CONTACT_INFO:
            if "contact_info" in keep:
                continue
            reduced = _contact(item)
            if reduced is None:
                dropped.append(key)
            else:
                value[key] = reduced
        elif said is not _Key.HOLDER or kind in _HOLDING:
            dropped.append(key)
    for key in dropped:
        del value[key]


def _is_wamid(value: Any) -> bool:
    """Message ids encode the number of the person written to."""
    return isinstance(value, str) and _WAMID.match(value) is not None


def _contact(info: Any) -> Any:
    if isinstance(info, list):
        return [kept for item in info if (kept := _contact(item)) is not None]
    if not isinstance(info, dict):
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
    if isinstance(value, dict):
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
