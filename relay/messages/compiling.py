"""A template's text becomes something that can be run, or faults with their lines."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice

from jinja2 import TemplateSyntaxError, nodes
from jinja2.environment import Template

from relay.errors import Fault
from relay.messages.forms import Form
from relay.messages.marks import PRIVATE
from relay.messages.overrides import JsonRendering
from relay.messages.sandbox import SANDBOX, compile_template
from relay.messages.straight import ways
from relay.messages.syntax import doubts, findings
from relay.messages.whereabouts import Finding, column, explained, place, stray_braces

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
