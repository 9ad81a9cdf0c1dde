"""Loading: a file becomes a `Config`, or a `ConfigError` with every fault that it has."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo, available_timezones

from relay.channels import Destination, Mention, Outbound
from relay.channels.settings import checked_url
from relay.config.conditions import EVERYTHING, Conditions
from relay.config.destinations import read_accounts, read_destinations, read_language
from relay.config.form import Form, Placeholders
from relay.config.lists import ClientLists, ListFiles, PhoneLists, ReadFile, beside
from relay.config.nodes import Entry, Fields, Findings, Items, Node, Place, Scalar, quoted, unknown
from relay.config.rule_list import Names, RuleTest, read_rules, read_send_to, read_tests
from relay.config.yaml_reader import LARGEST, decode, read, without
from relay.errors import ConfigError, Fault
from relay.files import read_regular
from relay.messages.languages import DEFAULT
from relay.rules import Rule, Ruleset
from relay.sources.watch import Watching
from relay.times import span

WATCH_KEYS: Final = ("quality", "no_events", "heartbeat")
CREDENTIALS: Final = ("RELAY_360DIALOG_PARTNER_ID", "RELAY_360DIALOG_API_KEY")
NEVER: Final = "none"
SHORTEST: Final = timedelta(seconds=1)
LONGEST: Final = timedelta(days=31)


def read_watch(
    form: Form, entry: Entry | None, env: Mapping[str, str], outbound: Outbound
) -> Watching:
    """What the section says; the defaults where it is missing or silent.

    `env` is where the key of 360dialog's Partner API should stand.
    """
    usual = Watching()
    fields = form.fields(entry.value, "watch", WATCH_KEYS) if entry is not None else None
    if fields is None:
        return usual
    asked = fields.entry("quality")
    quality = _span(form, asked, usual.quality)
    missing = [name for name in CREDENTIALS if not env.get(name, "").strip()]
    if asked is not None and quality is not None and missing:
        form.warning(
            asked.key,
            f"{asked.name}: 360dialog cannot be asked without {' and '.join(missing)}: both stand "
            "in its Partner Hub; nobody hears of a quality drop until they are set",
        )
    return Watching(
        quality=quality,
        no_events=_span(form, fields.entry("no_events"), usual.no_events),
        heartbeat=_url(form, fields.entry("heartbeat"), outbound),
    )


def _span(form: Form, entry: Entry | None, usual: timedelta | None) -> timedelta | None:
    filled = form.given(entry)
    if entry is None or filled is None:
        return usual
    if filled.text.strip().lower() == NEVER:
        return None
    found = span(filled.text)
    if found is None or not SHORTEST <= found <= LONGEST:
        form.error(
            entry.value,
            f"{entry.name}: {quoted(filled.written)} is no span of time: write 30s, 15m, 24h or "
            f"7d, from 1s to 31d, or {NEVER}",
        )
    return found


def _url(form: Form, entry: Entry | None, outbound: Outbound) -> str | None:
    filled = form.given(entry)
    if entry is None or filled is None:
        return None
    if filled.text.strip().lower() == NEVER:
        return None
    try:
        return checked_url(filled.text.strip(), entry.name, outbound)
    except ValueError as error:
        form.error(entry.value, str(error))
        return None


VERSION = "1"
KEYS = (
    "version",
    "timezone",
    "language",
    "accounts",
    "destinations",
    "phones",
    "clients",
    "rules",
    "default",
    "alarms",
    "watch",
    "tests",
    "privacy",
)
KEEPABLE = ("contact_info",)
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Config:
    """All that one rules file says, checked."""

    rules: Ruleset
    destinations: Mapping[str, Destination]
    """By name, in the file's order."""
    default: tuple[str, ...]
    """Who hears of events that no rule matched."""
    alarms: tuple[str, ...]
    """Who hears of the relay's own troubles; empty: nobody was named."""
    timezone: ZoneInfo
    keep: frozenset[str]
    """Private content that is kept on purpose: `contact_info` or nothing."""
    watching: Watching
    mentions: Mapping[str, Mention]
    """By rule: whom its messages call."""
    warnings: tuple[Fault, ...]
    text: str
    """The file as written, placeholders and all."""
    kept: str
    """The same without the secrets that stand in it: what may be stored."""
    withheld: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What is left out there, by the placeholders that take its place."""
    tests: tuple[RuleTest, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    """What the files that it names held, by the names that it gives them."""
    used: Mapping[str, str] = field(default_factory=dict, repr=False)
    """What it took from the environment, by name."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Where its keys of the first level stand."""


def load(
    path: Path,
    *,
    env: Mapping[str, str],
    strict_env: bool,
    outbound: Outbound,
    templates: Collection[str] | None = None,
) -> Config:
    """The configuration of a file; raises `ConfigError` with all its faults.

    `env` is where `${NAME}` is looked up. With `strict_env` a missing name is an error, without
    it a warning, and a stand-in takes its place. `templates` are the names that rules may use;
    None: they are not checked.
    """
    findings = Findings(str(path))
    text = None
    try:
        text = decode(read_regular(path, LARGEST), findings)
    except FileNotFoundError:
        findings.error(
            None,
            "does not exist: `relay init` writes one to begin with; --rules or RELAY_RULES name "
            "another",
        )
    except OSError as error:
        findings.error(None, f"cannot be read: {error.strerror or 'unknown reason'}")
    if text is None:
        raise ConfigError(findings.all)
    return load_text(
        text,
        str(path),
        env=env,
        strict_env=strict_env,
        outbound=outbound,
        templates=templates,
    )


def load_text(
    text: str,
    file_name: str,
    *,
    env: Mapping[str, str],
    strict_env: bool,
    outbound: Outbound,
    templates: Collection[str] | None = None,
    read_file: ReadFile | None = None,
) -> Config:
    """The same for the text of a file, such as a version from the journal.

    `read_file` reads the lists and events that the text names; None: they stand beside the file.
    """
    file, findings = Path(file_name), Findings(file_name)
    files = ListFiles(read_file or beside(file), str(file.parent))
    root = read(text, findings)
    if isinstance(root, Scalar) and root.plain and not root.text:
        root = None
    if root is None and not findings.errors:
        findings.error(Place(1, 1), f"is empty: rules cannot be empty; {EVERYTHING}")
    form = Form(findings, Placeholders(env, strict=strict_env, findings=findings))
    if root is not None:
        config = _read(root, text, form, env, outbound, templates, files)
        if config is not None and not findings.errors:
            return config
    raise ConfigError(findings.all)


def _read(
    root: Node,
    text: str,
    form: Form,
    env: Mapping[str, str],
    outbound: Outbound,
    templates: Collection[str] | None,
    files: ListFiles,
) -> Config | None:
    if isinstance(root, Scalar | Items):
        form.error(root, f"a rules file is a map: begin with `version: {VERSION}`")
        return None
    fields = form.fields(root, "the file", KEYS)
    if fields is None:
        return None
    at = {entry.name: entry.value for entry in fields}
    _check_version(form, fields)
    zone = _timezone(form, fields.entry("timezone"))
    language = read_language(form, fields.entry("language")) or DEFAULT
    keep = _keep(form, fields.entry("privacy"))
    watching = read_watch(form, fields.entry("watch"), env, outbound)
    found: dict[str, Destination | None] = {}
    accounts = read_accounts(form, at.get("accounts"))
    if "destinations" in at:
        found = read_destinations(form, at["destinations"], accounts, outbound, language)
    else:
        form.error(fields, "destinations is missing: name at least one place to send to")
    names = Names(form, found)
    phones = PhoneLists(form, at.get("phones"), files)
    clients = ClientLists(form, at.get("clients"), files)
    listed: tuple[Rule, ...] = ()
    mentions: Mapping[str, Mention] = {}
    if "rules" in at:
        conditions = Conditions(form, phones, clients)
        listed, mentions = read_rules(form, at["rules"], conditions, names, templates, files)
    else:
        form.error(fields, f"rules is missing: rules cannot be empty; {EVERYTHING}")
    default = read_send_to(form, fields.entry("default"), names)
    alarms = read_send_to(form, fields.entry("alarms"), names)
    known = tuple(rule.name for rule in listed)
    tests = read_tests(form, at["tests"], names, known, files) if "tests" in at else ()
    destinations = {name: place for name, place in found.items() if place is not None}
    form.placeholders.tell_missing()
    _warn(form, fields, alarms, destinations)
    if not form.findings.errors:
        # Where rules have faults, what they would use is not known.
        used = {name for rule in listed for name in rule.may_tell}
        used |= {one.fallback.to for one in destinations.values() if one.fallback is not None}
        _warn_of_unused(form, at["destinations"], used | set(default) | set(alarms))
        phones.warn_of_unused()
        clients.warn_of_unused()
    kept, withheld = without(text, form.placeholders.written)
    return Config(
        rules=Ruleset(listed, default),
        destinations=destinations,
        default=default,
        alarms=alarms,
        timezone=zone,
        keep=keep,
        watching=watching,
        mentions=mentions,
        warnings=form.findings.warnings,
        text=text,
        kept=kept,
        withheld=withheld,
        tests=tests,
        files=dict(files.texts),
        used=dict(form.placeholders.used),
        places={entry.name: Place(entry.key.line, entry.key.column) for entry in fields},
    )


def _check_version(form: Form, fields: Fields) -> None:
    entry = fields.entry("version")
    if entry is None:
        form.error(fields, f"version is missing: begin with `version: {VERSION}`")
        return
    filled = form.given(entry)
    if filled is not None and filled.text != VERSION:
        form.error(entry.value, f"this relay reads version {VERSION} of the rules file only")


def _timezone(form: Form, entry: Entry | None) -> ZoneInfo:
    filled = form.given(entry)
    if entry is None or filled is None:
        return _UTC
    try:
        return ZoneInfo(filled.text)
    except (ValueError, OSError, KeyError):
        form.error(entry.value, unknown("time zone", filled.written, available_timezones()))
    return _UTC


def _keep(form: Form, entry: Entry | None) -> frozenset[str]:
    fields = form.fields(entry.value, "privacy", ("keep",)) if entry is not None else None
    keep = fields.entry("keep") if fields is not None else None
    nodes = form.items(keep.value, "keep") if keep is not None else ()
    kept = [(node, form.filled(node, "keep")) for node in nodes]
    for node, filled in kept:
        if filled is not None and not filled.missing and filled.text not in KEEPABLE:
            form.error(
                node, f"{quoted(filled.written)} cannot be kept: only {', '.join(KEEPABLE)} can"
            )
    return frozenset(filled.text for _, filled in kept if filled is not None) & set(KEEPABLE)


def _warn(
    form: Form,
    fields: Fields,
    alarms: tuple[str, ...],
    destinations: Mapping[str, Destination],
) -> None:
    """What a file leaves open, probably by accident."""
    rules = fields.entry("rules")
    where = rules.key if rules is not None else fields
    example = next(iter(destinations), "NAME")
    if fields.entry("default") is None:
        form.warning(
            where,
            "default is missing: events that no rule matches reach nobody; write "
            f"`default: {{send_to: {example}}}` beside rules",
        )
    entry = fields.entry("alarms")
    if entry is None:
        form.warning(
            where,
            "alarms is missing: name who hears of the relay's own troubles; write "
            f"`alarms: {{send_to: {example}}}` beside rules",
        )
        return
    ways = {destinations[name].channel for name in alarms if name in destinations}
    if len(ways) == 1 and all(name in destinations for name in alarms):
        form.warning(
            entry.key,
            f"all alarms go by {ways.pop()}: when it is out of order, nobody hears of it",
        )
    elif not alarms and not form.findings.errors:
        form.warning(entry.key, "alarms go to nobody: the relay's own troubles stay unheard")


def _warn_of_unused(form: Form, places: Node, used: set[str]) -> None:
    for entry in places if isinstance(places, Fields) else ():
        if entry.name not in used:
            form.warning(
                entry.key,
                f"nothing is sent to {quoted(entry.name)}: name it in the send_to of a rule, of "
                "default or of alarms, or delete it",
            )
