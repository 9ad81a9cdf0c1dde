"""A template's text becomes something that can be run, or faults with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Any

from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import Template
from jinja2.visitor import NodeTransformer

from relay.errors import Fault
from relay.messages.forms import Form
from relay.messages.marks import PRIVATE
from relay.messages.overrides import JsonRendering
from relay.messages.sandbox import SANDBOX
from relay.messages.straight import ways
from relay.messages.syntax import doubts, findings
from relay.messages.whereabouts import Finding, column, explained, place, stray_braces

LARGEST_FILE = 64 * 1024
"""Bytes of one template."""


def _hooked(name: str, value: Any, lineno: int) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=lineno)


class _Hooks(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # Jinja's naming
        self.generic_visit(node)
        node.iter = _hooked("_loop", node.iter, node.lineno)
        return node

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.filter = _hooked("_captured", None, node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _hooked("_concat", nodes.List(node.nodes, lineno=node.lineno), node.lineno)

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.expr2 is None:
            node.expr2 = nodes.Const("", lineno=node.lineno)
        return node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        sides = [node.expr, *(operand.expr for operand in node.ops)]
        if not any(map(_is_flat, sides)):  # lists of the template's own on both sides
            node.expr = _hooked("_weighed", node.expr, node.lineno)
            for operand in node.ops:
                operand.expr = _hooked("_weighed", operand.expr, node.lineno)
        return self.generic_visit(node)

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        if node.args:
            node.node = _hooked("_weighed", node.node, node.lineno)
            node.args = [_hooked("_weighed", arg, arg.lineno) for arg in node.args]
        return self.generic_visit(node)

    def visit_Pair(self, node: nodes.Pair) -> nodes.Node:  # noqa: N802
        node.key = _hooked("_weighed", node.key, node.lineno)
        return self.generic_visit(node)


def _is_flat(node: nodes.Expr) -> bool:
    if isinstance(node, nodes.List | nodes.Tuple):
        return all(map(_is_flat, node.items))
    return isinstance(node, nodes.Const)


_NUMBERS = frozenset({"abs", "count", "float", "int", "length", "round", "wordcount"})
"""Filters whose results are numbers, whatever the event holds."""


class _JsonHooks(_Hooks):
    """The author's texts are told apart from values; a number or a truth value is one in JSON."""

    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802
        return _hooked("_own", node, node.lineno) if isinstance(node.value, str) else node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802
        literal = list(map(_is_literal, node.nodes))
        self.generic_visit(node)
        node.nodes = [
            _hooked("_literal", part, part.lineno) if is_literal else part
            for part, is_literal in zip(node.nodes, literal, strict=True)
        ]
        return node


def _is_literal(node: nodes.Expr) -> bool:
    """Whether an expression is a number or a truth value by how it is written."""
    match node:
        case nodes.Const(value=value):
            return isinstance(value, bool | int | float)
        case nodes.Filter(name=name):
            return name in _NUMBERS
    return isinstance(node, nodes.Compare | nodes.Test | nodes.Not)


def compile_template(text: str, path: str, *, json_form: bool = False) -> Template:
    """What can be run; `json_form` for overrides in JSON. Its text was found without faults."""
    tree = (_JsonHooks() if json_form else _Hooks()).visit(SANDBOX.parse(text))
    tree.set_environment(SANDBOX)
    code = SANDBOX.compile(tree, filename=path)
    return Template.from_code(SANDBOX, code, SANDBOX.globals)


@dataclass(slots=True, eq=False)
class Compiled:
    """A template without faults."""

    file: str
    """Its name with the folder of its language: `quality.md.j2`, `de/quality.md.j2`."""
    path: str
    form: Form
    text: str
    is_slow: bool = False
    """It once worked for longer than it was given."""
    _template: Template | None = None

    @property
    def template(self) -> Template:
        """What can be run; compiled when it is first used, since a folder holds hundreds."""
        if self._template is None:
            json_form = self.form.rendering is JsonRendering
            self._template = compile_template(self.text, self.path, json_form=json_form)
        return self._template

    @property
    def is_quick(self) -> bool:
        """Whether it may be run where others wait for it."""
        return self._template is not None and not self.is_slow


@lru_cache(maxsize=1024)
def compiled(
    file: str, path: str, text: str, form: Form
) -> tuple[Compiled | None, tuple[Fault, ...]]:
    """The template, unless it has faults; they name `path` and come with warnings.

    Kept, so that a reload costs only what was edited.
    """
    faults = [Fault(path, *place(text, at), "error", said) for at, said in _surface(text, form)]
    found: list[Finding] = []
    doubtful: list[Finding] = []
    if not faults:
        try:
            tree = SANDBOX.parse(text)
            found = [*findings(tree), *_of_form(form, tree)]
            doubtful = list(doubts(tree))
        except TemplateSyntaxError as error:
            line, at, said = explained(text, error, SANDBOX.parse)
            faults.append(Fault(path, line, at, "error", said))
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
            found.append((1, f"it cannot be compiled: {type(error).__name__}", ""))
    for line, said, near in dict.fromkeys(found):
        line = line or 1  # nodes that Jinja makes up have none
        faults.append(Fault(path, line, column(text, line, near), "error", said))
    fine = None if faults else Compiled(file, path, form, text)
    for line, said, near in dict.fromkeys(doubtful):
        faults.append(Fault(path, line, column(text, line, near), "warning", said))
    return fine, tuple(faults)


def _of_form(form: Form, tree: nodes.Template) -> Iterator[Finding]:
    for way in ways(tree):
        for line, said in form.problems(way):
            tag = _HTML.search(said)
            near = next((sign for word, sign in _SIGNS.items() if said.startswith(word)), "")
            yield line, said, tag[0] if tag else near


_HTML = re.compile(r"(?<=instead of )<[^>]+")
_SIGNS = {"images": "![", "{{ }}": "{{", "write links": "<"}
"""By which sign the place of such a fault is found."""


def _surface(text: str, form: Form) -> Iterator[tuple[int, str]]:
    """What is wrong with a text before anybody reads it, by index."""
    if len(text.encode(errors="replace")) > LARGEST_FILE:
        yield 0, f"it is larger than {LARGEST_FILE // 1024} KB"
    elif not text.strip():
        yield 0, "it is empty"
    if odd := PRIVATE.search(text):
        yield odd.start(), f"private-use character U+{ord(odd[0]):04X}"
    if "\x00" in text:
        yield text.index("\x00"), "it holds a NUL character"
    if form.channel is None:
        yield from islice(stray_braces(text), 1)
