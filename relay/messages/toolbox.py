"""What templates can call: filters, methods of texts, and the hooks that the hardening puts in.

A filter never sees markup, hands on what is missing, and is counted; what could fill the memory or
freeze the process is bounded before it runs.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from jinja2 import Environment, pass_context, pass_environment
from jinja2.filters import FILTERS as JINJAS
from jinja2.runtime import Context, Undefined
from markupsafe import Markup

from relay.errors import RenderError
from relay.messages.filters import (
    show_country,
    show_date,
    show_duration,
    show_language,
    show_limit,
    show_number,
    show_phone,
    show_since,
    show_until,
    show_words,
)
from relay.messages.rendering import LONGEST_TEXT, MOST_ITEMS, RENDERING, Authored

_HARMLESS = (
    *("abs", "capitalize", "count", "default", "dictsort", "first", "float", "groupby", "int"),
    *("items", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr"),
    *("reverse", "select", "selectattr", "sort", "string", "sum", "title", "trim", "truncate"),
    *("unique", "upper", "urlencode", "wordcount"),
)
"""Jinja's own filters that are harmless as they are."""

_TAKES_MISSING = frozenset({"default", "d"})
"""Filters that are meant for what is not there; the others hand it on."""


def _replace(text: str, old: Any, new: Any, count: int = -1) -> str:
    rendering = RENDERING.get()
    old, new = rendering.text(old), rendering.text(new)
    hits = text.count(old)
    if len(text) + hits * max(0, len(new) - len(old)) > LONGEST_TEXT:
        raise RenderError(f"a text grows longer than {LONGEST_TEXT // 1024} KB")
    return text.replace(old, new, count)


def _join(text: str, items: Iterable[Any]) -> str:
    rendering = RENDERING.get()
    texts = [rendering.text(item) for item in items]
    size = len(text) * len(texts) + sum(map(len, texts))
    if size > LONGEST_TEXT:
        raise RenderError(f"a text grows longer than {LONGEST_TEXT // 1024} KB")
    return text.join(texts)


_METHODS = (
    *("capitalize", "casefold", "count", "endswith", "find", "isalpha", "isdigit", "islower"),
    *("isupper", "lower", "lstrip", "removeprefix", "removesuffix", "rsplit", "rstrip", "split"),
    *("splitlines", "startswith", "strip", "title", "upper"),
)
TEXT_METHODS: Mapping[str, Callable[..., Any]] = {
    **{name: getattr(str, name) for name in _METHODS},
    "replace": _replace,
    "join": _join,
}
"""What can be called on a text."""


class TextMethod:
    """A method of a text, with the text taken as plain."""

    __slots__ = ("_method", "_text", "name")

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self._text = text
        self._method = TEXT_METHODS[name]

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._method(RENDERING.get().plain(self._text), *args, **kwargs)


def bounded_range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > MOST_ITEMS:
        raise RenderError(f"a range may have {MOST_ITEMS:,} numbers, not {len(numbers):,}")
    return numbers


def _guarded(name: str, run: Callable[..., Any]) -> Callable[..., Any]:
    """A filter that never sees markup, hands on what is missing, and is counted."""
    passed = str(getattr(run, "jinja_pass_arg", "")).rpartition(".")[2]

    @pass_context
    def guarded(context: Context, value: Any, *args: Any, **kwargs: Any) -> Any:
        rendering = RENDERING.get()
        rendering.spend()
        if isinstance(value, Undefined) and name not in _TAKES_MISSING:
            return value
        value, args, kwargs = map(rendering.plain, (value, args, kwargs))
        if isinstance(value, str | list | tuple):
            rendering.spend(len(value) // 256)
        first: tuple[Any, ...] = ()
        match passed:
            case "context":
                first = (context,)
            case "eval_context":
                first = (context.eval_ctx,)
            case "environment":
                first = (context.environment,)
        result = run(*first, value, *args, **kwargs)
        if isinstance(result, Iterator):
            result = list(result)
        return rendering.bounded(rendering.plain(result))

    return guarded


@pass_environment
def _joined(jinja: Environment, value: Any, d: Any = "", attribute: Any = None) -> str:
    rendering = RENDERING.get()
    if attribute is not None:
        value = [jinja.getitem(item, attribute) for item in value]
    return _join(rendering.text(d), value)


def _rounded(value: Any, precision: int = 0, method: str = "common") -> Any:
    if not isinstance(precision, int) or not 0 <= precision <= 12:
        raise RenderError("round: the precision goes from 0 to 12")
    return JINJAS["round"](value, precision, method)


def _text(value: Any) -> str:
    return RENDERING.get().text(value)


def _replaced(value: Any, old: Any, new: Any, count: int | None = None) -> str:
    return _replace(_text(value), old, new, -1 if count is None else count)


def _spoken(show: Callable[..., Any]) -> Callable[..., Any]:
    """The filter with the voice of the run under way."""

    def spoken(value: Any, *args: Any, **kwargs: Any) -> Any:
        return show(value, RENDERING.get().voice, *args, **kwargs)

    return spoken


def _json(value: Any) -> str:
    rendering = RENDERING.get()
    return rendering.text([value])[1:-1]


_UNGUARDED: Mapping[str, Callable[..., Any]] = {
    **{name: JINJAS[name] for name in _HARMLESS},
    "d": JINJAS["default"],
    "join": _joined,
    "round": _rounded,
    "replace": _replaced,
    "string": _text,
    # Values are text whatever is done to them, so escaping has nothing to do.
    "e": _text,
    "escape": _text,
    "tojson": _json,
    "phone": show_phone,
    **{
        name: _spoken(show)
        for name, show in (
            ("date", show_date),
            ("duration", show_duration),
            ("since", show_since),
            ("until", show_until),
            ("number", show_number),
            ("country", show_country),
            ("language_name", show_language),
            ("words", show_words),
            ("limit", show_limit),
        )
    },
}


@pass_context
def _loop(_context: Context, value: Any) -> Any:
    """What a `for` goes through: a list of bounded length, each round of it counted."""
    rendering = RENDERING.get()
    if isinstance(value, Undefined):
        return ()
    items = rendering.plain(value)
    if not isinstance(items, str | list | tuple | dict | range):
        raise RenderError(f"a for goes through lists, not through a {type(items).__name__}")
    if len(items) > MOST_ITEMS:
        raise RenderError(f"a loop may have {MOST_ITEMS:,} rounds, not {len(items):,}")
    rendering.spend(len(items))
    return list(items)


@pass_context
def _concat(_context: Context, parts: list[Any]) -> str:
    rendering = RENDERING.get()
    rendering.spend()
    return rendering.joined(parts)


@pass_context
def _plain(_context: Context, value: Any) -> Any:
    return RENDERING.get().plain(value)


@pass_context
def _wrote(_context: Context, characters: int) -> None:
    RENDERING.get().wrote(characters)


@pass_context
def _own(_context: Context, text: str) -> Authored:
    return Authored(text)


@pass_context
def _literal(_context: Context, value: Any) -> Any:
    """A number or truth value as JSON has it; anything else stays a value."""
    if not isinstance(value, bool | int | float):
        return value
    return Markup(json.dumps(RENDERING.get().bounded(value), allow_nan=False))  # noqa: S704  # a number


HOOKS: Mapping[str, Callable[..., Any]] = {
    "_loop": _loop,
    "_concat": _concat,
    "_plain": _plain,
    "_wrote": _wrote,
    "_own": _own,
    "_literal": _literal,
}
"""Put into templates by `relay.messages.hardening`; `syntax` refuses them when written by hand."""

FILTERS: Mapping[str, Callable[..., Any]] = {
    name: _guarded(name, run) for name, run in _UNGUARDED.items()
}
"""What templates may use by name."""
