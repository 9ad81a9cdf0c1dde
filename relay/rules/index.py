"""Which rules can match an event at all: an index, so that ten thousand rules cost as few.

Theory of operation: an *anchor* is a value without which a condition cannot hold: `(key, text)`,
or `(PREFIX, digits)` for the beginning of a number. Each rule is filed under one set of anchors of
which the event must have one; where its condition gives a choice, the set whose fullest bucket is
the smallest over all rules is taken. Rules without anchors are candidates for every event. The
index never decides: candidates are judged in full, so a too generous anchor costs only time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from relay.phones import PhonePattern, aliases
from relay.rules.conditions import All, AnyOf, Condition, Facts, Not, Test

Anchor = tuple[str, str]
Anchors = frozenset[Anchor]

PREFIX = "phone prefix"
MOST_ANCHORS = 2000


class Index:
    """Positions of conditions by the values that they need."""

    __slots__ = ("_buckets", "_everywhere")

    def __init__(self, conditions: Sequence[Condition]) -> None:
        crowd: Counter[Anchor] = Counter()
        for condition in conditions:
            crowd.update({anchor for anchors in _offered(condition) for anchor in anchors})
        self._buckets: dict[str, dict[str, list[int]]] = {}
        self._everywhere: list[int] = []
        for position, condition in enumerate(conditions):
            anchors = _best(condition, crowd)
            if anchors is None:
                self._everywhere.append(position)
            else:
                for key, text in anchors:
                    self._buckets.setdefault(key, {}).setdefault(text, []).append(position)

    def candidates(self, facts: Facts) -> list[int]:
        """Positions of all conditions that may hold, in order."""
        found = set(self._everywhere)
        for key, bucket in self._buckets.items():
            for text in _beginnings(facts) if key == PREFIX else facts.folded(key):
                if text in bucket:
                    found.update(bucket[text])
        return sorted(found)


def _beginnings(facts: Facts) -> set[str]:
    numbers = {twin for number in facts.values("phone") for twin in aliases(number)}
    return {number[:end] for number in numbers for end in range(len(number) + 1)}


def _of_test(test: Test) -> Anchors | None:
    """The anchors of a test; None where one of its patterns can begin with anything.

    A list with very many values is no anchor: it costs less to look into it than to file the rule
    under each of them.
    """
    if len(test.exact) > MOST_ANCHORS:
        return None
    anchors = {(test.key, text) for text in test.exact}
    for pattern in test.patterns:
        if not isinstance(pattern, PhonePattern) or not pattern.prefix:
            return None
        anchors.add((PREFIX, pattern.prefix))
    return frozenset(anchors)


def _offered(condition: Condition) -> Iterator[Anchors]:
    """Every set of anchors that stands anywhere in a condition outside `not`."""
    match condition:
        case Test():
            if (anchors := _of_test(condition)) is not None:
                yield anchors
        case All(parts=parts) | AnyOf(parts=parts):
            for part in parts:
                yield from _offered(part)
        case Not():
            return


def _best(condition: Condition, crowd: Counter[Anchor]) -> Anchors | None:
    """The anchors of which an event must have one for the condition to hold."""
    match condition:
        case Test():
            return _of_test(condition)
        case All(parts=parts):
            choices = [a for part in parts if (a := _best(part, crowd)) is not None]
            return min(choices, key=lambda a: (_fullest(a, crowd), len(a)), default=None)
        case AnyOf(parts=parts):
            united: set[Anchor] = set()
            for part in parts:
                anchors = _best(part, crowd)
                if anchors is None:
                    return None
                united |= anchors
            return frozenset(united)
        case Not():
            return None


def _fullest(anchors: Iterable[Anchor], crowd: Counter[Anchor]) -> int:
    return max((crowd[anchor] for anchor in anchors), default=0)
