"""A template's own text, as straight lines that can be parsed as Markdown before any event comes.

Expressions become marks. Each branch of an `if` is taken in one line at least, so the Markdown of
every branch is seen; a `for` goes round once, and once not at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from jinja2 import nodes

from relay.messages.marks import MOST_MARKS, mark

MOST_LINES = 64
"""Ways through a template that are looked at."""
_DEEPEST = 4
"""Macros within macros."""


@dataclass(slots=True)
class Straight:
    """One way through a template: its text, and for each line of it the line of the source."""

    text: str = ""
    lines: list[int] = field(default_factory=lambda: [1])

    def source_line(self, line: int) -> int:
        """The line of the source for a line of the text, both from 1."""
        return self.lines[min(max(line, 1), len(self.lines)) - 1]


def ways(tree: nodes.Template) -> Iterator[Straight]:
    """Different ways through the template, the first through every first branch."""
    seen: set[str] = set()
    bodies = {macro.name: macro.body for macro in tree.find_all(nodes.Macro)}
    for choices in _choices(tree):
        way = _Walk(tree, choices, bodies).walk()
        if way.text not in seen:
            seen.add(way.text)
            yield way
        if len(seen) >= MOST_LINES:
            return


Choices = dict[int, int]
"""By the identity of an `if` or `for`: which of its branches is taken; 0 unless it says so."""


def _choices(tree: nodes.Template) -> Iterator[Choices]:
    yield {}
    yield from _forced(tree.body, {})


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


class _Walk:
    def __init__(
        self, tree: nodes.Template, choices: Choices, bodies: Mapping[str, list[nodes.Node]]
    ) -> None:
        self._tree = tree
        self._choices = choices
        self._bodies = bodies
        self._captured: dict[str, list[nodes.Node]] = {}
        self._parts: list[str] = []
        self._lines = [1]
        self._fresh = True
        self._marks = 0
        self._depth = 0

    def walk(self) -> Straight:
        self._go(self._tree.body)
        return Straight("".join(self._parts), self._lines)

    def _go(self, body: list[nodes.Node]) -> None:
        for node in body:
            match node:
                case nodes.Output():
                    for part in node.nodes:
                        self._output(part)
                case nodes.If() | nodes.For():
                    self._go(_branches(node)[self._choices.get(id(node), 0)])
                case nodes.With():
                    self._go(node.body)
                case nodes.AssignBlock(target=nodes.Name(name=name)):
                    self._captured[name] = node.body

    def _output(self, node: nodes.Node) -> None:
        match node:
            case nodes.TemplateData():
                self._data(node.data, node.lineno)
            case nodes.Call(node=nodes.Name(name=name)) if name in self._bodies:
                self._nested(self._bodies[name], node.lineno)
            case nodes.Call(node=nodes.Name(name="fact")):
                for piece in ("- **", None, ":** ", None, "\n"):
                    self._data(piece, node.lineno) if piece else self._mark(node.lineno)
            case nodes.Name(name=name) if name in self._captured:
                self._nested(self._captured[name], node.lineno)
            case _:
                self._mark(node.lineno)

    def _nested(self, body: list[nodes.Node], line: int) -> None:
        if self._depth >= _DEEPEST:
            self._mark(line)
            return
        self._depth += 1
        self._go(body)
        self._depth -= 1

    def _mark(self, line: int) -> None:
        self._marks = min(self._marks + 1, MOST_MARKS)
        self._append(mark(self._marks - 1), line)

    def _data(self, data: str, line: int) -> None:
        for offset, piece in enumerate(data.split("\n")):
            if offset:
                self._parts.append("\n")
                self._lines.append(line + offset)
                self._fresh = True
            self._append(piece, line + offset)

    def _append(self, piece: str, line: int) -> None:
        if not piece:
            return
        if self._fresh:
            self._lines[-1] = line
            self._fresh = False
        self._parts.append(piece)
