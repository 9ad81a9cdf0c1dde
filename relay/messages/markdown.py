"""The Markdown of templates: title and body, a small subset, with marks in the place of values.

Parsed is the marked text, which is the same for all events that take the same way through a
template; the values are put into the parsed blocks by `relay.messages.filling`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

from markdown_it import MarkdownIt
from markdown_it.tree import SyntaxTreeNode as Node

from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Inline,
    Inlines,
    Item,
    Link,
    Paragraph,
    Quote,
    Text,
)
from relay.messages.marks import is_address


@dataclass(slots=True)
class Draft:
    """A parsed template whose texts still hold marks."""

    title: str
    blocks: tuple[Block, ...]
    steps: tuple[Block | tuple[Block, ...], ...] = field(default=(), compare=False)
    """The blocks that hold marks, and in the place of each other what it comes to for any event."""


Problem = tuple[int, str, str]
"""A line, from 1, what is wrong there, and the sign by which a person finds it in its line."""


class FormError(Exception):
    """A text that cannot be used, with all that is wrong in it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(dict.fromkeys(problems))
        super().__init__("; ".join(said for _, said, _ in self.problems))


class MarkdownError(FormError):
    """Markdown outside the subset."""


# Everything of CommonMark but indented code (authors indent inside blocks of Jinja) and reference
# links is recognised, so that what is outside the subset can be named instead of shown raw.
_PARSER = MarkdownIt("commonmark", {"html": True}).enable("table").disable(["code", "reference"])
_PARSER.normalizeLink = lambda url: url  # type: ignore[method-assign]  # addresses are checked here
_PARSER.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005

_TITLE = re.compile(r" {0,3}# +(\S.*?)(?: +#+)? *")

_REFUSED = {
    "heading": "a heading may only be the first line, the title",
    "table": "tables are not part of the subset: use a list with **Label:** value",
    "fence": "code blocks are not part of the subset: use `code` in the line",
    "hr": "rules (---) are not part of the subset",
    "image": "images are not part of the subset",
    "autolink": "write links as [label](address)",
}


_SIGNS = {"image": "![", "autolink": "<"}
_HTML = re.compile(r"</?([A-Za-z][A-Za-z0-9]*)")
_INSTEAD_OF_HTML = {
    **dict.fromkeys(("b", "strong"), "write **bold**"),
    **dict.fromkeys(("i", "em"), "write *italic*"),
    **dict.fromkeys(("code", "pre", "tt"), "write `code`"),
    **dict.fromkeys(("ul", "ol", "li"), "write - before each item"),
    **dict.fromkeys(("br", "p", "div"), "end the line, or leave one empty"),
    **dict.fromkeys(("h1", "h2", "h3"), "write **bold**: the title alone is a heading"),
    "a": "write [label](https://…)",
}


@lru_cache(maxsize=2048)
def parse(marked: str) -> Draft:
    """The blocks of a marked text. Raises `MarkdownError` with every problem."""
    lines = marked.split("\n")
    first = next((at for at, line in enumerate(lines) if line.strip()), None)
    if first is None:
        raise MarkdownError([(1, "it is empty", "")])
    reader = _Reader(first + 1)
    title = reader.title(lines[first])
    body = "\n".join(lines[first + 1 :])
    blocks = tuple(reader.blocks(Node(_PARSER.parse(body))))
    if reader.problems:
        raise MarkdownError(reader.problems)
    return Draft(title, blocks)


class _Reader:
    """Reads a tree of Markdown into blocks and collects problems on the way."""

    def __init__(self, first: int) -> None:
        self._first = first
        """The line of the title; the tree begins behind it."""
        self.problems: list[Problem] = []

    def title(self, line: str) -> str:
        found = _TITLE.fullmatch(line)
        if found is None:
            said = "the first line must be the title: # and its words"
            self.problems.append((self._first, said, ""))
            return ""
        inline = Node(_PARSER.parseInline(found[1])).children[0]
        return "".join(_words(part) for part in self._inlines(inline, self._first))

    def blocks(self, body: Node) -> Iterator[Block]:
        for node in body.children:
            match node.type:
                case "paragraph":
                    inlines = self._paragraph(node)
                    yield _buttons(inlines) or Paragraph(inlines)
                case "bullet_list" | "ordered_list":
                    yield from _facts_or_bullets(self._items(node, 1), node.type == "ordered_list")
                case "blockquote":
                    yield Quote(tuple(self._paragraphs(node.children, "a quote")))
                case _:
                    self._refuse(node, self._line(node))

    def _line(self, node: Node) -> int:
        return self._first + (node.map[0] if node.map else 0) + 1

    def _refuse(self, node: Node, line: int) -> None:
        kind = "autolink" if node.type == "link" else node.type
        said, near = _REFUSED.get(kind, f"{kind} is not part of the subset"), _SIGNS.get(kind, "")
        if kind in ("html_block", "html_inline"):
            tag = _HTML.match(node.content.lstrip())
            name = tag[1].casefold() if tag else "!--"
            instead = _INSTEAD_OF_HTML.get(name, "write Markdown")
            said, near = (
                f"HTML is not part of the subset: instead of <{name}> {instead}",
                f"<{name}",
            )
        self.problems.append((line, said, near))

    def _paragraph(self, node: Node) -> Inlines:
        inlines = self._inlines(node.children[0], self._line(node)) if node.children else iter(())
        return _merged(inlines)

    def _paragraphs(self, nodes: Iterable[Node], where: str) -> Iterator[Inlines]:
        for node in nodes:
            if node.type == "paragraph":
                yield self._paragraph(node)
            elif node.type in _REFUSED or node.type == "html_block":
                self._refuse(node, self._line(node))
            else:
                self.problems.append((self._line(node), f"{where} may hold only paragraphs", ""))

    def _items(self, node: Node, level: int) -> tuple[Item, ...]:
        items = (self._item(item, level) for item in node.children)
        return tuple(item for item in items if item.inlines or item.items)

    def _item(self, node: Node, level: int) -> Item:
        lists = [inner for inner in node.children if inner.type.endswith("_list")]
        nested: tuple[Item, ...] = ()
        for inner in lists:
            if level < 2:
                nested += self._items(inner, level + 1)
            else:
                self.problems.append((self._line(inner), "lists have two levels at most", ""))
        inlines: list[Inline] = []
        words = (inner for inner in node.children if inner not in lists)
        for paragraph in self._paragraphs(words, "a list item"):
            inlines += [Break(), *paragraph] if inlines else paragraph
        return Item(tuple(inlines), nested)

    def _inlines(
        self, parent: Node, line: int, *, bold: bool = False, italic: bool = False
    ) -> Iterator[Inline]:
        for node in parent.children:
            match node.type:
                case "text" | "text_special":
                    yield Text(node.content, bold, italic)
                case "code_inline":
                    yield Text(node.content, bold, italic, code=True)
                case "strong":
                    yield from self._inlines(node, line, bold=True, italic=italic)
                case "em":
                    yield from self._inlines(node, line, bold=bold, italic=True)
                case "softbreak" | "hardbreak":
                    yield Break()
                case "link" if node.markup != "autolink":
                    label = "".join(map(_words, self._inlines(node, line)))
                    yield self._link(label, str(node.attrs.get("href", "")), line)
                case _:
                    self._refuse(node, line)
            line += sum(one.type.endswith("break") for one in node.walk())

    def _link(self, label: str, url: str, line: int) -> Link:
        """A link with an address that is fixed up to its path, or wholly a value's."""
        if not is_address(url):
            said = "the address of a link begins with https:// and a fixed host"
            self.problems.append((line, said, ""))
        return Link(label or url, url)


def _words(inline: Inline) -> str:
    match inline:
        case Text(text=text):
            return text
        case Link(label=label):
            return label
        case Break():
            return " "


def _merged(inlines: Iterator[Inline]) -> Inlines:
    """Neighbouring texts of one style as one, empty ones left out."""
    merged: list[Inline] = []
    for inline in inlines:
        if isinstance(inline, Text):
            if not inline.text:
                continue
            last = merged[-1] if merged else None
            if isinstance(last, Text) and _style(last) == _style(inline):
                merged[-1] = Text(last.text + inline.text, *_style(inline))
                continue
        merged.append(inline)
    return tuple(merged)


def _style(text: Text) -> tuple[bool, bool, bool]:
    return text.bold, text.italic, text.code


def _buttons(inlines: Inlines) -> Buttons | None:
    links = tuple(inline for inline in inlines if isinstance(inline, Link))
    others = (inline for inline in inlines if isinstance(inline, Text))
    return Buttons(links) if links and not any(o.text.strip() for o in others) else None


def _facts_or_bullets(items: tuple[Item, ...], ordered: bool) -> Iterator[Block]:
    """Runs of items that are facts become facts, the others stay lists."""
    read = [(item, None if ordered else _fact(item)) for item in items]
    for is_fact, run in groupby(read, lambda one: one[1] is not None):
        if is_fact:
            yield Facts(tuple(fact for _, fact in run if fact))
        else:
            yield Bullets(tuple(item for item, _ in run), ordered)


def _fact(item: Item) -> Fact | None:
    """`**Label:** value` or `**Label**: value`."""
    if item.items or len(item.inlines) < 2:
        return None
    head, then, *rest = item.inlines
    if not isinstance(head, Text) or not head.bold or head.italic or head.code:
        return None
    label = head.text.strip()
    if not label.endswith(":"):
        if not isinstance(then, Text) or then.bold or not then.text.lstrip().startswith(":"):
            return None
        then = Text(then.text.lstrip()[1:], *_style(then))
    if isinstance(then, Text):
        then = Text(then.text.lstrip(), *_style(then))
    value = _merged(iter((then, *rest)))
    return Fact(label.removesuffix(":").rstrip(), value) if label and value else None
