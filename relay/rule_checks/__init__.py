"""What `relay check` says of rules that are well written and do not do what they seem to.

Nothing is guessed: what cannot be decided from the rules and the catalogue is not told.
"""

from __future__ import annotations

from relay.config import Config
from relay.errors import Fault
from relay.rule_checks.findings import Subject, subjects
from relay.rule_checks.gaps import uncovered
from relay.rule_checks.overlaps import fights, taken_before
from relay.rule_checks.profiles import Profiles
from relay.rule_checks.reach import unreachable

__all__ = ["check_rules"]


def check_rules(config: Config, file: str) -> tuple[Fault, ...]:
    """Warnings about a file's rules, each at its rule, by place; `file` is what they name."""
    profiles = Profiles(rule.when for rule in config.rules.rules)
    each: list[Subject] = subjects(config.rules.rules, profiles)
    dead = dict(unreachable(each, profiles))
    found = [(subject.rule.line, subject.rule.column, text) for subject, text in dead.items()]
    alive = [subject for subject in each if subject not in dead]
    for subject, text in (
        *fights(alive, profiles, config.destinations),
        *taken_before(alive, profiles),
    ):
        found.append((subject.rule.line, subject.rule.column, text))
    if "default" not in config.places and (gap := uncovered(alive, profiles)):
        place = config.places.get("rules")
        found.append((place.line if place else 1, place.column if place else 1, gap))
    return tuple(sorted(Fault(file, line, column, "warning", text) for line, column, text in found))
