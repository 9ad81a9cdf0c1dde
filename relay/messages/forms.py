"""The forms that templates are written in: Markdown for all channels, and each channel's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from relay.messages import html_form, markdown, overrides
from relay.messages.filling import filled
from relay.messages.markdown import FormError
from relay.messages.overrides import SLACK, TEAMS, Dialect, JsonRendering
from relay.messages.rendering import Rendering
from relay.messages.straight import Straight

Finding = tuple[int, str]
"""Line and what is wrong there."""


@dataclass(frozen=True, slots=True)
class Form:
    """One way to write a template."""

    suffix: str
    """How its files' names end."""
    channel: str | None
    """Whose messages it overrides; None: it is the Markdown of all."""
    rendering: type[Rendering]
    finish: Callable[[str, Sequence[str]], Any]
    """(marked text, values) to what is sent; raises what `problems` reports."""
    problems: Callable[[Straight], Iterator[Finding]]
    """What is wrong with one way through a template."""


def _problems(parse: Callable[[str], object], way: Straight) -> Iterator[Finding]:
    try:
        parse(way.text)
    except FormError as error:
        yield from ((way.source_line(line), said) for line, said in error.problems)


def _json_problems(dialect: Dialect, way: Straight) -> Iterator[Finding]:
    text, inside_quotes = overrides.quoted(way.text)
    if inside_quotes:
        yield from ((way.source_line(line), said) for line, said in inside_quotes)
        return
    yield from _problems(lambda _: overrides.parse(text, dialect), way)


def _json(suffix: str, channel: str, dialect: Dialect) -> Form:
    def finish(marked: str, values: Sequence[str]) -> Any:
        return overrides.filled(overrides.parse(marked, dialect), values, dialect)

    return Form(suffix, channel, JsonRendering, finish, partial(_json_problems, dialect))


MARKDOWN = Form(
    ".md.j2",
    None,
    Rendering,
    lambda marked, values: filled(markdown.parse(marked), values),
    partial(_problems, markdown.parse),
)
OVERRIDES = (
    _json(".slack.json.j2", "slack", SLACK),
    _json(".teams.json.j2", "teams", TEAMS),
    Form(
        ".email.html.j2",
        "email",
        Rendering,
        lambda marked, values: html_form.filled(html_form.parse(marked), values),
        partial(_problems, html_form.parse),
    ),
)
FORMS = (MARKDOWN, *OVERRIDES)
SUFFIXES = tuple(form.suffix for form in FORMS)
