"""What is never kept: chats, contacts, calls, and the person behind a client.

Private content comes uninvited and under changing names, so it is told by the keys that hold it,
wherever they stand, and not by the kind of the event alone. Keys are compared without case and
without `_`, `-` and blanks.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from enum import Enum, auto
from typing import Any

from relay.events.catalogue import KINDS

_HOLDERS = frozenset(
    {
        "messages",
        "message",
        "lastmessage",
        "messageechoes",
        "smbmessageechoes",
        "messageedits",
        "messagepins",
        "messagereactions",
        "contacts",
        "statuses",
        "history",
        "statesync",
        "smbappstatesync",
        "calls",
    }
)
_KINDS = _HOLDERS | {
    "messaging",
    "messaginghandovers",
    "standby",
    "userpreferences",
    "useridupdate",
    "groupparticipantsupdate",
    "grouplifecycleupdate",
    "groupsettingsupdate",
    "consumerprofile",
    "trackingevents",
    "automaticevents",
}
_CONTACT_INFO = "contactinfo"
_KEPT_OF_CONTACT = frozenset({"country", "language"})
_PERSONAL = frozenset(
    {
        *("recipientid", "wamid"),
        *("profile", "profilename", "pushname", "nickname", "birthday", "birthdate"),
        *("consumer", "consumername", "consumerprofile", "trackingevents", "automaticevents"),
        *("group", "groupsubject", "groupdescription", "invitelink", "groupinvitelink"),
    }
)
"""Keys whose values are, or encode, the number, id or name of a private person, what a person did,
or a group that people are in."""
_OF_PERSONS = ("userid", "waid", "username", "bsuid")
"""What the key of a person's id or name ends with, whoever it is: `parent_user_id`, `to_wa_id`."""
_PERSONS = frozenset(
    {
        *("owner", "user", "users", "person", "member", "members", "employee", "author"),
        *("customer", "sender", "participant", "participants"),
    }
)
_DEEDS = ("invited", "created", "updated", "modified", "deleted", "approved", "requested", "added")
"""Behind these `by` names a person."""
_NAMES = frozenset({"email", "emailaddress", "firstname", "lastname", "fullname", "surname"})
_CONTENT = frozenset(
    {
        *("text", "image", "video", "audio", "voice", "document", "sticker", "location", "order"),
        *("interactive", "button", "reaction", "system", "caption", "body", "media", "message"),
    }
)
"""What stands beside `from` in a message, and in nothing else."""
_MESSAGE_IDS = frozenset({"id", "mid", "messageid", "wamid"})
_OF_A_NUMBER = ("display_phone_number", "phone_number_id")
_OF_A_GROUP = ("type", "group_id", "timestamp")
_TOLD_BY_PEOPLE = ("subject", "description", "name")
"""Beside the id of a group: what people called it."""
_WORD = re.compile(r"[A-Za-z0-9_=+/-]{1,100}")
"""Nothing that could be read as a sentence."""
_JSON = re.compile(r"\s*[\[{]")
_WAMID = re.compile(r"\s*wamid\.", re.IGNORECASE)
_LOOKS_PRIVATE = re.compile(
    rb"(?<![a-z0-9])(?:messages|(?:smb_)?message_?echoes|last_?message|message_?(?:edits|pins)|contacts?|contact_?\w+|statuses|history"
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
    MESSAGE = auto()
    """The same in events of unknown kinds, and no more than itself in others; as a text it may say
    what happened, where an event or a code stands beside it."""
    CONTACTS = auto()
    """The same, or somebody's number."""
    CONTACT_INFO = auto()
    SOMEBODY = auto()
    """A person about whom no more is kept than of `contact_info`."""
    PERSON = auto()
    """Somebody's number, id or name, or what belongs to a contact, of which nothing is kept."""


_HOLDING = frozenset({list, dict, str})
_SAYS_WHY = frozenset({"event", "code"})
_COUNTS = frozenset({_Key.HOLDER, _Key.MESSAGE})
"""Keys under which a number is only a number."""
_SPECIAL = {"contacts": _Key.CONTACTS, "message": _Key.MESSAGE, "lastmessage": _Key.MESSAGE}


def _judge(key: str) -> _Key | None:
    name = _plain(key)
    if name in _HOLDERS:
        return _SPECIAL.get(name, _Key.HOLDER)
    if name == _CONTACT_INFO:
        return _Key.CONTACT_INFO
    if name in _PERSONS or (name.endswith("by") and name[:-2] in _DEEDS):
        return _Key.SOMEBODY
    return _Key.PERSON if _is_personal(name) or name in _NAMES else None


def _is_personal(name: str) -> bool:
    return name in _PERSONAL or name.endswith(_OF_PERSONS) or name.startswith("contact")


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


def is_of_a_business(kind: str) -> bool:
    """Whether the username in this kind of event is a business's own, and no person's."""
    return _plain(kind) in {"businessusernameupdate", "businessusernameupdates"}


def is_of_groups(kind: str) -> bool:
    """Whether this kind of event is about groups, whose subjects and links are private."""
    return _plain(kind) == "groupstatusupdate"


def of_groups(data: dict[str, Any]) -> dict[str, Any]:
    """What is kept of an event about groups: which one, what happened to it, and when."""
    groups = data.get("groups")
    metadata = data.get("metadata")
    kept: dict[str, Any] = {}
    if isinstance(metadata, dict):
        kept["metadata"] = {key: metadata[key] for key in _OF_A_NUMBER if key in metadata}
    if isinstance(groups, list):
        kept["groups"] = [
            {key: text for key in _OF_A_GROUP if _WORD.fullmatch(text := str(group.get(key, "")))}
            for group in groups
            if isinstance(group, dict)
        ]
    return kept


def is_nothing(value: Any) -> bool:
    """Whether nothing stands in a value: null, a blank text, a list or map of nothing at all."""
    if isinstance(value, dict):
        return all(map(is_nothing, value.values()))
    if isinstance(value, list):
        return all(map(is_nothing, value))
    return value is None or (isinstance(value, str) and not value.strip())


def is_private(kind: str, data: dict[str, Any]) -> bool:
    """Whether an event is private as a whole: by its kind, or by what stands at its top.

    What holds nothing is not private: senders of account events add empty lists of contacts.
    """
    if is_private_kind(kind) or _is_message(data):
        return True
    # Of an event that is known to be of an account nothing but its private parts are dropped.
    known = kind.lower() in KINDS
    if not known and _has_wamid(data, data):
        return True
    for key, item in data.items():
        said = REMEMBERED[key]
        holds = said is _Key.HOLDER or said is _Key.CONTACTS
        holds = holds or (said is _Key.MESSAGE and not known and type(item) is not str)
        if holds and type(item) in _HOLDING and not is_nothing(item):
            return True
    return False


def _has_wamid(value: dict[str, Any], keys: Iterable[str]) -> bool:
    """Whether an object is told by one of these keys to be a message, or the status of one."""
    return any(_is_wamid(value[key]) and _plain(key) in _MESSAGE_IDS for key in keys)


def _is_message(value: dict[str, Any]) -> bool:
    return "from" in value and any(key.casefold() in _CONTENT for key in value)


def clean(data: dict[str, Any], keep: Collection[str] = ()) -> None:
    """Take private content out of an event's data, however deep it stands, in place.

    Of `contact_info` and of persons country and language stay, or all of `contact_info` if `keep`
    has it. An object further down that is a message goes as a whole.
    """
    _is_private(data, keep)


def _is_private(value: Any, keep: Collection[str]) -> bool:
    """Clean a value in place; whether it is private as a whole, so that its holder drops it."""
    kind = type(value)
    if kind is str:
        # A message id has a point and JSON a quotation mark: most texts have neither.
        return ("." in value and _is_wamid(value)) or ('"' in value and _hides_private(value))
    if kind is list:
        kept = [item for item in value if not _is_private(item, keep)]
        if len(kept) < len(value):
            value[:] = kept
        return False
    if kind is not dict:
        return False
    dropped = []
    for key, item in value.items():
        said = REMEMBERED[key]
        kind = type(item)
        if said is None:
            if kind in _HOLDING and _is_private(item, keep):
                dropped.append(key)
        elif said is _Key.CONTACT_INFO or said is _Key.SOMEBODY:
            if said is _Key.SOMEBODY or "contact_info" not in keep:
                value[key] = _contact(item)
                if value[key] is None:
                    dropped.append(key)
        elif kind is str and _plain(key) == "message" and not _SAYS_WHY.isdisjoint(value):
            continue
        elif said not in _COUNTS or kind in _HOLDING:
            dropped.append(key)
    private = ("from" in value and _is_message(value)) or _has_wamid(value, dropped)
    if "group_id" in value:
        dropped += [key for key in _TOLD_BY_PEOPLE if key in value]
    for key in dropped:
        del value[key]
    return private


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
        return _is_message(value) or any(
            _plain(key) in _KINDS or _is_personal(_plain(key)) or looks_private(item)
            for key, item in value.items()
            if not is_nothing(item)
        )
    if not isinstance(value, str):
        return False
    return _is_wamid(value) or is_private_kind(value) or _hides_private(value)


def _hides_private(text: str) -> bool:
    """Whether a text is JSON in which private content may stand."""
    if not _JSON.match(text):
        return False
    return '"from"' in text or bytes_look_private(text.encode("utf-8", "replace"))


def bytes_look_private(body: bytes) -> bool:
    """The same of bytes that are no JSON: any word of private content is enough."""
    return _LOOKS_PRIVATE.search(body.replace(b"\0", b"")) is not None
