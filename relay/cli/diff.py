"""`relay diff`: what an edit would change, by the events that came; changes and sends nothing."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from relay import reload
from relay.checks.diff import WORDS, Comparison, Count, Difference, Outcome, Report, Told
from relay.cli.conditions import parse_since
from relay.cli.looking import completed, looking
from relay.cli.output import Progress, cell, clean, console, print_json, progress, table
from relay.config.yaml_reader import NOT_KEPT
from relay.directory import complete
from relay.errors import ConfigError, UsageError
from relay.events import Event
from relay.files import read_regular
from relay.journal import Filter, Records, RulesVersion
from relay.journal.doors import is_there, shown
from relay.pipeline import Plan
from relay.reload.withheld import RULES
from relay.settings import Settings
from relay.sources.reading import read

LONGEST_COUNT = 18
"""Digits of a version."""
PAGE = 1000
"""Events that are read from the journal at once."""
MOST_WAYS = 8
"""Ways to change that the first line tells; the others are one sum."""
LARGEST_FILE = 64 * 1024 * 1024
ARRIVED = datetime(2026, 1, 1, 12, tzinfo=UTC)
"""When payload files came: they do not say so, and the same files are to give the same bytes."""


@dataclass(frozen=True, slots=True)
class _Version:
    """One of the two that are compared."""

    plan: Plan
    said: str
    """`version 7 (live)`, `rules.yaml`."""
    shape: Mapping[str, object]
    """The same for JSON."""
    lacks_secrets: bool = False


@dataclass(slots=True)
class _Payloads:
    """What a folder of webhooks holds."""

    events: list[Event] = field(default_factory=list)
    files: dict[str, str] = field(default_factory=dict)
    """By the id of an event: where it stands."""
    unreadable: list[tuple[str, str]] = field(default_factory=list)
    """Files and what is wrong with them."""


async def run(options: Namespace, settings: Settings) -> int:
    """Compare two versions of the rules by recorded events or by files; 1 if anything differs."""
    with progress("reading rules and templates") as line:
        if options.payloads is None:
            async with looking(settings) as records:
                return await _by_journal(options, settings, records, line)
        return await _by_files(options, settings, line)


async def _by_journal(
    options: Namespace, settings: Settings, records: Records, line: Progress
) -> int:
    since = parse_since(options.since, datetime.now(UTC))
    before, after = await _versions(options, settings, records)
    comparison = _comparison(before, after, options)
    line.what = "comparing events"
    places = await records.places(Filter(since=since))
    for begin in range(0, len(places), PAGE):
        page = await records.past(places[begin : begin + PAGE])
        bare = [one.event for one in page if not one.is_complete]
        known = await records.known_for(bare) if bare else None
        for one in page:
            event = one.event if one.is_complete or not known else complete(one.event, known).event
            comparison.take([(event, one.is_complete)])
        line.tell(min(1.0, (begin + PAGE) / len(places)))
    return _answer(options, comparison.report(), before, after, None)


async def _by_files(options: Namespace, settings: Settings, line: Progress) -> int:
    exists = is_there(settings.journal)
    if exists or options.against is not None:
        async with looking(settings) as records:
            before, after = await _versions(options, settings, records)
    elif options.new is None:
        raise UsageError(
            f"there is no journal at {shown(settings.journal)}, so nothing is live: name the new "
            f"rules, which are then compared with {settings.rules}"
        )
    else:
        before = _of_files(settings)
        after = _of_files(_named(options.new, settings))
    payloads = _payloads(Path(options.payloads), after.plan)
    line.what = "comparing events"
    whole, _ = await completed(payloads.events, settings)
    comparison = _comparison(before, after, options)
    comparison.take((one.event, False) for one in whole)
    return _answer(options, comparison.report(), before, after, payloads)


def _comparison(before: _Version, after: _Version, options: Namespace) -> Comparison:
    by_name = before.lacks_secrets or after.lacks_secrets
    return Comparison(before.plan, after.plan, messages=options.messages, by_name=by_name)


async def _versions(
    options: Namespace, settings: Settings, records: Records
) -> tuple[_Version, _Version]:
    """What is live, or was, and what is to be compared with it."""
    live = await records.rules()
    if live is None:
        raise UsageError(f"no rules were ever live in {shown(settings.journal)}")
    wanted = live.version if options.against is None else options.against
    before = await _of_version(wanted, live, settings, records)
    if (number := _number(options.new)) is not None:
        return before, await _of_version(number, live, settings, records)
    named = settings if options.new is None else _named(options.new, settings)
    try:
        return before, _of_files(named, live)
    except ConfigError as error:
        print(
            f"relay: {named.rules} would be refused; version {live.version} is live",
            file=sys.stderr,
        )
        raise error from None


def _number(new: str | None) -> int | None:
    """The version that is named in the place of files; None where these are meant."""
    is_one = new is not None and new.isascii() and new.isdecimal() and not Path(new).exists()
    return int(new[:LONGEST_COUNT]) if new is not None and is_one else None


async def _of_version(
    number: int, live: RulesVersion, settings: Settings, records: Records
) -> _Version:
    version = live if number == live.version else await records.rules(number)
    if version is None:
        raise UsageError(
            f"there is no version {number}: `relay rules log` lists them, "
            f"the newest is {live.version}"
        )
    loaded = reload.from_version(version, settings)
    said = f"version {number}" + (" (live)" if version is live else "")
    lacks = any(NOT_KEPT in warning.message for warning in loaded.warnings)
    return _Version(loaded.plan, said, {"version": number, "rules": None}, lacks)


def _of_files(settings: Settings, live: RulesVersion | None = None) -> _Version:
    """What the files say; those of the live version need no further check."""
    loaded = reload.read(settings, live)
    rules = str(settings.rules)
    return _Version(loaded.plan, clean(rules), {"version": None, "rules": rules})


def _named(new: str, settings: Settings) -> Settings:
    """The settings with other rules: a file, or a folder that may have templates of its own."""
    path = Path(new)
    if not path.is_dir():
        return replace(settings, rules=path)
    templates = path / settings.templates.name
    return replace(
        settings,
        rules=path / RULES,
        templates=templates if templates.is_dir() else settings.templates,
    )


def _payloads(folder: Path, plan: Plan) -> _Payloads:
    """The events of all webhooks in a folder, in the order of the files' names."""
    if not folder.is_dir():
        raise UsageError(f"--payloads: there is no folder {folder}")
    found = _Payloads()
    for path in sorted(folder.rglob("*.json")):
        name = path.relative_to(folder).as_posix()
        try:
            body = read_regular(path, LARGEST_FILE)
        except OSError as error:
            raise UsageError(f"cannot read {path}: {error.strerror}") from None
        reading = read(body, received_at=ARRIVED, keep=plan.keep)
        for arrival in reading.arrivals:
            found.events.append(arrival.event)
            found.files.setdefault(arrival.event.id, name)
        found.unreadable += [(name, item.reason) for item in reading.unreadable]
    return found


def _answer(
    options: Namespace,
    report: Report,
    before: _Version,
    after: _Version,
    payloads: _Payloads | None,
) -> int:
    files = payloads.files if payloads else {}
    unreadable = payloads.unreadable if payloads else []
    if options.json:
        shape = {
            "before": before.shape,
            "after": after.shape,
            "since": None if payloads else options.since,
            "payloads": options.payloads,
            **_report_json(report, files),
            "unreadable": [{"file": name, "reason": reason} for name, reason in unreadable],
        }
        print_json(shape)
        return int(report.different > 0)
    print(_summary(report))
    print(f"{before.said} compared with {after.said}, by {_by_what(options)}")
    if report.completed and payloads is None:
        print(f"{_events(report.completed)} not routed yet: who is who is what is known today")
    for name, reason in unreadable:
        print(f"{clean(name)} would go to quarantine: {clean(reason)}")
    for one in report.differences:
        print()
        _show(one, files)
    return int(report.different > 0)


def _by_what(options: Namespace) -> str:
    if options.payloads is not None:
        return f"the webhooks in {clean(options.payloads)}"
    since = options.since
    return f"what came {'since' if '-' in since else 'in the last'} {clean(since)}"


def _events(count: int) -> str:
    return f"{count} event{'' if count == 1 else 's'}"


def _summary(report: Report) -> str:
    """`312 events: 304 same, 6 would also go to sales, 2 would reach nobody`."""
    if not report.events:
        return "0 events: there is nothing to compare"
    counts = report.counts
    ways = [f"{report.events - report.different} same"]
    ways += [f"{one.count} {_way(one)}" for one in counts[:MOST_WAYS]]
    if rest := sum(one.count for one in counts[MOST_WAYS:]):
        ways.append(f"{rest} would change otherwise")
    return f"{_events(report.events)}: {', '.join(ways)}"


def _way(one: Count | Difference) -> str:
    return WORDS[one.change].format(gone=_and(one.gone), new=_and(one.new))


def _and(names: Sequence[str]) -> str:
    return " and ".join(map(clean, names))


def _show(one: Difference, files: Mapping[str, str]) -> None:
    event = one.example
    kind = event.kind + (f"/{event.detail}" if event.detail else "")
    such = "such as " if one.count > 1 else ""
    name = files.get(event.id)
    where = clean(name) if name else event.short_id
    print(f"{one.count} × {clean(kind)} {_way(one)}, {such}{where}")
    if one.before != one.after:
        print(f"  before: {_decision(one.before, one.after)}")
        print(f"  after:  {_decision(one.after, one.before)}")
    if one.reads:
        _show_reads(one)


def _decision(outcome: Outcome, other: Outcome) -> str:
    """Who is told by which rule, from which template where that is another one."""
    if not outcome.told:
        rule = outcome.muted_by
        return (
            f'nobody, muted by the rule "{clean(rule)}"' if rule else "nobody, as no rule matches"
        )
    others = {one.template for one in other.told}
    return "; ".join(
        _one(one, with_template=bool(others) and one.template not in others) for one in outcome.told
    )


def _one(told: Told, *, with_template: bool) -> str:
    rule = f'the rule "{clean(told.rule)}"' if told.rule else "the default"
    template = f" ({clean(told.template) or 'the built-in message'})" if with_template else ""
    return f"{clean(told.destination)} by {rule}{template}"


def _show_reads(one: Difference) -> None:
    """Both texts beside each other."""
    from rich.text import Text

    for read_ in one.reads:
        texts = table(f"{cell(read_.destination)} reads before", "after")
        texts.add_row(Text(_lines(read_.before)), Text(_lines(read_.after)))
        console().print(texts)


def _lines(text: str) -> str:
    return "\n".join(map(clean, text.split("\n")))


def _report_json(report: Report, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "events": report.events,
        "same": report.events - report.different,
        "different": report.different,
        "completed_today": report.completed,
        "counts": [
            {"change": one.change, "gone": one.gone, "new": one.new, "events": one.count}
            for one in report.counts
        ],
        "differences": [_difference_json(one, files) for one in report.differences],
    }


def _difference_json(one: Difference, files: Mapping[str, str]) -> dict[str, Any]:
    return {
        "change": one.change,
        "events": one.count,
        "kind": one.example.kind,
        "detail": one.example.detail,
        "example": one.example.id,
        "file": files.get(one.example.id),
        "gone": one.gone,
        "new": one.new,
        "before": _outcome_json(one.before),
        "after": _outcome_json(one.after),
        "messages": [
            {"destination": read_.destination, "before": read_.before, "after": read_.after}
            for read_ in one.reads
        ],
    }


def _outcome_json(outcome: Outcome) -> dict[str, Any]:
    return {
        "muted_by": outcome.muted_by,
        "deliveries": [
            {"destination": one.destination, "rule": one.rule, "template": one.template}
            for one in outcome.told
        ],
    }
