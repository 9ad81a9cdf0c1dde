"""The changes that make a template safe to run: hooks at every place that could grow or leak."""

from __future__ import annotations

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

from relay.messages.sandbox import SANDBOX


def harden(tree: nodes.Template, *, authored: bool = False) -> nodes.Template:
    """The template with every loop, joined text and repeated output under the sandbox's eyes.

    `authored` is for overrides in JSON: the author's texts are told apart from values, and what
    can only be a number or a truth value is written as one.
    """
    hardened = (_AuthoredHardener() if authored else _Hardener()).visit(tree)
    assert isinstance(hardened, nodes.Template)  # a template stays one
    hardened.set_environment(SANDBOX)
    return hardened


def _internal(name: str, value: nodes.Node, lineno: int) -> nodes.Filter:
    return nodes.Filter(value, name, [], [], None, None, lineno=lineno)


class _Hardener(NodeTransformer):
    def __init__(self) -> None:
        self._repeated = 0
        """How many loops, macros and captured blocks stand around."""

    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # Jinja's naming
        self._inside(node)
        node.iter = _internal("_loop", node.iter, node.lineno)
        return node

    def visit_Macro(self, node: nodes.Macro) -> nodes.Node:  # noqa: N802
        return self._inside(node)

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:  # noqa: N802
        return self._inside(node)

    def _inside(self, node: nodes.Node) -> nodes.Node:
        self._repeated += 1
        node = self.generic_visit(node)
        self._repeated -= 1
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node | list[nodes.Node]:  # noqa: N802
        self.generic_visit(node)
        size = sum(len(n.data) for n in node.nodes if isinstance(n, nodes.TemplateData))
        if not (self._repeated and size):
            return node
        # What is captured does not pass the output's own limit, so it is counted as it is written.
        count = _internal("_wrote", nodes.Const(size, lineno=node.lineno), node.lineno)
        return [nodes.ExprStmt(count, lineno=node.lineno), node]

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _internal("_concat", nodes.List(node.nodes, lineno=node.lineno), node.lineno)

    def visit_Getitem(self, node: nodes.Getitem) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.arg, nodes.Slice):
            node.node = _internal("_plain", node.node, node.lineno)
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.expr2 is None:
            node.expr2 = nodes.Const("", lineno=node.lineno)
        return node


_NUMBERS = frozenset({"abs", "count", "float", "int", "length", "round", "wordcount"})
"""Filters whose results are numbers, whatever the event holds."""


class _AuthoredHardener(_Hardener):
    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802
        return _internal("_own", node, node.lineno) if isinstance(node.value, str) else node

    def visit_Compare(self, node: nodes.Compare) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.expr = _internal("_plain", node.expr, node.lineno)
        for operand in node.ops:
            operand.expr = _internal("_plain", operand.expr, node.lineno)
        return node

    def visit_Test(self, node: nodes.Test) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.node = _internal("_plain", node.node, node.lineno)
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node | list[nodes.Node]:  # noqa: N802
        literal = [_is_literal(part) for part in node.nodes]
        visited = super().visit_Output(node)
        node.nodes = [
            _internal("_literal", part, part.lineno) if is_literal else part
            for part, is_literal in zip(node.nodes, literal, strict=True)
        ]
        return visited


def _is_literal(node: nodes.Expr) -> bool:
    """Whether an expression is a number or a truth value by how it is written."""
    match node:
        case nodes.Const(value=value):
            return isinstance(value, bool | int | float)
        case nodes.Filter(name=name):
            return name in _NUMBERS
    return isinstance(node, nodes.Compare | nodes.Test | nodes.Not)
