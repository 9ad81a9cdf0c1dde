"""What spreadsheets write, read as rows of text with their places.

Comma, semicolon or tab between the columns, named by a `sep=` line or found out; UTF-8 with or
without a byte order mark, UTF-16 with one, or the Windows code page; `="+49…"` and `'+49…`, by
which people keep a spreadsheet from rounding a number.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

_SEPARATORS = ";\t,"
_SEP_LINE = re.compile(r'"?sep=(.)"?\s*', re.IGNORECASE)
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)
_NOT_TEXT = re.compile("[\x00-\x08\x0e-\x1a]")


class UnreadableError(ValueError):
    """A file that is no table of text; the text says why, `line` where."""

    def __init__(self, reason: str, line: int = 1) -> None:
        super().__init__(reason)
        self.line = line


@dataclass(frozen=True, slots=True)
class Cell:
    """One value and where it stands: the line of the file and the character in it."""

    line: int
    column: int
    text: str


def decode(data: bytes) -> str:
    """The text of a file. Raises `UnreadableError` where it is none."""
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = ["utf-16"]
    else:
        encodings = ["utf-8-sig", "cp1252"]
    for encoding in encodings:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        odd = _NOT_TEXT.search(text)
        if odd:
            line = text.count("\n", 0, odd.start()) + 1
            raise UnreadableError("it is no text: save the table as CSV, in UTF-8", line)
        return text
    raise UnreadableError("its letters cannot be read: save the table as CSV, in UTF-8")


def rows(text: str) -> Iterator[list[Cell]]:
    """The rows that hold something, comments left out. Raises `UnreadableError`."""
    lines = text.splitlines()
    skipped, separator = 0, ""
    if lines and (named := _SEP_LINE.fullmatch(lines[0])):
        skipped, separator = 1, named[1]
    separator = separator or _likeliest(lines)
    table = csv.reader((f"{line}\n" for line in lines[skipped:]), delimiter=separator, strict=True)
    try:
        for row in table:
            if not any(cell.strip() for cell in row) or row[0].lstrip().startswith("#"):
                continue
            line, column, cells = table.line_num + skipped, 1, []
            for cell in row:
                cells.append(Cell(line, column, _bare(cell)))
                column += len(cell) + 1
            yield cells
    except csv.Error as error:
        line = table.line_num + skipped
        raise UnreadableError(f"cannot be read as CSV: {error}", line) from None


def _likeliest(lines: list[str]) -> str:
    """What separates columns in the first line that is no comment."""
    for line in lines:
        if line.strip() and not line.lstrip().startswith("#"):
            return max(_SEPARATORS, key=line.count)
    return ","


def _bare(cell: str) -> str:
    """A value without what keeps a spreadsheet from taking it for a number."""
    text = cell.strip()
    if formula := _FORMULA.fullmatch(text):
        text = formula[1].replace('""', '"').strip()
    return text.removeprefix("'").strip()
