"""What rules can be about: kinds and details with all that the catalogue can make of them, as rows.

Theory of operation: every event is like one of the rows, as far as kind and meaning go; a kind or
a detail that nobody names is like `NEW`. A set of rows is a whole number with a bit for each. Of a
condition two such sets are told: where it must hold and where it may. Numbers, clients and data
stand in no row: what is known of them is only what one rule, the *asker*, wants itself. So "must"
is never said too often and "may" never too seldom, and what follows from both is never false.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from functools import cache
from itertools import product

from relay import samples
from relay.events import Direction, Severity, Source, Topic
from relay.events.catalogue import KINDS, describe
from relay.phones import PhonePattern
from relay.rules import All, AnyOf, Condition, Glob, Not, Regex, Test
from relay.rules.conditions import Matcher, fold

FIXED = ("event", "detail", "topic", "severity", "direction", "source")
"""What an event is, whomever it is about: kind and detail, and what the catalogue makes of them."""
NEW = "\ue000" * 20
"""Stands for any text that no rule names: only a wildcard meets it."""
_CLOSED = frozenset(FIXED[2:])
"""Of these keys all values are known."""
_SOME_DAY = datetime(2026, 1, 1, tzinfo=UTC)

Row = tuple[str, str | None, Topic, Severity, Direction, Source]
"""The values under the fixed keys, in their order."""
Rows = int
"""A set of rows."""
Wants = tuple[Test, ...]
"""Tests that all hold where a rule matches."""


class Kinds:
    """The rows of a file, and what its conditions say of them."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        tests = dict.fromkeys(test for when in conditions for test in _tests_in(when))
        named = {
            key: [one for t in tests if t.key == key for one in sorted(t.exact)] for key in FIXED
        }
        usual = likely()
        by_source = any(test.key == "source" for test in tests)
        others = _imaginable(named["event"], named["detail"], by_source)
        self.rows: Sequence[Row] = tuple(dict.fromkeys((*usual, *others)))
        self.all: Rows = (1 << len(self.rows)) - 1
        self.likely: Rows = (1 << len(usual)) - 1
        """What is known to happen."""
        self._having = [self._by_value(place) for place in range(len(FIXED))]
        self.own = self._having[-1].get(Source.RELAY.value, 0)
        """The relay's own events: rules are not asked about them."""
        self._met: dict[Test, tuple[Rows, Rows]] = {}

    def _by_value(self, place: int) -> dict[str, Rows]:
        found: dict[str, bytearray] = defaultdict(lambda: bytearray(len(self.rows) // 8 + 1))
        for number, row in enumerate(self.rows):
            value = row[place]
            if value is not None:
                found[value][number // 8] |= 1 << number % 8
        return {value: int.from_bytes(bits, "little") for value, bits in found.items()}

    def told(self, rows: Rows) -> Iterator[Row]:
        """Each row of a set."""
        return (row for number, row in enumerate(self.rows) if rows >> number & 1)

    def judge(self, condition: Condition, asker: Wants = ()) -> tuple[Rows, Rows]:
        """Where a condition must hold, and where it may, of events that meet the asker's wants."""
        match condition:
            case Test():
                return self._test(condition, asker)
            case Not(part=part):
                must, may = self.judge(part, asker)
                return self.all & ~may, self.all & ~must
            case All(parts=parts):
                must = may = self.all
                for part in parts:
                    one = self.judge(part, asker)
                    must, may = must & one[0], may & one[1]
                return must, may
            case AnyOf(parts=parts):
                must = may = 0
                for part in parts:
                    one = self.judge(part, asker)
                    must, may = must | one[0], may | one[1]
                return must, may

    def _test(self, test: Test, asker: Wants) -> tuple[Rows, Rows]:
        must, may = self._fixed(test) if test.key in FIXED else (0, self.all)
        for want in asker:
            if want.key == test.key and want is not test and test.key not in _CLOSED:
                if implies(want, test):
                    return self.all, self.all
                if test.key == "country" and _excludes(want, test):
                    return 0, 0
        return must, may

    def _fixed(self, test: Test) -> tuple[Rows, Rows]:
        if test not in self._met:
            plain = [one for one in test.patterns if test.key in _CLOSED or _is_plain(one)]
            unclear = len(plain) < len(test.patterns)
            must = may = 0
            for value, rows in self._having[FIXED.index(test.key)].items():
                if fold(value) in test.exact or any(one.matches(value) for one in plain):
                    must |= rows
                elif unclear or (value == NEW and plain):
                    may |= rows
            self._met[test] = must, must | may
        return self._met[test]


def wants(condition: Condition) -> Wants:
    """The tests that all hold wherever a condition does."""
    match condition:
        case Test():
            return (condition,)
        case All(parts=parts):
            return tuple(test for part in parts for test in wants(part))
        case AnyOf(parts=[part]):
            return wants(part)
    return ()


def implies(one: Test, other: Test) -> bool:
    """Whether whatever meets one test meets another of the same key."""
    if not (one.exact <= other.exact or all(_is_met(value, other) for value in one.exact)):
        return False
    return all(_is_within(pattern, other.patterns) for pattern in one.patterns)


def _is_met(value: str, test: Test) -> bool:
    patterns = (one for one in test.patterns if not isinstance(one, Regex))
    return value in test.exact or any(one.matches(value) for one in patterns)


def _is_within(pattern: Matcher, others: Sequence[Matcher]) -> bool:
    """Whether whatever meets a pattern meets one of the others."""
    if pattern in others:
        return True
    if isinstance(pattern, PhonePattern) and pattern.prefix is not None:
        prefixes = [one.prefix for one in others if isinstance(one, PhonePattern)]
        return any(prefix and pattern.prefix.startswith(prefix) for prefix in prefixes)
    if isinstance(pattern, Glob) and _is_plain(pattern):
        value = pattern.text.replace("*", NEW)
        return any(_is_plain(one) and one.matches(value) for one in others)
    return False


def _is_plain(pattern: Matcher) -> bool:
    """Whether it has no wildcard but `*`: what meets it with `NEW` in it meets it with anything."""
    return isinstance(pattern, Glob) and "?" not in pattern.text


def _excludes(one: Test, other: Test) -> bool:
    """Whether no single value meets both."""
    sure = not one.patterns and not any(isinstance(each, Regex) for each in other.patterns)
    return sure and not any(_is_met(value, other) for value in one.exact)


def _tests_in(condition: Condition) -> Iterator[Test]:
    match condition:
        case Test():
            yield condition
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _tests_in(part)
        case Not(part=part):
            yield from _tests_in(part)


@cache
def likely() -> tuple[Row, ...]:
    """What is known to happen: kinds and details as the tables say, and the bundled samples."""
    found: list[Row] = [
        row
        for kind in KINDS.values()
        if kind.source is not Source.RELAY
        for detail in kind.details or (None,)
        for row in _meant(kind.name, detail, [kind.source], sharpened=False)
    ]
    for name in samples.names():
        event = samples.event(name, _SOME_DAY)
        meaning = event.topic, event.severity, event.direction
        found.append((event.kind, event.detail, *meaning, event.source))
    return tuple(dict.fromkeys(found))


def _imaginable(kinds: Sequence[str], details: Sequence[str], by_source: bool) -> Iterator[Row]:
    """Every kind with every detail, known, named in a rule or new."""
    outside = [source for source in Source if source is not Source.RELAY]
    for name in dict.fromkeys((*KINDS, *kinds, NEW)):
        kind = KINDS.get(name)
        sources = outside if by_source else [kind.source if kind else Source.WABA]
        if kind and kind.source is Source.RELAY:
            sources = [Source.RELAY]
        for detail in dict.fromkeys((*(kind.details if kind else ()), *details, None, NEW)):
            yield from _meant(name, detail, sources)


def _meant(
    name: str, detail: str | None, sources: Sequence[Source], *, sharpened: bool = True
) -> Iterator[Row]:
    """What kind and detail can mean; what the data makes of it is not followed: it may be any."""
    kind = KINDS.get(name)
    said = describe(sources[0], name, detail, {})
    meanings: Iterable[tuple[Topic, Severity, Direction]]
    meanings = [(said.topic, said.severity, said.direction)]
    if kind and kind.sharpen and sharpened:
        meanings = product(kind.topics, Severity, Direction)
    for meaning, source in product(meanings, sources):
        yield name, detail, *meaning, source
