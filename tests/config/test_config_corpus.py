"""A corpus of faulty files, each with one fault, told in its first line: `# LINE:COLUMN message`.

`rules` has files that are refused, `rules/warnings` files that are warned of, `lists` the lists
that rules files name. What is expected of templates stands in a table beside them, since their
first line is the title.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relay.channels import Outbound
from relay.checks.rules import check_rules
from relay.config import Config, load, load_text
from relay.errors import ConfigError, Fault
from relay.messages.templates import Templates
from tests.each import each
from tests.needs import ROOT

HERE = ROOT / "tests"
CORPUS = sorted((HERE / "rules").glob("*.yaml"))
WARNED = sorted((HERE / "rules" / "warnings").glob("*.yaml"))
LISTS = sorted((HERE / "lists").glob("*.csv"))
TEMPLATES = sorted((HERE / "faulty_templates").glob("*.j2"))
EXPECTED = HERE / "faulty_templates" / "expected.txt"
OF_LISTS = """\
version: 1
accounts: {{slack: {{token: xoxb-of-the-tests}}}}
destinations: {{support: {{slack: {{channel: "#support"}}}}}}
{kind}: {{listed: {{file: {file}}}}}
rules: [{{name: Listed, when: {{{key}: listed}}, send_to: support}}]
default: {{send_to: support}}
"""


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) >= 60
    assert len(WARNED) >= 12
    assert len(LISTS) >= 8
    assert len(TEMPLATES) >= 10


def expected(path: Path) -> tuple[int, int, str]:
    """The place and message of a file's first line."""
    found = re.fullmatch(r"# (\d+):(\d+) (.+)", path.read_text("utf-8").partition("\n")[0])
    assert found is not None
    return int(found[1]), int(found[2]), found[3]


def told(faults: tuple[Fault, ...], level: str) -> list[tuple[int, int, str]]:
    return [(one.line, one.column, one.message) for one in faults if one.level == level]


def refused(path: Path) -> tuple[Fault, ...]:
    with pytest.raises(ConfigError) as caught:
        loaded(path)
    return caught.value.faults


def loaded(path: Path) -> Config:
    templates = ["welcome.md.j2", "quality.md.j2", "important.md.j2"]
    if path.parent.parent.name == "tests":
        templates = templates[:1]
    env = {
        "SLACK_BOT_TOKEN": "xoxb-of-the-tests",
        "HOOK": "https://hooks.slack.com/services/T0/B0/x",
    }
    return load(path, env=env, strict_env=True, outbound=Outbound(), templates=templates)


@each("path", CORPUS, ids=lambda path: path.stem)
def test_the_one_fault_is_found_at_its_place(path: Path) -> None:
    faults = refused(path)
    line, column, message = expected(path)
    assert told(faults, "error") == [(line, column, message)]
    first = next(str(fault) for fault in faults if fault.level == "error")
    assert first.startswith(f"{path}:{line}:{column}: error: ")


@each("path", WARNED, ids=lambda path: path.stem)
def test_the_one_warning_is_found_at_its_place(path: Path) -> None:
    config = loaded(path)
    found = (*config.warnings, *check_rules(config, str(path)))
    assert expected(path) in told(found, "warning")
    assert len(found) == 1 + (path.stem == "nothing_covers")  # which lacks a default, too
    assert all(fault.file == str(path) for fault in found)


@each("path", LISTS, ids=lambda path: path.stem)
def test_the_one_fault_of_a_list_is_found_at_its_place(path: Path) -> None:
    kind = path.stem.partition("_")[0]
    text = OF_LISTS.format(kind=kind, key=kind.removesuffix("s"), file=path.name)
    with pytest.raises(ConfigError) as caught:
        load_text(
            text, str(path.parent / "rules.yaml"), env={}, strict_env=True, outbound=Outbound()
        )
    errors = [fault for fault in caught.value.faults if fault.level == "error"]
    assert told(tuple(errors), "error") == [expected(path)]
    assert errors[0].file == str(path)


def of_templates() -> dict[str, str]:
    lines = EXPECTED.read_text("utf-8").splitlines()
    return dict(line.split(" ", 1) for line in lines)


@each("path", TEMPLATES, ids=lambda path: path.name.partition(".")[0])
def test_the_one_fault_of_a_template_is_found_at_its_place(path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        Templates.from_texts({path.name: path.read_text("utf-8")}, "templates")
    assert [str(fault) for fault in caught.value.faults] == [
        f"templates/{path.name}:{of_templates()[path.name]}"
    ]


def test_no_fault_stands_at_the_first_line_for_want_of_a_better_place() -> None:
    """Only a file that is empty, a list without a value, and a missing title may be told there."""
    places = [(path.stem, expected(path)[:2]) for path in (*CORPUS, *WARNED, *LISTS)]
    places += [
        (name.partition(".")[0], (int(said.split(":")[0]), 0))
        for name, said in of_templates().items()
    ]
    first = {name for name, (line, _) in places if line <= 1}
    assert first <= {"empty", "no_title", "phones_only_comments", "clients_empty"}
