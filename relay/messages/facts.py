"""An event as templates see it: plain, read-only data in which nothing is callable.

A value is cleaned when it is reached, so an event costs what its template reads of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from jinja2.runtime import Undefined

from relay.events import Event
from relay.messages import told
from relay.messages.languages import Voice
from relay.messages.marks import MOST_CHARACTERS, SHORT
from relay.messages.words import title
from relay.text import clean, cut, one_line


class Missing(Undefined):
    """What stands in a template for a value that the event does not have.

    False in `if`, empty in `for`, `[missing: name]` in a message; of parts it has none. What is
    compared or reckoned with it stays missing, where Jinja's own would raise.
    """

    __slots__ = ()

    @property
    def name(self) -> str:
        """The dotted name: `event.data.current_limit`."""
        return self._undefined_name or "value"

    def part(self, name: object) -> Missing:
        """What is missing when a part of something missing is asked for."""
        return Missing(name=f"{self.name}.{name}")

    def __getitem__(self, key: object) -> Any:
        return self if isinstance(key, slice) else self.part(key)

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __contains__(self, item: object) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return other is None or isinstance(other, Undefined)

    def __hash__(self) -> int:
        return hash(None)

    def _never(self, _other: object) -> bool:
        return False

    def _stays(self, *_others: object) -> Missing:
        return self

    # The base raises in all of these.
    __lt__ = __le__ = __gt__ = __ge__ = _never  # type: ignore[assignment]
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _stays  # type: ignore[assignment]
    __truediv__ = __rtruediv__ = __floordiv__ = __rfloordiv__ = _stays  # type: ignore[assignment]
    __mod__ = __rmod__ = __neg__ = __pos__ = _stays  # type: ignore[assignment]


class Bag(Mapping[str, Any]):
    """A mapping that knows by which dotted name templates reach it."""

    __slots__ = ("_held", "_made", "language", "path")

    def __init__(self, held: Mapping[Any, Any], path: str, language: str) -> None:
        self._held = held
        self._made: dict[Any, Any] = {}
        self.path = path
        self.language = language

    def part(self, name: Any) -> Any:
        """The value of that key; a key always wins, and there is nothing but keys."""
        try:
            return self._made[name]
        except (KeyError, TypeError):
            pass
        try:
            value = self._held[name]
        except (KeyError, TypeError):
            return Missing(name=f"{self.path}.{name}")
        made = self._made[name] = shown(value, self, name)
        return made

    def __getitem__(self, name: str) -> Any:
        if name not in self._held:
            raise KeyError(name)
        return self.part(name)

    def __iter__(self) -> Iterator[str]:
        # Names too are the sender's: from now on they are what a template can print.
        self._held = {one_line(str(name), 200): value for name, value in self._held.items()}
        return iter(self._held)

    def __len__(self) -> int:
        return len(self._held)


class Row(Sequence[Any]):
    """A list that knows by which dotted name templates reach it."""

    __slots__ = ("_held", "_made", "language", "path")

    def __init__(self, held: Sequence[Any], path: str, language: str) -> None:
        self._held = held
        self._made: dict[int, Any] = {}
        self.path = path
        self.language = language

    def __getitem__(self, at: Any) -> Any:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self._held)))]
        if at not in self._made:
            self._made[at] = shown(self._held[at], self, at)
        return self._made[at]

    def __len__(self) -> int:
        return len(self._held)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        return id(self)


def shown(value: Any, holder: Bag | Row, name: Any) -> Any:
    """A value of JSON as templates see it: texts cleaned, null as `Missing`."""
    if isinstance(value, str):
        text = value if value.isascii() and value.isprintable() else clean(value)
        return text if len(text) <= SHORT else cut(text, MOST_CHARACTERS, holder.language)
    if isinstance(value, bool | int | float | datetime):
        return value
    path = f"{holder.path}.{name}" if isinstance(holder, Bag) else f"{holder.path}[{name}]"
    if value is None:
        return Missing(name=path)
    if type(value) is dict or isinstance(value, Mapping):
        return Bag(value, path, holder.language)
    return Row(value, path, holder.language) if isinstance(value, list | tuple) else "…"


FACTS: Mapping[str, Callable[[Event, Voice], Any]] = {
    "id": lambda event, _: event.id,
    "short_id": lambda event, _: event.short_id,
    "source": lambda event, _: event.source.value,
    "kind": lambda event, _: event.kind,
    "detail": lambda event, _: event.detail,
    "topic": lambda event, _: event.topic.value,
    "severity": lambda event, _: event.severity.value,
    "direction": lambda event, _: event.direction.value,
    "title": lambda event, voice: title(event.title, voice.language),
    "phone": lambda event, _: event.phone,
    "phones": lambda event, _: event.phones,
    "phone_name": lambda event, _: event.phone_name,
    "client": lambda event, _: {"id": event.client.id, "name": event.client.name},
    "country": lambda event, _: event.country,
    "waba": lambda event, _: event.waba,
    "waba_360": lambda event, _: event.waba_360,
    "test": lambda event, _: event.test,
    "occurred_at": lambda event, _: event.occurred_at,
    "received_at": lambda event, _: event.received_at,
    "who": lambda event, voice: told.who(event, voice.language),
    "number": lambda event, voice: told.of_number(event, voice.language),
    "account": lambda event, voice: told.of_account(event, voice.language),
    "numbers": lambda event, _: told.numbers(event),
    "other_client": lambda event, _: told.other_client(event),
    "other_waba": lambda event, _: told.other_waba(event),
    "template": lambda event, _: told.template(event),
    "subject": lambda event, voice: told.subject(event, voice.language),
    "manager": lambda event, _: told.manager(event),
    "deleted_on": told.deleted_on,
    "errors": lambda event, _: told.errors(event),
    "amount": told.amount,
    "restrictions": told.restrictions,
    "restricted": told.restricted,
    "emoji": lambda event, _: told.emoji(event),
    "known": lambda event, _: told.known(event),
    "fields": lambda event, _: told.fields(event),
    "data": lambda event, _: event.data,
}
"""What `event` has."""
NAMES = tuple(FACTS)
PARTS = {
    "client": ("id", "name"),
    "template": ("name", "language", "category", "reason"),
    "restricted": ("until", "sending", "works", "sends", "reason"),
}
"""What those facts have that have parts of the relay's own."""


class Facts(Bag):
    """Everything that `event` means in a template of that language; made when it is asked for."""

    __slots__ = ("_event", "_voice")

    def __init__(self, event: Event, voice: Voice) -> None:
        super().__init__(FACTS, "event", voice.language)
        self._event = event
        self._voice = voice

    def part(self, name: Any) -> Any:
        """That fact; `Missing` where there is none of this name."""
        if name in self._made:
            return self._made[name]
        if name not in FACTS:
            return Missing(name=f"event.{name}")
        value = FACTS[name](self._event, self._voice)
        made = self._made[name] = shown(value, self, name)
        return made

    def __iter__(self) -> Iterator[str]:
        return iter(FACTS)
