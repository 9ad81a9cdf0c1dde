"""Overrides in JSON: the structure is the author's, values only ever stand inside its texts.

A template writes JSON in which each `{{ }}` has become a whole JSON text with marks in it. It is
parsed first and the values are put in afterwards, so that no value can add or change a key, an
element or its type. What a text may do in its place (be parsed as mrkdwn or as a card's Markdown,
be an address) is known by the dialect, which escapes the values accordingly.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from relay.errors import RenderError
from relay.messages.dialects import Dialect, Part
from relay.messages.form_error import FormError
from relay.messages.links import address, is_address
from relay.messages.marks import fill, has_mark
from relay.messages.rendering import Authored, Captured, Rendering

DEEPEST = 60
"""Levels of an override."""

_TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"?|[,\[\]{}]|\s+|[^",\[\]{}\s]+')
_BARE = re.compile("[\U000f0000-\U000ffffd]")


class JsonRendering(Rendering):
    """A run whose every `{{ }}` is a JSON text; joined texts keep the author's part apart."""

    def write(self, value: Any) -> str:
        if type(value) is Captured:
            return value.marked
        return json.dumps(self._authored(value), ensure_ascii=False)

    def joined(self, parts: Sequence[Any]) -> Authored:
        return Authored(self.bounded("".join(map(self._authored, parts))))

    def _authored(self, value: Any) -> str:
        return value.marked if isinstance(value, Authored) else self.marked(value)


def quoted(way: str) -> tuple[str, list[tuple[int, str]]]:
    """The JSON of a way through a template whose expressions are bare marks, and its problems.

    An expression inside quotes is a problem: it would be quoted twice.
    """
    parts: list[str] = []
    problems: list[tuple[int, str]] = []
    for token in _TOKEN.findall(way):
        if not token.startswith('"'):
            parts.append(_BARE.sub(lambda found: f'"{found[0]}"', token))
            continue
        if found := _BARE.search(token):
            line = way.count("\n", 0, way.index(found[0])) + 1
            said = '{{ }} stands inside quotes: write it without them, {{ "Hello " ~ event.who }}'
            problems.append((line, said))
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
        raise FormError([(error.lineno, f"it is not JSON: {error.msg}")]) from None
    except _NotPlainError as error:
        raise FormError([(1, str(error))]) from None
    except RecursionError:
        raise FormError([(1, "it is nested too deeply")]) from None
    if not isinstance(tree, dict):
        raise FormError([(1, "it must be one JSON object: {…}")])
    problems = [(_line(marked, said.text), said.problem) for said in _problems(tree, dialect)]
    if problems:
        raise FormError(sorted(dict.fromkeys(problems)))
    return tree


class _NotPlainError(Exception):
    """A key that is there twice, or a word that JSON does not have."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise _NotPlainError(f"the key {_BARE.sub('…', doubled)[:40]!r} is there twice")
    return found


def _no_constant(word: str) -> Any:
    raise _NotPlainError(f"it is not JSON: {word}")


@dataclass(frozen=True, slots=True)
class _Problem:
    text: str
    problem: str


def _line(marked: str, text: str) -> int:
    """The line of the first mark in a text."""
    found = _BARE.search(text)
    return marked.count("\n", 0, marked.find(found[0])) + 1 if found else 1


def _problems(tree: dict[str, Any], dialect: Dialect) -> Iterator[_Problem]:
    waiting: list[tuple[Any, int]] = [(tree, 1)]
    while waiting:
        node, depth = waiting.pop()
        if depth > DEEPEST:
            yield _Problem("", f"it has more than {DEEPEST} levels")
            return
        if isinstance(node, list):
            waiting += [(inner, depth + 1) for inner in node]
            continue
        if not isinstance(node, dict):
            continue
        for key, inner in node.items():
            if has_mark(key):
                yield _Problem(key, "{{ }} stands in the place of a key: keys must be fixed")
            waiting.append((inner, depth + 1))
            if _held(inner) and (said := _misplaced(node, key, inner, dialect)):
                yield _Problem(inner, said)


def _misplaced(node: Mapping[str, Any], key: str, text: str, dialect: Dialect) -> str | None:
    match dialect.part(node, key):
        case Part.FIXED:
            return f"{key} must be fixed: no value may decide it"
        case Part.ADDRESS if not is_address(text):
            return f"{key} begins with https:// and a fixed host"
        case Part.PARSED:
            return dialect.misuse(text)
    return None


def filled(tree: Any, values: Sequence[str], dialect: Dialect) -> Any:
    """The tree with its values in place. Raises `RenderError` for an address of no use."""
    match tree:
        case dict():
            full = {key: _one(tree, key, inner, values, dialect) for key, inner in tree.items()}
            return dialect.finished(full, held=any(map(_held, tree.values())))
        case list():
            return [
                fill(inner, [dialect.escaped(value) for value in values])
                if _held(inner)
                else filled(inner, values, dialect)
                for inner in tree
            ]
    return tree


def _held(inner: Any) -> bool:
    return isinstance(inner, str) and has_mark(inner)


def _one(
    node: Mapping[str, Any], key: str, inner: Any, values: Sequence[str], dialect: Dialect
) -> Any:
    if not _held(inner):
        return filled(inner, values, dialect)
    match dialect.part(node, key):
        case Part.ADDRESS:
            found = address(inner, [" ".join(value.split()) for value in values])
            if found is None:
                raise RenderError(f"{key} is no http(s) address for this event")
            return found
        case Part.PLAIN:
            return fill(inner, values)
    return fill(inner, [dialect.escaped(value) for value in values])
