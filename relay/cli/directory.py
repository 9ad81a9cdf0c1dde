"""`relay directory`: who is who, and filling it from a list or from 360dialog."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from relay.cli.contacts import Contacts
from relay.cli.control import ask_relay, locked
from relay.cli.looking import looking, zone_of
from relay.cli.output import cell, clean, console, fitted, print_json, print_json_lines, when
from relay.directory import IMPORTED, SYNCED, Contact, Entry, Fact
from relay.errors import UsageError
from relay.journal import Journal
from relay.partner_api import Access, connect
from relay.phones import display
from relay.settings import Settings
from relay.web.asked import MOST, ROWS

AT_ONCE = 1_000
"""Contacts that are taught in one step: a running relay records webhooks between two."""
LARGEST_LIST = 256 * 1024 * 1024
CHANGES_PATIENCE = 60.0


async def run(options: Namespace, settings: Settings) -> int:
    """List or search the directory, or fill it."""
    match options.what:
        case []:
            return await _list(None, options, settings)
        case ["import"]:
            raise UsageError("say which list: `relay directory import FILE.csv`")
        case ["import", file]:
            return await _import(file, options, settings)
        case ["sync"]:
            return await _sync(options, settings)
        case words:
            return await _list(" ".join(words), options, settings)


async def _list(search: str | None, options: Namespace, settings: Settings) -> int:
    limit = options.limit or (MOST if options.json else ROWS)
    async with looking(settings) as records:
        found = await records.directory(search, limit)
        zone = await zone_of(records, settings)
    if options.json:
        print_json_lines(entry.to_json() for entry in found)
    else:
        _show(found, search, limit, zone)
    return 0 if found or search is None else 1


def _show(found: Sequence[Entry], search: str | None, limit: int, zone: ZoneInfo) -> None:
    out = console()
    said = f"last word ({zone})"
    columns = ("number", "name", "WABA", "client", "360dialog's id", said, "by")
    rows = []
    for entry in found:
        client = " ".join(
            part
            for part in (
                _text(entry.client_name),
                f"({_text(entry.client_id)})" if entry.client_id else "",
            )
            if part
        )
        last = entry.last
        cells = (
            display(entry.phone),
            _text(entry.name) if entry.gone is None else "cancelled",
            _text(entry.waba),
            client,
            _text(entry.channel),
            when(last.at, zone) if last else "",
            cell(last.evidence.kind) if last else "",
        )
        rows.append(cells)
    if found:
        out.print(fitted(columns, rows, out.width))
    count = f"{len(found)} {'number' if len(found) == 1 else 'numbers'}" if found else "no number"
    more = "; there may be more: --limit N, or a search" if len(found) == limit else ""
    about = f' for "{clean(search)}"' if search else ""
    out.print(f"{count}{about}{more}", style="dim", markup=False)


def _text(found: Fact | None) -> str:
    return cell(found.value) if found else ""


async def _import(file: str, options: Namespace, settings: Settings) -> int:
    """Teach a whole list; nothing of it where any line is wrong."""
    found = Contacts("standard input" if file == "-" else file)
    found.read(_content(file))
    if found.faults:
        for fault in found.faults:
            print(fault, file=sys.stderr)
        print(f"relay: nothing was imported: {len(found.faults)} faults", file=sys.stderr)
        return 2
    return await _teach(found.contacts, IMPORTED, options, settings)


def _content(file: str) -> bytes:
    try:
        if file == "-":
            content = sys.stdin.buffer.read(LARGEST_LIST + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(LARGEST_LIST + 1)
    except OSError as error:
        raise UsageError(f"cannot read {file}: {error.strerror}") from None
    if len(content) > LARGEST_LIST:
        raise UsageError(f"{file} is larger than {LARGEST_LIST // 2**20} MB: import it in parts")
    return content


async def _sync(options: Namespace, settings: Settings) -> int:
    """Read all channels from 360dialog, then teach them."""
    access = Access.of(settings.env, allow_private=settings.allow_private)
    async with connect(access) as api:
        contacts = await api.contacts()
    return await _teach(contacts, SYNCED, options, settings)


async def _teach(
    contacts: Sequence[Contact], kind: str, options: Namespace, settings: Settings
) -> int:
    """Through the running relay, else under its lock; in steps, each of which may be repeated."""
    first, rest = contacts[:AT_ONCE], contacts[AT_ONCE:]
    changed = await _through_relay(first, kind, settings)
    if changed is None:
        changed = await _under_lock(contacts, kind, settings)
    else:
        changed += await _in_steps(rest, lambda step: _still_through_relay(step, kind, settings))
    if options.json:
        print_json({"contacts": len(contacts), "changed": changed})
    else:
        print(f"{kind}: {len(contacts)} contacts, {changed} facts are new or newer")
    return 0


async def _through_relay(step: Sequence[Contact], kind: str, settings: Settings) -> int | None:
    body = {"kind": kind, "contacts": [asdict(contact) for contact in step]}
    answer = await ask_relay(settings, "/api/directory", body, patience=CHANGES_PATIENCE)
    return None if answer is None else int(answer["changed"])


async def _still_through_relay(step: Sequence[Contact], kind: str, settings: Settings) -> int:
    changed = await _through_relay(step, kind, settings)
    if changed is None:
        raise UsageError("the relay was stopped meanwhile: run the command again, it does no harm")
    return changed


async def _under_lock(contacts: Sequence[Contact], kind: str, settings: Settings) -> int:
    async def teach(journal: Journal, now: datetime, who: str) -> dict[str, Any]:
        return {
            "changed": await _in_steps(
                contacts, lambda step: journal.learn(step, kind, now=now, who=who)
            )
        }

    return int((await locked(settings, teach))["changed"])


async def _in_steps(
    contacts: Sequence[Contact], teach: Callable[[Sequence[Contact]], Awaitable[int]]
) -> int:
    changed = 0
    for start in range(0, len(contacts), AT_ONCE):
        changed += await teach(contacts[start : start + AT_ONCE])
    return changed
