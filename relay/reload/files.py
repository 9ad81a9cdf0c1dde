"""The files of the rules, whole: read together, checked together, kept together as a version.

What passed all checks before is not checked again while everything is the same.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections import ChainMap
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import cast

import jinja2
import markdown_it

import relay
from relay.channels import Outbound
from relay.checks.tests import run_tests
from relay.config import Config, load, load_text
from relay.errors import ConfigError, Fault
from relay.journal import RulesVersion, Store
from relay.messages.templates import Templates
from relay.pipeline import Plan
from relay.reload import withheld
from relay.reload.withheld import BESIDE, RULES
from relay.settings import Settings


@dataclass(frozen=True, slots=True)
class Passed:
    """Files whose checks and tests passed; by default none."""

    files: Mapping[str, str] = field(default_factory=dict)
    """By name. A template with the same text is not checked again."""
    rules: str = ""
    """The digest of the rules whose tests passed with these files."""

    def trusts(self, file: str, text: str) -> bool:
        """Whether this template passed."""
        return self.files.get(file) == text


class Everything(Passed):
    """For commands that show what the files say: the running relay and `relay check` judge them."""

    def trusts(self, file: str, text: str) -> bool:  # noqa: ARG002
        """Yes: what fails when it is used says so there."""
        return True


def passed_before(version: RulesVersion) -> Passed:
    """What a version's adoption proved; nothing if it was by another relay."""
    checked = version.checked
    if checked is None or checked.relay != this_relay():
        return Passed()
    return Passed(version.files, checked.rules)


def digest(config: Config, key: bytes) -> str:
    """What is the same as long as the tests of the rules must have the same outcome.

    Keyed, as the rules and what they took from the environment hold secrets.
    """
    parts = [config.text, dict(config.files), dict(config.used)]
    return hmac.new(key, json.dumps(parts, sort_keys=True).encode(), "sha256").hexdigest()


@lru_cache(maxsize=1)
def this_relay() -> str:
    """A digest of this relay's own sources and samples, and of what reads templates for it."""
    made = hashlib.sha256()
    made.update(f"{sys.version} {jinja2.__version__} {markdown_it.__version__}".encode())
    home = Path(relay.__file__).parent
    for path in sorted([*home.rglob("*.py"), *home.rglob("samples/*.json")]):
        made.update(str(path.relative_to(home)).encode())
        made.update(path.read_bytes())
    return made.hexdigest()


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plan with where it came from."""

    plan: Plan
    warnings: tuple[Fault, ...] = ()
    faults: tuple[Fault, ...] = ()
    """All that is wrong with the files, where they were refused and the plan is an older one."""
    files: Mapping[str, str] | None = None
    """What the plan was made of."""
    config: Config | None = None
    """What the rules file says, where it was read just now."""
    passed: Passed = field(default_factory=Passed)
    """What a reload need not check again."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What was taken out of the version that the plan was made of."""
    changed: tuple[str, ...] = ()
    """The files that differ from what was live before."""
    waits: tuple[str, ...] = ()
    """The files of an edit that passed its checks and waits to be published."""

    @property
    def kept(self) -> Mapping[str, str]:
        """The files as a version keeps them."""
        files = self.files or {}
        return {**files, RULES: self.config.kept} if self.config else files

    def differs(self, live: Loaded) -> tuple[str, ...]:
        """The files in which it is another than what is live; a secret in the rules counts."""
        changed = withheld.changes(live.kept, self.kept)
        other = dict(self.secrets) != dict(live.secrets)
        return (RULES, *changed) if other and RULES not in changed else changed

    @property
    def error(self) -> str | None:
        """Why the files were refused: the first error, and how many more there are."""
        return self._first(str)

    @property
    def refused_at(self) -> str | None:
        """Where the refused files are at fault, not a word of them: whoever asks may know it."""
        return self._first(lambda fault: f"{fault.file}:{fault.line}:{fault.column}")

    def _first(self, told: Callable[[Fault], str]) -> str | None:
        errors = [fault for fault in self.faults if fault.level == "error"]
        if not errors:
            return None
        more = len(errors) - 1
        return told(errors[0]) + (f" (and {more} more)" if more else "")


def from_files(
    settings: Settings,
    *,
    strict_env: bool,
    now: datetime,
    store: Store | None = None,
    passed: Passed | None = None,
) -> Loaded:
    """The plan that the files say, checked and with their own tests passed.

    With a `store` its destinations can be held against those that it remembers. What `passed`
    before is not checked again. Raises `ConfigError` with every fault of all files.
    """
    passed = passed or Passed()
    reach = outbound(settings, store)
    faults: list[Fault] = []
    templates = Templates.from_texts({})
    try:
        templates = Templates.load(settings.templates, passed.trusts, behind=Templates.shipped())
    except ConfigError as error:
        faults += error.faults
    config = None
    try:
        config = load(
            settings.rules,
            env=settings.env,
            strict_env=strict_env,
            outbound=reach,
            templates=None if faults else templates.names,
        )
    except ConfigError as error:
        faults += error.faults
    if faults or config is None:
        raise ConfigError(faults)
    plan = _plan(config, templates)
    warnings = (*config.warnings, *templates.warnings)
    made = digest(config, reach.key)
    if not isinstance(passed, Everything):
        _test(config, plan, passed, made, now)
    named = {f"{BESIDE}{name}": held for name, held in config.files.items()}
    files = {RULES: config.text, **named, **templates.texts}
    return Loaded(
        plan,
        warnings,
        files=files,
        config=config,
        passed=Passed(files, made),
        secrets=config.withheld,
    )


def _test(config: Config, plan: Plan, passed: Passed, made: str, now: datetime) -> None:
    """Run the tests whose outcome may be another than it was. Raises `ConfigError`."""
    texts = plan.templates.texts
    tests = config.tests
    if made == passed.rules:
        same = texts.keys() == passed.files.keys() - _others(config)
        if same and all(passed.trusts(file, text) for file, text in texts.items()):
            return
        # Where an event goes does not depend on templates; what is said of it does.
        tests = tuple(test for test in tests if test.fragments)
    failed = run_tests(tests, plan, now)
    if failed:
        raise ConfigError((*config.warnings, *plan.templates.warnings, *failed))


def _others(config: Config) -> set[str]:
    return {RULES, *(f"{BESIDE}{name}" for name in config.files)}


def from_version(kept: RulesVersion, settings: Settings, store: Store | None = None) -> Loaded:
    """The plan of a version that was live. Raises `ConfigError`, say for a secret that is gone.

    Without a `store` it is for looking on: a stand-in takes the place of such a secret, and no
    template is checked again.
    """
    passed = passed_before(kept) if store else Everything()
    texts = dict(kept.files)
    rules = texts.pop(RULES)
    named = {
        name.removeprefix(BESIDE): texts.pop(name)
        for name in list(texts)
        if name.startswith(BESIDE)
    }

    def read_file(name: str) -> bytes:
        if name not in named:
            raise FileNotFoundError(2, "it is not part of this version")
        return named[name].encode()

    taken_out = dict(withheld.read(withheld.place(settings), rules))
    templates = Templates.from_texts(texts, trusts=passed.trusts, behind=Templates.shipped())
    config = load_text(
        rules,
        f"{settings.rules} (version {kept.version})",
        env=ChainMap(taken_out, cast("dict[str, str]", settings.env)),
        strict_env=store is not None and not settings.sandbox,
        outbound=outbound(settings, store),
        templates=templates.names,
        read_file=read_file,
    )
    plan = replace(_plan(config, templates), version=kept.version)
    return Loaded(plan, config.warnings, files=kept.files, passed=passed, secrets=taken_out)


def _plan(config: Config, templates: Templates) -> Plan:
    return Plan(
        version=0,
        ruleset=config.rules,
        destinations=config.destinations,
        templates=templates,
        timezone=config.timezone,
        alarms=config.alarms,
        default=config.default,
        keep=config.keep,
        watching=config.watching,
        mentions=config.mentions,
    )


def path_of(settings: Settings, name: str) -> Path:
    """Where a file stands that a version keeps under this name."""
    if name == RULES:
        return settings.rules
    if name.startswith(BESIDE):
        return settings.rules.parent / name.removeprefix(BESIDE)
    return settings.templates / name


def outbound(settings: Settings, store: Store | None = None) -> Outbound:
    """What destinations may be reached; their fingerprints are keyed by a journal's own key."""
    reach = Outbound(allow_private=settings.allow_private, proxies=settings.proxies)
    return replace(reach, key=store.key) if store is not None else reach
