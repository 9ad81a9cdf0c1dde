"""From a file and an environment to a configuration, and from what is wrong to words."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.channels import NO_PACE, Outbound, Pace
from relay.config import Config, load, load_text
from relay.config.form import Placeholders
from relay.config.nodes import Findings, Scalar
from relay.errors import ConfigError, Fault
from relay.events import Direction, Event, Severity, Source, Topic
from tests.each import each
from tests.needs import ROOT

EVENT = Event(
    id="e1",
    source=Source.WABA,
    kind="phone_number_quality_update",
    detail="FLAGGED",
    topic=Topic.QUALITY,
    severity=Severity.WARNING,
    direction=Direction.WORSE,
    title="Quality fell",
    received_at=datetime(2026, 11, 23, 9, tzinfo=UTC),
)

HOOK = "https://hooks.slack.com/services/T0/B0/x"
HEAD = """\
version: 1
accounts:
  email: {host: mail.example.com, tls: starttls, sender: relay@example.com}
destinations:
  support: {email: {to: [support@example.com]}}
  sales: {slack: {webhook: "${HOOK}"}}
default: {send_to: support}
alarms: {send_to: [support, sales]}
"""
RULES = 'rules:\n  - {name: all, when: {event: "*"}, send_to: support}\n'


def config(
    text: str,
    env: Mapping[str, str] | None = None,
    *,
    strict: bool = True,
    templates: Collection[str] | None = None,
) -> Config:
    return load_text(
        text,
        "rules.yaml",
        env={"HOOK": HOOK} | dict(env or {}),
        strict_env=strict,
        outbound=Outbound(),
        templates=templates,
    )


def faults(text: str, env: Mapping[str, str] | None = None, **more: Any) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        config(text, env, **more)
    return caught.value.faults


def messages(text: str, env: Mapping[str, str] | None = None, **more: Any) -> list[str]:
    return [fault.message for fault in faults(text, env, **more) if fault.level == "error"]


def when(condition: str, head: str = HEAD) -> str:
    return f"{head}rules:\n  - name: one\n    when: {condition}\n    send_to: support\n"


def warned(text: str, env: Mapping[str, str] | None = None, **more: Any) -> list[str]:
    return [fault.message for fault in config(text, env, **more).warnings]


class TestWhole:
    def test_the_product_s_own_file_loads_without_an_environment(self) -> None:
        path = ROOT / "rules.yaml"
        loaded = load(path, env={}, strict_env=False, outbound=Outbound())
        assert set(loaded.destinations) == {"support", "sales", "billing", "oncall"}
        told = [fault.message for fault in loaded.warnings if "stand-in" not in fault.message]
        assert len(told) == 1
        assert "360dialog cannot be asked" in told[0]

    def test_a_file_says_what_it_says(self) -> None:
        loaded = config(
            HEAD + "timezone: Europe/Berlin\nprivacy: {keep: [contact_info]}\n"
            "phones:\n  vip: [+49 151 2345678, 0044*]\n"
            "rules:\n"
            "  - name: one\n"
            "    when: {topic: [quality, limit], not: {direction: better}, phone: vip}\n"
            "    send_to: [sales, support, sales]\n"
            "    always: true\n"
            "    template: welcome.md.j2\n"
            "  - {name: two, when: {any: [{detail: APPROVED}, {data.a.b: x}]}, send_to: none}\n",
            templates=["welcome.md.j2"],
        )
        one, two = loaded.rules.rules
        assert (one.name, one.send_to, one.always, one.stop) == (
            "one",
            ("sales", "support"),
            True,
            False,
        )
        assert (one.template, one.line, one.column) == ("welcome", 14, 5)
        assert two.mutes
        assert loaded.rules.default == loaded.default == ("support",)
        assert loaded.alarms == ("support", "sales")
        assert loaded.timezone.key == "Europe/Berlin"
        assert loaded.keep == {"contact_info"}
        assert loaded.warnings == ()
        assert loaded.rules.match(replace(EVENT, phones=("+447700900123",))).matched == ("one",)

    def test_the_text_is_kept_as_written(self) -> None:
        text = HEAD.replace("mail.example.com", '"${HOST}"') + RULES
        assert config(text, {"HOST": "secret.example.com"}).text == text

    def test_all_faults_are_told_at_once_in_the_order_of_the_file(self) -> None:
        found = faults(
            "version: 2\n"
            "timezone: Mars/Olympus\n"
            "destinations:\n  a: {slack: {chanel: x}}\n  a: {teams: {}}\n  b: {pace: fast}\n"
            "rules:\n"
            "  - {name: x, when: {topic: nope, event: &a chanel_live}, send_to: c}\n"
            "  - {name: x, when: {phone: 0171}, stop: maybe}\n"
            "default: {send_to: [a, none]}\n"
            "tests: [{name: t}]\n"
        )
        assert [(fault.line, fault.level) for fault in found] == [
            (1, "error"),  # version
            (2, "error"),  # time zone
            (4, "error"),  # chanel
            (4, "error"),  # neither channel nor webhook
            (5, "error"),  # a twice
            (6, "error"),  # no transport
            (6, "error"),  # pace
            (7, "warning"),  # no alarms, which is said at the rules
            (8, "error"),  # topic
            (8, "error"),  # anchor
            (8, "error"),  # kind
            (8, "error"),  # destination
            (9, "error"),  # no send_to
            (9, "error"),  # name twice
            (9, "error"),  # national number
            (9, "error"),  # stop
            (10, "error"),  # none in a list
            (11, "error"),  # neither event nor file
            (11, "error"),  # no expect
        ]

    @pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n", "---\n", "\ufeff"])
    def test_an_empty_file_never_means_no_rules(self, text: str) -> None:
        assert messages(text) == ['is empty: rules cannot be empty; everything is `event: "*"`']

    @pytest.mark.parametrize("text", ["just a text", "- a\n- b\n", "42"])
    def test_a_file_that_is_no_map_is_refused(self, text: str) -> None:
        assert messages(text) == ["a rules file is a map: begin with `version: 1`"]

    def test_half_a_file_is_refused(self) -> None:
        text = HEAD + RULES
        whole = text.splitlines(keepends=True)
        for end in range(len(whole) - 1):
            assert messages("".join(whole[:end]))

    def test_files_that_cannot_be_read_are_faults(self, tmp_path: Path) -> None:
        def fault(path: Path) -> str:
            with pytest.raises(ConfigError) as caught:
                load(path, env={}, strict_env=True, outbound=Outbound())
            return caught.value.faults[0].message

        assert "does not exist" in fault(tmp_path / "none.yaml")
        assert "cannot be read" in fault(tmp_path)
        binary = tmp_path / "binary.yaml"
        binary.write_bytes(b"\x7fELF\x00\xff\xfe")
        assert "UTF-8" in fault(binary)
        assert "not a regular file" in fault(Path("/dev/zero"))
        large = tmp_path / "large.yaml"
        large.write_bytes(b"#" * (2**20 + 1))
        assert "larger than 1 MB" in fault(large)


class TestWords:
    @each(
        ("condition", "message"),
        [
            ("{topic: qualty}", 'unknown topic "qualty": did you mean "quality"?'),
            ("{severity: 3}", 'unknown severity "3": known are critical, info, warning'),
            ("{direction: [worse, bettr]}", 'unknown direction "bettr": did you mean "better"?'),
            ("{source: wabba}", 'unknown source "wabba": did you mean "waba"?'),
            ("{event: chanel_live}", 'unknown kind "chanel_live": did you mean "channel_live"?'),
            ("{not: {not: {topic: x}}}", 'unknown topic "x": known are'),
            ("{toppic: quality}", 'unknown key "toppic": did you mean "topic"?'),
            ("{type: channel_live}", 'unknown key "type": did you mean "event"?'),
            ("{phone: vipp}", 'unknown list of numbers "vipp": there is none'),
            ("{phone: 0171 3920011}", '"0171 3920011" is a national number'),
            ("{phone: 1-800-FLOWERS}", '"1-800-FLOWERS" is no phone number'),
            ("{topic: [quality, {regex: (}]}", "not a regular expression of RE2"),
            ("{topic: {regexp: x}}", 'topic must be a text, a list, or {regex: "…"}'),
            ("{topic: [[quality]]}", "topic must be a text, not a list"),
            ("{topic: ''}", "topic has no value"),
            ("{topic: []}", "topic is an empty list"),
            ("{any: []}", "any is an empty list"),
            ("{not: []}", "not is an empty list"),
            ("{any: [{}]}", "the conditions are empty"),
            ("{not: {}}", "the conditions are empty"),
            ("{}", "the conditions are empty"),
            ('"*"', "when must be a map"),
            ("", "when has no value"),
        ],
    )
    def test_a_wrong_condition_is_told(self, condition: str, message: str) -> None:
        (found,) = messages(when(condition))
        assert found.startswith(message)

    @each(
        ("condition", "warning"),
        [
            ("{event: 'chanel_*'}", 'no known kind matches "chanel_*"'),
            ("{event: {regex: ^chanel}}", 'no known kind matches "/^chanel/"'),
            ("{detail: REJECTD}", 'no known event here has the detail "REJECTD": did you mean'),
            ("{event: channel_live, detail: REJECTED}", "no known event here has the detail"),
            ("{country: Germany}", 'no country is "Germany"'),
            ("{client: Musterladen}", '"Musterladen" looks like a client\'s name'),
            ("{event: relay_alarm}", "the relay's own events are outside the rules"),
        ],
    )
    def test_a_doubtful_condition_is_warned_of(self, condition: str, warning: str) -> None:
        (found,) = warned(when(condition))
        assert found.startswith(warning)

    @each(
        "condition",
        [
            "{event: CHANNEL_LIVE}",
            "{event: 'channel_*', country: [DE, NO]}",
            "{topic: Quality, severity: 'crit*'}",
            "{client: acme01CL, waba: [100000000000101, x01WA]}",
            "{event: message_template_status_update, detail: rejected}",
            "{phone: ['+49*', 0049 151 2345678, tel:+33-6-12345678, '*']}",
            "{data.a.b: {regex: '^x'}}",
            "{event: some_*_new, not: [{topic: ban}, {any: [{detail: FLAGGED}]}]}",
        ][:-1],
    )
    def test_these_are_fine(self, condition: str) -> None:
        assert warned(when(condition)) == []

    def test_missing_default_and_alarms_are_warned_of(self) -> None:
        head = HEAD[: HEAD.index("default")]
        assert [w.split(":")[0] for w in warned(head + RULES)] == [
            'nothing is sent to "sales"',
            "alarms is missing",
            "default is missing",
        ]

    def test_alarms_by_one_transport_are_warned_of(self) -> None:
        text = HEAD.replace("[support, sales]", "[sales]") + RULES
        assert warned(text) == [
            "all alarms go by slack: when it is out of order, nobody hears of it"
        ]

    @pytest.mark.parametrize(
        ("pace", "expected"),
        [
            ("1/s", Pace(1, 1)),
            ("30/min", Pace(30, 60)),
            ("100 / h", Pace(100, 3600)),
            ("none", NO_PACE),
        ],
    )
    def test_pace(self, pace: str, expected: Pace) -> None:
        text = HEAD.replace('{HOOK}"}', f'{{HOOK}}"}}, pace: {pace}') + RULES
        assert config(text).destinations["sales"].pace == expected

    @each("pace", ["0/s", "-1/s", "1/2s", "1/day", "fast", "1", "[1/s]"])
    def test_a_pace_that_is_none(self, pace: str) -> None:
        text = HEAD.replace('{HOOK}"}', f'{{HOOK}}"}}, pace: "{pace}"') + RULES
        assert messages(text) == [
            'pace must be such as "1/s", "30/min", "100/h", or none for no limit'
        ]


SECRET = "xoxb-Sehr-Geheim-4711"


class TestEnvironment:
    def test_a_placeholder_is_replaced_also_inside_a_text(self) -> None:
        text = HEAD.replace("relay@example.com", '"Relay <${WHO}@${AT}>"') + RULES
        loaded = config(text, {"WHO": "bot", "AT": "example.org"})
        assert "bot@example.org" in repr(loaded.destinations["support"])

    def test_what_comes_from_the_environment_is_not_replaced_again(self) -> None:
        text = when('{client: "${A}"}')
        ruleset = config(text, {"A": "${B}", "B": "x"}).rules
        assert "${B}" in repr(ruleset.rules[0].when)

    @pytest.mark.parametrize("env", [{}, {"GONE": ""}])
    def test_a_missing_name_is_an_error_when_strict_and_else_a_warning(
        self, env: Mapping[str, str]
    ) -> None:
        text = HEAD.replace("HOOK", "GONE") + RULES
        (error,) = messages(text, env)
        assert error.startswith("${GONE}: GONE is ")
        (warning,) = warned(text, env, strict=False)
        assert "stand-in" in warning
        assert "sales" in config(text, env, strict=False).destinations

    def test_a_missing_name_hides_no_other_fault(self) -> None:
        text = HEAD.replace("starttls, sender: relay@example.com", "tls, sender: '${FROM}'") + RULES
        assert [m.split(" ")[0] for m in messages(text)] == ["accounts.email.tls:", "${FROM}:"]

    @each(
        ("part", "key"),
        [
            ("mail.example.com", "host"),
            ("starttls", "tls"),
            ("relay@example.com", "sender"),
            ("[support@example.com]", "to"),
            ('"${HOOK}"', "webhook"),
            ("{send_to: support}", "default"),
            ("[support, sales]", "alarms"),
        ],
    )
    def test_a_stand_in_fits_wherever_a_value_is_missing(self, part: str, key: str) -> None:
        value = '{send_to: "${X}"}' if key == "default" else '"${X}"'
        text = HEAD.replace(part, value) + RULES
        loaded = config(text, strict=False)
        assert set(loaded.destinations) == {"support", "sales"}

    @each(
        ("part", "value"),
        [
            ("relay@example.com", '"Relay <${X}>"'),
            ("relay@example.com", '"${X} <relay@example.com>"'),
            ("[support@example.com]", '["${X}@example.com", "${Y}", "support@${Z}"]'),
            ("starttls", 'starttls, hostname: "${X}", port: "${Y}"'),
            ('"${HOOK}"', '"https://hooks.slack.com/services/${X}"'),
            ('"${HOOK}"', '"${X}/services/T0"'),
        ],
    )
    def test_a_stand_in_fits_where_a_part_or_several_are_missing(
        self, part: str, value: str
    ) -> None:
        assert part in HEAD
        loaded = config(HEAD.replace(part, value) + RULES, strict=False)
        assert set(loaded.destinations) == {"support", "sales"}

    @pytest.mark.parametrize(
        "line",
        [
            "name: '${X}'\n    when: {event: '*'}",
            "name: a\n    when: {event: '${X}', topic: '${X}', detail: '${X}', phone: '${X}'}",
            "name: a\n    when: {client: {regex: '${X}'}, country: '${X}'}\n    stop: '${X}'",
            "name: a\n    when: {event: '*'}\n    template: '${X}'",
        ],
    )
    def test_a_stand_in_fits_in_rules(self, line: str) -> None:
        text = HEAD + f"timezone: '${{X}}'\nrules:\n  - {line}\n    send_to: '${{X}}'\n"
        loaded = config(text, strict=False, templates=())
        assert loaded.rules.rules[0].send_to == ("support",)

    @each("bad", ["${}", "${A-B}", "${A:-x}", "${A", "${ A }", "${1A}"])
    def test_a_broken_placeholder_is_an_error(self, bad: str) -> None:
        (found,) = messages(when(f'{{client: "{bad}"}}'), {"A": "x"})
        assert "is no placeholder" in found

    @each(
        "text",
        [
            HEAD.replace(old, f"{before}${{SECRET}}{after}") + rules
            for old, before, after in [
                ("mail.example.com", '"', ' x"'),
                ("starttls", '"', '"'),
                ("relay@example.com", '"', '"'),
                ("[support@example.com]", '["', '"]'),
                ("${HOOK}", "", ""),
                ("${HOOK}", "http://", ""),
                ("version: 1", 'version: "', '"'),
                ("{send_to: support}", '{send_to: "', '"}'),
                ("{send_to: support}", '"', '"'),
            ]
            for rules in [RULES]
        ]
        + [
            when(condition)
            for condition in [
                '{event: "${SECRET}"}',
                '{topic: "${SECRET}"}',
                '{phone: "${SECRET}"}',
                '{phone: "0${SECRET}"}',
                '{client: {regex: "(${SECRET}"}}',
            ]
        ]
        + [
            HEAD + RULES + more
            for more in [
                'timezone: "${SECRET}"\n',
                'privacy: {keep: "${SECRET}"}\n',
                'phones: {a: "${SECRET}"}\n',
            ]
        ]
        + [
            HEAD + RULES[:-2] + more + "}\n"
            for more in [
                ', template: "${SECRET}"',
                ', template: "../${SECRET}"',
                ', stop: "${SECRET}"',
                ", also: 1}\n  - {name: '${SECRET}', when: {event: '*'}, send_to: support}\n"
                "  - {name: '${SECRET}', when: {event: '*'}, send_to: support",
            ]
        ],
    )
    @each("secret", [SECRET, "  " + SECRET * 9, "Zq9"])
    def test_no_fault_shows_what_the_environment_holds(self, text: str, secret: str) -> None:
        found = faults(text, {"SECRET": secret}, templates=("welcome",))
        assert "Geheim" not in str(found)
        assert "Zq9" not in str(found)

    @given(st.text(min_size=1, max_size=8), st.text(max_size=12), st.text(max_size=12))
    def test_redacting_leaves_no_value_standing_alone(
        self, value: str, before: str, after: str
    ) -> None:
        placeholders = Placeholders({"N": value}, strict=True, findings=Findings("f"))
        placeholders.fill(Scalar(1, 1, "${N}"))
        if "$" not in value and "N" not in value and value.strip("{} "):
            shown = placeholders.redact(f"{before} {value} {after}")
            assert f" {value} " not in shown or value in f"{before} {after} ${{N}}"


def test_an_explanation_shows_the_rule_as_written() -> None:
    """Lists with their numbers, placeholders as placeholders."""
    text = HEAD + (
        'phones: {vip: ["${BOSS}", "+44*", "+1*", "+7*", "+86*"]}\n'
        'rules:\n  - {name: r, when: {phone: [vip, "+43*"]}, send_to: support}\n'
    )
    rules = config(text, {"BOSS": "+49 151 2345678"}).rules
    event = replace(EVENT, phones=("+33612345678",))
    assert rules.explain(event)[0].reason == (
        "phone: wants vip (${BOSS} or +44* or +1* or 2 more) or +43*, found +33612345678"
    )
    assert rules.match(replace(EVENT, phones=("+491512345678",))).matched == ("r",)


def test_pace_inside_of_a_transport_is_told_where_it_belongs() -> None:
    text = HEAD.replace('{HOOK}"}', '{HOOK}", pace: 1/s}') + RULES
    assert messages(text) == ["pace stands beside slack, not inside of it"]


def test_line_ends_of_windows_do_not_matter() -> None:
    assert config((HEAD + RULES).replace("\n", "\r\n")).rules.rules[0].line == 10


def test_destinations_show_no_secret() -> None:
    loaded = config(HEAD + RULES, {"HOOK": "https://hooks.slack.com/services/T0/B0/geheim"})
    assert "geheim" not in repr(loaded)


@each(
    "url, words",
    [
        ("https://flows.example.com/x?sig=abcdef", "does not stand where Workflows webhooks"),
        ("https://prod-1.westeurope.logic.azure.com/x?sig=abcdef", "copy its new link from"),
    ],
)
def test_a_doubtful_teams_host_is_a_warning_at_its_url(url: str, words: str) -> None:
    """Whether it stands in the file or comes from the environment."""
    text = """\
version: 1
destinations:
  sales:
    teams: {url: "%s"}
rules:
  - {name: All, when: {event: "*"}, send_to: sales}
default: {send_to: sales}
alarms: {send_to: sales}
"""
    for written in (url, "${TEAMS_URL}"):
        told = config(text % written, {"TEAMS_URL": url}).warnings
        assert [(one.line, one.column) for one in told if words in one.message] == [(4, 18)]
        assert "abcdef" not in str(told)
