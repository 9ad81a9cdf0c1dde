"""Runs the tests of a rules file: routed and rendered as real events are, and nothing is sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from relay import samples
from relay.config.rule_list import RuleTest
from relay.errors import Fault, RelayError
from relay.events import Client, Event
from relay.events.catalogue import describe
from relay.phones import country, normalise
from relay.pipeline import Plan, compose, route
from relay.rules.conditions import Facts
from relay.sources.reading import read


def run_tests(tests: Iterable[RuleTest], plan: Plan, now: datetime) -> tuple[Fault, ...]:
    """A fault for every test that fails, at its place, naming the rule that decided and why."""
    found = []
    for test in tests:
        message = _run(test, plan, now)
        if message is not None:
            text = f'test "{test.name}" fails: {message}'
            found.append(Fault(test.file, test.line, test.column, "error", text))
    return tuple(found)


def _run(test: RuleTest, plan: Plan, now: datetime) -> str | None:
    try:
        event = _event(test, now)
    except RelayError as error:
        return str(error)
    routing = route(event, plan, now)
    told = tuple(delivery.destination for delivery in routing.deliveries)
    if test.expect is not None:
        wanted = {plan.destinations[name].target for name in test.expect}
        if wanted != {delivery.target for delivery in routing.deliveries}:
            return (
                f"expected {_names(test.expect)}, found {_names(told)}; "
                f"{_why(event, test.expect, told, plan)}"
            )
    if test.rule is not None:
        verdict = next(one for one in plan.ruleset.explain(event) if one.name == test.rule)
        if not verdict.matched:
            return f'the rule "{test.rule}" does not match: {verdict.reason}'
    for delivery in routing.deliveries:
        message = compose(delivery, event, plan, now)
        shown = f"{message.title}\n{message.text}"
        for fragment in test.fragments:
            if fragment not in shown:
                return (
                    f'the message to {delivery.destination} does not say "{fragment}"; '
                    f'its title is "{message.title}" (template {message.template or "built in"})'
                )
    if test.fragments and not routing.deliveries:
        return f"no message says anything; {_why(event, (), told, plan)}"
    return None


def _event(test: RuleTest, now: datetime) -> Event:
    event = samples.event(test.sample, now) if test.sample else _in_file(test.body or "", now)
    for key, value in test.overrides.items():
        event = _changed(event, key, value)
    return event


def _in_file(body: str, now: datetime) -> Event:
    arrivals = read(body.encode(), received_at=now).arrivals
    if len(arrivals) != 1:
        raise RelayError(f"its file holds {len(arrivals)} events, and a test is about one")
    return arrivals[0].event


def _changed(event: Event, key: str, value: str) -> Event:
    match key:
        case "phone":
            phone = normalise(value)
            if phone is None:
                raise RelayError(f'with.phone: "{value}" is no number with its country code')
            return replace(event, phones=(phone,), country=country(phone) or event.country)
        case "phone_name":
            return replace(event, phone_name=value)
        case "client":
            return replace(event, client=Client(value, event.client.name))
        case "client_name":
            return replace(event, client=Client(event.client.id, value))
        case "country":
            return replace(event, country=value.upper())
        case "waba":
            return replace(event, waba=value)
        case "detail":
            meaning = describe(event.source, event.kind, value, event.data)
            return replace(
                event,
                detail=value,
                topic=meaning.topic,
                title=meaning.title,
                severity=meaning.severity,
                direction=meaning.direction,
            )
    return replace(event, data=_with(event.data, key.removeprefix("data.").split("."), value))


def _with(data: Mapping[str, Any], path: list[str], value: str) -> dict[str, Any]:
    head, *rest = path
    inner = data.get(head)
    changed = _with(inner if isinstance(inner, Mapping) else {}, rest, value) if rest else value
    return {**data, head: changed}


def _names(destinations: tuple[str, ...]) -> str:
    return ", ".join(destinations) or "nobody"


def _why(event: Event, wanted: tuple[str, ...], told: tuple[str, ...], plan: Plan) -> str:
    """The rule that decided: one that should not have matched, else one that should have."""
    verdicts = plan.ruleset.explain(event)  # of every rule: asked of a test that fails alone
    facts = Facts(event)
    sends = {rule.name: rule.to(facts) for rule in plan.ruleset.rules}
    for verdict in verdicts:
        unwanted = set(sends[verdict.name]) & set(told) - set(wanted)
        mutes = not sends[verdict.name] and bool(wanted)
        if verdict.matched and (unwanted or mutes):
            return f'the rule "{verdict.name}" {verdict.reason}'
    for verdict in verdicts:
        if not verdict.matched and set(sends[verdict.name]) & set(wanted):
            return f'the rule "{verdict.name}" does not match: {verdict.reason}'
    if any(verdict.matched for verdict in verdicts):
        matched = next(verdict for verdict in verdicts if verdict.matched)
        return f'the rule "{matched.name}" {matched.reason}'
    return "no rule matches" + ("" if plan.default else ", and there is no default")
