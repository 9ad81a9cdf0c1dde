"""Tests in the rules file: what they can ask, and what they say when they fail."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from relay.channels import Outbound
from relay.checks.tests import run_tests
from relay.config import load_text
from relay.errors import ConfigError
from relay.messages.templates import Templates
from relay.pipeline import Plan
from tests.each import each

TEMPLATE = "# {{ event.title }}: {{ event.phone }}\n"
HEAD = """\
version: 1
accounts: {slack: {token: xoxb-x}}
destinations:
  support: {slack: {channel: "#support"}}
  sales: {slack: {channel: "#sales"}}
rules:
  - name: Approved is no news
    when: {topic: template, detail: APPROVED}
    send_to: none
  - name: German quality
    when: {topic: quality, direction: worse, phone: "+49*"}
    send_to: support
  - name: Live
    when: {event: channel_live}
    send_to: sales
default: {send_to: none}
alarms: {send_to: support}
tests:
"""


def failures(tests: str) -> list[str]:
    config = load_text(HEAD + tests, "rules.yaml", env={}, strict_env=True, outbound=Outbound())
    plan = Plan(
        version=1,
        ruleset=config.rules,
        destinations=config.destinations,
        templates=Templates.from_texts(
            {"default.md.j2": "# {{ event.title }}: {{ event.phone }}\n"}
        ),
        timezone=config.timezone,
    )
    return [str(fault) for fault in run_tests(config.tests, plan, datetime.now(UTC))]


@each(
    "test",
    [
        "{name: t, event: phone_number_quality_update/FLAGGED, expect: [support]}",
        "{name: t, event: phone_number_quality_update/FLAGGED, expect: support}",
        "{name: t, event: message_template_status_update/APPROVED, expect: none}",
        '{name: t, event: channel_live, expect: sales, text: ["Number is live", "+49171"]}',
        "{name: t, event: channel_live, rule: Live}",
        '{name: t, event: channel_live, with: {phone: "+44 7700 900123"}, text: "+447700900123"}',
        "{name: t, event: message_template_status_update/REJECTED, with: {detail: APPROVED},"
        " expect: none}",
    ],
)
def test_a_test_that_is_right_says_nothing(test: str) -> None:
    assert failures(f"  - {test}\n") == []


@each(
    ("test", "said"),
    [
        (
            "{name: t, event: channel_live, expect: support}",
            'rules.yaml:19:5: error: test "t" fails: expected support, found sales; '
            'the rule "Live" matched: event is channel_live',
        ),
        (
            '{name: t, event: phone_number_quality_update/FLAGGED, with: {phone: "+336 12345678"},'
            " expect: support}",
            'expected support, found nobody; the rule "German quality" does not match: '
            "phone: wants +49*, found +33612345678",
        ),
        (
            "{name: t, event: message_template_status_update/APPROVED, expect: support}",
            'the rule "Approved is no news" matched',
        ),
        ('{name: t, event: channel_live, text: "Hallo"}', 'does not say "Hallo"'),
        ("{name: t, event: channel_live, rule: German quality}", "does not match: topic: wants"),
        ("{name: t, event: chanel_live, expect: none}", 'did you mean "channel_live"'),
        ("{name: t, event: channel_live, with: {phone: 030 12}, expect: none}", "with.phone"),
    ],
)
def test_a_failing_test_names_the_rule_that_decided_and_why(test: str, said: str) -> None:
    found = failures(f"  - {test}\n")
    assert len(found) == 1
    assert said in found[0]


def test_an_event_file_that_is_no_text_is_a_fault_that_names_it() -> None:
    with pytest.raises(ConfigError, match=r"e\.json:1:1: error: it is no text"):
        load_text(
            HEAD + "  - {name: t, file: e.json, expect: none}\n",
            "rules.yaml",
            env={},
            strict_env=True,
            outbound=Outbound(),
            read_file=lambda _name: b"\x00\x01",
        )


@each(
    ("test", "said"),
    [
        ("{name: t, event: channel_live}", "19:5: error: this test has no `expect`"),
        ("{name: t, expect: none}", "19:5: error: a test needs `event`"),
        ("{event: channel_live, expect: none}", "19:5: error: this test has no `name`"),
        ("{name: t, event: channel_live, expect: suport}", "19:44: error: unknown destination"),
        ("{name: t, event: channel_live, rule: Lve}", 'unknown rule "Lve": did you mean "Live"'),
        ("{name: t, event: channel_live, expect: none, with: {fone: x}}", 'unknown key "fone"'),
        ("{name: t, file: gone.json, expect: none}", 'the event file "gone.json" cannot be read'),
    ],
)
def test_a_test_that_cannot_be_run_is_a_fault_at_its_place(test: str, said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        failures(f"  - {test}\n")
    assert said in str(caught.value)
