"""What a YAML file holds, as text with positions: scalars, lists and maps; and its faults.

Every scalar is the text that the file shows: `+49…`, `NO`, `22:00` and `1_000` are never turned
into anything else. Lines and columns count from 1.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from relay.errors import Fault
from relay.text import nearest, shown


class Scalar(NamedTuple):
    """A text. It and `Entry` are tuples, as a thousand rules have some ten thousand of them."""

    line: int
    column: int
    text: str
    plain: bool = False
    """Written without quotes."""
    comment: str = ""
    """The comment that stands in the place of an empty value: `channel: #wa`."""
    span: tuple[int, int] = (0, 0)
    """Where it begins and ends in the text of the file, quotes included."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    column: int
    items: tuple[Node, ...]


class Entry(NamedTuple):
    """A key of a map with its value."""

    key: Scalar
    value: Node

    @property
    def name(self) -> str:
        return self.key.text


@dataclass(frozen=True, slots=True)
class Fields:
    """A map; its keys are texts, each there once."""

    line: int
    column: int
    entries: tuple[Entry, ...]

    def __iter__(self) -> Iterator[Entry]:
        return iter(self.entries)

    def entry(self, name: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.name == name), None)


@dataclass(frozen=True, slots=True)
class Broken:
    """Something that was reported when it was read; nothing more is said of it."""

    line: int
    column: int


Node = Scalar | Items | Fields | Broken


@dataclass(frozen=True, slots=True)
class Place:
    """A position where no node stands."""

    line: int
    column: int


Position = Node | Place
"""Whatever a fault can point at."""


MOST_LISTED = 14
LONGEST_QUOTED = 60


class Findings:
    """Collects faults; the same one at the same place is kept once."""

    def __init__(self, file: str) -> None:
        self.file = file
        self._faults: dict[Fault, None] = {}

    def error(self, where: Position | None, message: str) -> None:
        """Something that the relay will not start with; None means the file as a whole."""
        self._add(where, "error", message)

    def warning(self, where: Position | None, message: str) -> None:
        """Something that is probably not meant."""
        self._add(where, "warning", message)

    def _add(
        self, where: Position | None, level: Literal["error", "warning"], message: str
    ) -> None:
        line, column = (where.line, where.column) if where is not None else (1, 1)
        self._faults.setdefault(Fault(self.file, line, column, level, message))

    def adopt(self, other: Findings) -> None:
        """What was found in another file that belongs to this one."""
        for fault in other.all:
            self._faults.setdefault(fault)

    @property
    def errors(self) -> tuple[Fault, ...]:
        return tuple(fault for fault in self.all if fault.level == "error")

    @property
    def warnings(self) -> tuple[Fault, ...]:
        return tuple(fault for fault in self.all if fault.level == "warning")

    @property
    def all(self) -> tuple[Fault, ...]:
        """Everything found, by place."""
        return tuple(sorted(self._faults))


def quoted(text: str) -> str:
    """A text of the file between quotes, on one line and not too long."""
    return f'"{shown(text, LONGEST_QUOTED)}"'


def unknown(what: str, word: str, known: Collection[str]) -> str:
    """`unknown topic "qualty": did you mean "quality"?`, or the known words if none is near."""
    start = f"unknown {what} {quoted(word)}"
    if not known:
        return f"{start}: there is none"
    close = nearest(word, known)
    if close is not None:
        return f'{start}: did you mean "{close}"?'
    names = sorted(known)
    if len(names) <= MOST_LISTED:
        return f"{start}: known are {', '.join(names)}"
    return (
        f"{start}: known are {', '.join(names[:MOST_LISTED])} and {len(names) - MOST_LISTED} more"
    )
