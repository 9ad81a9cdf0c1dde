"""`relay check`."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Sequence

from relay import reload
from relay.checks.rules import check_rules
from relay.checks.templates import check
from relay.cli.output import Progress, clean, print_json, progress, say
from relay.errors import ConfigError, Fault, JournalError
from relay.journal.doors import (
    WAY_BACK,
    examine_journal,
    is_shared,
    is_there,
    journal_path,
)
from relay.settings import Settings


async def run(options: Namespace, settings: Settings) -> int:
    """Print every finding on a line of its own; 1 if there is an error (or warning, if strict)."""
    with progress("reading rules and templates") as line:
        found = await _findings(options, settings, line)
    findings = sorted(found, key=lambda finding: finding.level)  # an error before any warning
    errors = sum(finding.level == "error" for finding in findings)
    warnings = len(findings) - errors
    failed = bool(errors or (options.strict and warnings))
    if options.json:
        print_json(
            {
                "ok": not failed,
                "errors": errors,
                "warnings": warnings,
                "findings": [_json(finding) for finding in findings],
            }
        )
        return int(failed)
    for finding in findings:
        say(str(finding), "red" if finding.level == "error" else "yellow")
    say(_summary(settings, errors, warnings), "bold")
    return int(failed)


async def _findings(options: Namespace, settings: Settings, line: Progress) -> Sequence[Fault]:
    findings: Sequence[Fault]
    try:
        loaded = reload.read(settings)
        line.what = "judging the rules"
        rules = check_rules(loaded.config, str(settings.rules)) if loaded.config else ()
        line.what = "writing every message with every template"
        findings = (
            *sorted({*loaded.warnings, *rules}),
            *check(loaded.plan, str(settings.templates)),
        )
    except ConfigError as error:
        findings = error.faults
    journal = getattr(options, "journal", None)
    if journal is not None and (not journal or is_there(journal)):
        line.what = "reading every page of the journal"
        findings = (*findings, *await _of_journal(settings))
    return findings


async def _of_journal(settings: Settings) -> list[Fault]:
    """What is wrong with the journal's file; each page of it is read."""
    if is_shared(settings.journal):
        return []  # a database looks after its own pages
    path = journal_path(settings.journal)
    try:
        faults = await examine_journal(settings.journal)
    except JournalError as error:
        faults = [str(error)]
    return [Fault(str(path), 1, 1, "error", f"{clean(fault)}: {WAY_BACK}") for fault in faults]


def _json(finding: Fault) -> dict[str, object]:
    return {
        "file": finding.file,
        "line": finding.line,
        "column": finding.column,
        "level": finding.level,
        "message": finding.message,
    }


def _summary(settings: Settings, errors: int, warnings: int) -> str:
    if not errors and not warnings:
        return f"{settings.rules} and {settings.templates}: all is well"
    return f"{settings.rules} and {settings.templates}: {_count(errors, 'error')}, " + _count(
        warnings, "warning"
    )


def _count(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")
