"""Witnesses: events made of a rule's own words, run through the rules to see what becomes of them.

Theory of operation: a rule is reachable if some event is matched by it; here are events that stand
for all that could be. For every kind and detail that the rules tell apart there is one about nobody
(`kinds`), and into it go the fewest values with which the rule's own condition holds: a number, a
client, where only a pattern is asked for one that no rule names (`NEW`). What such an event meets,
every event that the rule matches meets as well, save where an earlier rule asks for what must *not*
be. So where an earlier rule ends the list, the values under its `not` are put in, one after the
other, until the event comes through or nothing is left to try. Only then is the rule called dead.

What cannot be stood for by such values (regular expressions, `?`) is never judged.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain, islice, product
from typing import Any

from relay.checks.kinds import (
    FIXED,
    NEW,
    SOME_DAY,
    Kinds,
    Row,
    Said,
    Values,
    everything,
    tests_in,
)
from relay.events import Client, Event, Source
from relay.phones import PhonePattern
from relay.rules import DATA, All, AnyOf, Condition, Glob, Not, Rule, Ruleset, Test
from relay.rules.conditions import Facts, Matcher

MOST_TRIED = 2_000
"""Witnesses of one rule; one that needs more is taken for reachable."""
MOST_NAMED = 60
"""Kinds and details that must not be; beyond them nothing is said of any rule."""
ONE_VALUE = frozenset({"event", "detail", "country"})
"""Open keys of which an event has one value at most: patterns of two rules may meet in it."""
LISTED = frozenset({"topic", "severity", "direction", "source"})
"""Keys all of whose values are known."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A witness, run through the rules."""

    event: Event | None
    """None: there is no such event."""
    matched: tuple[str, ...]
    ender: Rule | None
    """The first of those that ends the list."""


class _Undecided(Exception):  # noqa: N818 -- no error: it is the answer
    pass


class Witnesses:
    """The witnesses of a file's rules."""

    def __init__(self, rules: Ruleset) -> None:
        self.rules = rules
        self._place = {rule.name: place for place, rule in enumerate(rules.rules)}
        self.ways = {rule.name: _ways(rule.when) for rule in rules.rules}
        """The fewest values with which each rule can hold; None for one that is not judged."""
        self._unwanted = {rule.name: _unwanted(rule.when) for rule in rules.rules if rule.ends}
        known = [pair for pairs in self._unwanted.values() for pair in pairs or ()]
        named = frozenset(pair for pair in known if pair[0] in FIXED)
        self._too_many = len(named) > MOST_NAMED
        self.kinds = Kinds((rule.when for rule in rules.rules), named)
        self.needed = {rule.name: self.kinds.needed(rule.when) for rule in rules.rules}
        """The tests of kind and meaning without which each rule cannot hold, as in `Row.meets`."""
        self._judged: dict[tuple[Said, Values], Judged] = {}

    def judge(self, said: Said, values: Values) -> Judged:
        """A witness and what the rules make of it."""
        found = self._judged.get((said, values))
        if found is None:
            event = witness(said, values)
            matched = self.rules.match(event).matched if event is not None else ()
            rules = (self.rules.rules[self._place[name]] for name in matched)
            found = Judged(event, matched, next((rule for rule in rules if rule.ends), None))
            self._judged[said, values] = found
        return found

    def rows(self, rule: Rule, needed: int | None = None) -> Iterator[Row]:
        """What a rule can be about (or that meets other tests), as far as kind and meaning go."""
        needed = self.needed[rule.name] if needed is None else needed
        yield from self.kinds.common(needed)
        yield from self.kinds.own(needed, _own_kinds(rule.when))

    def takers(self, rule: Rule) -> tuple[Rule, ...] | None:
        """Those that take all that a rule could match; empty where it can match nothing.

        None where it can match, or where that is open.
        """
        ways = self.ways[rule.name]
        if ways is None or self._too_many:
            return None
        possible, tried = False, 0
        takers: set[int] = set()
        for row in self.rows(rule):
            todo = list(ways)
            seen = set(todo)
            while todo:
                values = todo.pop()
                tried += 1
                if tried > MOST_TRIED or too_full(values):
                    return None
                one = self.judge(row.said, values)
                if rule.name in one.matched:
                    return None
                if one.event is None or not rule.when.holds(Facts(one.event)):
                    continue
                possible = True
                if one.event.source is Source.RELAY:
                    continue  # rules are not asked about it
                unwanted = self._unwanted[one.ender.name] if one.ender else None
                if one.ender is None or unwanted is None:
                    return None
                takers.add(self._place[one.ender.name])
                for pair in unwanted:
                    if pair[0] not in FIXED and (more := values | {pair}) not in seen:
                        seen.add(more)
                        todo.append(more)
        if possible and not takers:
            return None
        return tuple(self.rules.rules[place] for place in sorted(takers))


def witness(said: Said, values: Values) -> Event | None:
    """An event of some kind with some values; None where none has them all."""
    by_key: dict[str, list[str]] = defaultdict(list)
    for key, value in sorted(values):
        by_key[key].append(value)
    # A pattern may mean the very country that is named beside it.
    countries = [one for one in by_key["country"] if NEW not in one] or by_key["country"]
    if len(countries) > 1:
        return None
    kind, detail, topic, severity, direction, source = said
    waba, waba_360, *_ = (*by_key["waba"], None, None)
    return Event(
        id="witness",
        source=source,
        kind=kind,
        detail=detail,
        topic=topic,
        severity=severity,
        direction=direction,
        title="",
        received_at=SOME_DAY,
        phones=tuple(by_key["phone"]),
        client=Client(*by_key["client"]),
        country=next(iter(countries), None),
        data=_data({key: found for key, found in by_key.items() if key.startswith(DATA)}),
        waba=waba,
        waba_360=waba_360,
    )


def too_full(values: Values) -> bool:
    """Whether an event has no room for them, unless a pattern means one of the others."""
    keys = Counter(key for key, _ in values) if len(values) > 2 else Counter[str]()
    return max(keys["client"], keys["waba"]) > 2


def _data(by_key: Mapping[str, list[str]]) -> dict[str, Any]:
    data: dict[str, Any] = {}
    for key, texts in by_key.items():
        _, *way, last = key.split(".")
        node = data
        for step in way:
            node = node.setdefault(step, [{}])[0]
        node.setdefault(last, [{}]).extend(texts)
    return data


def _ways(when: Condition) -> tuple[Values, ...] | None:
    if not _readable(when):
        return None
    try:
        ways = tuple(_choices(when, wanted=True))
    except _Undecided:
        return None
    return None if any(map(too_full, ways)) else ways


def _choices(condition: Condition, wanted: bool) -> list[Values]:
    match condition:
        case Test(key=key):
            if not wanted or key in FIXED:
                return [frozenset()]
            return [frozenset({(key, value)}) for value in _stand_ins(condition)]
        case Not(part=part):
            return _choices(part, not wanted)
        case All(parts=parts) | AnyOf(parts=parts):
            each = [_choices(part, wanted) for part in parts]
            found: Iterable[Values]
            if isinstance(condition, All) == wanted:
                asking = [choices for choices in each if choices != [frozenset()]]
                found = (frozenset[tuple[str, str]]().union(*one) for one in product(*asking))
            else:
                found = chain.from_iterable(each)
            some = list(islice(found, MOST_TRIED + 1))
            if len(some) > MOST_TRIED:
                raise _Undecided
            return list(dict.fromkeys(some))


def _stand_ins(test: Test) -> list[str]:
    """Values that stand for all that meets a test. Raises `_Undecided`."""
    if len(test.exact) > MOST_TRIED:
        raise _Undecided
    patterns = [_stand_in(pattern) for pattern in test.patterns]
    return [*sorted(test.exact), *(one for one in patterns if one is not None)]


def _stand_in(pattern: Matcher) -> str | None:
    """A value that meets nothing but what all values of a pattern meet; None where none does."""
    found = None
    if isinstance(pattern, PhonePattern) and pattern.prefix is not None:
        found = pattern.prefix + NEW
    elif isinstance(pattern, Glob) and "?" not in pattern.text:
        found = pattern.text.replace("*", NEW)
    return found if found is not None and pattern.matches(found) else None


def _readable(when: Condition) -> bool:
    """Whether values can stand for all that a condition asks for."""
    patterned: set[str] = set()
    for test, wanted in tests_in(when, True):
        if test.key in FIXED and len(test.exact) > MOST_TRIED:
            return False
        if test.key in LISTED or not test.patterns:
            continue
        if any(_stand_in(pattern) is None for pattern in test.patterns):
            return False
        if test.key in ONE_VALUE and wanted and not all(map(everything, test.patterns)):
            if test.key in patterned:
                return False
            patterned.add(test.key)
    return True


def _unwanted(when: Condition) -> Values | None:
    """The values that a condition wants not to be; None where values cannot stand for them."""
    if not _readable(when):
        return None
    found: set[tuple[str, str]] = set()
    for test, wanted in tests_in(when, True):
        if wanted or test.key in LISTED:
            continue
        wild = test.key in ONE_VALUE and not all(map(everything, test.patterns))
        if wild or len(test.exact) > MOST_TRIED:
            return None
        found.update((test.key, value) for value in _stand_ins(test))
    return frozenset(found)


def _own_kinds(when: Condition) -> Values:
    """The kinds and details that a condition names or gives a pattern for."""
    return frozenset(
        (test.key, value)
        for test, wanted in tests_in(when, True)
        if wanted and test.key in ("event", "detail")
        for value in _stand_ins(test)
    )
