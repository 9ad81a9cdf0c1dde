"""`relay rules`: the versions that were live, one of them, and back to it."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from difflib import unified_diff
from zoneinfo import ZoneInfo

from relay.cli.control import agreed, ask_relay, opened
from relay.cli.looking import looking, zone_of
from relay.cli.output import cell, clean, listing, print_json, print_json_lines, say, when
from relay.config.yaml_reader import NOT_KEPT
from relay.control import user
from relay.errors import UsageError
from relay.events import iso
from relay.journal import Records, RulesVersion
from relay.journal.doors import shown
from relay.reload.reloader import on_disk, revert
from relay.reload.withheld import BESIDE, RULES, changes
from relay.settings import Settings
from relay.web.shapes import reverted_json

SHOWN = 20
PATIENCE = 120.0
"""Seconds; a version is checked before it is live again."""
_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


async def run(options: Namespace, settings: Settings) -> int:
    """List versions with who changed what, print one, or go back to one."""
    async with looking(settings) as records:
        newest = await records.rules()
        if newest is None:
            raise UsageError(f"no rules were ever live in {shown(settings.journal)}")
        if options.action == "revert":
            wanted = await _wanted(options, records, newest)
        else:
            if options.action == "show":
                return await _show(options, records, newest)
            return await _log(options, records, newest, await zone_of(records, settings))
    return await _revert(options, settings, newest, wanted)


async def _wanted(options: Namespace, records: Records, newest: RulesVersion) -> RulesVersion:
    if options.action == "revert" and options.version is None:
        raise UsageError("say which version: `relay rules log` lists them")
    version = newest if options.version is None else await records.rules(options.version)
    if version is None:
        raise UsageError(
            f"there is no version {options.version}: `relay rules log` lists them, "
            f"the newest is {newest.version}"
        )
    return version


async def _show(options: Namespace, records: Records, newest: RulesVersion) -> int:
    version = await _wanted(options, records, newest)
    if options.json:
        print_json(
            {
                "version": version.version,
                "loaded_at": iso(version.loaded_at),
                "who": version.who or None,
                "files": dict(version.files),
            }
        )
    else:
        print(version.files[RULES], end="")
    return 0


async def _log(options: Namespace, records: Records, newest: RulesVersion, zone: ZoneInfo) -> int:
    rows: list[tuple[RulesVersion, tuple[str, ...]]] = []
    number = newest.version
    version: RulesVersion | None = newest
    while version is not None and len(rows) < (options.limit or SHOWN):
        number -= 1
        before = await records.rules(number) if number > 0 else None
        rows.append((version, changes(before.files if before else {}, version.files)))
        version = before
    if options.json:
        print_json_lines(
            {
                "version": one.version,
                "loaded_at": iso(one.loaded_at),
                "who": one.who or None,
                "changed": changed,
            }
            for one, changed in rows
        )
        return 0
    listing(
        ("version", f"live since ({zone})", "by", "changed"),
        [
            (
                str(one.version),
                when(one.loaded_at, zone),
                cell(one.who or "a saved file"),
                ", ".join(changed) if one.version > 1 else "the first",
            )
            for one, changed in rows
        ],
    )
    return 0


async def _revert(
    options: Namespace, settings: Settings, newest: RulesVersion, wanted: RulesVersion
) -> int:
    """Show what will be other, ask, and do it; 1 if somebody says no or a file stays as it is."""
    now = on_disk(settings)
    if now is None:
        note = f"the files are refused today; against version {newest.version}, which is live:"
        print(note, file=sys.stderr)
    found = list(_difference(newest.files if now is None else now, wanted.files))
    if now is not None and not found and not changes(newest.files, wanted.files):
        print(f"the files say what version {wanted.version} says, and it is live")
        return 0
    for line in found:
        say(clean(line), _COLOURS.get(line[:1], "default"))
    if not (options.yes or agreed(f"go back to version {wanted.version}?")):
        return 1

    path = f"/api/rules/{wanted.version}/revert"
    done = await ask_relay(settings, path, {}, patience=PATIENCE)
    if done is None:
        at = datetime.now(UTC)
        async with opened(settings, at) as store:
            made = await revert(wanted.version, settings, store, now=at, who=user())
            done = reverted_json(made)
    written = ", ".join(done["written"]) or "nothing"
    print(f"version {done['version']} is live, as version {wanted.version} was; written: {written}")
    if done["placeholders"]:
        print(
            f"{settings.rules} has ${{{NOT_KEPT}_…}} where secrets stood, which no version keeps: "
            "write them there, or set them in the environment",
            file=sys.stderr,
        )
    for one in done["unwritten"]:
        print(
            f"{one}: it still says something else, and is read at the next start", file=sys.stderr
        )
    return int(bool(done["unwritten"]))


def _difference(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """What going back changes, by file, as `diff -u` says it."""
    for name in sorted(before.keys() | after.keys(), key=lambda name: (name != RULES, name)):
        shown = name.removeprefix(BESIDE)
        old, new = before.get(name, ""), after.get(name, "")
        yield from unified_diff(
            old.splitlines(),
            new.splitlines(),
            shown,
            shown if name in after else "deleted",
            n=2,
            lineterm="",
        )
