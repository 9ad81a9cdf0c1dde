"""The part of Jinja that templates may use.

Only what is listed here passes: everything else is a fault with its line. `{% filter %}`,
`{% call %}` and `{% set x | f %}…` would print a filter's result as markup; `include`, `import` and
`extends` would tie templates together that are edited and stored one by one.
"""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from relay.messages.builtin import READERS
from relay.messages.facts import NAMES, PARTS
from relay.messages.filters import fault_of_form
from relay.messages.rendering import MOST_ITEMS
from relay.messages.sandbox import FILTERS, LOOP_METHODS, SANDBOX, TEXT_METHODS
from relay.messages.whereabouts import Finding, nearest

DEEPEST = 40
"""Levels of a template's blocks and expressions."""
MOST_LOOPS = 12
"""Loops within each other."""

_INSTEAD = {
    nodes.Pow: "** is refused: it can freeze the relay",
    nodes.Include: "include is refused: each template stands alone; use a macro in this file",
    nodes.Import: "import is refused: each template stands alone; use a macro in this file",
    nodes.FromImport: "import is refused: each template stands alone; use a macro in this file",
    nodes.Extends: "extends is refused: each template stands alone",
    nodes.Block: "block is refused: each template stands alone; use a macro",
    nodes.CallBlock: "call blocks are refused: call the macro as {{ name(…) }}",
    nodes.FilterBlock: "filter blocks are refused: put the filter on the value",
    nodes.ScopedEvalContextModifier: "autoescape is refused: values are always text",
}
_RAW = "values are always text; write the Markdown in the template itself"
_NO_FILTER = {
    "safe": f"the filter safe is refused: {_RAW}",
    "forceescape": "the filter forceescape is refused: values need no escaping",
    "urlize": "the filter urlize is refused: write links as [label](address)",
    "xmlattr": "the filter xmlattr is refused: templates are Markdown, not HTML",
    "format": "the filter format is refused: join texts with ~",
    "attr": "the filter attr is refused: write value.name",
    "random": "the filter random is refused: a message must be the same at every try",
}
_CALLABLE = "only macros of this file, range and methods of texts"
_METHODS_OF_MAPPINGS = {
    "items": "write value|items",
    "keys": "write value|list",
    "values": "write for key, item in value|items",
    "get": "write value.name|default(…)",
}


_READERS = tuple(f"for_{reader}" for reader in READERS)


def findings(tree: nodes.Template) -> Iterator[Finding]:
    """What this template may not use."""
    everything = list(_walk(tree))
    macros = {node.name for node in everything if isinstance(node, nodes.Macro)}
    yield from _too_deep(tree)
    for node in everything:
        yield from ((node.lineno, text, _near(node)) for text in _refusals(node, macros))
    yield from _no_facts(everything)


def _near(node: nodes.Node) -> str:
    """The word by which a person finds the node in its line."""
    match node:
        case nodes.Filter(name=name) | nodes.Test(name=name):
            return str(name)
        case nodes.Call(node=nodes.Getattr(attr=name) | nodes.Name(name=name)):
            return f"{name}("
        case nodes.Pow():
            return "**"
        case nodes.Mul() | nodes.Mod():
            return "*" if isinstance(node, nodes.Mul) else " %"
    return "{%" if isinstance(node, nodes.Stmt) else "{{"


def _no_facts(everything: list[nodes.Node]) -> Iterator[Finding]:
    """Fields that no event can have: they could only ever print as missing."""
    own = {node.name for node in everything if isinstance(node, nodes.Name) and node.ctx != "load"}
    if "event" in own:
        return
    for part in everything:
        match part:
            case nodes.Getattr(node=nodes.Name(name="event"), attr=name) if name not in NAMES:
                said = f"an event has no {name!r}{nearest(name, NAMES)}"
                yield part.lineno, f"{said}; the sender's own is in data", name
            case nodes.Getattr(
                node=nodes.Getattr(node=nodes.Name(name="event"), attr=fact), attr=name
            ) if fact in PARTS and name not in PARTS[fact]:
                said = f"event.{fact} has no {name!r}{nearest(name, PARTS[fact])}"
                yield part.lineno, said, name


def _too_deep(tree: nodes.Template) -> Iterator[Finding]:
    """What Python could not compile: it has limits for blocks and brackets within each other."""
    waiting: list[tuple[nodes.Node, int, int]] = [(tree, 0, 0)]
    while waiting:
        node, depth, loops = waiting.pop()
        loops += isinstance(node, nodes.For)
        if depth > DEEPEST or loops > MOST_LOOPS:
            yield node.lineno, "it is nested too deeply", ""
            return
        waiting.extend((inner, depth + 1, loops) for inner in node.iter_child_nodes())


def doubts(tree: nodes.Template) -> Iterator[Finding]:
    """Names that stand for nothing: they always print as missing."""
    everything = list(_walk(tree))
    names = [node for node in everything if isinstance(node, nodes.Name)]
    own = {name.name for name in names if name.ctx != "load"}
    own |= {node.name for node in everything if isinstance(node, nodes.Macro)}
    has = {"event", "rule", *_READERS, "loop", "varargs", "kwargs", *SANDBOX.globals, *own}
    for name in names:
        if name.name not in has:
            said = f"there is no {name.name!r} here{nearest(name.name, has)}"
            yield name.lineno, said, name.name


def _walk(node: nodes.Node) -> Iterator[nodes.Node]:
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(node.iter_child_nodes())


def _refusals(node: nodes.Node, macros: set[str]) -> Iterator[str]:
    if said := _INSTEAD.get(type(node)):
        yield said
        return
    match node:
        case nodes.For(recursive=True):
            yield "recursive loops are refused"
        case nodes.AssignBlock(filter=nodes.Filter()):
            yield "a filter on a set block is refused: put it on the values"
        case nodes.Filter(name=name) if name not in FILTERS:
            near = nearest(name, FILTERS)
            yield _NO_FILTER.get(name, f"there is no filter {name!r}{near}")
        case nodes.Filter(name="date", args=[nodes.Const(value=form), *_]):
            if fault := fault_of_form(form):
                yield f"date: {fault}"
        case nodes.Test(name=name) if name not in SANDBOX.tests:
            yield f"there is no test {name!r}{nearest(name, SANDBOX.tests)}"
        case nodes.Mul(left=left, right=right):
            if any(_is_sequence(side) for side in (left, right)):
                yield "* is for numbers alone: texts and lists are not repeated"
        case nodes.Mod(left=left) if _is_sequence(left):
            yield "% is for numbers alone: join texts with ~"
        case nodes.Call():
            yield from _refused_call(node, macros)


def _is_sequence(node: nodes.Expr) -> bool:
    return isinstance(node, nodes.List | nodes.Tuple | nodes.Concat | nodes.Dict) or (
        isinstance(node, nodes.Const) and isinstance(node.value, str)
    )


def _refused_call(call: nodes.Call, macros: set[str]) -> Iterator[str]:
    match call.node:
        case nodes.Name(name="range"):
            numbers = [arg.value for arg in call.args if isinstance(arg, nodes.Const)]
            whole = len(numbers) == len(call.args) and all(type(n) is int for n in numbers)
            if whole and 1 <= len(numbers) <= 3 and 0 not in numbers[2:]:
                size = len(range(*numbers))
                if size > MOST_ITEMS:
                    yield f"a range may have {MOST_ITEMS:,} numbers, not {size:,}"
        case nodes.Name(name=name) if name in macros or name in SANDBOX.globals:
            pass
        case nodes.Getattr(attr=name) if name in TEXT_METHODS or name in LOOP_METHODS:
            pass
        case nodes.Getattr(attr=name) if name in _METHODS_OF_MAPPINGS:
            yield (
                f".{name}() is refused, since events have keys of such names: "
                + (_METHODS_OF_MAPPINGS[name])
            )
        case nodes.Getattr(attr=name) | nodes.Name(name=name):
            yield f"{name}(…) cannot be called: {_CALLABLE} can"
        case _:
            yield f"this cannot be called: {_CALLABLE} can"
