"""The events that the rules of a file can tell apart, as far as the catalogue says what happens."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from itertools import product

from relay import samples
from relay.events import Direction, Severity, Source, Topic
from relay.events.catalogue import KINDS, describe
from relay.events.meanings import Meaning
from relay.rules import All, AnyOf, Condition, Not, Test
from relay.rules.conditions import Matcher, fold

FIXED = ("event", "detail", "topic", "severity", "direction", "source")
"""What an event is, whomever it is about: kind and detail, and what the catalogue makes of them."""
NEW = "\ue000" * 20
"""Stands where any text may: no rule can name it, only a wildcard meets it."""
SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)

Values = frozenset[tuple[str, str]]
"""Values by key: `(key, value)`."""
Said = tuple[str, str | None, Topic, Severity, Direction, Source]
"""The values under the fixed keys, in their order."""


@dataclass(frozen=True, slots=True)
class Row:
    """Kinds, details and meanings that a file's rules do not tell apart."""

    meets: int
    """A bit for each test of the file that they meet."""
    alike: list[Said]

    @property
    def said(self) -> Said:
        """One that stands for all of them."""
        return self.alike[0]


class Kinds:
    """Every way in which kind, detail and meaning can meet a file's tests.

    Too many are harmless, too few are not: what is called unreachable must never happen.
    """

    def __init__(self, conditions: Iterable[Condition], also: Values) -> None:
        """`also` are kinds and details that stand for themselves with every rule."""
        self._bits: dict[str, dict[Test, int]] = {key: {} for key in FIXED}
        tests = dict.fromkeys(test for when in conditions for test, _ in tests_in(when, True))
        for number, test in enumerate(test for test in tests if test.key in FIXED):
            self._bits[test.key][test] = 1 << number
        self._met: dict[tuple[str, str], int] = {}
        self._kinds = dict.fromkeys((*KINDS, *_named(also, "event"), NEW))
        self._details = dict.fromkeys((None, *_named(also, "detail"), NEW))
        self._rows = self._told_apart((*likely(), *_all(self._kinds, self._details)))
        self._own: dict[Values, list[Row]] = {}
        self.likely = [Row(self.meets(said), [said]) for said in likely()]
        """What is known to happen, one by one."""

    def needed(self, when: Condition) -> int:
        """The tests without which a condition cannot hold, as in `Row.meets`."""
        parts = when.parts if isinstance(when, All) else (when,)
        found = 0
        for part in parts:
            if isinstance(part, Test) and part.key in FIXED:
                found |= self._bits[part.key][part]
        return found

    def common(self, needed: int) -> Iterator[Row]:
        """All that meets some tests."""
        return (row for row in self._rows if row.meets & needed == needed)

    def own(self, needed: int, own: Values) -> Iterator[Row]:
        """The same of kinds and details that only one rule names."""
        own = frozenset(pair for pair in own if pair[1] not in (self._kinds | self._details))
        if own not in self._own:
            details = _named(own, "detail")
            of_its_kinds = _all(_named(own, "event"), (*self._details, *details))
            of_all = _all(self._kinds, details, known=False) if details else ()
            self._own[own] = self._told_apart((*of_its_kinds, *of_all))
        return (row for row in self._own[own] if row.meets & needed == needed)

    def _told_apart(self, each: Iterable[Said]) -> list[Row]:
        rows: dict[int, Row] = {}
        for said in each:
            meets = self.meets(said)
            rows.setdefault(meets, Row(meets, [])).alike.append(said)
        return list(rows.values())

    def meets(self, said: Said) -> int:
        """The tests that it meets, as in `Row.meets`."""
        found = 0
        for key, value in zip(FIXED, said, strict=True):
            if value is None or not self._bits[key]:
                continue
            met = self._met.get((key, value))
            if met is None:
                tests = self._bits[key].items()
                met = self._met[key, value] = sum(bit for test, bit in tests if _meets(test, value))
            found |= met
        return found


def tests_in(condition: Condition, wanted: bool) -> Iterator[tuple[Test, bool]]:
    """Every test that stands anywhere in a condition, and whether it is to hold."""
    match condition:
        case Test():
            yield condition, wanted
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from tests_in(part, wanted)
        case Not(part=part):
            yield from tests_in(part, not wanted)


def everything(matcher: Matcher) -> bool:
    """Whether every value meets it."""
    return getattr(matcher, "text", "").strip("+") == "*"


@cache
def likely() -> tuple[Said, ...]:
    """What is known to happen: kinds and details as the tables say, and the bundled samples."""
    found: list[Said] = [
        (kind.name, detail, *_meaning(describe(kind.source, kind.name, detail, {})), kind.source)
        for kind in KINDS.values()
        if kind.source is not Source.RELAY
        for detail in kind.details or (None,)
    ]
    for name in samples.names():
        event = samples.event(name, SOME_DAY)
        meaning = event.topic, event.severity, event.direction
        found.append((event.kind, event.detail, *meaning, event.source))
    return tuple(dict.fromkeys(found))


def _named(pairs: Values, wanted: str) -> list[str]:
    return sorted(value for key, value in pairs if key == wanted)


def _meets(test: Test, value: str) -> bool:
    return fold(value) in test.exact or any(one.matches(value) for one in test.patterns)


def _meaning(meaning: Meaning) -> tuple[Topic, Severity, Direction]:
    return meaning.topic, meaning.severity, meaning.direction


def _all(kinds: Iterable[str], details: Iterable[str | None], known: bool = True) -> Iterator[Said]:
    """Kinds with details (those that the catalogue knows among them), from every source."""
    for name in kinds:
        kind = KINDS.get(name)
        sources: list[Source] = [source for source in Source if source is not Source.RELAY]
        if kind and kind.source is Source.RELAY:
            sources = [Source.RELAY]
        own = kind.details if kind and known else ()
        for detail in dict.fromkeys((*own, *details)):
            meanings = [_meaning(describe(sources[0], name, detail, {}))]
            if kind and kind.sharpen:
                # What the data can make of it is not followed: it may be anything.
                meanings = list(product(kind.topics, Severity, Direction))
            for meaning, source in product(meanings, sources):
                yield name, detail, *meaning, source
