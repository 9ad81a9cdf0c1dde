"""What is said of rules that cannot do what they seem to: each warning, and never a false one."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import samples
from relay.channels import Outbound
from relay.checks.rules import check_rules
from relay.config import Config, load_text
from relay.errors import ConfigError
from relay.events import Client, Event, Source
from relay.events.catalogue import KINDS, describe
from relay.rules import Ruleset
from tests.counting import calls
from tests.each import each
from tests.needs import examples

HEAD = """\
version: 1
accounts: {slack: {token: xoxb-x}}
destinations:
  a: {slack: {channel: "#a"}}
  b: {slack: {channel: "#b"}}
  also_a: {slack: {channel: "#A"}}
phones:
  vip: ["+49 171 3920011", "+44*"]
  north: ["+49 171 1111111", "+49 171 2222222", "+49 171 3333333", "+49 171 4444444"]
clients:
  big: [acme01CL, beta02CL, gamma03CL, delta04CL]
alarms: {send_to: [a, b]}
"""
DEFAULT = "default: {send_to: a}\n"
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)


def config(rules: str, default: str = DEFAULT) -> Config:
    return load_text(
        f"{HEAD}{default}rules:\n{rules}", "rules.yaml", env={}, strict_env=True,
        outbound=Outbound(),
    )  # fmt: skip


def found(*rules: str, default: str = DEFAULT) -> list[str]:
    """The warnings about rules of one line each, named A, B, …, as `NAME: TEXT`."""
    lines = [f"  - {{name: {chr(65 + n)}, {rule}}}\n" for n, rule in enumerate(rules)]
    loaded = config("".join(lines), default)
    names = {rule.line: rule.name for rule in loaded.rules.rules}
    faults = check_rules(loaded, "rules.yaml")
    assert all(fault.level == "warning" for fault in faults)
    return [f"{names.get(fault.line, 'rules')}: {fault.message}" for fault in faults]


def rule(when: str, to: str = "a", **more: str) -> str:
    extra = "".join(f", {key}: {value}" for key, value in more.items())
    return f"when: {{{when}}}, send_to: {to}{extra}"


def never(*rules: str) -> list[str]:
    return [said[0] for said in found(*rules) if "can never match" in said]


# Rules that can never match


@each(
    "when",
    [
        "event: channel_live, topic: quality",
        "event: channel_live, severity: critical",
        "event: channel_live, not: {topic: onboarding}",
        "topic: review, severity: critical, event: account_review_update",
        "phone: vip, not: {phone: vip}",
        'phone: "+49171*", not: {phone: "+49*"}',
        'phone: north, not: {phone: "+49 171*"}',
        "client: acme01CL, not: {client: big}",
        "country: DE, any: [{country: FR}, {country: AT}]",
        "event: account_restriction, detail: RESTRICTED_UTILITY_TEMPLATES, topic: ban",
        "any: [{event: channel_live, topic: ban}, {event: channel_ready, direction: worse}]",
    ],
)
def test_these_contradict_themselves(when: str) -> None:
    assert never(rule(when)) == ["A"]


@each(
    "when",
    [
        'event: "*"',
        "event: account_alerts, severity: critical",
        "event: message_template_quality_update, direction: neutral, severity: info",
        "event: account_update, topic: [ban, violation]",
        "event: payment, detail: A_NEW_ONE",
        "topic: quality, detail: GREEN",
        "source: partner, event: account_update",
        'phone: "+49*", any: [{phone: "+44*"}]',
        "client: acme01CL, any: [{client: Muster*}]",
        "data.event: A, not: {data.event: B}",
        'phone: "+49*", not: {phone: "+49171*"}',
        'detail: {regex: "^new"}, topic: other',
        'event: "channel_*", topic: other',
        "not: {detail: '*'}",
        "topic: template, detail: {regex: '(?-i)^REJ'}",
        "event: {regex: '(?-i)^Channel_live$'}, topic: onboarding",
        'phone: "+49 171 3920011", any: [{phone: "+44 20 12345678"}]',
        "event: message_template_status_update, not: {detail: '*'}",
    ],
)
def test_these_can_match(when: str) -> None:
    assert not never(rule(when))


def test_a_detail_of_another_kind_may_come_also_where_very_many_are_named() -> None:
    many = ", ".join(f"D{number}" for number in range(10, 60))
    assert not never(rule(f"detail: [{many}]"), rule("event: channel_live, detail: REJECTED"))


def test_a_contradiction_is_named_with_what_would_fit() -> None:
    (said,) = found(rule("event: channel_live, topic: quality"))
    assert said == (
        "A: this rule can never match: no event has event channel_live and topic quality "
        "(with that event, topic is onboarding); correct or delete one of them"
    )


@each(
    ("earlier", "later"),
    [
        ("topic: template", "topic: template, direction: worse"),
        ("topic: template", "event: message_template_status_update"),
        ('event: "*"', "client: acme01CL"),
        ("phone: '+49*'", "phone: '+49171*', topic: quality"),
        ("phone: '+49*'", "phone: north"),
        ("phone: vip", "phone: '+49 171 3920011'"),
        ("phone: vip", "phone: '+44 20*'"),
        ("client: big", "client: ACME01cl, topic: ban"),
        ("client: 'acme*'", "client: acme01CL"),
        ("client: 'acme*'", "client: 'acme01*'"),
        ("severity: [info, warning]", "event: channel_live"),
        ("data.x: a", "data.x: A, topic: ban"),
        ("country: [DE, AT]", "country: de"),
        ("any: [{phone: '+49*'}, {topic: ban}]", "phone: '+49171*'"),
        ("not: {topic: ban}", "topic: quality"),
        ("not: {country: FR}", "country: DE"),
    ],
)
@each("end", [{"stop": "true"}, {"to": "none"}])
def test_an_earlier_end_takes_all(earlier: str, later: str, end: dict[str, str]) -> None:
    assert never(rule(earlier, **end), rule(later, "b")) == ["B"]


@each(
    ("earlier", "later"),
    [
        ("topic: template, direction: worse", "topic: template"),
        ("phone: '+49171*'", "phone: '+49*'"),
        ("phone: '+49*'", "phone: '+44*'"),
        ("phone: north", "phone: '+49*'"),
        ("client: acme01CL", "client: Acme"),
        ("phone: {regex: '^.49'}", "phone: '+49 171 3920011'"),
        ("phone: '*'", "phone: {regex: '^.49'}"),  # what an expression means is not asked
        ("client: {regex: acme}", "client: acme01CL"),
        ("not: {phone: '+49*'}", "phone: '+44*'"),
        ("not: {country: FR}", "topic: quality"),
        ("not: {client: acme01CL}", "client: beta02CL"),
        ("not: {any: [{phone: '+49*'}, {country: FR}]}", "country: DE"),
        ("not: {detail: 'REJ*'}", "topic: template"),
        ("data.x: a", "data.y: a"),
        ("source: waba", "event: account_update"),
        ("topic: quality", "event: phone_number_quality_update"),
    ],
)
def test_an_earlier_end_leaves_some(earlier: str, later: str) -> None:
    assert not never(rule(earlier, stop="true"), rule(later, "b"))


def test_several_rules_together_take_all_and_are_named() -> None:
    told = found(
        rule("topic: template, direction: worse", stop="true"),
        rule("topic: template, direction: [better, neutral]", "none"),
        rule("topic: template", "b"),
    )
    assert [said for said in told if said.startswith("C")] == [
        'C: this rule can never match: the rules "A" in line 15 and "B" in line 16 take all that '
        "it could match and end the list; move this rule above, or mark it `always: true`"
    ]


def test_an_always_rule_is_reached_and_a_rule_that_does_not_end_takes_nothing() -> None:
    assert not never(rule("topic: ban", stop="true"), rule("topic: ban", always="true"))
    assert not never(rule("topic: ban"), rule("topic: ban", "b"))
    assert never(rule("topic: ban", always="true", stop="true"), rule("topic: ban")) == ["B"]


# Rules that meet


def fights(*rules: str) -> list[str]:
    return [said[0] for said in found(*rules) if "the template" in said]


@each(
    ("first", "later"),
    [
        (rule("topic: quality", template="x"), rule("phone: vip", template="y")),
        (rule("topic: quality"), rule("topic: quality, direction: worse", template="y")),
        (rule("topic: quality", template="x"), rule("topic: quality", "also_a", template="y")),
        (rule("topic: quality", "[b, a]", template="x"), rule("client: big", template="y")),
        (
            rule("topic: ban", stop="true", template="x"),
            rule("topic: ban", template="y", always="true"),
        ),
        (rule("phone: north", template="x"), rule("phone: '+49171*'", template="y")),
    ],
)
def test_two_rules_fight_over_a_template(first: str, later: str) -> None:
    assert fights(first, later) == ["B"]


@each(
    ("first", "later"),
    [
        (rule("topic: quality", template="x"), rule("topic: quality", template="x")),
        (rule("topic: quality", template="x"), rule("topic: quality", "b", template="y")),
        (rule("topic: quality", template="x"), rule("topic: ban", template="y")),
        (rule("client: acme01CL", template="x"), rule("client: beta02CL", template="y")),
        (rule("phone: '+49*'", template="x"), rule("phone: '+44*'", template="y")),
        (rule("phone: vip", template="x"), rule("client: big", template="y")),
        (rule("topic: quality", template="x"), rule("topic: quality")),
        (
            rule("topic: quality, direction: worse", template="x", stop="true"),
            rule("topic: quality", template="y"),
        ),
        (rule("phone: vip", template="x"), rule("not: {phone: vip}", template="y")),
    ],
)
def test_two_rules_do_not_fight(first: str, later: str) -> None:
    assert fights(first, later) == []


def test_no_fight_over_what_an_earlier_rule_takes_away() -> None:
    assert not fights(
        rule("topic: quality, direction: worse", "b", stop="true"),
        rule("topic: quality", template="x"),
        rule("topic: quality, direction: worse, severity: warning", template="y", always="true"),
    )


def taken(*rules: str) -> list[str]:
    return [said[0] for said in found(*rules) if "critical events" in said]


@each(
    ("first", "later"),
    [
        (rule("client: acme01CL", "none"), rule("topic: restriction")),
        (rule("phone: vip", stop="true"), rule("topic: [ban, quality]")),
        (rule("event: account_update, direction: better", "none"), rule("topic: ban")),
        (rule("country: DE", "none"), rule("severity: critical")),
        (rule("client: acme01CL", "none"), rule("event: account_restriction")),
        (rule("client: acme01CL", "none"), rule("client: big, topic: security")),
    ],
)
def test_a_rule_about_critical_events_loses_some(first: str, later: str) -> None:
    assert taken(first, later) == ["B"]


@each(
    ("first", "later"),
    [
        (rule("topic: template, detail: APPROVED", "none"), rule("severity: critical")),
        (rule("topic: template", "none"), rule("severity: critical")),
        (rule("client: acme01CL", "none"), rule("topic: restriction", always="true")),
        (rule("client: acme01CL"), rule("topic: restriction")),
        (rule("client: acme01CL", "none"), rule("topic: quality")),
        (rule("client: acme01CL", "none"), rule("client: beta02CL, topic: ban")),
        (rule("client: acme01CL", "none"), rule('event: "*"')),
        (rule("client: acme01CL", "none"), rule("phone: vip, topic: ban")),
        (rule("client: acme01CL", "none"), rule("severity: [info, warning, critical]")),
    ],
)
def test_a_rule_loses_nothing_critical(first: str, later: str) -> None:
    assert taken(first, later) == []


# What nothing covers


def test_what_no_rule_takes_is_listed_where_there_is_no_default() -> None:
    rules = [rule(f"topic: {topic}") for topic in ("template", "quality", "limit", "onboarding")]
    (said,) = found(*rules, default="")
    assert said.startswith("rules: no rule can match channel_subscription_set, account_violation")
    assert "phone_number_quality" not in said
    assert " more, and there is no default" in said


def test_a_single_detail_is_listed() -> None:
    (said,) = found(rule('event: "*", not: {detail: PIN_CHANGED}'), default="")
    assert "no rule can match security/PIN_CHANGED, and" in said


def test_nothing_is_listed_with_a_default_or_a_rule_for_everything() -> None:
    assert not found(rule("topic: ban"))
    assert not found(rule("topic: ban"), default="default: {send_to: none}\n")
    assert not found(rule('event: "*"'), default="")
    assert not found(rule("phone: vip"), rule("not: {phone: vip}"), default="")


# Never a false word

_PARTS = st.sampled_from(
    [
        "event: channel_live", "event: 'channel_*'", "event: account_update", "event: security",
        "event: [phone_number_quality_update, account_alerts]", "event: '*template*'",
        "detail: APPROVED", "detail: '*ED'", "detail: {regex: '^p'}", "detail: [FLAGGED, RED]",
        "detail: '*'", "detail: NEW", "topic: template", "topic: [quality, limit]", "topic: 'b*'",
        "topic: ban", "topic: other", "severity: critical", "severity: [info, warning]",
        "direction: worse", "direction: better", "source: waba", "source: partner",
        "phone: '+49*'", "phone: '+49171*'", "phone: vip", "phone: north", "phone: '+4917*1'",
        "phone: {regex: '11$'}", "phone: '*'", "client: acme01CL", "client: big",
        "client: 'acme*'", "client: {regex: acme}", "country: DE", "country: [DE, GB]",
        "country: 'D*'", "waba: '1*'", "data.x: a", "data.x: [a, b, c, d]", "data.x: '*'",
    ]
)  # fmt: skip


def _joined(parts: list[str]) -> str:
    keys: dict[str, str] = {}
    for part in parts:
        keys.setdefault(part.partition(":")[0], part)
    return "{" + ", ".join(keys.values()) + "}"


_MAPS = st.recursive(
    st.lists(_PARTS, min_size=1, max_size=3).map(_joined),
    lambda inner: st.one_of(
        st.tuples(_PARTS, inner).map(lambda two: _joined([two[0], f"not: {two[1]}"])),
        inner.map(lambda one: f"{{not: {one}}}"),
        st.lists(inner, min_size=1, max_size=2).map(lambda each: f"{{any: [{', '.join(each)}]}}"),
    ),
    max_leaves=4,
)
_RULES = st.lists(
    st.tuples(_MAPS, st.sampled_from(["send_to: none", "send_to: a", "send_to: a, stop: true"])),
    min_size=1,
    max_size=5,
)


def _samples() -> list[Event]:
    return [samples.event(name, NOW) for name in samples.names()]


SAMPLES = _samples()
_DETAILS = sorted({detail for kind in KINDS.values() for detail in kind.details})
_DATA = st.fixed_dictionaries(
    {},
    optional={
        "x": st.sampled_from(["a", "b", "z", ["a", "z"]]),
        "alert_severity": st.sampled_from(["CRITICAL", "INFO"]),
        "alert_status": st.just("RESOLVED"),
        "ban_state": st.sampled_from(["REINSTATE", "DISABLE"]),
        "old_limit": st.sampled_from(["1", "5"]),
        "new_limit": st.sampled_from(["1", "5"]),
        "previous_quality_score": st.sampled_from(["RED", "GREEN"]),
        "status": st.sampled_from(["APPROVED", "FAILED"]),
        "new_category": st.just("MARKETING"),
        "quality_rating": st.sampled_from(["RED", "GREEN"]),
    },
)
_NUMBERS = ["+491713920011", "+491711111111", "+491719999991", "+44201234567", "+4930123456"]


@st.composite
def events(draw: st.DrawFn) -> Event:
    kinds = [kind.name for kind in KINDS.values() if kind.source is not Source.RELAY]
    kind = draw(st.sampled_from([*kinds, "channel_new", "Account_Update", "nothing"]))
    own = list(KINDS[kind].details) if kind in KINDS else []
    detail = draw(st.sampled_from([None, "NEW", "other", "RED", *own, *_DETAILS]))
    data = draw(_DATA)
    source = draw(st.sampled_from([Source.PARTNER, Source.WABA]))
    meaning = describe(source, kind, detail, data)
    return replace(
        SAMPLES[0],
        kind=kind,
        detail=detail,
        source=source,
        data=data,
        topic=meaning.topic,
        severity=meaning.severity,
        direction=meaning.direction,
        phones=tuple(draw(st.lists(st.sampled_from(_NUMBERS), max_size=2))),
        client=Client(
            draw(st.sampled_from([None, "acme01CL", "beta02CL"])),
            draw(st.sampled_from([None, "Acme", "acme01CL"])),
        ),
        country=draw(st.sampled_from([None, "DE", "GB", "FR"])),
        waba=draw(st.sampled_from([None, "100", "200"])),
    )


def _read(each: list[tuple[str, str]]) -> Config:
    return config("".join(f"  - {{name: R{n}, when: {when}, {rest}}}\n"
                          for n, (when, rest) in enumerate(each)))  # fmt: skip


@given(_RULES, st.lists(events(), min_size=20, max_size=30))
@examples(70)
def test_what_is_called_unreachable_is_never_matched(
    each: list[tuple[str, str]], some: list[Event]
) -> None:
    loaded = _read(each)
    faults = check_rules(loaded, "rules.yaml")
    dead = {fault.line for fault in faults if "can never match" in fault.message}
    names = {one.name for one in loaded.rules.rules if one.line in dead}
    for event in [*some, *SAMPLES]:
        assert not names & set(loaded.rules.match(event).matched)


@given(_RULES, st.lists(events(), min_size=20, max_size=30))
@examples(30)
def test_what_is_said_to_reach_nobody_matches_no_rule(
    each: list[tuple[str, str]], some: list[Event]
) -> None:
    lines = "".join(f"  - {{name: R{n}, when: {when}, {rest}}}\n"
                    for n, (when, rest) in enumerate(each))  # fmt: skip
    loaded = config(lines, default="")
    told = [
        f.message for f in check_rules(loaded, "rules.yaml") if "no rule can match" in f.message
    ]
    listed = (
        set(re.findall(r"[\w ]+(?:/[\w ]+)?", told[0].partition(", and there")[0]))
        if told
        else set()
    )
    names = {name.strip().removeprefix("no rule can match ") for name in listed}
    for event in [*some, *SAMPLES]:
        if event.kind in names or f"{event.kind}/{event.detail}" in names:
            assert not loaded.rules.match(event).matched


def _many(count: int) -> Iterator[str]:
    for number in range(count):
        match number % 4:
            case 0:
                yield rule(f"client: c{number}CL, topic: template", stop="true")
            case 1:
                yield rule(f"phone: '+49171{number:07}'", "b", template="y")
            case 2:
                yield rule(f"phone: '+4917{number}*', not: {{topic: ban}}", "none")
            case _:
                yield rule(f"client: c{number - 3}CL, topic: template, detail: REJECTED", "b")


def test_each_of_many_rules_costs_the_same_to_check() -> None:
    few, many = (
        config("".join(f"  - {{name: R{n}, {one}}}\n" for n, one in enumerate(_many(count))))
        for count in (400, 1_200)
    )
    faults = check_rules(many, "rules.yaml")
    assert sum("can never match" in fault.message for fault in faults) >= 300
    check_rules(few, "rules.yaml")
    one = calls(lambda: check_rules(few, "rules.yaml"))
    assert calls(lambda: check_rules(many, "rules.yaml")) < 4 * one


def test_rules_without_a_file_are_checked_too() -> None:
    loaded = config(f"  - {{name: A, {rule('topic: ban')}}}\n")
    bare = replace(
        loaded, rules=Ruleset(tuple(replace(one, line=0, column=0) for one in loaded.rules.rules))
    )
    assert check_rules(bare, "rules.yaml") == ()


# Settings


def doubts(account: str, channel: str = "#a", env: dict[str, str] | None = None) -> list[str]:
    text = (
        f"version: 1\naccounts:\n  email: {{{account}, sender: relay@example.com}}\n"
        '  slack: {token: "${TOKEN}"}\n'
        f'destinations:\n  a: {{slack: {{channel: "{channel}"}}}}\n'
        "  b: {email: {to: [b@example.com]}}\n"
        'rules: [{name: A, when: {event: "*"}, send_to: [a, b]}]\n'
        "default: {send_to: a}\nalarms: {send_to: [a, b]}\n"
    )
    loaded = load_text(
        text,
        "rules.yaml",
        env={"TOKEN": "xoxb-x"} | (env or {}),
        strict_env=False,
        outbound=Outbound(),
    )
    return [f"{fault.line} {fault.message}" for fault in loaded.warnings]


@each(
    "account",
    [
        "host: localhost, tls: none",
        "host: 127.0.0.1, tls: none, port: 1025",
        "host: 10.1.2.3, tls: none",
        "host: mailhog, tls: none",
        "host: mail.example.internal, tls: none",
        "host: smtp.example.com, tls: starttls",
        "host: smtp.example.com, tls: starttls, port: 2525",
        "host: smtp.example.com, tls: starttls, port: 25",
        "host: smtp.example.com, tls: implicit, port: 465",
    ],
)
def test_these_mail_servers_are_fine(account: str) -> None:
    assert doubts(account) == []


@pytest.mark.parametrize(
    "account",
    [
        "host: smtp.example.com, tls: none",
        "host: 8.8.8.8, tls: none",
        "host: smtp.example.com, tls: starttls, port: 465",
        "host: smtp.example.com, tls: implicit, port: 587",
        "host: smtp.example.com, tls: implicit, port: 25",
    ],
)
def test_these_mail_servers_are_doubted(account: str) -> None:
    (said,) = doubts(account)
    assert said.startswith("3 ")


@pytest.mark.parametrize("channel", ["#wa-support", "wa_support", "C012AB3CD", "#größe-1", "支持"])
def test_these_channels_are_fine(channel: str) -> None:
    assert doubts("host: localhost, tls: none", channel) == []


@pytest.mark.parametrize("channel", ["#WA-Support", "Support", "#wa.support", "#wa/support"])
def test_these_channels_are_doubted(channel: str) -> None:
    (said,) = doubts("host: localhost, tls: none", channel)
    assert said.startswith("6 no Slack channel has ")


def test_nothing_is_doubted_of_what_the_environment_does_not_have() -> None:
    (said,) = doubts("host: smtp.example.com, tls: '${MAIL_TLS}'")
    assert "MAIL_TLS is not set" in said


# Destinations and lists that nothing uses


def test_what_is_used_anywhere_is_not_called_unused() -> None:
    rules = (
        f"  - {{name: A, {rule('not: {any: [{phone: vip}, {phone: north}, {client: big}]}')}}}\n"
    )
    loaded = config(rules)
    unused = [said for said in map(str, loaded.warnings) if "nothing is sent" in said]
    assert len(unused) == 1
    assert "also_a" in unused[0]
    assert not any("no rule names the list" in str(said) for said in loaded.warnings)


def test_nothing_is_called_unused_while_rules_have_faults() -> None:
    with pytest.raises(ConfigError) as caught:
        config("  - {name: A, when: {topic: nope}, send_to: a}\n")
    assert not any("nothing is sent" in fault.message for fault in caught.value.faults)
