"""An event as templates see it: plain, cleaned, read-only data in which nothing is callable."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any

from relay.events import Direction, Event, Severity
from relay.events.catalogue import KINDS
from relay.messages.languages import DEFAULT
from relay.messages.marks import clean, cut, one_line
from relay.messages.missing import Missing
from relay.messages.phrases import phrase, title
from relay.phones import display

DEEPEST = 32
"""Levels of the sender's data that templates can reach."""
MOST_PARTS = 20_000
"""Keys and items of the sender's data that templates can reach."""

NAMES = (
    "id",
    "short_id",
    "source",
    "kind",
    "detail",
    "topic",
    "severity",
    "direction",
    "title",
    "phone",
    "phones",
    "phone_name",
    "client",
    "country",
    "waba",
    "waba_360",
    "test",
    "occurred_at",
    "received_at",
    "data",
    "who",
    "emoji",
    "known",
)
"""What `event` has."""


class Bag(dict[str, Any]):
    """A mapping that knows by which dotted name templates reach it."""

    __slots__ = ("path",)

    def __init__(self, path: str, pairs: Mapping[str, Any] | None = None) -> None:
        super().__init__(pairs or {})
        self.path = path

    def part(self, name: object) -> Any:
        """The value of that key; a key always wins, and there is nothing but keys."""
        if isinstance(name, str) and name in self:
            return self[name]
        return Missing(name=f"{self.path}.{name}")


class Row(list[Any]):
    """A list that knows by which dotted name templates reach it."""

    __slots__ = ("path",)

    def __init__(self, path: str, items: list[Any]) -> None:
        super().__init__(items)
        self.path = path


class _Cleaner:
    """Copies a sender's data; what lies too deep, or is too much, becomes an ellipsis."""

    def __init__(self, language: str) -> None:
        self._left = MOST_PARTS
        self._language = language

    def plain(self, value: Any, path: str, depth: int = 0) -> Any:
        """A value of JSON as templates see it: texts cleaned, null as `Missing`."""
        self._left -= 1
        match value:
            case _ if self._left < 0:
                return "…"
            case str():
                return cut(clean(str(value)), language=self._language)
            case None:
                return Missing(name=path)
            case bool() | int() | float() | datetime():
                return value
            case Mapping() if depth < DEEPEST:
                bag = Bag(path)
                for key, inner in islice(value.items(), max(self._left, 0)):
                    name = one_line(str(key), 200)
                    bag[name] = self.plain(inner, f"{path}.{name}", depth + 1)
                return bag
            case list() | tuple() if depth < DEEPEST:
                items = enumerate(islice(value, max(self._left, 0)))
                return Row(
                    path, [self.plain(item, f"{path}[{at}]", depth + 1) for at, item in items]
                )
        return "…"


def who(event: Event, language: str = DEFAULT) -> str | None:
    """By what people know whom an event is about: a name and the number, else what there is."""
    names = (event.client.name, event.phone_name, None if event.phone else event.client.id)
    phone = display(one_line(event.phone, 40)) if event.phone else ""
    shown = next((line for name in names if name and (line := one_line(name, 120))), "")
    account = one_line(event.waba or event.waba_360 or "", 60)
    if shown or phone:
        return ", ".join(part for part in (shown, phone) if part)
    return phrase("account", language, id=account) if account else None


def emoji(event: Event) -> str:
    """One sign for how much it matters and which way it went."""
    if event.direction is Direction.BETTER:
        return "✅"
    if event.severity is Severity.CRITICAL:
        return "🚨"
    if event.direction is Direction.WORSE or event.severity is Severity.WARNING:
        return "⚠️"
    return "ℹ️"


def known(event: Event) -> bool:
    """Whether the catalogue knows the kind; of the others only the names of fields are told."""
    return event.kind.lower() in KINDS


def facts(event: Event, language: str = DEFAULT) -> Bag:
    """Everything that `event` means in a template of that language."""
    shown = {
        "id": event.id,
        "short_id": event.short_id,
        "source": event.source.value,
        "kind": event.kind,
        "detail": event.detail,
        "topic": event.topic.value,
        "severity": event.severity.value,
        "direction": event.direction.value,
        "title": title(event.title, language),
        "phone": event.phone,
        "phones": list(event.phones),
        "phone_name": event.phone_name,
        "client": {"id": event.client.id, "name": event.client.name},
        "country": event.country,
        "waba": event.waba,
        "waba_360": event.waba_360,
        "test": event.test,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "who": who(event, language),
        "emoji": emoji(event),
        "known": known(event),
        "data": event.data,
    }
    bag = _Cleaner(language).plain(shown, "event")
    assert isinstance(bag, Bag)  # a mapping becomes a bag
    return bag
