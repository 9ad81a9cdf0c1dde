"""What a template may say: the part of Jinja that it may use, and the ways through its text.

Only what is listed here passes: everything else is a fault with its line. `{% filter %}`,
`{% call %}` and `{% set x | f %}…` would print a filter's result as markup; `include`, `import` and
`extends` would tie templates together that are edited and stored one by one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import nodes

from relay.messages import READERS
from relay.messages.facts import NAMES, PARTS
from relay.messages.filters import fault_of_form
from relay.messages.marks import MOST_MARKS, mark
from relay.messages.sandbox import FILTERS, SANDBOX
from relay.messages.whereabouts import Finding, meant

_ALONE = "each template stands alone; use a macro in this file"
_INSTEAD = {
    nodes.Pow: "** is refused: it can freeze the relay",
    nodes.Include: f"include is refused: {_ALONE}",
    nodes.Import: f"import is refused: {_ALONE}",
    nodes.FromImport: f"import is refused: {_ALONE}",
    nodes.Extends: f"extends is refused: {_ALONE}",
    nodes.Block: f"block is refused: {_ALONE}",
    nodes.CallBlock: "call blocks are refused: call the macro as {{ name(…) }}",
    nodes.FilterBlock: "filter blocks are refused: put the filter on the value",
    nodes.ScopedEvalContextModifier: "autoescape is refused: values are always text",
}
_NO_FILTER = {
    "safe": "the filter safe is refused: values are always text; write the Markdown in the "
    "template itself",
    "random": "the filter random is refused: a message must be the same at every try",
}
_NO_METHODS = {
    "items": "write value|items",
    "keys": "write value|list",
    "values": "write for key, item in value|items",
    "get": "write value.name|default(…)",
}
"""What mappings have elsewhere, and what to write here."""
_GIVEN = {"event", "rule", "loop", "varargs", "kwargs", *(f"for_{reader}" for reader in READERS)}
"""Names that stand for something without being set."""


def parts(tree: nodes.Template) -> list[nodes.Node]:
    """Every node of a parsed template."""
    found: list[nodes.Node] = []
    waiting: list[nodes.Node] = [tree]
    while waiting:
        found.append(node := waiting.pop())
        waiting.extend(node.iter_child_nodes())
    return found


def findings(everything: list[nodes.Node]) -> Iterator[Finding]:
    """What a template of these parts may not use."""
    for node in everything:
        yield from ((node.lineno, text, _near(node)) for text in _refusals(node))
    yield from _no_facts(everything)


def doubts(everything: list[nodes.Node]) -> Iterator[Finding]:
    """Names that stand for nothing: they always print as missing."""
    names = [node for node in everything if isinstance(node, nodes.Name)]
    own = {name.name for name in names if name.ctx != "load"}
    own |= {node.name for node in everything if isinstance(node, nodes.Macro)}
    has = {*_GIVEN, *SANDBOX.globals, *own}
    for name in names:
        if name.name not in has:
            said = f"there is no {name.name!r} here{meant(name.name, has)}"
            yield name.lineno, said, name.name


def _near(node: nodes.Node) -> str:
    """The word by which a person finds the node in its line."""
    match node:
        case nodes.Filter(name=name) | nodes.Test(name=name):
            return str(name)
        case nodes.Call(node=nodes.Getattr(attr=name)):
            return f"{name}("
        case nodes.Pow():
            return "**"
    return "{%" if isinstance(node, nodes.Stmt) else "{{"


def _no_facts(everything: list[nodes.Node]) -> Iterator[Finding]:
    """Fields that no event can have: they could only ever print as missing."""
    own = {node.name for node in everything if isinstance(node, nodes.Name) and node.ctx != "load"}
    if "event" in own:
        return
    for part in everything:
        match part:
            case nodes.Getattr(node=nodes.Name(name="event"), attr=name) if name not in NAMES:
                said = f"an event has no {name!r}{meant(name, NAMES)}"
                yield part.lineno, f"{said}; the sender's own is in data", name
            case nodes.Getattr(
                node=nodes.Getattr(node=nodes.Name(name="event"), attr=fact), attr=name
            ) if fact in PARTS and name not in PARTS[fact]:
                said = f"event.{fact} has no {name!r}{meant(name, PARTS[fact])}"
                yield part.lineno, said, name


def _refusals(node: nodes.Node) -> Iterator[str]:
    if said := _INSTEAD.get(type(node)):
        yield said
        return
    match node:
        case nodes.For(recursive=True):
            yield "recursive loops are refused"
        case nodes.AssignBlock(filter=nodes.Filter()):
            yield "a filter on a set block is refused: put it on the values"
        case nodes.Filter(name=name) if name not in FILTERS:
            near = meant(name, FILTERS)
            yield _NO_FILTER.get(name, f"there is no filter {name!r}{near}")
        case nodes.Filter(name="date", args=[nodes.Const(value=form), *_]):
            if fault := fault_of_form(form):
                yield f"date: {fault}"
        case nodes.Test(name=name) if name not in SANDBOX.tests:
            yield f"there is no test {name!r}{meant(name, SANDBOX.tests)}"
        case nodes.Call(node=nodes.Getattr(attr=name)) if instead := _NO_METHODS.get(name):
            yield f".{name}() is refused, since events have keys of such names: {instead}"


# A template's own text as straight lines that can be parsed as Markdown before any event comes.
# Expressions become marks. Each branch of an `if` is taken in one line at least, so the Markdown of
# every branch is seen; a `for` goes round once, and once not at all.

MOST_LINES = 64
"""Ways through a template that are looked at."""
_DEEPEST = 4
"""Macros within macros."""


@dataclass(frozen=True, slots=True)
class Straight:
    """One way through a template: its text, and for each line of it the line of the source."""

    text: str
    lines: tuple[int, ...]

    def source_line(self, line: int) -> int:
        """The line of the source for a line of the text, both from 1."""
        return self.lines[min(max(line, 1), len(self.lines)) - 1]


Pieces = Iterator[tuple[str | None, int]]
"""Texts of a template, or None where a value is written, each with its line."""
Choices = dict[int, int]
"""By the identity of an `if` or `for`: which of its branches is taken; 0 unless it says so."""


def ways(tree: nodes.Template) -> Iterator[Straight]:
    """Different ways through the template, the first through every first branch."""
    seen: set[str] = set()
    bodies = {macro.name: macro.body for macro in tree.find_all(nodes.Macro)}
    for choices in ({}, *_forced(tree.body, {})):
        way = _straight(_Walk(choices, bodies).pieces(tree.body))
        if way.text not in seen:
            seen.add(way.text)
            yield way
        if len(seen) >= MOST_LINES:
            return


def _forced(body: list[nodes.Node], above: Choices) -> Iterator[Choices]:
    for node in body:
        if isinstance(node, nodes.If | nodes.For):
            for number, branch in enumerate(_branches(node)):
                here = above | {id(node): number}
                if number:
                    yield here
                yield from _forced(branch, here)
        elif isinstance(node, nodes.With | nodes.Macro | nodes.AssignBlock):
            yield from _forced(node.body, above)


def _branches(node: nodes.If | nodes.For) -> list[list[nodes.Node]]:
    if isinstance(node, nodes.For):
        return [node.body, node.else_]
    return [node.body, *(branch.body for branch in node.elif_), node.else_]


def _straight(pieces: Pieces) -> Straight:
    text = ""
    lines = [0]
    marks = 0
    is_fresh = True
    for piece, first in pieces:
        if piece is None:
            piece = mark(min(marks, MOST_MARKS - 1))
            marks += 1
        for line, part in enumerate(piece.split("\n"), first):
            if line > first:
                text += "\n"
                lines.append(line)
                is_fresh = True
            if part and is_fresh:
                lines[-1] = line
                is_fresh = False
            text += part
    return Straight(text, tuple(lines))


class _Walk:
    def __init__(self, choices: Choices, bodies: Mapping[str, list[nodes.Node]]) -> None:
        self._choices = choices
        self._bodies = bodies
        self._captured: dict[str, list[nodes.Node]] = {}

    def pieces(self, body: list[nodes.Node], depth: int = 0) -> Pieces:
        for node in body:
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        yield from self._output(part, depth)
                case nodes.If() | nodes.For():
                    taken = _branches(node)[self._choices.get(id(node), 0)]
                    yield from self.pieces(taken, depth)
                case nodes.With():
                    yield from self.pieces(node.body, depth)
                case nodes.AssignBlock(target=nodes.Name(name=name)):
                    self._captured[name] = node.body

    def _output(self, node: nodes.Node, depth: int) -> Pieces:
        inner: list[nodes.Node] | None = None
        match node:
            case nodes.TemplateData(data=data):
                yield data, node.lineno
                return
            case nodes.Call(node=nodes.Name(name=name)) if name in self._bodies:
                inner = self._bodies[name]
            case nodes.Call(node=nodes.Name(name="fact")):
                yield from ((part, node.lineno) for part in ("- **", None, ":** ", None, "\n"))
                return
            case nodes.Name(name=name):
                inner = self._captured.get(name)
        if inner is None or depth >= _DEEPEST:
            yield None, node.lineno
        else:
            yield from self.pieces(inner, depth + 1)
