"""`accounts` and `destinations`: from nodes to destinations that can be sent to."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

from pydantic import BaseModel

from relay.channels import NO_PACE, Destination, Outbound, Pace
from relay.channels.registry import CHANNELS, ChannelKind
from relay.config.fallbacks import FALLBACK, check_fallback, read_fallback
from relay.config.form import Form, validate
from relay.config.holding import DIGEST, QUIET, read_digest, read_quiet
from relay.config.mentions import FOR_INSIDE, MENTION, check_reach, read_mention
from relay.config.nodes import Entry, Fields, Node, Scalar, quoted, unknown
from relay.incidents import Updates
from relay.messages import READERS
from relay.messages.languages import canonical, meant
from relay.text import nearest

NOBODY = "none"
_SECONDS = {"s": 1, "min": 60, "h": 3600}
_PACE = re.compile(r"(\d{1,6}(?:\.\d{1,3})?)\s*/\s*(s|min|h)")
_NAME = re.compile(r"[\w][\w .@&+()-]{0,79}")
_MEANT = {
    "mail": "email",
    "e-mail": "email",
    "smtp": "email",
    "msteams": "teams",
    "for": FOR_INSIDE,
}

Accounts = Mapping[str, tuple[Entry, BaseModel | None]]
"""By transport: where the account stands, and its settings unless they are at fault."""


def read_language(form: Form, entry: Entry | None) -> str | None:
    """The code that a file names; None where it names none or one that does not exist."""
    filled = form.given(entry)
    if entry is None or filled is None:
        return None
    found = canonical(filled.text)
    if found is None:
        near = meant(filled.written)
        remedy = f'did you mean "{near}"?' if near else "write a code such as de, en or pt-BR"
        form.error(entry.value, f"unknown language {quoted(filled.written)}: {remedy}")
    return found


def read_accounts(form: Form, node: Node | None) -> Accounts:
    """One account for each transport."""
    fields = form.fields(node, "accounts")
    accounts: dict[str, tuple[Entry, BaseModel | None]] = {}
    with_accounts = [name for name, kind in CHANNELS.items() if kind.account is not None]
    for entry in fields or ():
        kind = CHANNELS.get(entry.name)
        if kind is None:
            _unknown(form, entry, with_accounts)
            continue
        if kind.account is None:
            form.error(
                entry.key,
                f"{entry.name} has no account: each of its destinations has its own address",
            )
            continue
        what = f"accounts.{entry.name}"
        settings = form.fields(entry.value, what, list(kind.account.model_fields))
        account = validate(form, kind.account, settings, what) if settings is not None else None
        accounts[entry.name] = (entry, account)
        if settings is not None and account is not None:
            for key, doubt in kind.account_doubts(account):
                at = settings.entry(key)
                if at is not None and not _stands_in(form, settings):
                    form.warning(at.value, doubt)
    return accounts


def read_destinations(
    form: Form, node: Node, accounts: Accounts, outbound: Outbound, language: str
) -> dict[str, Destination | None]:
    """Destinations by name, in the file's order; None for one that is at fault.

    `language` is that of destinations that name none.
    """
    fields = form.fields(node, "destinations")
    found: dict[str, Destination | None] = {}
    if fields is not None and not fields.entries:
        form.error(fields, "destinations is empty: name at least one place to send to")
    for entry in fields or ():
        if entry.name.casefold() == NOBODY:
            form.error(entry.key, '"none" means nobody: give the destination another name')
        elif not _NAME.fullmatch(entry.name):
            form.error(
                entry.key,
                f"{quoted(entry.name)} is no name for a destination: begin with a letter or digit, "
                "at most 80 characters, no placeholders",
            )
        found[entry.name] = _destination(form, entry, accounts, outbound, language)
    for entry in fields or ():
        check_fallback(form, entry, found)
    return found


def _destination(
    form: Form, entry: Entry, accounts: Accounts, outbound: Outbound, language: str
) -> Destination | None:
    what = f"destinations.{entry.name}"
    fields = form.fields(entry.value, what)
    if fields is None:
        return None
    said: dict[str, Any] = {"language": language}
    transports: list[Entry] = []
    for field in fields:
        if field.name in BESIDE:
            value = BESIDE[field.name].read(form, field)
            said |= {field.name: value} if value is not None else {}
        elif field.name in CHANNELS:
            transports.append(field)
        else:
            _unknown(form, field, list(CHANNELS), BESIDE)
    if len(transports) == 1:
        at = fields.entry("mention")
        if at is not None and "mention" in said:
            check_reach(form, at, said["mention"], {transports[0].name}, "this destination")
        pace = said.pop("pace", None)
        built = _build(form, entry.name, transports[0], accounts, pace, outbound)
        wanted = said.get("updates", Updates.POST)
        if built is not None and wanted is not Updates.POST and built.updates is Updates.POST:
            form.error(
                entry.key,
                f"{what}: updates: {wanted} needs a Slack channel that a bot posts to; elsewhere "
                "nothing can be edited, so write post",
            )
        return replace(built, **said) if built is not None else None
    if transports:
        form.error(
            transports[1].key,
            f"{what} has {' and '.join(t.name for t in transports)}: a destination has one "
            "transport, make two destinations and name both in send_to",
        )
    elif all(field.name in BESIDE for field in fields):
        form.error(entry.key, f"{what} needs a transport: one of {', '.join(CHANNELS)}")
    return None


def _build(
    form: Form,
    name: str,
    transport: Entry,
    accounts: Accounts,
    pace: Pace | None,
    outbound: Outbound,
) -> Destination | None:
    kind: ChannelKind = CHANNELS[transport.name]
    what = f"destinations.{name}.{transport.name}"
    known = list(kind.destination.model_fields)
    if isinstance(transport.value, Fields):
        for inside in transport.value:
            if inside.name in BESIDE:
                form.error(
                    inside.key, f"{inside.name} stands beside {transport.name}, not inside of it"
                )
    known += BESIDE
    fields = form.fields(transport.value, what, known)
    settings = validate(form, kind.destination, fields, what) if fields is not None else None
    if fields is None or settings is None:
        return None
    account_at, account = accounts.get(transport.name, (None, None))
    if kind.account_needed(settings) and account is None:
        if account_at is None:
            form.error(
                transport.key,
                f"{what} needs accounts.{transport.name}: write down the account that it sends by",
            )
        return None
    try:
        built = kind.build(name, settings, account, pace, outbound)
    except ValueError as error:
        message = str(error)
        where = _meant_by(message, fields)
        if where is None and account_at is not None and isinstance(account_at.value, Fields):
            where = _meant_by(message, account_at.value)
        if where is None:
            where = fields.entries[0].value if len(fields.entries) == 1 else transport.key
        form.error(where, message)
        return None
    for doubt in () if _stands_in(form, fields) else kind.doubts(settings):
        form.warning(fields.entries[0].value, doubt)
    return built


def _stands_in(form: Form, fields: Fields) -> bool:
    """Whether a value is a stand-in for one that the environment does not have."""
    return any(
        isinstance(entry.value, Scalar) and bool(form.placeholders.fill(entry.value).missing)
        for entry in fields
    )


def _meant_by(message: str, fields: Fields) -> Node | None:
    """The value whose key a sentence names."""
    for entry in fields:
        if re.search(rf"(?<![\w/]){re.escape(entry.name)}(?!\w)", message, re.IGNORECASE):
            return entry.value
    return None


def _unknown(
    form: Form, entry: Entry, transports: Collection[str], beside: Collection[str] = ()
) -> None:
    if (right := _MEANT.get(entry.name)) is not None:
        what = "transport" if right in transports else "key"
        form.error(entry.key, f'unknown {what} {quoted(entry.name)}: did you mean "{right}"?')
    else:
        known = [*transports, *beside]
        is_key = beside and nearest(entry.name, known) not in transports
        form.error(entry.key, unknown("key" if is_key else "transport", entry.name, known))


def _pace(form: Form, entry: Entry) -> Pace | None:
    filled = form.given(entry)
    if filled is None:
        return None
    text = filled.text.strip().lower()
    if text == NOBODY:
        return NO_PACE
    found = _PACE.fullmatch(text)
    if found is None or float(found.group(1)) == 0:
        form.error(
            entry.value, 'pace must be such as "1/s", "30/min", "100/h", or none for no limit'
        )
        return None
    return Pace(count=float(found.group(1)), seconds=_SECONDS[found.group(2)])


def _audience(form: Form, entry: Entry) -> tuple[str, ...] | None:
    """Who reads there, in the order of `READERS`; None where the file names nobody rightly."""
    named = set()
    for node in form.items(entry.value, "audience"):
        filled = form.filled(node, "audience")
        word = filled.text.strip().casefold() if filled is not None and not filled.missing else None
        if word is not None and word not in READERS:
            form.error(node, unknown("audience", word, READERS))
        named.add(word)
    return tuple(reader for reader in READERS if reader in named) or None


def _updates(form: Form, entry: Entry) -> Updates | None:
    filled = form.given(entry)
    word = filled.text.strip().casefold() if filled is not None else None
    if word is not None and word not in set(Updates):
        form.error(entry.value, unknown("way of updates", word, list(Updates)))
        return None
    return Updates(word) if word else None


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a destination may have beside its transport."""

    read: Callable[[Form, Entry], Any]
    """The value of the field of `Destination` that is called like it; None leaves that alone."""
    shape: Mapping[str, Any]
    """What it looks like, as JSON Schema, with what an editor says of it."""


LANGUAGE: Mapping[str, Any] = {
    "type": "string",
    "pattern": r"^\s*[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8}){0,3}\s*$|\$\{",
    "examples": ["de", "en", "es", "pt-BR"],
}
_READER: Mapping[str, Any] = {
    "type": "string",
    "examples": [*READERS],
    "pattern": rf"^\s*({'|'.join(READERS)})\s*$|\$\{{",
}
BESIDE: Mapping[str, Key] = {
    "pace": Key(
        _pace,
        {
            "type": "string",
            "pattern": r"^\s*([0-9]{1,6}(\.[0-9]{1,3})?\s*/\s*([sS]|[mM][iI][nN]|[hH])|"
            r"[nN][oO][nN][eE])\s*$|\$\{",
            "description": "At most so many messages in a second (s), minute (min) or hour (h).",
            "examples": ["1/s", "30/min", "100/h", "none"],
        },
    ),
    "language": Key(
        read_language,
        {**LANGUAGE, "description": "Of the messages that go here: a code such as de or pt-BR."},
    ),
    "audience": Key(
        _audience,
        {
            "anyOf": [_READER, {"type": "array", "items": _READER, "minItems": 1}],
            "description": "Who reads here: only the advice for them is shown. Unset: all advice.",
            "examples": ["support", ["sales", "billing"]],
        },
    ),
    "mention": Key(read_mention, MENTION),
    "fallback": Key(read_fallback, FALLBACK),
    "quiet": Key(read_quiet, QUIET),
    "digest": Key(read_digest, DIGEST),
    "updates": Key(
        _updates,
        {
            "type": "string",
            "pattern": rf"^\s*({'|'.join(Updates)})\s*$|\$\{{",
            "examples": [*Updates],
            "description": "How a change of an open incident is told: edit the first message "
            "and answer in its thread (a Slack bot's default), thread alone, or a post of its own.",
        },
    ),
}
"""What a destination may have beside its transport."""
