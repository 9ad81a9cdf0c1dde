"""`Rendering`: what one run of a template has written so far, and what it may still spend."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from typing import Any

from jinja2.runtime import Undefined
from markupsafe import Markup

from relay.errors import RenderError
from relay.messages.filters import show_duration, show_moment
from relay.messages.languages import Voice
from relay.messages.marks import MOST_MARKS, clean, cut, fill, mark
from relay.messages.missing import Missing
from relay.messages.phrases import phrase

MOST_OUTPUT = 64 * 1024
"""Characters that a template may write, values included."""
MOST_STEPS = 20_000
"""Loop rounds, calls and filters of one run; long texts count several times."""
MOST_ITEMS = 1_000
"""Items of one loop or `range`."""
LONGEST_TEXT = MOST_OUTPUT
BIGGEST_NUMBER = 10**18


class Authored(str):
    """Text that the author of an override wrote, in which marks stand for values."""

    __slots__ = ()


LONGEST_WORK = 1.0
"""Seconds of the processor's time, so that a busy machine fails no template; in one thread."""


class Rendering:
    """The values in order of output, the missing ones by name, and the budget that is left."""

    def __init__(self, voice: Voice, *, strict: bool = False) -> None:
        self.voice = voice
        self.strict = strict
        self.values: list[str] = []
        self.missing: dict[str, None] = {}
        self._output = 0
        self._steps = 0
        self._until = time.thread_time() + LONGEST_WORK

    def write(self, value: Any) -> Markup:
        """The mark of a value; markup of the template itself passes."""
        if isinstance(value, Markup):
            self.wrote(len(value))
            return value
        return Markup(self.marked(value))  # noqa: S704  # a mark is no text of anybody

    def marked(self, value: Any) -> str:
        """The mark that stands for a value from now on."""
        text = cut(clean(self.text(value)), language=self.voice.language)
        self.wrote(len(text))
        if len(self.values) >= MOST_MARKS:
            raise RenderError(f"it writes more than {MOST_MARKS} values")
        self.values.append(text)
        return mark(len(self.values) - 1)

    def joined(self, parts: list[Any]) -> str:
        """What `~` makes of its parts."""
        joined: str = self.bounded("".join(map(self.text, parts)))
        return joined

    def wrote(self, characters: int) -> None:
        """Count output."""
        self._output += characters
        if self._output > MOST_OUTPUT:
            raise RenderError(f"it writes more than {MOST_OUTPUT // 1024} KB")

    def spend(self, steps: int = 1) -> None:
        """Count work."""
        self._steps += steps
        if self._steps > MOST_STEPS:
            raise RenderError("it works for too long: loops or macros go round too often")
        self.hurry()

    def hurry(self) -> None:
        """Stop what is allowed step by step and still takes too long, such as sorting in a loop."""
        if time.thread_time() > self._until:
            raise RenderError(f"it works for too long: more than {LONGEST_WORK} s")

    def text(self, value: Any) -> str:
        """A value as plain text for people."""
        match value:
            case Markup() | Authored():
                return fill(str(value), self.values)
            case str():
                return str(value)
            case Undefined():
                return self._note(value)
            case bool():
                return "true" if value else "false"
            case datetime() | date():
                return show_moment(value, self.voice)
            case timedelta():
                return str(show_duration(value, self.voice))
            case None:
                return self._note(Missing(name="value"))
            case float() if value.is_integer() and abs(value) < BIGGEST_NUMBER:
                return str(int(value))
            case int() | float():
                return str(value)
            case dict() | list() | tuple():
                return json.dumps(self._tree(value), ensure_ascii=False, default=str)
        if isinstance(value, range):
            return json.dumps(list(value))
        if callable(value):
            return self._note(Missing(name=getattr(value, "name", "value")))
        raise RenderError(f"a {type(value).__name__} cannot be written")

    def plain(self, value: Any) -> Any:
        """The value without markup: captured text becomes plain text, in lists too."""
        if isinstance(value, Markup | Authored):
            return fill(str(value), self.values)
        if type(value) is list:
            return [self.plain(item) for item in value]
        if type(value) is tuple:
            return tuple(self.plain(item) for item in value)
        if type(value) is dict:
            return {self.plain(key): self.plain(item) for key, item in value.items()}
        return value

    def bounded(self, value: Any) -> Any:
        """The result of an operation; texts, lists and numbers that grow too large are refused."""
        if isinstance(value, str):
            if len(value) > LONGEST_TEXT:
                raise RenderError(f"a text grows longer than {LONGEST_TEXT // 1024} KB")
            self.spend(len(value) // 256)
        elif isinstance(value, int) and abs(value) > BIGGEST_NUMBER:
            raise RenderError("a number grows too large")
        elif isinstance(value, list | tuple) and len(value) > LONGEST_TEXT:
            raise RenderError("a list grows too long")
        return value

    def _note(self, value: Undefined) -> str:
        name = value.name if isinstance(value, Missing) else "value"
        if self.strict:
            raise RenderError(f"{name} is missing")
        self.missing[name] = None
        return phrase("missing", self.voice.language, name=name)

    def _tree(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {str(key): self._tree(inner) for key, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self._tree(inner) for inner in value]
        if isinstance(value, Undefined):
            return None
        if isinstance(value, bool | int | float):
            return value
        return self.text(value)


RENDERING: ContextVar[Rendering] = ContextVar("rendering")
"""The run that is under way; the sandbox's hooks have no other way to it."""
