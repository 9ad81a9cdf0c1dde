"""Conditions over profiles and atoms: what holds for certain, what may hold, in which worlds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import product

from relay.rule_checks.atoms import Atom, excludes, implies
from relay.rule_checks.profiles import CLOSED, Mask, Profiles, everything
from relay.rules import All, AnyOf, Condition, Not, Test
from relay.rules.conditions import Exact

MOST_ATOMS = 8
"""Atoms whose worlds are tried out one by one; beyond them nothing is said."""
MOST_SPLIT = 3
"""Values of a list up to which each is an atom of its own."""

World = Mapping[Atom, bool]
"""Which atoms hold; of those that are not in it nothing is known."""


@dataclass(frozen=True, slots=True)
class Term:
    """A test: the profiles that meet it, and those that meet it where an atom holds."""

    solid: Mask
    open: tuple[tuple[Atom, Mask], ...] = ()


@dataclass(frozen=True, slots=True)
class Joined:
    """Several conditions: all of them, or any."""

    parts: tuple[Node, ...]
    every: bool


@dataclass(frozen=True, slots=True)
class Turned:
    """A condition that must not hold."""

    part: Node


Node = Term | Joined | Turned


@dataclass(frozen=True, slots=True)
class Logic:
    """A condition, read."""

    node: Node
    atoms: tuple[Atom, ...]
    all: Mask

    def bounds(self, world: World) -> tuple[Mask, Mask]:
        """The profiles that meet it for certain in a world, and those that may."""
        return bounds(self.node, world, self.all)

    def worlds(self, more: Iterable[Atom] = ()) -> Iterator[World]:
        """Every way in which its atoms (and more) can hold together; none where they are many."""
        yield from worlds((*self.atoms, *more))


def read_condition(condition: Condition, profiles: Profiles) -> Logic:
    """The logic of a rule's condition."""
    atoms: dict[Atom, None] = {}
    node = _read(condition, profiles, atoms)
    return Logic(node, tuple(atoms), profiles.all)


def _read(condition: Condition, profiles: Profiles, atoms: dict[Atom, None]) -> Node:
    match condition:
        case Test():
            term = _term(condition, profiles)
            atoms.update(dict.fromkeys(atom for atom, _ in term.open))
            return term
        case All(parts=parts):
            return Joined(tuple(_read(part, profiles, atoms) for part in parts), every=True)
        case AnyOf(parts=parts):
            return Joined(tuple(_read(part, profiles, atoms) for part in parts), every=False)
        case Not(part=part):
            return Turned(_read(part, profiles, atoms))


def _term(test: Test, profiles: Profiles) -> Term:
    if test.key not in CLOSED:
        return Term(0, tuple((atom, profiles.all) for atom in _split(test)))
    solid = 0
    opened: dict[Atom, Mask] = {}
    for value in test.exact:
        certain, maybe = profiles.met_by(test.key, Exact(value))
        solid |= certain
        if maybe:
            opened[Atom(test.key, frozenset({value}))] = maybe
    for pattern in test.patterns:
        certain, maybe = profiles.met_by(test.key, pattern)
        solid |= certain
        if maybe:
            opened[Atom(test.key, frozenset(), (pattern,))] = maybe
    return Term(solid, tuple(opened.items()))


def _split(test: Test) -> tuple[Atom, ...]:
    if any(everything(pattern) for pattern in test.patterns):
        whole = next(pattern for pattern in test.patterns if everything(pattern))
        return (Atom(test.key, frozenset(), (whole,)),)
    if len(test.exact) + len(test.patterns) > MOST_SPLIT:
        return (Atom(test.key, test.exact, test.patterns),)
    return (
        *(Atom(test.key, frozenset({value})) for value in sorted(test.exact)),
        *(Atom(test.key, frozenset(), (pattern,)) for pattern in test.patterns),
    )


def bounds(node: Node, world: World, everywhere: Mask) -> tuple[Mask, Mask]:
    """The profiles that meet a node for certain in a world, and those that may."""
    match node:
        case Term(solid=solid, open=opened):
            low = high = solid
            for atom, mask in opened:
                holds = world.get(atom)
                if holds:
                    low |= mask
                if holds is not False:
                    high |= mask
            return low, high
        case Joined(parts=parts, every=True):
            low = high = everywhere
            for part in parts:
                below, above = bounds(part, world, everywhere)
                low, high = low & below, high & above
            return low, high
        case Joined(parts=parts):
            low = high = 0
            for part in parts:
                below, above = bounds(part, world, everywhere)
                low, high = low | below, high | above
            return low, high
        case Turned(part=part):
            below, above = bounds(part, world, everywhere)
            return everywhere & ~above, everywhere & ~below


def worlds(atoms: Iterable[Atom]) -> Iterator[World]:
    """Every way in which atoms can hold together; none where they are too many to try."""
    each = tuple(dict.fromkeys(atoms))
    if len(each) > MOST_ATOMS:
        return
    for holds in product((True, False), repeat=len(each)):
        world = dict(zip(each, holds, strict=True))
        if _possible(world):
            yield world


def _possible(world: World) -> bool:
    true = [atom for atom, holds in world.items() if holds]
    return not any(
        (not holds and implies(one, atom)) or (holds and one is not atom and excludes(one, atom))
        for one in true
        for atom, holds in world.items()
    )


def extended(world: World, atoms: Iterable[Atom]) -> World:
    """The same world with what follows for further atoms."""
    wider = dict(world)
    for atom in atoms:
        if atom in world:
            continue
        for known, holds in world.items():
            if holds and implies(known, atom):
                wider[atom] = True
            elif (holds and excludes(known, atom)) or (not holds and implies(atom, known)):
                wider[atom] = False
    return wider
