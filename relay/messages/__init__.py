"""`Message`: rendered content, not yet in any channel's dialect.

A message is a small document of values: whatever came from an event stands in `Text` nodes and
can only ever be text. The channels write it natively.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from relay.events import Direction, Severity

READERS = ("support", "sales", "billing")
"""For whom a template can have advice."""


@dataclass(frozen=True, slots=True)
class Text:
    """A run of characters with its style."""

    text: str
    bold: bool = False
    italic: bool = False
    code: bool = False


@dataclass(frozen=True, slots=True)
class Link:
    """A link whose address was written by the template's author or checked to be http(s)."""

    label: str
    url: str


@dataclass(frozen=True, slots=True)
class Break:
    """A line break inside a paragraph."""


Inline = Text | Link | Break
Inlines = tuple[Inline, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    inlines: Inlines


@dataclass(frozen=True, slots=True)
class Item:
    """A list item, with the items of the second level under it."""

    inlines: Inlines
    items: tuple[Item, ...] = ()


@dataclass(frozen=True, slots=True)
class Bullets:
    """A list of at most two levels."""

    items: tuple[Item, ...]
    ordered: bool = False


@dataclass(frozen=True, slots=True)
class Quote:
    paragraphs: tuple[Inlines, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    label: str
    value: Inlines


@dataclass(frozen=True, slots=True)
class Facts:
    """Label and value, one below the other or in columns."""

    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Buttons:
    """A row of links that are shown as buttons."""

    links: tuple[Link, ...]


Block = Paragraph | Bullets | Quote | Facts | Buttons


@dataclass(frozen=True, slots=True)
class Message:
    """What a person will read, in no channel's dialect yet."""

    title: str
    """One line of plain text."""
    blocks: tuple[Block, ...]
    footer: str
    """When it happened, by which rule, and the event's short id; plain text."""
    severity: Severity
    direction: Direction
    template: str | None = None
    """The template's file name; None for the built-in message."""
    missing: tuple[str, ...] = ()
    """Names that the template asked for and the event does not have."""
    fault: str | None = None
    """Why the template or its override failed, when another form stands in its place."""
    native: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """Overrides by channel: the parsed JSON of `slack` and `teams`, the HTML text of `email`."""
    language: str = "en"
    """The language in which it was written: `de`, `pt-BR`."""

    @property
    def text(self) -> str:
        """The body as plain text, footer included: for notifications, mail and terminals."""
        parts = [*map(_block_text, self.blocks), self.footer]
        return "\n\n".join([part for part in parts if part])


def inline_text(inlines: Inlines) -> str:
    """The characters of a run of inlines; a link shows its address where the label does not."""
    if len(inlines) == 1 and isinstance(only := inlines[0], Text):
        return only.text
    return "".join([one.text if isinstance(one, Text) else _not_text(one) for one in inlines])


def _not_text(inline: Link | Break) -> str:
    if isinstance(inline, Break):
        return "\n"
    return inline.label if inline.label == inline.url else f"{inline.label} ({inline.url})"


def _items_text(items: tuple[Item, ...], ordered: bool, indent: str = "") -> str:
    lines = []
    for number, item in enumerate(items, 1):
        mark = f"{number}." if ordered else "-"
        lines.append(f"{indent}{mark} {inline_text(item.inlines)}")
        if item.items:
            lines.append(_items_text(item.items, False, indent + "  "))
    return "\n".join(lines)


def _block_text(block: Block) -> str:
    match block:
        case Paragraph(inlines=inlines):
            return inline_text(inlines)
        case Bullets(items=items, ordered=ordered):
            return _items_text(items, ordered)
        case Quote(paragraphs=paragraphs):
            quoted = "\n\n".join(inline_text(inlines) for inlines in paragraphs)
            return "\n".join(f"> {line}" for line in quoted.split("\n"))
        case Facts(facts=facts):
            return "\n".join([f"{fact.label}: {inline_text(fact.value)}" for fact in facts])
        case Buttons(links=links):
            return "\n".join(f"{link.label}: {link.url}" for link in links)
