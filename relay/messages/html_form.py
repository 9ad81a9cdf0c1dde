"""Overrides in HTML: values stand in texts and in a few quoted attributes, always escaped.

Where a value may stand is read from the marked text before any value comes. It is not an HTML
parser: what it does not know it refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from html import escape, unescape

from relay.errors import RenderError
from relay.messages.markdown import FormError, Problem
from relay.messages.marks import address, fill, has_mark, is_address

_TOKEN = re.compile(
    r"<!--\[if[^\]>]*\]>(?:<!-->)?|(?:<!--)?<!\[endif\]-->"  # Outlook's conditions
    r"|<!--.*?-->|<![a-zA-Z][^<>]*>"
    r"""|</?[a-zA-Z](?:[^"'<>]|"[^"]*"|'[^']*')*+>""",
    re.DOTALL,
)
_NAME = re.compile(r"</?([a-zA-Z][^\s/>]*)")
_ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)\s*=\s*("[^"]*"|'[^']*')""")
_OPEN = re.compile("<(?=[a-zA-Z/!?\U000f0000-\U000ffffd])")
_RAW = frozenset({"script", "style", "xmp", "plaintext", "noembed", "noframes", "iframe"})
_ADDRESSES = frozenset({"href", "src"})
_TEXTS = frozenset({"alt", "title", "aria-label", "summary", "abbr"})
_ALLOWED = (
    f"a text, {', '.join(sorted(_TEXTS))}, or an address in {' or '.join(sorted(_ADDRESSES))}"
)


@dataclass(frozen=True, slots=True)
class _Address:
    marked: str


Piece = str | _Address
"""HTML in which values are escaped where their marks stand, or an address in an attribute."""


@lru_cache(maxsize=128)
def parse(marked: str) -> tuple[Piece, ...]:
    """The pieces of an override's text. Raises `FormError` with every problem."""
    reader = _Reader(marked)
    pieces = tuple(reader.pieces())
    if not any(isinstance(piece, str) and piece.strip() for piece in pieces):
        raise FormError([(1, "it is empty", "")])
    if reader.problems:
        raise FormError(reader.problems)
    return pieces


class _Reader:
    def __init__(self, marked: str) -> None:
        self._marked = marked
        self._raw = ""
        self.problems: list[Problem] = []

    def pieces(self) -> Iterator[Piece]:
        at = 0
        for found in _TOKEN.finditer(self._marked):
            yield self._text(self._marked[at : found.start()], at)
            yield from self._tag(found[0], found.start())
            at = found.end()
        yield self._text(self._marked[at:], at)

    def _refuse(self, at: int, said: str) -> None:
        self.problems.append((self._marked.count("\n", 0, at) + 1, said, ""))

    def _text(self, text: str, at: int) -> str:
        if self._raw:
            if has_mark(text):
                self._refuse(at, f"a value may not stand in <{self._raw}>")
        elif found := _OPEN.search(text):
            self._refuse(at + found.start(), "a tag is not closed, or a value makes it: write &lt;")
        return text

    def _tag(self, tag: str, at: int) -> Iterator[Piece]:
        named = _NAME.match(tag)
        if named is None:
            if has_mark(tag):
                self._refuse(at, "a value may not stand in a comment")
            yield tag
            return
        name = named[1].casefold()
        if self._raw:
            if tag.startswith("</") and name == self._raw:
                self._raw = ""
            elif has_mark(tag):
                self._refuse(at, f"a value may not stand in <{self._raw}>")
        elif name in _RAW and not tag.startswith("</"):
            self._raw = name
        if has_mark(tag):
            yield from self._attributes(tag, at)
        else:
            yield tag

    def _attributes(self, tag: str, start: int) -> Iterator[Piece]:
        at = 0
        for found in _ATTRIBUTE.finditer(tag):
            name, value = found[1].casefold(), found[2]
            before = tag[at : found.start(2)]
            if has_mark(before):
                self._refuse(start + at, f"a value in a tag stands in quotes: in {_ALLOWED}")
            yield before
            if not has_mark(value) or name in _TEXTS:
                yield value
            elif name not in _ADDRESSES:
                self._refuse(
                    start + found.start(), f"no value may stand in {name}: only in {_ALLOWED}"
                )
            elif not is_address(unescape(value[1:-1])):
                said = f"{name} begins with https:// and a fixed host"
                self._refuse(start + found.start(), said)
            else:
                yield _Address(unescape(value[1:-1]))
            at = found.end()
        if has_mark(tag[at:]):
            self._refuse(start + at, f"a value in a tag stands in quotes: in {_ALLOWED}")
        yield tag[at:]


def filled(pieces: Sequence[Piece], values: Sequence[str]) -> str:
    """The HTML with its values in place. Raises `RenderError` for an address of no use."""
    escaped = [escape(value, quote=True) for value in values]
    return "".join(_filled(piece, values, escaped) for piece in pieces)


def _filled(piece: Piece, values: Sequence[str], escaped: Sequence[str]) -> str:
    if isinstance(piece, str):
        return fill(piece, escaped)
    found = address(piece.marked, [" ".join(value.split()) for value in values])
    if found is None:
        raise RenderError("an address is no http(s) address for this event")
    return f'"{escape(found, quote=True)}"'
