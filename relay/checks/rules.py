"""What `relay check` says of rules that are well written and do not do what they seem to.

Nothing is guessed: where the rows of `kinds` leave something open, nothing is said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

from relay.channels import Destination
from relay.checks.kinds import FIXED, NEW, Kinds, Row, Rows, Wants, wants
from relay.config import Config
from relay.errors import Fault
from relay.events import Severity, Source, Topic
from relay.events.catalogue import KINDS
from relay.phones import PhonePattern, aliases
from relay.rules import LONGEST_VALUE, All, AnyOf, Condition, Not, Rule, Test
from relay.text import shown

GRAVE = frozenset({Topic.RESTRICTION, Topic.BAN, Topic.VIOLATION, Topic.SECURITY})
"""Topics whose events cannot wait, whatever their severity."""
MOST_NAMED = 3
MOST_LISTED = 12
MOST_HINTS = 4


def check_rules(config: Config, file: str) -> tuple[Fault, ...]:
    """Warnings about a file's rules, each at its rule, by place; `file` is what they name."""
    checker = _Checker(config.rules.rules)
    found = [*checker.dead(), *checker.fights(config.destinations), *checker.losses()]
    faults = [Fault(file, rule.line, rule.column, "warning", text) for rule, text in found]
    if "default" not in config.places and (gap := checker.gap()):
        place = config.places.get("rules")
        line, column = (place.line, place.column) if place else (1, 1)
        faults.append(Fault(file, line, column, "warning", gap))
    return tuple(sorted(faults))


@dataclass(slots=True, eq=False)
class _Asked:
    """A rule, what it wants, and what it can be about."""

    place: int
    rule: Rule
    wants: Wants
    may: Rows
    met: list[tuple[_Asked, Rows]] = field(default_factory=list)
    """Rules that match where this one does, in their order, with the rows where they must."""

    def taken(self, before: _Asked) -> Rows:
        """Where the list has ended for whatever this rule is about, before it comes to a rule."""
        if before.rule.always:
            return 0
        taken = self.may if self.rule.ends and self.place < before.place else 0
        for other, must in self.met:
            if other.rule.ends and other.place < before.place:
                taken |= must
        return taken


class _Checker:
    def __init__(self, rules: Sequence[Rule]) -> None:
        self._kinds = Kinds(rule.when for rule in rules)
        self._rules = []
        for place, rule in enumerate(rules):
            own = wants(rule.when)
            may = self._kinds.judge(rule.when, own)[1]
            self._rules.append(_Asked(place, rule, own, may))
        heavy = [n for n, row in enumerate(self._kinds.rows) if _weighs(row)]
        self._heavy: Rows = sum(1 << number for number in heavy) & self._kinds.likely
        index = _Index(self._rules)
        for one in self._rules:
            for other in index.near(one):
                if other is not one and other.may & one.may:
                    must = self._kinds.judge(other.rule.when, one.wants)[0] & one.may
                    if must:
                        one.met.append((other, must))
        self._alive = list(self._rules)

    def dead(self) -> Iterator[tuple[Rule, str]]:
        """Rules that can never match."""
        for one in self._rules:
            left = one.may & ~self._kinds.own
            why = ""
            if not one.may:
                why = self._contradiction(one.rule)
            elif left and not left & ~one.taken(one):
                why = self._taken(one, left)
            if why:
                self._alive.remove(one)
                yield one.rule, f"this rule can never match: {why}"

    def _taken(self, one: _Asked, left: Rows) -> str:
        takers = []
        for other, must in one.met:
            if other.rule.ends and other.place < one.place and must & left:
                takers.append(_named(other.rule))
                left &= ~must
        texts = takers[:MOST_NAMED]
        if len(takers) > MOST_NAMED:
            texts.append(f"{len(takers) - MOST_NAMED} more")
        who, take, end = f"the rule {texts[0]}", "takes", "ends"
        if len(texts) > 1:
            who, take, end = f"the rules {', '.join(texts[:-1])} and {texts[-1]}", "take", "end"
        return (
            f"{who} {take} all that it could match and {end} the list; move this rule above, or "
            "mark it `always: true`"
        )

    def _contradiction(self, rule: Rule) -> str:
        """Which two conditions cannot both hold, where two are to blame."""
        parts = rule.when.parts if isinstance(rule.when, All) else ()
        tests = [part for part in parts if isinstance(part, Test) and part.key in FIXED]
        for first, second in combinations(tests, 2):
            must, may = self._kinds.judge(first)
            if may & self._kinds.judge(second)[1]:
                continue
            said = " and ".join(f"{test.key} {shown(test.wanted, 60)}" for test in (first, second))
            place = FIXED.index(second.key)
            fitting = self._kinds.told(must & self._kinds.likely)
            values = list(dict.fromkeys(value for row in fitting if (value := row[place])))
            hint = ""
            if values:
                listed = ", ".join(values[:MOST_HINTS]) + (
                    ", …" if len(values) > MOST_HINTS else ""
                )
                hint = f" (with that {first.key}, {second.key} is {listed})"
            return f"no event has {said}{hint}; correct or delete one of them"
        return "no event meets all of its conditions at once; correct or delete one of them"

    def fights(self, destinations: Mapping[str, Destination]) -> Iterator[tuple[Rule, str]]:
        """Rules whose template gives way to that of an earlier rule at the same target."""
        lost: dict[int, tuple[int, str]] = {}
        targets = {
            one.place: {destinations[to].target: to for to in reversed(one.rule.may_tell)}
            for one in self._rules
        }
        for asker in self._alive:
            for other, must in asker.met:
                first, later = sorted((asker, other), key=lambda one: one.place)
                to = [
                    targets[later.place][at]
                    for at in targets[later.place]
                    if at in targets[first.place]
                ]
                if not (to and later.rule.template and first.rule.template != later.rule.template):
                    continue
                rows = must & self._kinds.likely
                if rows & ~asker.taken(first) & ~asker.taken(later):
                    rival = first.place, min(to, key=later.rule.may_tell.index)
                    lost[later.place] = min(lost.get(later.place, rival), rival)
        for place, (at, name) in lost.items():
            earlier, rule = self._rules[at].rule, self._rules[place].rule
            theirs = earlier.template
            gets = f"the template {theirs}" if theirs else "the template found by kind"
            yield (
                rule,
                f"this rule and {_named(earlier)} can both match one event and send to {name}: it "
                f"gets {gets} of the earlier rule, not {rule.template}; mark the earlier one "
                "`stop: true`, keep their conditions apart by `not:`, or put the rule that should "
                "win first",
            )

    def losses(self) -> Iterator[tuple[Rule, str]]:
        """Rules about critical events, some of which an earlier rule takes away from them."""
        lost: dict[int, int] = {}
        for asker in self._alive:
            for other, must in asker.met:
                ender, later = sorted((asker, other), key=lambda one: one.place)
                takes = ender.rule.ends and not later.rule.always and must & self._heavy
                if takes and self._is_grave(later):
                    lost[later.place] = min(lost.get(later.place, ender.place), ender.place)
        for place, at in lost.items():
            ender_rule = self._rules[at].rule
            does = "tells nobody of" if ender_rule.mutes else "stops the list at"
            yield (
                self._rules[place].rule,
                f"the rule {_named(ender_rule)} {does} some of the critical events that this rule "
                "is about, so that this rule never sees them; mark this rule `always: true`, or "
                "move it above",
            )

    def _is_grave(self, one: _Asked) -> bool:
        """Whether a rule is about critical events: it names them, or matches nothing else."""
        likely = one.may & self._kinds.likely
        return _names_grave(one.rule.when) or bool(likely and not likely & ~self._heavy)

    def gap(self) -> str | None:
        """The kinds and details that nobody would hear of, in a sentence; None for none."""
        heard: Rows = 0
        for one in self._alive:
            heard |= one.may
        names = list(_unheard({row[:2] for row in self._kinds.told(heard)}))
        if not names:
            return None
        listed = ", ".join(names[:MOST_LISTED])
        if len(names) > MOST_LISTED:
            listed += f" and {len(names) - MOST_LISTED} more"
        return (
            f"no rule can match {listed}, and there is no default: they reach nobody; add "
            "`default: {send_to: NAME}`, or a rule for them (`send_to: none` if that is meant)"
        )


class _Index:
    """Rules by one thing that they want, so that each is held against few others."""

    def __init__(self, rules: Sequence[_Asked]) -> None:
        self._wanting: dict[tuple[str, str], list[_Asked]] = defaultdict(list)
        self._others: list[_Asked] = []
        for one in rules:
            filed = next((words for test in one.wants if (words := _words(test))), None)
            for word in filed or ():
                self._wanting[word].append(one)
            if filed is None:
                self._others.append(one)

    def near(self, one: _Asked) -> list[_Asked]:
        """All rules whose wants can follow from what this one wants, in their order."""
        found = {other.place: other for other in self._others}
        for test in one.wants:
            for word in _met_by(test):
                found |= {other.place: other for other in self._wanting.get(word, ())}
        return [found[place] for place in sorted(found)]


def _words(test: Test) -> list[tuple[str, str]] | None:
    """What a test is filed under; None where it cannot be looked up."""
    if test.key in FIXED:
        return None
    words = [(test.key, value) for value in test.exact]
    for pattern in test.patterns:
        if not isinstance(pattern, PhonePattern) or pattern.prefix is None:
            return None
        words.append((f"{test.key}*", pattern.prefix))
    return words


def _met_by(test: Test) -> Iterator[tuple[str, str]]:
    """Under what all tests are filed that follow from one; one value of it is enough."""
    value = min(test.exact, default=None)
    if value is not None:
        yield test.key, value
    starts = set(aliases(value)) if value and test.key == "phone" else set()
    for pattern in test.patterns[:1] if value is None else ():
        if isinstance(pattern, PhonePattern) and pattern.prefix:
            starts.add(pattern.prefix)
    for start in starts:
        yield from ((f"{test.key}*", start[:end]) for end in range(1, len(start) + 1))


def _named(rule: Rule) -> str:
    """`"Approved is no news" in line 12`."""
    where = f" in line {rule.line}" if rule.line else ""
    return f'"{shown(rule.name, LONGEST_VALUE)}"{where}'


def _weighs(row: Row) -> bool:
    """Whether it cannot wait."""
    _, _, topic, severity, _, _ = row
    return severity is Severity.CRITICAL or topic in GRAVE


def _names_grave(condition: Condition) -> bool:
    match condition:
        case Test(key="topic"):
            return any(topic.value in condition.exact for topic in GRAVE)
        case Test(key="severity"):
            wide = any(pattern.matches(NEW) for pattern in condition.patterns)
            all_of_them = all(severity.value in condition.exact for severity in Severity)
            return Severity.CRITICAL.value in condition.exact and not (wide or all_of_them)
        case All(parts=parts) | AnyOf(parts=parts):
            return any(_names_grave(part) for part in parts)
        case Not() | Test():
            return False


def _unheard(heard: set[tuple[str, str | None]]) -> Iterator[str]:
    kinds = {kind for kind, _ in heard}
    for kind in KINDS.values():
        if kind.source is Source.RELAY:
            continue
        if kind.name not in kinds:
            yield kind.name
            continue
        yield from (
            f"{kind.name}/{detail}" for detail in kind.details if (kind.name, detail) not in heard
        )
    if NEW not in kinds:
        yield "kinds that are new"
