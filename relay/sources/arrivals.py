"""From one item of a webhook to an `Arrival` or an `Unreadable`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from relay.events import Event, Severity, Source, event_id
from relay.events.catalogue import KINDS, describe, detail_of
from relay.events.meanings import Meaning
from relay.sources import Arrival, Ignored, Reading, Unreadable, privacy
from relay.sources.facts import Facts
from relay.sources.json_body import plain

LONGEST_WORD = 200
"""Characters of a kind or a detail; the data keeps what is longer."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """When a webhook came, and which private parts the operator decided to keep."""

    received_at: datetime
    keep: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Identity:
    """How a repeat of the same happening is recognised; see `Arrival`."""

    key: str
    lasting: bool
    fingerprint: str


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
    source: Source,
    kind: str,
    detail: str | None,
    facts: Facts,
    data: Mapping[str, Any],
    raw: Mapping[str, Any],
    *,
    occurred_at: datetime | None = None,
    test: bool = False,
) -> Arrival:
    """An event with its facts and meaning; `data` and `raw` are clean already."""
    detail = detail[:LONGEST_WORD] if detail else None
    meaning = describe(source, kind, detail, data)
    event = Event(
        id=event_id(identity.key),
        source=source,
        kind=kind,
        detail=detail,
        topic=meaning.topic,
        severity=meaning.severity,
        direction=meaning.direction,
        title=meaning.title,
        received_at=receipt.received_at,
        occurred_at=occurred_at,
        phones=facts.phones,
        phone_name=facts.phone_name,
        client=facts.client,
        country=facts.country,
        waba=facts.waba,
        waba_360=facts.waba_360,
        test=test,
        data=data,
    )
    return Arrival(event, identity.key, identity.lasting, identity.fingerprint, plain(raw))


def ignored(
    receipt: Receipt,
    key: str,
    source: Source,
    kind: str,
    data: Mapping[str, Any],
    *,
    waba: str | None = None,
    occurred_at: datetime | None = None,
    test: bool = False,
) -> Reading:
    """An item that was dropped for its private content; of `data` only the meaning is read."""
    noun = "event" if source is Source.PARTNER else "field"
    shown = "".join(char if char.isalnum() or char in "_.-" else "?" for char in kind[:60])
    cause = "private kind" if privacy.is_private_kind(kind) else "private content"
    reason = f"{noun} {shown}: private content is never kept"
    known = KINDS.get(kind.lower())
    if known is None:
        return Reading(ignored=(Ignored(cause, reason),))
    detail = detail_of(kind, data)
    if detail is not None and detail.casefold() in map(str.casefold, known.details):
        meaning = describe(source, kind, detail, data)
    else:
        # Any text may stand there; what it might have meant at worst is what counts.
        detail = None
        meaning = max((known.meaning, *known.meanings.values()), key=_gravity)
        meaning = replace(known.meaning, severity=meaning.severity)
    if meaning.severity is Severity.INFO:
        return Reading(ignored=(Ignored(cause, reason),))
    event = Event(
        id=event_id(key),
        source=source,
        kind=kind,
        detail=detail,
        topic=meaning.topic,
        severity=meaning.severity,
        direction=meaning.direction,
        title=meaning.title,
        received_at=receipt.received_at,
        occurred_at=occurred_at,
        waba=waba if waba and waba.isascii() and waba.isdecimal() else None,
        test=test,
    )
    return Reading(ignored=(Ignored(cause, reason, event),))


def _gravity(meaning: Meaning) -> int:
    return list(Severity).index(meaning.severity)


def unreadable_item(reason: str, item: Any) -> Reading:
    """One item that could not be read, with its own bytes unless it looks private."""
    body = plain(item)
    return Reading(unreadable=(unreadable(reason, body, privacy.looks_private(item)),))


def unreadable(reason: str, body: bytes, private: bool) -> Unreadable:
    digest = hashlib.sha256(body).hexdigest()
    return Unreadable(reason, len(body), digest, None if private else body)


def joined(readings: list[Reading]) -> Reading:
    """Several readings as one, in their order."""
    return Reading(
        arrivals=tuple(arrival for reading in readings for arrival in reading.arrivals),
        ignored=tuple(item for reading in readings for item in reading.ignored),
        unreadable=tuple(item for reading in readings for item in reading.unreadable),
    )
