"""The JSON Schema of the rules file says what the loader says, as far as a schema can."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from relay import starter
from relay.channels import Outbound
from relay.channels.registry import CHANNELS
from relay.cli.init import contents
from relay.cli.schema import schema_text
from relay.config import load_text
from relay.config.destinations import BESIDE
from relay.config.loading import KEYS
from relay.config.rule_list import OVERRIDES, RULE_KEYS, TEST_KEYS
from relay.config.schema import rules_schema
from relay.config.schema_texts import ABOUT, DEFAULTS, EXAMPLES
from relay.errors import ConfigError
from relay.events import Topic
from relay.events.catalogue import KINDS
from relay.rules import KEYS as CONDITIONS
from tests.each import each
from tests.needs import ROOT, examples

CORPUS = ROOT / "tests" / "rules"
SCHEMA = rules_schema()
VALIDATOR = Draft7Validator(SCHEMA)

GOOD = """\
version: 1
timezone: Europe/Berlin
language: de
accounts:
  slack: {token: "${SLACK_BOT_TOKEN}", api_url: https://slack.example.com/api/}
  email: {host: smtp.example.com, port: 587, tls: starttls, sender: "Relay <relay@example.com>",
          username: 12345, password: "${SMTP_PASSWORD}", reply_to: help@example.com}
destinations:
  support: {slack: {channel: "#wa-support"}, pace: 1/s, language: no, audience: [support, billing],
            mention: [here, U012AB3CD]}
  "1": {email: {to: oncall@example.com, cc: [a@example.com]}, pace: "30 / MIN"}
  sales: {teams: {url: "${TEAMS_SALES_URL}"}, pace: none,
          mention: {who: Anna Meier <anna@example.com>, for: Warning}}
  Büro: {slack: {webhook: "https://hooks.slack.com/services/T0/B0/x"}}
phones:
  vip: [+49 151 2345678, +491512345678, "+44*"]
  one: 00491512345678
clients:
  big: [acme01CL, 4711, "dev*"]
  small: acme02CL
rules:
  - name: 1
    when:
      event: [channel_live, "Account_*", {regex: "^cancel"}, "*"]
      detail: [REJECTED, NEVER_SEEN]
      topic: [quality, Ban, "${TOPIC}"]
      severity: critical
      direction: w*
      source: [partner, relay]
      phone: [vip, +49*, +491512345678, {regex: "^49"}]
      client: [big, 22:00]
      waba: 100000000000101
      country: NO
      data.a.b: [1, true, 1.5]
      any: [{topic: quality}, {not: {direction: better}}]
      not: [{topic: ban}, {topic: limit}]
    send_to: [1, support]
    stop: true
    always: "false"
    template: welcome
    mention: "${WHO}"
  - {name: two, when: {event: "*"}, send_to: none}
default: {send_to: support}
alarms: {send_to: [support, sales, 1]}
tests:
  - name: a test
    event: phone_number_quality_update/FLAGGED
    with: {phone: +49 171 3920011, client: 4711, data.a.b: 1}
    expect: [support, 1]
    text: 10
    rule: two
  - {name: other, event: channel_live, expect: none}
privacy: {keep: contact_info}
"""

SEEN = (
    "account_bad_word", "account_value_missing", "account_unknown_key", "account_port",
    "oauth_unknown_key", "oauth_incomplete", "oauth_not_a_map",
    "any_a_map", "any_with_text", "data_without_path", "default_not_a_map",
    "destination_named_none", "kind_for_event", "list_empty", "name_missing", "no_transport",
    "pace", "privacy", "rules_empty", "rules_missing", "send_to_missing", "stop_not_a_flag",
    "template_path", "test_without_expect", "two_transports", "unknown_condition",
    "unknown_direction", "comment_ate_value",
)  # fmt: skip
"""Faults that an editor shows while one types."""

BEYOND = (
    "account_missing", "address", "bad_placeholder", "list_from_file", "name_twice",
    "national_in_list", "national_number", "oauth_and_password", "oauth_private_url",
    "private_url", "regex_lookahead",
    "send_to_none_in_list", "template_unknown", "timezone", "unknown_default",
    "unknown_destination",
)  # fmt: skip
"""Faults that need the rest of the file, other files or a look at the value."""


class _Editor(yaml.SafeLoader):
    """Reads scalars as editors do: by the core schema of YAML 1.2."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}


for _tag, _pattern in (
    ("bool", r"true|True|TRUE|false|False|FALSE"),
    ("null", r"~|null|Null|NULL|"),
    ("int", r"[-+]?[0-9]+"),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?"),
):
    _Editor.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^({_pattern})$"), None)
_Editor.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(node.value))


def faults(text: str) -> list[str]:
    """What an editor would show."""
    return [
        f"{list(fault.absolute_path)}: {fault.message}"
        for fault in VALIDATOR.iter_errors(yaml.load(text, _Editor))
    ]


def errors(text: str) -> list[str]:
    """What the loader says."""
    try:
        load_text(text, "rules.yaml", env={}, strict_env=False, outbound=Outbound())
    except ConfigError as error:
        return [str(fault) for fault in error.faults if fault.level == "error"]
    return []


def test_it_is_a_json_schema_of_draft_7() -> None:
    Draft7Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "http://json-schema.org/draft-07/schema#"


def test_the_copy_in_the_documentation_is_fresh() -> None:
    written = (ROOT / "docs" / "rules.schema.json").read_text(encoding="utf-8")
    assert written == schema_text(), "run `relay schema > docs/rules.schema.json`"
    assert json.loads(written) == SCHEMA


def test_a_file_that_uses_the_whole_language_is_good_to_both() -> None:
    assert errors(GOOD) == []
    assert faults(GOOD) == []


@pytest.mark.parametrize("name", ["rules.yaml", "init"])
def test_the_files_that_come_with_the_relay_are_good(name: str) -> None:
    text = contents()[starter.RULES] if name == "init" else (ROOT / name).read_text("utf-8")
    assert faults(text) == []


@each("page", [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))])
def test_every_whole_rules_file_in_the_documentation_is_good(page: Path) -> None:
    for text in re.findall(r"```yaml\n(version: .*?)```", page.read_text("utf-8"), re.DOTALL):
        if not errors(text):
            assert faults(text) == []


@each("name", SEEN)
def test_an_editor_sees(name: str) -> None:
    assert faults((CORPUS / f"{name}.yaml").read_text("utf-8")) != []


@each("name", BEYOND)
def test_an_editor_does_not_judge(name: str) -> None:
    assert faults((CORPUS / f"{name}.yaml").read_text("utf-8")) == []


def maps(schema: Any) -> Iterator[dict[str, Any]]:
    """Every map with keys of its own in the schema."""
    if isinstance(schema, dict):
        if schema.get("properties"):
            yield schema
        for value in schema.values():
            yield from maps(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from maps(value)


WHEN, RULE, PLACE = (SCHEMA["definitions"][name] for name in ("when", "rule", "destination"))
TEST = SCHEMA["properties"]["tests"]["items"]


@each(
    ("keys", "schema"),
    [
        (KEYS, SCHEMA),
        (RULE_KEYS, RULE),
        ([*CONDITIONS, "any", "not"], WHEN),
        ([*CHANNELS, *BESIDE], PLACE),
        (TEST_KEYS, TEST),
        (OVERRIDES, TEST["properties"]["with"]),
        ([n for n, kind in CHANNELS.items() if kind.account], SCHEMA["properties"]["accounts"]),
        *[(kind.destination.model_fields, PLACE["properties"][n]) for n, kind in CHANNELS.items()],
        *[
            (kind.account.model_fields, SCHEMA["properties"]["accounts"]["properties"][n])
            for n, kind in CHANNELS.items()
            if kind.account
        ],
    ],
)
def test_the_keys_are_those_of_the_loader(keys: Any, schema: dict[str, Any]) -> None:
    assert set(schema["properties"]) == set(keys)


def test_no_map_takes_a_key_that_it_does_not_name() -> None:
    assert [one for one in maps(SCHEMA) if one["additionalProperties"] is not False] == []


def test_every_key_is_described_in_one_sentence() -> None:
    for one in maps(SCHEMA):
        for name, shape in one["properties"].items():
            assert "description" in shape, name
            assert "\n" not in shape["description"]


def test_no_word_is_left_over() -> None:
    """A description that stands nowhere in the schema is of a key that is gone."""
    shown = schema_text()
    assert [
        word for word in ABOUT.values() if json.dumps(word, ensure_ascii=False) not in shown
    ] == []
    assert set(EXAMPLES) | set(DEFAULTS) <= set(ABOUT)


def suggestions(schema: dict[str, Any]) -> set[str]:
    """The words of all enumerations in a part of the schema."""
    found = re.findall(r'"enum": (\[.*?\])', json.dumps(schema))
    return {word for words in found for word in json.loads(words)}


def test_topics_kinds_and_details_are_suggested() -> None:
    keys = WHEN["properties"]
    assert suggestions(keys["topic"]) == {topic.value for topic in Topic}
    assert {"channel_live", "account_update", "*"} <= suggestions(keys["event"])
    assert {one for kind in KINDS.values() for one in kind.details} <= suggestions(keys["detail"])
    assert "relay_test" not in suggestions(keys["event"])


def test_the_examples_are_good() -> None:
    for one in maps(SCHEMA):
        for name, shape in one["properties"].items():
            alone = Draft7Validator({**shape, "definitions": SCHEMA["definitions"]})
            for example in shape.get("examples", ()):
                assert alone.is_valid(example), (name, example)


WORDS = (
    "quality", "BAN", "ban*", "qualty", "channel_live", "Channel_Live", "relay", "relay_test",
    "${X}", "worse", "critical", "partner", "REJECTED", "1", "no", "true", "*", "+49*", "DE",
)  # fmt: skip
_WORD = st.sampled_from(WORDS)
_VALUE = st.one_of(
    _WORD,
    st.lists(_WORD, max_size=2),
    st.fixed_dictionaries({"regex": _WORD}),
    st.lists(st.fixed_dictionaries({"regex": _WORD}), max_size=1),
)
MORE_KEYS = ("data.a", "data.a.b", "data.", "data", "kind")
_KEY = st.sampled_from([*CONDITIONS, *MORE_KEYS])
_WHEN = st.recursive(
    st.builds(lambda key, value: {key: value}, _KEY, _VALUE),
    lambda inner: st.one_of(
        st.builds(lambda one: {"not": one}, inner),
        st.builds(lambda some: {"any": some}, st.lists(inner, max_size=2)),
    ),
    max_leaves=3,
)


def with_rule(plain: bool = False, pace: str = "1/s", **changes: Any) -> str:
    """A whole file; `plain` as a person writes it, so that an editor may see other types."""
    rule = {"name": "a", "when": {"event": "*"}, "send_to": "a", **changes}
    place = {"slack": {"webhook": "https://hooks.slack.com/services/T0/B0/x"}, "pace": pace}
    text = yaml.safe_dump({"version": "1", "destinations": {"a": place}, "rules": [rule]})
    return re.sub(r"'(1|true|no|\+49)'", r"\1", text) if plain else text


@each("key", [*CONDITIONS, *MORE_KEYS])
def test_a_word_that_the_loader_takes_no_editor_refuses(key: str) -> None:
    texts = [with_rule(True, when={key: word}) for word in WORDS]
    assert [text for text in texts if faults(text) and not errors(text)] == []


@examples(60)
@given(when=_WHEN, plain=st.booleans())
def test_conditions_that_the_loader_takes_no_editor_refuses(when: Any, plain: bool) -> None:
    text = with_rule(plain, when=when)
    assert errors(text) or not faults(text)


@given(
    key=st.sampled_from(["stop", "always", "template", "name", "send_to"]),
    value=_WORD | st.sampled_from(["none", "NONE", "a", "false", "x.md.j2", "../x"]),
    pace=st.sampled_from(["5/min", " 1 / S ", "none", "None", "0.5/h", "1/d", "0/s", "${PACE}"]),
    plain=st.booleans(),
)
def test_rules_and_paces_that_the_loader_takes_no_editor_refuses(
    key: str, value: str, pace: str, plain: bool
) -> None:
    text = with_rule(plain, pace, **{key: value})
    assert errors(text) or not faults(text)
