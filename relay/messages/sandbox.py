"""The Jinja environment of templates: plain data in, marks out.

Every printed value goes through `finalize` and becomes a mark; only what stands in the template
and what it captured itself (`Captured`) is written as it is. A filter, an operator or a method
gets plain text, and nothing but data can be reached.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from jinja2 import pass_environment
from jinja2.environment import Environment
from jinja2.ext import Extension
from jinja2.filters import FILTERS as JINJAS
from jinja2.lexer import Token, TokenStream
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import SandboxedEnvironment
from jinja2.utils import Namespace

from relay.errors import RenderError
from relay.messages import filters
from relay.messages.facts import Bag, Facts, Missing, Row
from relay.messages.rendering import (
    MOST_OUTPUT,
    RENDERING,
    Authored,
    Captured,
    plain,
    too_much,
)

TEXT_METHODS = frozenset(
    {
        *("capitalize", "casefold", "count", "endswith", "find", "isalpha", "isdigit", "islower"),
        *("isupper", "join", "lower", "lstrip", "removeprefix", "removesuffix", "replace"),
        *("rsplit", "rstrip", "split", "splitlines", "startswith", "strip", "title", "upper"),
    }
)
"""What can be called on a text; the others could fill the memory at once, as `ljust` does."""
_OF_EVENTS = frozenset({Facts, Bag, Missing})
"""What knows its parts itself."""


def fact(label: Any, value: Any) -> Captured:
    """`- **label:** value` as a line of its own; nothing where there is no value."""
    if not value:
        return _NOTHING
    write = RENDERING.get().write
    return Captured(f"- **{write(label)}:** {write(value)}\n")


_NOTHING = Captured("")


class Sandbox(SandboxedEnvironment):
    """Templates reach keys of mappings and items of lists, call a few methods of texts, no more."""

    intercepted_binops = frozenset({"+", "*", "%"})

    def __init__(self) -> None:
        super().__init__(
            undefined=Missing,
            finalize=_written,
            lstrip_blocks=True,
            extensions=[WholeLines],
            optimized=False,  # constants are not worked out while loading
            cache_size=0,
        )
        # Jinja's own range is bounded.
        self.globals = {
            "range": self.globals["range"],
            "namespace": Namespace,
            "dict": dict,
            "fact": fact,
        }
        self.tests = dict(self.tests) | {"none": _none}
        self.filters = {**FILTERS, **_HOOKS}

    @staticmethod
    def concat(parts: Iterable[str]) -> str:
        """What a macro or a `set` block wrote."""
        return joined(list(parts))

    def getattr(self, obj: Any, attribute: str) -> Any:
        return obj.part(attribute) if type(obj) in _OF_EVENTS else self._part(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        argument = plain(argument)
        if type(obj) in _OF_EVENTS:
            return obj.part(argument)
        if isinstance(argument, int) and isinstance(obj, str | Sequence | Captured):
            try:
                return obj[argument]
            except IndexError:
                path = getattr(obj, "path", None)
                return Missing(name=f"{path}[{argument}]" if path else str(argument))
        return self._part(obj, argument)

    def _part(self, obj: Any, name: Any) -> Any:
        match obj:
            case dict():
                try:
                    return obj[name]
                except (KeyError, TypeError):
                    return Missing(name=str(name))
            case LoopContext() | Namespace() if isinstance(name, str) and name[:1] != "_":
                return getattr(obj, name, Missing(name=name))
            case tuple() if name in ("grouper", "list") and hasattr(obj, name):
                return getattr(obj, name)  # what `groupby` yields
        path = getattr(obj, "path", None)
        return Missing(name=f"{path}.{name}" if isinstance(path, str) else str(name))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ARG002
        rendering = RENDERING.get()
        rendering.spend()
        left, right = _operand(left), _operand(right)
        for side in (left, right):
            if isinstance(side, Missing):
                return side
        if operator == "+":
            return rendering.bounded(left + right)
        if not (isinstance(left, int | float) and isinstance(right, int | float)):
            raise RenderError(f"{operator} is for numbers alone")
        return rendering.bounded(left * right if operator == "*" else left % right)

    def call(  # the names keep clear of the template's keywords
        self,
        __context: Context,
        __obj: Any,
        *args: Any,
        _loop_vars: object = None,
        _block_vars: object = None,
        **kwargs: Any,
    ) -> Any:
        if __obj is fact:
            return fact(*args, **kwargs)
        rendering = RENDERING.get()
        rendering.spend()
        if isinstance(__obj, Macro):
            return Captured(str(__context.call(__obj, *args, **kwargs)))
        if not callable(__obj):
            name = __obj.name if isinstance(__obj, Missing) else f"a {type(__obj).__name__}"
            raise RenderError(f"{name} is no function")
        return rendering.bounded(__obj(*map(plain, args), **kwargs))


def joined(parts: list[str]) -> str:
    """The parts of an output as one text. Raises `RenderError` where it is too long."""
    if sum(map(len, parts)) > MOST_OUTPUT:
        raise too_much()
    return "".join(parts)


def _written(value: Any) -> str:
    return RENDERING.get().write(value)


def _none(value: Any) -> bool:
    return value is None or isinstance(value, Undefined)


def _operand(value: Any) -> Any:
    return list(value) if isinstance(value, Row) else plain(value)


def _joined(between: str, items: Iterable[Any]) -> str:
    return between.join(map(_text, items))


def _replaced(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    text, old, new = _text(value), _text(old), _text(new)
    if len(text) + text.count(old) * max(0, len(new) - len(old)) > MOST_OUTPUT:
        raise RenderError(f"a text grows longer than {MOST_OUTPUT // 1024} KB")
    return text.replace(old, new, -1 if count is None else count)


def _text(value: Any) -> str:
    return RENDERING.get().text(value)


# Filters


@pass_environment
def _join(jinja: Environment, value: Any, d: Any = "", attribute: Any = None) -> str:
    if attribute is not None:
        value = [jinja.getitem(item, attribute) for item in value]
    return _joined(_text(d), value)


def _rounded(value: Any, precision: int = 0, method: str = "common") -> Any:
    if not isinstance(precision, int) or not 0 <= precision <= 12:
        raise RenderError("round: the precision goes from 0 to 12")
    return JINJAS["round"](value, precision, method)


_HARMLESS = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby"),
    *("int", "items", "last", "length", "list", "lower", "map", "max", "min", "reject"),
    *("rejectattr", "reverse", "select", "selectattr", "sort", "sum", "title", "trim"),
    *("truncate", "unique", "upper", "urlencode", "wordcount"),
)
"""Jinja's own filters that are harmless as they are."""
_TAKES_MISSING = frozenset({"default", "d"})
"""Filters that are meant for what is not there; the others hand it on."""
_SIZED = (str, Sequence)

_PLAIN: Mapping[str, Callable[..., Any]] = {
    **{name: JINJAS[name] for name in _HARMLESS},
    "join": _join,
    "round": _rounded,
    "replace": _replaced,
    "tojson": lambda value: _text([value])[1:-1],
    # Values are text whatever is done to them, so escaping has nothing to do.
    **dict.fromkeys(("string", "e", "escape"), _text),
    "phone": filters.show_phone,
}
_SPOKEN: Mapping[str, Callable[..., Any]] = {
    "date": filters.show_date,
    "duration": filters.show_duration,
    "since": filters.show_since,
    "until": filters.show_until,
    "number": filters.show_number,
    "country": filters.show_country,
    "language_name": filters.show_language,
    "words": filters.show_words,
    "limit": filters.show_limit,
}
"""These take the voice of the run; what they cannot say is None."""


def _guarded(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that sees plain values, hands on what is missing, and is counted."""
    passed = getattr(run, "jinja_pass_arg", None)
    at = 0 if passed is None else 1

    def guarded(*args: Any, **named: Any) -> Any:
        value = args[at]
        if isinstance(value, Undefined) and name not in _TAKES_MISSING:
            return value
        rendering = RENDERING.get()
        rendering.spend(1 + len(value) // 256 if isinstance(value, _SIZED) else 1)
        result = run(*map(plain, args), **named)
        return rendering.bounded(list(result) if isinstance(result, Iterator) else result)

    if passed is not None:
        guarded.jinja_pass_arg = passed  # type: ignore[attr-defined]  # as Jinja marks its own
    return guarded


def _spoken(name: str, show: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with the voice of the run under way."""

    def spoken(value: Any, *args: Any, **named: Any) -> Any:
        if isinstance(value, Undefined):
            return value
        if type(value) is not str:
            value = plain(value)
        if args:
            args = tuple(map(plain, args))
        said = show(value, RENDERING.get().voice, *args, **named)
        return Missing(name=f"time {name}") if said is None else said

    return spoken


FILTERS: Mapping[str, Callable[..., Any]] = {
    **{name: _guarded(name, run) for name, run in _PLAIN.items()},
    **{name: _spoken(name, show) for name, show in _SPOKEN.items()},
}
"""What templates may use by name."""


# What is put into a template while it is compiled; by hand these names are no filters.


def _loop(value: Any) -> Iterator[Any]:
    """What a `for` goes through, each round of it counted."""
    rendering = RENDERING.get()
    for item in plain(value):
        rendering.spend()
        yield item


def _method(value: Any, name: str) -> Any:
    """What is called as `value.name(…)`: the method of a text; of anything else its part."""
    if not isinstance(value, str | Captured):
        return SANDBOX.getattr(value, name)
    text = str(value)
    if name == "replace":
        return partial(_replaced, text)
    return partial(_joined, text) if name == "join" else getattr(text, name)


def _literal(value: Any) -> Any:
    """A number or truth value as JSON has it; anything else stays a value."""
    if not isinstance(value, bool | int | float):
        return value
    return Captured(json.dumps(RENDERING.get().bounded(value), allow_nan=False))


_HOOKS: Mapping[str, Callable[..., Any]] = {
    "_loop": _loop,
    "_concat": lambda parts: RENDERING.get().joined(parts),
    "_captured": Captured,
    "_method": _method,
    "_own": Authored,
    "_literal": _literal,
}


class WholeLines(Extension):
    """A line of nothing but tags and comments leaves no line; tags within a line leave it whole.

    Jinja's own `trim_blocks` also eats the line end after `{% endif %}` at the end of a text.
    """

    def filter_stream(self, stream: TokenStream) -> Iterator[Token]:
        only_tags, after_tag = True, False
        for token in stream:
            if token.type == "variable_begin":
                only_tags = False
            elif token.type == "data":
                text, line = token.value, token.lineno
                if only_tags and after_tag and text.startswith("\n"):
                    text, line = text[1:], line + 1
                elif not only_tags and "\n" not in text:
                    yield token
                    after_tag = True
                    continue
                only_tags = not text.rpartition("\n")[2].strip()
                yield Token(line, token.type, text)
                after_tag = True
                continue
            # Two texts in a row have a comment between them, which is not in the stream.
            after_tag = token.type == "block_end"
            yield token


SANDBOX = Sandbox()
"""Stateless: the run under way is in `RENDERING`."""
