"""Overrides in JSON: the structure is the author's, values only ever stand inside its texts.

A template writes JSON in which each `{{ }}` has become a whole JSON text with marks in it. It is
parsed first and the values are put in afterwards, so that no value can add or change a key, an
element or its type. What a text may do in its place (be parsed as mrkdwn or as a card's Markdown,
be an address) is known by the dialect, which escapes the values accordingly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import Any

from relay.errors import RenderError
from relay.messages.markdown import FormError, Problem
from relay.messages.marks import address, fill, has_mark, is_address
from relay.messages.rendering import Authored, Captured, Rendering

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[,\[\]{}]|\s+|[^",\[\]{}\s]+')
_BARE = re.compile("[\U000f0000-\U000ffffd]")


class Part(Enum):
    """What a channel does with a text in its place, and so what becomes of values in it."""

    PLAIN = "plain"
    """It shows it as it is."""
    PARSED = "parsed"
    """It reads it as mrkdwn or a card's Markdown: values are escaped. So are unknown places."""
    ADDRESS = "address"
    """It must lead to http(s)."""
    FIXED = "fixed"
    """It decides what an element is or whom it names: no value may stand there."""


@dataclass(frozen=True, eq=False)
class Dialect:
    """One channel's way with the texts of its JSON."""

    fixed: frozenset[str]
    addresses: frozenset[str]
    plain: frozenset[str]
    """Keys."""
    plain_here: Callable[[str, str], bool]
    """(type of the object, key) of texts that are plain in some objects alone."""
    escaped: Callable[[str], str]
    """The value as a parsed text shows it as it is."""
    misused: re.Pattern[str]
    misuse: str
    """Where no value may stand in a parsed text, and what is said of it."""
    beside_values: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    """By type, what an object needs that holds values."""

    def part(self, node: Mapping[str, Any], key: str) -> Part:
        """What becomes of the text under that key of an object."""
        kind = str(node.get("type", ""))
        if key in self.fixed or (kind, key) == ("emoji", "name"):
            return Part.FIXED
        if key in self.addresses:
            return Part.ADDRESS
        return Part.PLAIN if key in self.plain or self.plain_here(kind, key) else Part.PARSED


_MARK = "[\U000f0000-\U000ffffd]"
_FIXED_HOST = "https?://[^/?#\\s@<>|()\U000f0000-\U000ffffd]+[/?#]"
_SLACK_PLAIN = frozenset({"plain_text", "text", "raw_text", "link"})

SLACK = Dialect(
    fixed=frozenset(
        {
            *("type", "verbatim", "mrkdwn_in", "parse", "action_id", "block_id", "user_id"),
            *("usergroup_id", "channel_id", "range", "team_id", "unicode", "language"),
        }
    ),
    addresses=frozenset(
        {
            *("url", "image_url", "thumb_url", "video_url", "thumbnail_url", "title_url"),
            *("provider_icon_url", "title_link", "author_link", "author_icon", "footer_icon"),
            *("from_url", "original_url"),
        }
    ),
    plain=frozenset({"alt_text", "value", "color"}),
    plain_here=lambda kind, key: key == "text" and kind in _SLACK_PLAIN,
    escaped=lambda value: value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
    misused=re.compile(f"<(?!{_FIXED_HOST})[^<>]*{_MARK}"),
    misuse="a value inside <…> could name anybody: begin with <https:// and a fixed host",
    beside_values={"mrkdwn": {"verbatim": True}},
)
"""Block Kit. mrkdwn knows three escapes and resolves what stands in <…>
(docs.slack.dev/messaging/formatting-message-text); `verbatim` keeps bare names and addresses from
becoming links. Asterisks and the like of a value can still make its own words bold: there is no
escape for them, `plain_text` and rich text show them as they are.
"""

_SIGNS = re.compile(r"[\\`*_~\[\]<>#|!&]|(?<=\{)\{")
_LINE_START = re.compile(r"(?m)^[ \t\u00a0]*(?:(\d{1,9})(?=[.)])|(?=[-+=]))")
_INDENT = re.compile(r"(?m)^(?:[ \t]{2,}|\t)")


def _for_cards(value: str) -> str:
    signs = _SIGNS.sub(lambda found: f"\\{found[0]}", _INDENT.sub(" ", value))
    return _LINE_START.sub(lambda found: f"{found[1] or ''}\\", signs)


TEAMS = Dialect(
    fixed=frozenset(
        {
            *("type", "$schema", "version", "id", "verb", "style", "requires", "mri", "entities"),
            *("method", "lang", "targetElements"),
        }
    ),
    addresses=frozenset({"url", "iconUrl", "backgroundImage", "poster", "altUrl"}),
    plain=frozenset({"altText", "fallbackText", "speak", "summary", "tooltip"}),
    plain_here=lambda kind, key: (
        (key, kind) == ("text", "TextRun") or (key == "title" and kind.startswith("Action."))
    ),
    escaped=_for_cards,
    misused=re.compile(rf"\]\((?!{_FIXED_HOST})[^()]*{_MARK}"),
    misuse="the address of a link begins with https:// and a fixed host",
)
"""Adaptive Cards. `TextBlock` and `Fact` parse Markdown, in which a backslash makes a sign plain,
and replace {{DATE(…)}}; `TextRun` parses nothing.
"""

JSON = Dialect(
    fixed=frozenset(),
    addresses=frozenset(),
    plain=frozenset(),
    plain_here=lambda _kind, _key: True,
    escaped=lambda value: value,
    misused=re.compile("(?!)"),
    misuse="",
)
"""The body of a webhook: the relay does not know what its receiver makes of a text."""


class JsonRendering(Rendering):
    """A run whose every `{{ }}` is a JSON text; joined texts keep the author's part apart."""

    __slots__ = ()

    def write(self, value: Any) -> str:
        if type(value) is Captured:
            return value.marked
        return json.dumps(self._authored(value), ensure_ascii=False)

    def joined(self, parts: Sequence[Any]) -> Authored:
        return Authored(self.bounded("".join(map(self._authored, parts))))

    def _authored(self, value: Any) -> str:
        if isinstance(value, Authored):
            return value.marked
        return super().write(self.text(value))


def quoted(way: str) -> tuple[str, list[Problem]]:
    """The JSON of a way through a template whose expressions are bare marks, and its problems.

    An expression inside quotes is a problem: it would be quoted twice.
    """
    parts: list[str] = []
    problems: list[Problem] = []
    for token in _TOKEN.findall(way):
        if not token.startswith('"'):
            parts.append(_BARE.sub(lambda found: f'"{found[0]}"', token))
            continue
        if found := _BARE.search(token):
            line = way.count("\n", 0, way.index(found[0])) + 1
            said = '{{ }} stands inside quotes: write it without them, {{ "Hello " ~ event.who }}'
            problems.append((line, said, "{{"))
        parts.append(token)
    return "".join(parts), problems


def _tidied(text: str) -> str:
    """The JSON without commas that separate nothing: loops and branches leave them behind."""
    kept: list[str] = []
    last, comma = "", -1
    for piece in _TOKEN.findall(text):
        if piece.isspace():
            kept.append(piece)
            continue
        if piece == ",":
            if last in ("", ",", "[", "{"):
                continue
            comma = len(kept)
        elif piece in ("]", "}") and last == ",":
            kept[comma] = ""
        kept.append(piece)
        last = piece
    return "".join(kept)


@lru_cache(maxsize=256)
def parse(marked: str, dialect: Dialect) -> dict[str, Any]:
    """The tree of an override's text, marks and all. Raises `FormError` with every problem."""
    try:
        tree = json.loads(_tidied(marked), object_pairs_hook=_once, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        raise FormError([(error.lineno, f"it is not JSON: {error.msg}", "")]) from None
    except RecursionError:
        raise FormError([(1, "it is nested too deeply", "")]) from None
    if not isinstance(tree, dict):
        raise FormError([(1, "it must be one JSON object: {…}", "")])
    problems = [(_line(marked, text), said, "") for text, said in _problems(tree, dialect)]
    if problems:
        raise FormError(problems)
    return tree


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise FormError([(1, f"the key {_BARE.sub('…', doubled)[:40]!r} is there twice", "")])
    return found


def _no_constant(word: str) -> Any:
    raise FormError([(1, f"it is not JSON: {word}", "")])


def _line(marked: str, text: str) -> int:
    """The line of the first mark in a text."""
    found = _BARE.search(text)
    return marked.count("\n", 0, marked.find(found[0])) + 1 if found else 1


def _problems(tree: dict[str, Any], dialect: Dialect) -> Iterator[tuple[str, str]]:
    """Texts at fault, and what is wrong there."""
    waiting: list[Any] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
            for key, inner in node.items():
                if has_mark(key):
                    yield key, "{{ }} stands in the place of a key: keys must be fixed"
                if _held(inner) and (said := _misplaced(node, key, inner, dialect)):
                    yield inner, said


def _misplaced(node: Mapping[str, Any], key: str, text: str, dialect: Dialect) -> str | None:
    match dialect.part(node, key):
        case Part.FIXED:
            return f"{key} must be fixed: no value may decide it"
        case Part.ADDRESS if not is_address(text):
            return f"{key} begins with https:// and a fixed host"
        case Part.PARSED if dialect.misused.search(text):
            return dialect.misuse
    return None


def filled(
    tree: Any, values: Sequence[str], dialect: Dialect, key: str = "", part: Part = Part.PARSED
) -> Any:
    """The tree with its values in place. Raises `RenderError` for an address of no use."""
    match tree:
        case dict():
            full = {
                name: filled(inner, values, dialect, name, dialect.part(tree, name))
                for name, inner in tree.items()
            }
            if any(map(_held, tree.values())):
                full |= dialect.beside_values.get(str(tree.get("type")), {})
            return full
        case list():
            return [filled(inner, values, dialect) for inner in tree]
        case str() if has_mark(tree):
            return _filled(tree, values, dialect, key, part)
    return tree


def _filled(text: str, values: Sequence[str], dialect: Dialect, key: str, part: Part) -> str:
    match part:
        case Part.ADDRESS:
            found = address(text, [" ".join(value.split()) for value in values])
            if found is None:
                raise RenderError(f"{key} is no http(s) address for this event")
            return found
        case Part.PLAIN:
            return fill(text, values)
    return fill(text, [dialect.escaped(value) for value in values])


def _held(inner: Any) -> bool:
    return isinstance(inner, str) and has_mark(inner)
