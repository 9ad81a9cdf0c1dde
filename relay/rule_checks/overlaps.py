"""Two rules that meet in one event: over one target's template, or over critical news.

What is said here is that there is an event that both match. It is shown by a profile that is known
to happen, in a world whose atoms can hold together for certain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from relay.channels import Destination
from relay.events import Severity
from relay.rule_checks.atoms import Atom, implies, meet
from relay.rule_checks.findings import Subject
from relay.rule_checks.logic import MOST_ATOMS, World, extended, worlds
from relay.rule_checks.profiles import GRAVE, Mask, Profiles, everything
from relay.rules import All, AnyOf, Condition, Not, Test

MOST_PAIRS = 30_000
"""Comparisons of two rules; beyond them nothing more is said."""
MOST_ENDERS = 300
"""Earlier rules that may take an event away before two others meet in it."""


def fights(
    each: Sequence[Subject], profiles: Profiles, destinations: Mapping[str, Destination]
) -> Iterator[tuple[Subject, str]]:
    """Rules whose template gives way to that of an earlier rule at the same target."""
    by_target: dict[str, list[Subject]] = defaultdict(list)
    enders: list[Subject] = []
    pairs = 0
    for subject in each:
        targets = {destinations[name].target: name for name in reversed(subject.rule.send_to)}
        rivals: dict[Subject, str] = {}
        for target, name in targets.items() if subject.rule.template else ():
            for one in by_target[target]:
                rivals.setdefault(one, name)
        for rival in sorted(rivals, key=lambda one: one.number):
            pairs += 1
            if pairs > MOST_PAIRS:
                return
            if _fight(rival, subject, enders, profiles):
                theirs = rival.rule.template
                first = f"the template {theirs}" if theirs else "the template found by kind"
                yield (
                    subject,
                    f"this rule and {rival.named()} can both match one event and send to "
                    f"{rivals[rival]}: it gets {first} of the earlier rule, not "
                    f"{subject.rule.template}; mark the earlier one `stop: true`, keep their "
                    "conditions apart by `not:`, or put the rule that should win first",
                )
                break
        for target in targets:
            by_target[target].append(subject)
        if subject.rule.ends:
            enders.append(subject)


def _fight(one: Subject, later: Subject, enders: Sequence[Subject], profiles: Profiles) -> bool:
    """Whether both take some event, which none of the rules that end the list before takes away."""
    if one.rule.template == later.rule.template or (one.rule.ends and not later.rule.always):
        return False
    for world, meeting in _meetings(one, later, profiles.likely):
        if len(enders) > MOST_ENDERS:
            return False
        left = meeting
        for ender in enders:
            before_both = ender.number < one.number and not one.rule.always
            if ender is not one and (before_both or not later.rule.always):
                left &= ~_taken(ender, world)
        if left:
            return True
    return False


def _taken(other: Subject, world: World) -> Mask:
    """What a rule takes in a world in which nothing holds but what must."""
    told = extended(world, other.logic.atoms)
    return other.logic.bounds({atom: told.get(atom, False) for atom in other.logic.atoms})[0]


def taken_before(each: Sequence[Subject], profiles: Profiles) -> Iterator[tuple[Subject, str]]:
    """Rules about critical events, some of which an earlier rule takes away from them."""
    enders: list[Subject] = []
    pairs = 0
    for subject in each:
        if not subject.rule.always and _is_grave(subject, profiles):
            for ender in enders:
                pairs += 1
                if pairs > MOST_PAIRS:
                    return
                if any(mask for _, mask in _meetings(ender, subject, profiles.grave_likely)):
                    does = "tells nobody of" if ender.rule.mutes else "stops the list at"
                    yield (
                        subject,
                        f"the rule {ender.named()} {does} some of the critical events that this "
                        "rule is about, so that this rule never sees them; mark this rule "
                        "`always: true`, or move it above",
                    )
                    break
        if subject.rule.ends:
            enders.append(subject)


def _is_grave(subject: Subject, profiles: Profiles) -> bool:
    """Whether a rule is about critical events: it names them, or matches nothing else."""
    if _names_grave(subject.rule.when):
        return True
    known = subject.high & profiles.likely
    return bool(known) and not known & ~profiles.grave


def _names_grave(condition: Condition) -> bool:
    match condition:
        case Test(key="topic"):
            return any(topic.value in condition.exact for topic in GRAVE)
        case Test(key="severity"):
            wide = any(everything(pattern) for pattern in condition.patterns)
            all_of_them = all(severity.value in condition.exact for severity in Severity)
            return Severity.CRITICAL.value in condition.exact and not (wide or all_of_them)
        case All(parts=parts) | AnyOf(parts=parts):
            return any(_names_grave(part) for part in parts)
        case Not() | Test():
            return False


def _meetings(one: Subject, other: Subject, within: Mask) -> Iterator[tuple[World, Mask]]:
    """The worlds in which both take events, for certain, with the profiles of these events."""
    if not one.high & other.high & within:
        return
    atoms = dict.fromkeys((*one.logic.atoms, *other.logic.atoms))
    if len(atoms) > MOST_ATOMS:
        return
    if not atoms:
        yield {}, one.low & other.low & within
        return
    for world in worlds(atoms):
        mask = one.logic.bounds(world)[0] & other.logic.bounds(world)[0] & within
        if mask and _happens(one, other, world):
            yield world, mask


def _happens(one: Subject, other: Subject, world: World) -> bool:
    """Whether what holds in a world can hold of one event, for certain."""
    mine = [atom for atom in one.logic.atoms if world[atom]]
    theirs = [atom for atom in other.logic.atoms if world[atom]]
    alone = [atom for atom in mine if not _follows(atom, theirs)]
    also = [atom for atom in theirs if not _follows(atom, mine)]
    return all(meet(first, second) for first in alone for second in also)


def _follows(atom: Atom, known: Sequence[Atom]) -> bool:
    return any(implies(one, atom) for one in known)
