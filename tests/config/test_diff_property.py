"""What `relay diff` announces is what routing then does, for any rules and events."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from relay.channels import Destination, Pace
from relay.checks.diff import Change, Comparison
from relay.events import Event
from relay.messages.templates import Templates
from relay.pipeline import Plan, route
from relay.rules import Rule, Ruleset
from tests.config.test_rules import events, names, rule_lists
from tests.message_cases import BERLIN
from tests.needs import examples

NOW = datetime(2026, 11, 28, tzinfo=UTC)
TARGETS = {"d1": "slack:#a", "d2": "slack:#b", "d3": "slack:#c", "d4": "slack:#a"}
"""Two names mean one place."""
TEMPLATES = Templates.from_texts({"default.md.j2": "# {{ event.title }}"})


def a_plan(rules: tuple[Rule, ...], default: list[str]) -> Plan:
    destinations = {
        name: Destination(name, "slack", target, "slack", Pace(1, 1), fingerprint="same")
        for name, target in TARGETS.items()
    }
    return Plan(1, Ruleset(rules, tuple(default)), destinations, TEMPLATES, BERLIN)


def told(event: Event, plan: Plan) -> set[str]:
    return {TARGETS[one.destination] for one in route(event, plan, NOW).deliveries}


plans = st.builds(a_plan, rule_lists, st.lists(names, max_size=2))


@examples(200)
@given(plan=plans, shown=st.lists(events, max_size=6))
def test_a_version_compared_with_itself_differs_in_nothing(plan: Plan, shown: list[Event]) -> None:
    comparison = Comparison(plan, plan, messages=True)
    comparison.take((event, True) for event in shown)
    report = comparison.report()
    assert (report.events, report.differences) == (len(shown), ())


@examples(200)
@given(before=plans, after=plans, shown=st.lists(events, max_size=6))
def test_what_is_announced_is_what_routing_does(
    before: Plan, after: Plan, shown: list[Event]
) -> None:
    announced: Counter[tuple[frozenset[str], frozenset[str]]] = Counter()
    done: Counter[tuple[frozenset[str], frozenset[str]]] = Counter()
    for event in shown:
        comparison = Comparison(before, after)
        comparison.take([(event, True)])
        was, now = told(event, before), told(event, after)
        if was != now:
            done[frozenset(was - now), frozenset(now - was)] += 1
        for one in comparison.report().differences:
            places = [frozenset(TARGETS[name] for name in side) for side in (one.gone, one.new)]
            # Another name for the same place is announced as a name, and moves nothing.
            gone, new = places[0] - places[1], places[1] - places[0]
            if gone or new:
                announced[gone, new] += 1
            assert (one.change is Change.NOBODY) == bool(was and not now)
            assert (one.change is Change.ANEW) == bool(now and not was)
    assert announced == done
