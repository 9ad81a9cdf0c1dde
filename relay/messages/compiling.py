"""A template's text becomes something that can be run, or faults with their lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from jinja2 import TemplateSyntaxError
from jinja2.environment import Template

from relay.errors import Fault
from relay.messages.forms import Form
from relay.messages.marks import PRIVATE
from relay.messages.overrides import JsonRendering
from relay.messages.sandbox import SANDBOX, compile_template
from relay.messages.straight import ways
from relay.messages.syntax import doubts, findings

LARGEST_FILE = 64 * 1024
"""Bytes of one template."""


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
    found = list(_surface(text))
    doubtful: list[tuple[int, str]] = []
    if not found:
        try:
            tree = SANDBOX.parse(text)
            found = [*findings(tree), *(said for way in ways(tree) for said in form.problems(way))]
            doubtful = list(doubts(tree))
        except TemplateSyntaxError as error:
            found.append((error.lineno, f"{error.message}"))
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
            found.append((1, f"it cannot be compiled: {type(error).__name__}"))
    faults = [_fault(path, text, line, "error", said) for line, said in dict.fromkeys(found)]
    faults += [_fault(path, text, line, "warning", said) for line, said in dict.fromkeys(doubtful)]
    return None if found else Compiled(file, path, form, text), tuple(faults)


def _surface(text: str) -> Iterator[tuple[int, str]]:
    if len(text.encode(errors="replace")) > LARGEST_FILE:
        yield 1, f"it is larger than {LARGEST_FILE // 1024} KB"
    elif not text.strip():
        yield 1, "it is empty"
    if odd := PRIVATE.search(text):
        yield text.count("\n", 0, odd.start()) + 1, f"private-use character U+{ord(odd[0]):04X}"
    if "\x00" in text:
        yield 1, "it holds a NUL character"


def _fault(file: str, text: str, line: int, level: str, said: str) -> Fault:
    line = line or 1  # nodes that Jinja makes up have none
    lines = text.split("\n")
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    column = len(source) - len(source.lstrip()) + 1
    return Fault(file, line, column, "error" if level == "error" else "warning", said)
