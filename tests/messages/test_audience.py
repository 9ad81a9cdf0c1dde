"""Whose advice a message shows: `audience` beside a destination."""

from __future__ import annotations

import re

import pytest

from relay.channels import Outbound
from relay.checks.diff import Comparison
from relay.config import Config, load_text
from relay.errors import ConfigError
from relay.messages import READERS
from relay.messages.templates import Templates
from relay.pipeline import Plan, compose, route
from relay.samples import event as sample
from relay.samples import names
from tests.each import each
from tests.message_cases import BERLIN, FOLDER, NOON

RULES = """\
version: 1
language: {language}
destinations:
  one: {{slack: {{webhook: "https://hooks.slack.com/services/T0/B0/one"}}{one}}}
  two: {{slack: {{webhook: "https://hooks.slack.com/services/T0/B0/two"}}{two}}}
  same: {{slack: {{webhook: "https://hooks.slack.com/services/T0/B0/one"}}{same}}}
rules:
  - {{name: all, when: {{event: "*"}}, send_to: [one, two, same]}}
"""
LABELS = {
    "en": dict(zip(READERS, ("Support", "Sales", "Billing"), strict=True)),
    "de": dict(zip(READERS, ("Support", "Vertrieb", "Abrechnung"), strict=True)),
}


def config(one: str = "", two: str = "", same: str = "", language: str = "en") -> Config:
    text = RULES.format(one=one, two=two, same=same, language=language)
    return load_text(text, "rules.yaml", env={}, strict_env=True, outbound=Outbound())


def told(loaded: Config, kind: str, templates: Templates) -> dict[str, str]:
    """By destination, the text of a sample's message."""
    plan = Plan(1, loaded.rules, loaded.destinations, templates, BERLIN)
    event = sample(kind, NOON)
    owed = route(event, plan, NOON).deliveries
    return {one.destination: compose(one, event, plan, NOON).text for one in owed}


@each("language", LABELS)
def test_of_every_shipped_message_each_reader_gets_their_own_advice_alone(language: str) -> None:
    templates = Templates.load(FOLDER)
    labels = LABELS[language]
    advised = set()
    for reader, label in labels.items():
        loaded = config(one=f", audience: {reader}", language=language)
        for kind in names():
            texts = told(loaded, kind, templates)
            shown = {other for other in labels.values() if f"\n{other}:" in texts["one"]}
            asked = {other for other in labels.values() if f"\n{other}:" in texts["two"]}
            assert shown == asked & {label}, kind
            advised |= shown
    assert advised == set(labels.values())


def test_an_audience_of_two_is_shown_the_advice_of_both() -> None:
    loaded = config(one=", audience: [billing, ' Sales ']")
    texts = told(loaded, "cancellation_request", Templates.load(FOLDER))
    assert re.findall(r"^(Support|Sales|Billing):", texts["one"], re.M) == ["Sales", "Billing"]


def test_of_two_audiences_at_one_target_that_of_the_first_destination_decides() -> None:
    loaded = config(one=", audience: sales", same=", audience: support")
    texts = told(loaded, "cancellation_request", Templates.load(FOLDER))
    assert texts.keys() == {"one", "two"}
    assert "Sales:" in texts["one"]
    assert "Support:" not in texts["one"]


def test_another_audience_makes_no_other_target_and_frees_nothing_that_is_parked() -> None:
    before, after = (config(one=said).destinations["one"] for said in ("", ", audience: sales"))
    assert (before.target, before.fingerprint) == (after.target, after.fingerprint)


@each(
    ("said", "fault"),
    [
        (", audience: suport", '4:83: error: unknown audience "suport": did you mean "support"?'),
        (", audience: [sales, all]", 'unknown audience "all": known are billing, sales, support'),
        (", audience: []", "audience is an empty list: name at least one, or delete the key"),
        (", audience: ''", "audience has no value"),
        (", audience: {for: sales}", "audience must be a text, not a map"),
        (", audiance: sales", 'unknown key "audiance": did you mean "audience"?'),
    ],
)
def test_an_audience_that_nobody_knows_is_an_error_with_its_place_and_remedy(
    said: str, fault: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        config(one=said)
    assert fault in str(caught.value)


def test_a_diff_of_texts_tells_another_audience_where_there_is_advice() -> None:
    templates = Templates.load(FOLDER)
    before, after = (
        Plan(1, loaded.rules, loaded.destinations, templates, BERLIN)
        for loaded in (config(), config(one=", audience: sales"))
    )
    for kind, differ in (("cancellation_request", ("one",)), ("client_created", ())):
        comparison = Comparison(before, after, messages=True)
        comparison.take([(sample(kind, NOON), True)])
        report = comparison.report()
        assert tuple(read.destination for one in report.differences for read in one.reads) == differ
