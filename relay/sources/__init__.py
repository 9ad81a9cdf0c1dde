"""What comes in: bytes and headers to events, without I/O.

One module for each family (`partner`, `waba`); `reading.read` tells them apart by shape. Each
yields what it finds, item by item.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from relay.events import Event, Severity, Source, event_id
from relay.events.catalogue import KINDS, describe, detail_of
from relay.sources import privacy, unlisted
from relay.sources.facts import Facts
from relay.sources.json_body import digest, keyed, plain

LONGEST_WORD = 200
"""Characters of a kind or a detail; the data keeps what is longer."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it came, with what the journal needs to recognise a repeat of it.

    `key` is the dedupe key; `event.id` is `relay.events.event_id(key)`. With `lasting` a repeat
    is the same happening whenever it comes; without, only within 7 days (the key has neither the
    sender's id nor a time). `fingerprint` is a hash of the content: the same key with another
    fingerprint is a conflict. `raw` is the item without private content, for quarantine in that
    case.
    """

    event: Event
    key: str
    lasting: bool
    fingerprint: str
    raw: Mapping[str, Any]

    def conflict(self) -> Unreadable:
        """The item for quarantine, where its key is known with another content."""
        reason = f"conflict: event {self.event.id} came before with another content"
        return unreadable(reason, plain(self.raw), private=False)


@dataclass(frozen=True, slots=True)
class Ignored:
    """An item that was dropped for its private content."""

    cause: str
    """`private kind`, where nothing but private content comes, or `private content` in another."""
    reason: str
    """The same in words, with the item's kind; never anything of its content."""
    event: Event | None = None
    """What is known of it without its content, where its kind may be a warning or critical."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body, or one item of it, that could not be read; kept in quarantine with its reason.

    `body` is None where it looks private: then only size and hash stay.
    """

    reason: str
    size: int
    sha256: str
    body: bytes | None


Item = Arrival | Ignored | Unreadable
Items = Iterator[Item]


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one webhook holds, in the order of its items."""

    arrivals: tuple[Arrival, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """When a webhook came, and which private parts the operator decided to keep."""

    received_at: datetime
    keep: frozenset[str] = frozenset()
    key: bytes = field(default=b"", repr=False)
    """Of the journal: hashes of what was dropped are made with it."""

    def content(self, kind: str, value: Any) -> str:
        """A hash of all that an item says, which knows a repeat of it."""
        if unlisted.is_unlisted(kind):
            return keyed(self.key, kind, value)
        return digest(kind, value)

    def kept(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        """The data without what is private."""
        own = data.get("username") if privacy.is_of_a_business(kind) else None
        privacy.clean(data, self.keep)
        if isinstance(own, str):
            data["username"] = own
        if privacy.is_of_groups(kind):
            return privacy.of_groups(data)
        return unlisted.kept(data, self.keep) if unlisted.is_unlisted(kind) else data


@dataclass(frozen=True, slots=True)
class Identity:
    """What an item is known by, apart from its content; of the first three see `Arrival`."""

    key: str
    lasting: bool
    fingerprint: str
    source: Source
    kind: str
    occurred_at: datetime | None = None
    test: bool = False


def kind_of(value: Any) -> str | None:
    """A kind as the sender spells it; None where the value is no text."""
    return value.strip()[:LONGEST_WORD] or None if isinstance(value, str) else None


def as_data(value: Any) -> dict[str, Any]:
    """An event's data, whatever the sender put in its place."""
    if isinstance(value, dict):
        return value
    return {} if value is None else {"value": value}


def arrival(
    receipt: Receipt,
    identity: Identity,
    detail: str | None,
    facts: Facts,
    data: Mapping[str, Any],
    raw: Mapping[str, Any],
) -> Arrival:
    """An event with its facts and meaning; `data` and `raw` are clean already."""
    detail = detail[:LONGEST_WORD] if detail else None
    meaning = describe(identity.source, identity.kind, detail, data)
    event = Event(
        id=event_id(identity.key),
        source=identity.source,
        kind=identity.kind,
        detail=detail,
        topic=meaning.topic,
        severity=meaning.severity,
        direction=meaning.direction,
        title=meaning.title,
        received_at=receipt.received_at,
        occurred_at=identity.occurred_at,
        phones=facts.phones,
        phone_name=facts.phone_name,
        client=facts.client,
        country=facts.country,
        waba=facts.waba,
        waba_360=facts.waba_360,
        test=identity.test,
        data=data,
    )
    return Arrival(event, identity.key, identity.lasting, identity.fingerprint, raw)


def ignored(
    receipt: Receipt, identity: Identity, data: Mapping[str, Any], waba: str | None = None
) -> Ignored:
    """An item that was dropped for its private content; of `data` only the meaning is read."""
    kind = identity.kind
    noun = "event" if identity.source is Source.PARTNER else "field"
    shown = "".join(char if char.isalnum() or char in "_.-" else "?" for char in kind[:60])
    cause = "private kind" if privacy.is_private_kind(kind) else "private content"
    reason = f"{noun} {shown}: private content is never kept"
    known = KINDS.get(kind.lower())
    if known is None:
        return Ignored(cause, reason)
    detail = detail_of(kind, data)
    if detail is not None and detail.casefold() in map(str.casefold, known.details):
        meaning = describe(identity.source, kind, detail, data)
    else:
        # Any text may stand there; what it might have meant at worst is what counts.
        detail, order = None, list(Severity)
        said = (known.meaning, *known.meanings.values())
        worst = max((each.severity for each in said), key=order.index)
        meaning = replace(known.meaning, severity=worst)
    if meaning.severity is Severity.INFO:
        return Ignored(cause, reason)
    event = Event(
        id=event_id(identity.key),
        source=identity.source,
        kind=kind,
        detail=detail,
        topic=meaning.topic,
        severity=meaning.severity,
        direction=meaning.direction,
        title=meaning.title,
        received_at=receipt.received_at,
        occurred_at=identity.occurred_at,
        waba=waba if waba and waba.isascii() and waba.isdecimal() else None,
        test=identity.test,
    )
    return Ignored(cause, reason, event)


def unreadable_item(reason: str, item: Any) -> Unreadable:
    """One item that could not be read, with its own bytes unless it looks private."""
    return unreadable(reason, plain(item), private=privacy.looks_private(item))


def unreadable(reason: str, body: bytes, *, private: bool) -> Unreadable:
    """Bytes that could not be read, without them where they are private."""
    digest = hashlib.sha256(body).hexdigest()
    return Unreadable(reason, len(body), digest, None if private else body)
