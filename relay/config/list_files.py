"""Lists that stand in files of their own: numbers or clients, one to a line or as a column of CSV.

A file has one value to a line, or columns with a header that names one of them. What follows `#`
at the beginning of a line is a comment. Hundreds of thousands of lines are meant to be no burden.
"""

from __future__ import annotations

import csv
import errno
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from relay.config.findings import Findings, nearest, quoted
from relay.config.nodes import Place
from relay.files import read_regular
from relay.phones import PhonePattern, index_key
from relay.rules import Members
from relay.rules.conditions import Matcher, fold, text_matcher

LARGEST_LIST = 64 * 1024 * 1024
"""Bytes."""
OUTSIDE = "it is outside the folder of the rules file: put it beside the rules, or below them"
MOST_FAULTS = 20
"""Faults that are told of one file; a wrong column would yield one for each line."""
PHONE_COLUMNS = ("phone", "number", "phone_number", "phone number")
CLIENT_COLUMNS = ("client", "client_id", "id", "name")
_PLAIN_NUMBER = re.compile(r"\+?[1-9][0-9]{7,14}")
_SEPARATORS = ";\t,"

ReadFile = Callable[[str], bytes]


class ListFileError(ValueError):
    """A list file that cannot be read at all; the text says why."""


@dataclass(frozen=True, slots=True)
class _Cell:
    line: int
    column: int
    text: str


@dataclass(slots=True)
class ListFiles:
    """The list files of one rules file, each read once; `texts` has what they held."""

    read: ReadFile
    folder: str = ""
    """Of the rules file, as faults name it."""
    texts: dict[str, str] = field(default_factory=dict)

    def place(self, name: str) -> str:
        """The file as faults name it."""
        return str(Path(self.folder) / name)

    def text(self, name: str) -> str:
        """What a file holds. Raises `ListFileError`."""
        if name not in self.texts:
            try:
                data = self.read(name)
            except OSError as error:
                raise ListFileError(f"cannot be read: {error.strerror or 'unknown'}") from None
            if len(data) > LARGEST_LIST:
                raise ListFileError(f"is larger than {LARGEST_LIST // 2**20} MB")
            try:
                self.texts[name] = data.decode("utf-8-sig")
            except UnicodeDecodeError as error:
                line = data[: error.start].count(b"\n") + 1
                raise ListFileError(f"is not UTF-8 text in line {line}: save it as UTF-8") from None
        return self.texts[name]


def beside(rules: Path) -> ReadFile:
    """Reads files whose names are relative to the folder of a rules file, and that stand in it.

    Whoever may edit the rules, perhaps from afar, must not read the machine with them.
    """

    def read(name: str) -> bytes:
        folder = rules.parent.resolve()
        path = (folder / name).resolve()
        if not path.is_relative_to(folder):
            raise OSError(errno.EACCES, OUTSIDE, name)
        return read_regular(path, LARGEST_LIST)

    return read


def read_phones(file: str, text: str) -> tuple[Members, Findings]:
    """The numbers of a list file, with its faults at their lines."""
    findings = Findings(file)
    keys: set[str] = set()
    patterns: list[Matcher] = []
    for cell in _cells(text, findings, PHONE_COLUMNS):
        if _PLAIN_NUMBER.fullmatch(cell.text):
            digits = cell.text.removeprefix("+")
            keys.add(index_key(f"+{digits}"))
            continue
        try:
            pattern = PhonePattern.parse(cell.text)
        except ValueError as error:
            _fault(findings, cell, str(error))
            continue
        if pattern.exact is not None:
            keys |= pattern.exact
        else:
            patterns.append(pattern)
    return _members(keys, patterns, findings), findings


def read_clients(file: str, text: str) -> tuple[Members, Findings]:
    """The clients of a list file, by id or name."""
    findings = Findings(file)
    keys: set[str] = set()
    patterns: list[Matcher] = []
    for cell in _cells(text, findings, CLIENT_COLUMNS):
        if "*" in cell.text or "?" in cell.text:
            patterns.append(text_matcher(cell.text))
        else:
            keys.add(fold(cell.text))
    return _members(keys, patterns, findings), findings


def _members(keys: set[str], patterns: list[Matcher], findings: Findings) -> Members:
    if not keys and not patterns and not findings.errors:
        findings.error(Place(1, 1), "the list is empty: name at least one, or delete the list")
    return Members(frozenset(keys), tuple(patterns))


def _cells(text: str, findings: Findings, columns: tuple[str, ...]) -> Iterator[_Cell]:
    """The values of a list with their places, header, comments and blank lines left out."""
    lines = text.splitlines()
    separator = _separator(lines)
    wanted: int | None = None
    rows = csv.reader((f"{line}\n" for line in lines), delimiter=separator, strict=True)
    try:
        for row in rows:
            first = row[0].strip() if row else ""
            if not any(cell.strip() for cell in row) or first.startswith("#"):
                continue
            if wanted is None:
                wanted = _column(row, columns)
                if wanted is not None:
                    continue
                wanted = 0
                if len([cell for cell in row if cell.strip()]) > 1:
                    line = _Cell(rows.line_num, 1, first)
                    hint = _hint(row, columns)
                    _fault(findings, line, f"several columns need a header with {hint}")
                    return
            value = row[wanted].strip() if wanted < len(row) else ""
            column = 1 + sum(len(cell) + 1 for cell in row[:wanted])
            if value:
                yield _Cell(rows.line_num, column, value)
            else:
                _fault(findings, _Cell(rows.line_num, column, ""), "nothing stands in this column")
    except csv.Error as error:
        _fault(findings, _Cell(rows.line_num, 1, ""), f"cannot be read as CSV: {error}")


def _separator(lines: list[str]) -> str:
    """What separates columns: the likeliest in the first line that is no comment."""
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            return max(_SEPARATORS, key=line.count)
    return ","


def _column(row: list[str], columns: tuple[str, ...]) -> int | None:
    names = [cell.strip().casefold() for cell in row]
    return next((names.index(name) for name in columns if name in names), None)


def _hint(row: list[str], columns: tuple[str, ...]) -> str:
    close = next((near for cell in row if (near := nearest(cell.strip(), columns))), None)
    return f'the column "{close or columns[0]}"'


def _fault(findings: Findings, cell: _Cell, message: str) -> None:
    told = len(findings.errors)
    if told < MOST_FAULTS:
        findings.error(Place(cell.line, cell.column), message)
    elif told == MOST_FAULTS:
        where = Place(cell.line, cell.column)
        findings.error(where, f"{quoted(cell.text)} and what follows are not looked at any more")
