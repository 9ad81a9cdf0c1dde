"""The plain part of a mail, pleasant by itself.

Lines are as long as their sentences: readers wrap them to the width they have, and a break of
ours at 72 characters is a ragged edge on a phone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from relay.channels.fit import shown
from relay.messages import (
    Block,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Inlines,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
)

_WIDEST_LABEL = 24
"""Labels up to here stand in a column; a longer one pushes its own value."""


def plain(message: Message) -> str:
    """A tidy message as text: title, body, footer."""
    parts = ["\n".join(_block(block)) for block in message.blocks]
    return "\n\n".join(part for part in (message.title, *parts, message.footer) if part) + "\n"


def _block(block: Block) -> Iterator[str]:
    match block:
        case Paragraph(inlines=inlines):
            yield shown(inlines)
            yield from _addresses([inlines])
        case Bullets(items=items, ordered=ordered):
            yield from _items(items, ordered, "")
        case Quote(paragraphs=paragraphs):
            quoted = "\n\n".join(shown(inlines) for inlines in paragraphs)
            yield from (f"> {line}".rstrip() for line in quoted.split("\n"))
            yield from _addresses(paragraphs)
        case Facts(facts=facts):
            yield from _facts(facts)
        case Buttons(links=links):
            yield from (_address(link) for link in links)


def _items(items: Sequence[Item], ordered: bool, indent: str) -> Iterator[str]:
    for number, item in enumerate(items, 1):
        mark = f"{number}. " if ordered else "- "
        under = indent + " " * len(mark)
        yield indent + mark + shown(item.inlines).replace("\n", f"\n{under}")
        yield from (under + line for line in _addresses([item.inlines]))
        yield from _items(item.items, False, under)


def _facts(facts: Sequence[Fact]) -> Iterator[str]:
    widths = [len(fact.label) for fact in facts if len(fact.label) <= _WIDEST_LABEL]
    column = max(widths, default=0) + 2
    for fact in facts:
        label = f"{fact.label}:".ljust(column)
        value = shown(fact.value).replace("\n", "\n" + " " * column)
        yield f"{label if label.endswith(' ') else label + ' '}{value}"
        yield from (" " * column + line for line in _addresses([fact.value]))


def _addresses(texts: Sequence[Inlines]) -> Iterator[str]:
    """Where the links of a text lead, each on a line of its own."""
    for inlines in texts:
        for inline in inlines:
            if isinstance(inline, Link) and inline.label != inline.url:
                yield _address(inline)


def _address(link: Link) -> str:
    return link.url if link.label == link.url else f"{link.label}: {link.url}"
