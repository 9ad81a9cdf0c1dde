"""The forms of templates, and how a template's text becomes what can be run, or faults.

A form is Markdown for all channels, or a channel's own. What a template may use is found out
before (`syntax`); what is put into it here (hooks) counts its work and keeps its own Markdown
apart from values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import islice
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.environment import Template
from jinja2.visitor import NodeTransformer

from relay.errors import Fault, RenderError
from relay.events import Event
from relay.messages import READERS, html_form, markdown, overrides
from relay.messages.builtin import Context
from relay.messages.facts import Facts, Missing
from relay.messages.filling import filled
from relay.messages.markdown import FormError, MarkdownError
from relay.messages.marks import PRIVATE
from relay.messages.overrides import JSON, SLACK, TEAMS, Dialect, JsonRendering
from relay.messages.rendering import LONGEST_WORK, RENDERING, Rendering, TooLongError
from relay.messages.sandbox import SANDBOX, TEXT_METHODS, joined
from relay.messages.syntax import Straight, doubts, findings, parts, ways
from relay.messages.whereabouts import Finding, column, explained, place, stray_braces
from relay.text import one_line

LARGEST_FILE = 64 * 1024
"""Bytes of one template."""
QUICK = 0.005
"""Seconds of work that a template may take on the loop, where webhooks wait meanwhile."""


class SlowError(Exception):
    """The message is to be written in a thread: its template is not compiled yet, or works long."""


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
    """What is wrong in one way through a template."""


def _problems(parse: Callable[[str], object], way: Straight) -> Iterator[Finding]:
    try:
        parse(way.text)
    except FormError as error:
        for line, said, near in error.problems:
            yield way.source_line(line), said, near


def _json_problems(dialect: Dialect, way: Straight) -> Iterator[Finding]:
    def parse(text: str) -> None:
        shown, inside_quotes = overrides.quoted(text)
        if inside_quotes:
            raise FormError(inside_quotes)
        overrides.parse(shown, dialect)

    return _problems(parse, way)


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
BODY = _json(".json.j2", "webhook", JSON)
"""What a webhook's destination names; it overrides nothing by its name."""
FORMS = (MARKDOWN, *OVERRIDES, BODY)
SUFFIXES = tuple(form.suffix for form in FORMS)


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
        """What can be run; compiled when it is first asked for, since a folder holds hundreds."""
        return self._template or self.compile(SANDBOX.parse(self.text))

    def compile(self, tree: nodes.Template) -> Template:
        """The same from its parsed text, which is spent by it.

        Raises `RecursionError`, `MemoryError` and `SyntaxError` where it is nested too deeply.
        """
        tree = (_JsonHooks() if self.form.rendering is JsonRendering else _Hooks()).visit(tree)
        tree.set_environment(SANDBOX)
        code = SANDBOX.compile(tree, filename=self.path)
        self._template = Template.from_code(SANDBOX, code, SANDBOX.globals)
        return self._template

    def run(self, event: Event, context: Context, *, quick: bool) -> tuple[Any, Rendering]:
        """What it makes of an event, in its form, and what the run came across.

        With `quick` it raises `SlowError` instead of taking long.
        """
        if quick and (self._template is None or self.is_slow):
            raise SlowError
        template = self.template
        rule = one_line(context.rule, 200) if context.rule else Missing(name="rule")
        voice = context.voice(event)
        given = {"event": Facts(event, voice), "rule": rule, **_advice(tuple(context.audience))}
        scope = template.new_context(given)
        # Its time begins here: compiling it and what it is given are not its own work.
        rendering = self.form.rendering(
            voice, strict=context.strict, seconds=QUICK if quick else LONGEST_WORK
        )
        token = RENDERING.set(rendering)
        try:
            text = joined(list(template.root_render_func(scope)))
        except TooLongError:
            self.is_slow = True
            if quick:
                raise SlowError from None
            raise
        finally:
            RENDERING.reset(token)
        return self.form.finish(text, rendering.values), rendering


@cache
def _advice(audience: tuple[str, ...]) -> Mapping[str, bool]:
    """Which advice those who read there are to see."""
    return {f"for_{reader}": reader in audience for reader in READERS}


def why(error: Exception) -> str:
    """Why a template failed, in one line."""
    line = ""
    trace = error.__traceback__
    while trace is not None:
        found = trace.tb_frame.f_globals.get("__jinja_template__")
        if isinstance(found, Template):
            line = f"line {found.get_corresponding_lineno(trace.tb_lineno)}: "
        trace = trace.tb_next
    if isinstance(error, MarkdownError):
        text = f"its Markdown for this event: {error}"
    elif isinstance(error, FormError):
        text = f"for this event, {error}"
    elif isinstance(error, RenderError | TemplateError):
        text = str(error)
    elif isinstance(error, RecursionError):
        text = "macros or values are nested too deeply"
    else:
        text = f"{type(error).__name__}: {error}"
    return line + one_line(text, 300)


@lru_cache(maxsize=1024)
def compiled(
    file: str, path: str, text: str, form: Form
) -> tuple[Compiled | None, tuple[Fault, ...]]:
    """The template, unless it has faults; they name `path` and come with warnings.

    Kept, so that a reload costs only what was edited.
    """
    faults = [Fault(path, *place(text, at), "error", said) for at, said in _surface(text, form)]
    fine = Compiled(file, path, form, text)
    found: list[Finding] = []
    doubtful: list[Finding] = []
    if not faults:
        try:
            tree = SANDBOX.parse(text)
            everything = parts(tree)
            found = list(findings(everything))
            found += (said for way in ways(tree) for said in form.problems(way))
            doubtful = list(doubts(everything))
            if not found:
                fine.compile(tree)
        except TemplateSyntaxError as error:
            line, at, said = explained(text, error, SANDBOX.parse)
            faults.append(Fault(path, line, at, "error", said))
        except (RecursionError, MemoryError, SyntaxError):
            found.append((1, "it is nested too deeply", ""))
        except (ValueError, OverflowError):
            found.append((1, "a number in it is too large", ""))
    for line, said, near in dict.fromkeys(found):
        line = line or 1  # nodes that Jinja makes up have none
        faults.append(Fault(path, line, column(text, line, near), "error", said))
    is_fine = not faults
    for line, said, near in dict.fromkeys(doubtful):
        faults.append(Fault(path, line, column(text, line, near), "warning", said))
    return fine if is_fine else None, tuple(faults)


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


def _hooked(name: str, value: Any, lineno: int, *args: nodes.Expr) -> nodes.Filter:
    return nodes.Filter(value, name, list(args), [], None, None, lineno=lineno)


class _Hooks(NodeTransformer):
    def visit_For(self, node: nodes.For) -> nodes.Node:  # noqa: N802  # Jinja's naming
        self.generic_visit(node)
        node.iter = _hooked("_loop", node.iter, node.lineno)
        return node

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        node.filter = _hooked("_captured", None, node.lineno)
        return node

    def visit_Concat(self, node: nodes.Concat) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        return _hooked("_concat", nodes.List(node.nodes, lineno=node.lineno), node.lineno)

    def visit_Call(self, node: nodes.Call) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if isinstance(node.node, nodes.Getattr) and node.node.attr in TEXT_METHODS:
            named = nodes.Const(node.node.attr, lineno=node.lineno)
            node.node = _hooked("_method", node.node.node, node.lineno, named)
        return node

    def visit_CondExpr(self, node: nodes.CondExpr) -> nodes.Node:  # noqa: N802
        self.generic_visit(node)
        if node.expr2 is None:
            node.expr2 = nodes.Const("", lineno=node.lineno)
        return node


_NUMBERS = frozenset({"abs", "count", "float", "int", "length", "round", "wordcount"})
"""Filters whose results are numbers, whatever the event holds."""


class _JsonHooks(_Hooks):
    """The author's texts are told apart from values; a number or a truth value is one in JSON."""

    def visit_Const(self, node: nodes.Const) -> nodes.Node:  # noqa: N802
        return _hooked("_own", node, node.lineno) if isinstance(node.value, str) else node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:  # noqa: N802
        literal = list(map(_is_literal, node.nodes))
        self.generic_visit(node)
        node.nodes = [
            _hooked("_literal", part, part.lineno) if is_literal else part
            for part, is_literal in zip(node.nodes, literal, strict=True)
        ]
        return node


def _is_literal(node: nodes.Expr) -> bool:
    """Whether an expression is a number or a truth value by how it is written."""
    match node:
        case nodes.Const(value=value):
            return isinstance(value, bool | int | float)
        case nodes.Filter(name=name):
            return name in _NUMBERS
    return isinstance(node, nodes.Compare | nodes.Test | nodes.Not)
