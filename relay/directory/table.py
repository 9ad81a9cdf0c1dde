"""The list that people import: CSV with a header row, one number a line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

from relay import phones
from relay.directory.learning import LONGEST, Contact
from relay.errors import Fault
from relay.text import shown

COLUMNS = ("phone", "name", "waba", "client_id", "client_name", "channel_id")
IMPORTED = "imported"
"""The kind of evidence for what people import."""
SYNCED = "synced"
"""The kind of evidence for what 360dialog's Partner API listed."""
MOST_FAULTS = 100


@dataclass(frozen=True, slots=True)
class Table:
    """All contacts of a list; where there is any fault, none of them may be used."""

    contacts: tuple[Contact, ...]
    faults: tuple[Fault, ...]


def read_table(text: str, file: str) -> Table:
    """The contacts of a list, with every fault at its line; `file` is what faults call it.

    Columns may stand in any order and all but one may be missing. Comma, semicolon and tab
    separate them, whichever the header uses.
    """
    return _Reading(file).read(text)


class _Reading:
    """One reading under way: faults are gathered, not raised."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._faults: list[Fault] = []
        self._lines: dict[str, int] = {}

    def read(self, text: str) -> Table:
        text = text.removeprefix("\ufeff")
        header = next((line for line in StringIO(text, newline="") if line.strip()), "")
        separator = max((",", ";", "\t"), key=header.count)
        rows = csv.reader(StringIO(text, newline=""), delimiter=separator, strict=True)
        names: tuple[str, ...] | None = None
        contacts: list[Contact] = []
        for line, row in self._rows(rows):
            if names is None:
                names = self._header(row, line)
                if self._faults:
                    break
            elif contact := self._contact(names, row, line):
                contacts.append(contact)
        if names is None and not self._faults:
            self._fault(1, f"it is empty: the first line names the columns {', '.join(COLUMNS)}")
        faults = self._faults[:MOST_FAULTS]
        if len(self._faults) > MOST_FAULTS:
            more = len(self._faults) - MOST_FAULTS
            faults.append(Fault(self._file, 0, 0, "error", f"and {more} further faults"))
        return Table(tuple(contacts), tuple(faults))

    def _rows(self, rows: Iterator[list[str]]) -> Iterator[tuple[int, list[str]]]:
        """The rows that are not blank, each with the line on which it begins."""
        reader = rows
        while True:
            line = reader.line_num + 1  # type: ignore[attr-defined]
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                self._fault(line, f"it is no CSV from here on: {error}")
                return
            if any(cell.strip() for cell in row):
                yield line, row

    def _header(self, row: Sequence[str], line: int) -> tuple[str, ...]:
        names = tuple(cell.strip().casefold() for cell in row)
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

    def _contact(self, names: Sequence[str], row: Sequence[str], line: int) -> Contact | None:
        if len(row) != len(names):
            self._fault(line, f"it has {len(row)} columns, the header has {len(names)}")
            return None
        cells = {
            name: value for name, cell in zip(names, row, strict=True) if (value := cell.strip())
        }
        too_long = [name for name, value in cells.items() if len(value) > LONGEST]
        if too_long:
            self._fault(line, f"{too_long[0]} has more than {LONGEST} characters")
            return None
        phone = None
        if "phone" in cells:
            phone = phones.normalise(cells["phone"])
            if phone is None:
                self._fault(line, _no_number(cells["phone"]))
                return None
        waba = cells.get("waba")
        contact = Contact(
            phone=phone,
            name=cells.get("name"),
            waba=waba,
            waba_360=waba if waba and waba.endswith("WA") else None,
            client_id=cells.get("client_id"),
            client_name=cells.get("client_name"),
            channel=cells.get("channel_id"),
        )
        if phone is not None and not self._is_first(phone, line):
            return None
        if not _tells(contact):
            self._fault(line, "it tells nothing: give a phone, or a waba with its client_id")
            return None
        return contact

    def _is_first(self, phone: str, line: int) -> bool:
        first = self._lines.setdefault(phones.index_key(phone), line)
        if first != line:
            self._fault(line, f"{phone} stands in line {first} too")
        return first == line

    def _fault(self, line: int, message: str) -> None:
        self._faults.append(Fault(self._file, line, 1, "error", message))


def _tells(said: Contact) -> bool:
    """Whether any fact follows from it: two things that belong together."""
    account, client = said.waba, said.client_id or said.client_name
    of_number = said.name or account or client or said.channel
    if said.phone and of_number:
        return True
    return bool((account and client) or (said.client_id and said.client_name))


def _no_number(cell: str) -> str:
    """What is wrong with a cell that holds no number."""
    quoted = shown(cell, 40)
    if "E+" in cell.upper():
        return f'"{quoted}" was cut short by a spreadsheet: format the column as text'
    return f'"{quoted}" is no phone number with its country code, such as +49 171 3920011'
