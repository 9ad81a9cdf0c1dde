"""Everything that an event can be, as far as the catalogue tells: the world that rules are held to.

A *profile* is one combination of kind, detail, topic, severity, direction and source. A set of
profiles is an integer with one bit for each, so that ten thousand rules cost only bit operations.
What a rule says of other values (numbers, clients, data) is an *atom*: it may hold or not.

Too many profiles are harmless, too few are not: what is unreachable here never happens.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from functools import cache
from itertools import product

from relay import samples
from relay.events import Direction, Severity, Source, Topic
from relay.events.catalogue import KINDS, Kind, describe
from relay.events.meanings import Meaning
from relay.rules import All, AnyOf, Condition, Exact, Not, Regex, Test
from relay.rules.conditions import Matcher, fold

Mask = int

CLOSED = ("event", "detail", "topic", "severity", "direction", "source")
"""The keys whose values a profile fixes."""
GRAVE = frozenset({Topic.RESTRICTION, Topic.BAN, Topic.VIOLATION, Topic.SECURITY})
MOST_LITERALS = 40
"""Details beyond the catalogue that get profiles of their own."""
ANY = ""
"""Stands for a kind or detail that neither the catalogue nor a rule names."""
_SAID = datetime(2026, 1, 1, tzinfo=UTC)

_Row = tuple[str, str | None, str, str, str, str]


class Profiles:
    """All profiles that can matter to some rules."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        tests = [test for condition in conditions for test in tests_in(condition)]
        details = _literals(tests, "detail")
        rows = list(dict.fromkeys(_rows(_literals(tests, "event"), details)))
        self._named = frozenset(details)
        bits: dict[tuple[str, str | None], bytearray] = defaultdict(
            lambda: bytearray(len(rows) // 8 + 1)
        )
        for number, row in enumerate(rows):
            for key, value in zip(CLOSED, row, strict=True):
                bits[key, value][number // 8] |= 1 << number % 8
        masks = {name: int.from_bytes(found, "little") for name, found in bits.items()}
        self.all: Mask = (1 << len(rows)) - 1
        self.by_key: Mapping[str, dict[str, Mask]] = {key: {} for key in CLOSED}
        for (key, value), mask in masks.items():
            if value is not None:
                self.by_key[key][value] = mask
        own = self._of("source", Source.RELAY.value)
        for kind in KINDS.values():
            if kind.source is Source.RELAY:
                own |= self._of("event", kind.name)
        self.real: Mask = self.all & ~own
        """Without the relay's own events, which stand outside the rules."""
        numbers = {row: number for number, row in enumerate(rows)}
        self.likely: Mask = _mask(numbers[row] for row in _likely() if row in numbers)
        """Those that are known to happen: what the tables say, and the bundled samples."""
        grave = self._of("severity", Severity.CRITICAL.value)
        for topic in GRAVE:
            grave |= self._of("topic", topic.value)
        self.grave: Mask = grave & self.real
        """Those that cannot wait."""
        self.grave_likely: Mask = self.grave & self.likely

    def _of(self, key: str, value: str) -> Mask:
        return self.by_key[key].get(value, 0)

    def met_by(self, key: str, matcher: Matcher) -> tuple[Mask, Mask]:
        """The profiles that a matcher takes for certain, and those that it may take."""
        values = self.by_key[key]
        other = values.get(ANY, 0)
        if isinstance(matcher, Exact):
            certain = values.get(matcher.folded, 0)
            # A detail of one kind may come with any other, where a rule names it.
            whole = certain and (key != "detail" or matcher.folded in self._named)
            return certain, 0 if whole else other
        if isinstance(matcher, Regex) and "(?" in matcher.pattern:
            # It may ask for upper case, and the spelling that will come is not known.
            return 0, self.all & ~self._without(key)
        certain = 0
        for value, mask in values.items():
            if value != ANY and matcher.matches(value):
                certain |= mask
        if everything(matcher):
            return certain | other, 0
        return certain, other

    def _without(self, key: str) -> Mask:
        """The profiles that have no value under a key."""
        having = 0
        for mask in self.by_key[key].values():
            having |= mask
        return self.all & ~having

    def of(self, kind: Kind, detail: str | None) -> Mask:
        """The profiles of a kind with a known detail; None: all of the kind."""
        mask = self._of("event", kind.name)
        return mask & self._of("detail", fold(detail)) if detail is not None else mask

    @property
    def unknown_kinds(self) -> Mask:
        """Those of kinds that nobody knows yet."""
        return self._of("event", ANY)


def tests_in(condition: Condition) -> Iterator[Test]:
    """Every test that stands anywhere in a condition."""
    match condition:
        case Test():
            yield condition
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from tests_in(part)
        case Not(part=part):
            yield from tests_in(part)


def everything(matcher: Matcher) -> bool:
    """Whether every value meets it."""
    text = getattr(matcher, "text", "")
    return not isinstance(matcher, Exact | Regex) and bool(text) and not text.strip("*+")


def _literals(tests: Iterable[Test], key: str) -> tuple[str, ...]:
    known = set(KINDS) if key == "event" else set()
    found = dict.fromkeys(
        value for test in tests if test.key == key for value in sorted(test.exact)
    )
    return tuple(value for value in found if value not in known)[:MOST_LITERALS]


def _rows(kinds: tuple[str, ...], details: tuple[str, ...]) -> Iterator[_Row]:
    sources = tuple(Source)
    for kind in KINDS.values():
        by_detail = {fold(detail): meaning for detail, meaning in kind.meanings.items()}
        for detail in (None, *by_detail, *details, ANY):
            base = by_detail.get(detail, kind.meaning) if detail is not None else kind.meaning
            for meaning, source in product(_meanings(kind, base), sources):
                yield (kind.name, detail, *meaning, source.value)
    unknown = describe(Source.PARTNER, "a kind that nobody knows", None, {})
    for name, detail, source in product((*kinds, ANY), (None, *details, ANY), sources):
        yield (name, detail, *_texts(unknown), source.value)


def _meanings(kind: Kind, base: Meaning) -> Iterator[tuple[str, str, str]]:
    if kind.sharpen is None:
        yield _texts(base)
        return
    # What the data can make of it is not followed: it may be anything.
    for topic, severity, direction in product(kind.topics, Severity, Direction):
        yield topic.value, severity.value, direction.value


def _texts(meaning: Meaning) -> tuple[str, str, str]:
    return meaning.topic.value, meaning.severity.value, meaning.direction.value


@cache
def _likely() -> tuple[_Row, ...]:
    return tuple(dict.fromkeys(_happening()))


def _happening() -> Iterator[_Row]:
    for kind in KINDS.values():
        if kind.source is Source.RELAY:
            continue
        for detail in kind.details or (None,):
            meaning = describe(kind.source, kind.name, detail, {})
            folded = fold(detail) if detail is not None else None
            yield (kind.name, folded, *_texts(meaning), kind.source.value)
    for name in samples.names():
        event = samples.event(name, _SAID)
        yield (
            fold(event.kind),
            fold(event.detail) if event.detail is not None else None,
            event.topic.value,
            event.severity.value,
            event.direction.value,
            event.source.value,
        )


def _mask(numbers: Iterable[int]) -> Mask:
    mask = 0
    for number in numbers:
        mask |= 1 << number
    return mask
