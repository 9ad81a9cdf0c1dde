"""What `relay check` says of rules that are well written and do not do what they seem to.

Nothing is guessed: every finding is shown by events that were run through the rules (`witness`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations

from relay.channels import Destination
from relay.checks.kinds import FIXED, NEW, Row, Said, Values, everything
from relay.checks.witness import Judged, Witnesses, witness
from relay.config import Config
from relay.errors import Fault
from relay.events import Severity, Source, Topic
from relay.events.catalogue import KINDS
from relay.rules import LONGEST_VALUE, All, AnyOf, Condition, Not, Rule, Ruleset, Test
from relay.rules.conditions import Facts
from relay.text import shown

GRAVE = frozenset({Topic.RESTRICTION, Topic.BAN, Topic.VIOLATION, Topic.SECURITY})
"""Topics whose events cannot wait, whatever their severity."""
MOST_TOGETHER = 20
"""Ways of a rule to match that are looked at for what else matches the same event."""
MOST_NAMED = 3
MOST_LISTED = 12
MOST_HINTS = 4


def check_rules(config: Config, file: str) -> tuple[Fault, ...]:
    """Warnings about a file's rules, each at its rule, by place; `file` is what they name."""
    witnesses = Witnesses(config.rules)
    found: list[tuple[Rule, str]] = []
    alive = []
    for rule in config.rules.rules:
        takers = witnesses.takers(rule)
        if takers is None:
            alive.append(rule)
        else:
            why = _taken(takers) if takers else _contradiction(rule, witnesses)
            found.append((rule, f"this rule can never match: {why}"))
    meetings = _Meetings(alive, witnesses)
    found += (*meetings.fights(config.destinations), *meetings.losses())
    faults = [Fault(file, rule.line, rule.column, "warning", text) for rule, text in found]
    if "default" not in config.places and (gap := _gap(alive, witnesses)):
        place = config.places.get("rules")
        line, column = (place.line, place.column) if place else (1, 1)
        faults.append(Fault(file, line, column, "warning", gap))
    return tuple(sorted(faults))


def _named(rule: Rule) -> str:
    """`"Approved is no news" in line 12`."""
    where = f" in line {rule.line}" if rule.line else ""
    return f'"{shown(rule.name, LONGEST_VALUE)}"{where}'


def _taken(takers: tuple[Rule, ...]) -> str:
    texts = [_named(rule) for rule in takers[:MOST_NAMED]]
    if len(takers) > MOST_NAMED:
        texts.append(f"{len(takers) - MOST_NAMED} more")
    who, take, end = f"the rule {texts[0]}", "takes", "ends"
    if len(texts) > 1:
        who, take, end = f"the rules {', '.join(texts[:-1])} and {texts[-1]}", "take", "end"
    return (
        f"{who} {take} all that it could match and {end} the list; move this rule above, or mark "
        "it `always: true`"
    )


def _contradiction(rule: Rule, witnesses: Witnesses) -> str:
    """Which two conditions cannot both hold, where two are to blame."""
    parts = rule.when.parts if isinstance(rule.when, All) else ()
    tests = [part for part in parts if isinstance(part, Test) and part.key in FIXED]
    kinds = witnesses.kinds
    for first, second in combinations(tests, 2):
        if any(witnesses.rows(rule, kinds.needed(All((first, second))))):
            continue
        said = " and ".join(f"{test.key} {shown(test.wanted, 60)}" for test in (first, second))
        place = FIXED.index(second.key)
        fitting = [row.said for row in kinds.likely if row.meets & kinds.needed(first)]
        values = list(dict.fromkeys(value for one in fitting if (value := one[place])))
        hint = ""
        if values:
            listed = ", ".join(values[:MOST_HINTS]) + (", …" if len(values) > MOST_HINTS else "")
            hint = f" (with that {first.key}, {second.key} is {listed})"
        return f"no event has {said}{hint}; correct or delete one of them"
    return "no event meets all of its conditions at once; correct or delete one of them"


class _Meetings:
    """Rules that meet in one event: over one target's template, or over critical news."""

    def __init__(self, alive: Sequence[Rule], witnesses: Witnesses) -> None:
        self._rules = alive
        self._witnesses = witnesses
        likely = witnesses.kinds.likely
        self._rows = list({(row.meets, _weighs(row.said)): row for row in likely}.values())
        self._number = {rule.name: number for number, rule in enumerate(alive)}

    def fights(self, destinations: Mapping[str, Destination]) -> Iterator[tuple[Rule, str]]:
        """Rules whose template gives way to that of an earlier rule at the same target."""
        lost: dict[str, tuple[int, str]] = {}
        templates: dict[str, set[str | None]] = defaultdict(set)
        for rule in self._rules:
            for to in rule.may_tell:
                templates[destinations[to].target].add(rule.template)
        rivals = [
            rule
            for rule in self._rules
            if any(len(templates[destinations[to].target]) > 1 for to in rule.may_tell)
        ]
        for one in self._meetings(self._rows, rivals):
            first: dict[str, Rule] = {}
            for name in one.matched:
                rule = self._rules[self._number[name]]
                for to in rule.may_tell:
                    rival = first.setdefault(destinations[to].target, rule)
                    if rule.template and rival.template != rule.template:
                        to_whom = self._number[rival.name], to
                        lost[name] = min(lost.get(name, to_whom), to_whom)
        for name, (place, to) in lost.items():
            rival, rule = self._rules[place], self._rules[self._number[name]]
            theirs = rival.template
            gets = f"the template {theirs}" if theirs else "the template found by kind"
            yield (
                rule,
                f"this rule and {_named(rival)} can both match one event and send to {to}: it "
                f"gets {gets} of the earlier rule, not {rule.template}; mark the earlier one "
                "`stop: true`, keep their conditions apart by `not:`, or put the rule that should "
                "win first",
            )

    def losses(self) -> Iterator[tuple[Rule, str]]:
        """Rules about critical events, some of which an earlier rule takes away from them."""
        grave = [rule for rule in self._rules if not rule.always and self._is_grave(rule)]
        enders = [rule for rule in self._rules if rule.ends]
        # As if none ended the list: whoever is about an event.
        both = Ruleset(tuple(replace(rule, always=True) for rule in grave))
        lost: dict[str, int] = {}
        if grave and enders:
            rows = [row for row in self._rows if _weighs(row.said)]
            for one in self._meetings(rows, (*grave, *enders)):
                if one.event is not None and one.ender is not None:
                    place = self._number[one.ender.name]
                    for name in both.match(one.event).matched:
                        if place < self._number[name]:
                            lost[name] = min(place, lost.get(name, place))
        for name, place in lost.items():
            ender = self._rules[place]
            does = "tells nobody of" if ender.mutes else "stops the list at"
            yield (
                self._rules[self._number[name]],
                f"the rule {_named(ender)} {does} some of the critical events that this rule is "
                "about, so that this rule never sees them; mark this rule `always: true`, or move "
                "it above",
            )

    def _meetings(self, rows: Sequence[Row], rules: Iterable[Rule]) -> Iterator[Judged]:
        """Events that are known to happen, each with the values that some rule asks for."""
        told: set[tuple[int, Values]] = set()
        for rule in rules:
            needed = self._witnesses.needed[rule.name]
            ways = (self._witnesses.ways[rule.name] or ())[:MOST_TOGETHER]
            for number, row in enumerate(rows):
                for way in ways if row.meets & needed == needed else ():
                    if (number, way) not in told:
                        told.add((number, way))
                        yield self._witnesses.judge(row.said, way)

    def _is_grave(self, rule: Rule) -> bool:
        """Whether a rule is about critical events: it names them, or matches nothing else."""
        needed = self._witnesses.needed[rule.name]
        heavy = [_weighs(row.said) for row in self._rows if row.meets & needed == needed]
        return _names_grave(rule.when) or (bool(heavy) and all(heavy))


def _weighs(said: Said) -> bool:
    """Whether it cannot wait."""
    _, _, topic, severity, _, _ = said
    return severity is Severity.CRITICAL or topic in GRAVE


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


def _gap(alive: Iterable[Rule], witnesses: Witnesses) -> str | None:
    """The kinds and details that nobody would hear of, in a sentence; None for none."""
    heard: set[tuple[str, str | None]] = set()
    for rule in alive:
        ways = witnesses.ways[rule.name]
        if ways is None:
            return None  # it may be about anything
        for row in witnesses.rows(rule):
            events = (witness(row.said, way) for way in ways)
            if any(event is not None and rule.when.holds(Facts(event)) for event in events):
                heard.update(said[:2] for said in row.alike)
    names = list(_unheard(heard))
    if not names:
        return None
    listed = ", ".join(names[:MOST_LISTED])
    if len(names) > MOST_LISTED:
        listed += f" and {len(names) - MOST_LISTED} more"
    return (
        f"no rule can match {listed}, and there is no default: they reach nobody; add "
        "`default: {send_to: NAME}`, or a rule for them (`send_to: none` if that is meant)"
    )


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
    if not any(NEW in kind for kind in kinds):
        yield "kinds that are new"
