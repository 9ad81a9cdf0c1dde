"""Atoms: what a rule asks of values that no profile fixes, and how two of them hang together."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from relay.phones import PhonePattern
from relay.rule_checks.profiles import everything
from relay.rules import Exact, Glob
from relay.rules.conditions import Matcher

IDENTITY = frozenset({"phone", "client", "waba", "country"})
"""Keys that say whom an event is about: whether two of them meet, only the partner knows."""
SINGLE = frozenset({"country"})
"""Keys of which an event has one value at most. An event may have several numbers."""
MOST_COMPARED = 2000


@dataclass(frozen=True, slots=True)
class Atom:
    """Some value under a key is one of these, or meets one of these patterns."""

    key: str
    exact: frozenset[str]
    patterns: tuple[Matcher, ...] = ()


@lru_cache(maxsize=65536)
def implies(one: Atom, other: Atom) -> bool:
    """Whether the second holds wherever the first does; False where that is not certain."""
    if one.key != other.key:
        return False
    if one == other or any(everything(pattern) for pattern in other.patterns):
        return True
    rest = one.exact - other.exact
    if len(rest) > MOST_COMPARED:
        return False
    readable = [pattern for pattern in other.patterns if isinstance(pattern, PhonePattern | Glob)]
    if any(not any(pattern.matches(value) for pattern in readable) for value in rest):
        return False
    return all(_inside(pattern, other.patterns) for pattern in one.patterns)


def _inside(pattern: Matcher, others: tuple[Matcher, ...]) -> bool:
    if pattern in others:
        return True
    start = beginning(pattern)
    if start is None:
        return False
    wider = (found for other in others if (found := beginning(other)) is not None)
    return any(start.startswith(found) for found in wider)


def beginning(pattern: Matcher) -> str | None:
    """What every value that meets a pattern begins with, where that is all that it asks."""
    if isinstance(pattern, PhonePattern):
        return pattern.prefix
    if isinstance(pattern, Glob) and pattern.text.endswith("*"):
        start = Exact(pattern.text[:-1])
        # Composing may merge the last letter with what follows: only plain ones are certain.
        plain = start.folded.isascii() and not {"*", "?"} & set(start.text)
        return start.folded if plain else None
    return None


def excludes(one: Atom, other: Atom) -> bool:
    """Whether both cannot hold of one event."""
    return (
        one.key == other.key
        and one.key in SINGLE
        and not one.patterns
        and not other.patterns
        and one.exact.isdisjoint(other.exact)
    )


def meet(one: Atom, other: Atom) -> bool:
    """Whether both can hold of one event, for certain."""
    if one.key != other.key:
        return not (one.key in IDENTITY and other.key in IDENTITY)
    return (
        implies(one, other)
        or implies(other, one)
        or not one.exact.isdisjoint(other.exact)
        or any(_some_met(first, second) for first, second in ((one, other), (other, one)))
    )


def _some_met(one: Atom, other: Atom) -> bool:
    if len(one.exact) > MOST_COMPARED:
        return False
    return any(
        pattern.matches(value)
        for pattern in other.patterns
        if isinstance(pattern, PhonePattern | Glob)
        for value in one.exact
    )
