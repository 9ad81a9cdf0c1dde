"""Numbers and clients in rules: patterns, and the named lists under `phones` and `clients`.

A list stands in the rules file, or in a file beside it: one value to a line, or columns with a
heading that names one of them. What follows `#` at the beginning of a line is a comment. Hundreds
of thousands of lines are meant to be no burden.
"""

from __future__ import annotations

import errno
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from pathlib import Path
from typing import ClassVar

from relay.config.form import Form
from relay.config.nodes import Fields, Findings, Items, Node, Place, Scalar, quoted, unknown
from relay.config.spreadsheets import Cell, UnreadableError, decode, rows
from relay.files import read_regular
from relay.phones import PhonePattern, index_key
from relay.rules import Exact, Members
from relay.rules.conditions import Matcher, fold, text_matcher

LARGEST_LIST = 64 * 1024 * 1024
"""Bytes."""
OUTSIDE = "it is outside the folder of the rules file: put it beside the rules, or below them"
MOST_FAULTS = 20
"""Faults that are told of one file; a wrong column would yield one for each line."""
PHONE_HEADINGS = (
    "phone", "number", "phone number", "rufnummer", "telefonnummer", "telefon", "mobile",
    "whatsapp", "phone no", "mobile number", "telephone", "telephone number", "whatsapp number",
    "msisdn", "mobil", "mobilnummer", "handy", "handynummer", "whatsapp nummer", "nummer",
)  # fmt: skip
"""Headings in the order in which they are looked for; blanks, dashes and case do not matter."""
CLIENT_HEADINGS = (
    "client id", "client", "id", "customer id", "customer", "kundennummer", "kunde", "name",
    "customer number", "kunden id", "kunden nr", "client name", "customer name", "kundenname",
    "company", "firma",
)  # fmt: skip
MOST_HEADINGS = 8
"""So many are named where none was found."""
_PLAIN_NUMBER = re.compile(r"\+?[1-9][0-9]{7,14}")
_ROUNDED = re.compile(r"\+?[0-9]+(?:[.,][0-9]+)?[eE]\+?[0-9]+")
_LIKELY = 0.6
_LIST_NAME = re.compile(r"[^\W\d_][\w.-]*")
_SCHEME = re.compile(r"(?:tel|whatsapp)\s*:", re.IGNORECASE)
MOST_SHOWN = 3
"""Members of a list that an explanation shows."""

ReadFile = Callable[[str], bytes]


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

    def text(self, form: Form, node: Node, name: str, what: str = "list") -> str | None:
        """What the file holds that a node names; None where a fault was reported."""
        if name in self.texts:
            return self.texts[name]
        try:
            self.texts[name] = _decoded(self.read(name))
        except OSError as error:
            reason = error.strerror or "unknown"
            form.error(node, f"the {what} file {quoted(name)} cannot be read: {reason}")
        except UnreadableError as error:
            found = Findings(self.place(name))
            found.error(Place(error.line, 1), str(error))
            form.findings.adopt(found)
        return self.texts.get(name)


def _decoded(data: bytes) -> str:
    if len(data) > LARGEST_LIST:
        raise UnreadableError(f"it is larger than {LARGEST_LIST // 2**20} MB")
    return decode(data)


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


def _members(keys: set[str], patterns: list[Matcher], findings: Findings) -> Members:
    if not keys and not patterns and not findings.errors:
        findings.error(Place(1, 1), "the list is empty: name at least one, or delete the list")
    return Members(frozenset(keys), tuple(patterns))


def _cells(text: str, findings: Findings, headings: tuple[str, ...]) -> Iterator[Cell]:
    """The values of a list with their places, the heading left out."""
    wanted: int | None = None
    try:
        for row in rows(text):
            if wanted is None:
                wanted = column(row, headings)
                if wanted is not None:
                    continue
                wanted = 0
                if sum(1 for cell in row if cell.text) > 1:
                    fault(findings, row[0], _no_heading(row, headings))
                    return
            cell = row[wanted] if wanted < len(row) else beyond(row)
            if cell.text:
                yield cell
            else:
                fault(findings, cell, "nothing stands in this column")
    except UnreadableError as error:
        fault(findings, Cell(error.line, 1, ""), str(error))


def beyond(row: list[Cell]) -> Cell:
    """The place behind the last cell of a row that is too short."""
    last = row[-1]
    return Cell(last.line, last.column + len(last.text) + 1, "")


def column(row: list[Cell], headings: tuple[str, ...]) -> int | None:
    names = [heading(cell.text) for cell in row]
    return next((names.index(name) for name in map(heading, headings) if name in names), None)


def _no_heading(row: list[Cell], headings: tuple[str, ...]) -> str:
    there = [cell.text for cell in row if cell.text]
    found = ", ".join(quoted(text) for text in there[:MOST_HEADINGS])
    likeness, close = max(
        (SequenceMatcher(None, text.casefold()[:60], heading).ratio(), heading)
        for text in there
        for heading in headings
    )
    known = ", ".join(headings[:MOST_HEADINGS])
    likely = likeness >= _LIKELY
    remedy = f'name the column "{close}"' if likely else f"name the column one of {known}"
    return f"several columns need a heading that is known, and here stand {found}: {remedy}"


def heading(text: str) -> str:
    return "".join(char for char in text.casefold() if char.isalnum())


def fault(findings: Findings, cell: Cell, message: str) -> None:
    told = len(findings.errors)
    if told < MOST_FAULTS:
        findings.error(Place(cell.line, cell.column), message)
    elif told == MOST_FAULTS:
        where = Place(cell.line, cell.column)
        findings.error(where, f"{quoted(cell.text)} and what follows are not looked at any more")


def phone_pattern(cell: Cell, findings: Findings) -> PhonePattern | None:
    """The number or pattern of a cell; None where a fault was reported."""
    if _ROUNDED.fullmatch(cell.text):
        fault(
            findings,
            cell,
            f"{quoted(cell.text)}: the spreadsheet rounded this number, its digits are "
            "lost: format the column as text and enter the number again",
        )
        return None
    try:
        return PhonePattern.parse(cell.text)
    except ValueError as error:
        fault(findings, cell, str(error))
        return None


class _Lists(ABC):
    """The named lists that one key of `when` can name."""

    key: ClassVar[str]
    holds: ClassVar[str]

    def __init__(self, form: Form, node: Node | None, files: ListFiles) -> None:
        self._form = form
        self._files = files
        self._shown: dict[str, str] = {}
        self._unused: dict[str, Scalar] = {}
        fields = form.fields(node, f"{self.key}s")
        # Also a list with faults is known by its name, so that rules may name it.
        self._lists = {entry.name: self._list(entry.name, entry.value) for entry in fields or ()}
        self._unused = {entry.name: entry.key for entry in fields or ()}

    def named(self, word: str) -> Members | None:
        """The list that a word of a rule names, if it names one."""
        self._unused.pop(word, None)
        return self._lists.get(word)

    def shown(self, word: str) -> str:
        """What a list holds, as the file has it."""
        return self._shown.get(word, word)

    def warn_of_unused(self) -> None:
        """Says of each list that no rule names it, once all rules are read."""
        for name, where in self._unused.items():
            self._form.warning(
                where,
                f"no rule names the list {quoted(name)}: write `{self.key}: {name}` in the `when` "
                "of a rule, or delete the list",
            )

    @abstractmethod
    def matcher(self, node: Node) -> Matcher | None:
        """What a text of a rule or list means; None where a fault was reported."""

    @abstractmethod
    def read(self, file: str, text: str) -> tuple[Members, Findings]:
        """What the text of a list file means, with its faults at their lines."""

    def _list(self, name: str, node: Node) -> Members:
        if isinstance(node, Fields):
            members = _from_file(self._form, node, name, self._files, self.read)
            count = len(members.keys) + len(members.patterns)
            self._shown[name] = f"{name} ({count} {self.holds})"
            return members
        self._shown[name] = _described(name, node)
        found = [self.matcher(item) for item in self._form.items(node, f"the list {name}")]
        return Members.of([one for one in found if one is not None])


class PhoneLists(_Lists):
    """The lists of numbers."""

    key = "phone"
    holds = "numbers"

    def __init__(self, form: Form, node: Node | None, files: ListFiles) -> None:
        super().__init__(form, node, files)
        for name, where in self._unused.items():
            if not _LIST_NAME.fullmatch(name):
                form.error(
                    where,
                    f"{quoted(name)} is no name for a list: begin with a letter, go on with "
                    "letters, digits, dots, dashes",
                )

    def matcher(self, node: Node) -> PhonePattern | Exact | None:
        """An `Exact` stands for a number that the environment did not give: none equals it."""
        filled = self._form.filled(node, self.key)
        if filled is None:
            return None
        if filled.missing:
            return Exact(filled.text)
        try:
            return PhonePattern.parse(filled.text)
        except ValueError as error:
            # The pattern's own words would show a part of what the environment holds.
            hidden = "${" in filled.written
            reason = "what the environment holds is no phone number with its country code"
            self._form.error(node, reason if hidden else str(error))
            return None

    def read(self, file: str, text: str) -> tuple[Members, Findings]:
        findings = Findings(file)
        keys: set[str] = set()
        patterns: list[Matcher] = []
        for cell in _cells(text, findings, PHONE_HEADINGS):
            if _PLAIN_NUMBER.fullmatch(cell.text):
                digits = cell.text.removeprefix("+")
                keys.add(index_key(f"+{digits}"))
                continue
            pattern = phone_pattern(cell, findings)
            if pattern is None:
                continue
            if pattern.exact is not None:
                keys |= pattern.exact
            else:
                patterns.append(pattern)
        return _members(keys, patterns, findings), findings

    def tell_unknown(self, node: Scalar) -> bool:
        """Whether a word can only be the name of a list, and there is none of this name."""
        word = node.text.strip()
        if not word[:1].isalpha() or _SCHEME.match(word):
            return False
        self._form.error(node, unknown("list of numbers", word, list(self._lists)))
        return True


class ClientLists(_Lists):
    """The lists of clients, by id or name."""

    key = "client"
    holds = "clients"

    def matcher(self, node: Node) -> Matcher | None:
        text = self._form.text(node, self.key)
        return text_matcher(text) if text is not None else None

    def read(self, file: str, text: str) -> tuple[Members, Findings]:
        findings = Findings(file)
        keys: set[str] = set()
        patterns: list[Matcher] = []
        for cell in _cells(text, findings, CLIENT_HEADINGS):
            if "*" in cell.text or "?" in cell.text:
                patterns.append(text_matcher(cell.text))
            else:
                keys.add(fold(cell.text))
        return _members(keys, patterns, findings), findings


def _from_file(
    form: Form,
    node: Fields,
    name: str,
    files: ListFiles,
    read: Callable[[str, str], tuple[Members, Findings]],
) -> Members:
    """What a list file holds; nothing where its faults were reported."""
    nothing = Members(frozenset())
    form.fields(node, f"the list {name}", ("file",))
    entry = node.entry("file")
    if entry is None:
        form.error(node, f"the list {name} must be a list, or {{file: {name}.csv}}")
        return nothing
    file = form.text(entry.value, "file")
    if file is None:
        return nothing
    text = files.text(form, entry.value, file)
    if text is None:
        return nothing
    members, found = read(files.place(file), text)
    form.findings.adopt(found)
    return members


def _described(name: str, node: Node) -> str:
    """`vip (+49 151 2345678 or +44* or 3 more)`."""
    items = node.items if isinstance(node, Items) else (node,)
    texts = [item.text for item in items[:MOST_SHOWN] if isinstance(item, Scalar)]
    if len(items) > MOST_SHOWN:
        texts.append(f"{len(items) - MOST_SHOWN} more")
    return f"{name} ({' or '.join(texts)})"
