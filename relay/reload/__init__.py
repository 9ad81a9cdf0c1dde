"""Load rules and templates whole, and make them the plan that is live."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from relay.channels import Outbound
from relay.config import Config, load_text
from relay.errors import ConfigError, Fault
from relay.journal import RulesVersion, Store
from relay.messages.templates import Templates
from relay.pipeline import Plan
from relay.settings import Settings

RULES = "rules.yaml"
"""The name under which a version keeps the rules, whatever the file is called."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """A plan with where it came from."""

    plan: Plan
    warnings: tuple[Fault, ...] = ()
    error: str | None = None
    """Why the files were refused, when the plan is an older version."""


def read(settings: Settings, *, strict_env: bool, version: int = 0) -> Loaded:
    """The plan that the files say. Raises `ConfigError` with every fault of all of them."""
    plan, warnings, _ = _from_files(settings, strict_env=strict_env)
    return Loaded(_versioned(plan, version), warnings)


async def start(settings: Settings, store: Store, *, strict_env: bool, now: datetime) -> Loaded:
    """The files' plan, recorded as a version; the last good version where the files are bad.

    Raises `ConfigError` where the files are bad and there is no version.
    """
    try:
        plan, warnings, files = _from_files(settings, strict_env=strict_env)
    except ConfigError as error:
        last = await store.records.rules()
        if last is None:
            raise
        return Loaded(_from_version(last, settings, strict_env), error=_first(error))
    version = await store.journal.adopt_rules(files, now=now)
    return Loaded(_versioned(plan, version), warnings)


def _from_files(
    settings: Settings, *, strict_env: bool
) -> tuple[Plan, tuple[Fault, ...], Mapping[str, str]]:
    faults: list[Fault] = []
    templates = Templates.from_texts({})
    try:
        templates = Templates.load(settings.templates)
    except ConfigError as error:
        faults += error.faults
    text = ""
    try:
        text = _text(settings.rules)
        config = load_text(
            text,
            str(settings.rules),
            env=settings.env,
            strict_env=strict_env,
            outbound=outbound(settings),
            templates=None if faults else templates.names,
        )
    except ConfigError as error:
        faults += error.faults
    if faults:
        raise ConfigError(faults)
    files = {RULES: text, **templates.texts}
    warnings = (*config.warnings, *templates.warnings)
    return _plan(config, templates), warnings, files


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        message = "it is not UTF-8 text: save it as UTF-8"
    except OSError as error:
        message = f"cannot read it: {error.strerror}; --rules or RELAY_RULES says where it is"
    raise ConfigError([Fault(str(path), 1, 1, "error", message)])


def _from_version(last: RulesVersion, settings: Settings, strict_env: bool) -> Plan:
    files = dict(last.files)
    text = files.pop(RULES)
    templates = Templates.from_texts(files)
    config = load_text(
        text,
        f"{settings.rules} (version {last.version})",
        env=settings.env,
        strict_env=strict_env,
        outbound=outbound(settings),
        templates=templates.names,
    )
    return _versioned(_plan(config, templates), last.version)


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
    )


def _versioned(plan: Plan, version: int) -> Plan:
    return replace(plan, version=version)


def _first(error: ConfigError) -> str:
    more = len(error.faults) - 1
    return f"{error.faults[0]}" + (f" (and {more} more)" if more else "")


def outbound(settings: Settings) -> Outbound:
    """What destinations may be reached."""
    return Outbound(allow_private=settings.allow_private)
