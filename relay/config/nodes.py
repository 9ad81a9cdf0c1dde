"""What a YAML file holds, as text with positions: scalars, lists and maps.

Every scalar is the text that the file shows: `+49…`, `NO`, `22:00` and `1_000` are never turned
into anything else. Lines and columns count from 1.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scalar:
    """A text."""

    line: int
    column: int
    text: str
    plain: bool = False
    """Written without quotes."""
    comment: str = ""
    """The comment that stands in the place of an empty value: `channel: #wa`."""


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    line: int
    column: int
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Entry:
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
