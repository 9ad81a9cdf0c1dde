"""Rules that no event ever reaches.

Theory of operation: a rule is reachable if there is one profile and one world of its atoms in
which it holds and no earlier rule certainly ends the list. Earlier rules without atoms are one
running mask; those with atoms are filed under a value that they need, since only what a rule's own
values imply can take all of it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

from relay.phones import aliases
from relay.rule_checks.atoms import Atom, beginning
from relay.rule_checks.findings import Subject, several
from relay.rule_checks.logic import MOST_ATOMS, Joined, Logic, Term, World, bounds, extended, worlds
from relay.rule_checks.profiles import ANY, CLOSED, Mask, Profiles
from relay.rules import All, Test
from relay.text import shown

MOST_PAIRS = 60_000
"""Comparisons of two rules; beyond them the rest is taken for reachable."""
MOST_ELSEWHERE = 40
MOST_FILED = 50
MOST_LISTED = 4

_Place = tuple[str, str]


def unreachable(each: Iterable[Subject], profiles: Profiles) -> Iterator[tuple[Subject, str]]:
    """The rules that can never match, and why."""
    earlier = _Enders(profiles)
    for subject in each:
        if _never(subject.logic, subject.high):
            yield subject, f"this rule can never match: {_contradiction(subject, profiles)}"
            continue
        if not subject.rule.always and subject.high & profiles.real:
            by = earlier.taking(subject)
            if by:
                take, end = ("takes", "ends") if len(by) == 1 else ("take", "end")
                yield (
                    subject,
                    f"this rule can never match: {several(by)} {take} all that it could match and "
                    f"{end} the list; move this rule above, or mark it `always: true`",
                )
        if subject.rule.ends:
            earlier.add(subject)


def _never(logic: Logic, high: Mask) -> bool:
    if not high:
        return True
    if not logic.atoms or len(logic.atoms) > MOST_ATOMS:
        return False
    return not any(logic.bounds(world)[1] for world in logic.worlds())


def _contradiction(subject: Subject, profiles: Profiles) -> str:
    """Which two conditions cannot both hold, where two are to blame."""
    parts = subject.rule.when.parts if isinstance(subject.rule.when, All) else ()
    node = subject.logic.node
    if isinstance(node, Joined):
        highs = [bounds(part, {}, profiles.all)[1] for part in node.parts]
        tests = [
            (part, high) for part, high in zip(parts, highs, strict=False) if isinstance(part, Test)
        ]
        for later, (test, high) in enumerate(tests):
            for other, mask in tests[:later]:
                if not mask & high:
                    return _pair((other, mask), (test, high), profiles)
    return "no event meets all of its conditions at once; correct or delete one of them"


def _pair(one: tuple[Test, Mask], other: tuple[Test, Mask], profiles: Profiles) -> str:
    (first, mask), (second, _) = one, other
    said = " and ".join(f"{test.key} {shown(test.wanted, 60)}" for test in (first, second))
    values = [
        value
        for value, having in profiles.by_key[second.key].items()
        if value != ANY and having & mask & (profiles.likely or profiles.all)
    ]
    hint = ""
    if values:
        listed = ", ".join(values[:MOST_LISTED]) + (", …" if len(values) > MOST_LISTED else "")
        hint = f" (with that {first.key}, {second.key} is {listed})"
    return f"no event has {said}{hint}; correct or delete one of them"


class _Enders:
    """The rules so far that end the list."""

    def __init__(self, profiles: Profiles) -> None:
        self._profiles = profiles
        self._plain: list[Subject] = []
        self._covered: Mask = 0
        self._filed: dict[_Place, list[Subject]] = defaultdict(list)
        self._elsewhere: list[Subject] = []
        self._pairs = 0

    def add(self, subject: Subject) -> None:
        """One more."""
        new = subject.low & ~self._covered
        self._covered |= subject.low
        if new:
            self._plain.append(subject)
        if subject.low == subject.high:
            return
        places = _needed(subject.logic)
        if places is None:
            if len(self._elsewhere) < MOST_ELSEWHERE:
                self._elsewhere.append(subject)
        else:
            for place in places:
                self._filed[place].append(subject)

    def taking(self, subject: Subject) -> list[Subject]:
        """Those that together take all that a rule could match; none where it is reachable."""
        left = subject.high & self._profiles.real
        if not left & ~self._covered:
            return _fewest(left, [(one, one.low) for one in self._plain])
        near = self._near(subject.logic)
        self._pairs += len(near)
        if not near or self._pairs > MOST_PAIRS:
            return []
        more = [atom for one in near for atom in one.logic.atoms]
        atoms = dict.fromkeys((*subject.logic.atoms, *more))
        if len(atoms) > MOST_ATOMS:
            atoms = dict.fromkeys(subject.logic.atoms)
            if len(atoms) > MOST_ATOMS:
                return []
        needed: dict[Subject, None] = {}
        for world in worlds(atoms):
            taken = self._taken(subject, near, world)
            if taken is None:
                return []
            needed.update(dict.fromkeys(taken))
        return sorted(needed, key=lambda one: one.number)

    def _taken(self, subject: Subject, near: list[Subject], world: World) -> list[Subject] | None:
        """Who takes the rule's events in one world; None where some of them are left."""
        left = subject.logic.bounds(world)[1] & self._profiles.real
        if not left:
            return []
        rest = left & ~self._covered
        taken = []
        for one in near:
            if not rest:
                break
            low = one.logic.bounds(extended(world, one.logic.atoms))[0]
            if low & rest:
                rest &= ~low
                taken.append(one)
        if rest:
            return None
        if left & self._covered:
            taken += _fewest(left & self._covered, [(one, one.low) for one in self._plain])
        return taken

    def _near(self, logic: Logic) -> list[Subject]:
        found = dict.fromkeys(self._elsewhere)
        theirs = [atom for one in self._elsewhere for atom in one.logic.atoms]
        for atom in dict.fromkeys((*logic.atoms, *theirs)):
            for place in _told(atom):
                found.update(dict.fromkeys(self._filed.get(place, ())[:MOST_FILED]))
        return sorted(found, key=lambda one: one.number)


def _fewest(wanted: Mask, takers: Iterable[tuple[Subject, Mask]]) -> list[Subject]:
    """The first rule that takes all that is wanted; else those that do together."""
    each = list(takers)
    for subject, mask in each:
        if not wanted & ~mask:
            return [subject]
    found = []
    for subject, mask in each:
        if wanted & mask:
            wanted &= ~mask
            found.append(subject)
    return found


def _needed(logic: Logic) -> list[_Place] | None:
    """Values of which an event must have one for a condition to hold; None where they are open."""
    node = logic.node
    for part in node.parts if isinstance(node, Joined) and node.every else (node,):
        if isinstance(part, Term) and not part.solid and part.open:
            places = [place for atom, _ in part.open for place in _places(atom)]
            whole = all(len(_places(atom)) for atom, _ in part.open)
            if whole and len(places) <= MOST_FILED:
                return places
    return None


def _places(atom: Atom) -> list[_Place]:
    """Where an atom is filed; empty for one that cannot be."""
    if atom.key in CLOSED or len(atom.exact) > MOST_FILED:
        return []
    places = [(atom.key, value) for value in atom.exact]
    for pattern in atom.patterns:
        start = beginning(pattern)
        if start is None:
            return []
        places.append((f"{atom.key}*", start))
    return places


def _told(atom: Atom) -> Iterable[_Place]:
    """The places of all atoms that may follow from this one."""
    yield f"{atom.key}*", ""
    yield f"{atom.key}*", "+"
    if len(atom.exact) <= MOST_FILED:
        for value in atom.exact:
            yield atom.key, value
            for spelling in aliases(value) if atom.key == "phone" else (value,):
                for end in range(len(spelling) + 1):
                    yield f"{atom.key}*", spelling[:end]
    for pattern in atom.patterns:
        start = beginning(pattern)
        if start is not None:
            for end in range(len(start) + 1):
                yield f"{atom.key}*", start[:end]
