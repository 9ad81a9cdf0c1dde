"""`relay rules log` and `relay rules show N`: the versions that were live."""

from __future__ import annotations

from argparse import Namespace

from relay.cli.looking import looking
from relay.cli.output import listing, print_json, print_json_lines, when
from relay.errors import UsageError
from relay.events import iso
from relay.journal import Records, RulesVersion
from relay.reload.withheld import RULES, changes
from relay.settings import Settings

SHOWN = 20


async def run(options: Namespace, settings: Settings) -> int:
    """List versions with what changed in each, or print one."""
    async with looking(settings) as records:
        newest = await records.rules()
        if newest is None:
            raise UsageError(f"no rules were ever live in {settings.journal}")
        act = _show if options.action == "show" else _log
        return await act(options, records, newest)


async def _show(options: Namespace, records: Records, newest: RulesVersion) -> int:
    version = newest if options.version is None else await records.rules(options.version)
    if version is None:
        raise UsageError(
            f"there is no version {options.version}: `relay rules log` lists them, "
            f"the newest is {newest.version}"
        )
    if options.json:
        print_json(
            {
                "version": version.version,
                "loaded_at": iso(version.loaded_at),
                "files": dict(version.files),
            }
        )
    else:
        print(version.files[RULES], end="")
    return 0


async def _log(options: Namespace, records: Records, newest: RulesVersion) -> int:
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
            {"version": one.version, "loaded_at": iso(one.loaded_at), "changed": changed}
            for one, changed in rows
        )
        return 0
    listing(
        ("version", "live since (UTC)", "changed"),
        [
            (
                str(one.version),
                when(one.loaded_at),
                ", ".join(changed) if one.version > 1 else "the first",
            )
            for one, changed in rows
        ],
    )
    return 0
