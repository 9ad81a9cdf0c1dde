"""The list that people import: a table with a header row, one number a line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from relay import phones
from relay.config.spreadsheets import Cell, UnreadableError, decode, rows
from relay.directory import LONGEST, Contact
from relay.errors import Fault
from relay.text import shown

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
