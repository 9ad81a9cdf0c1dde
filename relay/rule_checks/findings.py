"""Rules as the checks see them, and how findings name them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from relay.rule_checks.logic import Logic, read_condition
from relay.rule_checks.profiles import Mask, Profiles
from relay.rules import Rule
from relay.rules.reasons import LONGEST_VALUE
from relay.text import shown

MOST_NAMED = 3


@dataclass(frozen=True, slots=True, eq=False)
class Subject:
    """A rule, read."""

    number: int
    rule: Rule
    logic: Logic
    low: Mask
    """What it takes for certain, whatever holds besides the profile."""
    high: Mask
    """What it may take."""

    def named(self) -> str:
        """`"Approved is no news" in line 12`."""
        where = f" in line {self.rule.line}" if self.rule.line else ""
        return f'"{shown(self.rule.name, LONGEST_VALUE)}"{where}'


def subjects(rules: Iterable[Rule], profiles: Profiles) -> list[Subject]:
    """All rules, read, in their order."""
    found = []
    for number, rule in enumerate(rules):
        logic = read_condition(rule.when, profiles)
        found.append(Subject(number, rule, logic, *logic.bounds({})))
    return found


def several(named: Iterable[Subject]) -> str:
    """`the rule "A" in line 3`, or `the rules "A" in line 3 and "B" in line 9`."""
    each = list(named)
    texts = [subject.named() for subject in each[:MOST_NAMED]]
    if len(each) > MOST_NAMED:
        texts.append(f"{len(each) - MOST_NAMED} more")
    if len(texts) == 1:
        return f"the rule {texts[0]}"
    return f"the rules {', '.join(texts[:-1])} and {texts[-1]}"
