"""`relay directory`: who is who, and filling it from a list or from 360dialog."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from relay import phones
from relay.cli.control import ask_relay, locked
from relay.cli.looking import looking, zone_of
from relay.cli.output import cell, clean, console, fitted, print_json, print_json_lines, when
from relay.config.spreadsheets import Cell, UnreadableError, decode, rows
from relay.directory import IMPORTED, LONGEST, SYNCED, Contact, Entry, Fact
from relay.errors import Fault, UsageError
from relay.journal import Journal
from relay.partner_api import Access, connect
from relay.phones import display
from relay.settings import Settings
from relay.text import shown
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


COLUMNS = ("phone", "name", "waba", "client_id", "client_name", "channel_id")
MOST_FAULTS = 100


@dataclass(slots=True)
class Contacts:
    """All contacts of a list; where there is any fault, none of them may be used."""

    file: str
    """What faults call it."""
    contacts: list[Contact] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    _lines: dict[str, int] = field(default_factory=dict)
    """Where each number stands."""

    def read(self, data: bytes) -> None:
        """Take in a list; columns may stand in any order and all but one may be missing."""
        try:
            table = rows(decode(data))
            header = next(table, None)
            if header is None:
                columns = ", ".join(COLUMNS)
                self._fault(1, f"it is empty: the first line names the columns {columns}")
                return
            names = self._header(header)
            if not self.faults:
                for row in table:
                    self._take(names, row)
        except UnreadableError as error:
            self._fault(error.line, str(error))
        if (more := len(self.faults) - MOST_FAULTS) > 0:
            further = Fault(self.file, 1, 1, "error", f"and {more} further faults")
            self.faults[MOST_FAULTS:] = [further]

    def _fault(self, line: int, message: str) -> None:
        self.faults.append(Fault(self.file, line, 1, "error", message))

    def _header(self, row: Sequence[Cell]) -> list[str]:
        line, names = row[0].line, [cell.text.casefold() for cell in row]
        unknown = [name for name in names if name not in COLUMNS]
        if unknown:
            said = ", ".join(f'"{shown(name, 40)}"' for name in unknown)
            known = ", ".join(COLUMNS)
            self._fault(line, f"unknown column {said}: the first line names columns out of {known}")
        for name in COLUMNS:
            if names.count(name) > 1:
                self._fault(line, f'the column "{name}" stands here twice')
        if not unknown and not {"phone", "waba"} & set(names):
            self._fault(line, 'there is no column "phone"')
        return names

    def _take(self, names: Sequence[str], row: Sequence[Cell]) -> None:
        line = row[0].line
        if len(row) != len(names):
            self._fault(line, f"it has {len(row)} columns, the header has {len(names)}")
            return
        said = {name: cell.text for name, cell in zip(names, row, strict=True) if cell.text}
        if too_long := [name for name, value in said.items() if len(value) > LONGEST]:
            self._fault(line, f"{too_long[0]} has more than {LONGEST} characters")
            return
        written, waba = said.get("phone"), said.get("waba")
        phone = None if written is None else phones.normalise(written)
        if written is not None and phone is None:
            self._fault(line, _no_number(written))
            return
        if phone is not None:
            first = self._lines.setdefault(phones.index_key(phone), line)
            if first != line:
                self._fault(line, f"{phone} stands in line {first} too")
                return
        contact = Contact(
            phone=phone,
            name=said.get("name"),
            waba=waba,
            waba_360=waba if waba and waba.endswith("WA") else None,
            client_id=said.get("client_id"),
            client_name=said.get("client_name"),
            channel=said.get("channel_id"),
        )
        if _tells(contact):
            self.contacts.append(contact)
        else:
            self._fault(line, "it tells nothing: give a phone, or a waba with its client_id")


def _tells(said: Contact) -> bool:
    """Whether any fact follows from it: two things that belong together."""
    account, client = said.waba, said.client_id or said.client_name
    if said.phone:
        return bool(said.name or account or client or said.channel)
    return bool((account and client) or (said.client_id and said.client_name))


def _no_number(cell: str) -> str:
    """What is wrong with a cell that holds no number."""
    quoted = shown(cell, 40)
    if "E+" in cell.upper():
        return f'"{quoted}" was cut short by a spreadsheet: format the column as text'
    return f'"{quoted}" is no phone number with its country code, such as +49 171 3920011'
