"""`send_to: {list: owners.csv, column: channel, default: sales}`: routing by owner.

The list has a column of numbers, of clients, or both, under the headings that every list may have,
and the named column with a destination in each row.
"""

from __future__ import annotations

from collections.abc import Callable

from relay.config.destinations import NOBODY
from relay.config.form import Form
from relay.config.lists import (
    CLIENT_HEADINGS,
    PHONE_HEADINGS,
    ListFiles,
    beyond,
    column,
    fault,
    heading,
    phone_pattern,
)
from relay.config.nodes import Fields, Findings, Place, quoted, unknown
from relay.config.spreadsheets import Cell, UnreadableError, rows
from relay.rules import Owners, Row
from relay.rules.conditions import fold

OWNER_KEYS = ("list", "column", "default")


def read_owners(
    form: Form, node: Fields, known: dict[str, None], files: ListFiles, default: tuple[str, ...]
) -> Owners | None:
    """The list; None where it has faults, each reported at its line."""
    form.fields(node, "send_to", OWNER_KEYS)
    asked = {entry.name: entry.value for entry in node}
    for key, remedy in (
        ("list", "name a file beside this one, such as owners.csv"),
        ("column", "name the column that has the destination of each row"),
        ("default", "name who hears of what has no row, or none"),
    ):
        if key not in asked:
            form.error(node, f"this send_to has no `{key}`: {remedy}")
    file = form.text(asked["list"], "list") if "list" in asked else None
    wanted = form.text(asked["column"], "column") if "column" in asked else None
    if file is None or wanted is None:
        return None
    text = files.text(form, asked["list"], file)
    if text is None:
        return None
    findings = Findings(files.place(file))
    table = _Table(file, wanted, known, findings)
    table.read(text)
    form.findings.adopt(findings)
    if findings.errors:
        return None
    return Owners(file, table.phones, table.clients, default)


class _Table:
    """The rows by number and by client."""

    def __init__(self, file: str, wanted: str, known: dict[str, None], findings: Findings) -> None:
        self._file = file
        self._wanted = wanted
        self._known = known
        self._findings = findings
        self.phones: dict[str, Row] = {}
        self.clients: dict[str, Row] = {}

    def read(self, text: str) -> None:
        """All rows, the faults of each at its line."""
        try:
            table = rows(text)
            head = next(table, None)
            if head is None:
                self._findings.error(Place(1, 1), "the list is empty: name at least one")
                return
            names = [heading(cell.text) for cell in head]
            if heading(self._wanted) not in names:
                there = [cell.text for cell in head if cell.text]
                fault(self._findings, head[0], unknown("column", self._wanted, there))
                return
            to = names.index(heading(self._wanted))
            others = [
                Cell(cell.line, cell.column, "") if at == to else cell
                for at, cell in enumerate(head)
            ]
            phone, client = column(others, PHONE_HEADINGS), column(others, CLIENT_HEADINGS)
            if phone is None and client is None:
                fault(
                    self._findings,
                    head[0],
                    "no column has numbers or clients: name one phone, or client id",
                )
                return
            for row in table:
                self._row(row, to, phone, client)
            if not self.phones and not self.clients and not self._findings.errors:
                fault(self._findings, head[0], "no row names a destination")
        except UnreadableError as error:
            fault(self._findings, Cell(error.line, 1, ""), str(error))

    def _row(self, cells: list[Cell], to: int, phone: int | None, client: int | None) -> None:
        named = _cell(cells, to)
        if not named.text:
            return  # nobody yet: the default
        if named.text.casefold() == NOBODY:
            row = Row(named.line, ())
        elif named.text in self._known:
            row = Row(named.line, (named.text,))
        else:
            fault(self._findings, named, unknown("destination", named.text, self._known))
            return
        keys = 0
        for at, into, key in (
            (phone, self.phones, self._phone),
            (client, self.clients, self._client),
        ):
            cell = _cell(cells, at) if at is not None else None
            if cell is not None and cell.text:
                keys += 1
                self._file_under(cell, row, into, key)
        if not keys:
            fault(self._findings, cells[0], "this row names no number and no client")

    def _file_under(
        self,
        cell: Cell,
        row: Row,
        into: dict[str, Row],
        key: Callable[[Cell], tuple[str, ...]],
    ) -> None:
        for one in key(cell):
            before = into.setdefault(one, row)
            if before.to != row.to:
                fault(
                    self._findings,
                    cell,
                    f"{quoted(cell.text)} stands in line {before.line} already, with another "
                    "destination: keep one of them",
                )

    def _phone(self, cell: Cell) -> tuple[str, ...]:
        pattern = phone_pattern(cell, self._findings)
        if pattern is None:
            return ()
        if pattern.exact is None:
            fault(self._findings, cell, _NO_PATTERN.format(quoted(cell.text)))
            return ()
        return tuple(pattern.exact)

    def _client(self, cell: Cell) -> tuple[str, ...]:
        if "*" in cell.text or "?" in cell.text:
            fault(self._findings, cell, _NO_PATTERN.format(quoted(cell.text)))
            return ()
        return (fold(cell.text),)


_NO_PATTERN = "{} is a pattern: a row belongs to one number or client; write a rule for many"


def _cell(cells: list[Cell], at: int) -> Cell:
    return cells[at] if at < len(cells) else beyond(cells)
