"""`Templates`: the files of a template folder, compiled and checked; event and template → message.

A template that fails never silences an event: the built-in message goes out in its place and
names template and reason.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, MappingProxyType

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.environment import Template

from relay.errors import ConfigError, Fault, RenderError
from relay.events import Event
from relay.messages import Message
from relay.messages.builtin import Context, fallback, footer, marked
from relay.messages.facts import facts
from relay.messages.filling import filled
from relay.messages.markdown import MarkdownError, parse
from relay.messages.marks import PRIVATE, one_line
from relay.messages.missing import Missing
from relay.messages.rendering import MOST_OUTPUT, RENDERING, Rendering
from relay.messages.sandbox import SANDBOX
from relay.messages.straight import ways
from relay.messages.syntax import doubts, findings, harden

SUFFIX = ".md.j2"
LARGEST_FILE = 64 * 1024
"""Bytes of one template."""

__all__ = ["Context", "Templates", "fallback"]


@dataclass(frozen=True, slots=True)
class _Compiled:
    name: str
    """The file's name without its folder: `quality.md.j2`."""
    template: Template


class Templates:
    """One whole set of checked templates; immutable."""

    def __init__(
        self,
        texts: Mapping[str, str],
        compiled: Mapping[str, _Compiled],
        warnings: tuple[Fault, ...] = (),
    ) -> None:
        self._texts = MappingProxyType(dict(texts))
        self._compiled = dict(compiled)
        self._warnings = warnings

    @classmethod
    def load(cls, folder: Path) -> Templates:
        """Every `*.md.j2` of a folder. Raises `ConfigError` with all faults of all files."""
        texts: dict[str, str] = {}
        faults: list[Fault] = []
        try:
            paths = sorted(path for path in folder.iterdir() if path.name.endswith(SUFFIX))
        except OSError as error:
            reason = error.strerror or type(error).__name__
            text = f"the template folder cannot be read: {reason}"
            raise ConfigError([Fault(str(folder), 0, 0, "error", text)]) from None
        for path in paths:
            try:
                raw = path.read_bytes()
                texts[path.name] = raw.decode("utf-8-sig")
            except UnicodeDecodeError:
                faults.append(Fault(str(path), 0, 0, "error", "it is not UTF-8"))
            except OSError as error:
                reason = error.strerror or type(error).__name__
                faults.append(Fault(str(path), 0, 0, "error", f"it cannot be read: {reason}"))
        return cls._build(texts, str(folder), faults)

    @classmethod
    def from_texts(cls, texts: Mapping[str, str], folder: str = "") -> Templates:
        """The same from file names and their texts, such as `.texts` of another set.

        Faults name `folder` before the file. Raises `ConfigError` with all faults.
        """
        return cls._build(texts, folder, [])

    @classmethod
    def _build(cls, texts: Mapping[str, str], folder: str, faults: list[Fault]) -> Templates:
        compiled: dict[str, _Compiled] = {}
        for name, text in sorted(texts.items()):
            bare = name.rpartition("/")[2]
            if not bare.endswith(SUFFIX):
                continue
            file = str(Path(folder) / name) if folder else name
            key = bare.casefold()
            if key in compiled:
                twin = f"it differs from {compiled[key].name} by case alone"
                faults.append(Fault(file, 0, 0, "error", twin))
                continue
            template, found = _compile(file, text)
            faults += found
            if template is not None:
                compiled[key] = _Compiled(bare, template)
        if any(fault.level == "error" for fault in faults):
            raise ConfigError([fault for fault in faults if fault.level == "error"])
        return cls(texts, compiled, tuple(sorted(faults)))

    @property
    def texts(self) -> Mapping[str, str]:
        """File names and their texts, as written."""
        return self._texts

    @property
    def names(self) -> tuple[str, ...]:
        """What a rule may name as its template: file names without `.md.j2`."""
        return tuple(sorted(one.name.removesuffix(SUFFIX) for one in self._compiled.values()))

    @property
    def warnings(self) -> tuple[Fault, ...]:
        """What looks wrong and still works, such as names that no event has."""
        return self._warnings

    def choose(self, event: Event, wanted: str | None = None) -> str | None:
        """The file name of the template for an event; None: the built-in message.

        `wanted`, the rule's own, is taken even if there is no such file: rendering names the fault.
        """
        if wanted:
            file = wanted if wanted.casefold().endswith(SUFFIX) else wanted + SUFFIX
            found = self._compiled.get(file.casefold())
            return found.name if found else file
        names = (f"{event.kind}.{event.detail}", event.kind, event.topic.value, "default")
        for name in names[0 if event.detail else 1 :]:
            if found := self._compiled.get((name + SUFFIX).casefold()):
                return found.name
        return None

    def render(self, event: Event, *, context: Context) -> Message:
        """The message for an event.

        Never raises, unless `context.strict`: then a template's fault and a missing value are a
        `RenderError`. Otherwise a fault yields the built-in message with the fault named.
        """
        name = self.choose(event, context.template)
        if name is None:
            return fallback(event, context)
        try:
            return self._rendered(name, event, context)
        except Exception as error:
            # Whatever a template runs into, the event must be told.
            reason = f"template {one_line(name, 120)} failed: {_reason(error)}"
            if context.strict:
                raise RenderError(reason) from error
            return fallback(event, context, reason)

    def _rendered(self, name: str, event: Event, context: Context) -> Message:
        compiled = self._compiled.get(name.casefold())
        if compiled is None:
            raise RenderError("there is no such template")
        rendering = Rendering(context.timezone, strict=context.strict)
        rule = one_line(context.rule, 200) if context.rule else Missing(name="rule")
        token = RENDERING.set(rendering)
        try:
            draft = parse(_run(compiled.template, rendering, event, rule))
        finally:
            RENDERING.reset(token)
        title, blocks = filled(draft, rendering.values)
        if not title:
            raise RenderError("its title is empty")
        message = Message(
            title=title,
            blocks=blocks,
            footer=footer(event, context),
            severity=event.severity,
            direction=event.direction,
            template=compiled.name,
            missing=tuple(rendering.missing),
        )
        return marked(message, event, context)


def _run(template: Template, rendering: Rendering, event: Event, rule: str | Missing) -> str:
    """The marked text that a template writes."""
    parts: list[str] = []
    room = 0
    scope = template.new_context({"event": facts(event), "rule": rule})
    for part in template.root_render_func(scope):
        room += len(part)
        if room > MOST_OUTPUT:
            rendering.wrote(room)
        parts.append(part)
    return "".join(parts)


def _reason(error: Exception) -> str:
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
    elif isinstance(error, RenderError | TemplateError):
        text = str(error)
    elif isinstance(error, RecursionError):
        text = "macros or values are nested too deeply"
    else:
        text = f"{type(error).__name__}: {error}"
    return line + one_line(text, 300)


def _compile(file: str, text: str) -> tuple[Template | None, list[Fault]]:
    """The template, unless it has faults; they come with warnings."""
    found = list(_surface(text))
    code: CodeType | None = None
    doubtful: list[tuple[int, str]] = []
    if not found:
        try:
            tree = SANDBOX.parse(text)
            found = [*findings(tree), *_markdown(tree)]
            doubtful = list(doubts(tree))
            if not found:
                code = SANDBOX.compile(harden(tree), filename=file)
        except TemplateSyntaxError as error:
            found.append((error.lineno, f"{error.message}"))
        except (RecursionError, MemoryError, SyntaxError, ValueError, OverflowError) as error:
            found.append((1, f"it cannot be compiled: {type(error).__name__}"))
    faults = [_fault(file, text, line, "error", said) for line, said in dict.fromkeys(found)]
    faults += [_fault(file, text, line, "warning", said) for line, said in dict.fromkeys(doubtful)]
    if code is None:
        return None, faults
    return Template.from_code(SANDBOX, code, SANDBOX.globals), faults


def _surface(text: str) -> Iterator[tuple[int, str]]:
    if len(text.encode(errors="replace")) > LARGEST_FILE:
        yield 1, f"it is larger than {LARGEST_FILE // 1024} KB"
    elif not text.strip():
        yield 1, "it is empty"
    if odd := PRIVATE.search(text):
        yield text.count("\n", 0, odd.start()) + 1, f"private-use character U+{ord(odd[0]):04X}"
    if "\x00" in text:
        yield 1, "it holds a NUL character"


def _markdown(tree: nodes.Template) -> Iterator[tuple[int, str]]:
    """Markdown outside the subset on any way through the template."""
    for way in ways(tree):
        try:
            parse(way.text)
        except MarkdownError as error:
            yield from ((way.source_line(line), said) for line, said in error.problems)


def _fault(file: str, text: str, line: int, level: str, said: str) -> Fault:
    line = line or 1  # nodes that Jinja makes up have none
    lines = text.split("\n")
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    column = len(source) - len(source.lstrip()) + 1
    return Fault(file, line, column, "error" if level == "error" else "warning", said)
