"""Conditions on an event: a tree of `All`, `AnyOf` and `Not` over `Test`s of single values.

A test on a value that the event does not have fails, so its `Not` holds. With several values
(numbers, elements of a list, a client's id and name) one that matches suffices. Texts are compared
without case. Event texts are hostile: whatever is matched against them runs in linear time.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import re2

from relay.events import Event
from relay.phones import PhonePattern, index_key

_VALUES: Mapping[str, Callable[[Event], tuple[str | None, ...]]] = {
    "event": lambda event: (event.kind,),
    "detail": lambda event: (event.detail,),
    "topic": lambda event: (event.topic,),
    "severity": lambda event: (event.severity,),
    "direction": lambda event: (event.direction,),
    "source": lambda event: (event.source,),
    "phone": lambda event: event.phones,
    "client": lambda event: (event.client.id, event.client.name),
    "waba": lambda event: (event.waba, event.waba_360),
    "country": lambda event: (event.country,),
}
KEYS = tuple(_VALUES)
"""What a test can ask for, besides `data.<path>`."""
DATA = "data."


def fold(text: str) -> str:
    """A text in the form in which texts are compared: without case, composed alike."""
    if text.isascii():
        return text.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


class Facts:
    """The values of one event by key, looked up once each."""

    __slots__ = ("_event", "_folded", "_values")

    def __init__(self, event: Event) -> None:
        self._event = event
        self._values: dict[str, tuple[str, ...]] = {}
        self._folded: dict[str, frozenset[str]] = {}

    def values(self, key: str) -> tuple[str, ...]:
        """The texts that the event has under a key; empty where it has none."""
        known = self._values.get(key)
        if known is None:
            known = self._values[key] = _values(self._event, key)
        return known

    def folded(self, key: str) -> frozenset[str]:
        """The same in the form in which exact tests compare them."""
        known = self._folded.get(key)
        if known is None:
            form = index_key if key == "phone" else fold
            known = self._folded[key] = frozenset(form(value) for value in self.values(key))
        return known


def _values(event: Event, key: str) -> tuple[str, ...]:
    found: Iterable[str | None]
    if key.startswith(DATA):
        found = _walk(event.data, key.removeprefix(DATA).split("."))
    else:
        found = _VALUES[key](event)
    return tuple(dict.fromkeys(value for value in found if value is not None))


def _walk(data: Any, path: list[str]) -> Iterator[str]:
    """The texts at a path, through any element of lists; without recursion, as depth is theirs."""
    todo: list[tuple[Any, int]] = [(data, 0)]
    while todo:
        node, depth = todo.pop()
        if isinstance(node, list | tuple):
            todo.extend((element, depth) for element in reversed(node))
        elif depth < len(path):
            if isinstance(node, Mapping) and path[depth] in node:
                todo.append((node[path[depth]], depth + 1))
        else:
            yield from _texts(node)


def _texts(value: Any) -> tuple[str, ...]:
    match value:
        case bool():
            return ("true" if value else "false",)
        case str():
            return (value,)
        case float() if value.is_integer() and abs(value) < 1e15:
            return (str(value), str(int(value)))
        case int() | float():
            return (str(value),)
        case _:
            return ()


class Matcher(Protocol):
    """One wanted value or pattern."""

    def matches(self, value: str, /) -> bool:
        """Whether a value of an event is wanted."""
        ...


@dataclass(frozen=True, slots=True)
class Exact:
    """A text that must be met whole, without case."""

    text: str
    folded: str = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "folded", fold(self.text))

    def matches(self, value: str, /) -> bool:
        return fold(value) == self.folded


@dataclass(frozen=True, slots=True)
class Glob:
    """A text with `*` (any characters, also none) and `?` (any one) that must be met whole."""

    text: str
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        wild = {"*": ".*", "?": "."}
        body = "".join(wild.get(char) or re2.escape(char) for char in fold(self.text))
        object.__setattr__(self, "_compiled", _compile(body, case_sensitive=True))

    def matches(self, value: str, /) -> bool:
        return self._compiled.fullmatch(_encoded(fold(value))) is not None


@dataclass(frozen=True, slots=True)
class Regex:
    """A regular expression of RE2 that is met anywhere in a value, without case.

    Raises `ValueError` with RE2's reason for an expression that it cannot compile: look-arounds
    and back-references do not exist there, as they would cost more than linear time.
    """

    pattern: str
    _compiled: Any = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_compiled", _compile(self.pattern, case_sensitive=False))

    def matches(self, value: str, /) -> bool:
        return self._compiled.search(_encoded(value)) is not None


def _compile(pattern: str, *, case_sensitive: bool) -> Any:
    options = re2.Options()
    options.log_errors = False
    options.dot_nl = True
    options.case_sensitive = case_sensitive
    try:
        return re2.compile(_encoded(pattern), options)
    except re2.error as error:
        reason = error.args[0] if error.args else "unknown"
        text = reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
        raise ValueError(text) from None


def _encoded(text: str) -> bytes:
    """UTF-8 for RE2; a lone surrogate, which has none, becomes a question mark."""
    return text.encode("utf-8", "replace")


@dataclass(frozen=True, slots=True)
class Members:
    """A named list with very many values: `keys` in compared form, and what has wildcards."""

    keys: frozenset[str]
    patterns: tuple[Matcher, ...] = ()

    @classmethod
    def of(cls, matchers: Iterable[Matcher]) -> Members:
        """Several matchers as one that looks up what is meant exactly."""
        exact: set[str] = set()
        patterns: list[Matcher] = []
        lists: list[frozenset[str]] = []
        for matcher in matchers:
            if isinstance(matcher, Exact):
                exact.add(matcher.folded)
            elif isinstance(matcher, Members):
                lists.append(matcher.keys)
                patterns.extend(matcher.patterns)
            elif isinstance(matcher, PhonePattern) and matcher.exact is not None:
                exact |= matcher.exact
            else:
                patterns.append(matcher)
        # Rules that name the same large list share its set.
        alone = len(lists) == 1 and not exact
        return cls(lists[0] if alone else frozenset(exact.union(*lists)), tuple(patterns))

    def matches(self, value: str, /) -> bool:
        key = index_key(value) if value.startswith("+") else fold(value)
        return key in self.keys or any(pattern.matches(value) for pattern in self.patterns)


def text_matcher(text: str) -> Exact | Glob:
    """The matcher of a text as a rule writes it."""
    return Glob(text) if "*" in text or "?" in text else Exact(text)


@dataclass(frozen=True, slots=True)
class Test:
    """Some value under a key is met by some matcher.

    `wanted` is what an explanation shows: the matchers as the rule writes them. For `phone` the
    matchers are `PhonePattern` or `Regex`, for all else `Exact`, `Glob` or `Regex`.
    """

    __test__ = False  # not a test case, whatever pytest makes of the name

    key: str
    matchers: tuple[Matcher, ...]
    wanted: str
    exact: frozenset[str] = field(init=False, repr=False, compare=False)
    """The values, in compared form, that are met by the matchers without wildcards."""
    patterns: tuple[Matcher, ...] = field(init=False, repr=False, compare=False)
    """The other matchers."""

    def __post_init__(self) -> None:
        together = Members.of(self.matchers)
        object.__setattr__(self, "exact", together.keys)
        object.__setattr__(self, "patterns", together.patterns)

    def holds(self, facts: Facts) -> bool:
        return not self.exact.isdisjoint(facts.folded(self.key)) or any(
            pattern.matches(value) for value in facts.values(self.key) for pattern in self.patterns
        )

    def met_by(self, facts: Facts) -> str | None:
        """The first value that is wanted."""
        form = index_key if self.key == "phone" else fold
        for value in facts.values(self.key):
            if form(value) in self.exact or any(p.matches(value) for p in self.patterns):
                return value
        return None


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]

    def holds(self, facts: Facts) -> bool:
        return all(part.holds(facts) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple[Condition, ...]

    def holds(self, facts: Facts) -> bool:
        return any(part.holds(facts) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold; `not: [A, B]` is `Not(AnyOf((A, B)))`: neither."""

    part: Condition

    def holds(self, facts: Facts) -> bool:
        return not self.part.holds(facts)


Condition = All | AnyOf | Not | Test
