"""The Jinja environment of templates: plain data in, marks out, and no way to freeze the process.

Every printed value goes through `finalize` and becomes a mark. What a template captured itself
(a macro's result, a `set` block) is markup and stays so only while it is printed directly: filters,
operators and methods get its plain text, so no value can return as markup.
"""

from __future__ import annotations

from typing import Any

from jinja2 import pass_context
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace
from markupsafe import Markup

from relay.errors import RenderError
from relay.messages.facts import Bag
from relay.messages.lines import WholeLines
from relay.messages.missing import Missing
from relay.messages.rendering import RENDERING
from relay.messages.toolbox import FILTERS, HOOKS, TEXT_METHODS, TextMethod, bounded_range

LOOP_NAMES = frozenset(
    {
        *("index", "index0", "first", "last", "length", "revindex", "revindex0"),
        *("previtem", "nextitem", "cycle", "changed", "depth", "depth0"),
    }
)
"""What `loop` has."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Templates reach keys of mappings, items of lists, a few methods of texts, and no more."""

    intercepted_binops = frozenset({"+", "-", "*", "/", "//", "%", "**"})
    intercepted_unops = frozenset({"+", "-"})

    def __init__(self) -> None:
        super().__init__(
            autoescape=True,
            undefined=Missing,
            finalize=_finalize,
            lstrip_blocks=True,
            extensions=[WholeLines],
            optimized=False,  # constants are not worked out while loading
            cache_size=0,
        )
        self.globals = {"range": bounded_range, "namespace": Namespace, "dict": dict}
        self.tests = dict(self.tests) | {"none": _none}
        self.filters = {**FILTERS, **HOOKS}

    def getattr(self, obj: Any, attribute: str) -> Any:
        RENDERING.get().hurry()
        return self._part(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        RENDERING.get().hurry()
        if isinstance(obj, str | list | tuple | range) and isinstance(argument, int):
            try:
                return RENDERING.get().plain(obj)[argument]
            except IndexError:
                path = getattr(obj, "path", None)
                return Missing(name=f"{path}[{argument}]" if path else str(argument))
        if isinstance(argument, Markup):
            argument = RENDERING.get().plain(argument)
        return self._part(obj, argument)

    def _part(self, obj: Any, name: Any) -> Any:
        match obj:
            case Bag():
                return obj.part(name)
            case Missing():
                return obj.part(name)
            case dict():
                try:
                    return obj[name]
                except (KeyError, TypeError):
                    return Missing(name=str(name))
            case str() if name in TEXT_METHODS:
                return TextMethod(obj, name)
            case LoopContext() if name in LOOP_NAMES:
                return getattr(obj, name)
            case Namespace() if isinstance(name, str) and not name.startswith("_"):
                return getattr(obj, name, Missing(name=name))
            case tuple() if name in ("grouper", "list") and hasattr(obj, name):
                return getattr(obj, name)  # what `groupby` yields
        path = getattr(obj, "path", None)
        return Missing(name=f"{path}.{name}" if isinstance(path, str) else str(name))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        rendering = RENDERING.get()
        rendering.spend()
        left, right = rendering.plain(left), rendering.plain(right)
        missing = next((side for side in (left, right) if isinstance(side, Missing)), None)
        if missing is not None:
            return missing
        if operator == "**":
            raise SecurityError("** is refused")
        if operator in {"*", "%"} and not (
            isinstance(left, int | float) and isinstance(right, int | float)
        ):
            raise SecurityError(f"{operator} is for numbers alone")
        return rendering.bounded(super().call_binop(context, operator, left, right))

    def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
        return super().call_unop(context, operator, RENDERING.get().plain(arg))

    def call(  # the names keep clear of the template's keywords
        self, __context: Context, __obj: Any, *args: Any, **kwargs: Any
    ) -> Any:
        rendering = RENDERING.get()
        rendering.spend()
        if isinstance(__obj, TextMethod):
            args = tuple(rendering.plain(arg) for arg in args)
            # Jinja passes the variables of loops and blocks along, for functions that want them.
            given = {name: value for name, value in kwargs.items() if name not in _OF_JINJA}
            return rendering.bounded(__obj(*args, **rendering.plain(given)))
        if isinstance(__obj, Macro) or __obj in (bounded_range, Namespace, dict) or _of_loop(__obj):
            return __context.call(__obj, *args, **kwargs)
        if isinstance(__obj, Missing):
            raise RenderError(f"{__obj.name} is no function")
        raise SecurityError("only macros, range and methods of texts can be called")


_OF_JINJA = frozenset({"_loop_vars", "_block_vars"})


def _none(value: Any) -> bool:
    return value is None or isinstance(value, Undefined)


def _of_loop(called: Any) -> bool:
    return isinstance(getattr(called, "__self__", None), LoopContext)


@pass_context
def _finalize(_context: Context, value: Any) -> Markup:
    return RENDERING.get().write(value)


SANDBOX = Sandbox()
"""Stateless: the run under way is in `RENDERING`."""
