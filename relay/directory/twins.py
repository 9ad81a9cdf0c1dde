"""Twins: the two reports of one happening, one by 360dialog and one by Meta.

Both families report the same things under other kinds and words; what is here brings each report
into one form, its *happening*, and compares two of them. Where it is not sure that two reports
mean the same, they are not twins: a message too many is better than one too few.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from relay import phones
from relay.directory.completing import Completed
from relay.events import Event, Source, Topic, from_iso
from relay.events.catalogue import KINDS
from relay.events.meanings import as_text, first_text, text_at
from relay.events.properties import new_value

WINDOW = timedelta(minutes=10)
"""Two reports are of one happening if they came, or if it happened, within this time."""

_TEMPLATE_STATUS = frozenset({"waba_template_status_changed", "message_template_status_update"})
_TEMPLATE_CATEGORY = frozenset({"waba_template_category_changed", "template_category_update"})
_NUMBER_QUALITY = frozenset({"phone_number_quality_changed", "phone_number_quality_update"})
_VIOLATION = frozenset({"account_violation", "account_update"})
_RESTRICTION = frozenset({"account_restriction", "account_update"})


@dataclass(frozen=True, slots=True)
class Happening:
    """What a report says happened, and to whom, in the words that both families share."""

    key: str
    """Topic and detail in one form; for a template with its name and language."""
    types: frozenset[str] = frozenset()
    """The restrictions that are reported; there may be several at once."""
    phone: str | None = None
    """The key of the number that the event itself names."""
    phones: frozenset[str] = frozenset()
    """The keys of all its numbers, those from the directory included."""
    wabas: frozenset[str] = frozenset()
    client: str | None = None

    def is_of_same_subject(self, other: Happening) -> bool:
        """Number by number where both reports name one; else by account; else by what is left."""
        if self.phone and other.phone:
            return self.phone == other.phone
        if self.wabas and other.wabas:
            return not self.wabas.isdisjoint(other.wabas)
        if self.phones and other.phones:
            return not self.phones.isdisjoint(other.phones)
        return self.client is not None and self.client == other.client

    def is_twin_of(self, other: Happening) -> bool:
        """Whether both reports are of the same happening; families and times are not looked at."""
        if self.key != other.key or not self.is_of_same_subject(other):
            return False
        return not (self.types and other.types) or not self.types.isdisjoint(other.types)

    def adds_to(self, other: Happening) -> bool:
        """Whether it names something that its twin does not: then it is news all the same."""
        return bool(self.types and other.types) and not self.types <= other.types


def twin_key(event: Event) -> str | None:
    """Topic and detail in the form that both families share; None: it never has a twin."""
    if event.test or event.source in (Source.RELAY, Source.WATCH):
        return None
    kind = event.kind.casefold()
    detail = (event.detail or "").strip().casefold()
    if kind in _TEMPLATE_STATUS:
        return _joined("template", detail, *_template(event.data)) if detail else None
    if kind in _TEMPLATE_CATEGORY:
        return _joined("category", *_category(event.data), *_template(event.data))
    if kind in _NUMBER_QUALITY:
        return _joined(event.topic.value, detail) if detail else None
    if kind in _VIOLATION and event.topic is Topic.VIOLATION:
        said = first_text(event.data, "violation_info.violation_type", "violation_type")
        return _joined("violation", (said or "").casefold())
    if kind in _RESTRICTION and event.topic is Topic.RESTRICTION:
        return _joined("restriction")
    known = KINDS.get(kind)
    if known is not None and known.source is not Source.WABA:
        return None
    # What is left is Meta's own kind, which 360dialog may pass on in its envelope.
    if known is not None and detail and kind != "payment":
        return _joined(event.topic.value, kind, detail, event.title)
    content = {name: value for name, value in event.data.items() if name != "id"}
    return _joined(event.topic.value, kind, _digest(content))


def happening(completed: Completed) -> Happening | None:
    """What a completed event reports; None: it never has a twin."""
    event = completed.event
    key = twin_key(event)
    if key is None:
        return None
    keys = number_keys(event)
    wabas = frozenset(filter(None, (event.waba, event.waba_360)))
    if not (keys or wabas or event.client.id):
        return None
    own = event.phone if "phones" not in completed.origins else None
    return Happening(
        key=key,
        types=_restrictions(event) if key == _joined("restriction") else frozenset(),
        phone=phones.index_key(own) if own else None,
        phones=keys,
        wabas=wabas,
        client=event.client.id,
    )


def is_told_by(watch: Event, webhook: Event) -> bool:
    """Whether a webhook reports the change that the watch found: the same number and new value.

    It came since the last complete look before the change, or within one period after it.
    """
    if watch.source is not Source.WATCH or webhook.source is Source.WATCH:
        return False
    if new_value(watch) != new_value(webhook) or number_keys(watch).isdisjoint(
        number_keys(webhook)
    ):
        return False
    since, until = watch.data.get("since"), watch.data.get("until")
    if not (isinstance(since, str) and isinstance(until, str)):
        return False
    return from_iso(since) <= webhook.received_at <= from_iso(until)


def number_keys(event: Event) -> frozenset[str]:
    """The numbers of an event in any spelling."""
    return frozenset(phones.index_key(number) for number in event.phones)


def _template(data: Mapping[str, Any]) -> tuple[str, str]:
    """Name and language; Meta writes `en_US` and `en-US`."""
    name = first_text(data, "message_template_name", "template.name")
    if name is None:
        name = first_text(data, "message_template_id", "template.external_id")
    language = first_text(data, "message_template_language", "template.language")
    return (name or "").casefold(), (language or "").casefold().replace("-", "_")


def _category(data: Mapping[str, Any]) -> tuple[str, str]:
    """The coming category, if it is only a notice, and the one that holds."""
    coming = first_text(data, "correct_category", "template.correct_category")
    holds = first_text(data, "new_category", "template.new_category", "template.category")
    return (coming or "").casefold(), (holds or "").casefold()


def _restrictions(event: Event) -> frozenset[str]:
    """The types of restriction; a type of violation in their place says nothing about them."""
    found = {text_at(event.data, "violation_type"), text_at(event.data, "restriction_type")}
    listed = event.data.get("restriction_info")
    for item in listed if isinstance(listed, list) else [listed]:
        if isinstance(item, Mapping):
            found.add(as_text(item.get("restriction_type")))
    words = {word.casefold() for word in found if word}
    return frozenset(word for word in words if word.startswith("restricted"))


def _joined(*parts: str) -> str:
    return json.dumps(parts, separators=(",", ":"))


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:20]
