"""Every recipe of docs/rules.md does what it says, and each of its rules is needed for that."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from relay.channels import Outbound
from relay.channels.email.settings import EmailDestination
from relay.checks.rules import check_rules
from relay.checks.tests import run_tests
from relay.config import Config, load_text
from relay.config.loading import KEYS as FILE_KEYS
from relay.config.rule_list import OVERRIDES
from relay.events import Topic
from relay.messages.templates import Templates
from relay.pipeline import Plan
from relay.rules import KEYS, Not, Ruleset, Test, text_matcher
from tests.each import each
from tests.needs import ROOT

PAGE = (ROOT / "docs" / "rules.md").read_text(encoding="utf-8")
LANGUAGE, _, COOKBOOK = PAGE.partition("## Cookbook")
NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
NEVER = Not(Test("event", (text_matcher("*"),), "*"))
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_TEMPLATE = re.compile(r"\{# (\S+) #\}\n(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Recipe:
    """One task with its rules, its list files and its templates."""

    task: str
    rules: str
    files: dict[str, str]
    templates: dict[str, str]


def recipes() -> Iterator[Recipe]:
    head, *rest = re.split(r"^### ", COOKBOOK, flags=re.MULTILINE)
    ((_, shared),) = _FENCE.findall(head)
    for part in rest:
        fences = _FENCE.findall(part)
        ((_, rules),) = [fence for fence in fences if fence[0] == "yaml"]
        files = {}
        for text in (text for kind, text in fences if kind == "csv"):
            files[text.split("\n", 1)[0].removeprefix("# ")] = text
        templates = {"default.md.j2": "# {{ event.title }}\n"}
        for text in (text for kind, text in fences if kind == "jinja"):
            found = _TEMPLATE.fullmatch(text)
            assert found is not None
            templates[found[1]] = found[2]
        above = shared
        if re.search(r"^default:", rules, re.MULTILINE):
            above = re.sub(r"^default:.*\n", "", above, flags=re.MULTILINE)
        yield Recipe(part.partition("\n")[0], above + rules, files, templates)


RECIPES = list(recipes())


def config(recipe: Recipe) -> Config:
    return load_text(
        recipe.rules,
        "rules.yaml",
        env={"SLACK_BOT_TOKEN": "xoxb-of-the-tests"},
        strict_env=True,
        outbound=Outbound(),
        templates=list(recipe.templates),
        read_file=lambda name: recipe.files[name].encode(),
    )


def failures(recipe: Recipe, loaded: Config, rules: Ruleset) -> list[str]:
    plan = Plan(
        version=1,
        ruleset=rules,
        destinations=loaded.destinations,
        templates=Templates.from_texts(recipe.templates),
        timezone=loaded.timezone,
        alarms=loaded.alarms,
        default=loaded.default,
        keep=loaded.keep,
    )
    return [fault.message for fault in run_tests(loaded.tests, plan, NOW)]


def test_there_are_twenty_tasks() -> None:
    assert len(RECIPES) >= 20


@each("recipe", RECIPES, ids=lambda recipe: recipe.task[:40])
def test_a_recipe_passes_its_own_tests_without_a_warning(recipe: Recipe) -> None:
    loaded = config(recipe)
    assert loaded.tests
    assert failures(recipe, loaded, loaded.rules) == []
    assert check_rules(loaded, "rules.yaml") == ()
    unused = "nothing is sent to "  # the head names places that other recipes use
    assert [w.message for w in loaded.warnings if not w.message.startswith(unused)] == []


@each("recipe", RECIPES, ids=lambda recipe: recipe.task[:40])
def test_a_recipe_without_one_of_its_rules_fails_its_tests(recipe: Recipe) -> None:
    loaded = config(recipe)
    for number, rule in enumerate(loaded.rules.rules):
        broken = list(loaded.rules.rules)
        broken[number] = replace(rule, when=NEVER)
        rules = Ruleset(tuple(broken), loaded.rules.default)
        assert failures(recipe, loaded, rules), f"{rule.name} is not needed"


def test_the_page_names_every_key_and_word() -> None:
    for word in (*FILE_KEYS, *KEYS, *OVERRIDES, *(topic.value for topic in Topic)):
        if word != "data":
            assert f"`{word}" in LANGUAGE, word


def test_the_accounts_of_mail_without_passwords_are_right() -> None:
    """Google's lines stand in the place of Microsoft's."""
    page = (ROOT / "docs" / "operation.md").read_text(encoding="utf-8")
    part = page.partition("## Mail without passwords")[2].partition("\n## ")[0]
    (_, microsoft), (_, google) = _FENCE.findall(part)
    other = re.sub(r"^    (host|oauth): .*\n", "", microsoft, flags=re.MULTILINE) + google
    for account, host in ((microsoft, "smtp.office365.com"), (other, "smtp.gmail.com")):
        names = re.findall(r"\$\{(\w+)\}", account)
        loaded = load_text(
            f"version: 1\n{account}destinations: {{a: {{email: {{to: a@example.com}}}}}}\n"
            'rules: [{name: all, when: {event: "*"}, send_to: a}]\n',
            "rules.yaml",
            env=dict.fromkeys(names, "value"),
            strict_env=True,
            outbound=Outbound(),
        )
        destination = loaded.destinations["a"]
        assert isinstance(destination, EmailDestination)
        assert destination.host == host
        assert destination.oauth is not None
        assert not [fault for fault in loaded.warnings if "password" in fault.message]
