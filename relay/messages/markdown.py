"""The Markdown of templates: title and body, a small subset, with marks in the place of values.

Parsed is the marked text, which is the same for all events that take the same way through a
template; the values are put into the parsed blocks by `relay.messages.filling`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

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


class FormError(Exception):
    """A text that cannot be used; `problems` are lines of it, from 1, and what is wrong there."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(text for _, text in problems))


class MarkdownError(FormError):
    """Markdown outside the subset."""


# Everything of CommonMark but indented code (authors indent inside blocks of Jinja) and reference
# links is recognised, so that what is outside the subset can be named instead of shown raw.
_PARSER = MarkdownIt("commonmark", {"html": True}).enable("table").disable(["code", "reference"])
_PARSER.normalizeLink = lambda url: url  # type: ignore[method-assign]  # addresses are checked here
_PARSER.validateLink = lambda url: True  # type: ignore[method-assign]  # noqa: ARG005

_TITLE = re.compile(r" {0,3}# +(\S.*?)(?: +#+)? *")

_REFUSED = {
    "heading_open": "a heading may only be the first line, the title",
    "table_open": "tables are not part of the subset: use a list with **Label:** value",
    "fence": "code blocks are not part of the subset: use `code` in the line",
    "hr": "rules (---) are not part of the subset",
    "image": "images are not part of the subset",
    "autolink": "write links as [label](address)",
}


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
        raise MarkdownError([(1, "it is empty")])
    reader = _Reader()
    title = reader.title(lines[first], first + 1)
    body = "\n".join(lines[first + 1 :])
    blocks = tuple(reader.blocks(_PARSER.parse(body), first + 1))
    if reader.problems:
        raise MarkdownError(sorted(dict.fromkeys(reader.problems)))
    return Draft(title, blocks)


class _Reader:
    """Reads tokens into blocks and collects problems on the way."""

    def __init__(self) -> None:
        self.problems: list[tuple[int, str]] = []

    def title(self, line: str, number: int) -> str:
        found = _TITLE.fullmatch(line)
        if found is None:
            self.problems.append((number, "the first line must be the title: # and its words"))
            return ""
        tokens = _PARSER.parseInline(found[1])[0].children or []
        return "".join(_words(inline) for inline in self.inlines(tokens, number))

    def blocks(self, tokens: list[Token], before: int) -> Iterator[Block]:
        at = 0
        while at < len(tokens):
            end = _closing(tokens, at)
            yield from self._block(tokens[at], tokens[at + 1 : end], before)
            at = end + 1

    def _block(self, head: Token, inner: list[Token], before: int) -> Iterator[Block]:
        line = before + (head.map[0] if head.map else 0) + 1
        match head.type:
            case "paragraph_open":
                inlines = self._inline_of(inner, line)
                yield _buttons(inlines) or Paragraph(inlines)
            case "bullet_list_open" | "ordered_list_open":
                ordered = head.type.startswith("ordered")
                items = self._items(inner, before, level=1)
                yield from _facts_or_bullets(items, ordered)
            case "blockquote_open":
                yield Quote(tuple(self._paragraphs(inner, before, "a quote")))
            case "html_block":
                self._refuse_html(head.content, line)
            case other:
                self._refuse(other, line)

    def _refuse_html(self, html: str, line: int) -> None:
        tag = _HTML.match(html.lstrip())
        name = tag[1].casefold() if tag else "!--"
        instead = _INSTEAD_OF_HTML.get(name, "write Markdown")
        said = f"HTML is not part of the subset: instead of <{name}> {instead}"
        self.problems.append((line, said))

    def _refuse(self, kind: str, line: int) -> None:
        self.problems.append((line, _REFUSED.get(kind, f"{kind} is not part of the subset")))

    def _inline_of(self, inner: list[Token], line: int) -> Inlines:
        children = inner[0].children if inner else None
        return _merged(self.inlines(children or [], line))

    def _paragraphs(self, tokens: list[Token], before: int, where: str) -> Iterator[Inlines]:
        at = 0
        while at < len(tokens):
            head, end = tokens[at], _closing(tokens, at)
            line = before + (head.map[0] if head.map else 0) + 1
            if head.type == "paragraph_open":
                yield self._inline_of(tokens[at + 1 : end], line)
            elif head.type == "html_block":
                self._refuse_html(head.content, line)
            elif head.type in _REFUSED:
                self._refuse(head.type, line)
            else:
                self.problems.append((line, f"{where} may hold only paragraphs"))
            at = end + 1

    def _items(self, tokens: list[Token], before: int, level: int) -> tuple[Item, ...]:
        items = []
        at = 0
        while at < len(tokens):
            end = _closing(tokens, at)
            item = self._item(tokens[at + 1 : end], before, level)
            if item.inlines or item.items:
                items.append(item)
            at = end + 1
        return tuple(items)

    def _item(self, tokens: list[Token], before: int, level: int) -> Item:
        words: list[Token] = []
        nested: tuple[Item, ...] = ()
        at = 0
        while at < len(tokens):
            head, end = tokens[at], _closing(tokens, at)
            if not head.type.endswith("list_open"):
                words += tokens[at : end + 1]
            elif level < 2:
                nested += self._items(tokens[at + 1 : end], before, level + 1)
            else:
                line = before + (head.map[0] if head.map else 0) + 1
                self.problems.append((line, "lists have two levels at most"))
            at = end + 1
        inlines: list[Inline] = []
        for paragraph in self._paragraphs(words, before, "a list item"):
            inlines += [Break(), *paragraph] if inlines else paragraph
        return Item(tuple(inlines), nested)

    def inlines(self, tokens: list[Token], line: int) -> Iterator[Inline]:
        bold = italic = 0
        at = 0
        while at < len(tokens):
            token = tokens[at]
            match token.type:
                case "text" | "text_special":
                    yield Text(token.content, bool(bold), bool(italic))
                case "code_inline":
                    yield Text(token.content, bool(bold), bool(italic), code=True)
                case "strong_open":
                    bold += 1
                case "strong_close":
                    bold -= 1
                case "em_open":
                    italic += 1
                case "em_close":
                    italic -= 1
                case "softbreak" | "hardbreak":
                    line += 1
                    yield Break()
                case "link_open" if token.markup == "autolink":
                    self._refuse("autolink", line)
                case "link_open":
                    end = _closing(tokens, at)
                    label = "".join(map(_words, self.inlines(tokens[at + 1 : end], line)))
                    yield self._link(label, str(token.attrs.get("href", "")), line)
                    at = end
                case "link_close":
                    pass
                case "html_inline":
                    self._refuse_html(token.content, line)
                case other:
                    self._refuse(other, line)
            at += 1

    def _link(self, label: str, url: str, line: int) -> Link:
        """A link with an address that is fixed up to its path, or wholly a value's."""
        if not is_address(url):
            said = "the address of a link begins with https:// and a fixed host"
            self.problems.append((line, said))
        return Link(label or url, url)


def _closing(tokens: list[Token], at: int) -> int:
    """The index of the token that closes the one at `at`."""
    depth = 0
    for index in range(at, len(tokens)):
        depth += tokens[index].nesting
        if depth <= 0:
            return index
    return len(tokens) - 1


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
    run: list[Item] = []
    facts: list[Fact] = []
    for item in items:
        fact = None if ordered else _fact(item)
        if fact is None:
            if facts:
                yield Facts(tuple(facts))
                facts = []
            run.append(item)
        else:
            if run:
                yield Bullets(tuple(run), ordered)
                run = []
            facts.append(fact)
    if facts:
        yield Facts(tuple(facts))
    if run:
        yield Bullets(tuple(run), ordered)


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
