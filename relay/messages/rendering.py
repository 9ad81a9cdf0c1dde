"""`Rendering`: one run of a template: the values behind its marks, and what it may still spend.

The author of a template is no enemy, but he errs: what grows or goes round without end is stopped
by a count of steps and by the processor's time of its own thread, compilation left out.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextvars import ContextVar
from datetime import date, datetime, timedelta
from itertools import islice
from typing import Any

from jinja2.runtime import Undefined

from relay.errors import RenderError
from relay.messages.facts import Missing
from relay.messages.filters import show_duration, show_moment
from relay.messages.languages import Voice
from relay.messages.marks import FIRST_MARK, MOST_CHARACTERS, MOST_MARKS, SHORT, fill
from relay.messages.words import phrase
from relay.text import clean, cut

MOST_OUTPUT = 64 * 1024
"""Characters that a template may write, values included; also those of one text."""
MOST_STEPS = 20_000
"""Loop rounds, calls and filters in one run; long texts count several times."""
LONGEST_WORK = 1.0
"""Seconds of the processor's time in the template's own thread: a busy machine fails none."""
_BIGGEST_WHOLE = 10**18
"""A larger whole number is written as the float that it is."""
_MOST_BITS = 2_048
"""Of a whole number: no number that an event can hold has more, and one more product has an end."""
_DEEPEST = 32
"""Levels of data that are written out."""
_STEPS_A_LOOK = 64
"""The clock of a thread costs more than a step, so it is asked this seldom."""
_LONG = 256
"""Characters of a text that count as one step."""


class Captured:
    """What a template wrote itself: the result of a macro, a `set` block.

    Printed it is Markdown with marks in it. To everything else, filters, operators and methods, it
    is its plain text, so that no value can ever return as Markdown.
    """

    __slots__ = ("marked",)

    def __init__(self, marked: str) -> None:
        self.marked = marked

    def __str__(self) -> str:
        return fill(self.marked, RENDERING.get().values)

    def __len__(self) -> int:
        return len(str(self))

    def __iter__(self) -> Iterator[str]:
        return iter(str(self))

    def __getitem__(self, at: Any) -> str:
        return str(self)[at]

    def __contains__(self, part: Any) -> bool:
        return str(part) in str(self)

    def __eq__(self, other: object) -> bool:
        return str(self) == (str(other) if isinstance(other, Captured) else other)

    def __hash__(self) -> int:
        return hash(str(self))

    def __lt__(self, other: Any) -> bool:
        return str(self) < str(other)

    def __gt__(self, other: Any) -> bool:
        return str(self) > str(other)


class Authored(Captured):
    """A text that the author of an override wrote, alone or joined with values."""

    __slots__ = ()


def plain(value: Any) -> Any:
    """The value without what the template captured: its text."""
    return str(value) if isinstance(value, Captured) else value


class Rendering:
    """The values in order of output, the missing ones by name, and the budget that is left."""

    __slots__ = (
        *("missing", "values", "voice", "_next_look", "_output", "_seconds", "_steps", "_strict"),
        "_until",
    )

    def __init__(
        self, voice: Voice, *, strict: bool = False, seconds: float = LONGEST_WORK
    ) -> None:
        self.voice = voice
        self.values: list[str] = []
        self.missing: dict[str, None] = {}
        self._strict = strict
        self._seconds = seconds
        self._until: float | None = None
        self._output = 0
        self._steps = 0
        self._next_look = _STEPS_A_LOOK

    def write(self, value: Any) -> str:
        """What stands in the output for a value: a mark; what was captured passes."""
        if type(value) is not str:
            if isinstance(value, Captured):
                return value.marked
            value = self.text(value)
        if not (value.isascii() and value.isprintable()):
            value = clean(value)
        size = len(value)
        if size > SHORT:
            value = cut(value, MOST_CHARACTERS, self.voice.language)
            size = len(value)
        self._output += size
        number = len(self.values)
        if self._output > MOST_OUTPUT or number >= MOST_MARKS:
            raise too_much()
        self.values.append(value)
        return chr(FIRST_MARK + number)

    def joined(self, parts: Sequence[Any]) -> Any:
        """What `~` makes of its parts."""
        return self.bounded("".join(map(self.text, parts)))

    def spend(self, steps: int = 1) -> None:
        """Count work; look at the clock once in a while."""
        self._steps += steps
        if self._steps < self._next_look:
            return
        self._next_look = self._steps + _STEPS_A_LOOK
        if self._steps > MOST_STEPS:
            raise RenderError("it works for too long: loops go round too often, or lists grow")
        now = time.thread_time()
        if self._until is None:
            self._until = now + self._seconds
        elif now > self._until:
            raise TooLongError(f"it works for too long: more than {self._seconds} s")

    def bounded(self, value: Any) -> Any:
        """The result of an operation; what grows too large is refused."""
        if isinstance(value, str):
            if len(value) > MOST_OUTPUT:
                raise RenderError(f"a text grows longer than {MOST_OUTPUT // 1024} KB")
            if len(value) > _LONG:
                self.spend(len(value) // _LONG)
        elif isinstance(value, int) and value.bit_length() > _MOST_BITS:
            raise RenderError("a number grows too large")
        elif isinstance(value, list) and len(value) > MOST_OUTPUT:
            raise RenderError("a list grows too long")
        return value

    def text(self, value: Any) -> str:
        """A value as plain text for people."""
        match value:
            case str():
                return value
            case Captured():
                return str(value)
            case Undefined():
                return self._note(value)
            case bool():
                return "true" if value else "false"
            case datetime() | date():
                return show_moment(value, self.voice)
            case timedelta():
                return str(show_duration(value, self.voice))
            case float() if value.is_integer() and abs(value) < _BIGGEST_WHOLE:
                return str(int(value))
            case int() | float():
                return str(value)
            case Mapping() | Sequence():
                tree = self._tree(value, [MOST_CHARACTERS], 0)
                return json.dumps(tree, ensure_ascii=False, default=str)
        if value is None or callable(value):
            return self._note(Missing(name=getattr(value, "name", "value")))
        raise RenderError(f"a {type(value).__name__} cannot be written")

    def _note(self, value: Undefined) -> str:
        name = value.name if isinstance(value, Missing) else "value"
        if self._strict:
            raise RenderError(f"{name} is missing")
        self.missing[name] = None
        return phrase("missing", self.voice.language, name=name)

    def _tree(self, value: Any, left: list[int], depth: int) -> Any:
        """A tree of JSON; what lies too deep or is too much to show is an ellipsis."""
        left[0] -= 1
        if isinstance(value, bool | int | float):
            return value
        if isinstance(value, Undefined):
            return None
        if isinstance(value, str) or not isinstance(value, Mapping | Sequence):
            return self.text(value)
        if left[0] <= 0 or depth >= _DEEPEST:
            return "…"
        if isinstance(value, Mapping):
            pairs = islice(value.items(), left[0])
            return {str(key): self._tree(inner, left, depth + 1) for key, inner in pairs}
        return [self._tree(inner, left, depth + 1) for inner in islice(value, left[0])]


class TooLongError(RenderError):
    """A template that works for longer than it was given."""


def too_much() -> RenderError:
    return RenderError(f"it writes more than {MOST_OUTPUT // 1024} KB")


RENDERING: ContextVar[Rendering] = ContextVar("rendering")
"""The run that is under way; the sandbox's hooks have no other way to it."""
