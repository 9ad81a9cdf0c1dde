"""`Templates`: the files of a template folder, compiled and checked; event and template → message.

A template that fails never silences an event: the built-in message goes out in its place and
names template and reason. An override that fails leaves the Markdown message, which says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from relay import starter
from relay.errors import ConfigError, Fault, RenderError
from relay.events import Event
from relay.messages import Message
from relay.messages.builtin import (
    Context,
    fallback,
    footer,
    signed,
    without_override,
)
from relay.messages.compiling import BODY, MARKDOWN, OVERRIDES, Compiled, SlowError, compiled, why
from relay.messages.shelf import PLAIN, Label, find, label, named, read_folder, search
from relay.text import one_line

SUFFIX = MARKDOWN.suffix
_MOST_CHOICES = 4_096

__all__ = ["Context", "SlowError", "Templates", "fallback"]


@dataclass(frozen=True, slots=True)
class _Choice:
    """The files that speak for an event."""

    file: str
    overrides: Mapping[str, str] = field(default_factory=dict)
    """By channel."""


Trusts = Callable[[str, str], bool]
"""Whether a template, by its file and its text, passed the checks before."""


def _nothing(_file: str, _text: str) -> bool:
    return False


class Templates:
    """One whole set of checked templates; immutable.

    Where it has none for an event, those of the set behind it speak: a folder holds only what
    differs from the shipped ones.
    """

    def __init__(
        self,
        texts: Mapping[str, str],
        templates: Mapping[str, Compiled],
        warnings: tuple[Fault, ...] = (),
        behind: Templates | None = None,
        *,
        are_tested: bool = False,
    ) -> None:
        self.texts: Mapping[str, str] = MappingProxyType(dict(texts))
        """File names, with the folders of languages, and their texts, as written."""
        self.warnings = warnings
        """What looks wrong and still works, such as names that no event has."""
        self._tested = texts if are_tested else {}
        self._behind = behind
        self._compiled: dict[str, Compiled] = {**(behind._compiled if behind else {}), **templates}
        self._labels = {file: said for file in templates if (said := label(file)) is not None}
        self._files = {said.key: file for file, said in self._labels.items()}
        self._choices: dict[tuple[str | None, ...], _Choice | None] = {}

    @classmethod
    def load(
        cls, folder: Path, trusts: Trusts = _nothing, *, behind: Templates | None = None
    ) -> Templates:
        """Every template of a folder and of those folders in it that are called like a language.

        What `trusts` says passed before is not checked again.
        Raises `ConfigError` with all faults of all files.
        """
        try:
            texts, faults = read_folder(folder)
        except OSError as error:
            reason = error.strerror or type(error).__name__
            text = f"the template folder cannot be read: {reason}"
            raise ConfigError([Fault(str(folder), 1, 1, "error", text)]) from None
        return cls.from_texts(texts, str(folder), trusts, behind=behind, unread=faults)

    @classmethod
    def from_texts(
        cls,
        texts: Mapping[str, str],
        folder: str = "",
        trusts: Trusts = _nothing,
        *,
        behind: Templates | None = None,
        unread: Iterable[Fault] = (),
    ) -> Templates:
        """The same from file names and their texts, such as `.texts` of another set.

        A template of a language is called `de/quality.md.j2`. Faults name `folder` before the
        file, and come with those of `unread` ones. Raises `ConfigError` with all faults.
        """
        faults = list(unread)
        templates: dict[str, Compiled] = {}
        labels: dict[str, tuple[str, Label]] = {}
        for file, text in sorted(texts.items()):
            said = label(file)
            if said is None:
                continue
            path = str(Path(folder) / file) if folder else file
            if said.key in labels:
                twin = f"it differs from {labels[said.key][0]} by case alone"
                faults.append(Fault(path, 1, 1, "error", twin))
                continue
            labels[said.key] = (file, said)
            if behind is not None and behind._tested.get(file) == text:
                templates[file] = behind._compiled[file]
                continue
            if trusts(file, text):
                templates[file] = Compiled(file, path, said.form, text)
                continue
            template, found = compiled(file, path, text, said.form)
            faults += found
            if template is not None:
                templates[file] = template
        faults += _alone(labels, behind._files if behind else {}, folder)
        if errors := [fault for fault in faults if fault.level == "error"]:
            raise ConfigError(errors)
        return cls(texts, templates, tuple(sorted(faults)), behind)

    @staticmethod
    @cache
    def shipped() -> Templates:
        """The relay's own. They are not checked again, unless somebody edited them in place."""
        texts = starter.templates()
        if starter.digest(texts) != starter.TESTED:
            return Templates.from_texts(texts, starter.TEMPLATES)
        labels = {file: said for file in texts if (said := label(file)) is not None}
        templates = {
            file: Compiled(file, file, said.form, texts[file]) for file, said in labels.items()
        }
        return Templates(texts, templates, are_tested=True)

    @property
    def own(self) -> frozenset[str]:
        """The files that were not shipped and tested word for word."""
        known = self._behind._tested if self._behind else {}
        return frozenset(file for file, text in self.texts.items() if known.get(file) != text)

    @property
    def names(self) -> tuple[str, ...]:
        """What a rule may name as its template: file names without folder and `.md.j2`."""
        markdown = (said.name for said in self._labels.values() if said.form is MARKDOWN)
        behind = self._behind.names if self._behind else ()
        return tuple(sorted({name.casefold(): name for name in (*behind, *markdown)}.values()))

    def has(self, name: str, language: str) -> bool:
        """Whether a rule's own template of that name is there for readers of the language."""
        found = find(self._files, named(_bare(name) or "", language))
        return found is not None or bool(self._behind and self._behind.has(name, language))

    @property
    def languages(self) -> tuple[str, ...]:
        """The languages that messages can be in."""
        own = {said.language for said in self._labels.values()} - {PLAIN}
        speaks_for_all = find(self._files, [(PLAIN, "default")]) is not None
        behind = self._behind.languages if self._behind and not speaks_for_all else ()
        return tuple(sorted({*own, *behind}))

    def choose(self, event: Event, wanted: str | None = None, language: str = "en") -> str | None:
        """The file name of the template for an event; None: the built-in message.

        `wanted`, the rule's own, is taken even if there is no such file: rendering names the fault.
        """
        choice = self._choice(event, wanted, language)
        return choice.file if choice else None

    def overrides(
        self, event: Event, wanted: str | None = None, language: str = "en"
    ) -> Mapping[str, str]:
        """By channel, the file name of the override that goes with the chosen template.

        It stands in the same place as that one, or where the search looks earlier: what is
        written for less than the Markdown is never overridden by what is written for more.
        """
        choice = self._choice(event, wanted, language)
        return choice.overrides if choice else {}

    def words(
        self, event: Event, wanted: str | None = None, language: str = "en"
    ) -> Mapping[str, str]:
        """The files that speak for an event, with their texts: equal ones say the same."""
        choice = self._choice(event, wanted, language)
        if choice is None:
            return {}
        files = (choice.file, *choice.overrides.values())
        return {file: self._compiled[file].text for file in files if file in self._compiled}

    def _choice(self, event: Event, wanted: str | None, language: str) -> _Choice | None:
        key = (event.kind, event.detail, event.topic, wanted, language)
        try:
            return self._choices[key]
        except KeyError:
            pass
        if len(self._choices) >= _MOST_CHOICES:  # the kinds are the sender's
            self._choices.clear()
        name = _bare(wanted)
        choice = self._chosen(list(search(event, name, language)))
        if choice is None and name:
            choice = _Choice(f"{name}{SUFFIX}")
        self._choices[key] = choice
        return choice

    def _chosen(self, places: list[tuple[str, str]]) -> _Choice | None:
        """A folder is looked through wholly before the set behind it is."""
        for shelf in (self, self._behind):
            if shelf and (found := find(shelf._files, places)):
                near = places[: found[0] + 1]
                overrides = {
                    form.channel: one[1]
                    for form in OVERRIDES
                    if form.channel and (one := find(self._files, near, form))
                }
                return _Choice(found[1], overrides)
        return None

    def render(self, event: Event, *, context: Context, quick: bool = False) -> Message:
        """The message for an event, with the override of `context.channel` if there is one.

        Never raises, unless `context.strict`: then a template's fault and a missing value are a
        `RenderError`. Otherwise a fault yields the built-in message with the fault named. With
        `quick` it raises `SlowError` instead of taking long.
        """
        message = self._usual(event, context, quick)
        return self.with_body(message, event, context, quick) if context.body else message

    def body(self, name: str, language: str) -> str | None:
        """The file of the template that a webhook names, with or without its suffix."""
        places = list(named(_bare(name, BODY.suffix) or "", language))
        found = find(self._files, places, BODY)
        if found is None and self._behind:
            return self._behind.body(name, language)
        return found[1] if found else None

    def with_body(
        self, message: Message, event: Event, context: Context, quick: bool = False
    ) -> Message:
        """The message with the JSON of the template that the webhook names."""
        name = context.body or ""
        file = self.body(name, context.language)
        if file is None:
            return without_override(message, f"there is no template {one_line(name, 120)}")
        return self._overridden(message, {"webhook": file}, event, context, quick)

    def _usual(self, event: Event, context: Context, quick: bool) -> Message:
        choice = self._choice(event, context.template, context.language)
        if choice is None:
            return fallback(event, context)
        try:
            message = self._message(choice.file, event, context, quick)
        except SlowError:
            raise
        except Exception as error:
            # Whatever a template runs into, the event must be told.
            reason = f"template {one_line(choice.file, 120)} failed: {why(error)}"
            if context.strict:
                raise RenderError(reason) from error
            return fallback(event, context, reason)
        if not choice.overrides:
            return message
        return self._overridden(message, choice.overrides, event, context, quick)

    def _message(self, name: str, event: Event, context: Context, quick: bool) -> Message:
        template = self._compiled.get(name)
        if template is None:
            raise RenderError("there is no such template")
        (title, blocks), rendering = template.run(event, context, quick=quick)
        if not title:
            raise RenderError("its title is empty")
        return Message(
            title=signed(title, event, context),
            blocks=blocks,
            footer=footer(event, context, rendering.voice),
            severity=event.severity,
            direction=event.direction,
            template=name,
            missing=tuple(rendering.missing),
            language=context.language,
        )

    def _overridden(
        self,
        message: Message,
        files: Mapping[str, str],
        event: Event,
        context: Context,
        quick: bool,
    ) -> Message:
        native: dict[str, Any] = {}
        missing = dict.fromkeys(message.missing)
        for channel, file in files.items():
            if context.channel not in (None, channel):
                continue
            try:
                made, rendering = self._compiled[file].run(event, context, quick=quick)
            except SlowError:
                raise
            except Exception as error:
                reason = f"override {one_line(file, 120)} failed: {why(error)}"
                if context.strict:
                    raise RenderError(reason) from error
                return without_override(message, reason)
            native[channel] = made
            missing |= rendering.missing
        return replace(message, native=native, missing=tuple(missing))


def _bare(wanted: str | None, suffix: str = SUFFIX) -> str | None:
    """A rule may also name its template with the suffix."""
    if wanted is None or not wanted.casefold().endswith(suffix):
        return wanted
    return wanted[: -len(suffix)]


def _alone(
    labels: Mapping[str, tuple[str, Label]], behind: Mapping[str, str], folder: str
) -> list[Fault]:
    """Overrides without the Markdown that the other channels need."""
    faults = []
    for file, said in labels.values():
        beside = Label(said.language, said.name, MARKDOWN)
        if said.form is not BODY and beside.key not in labels and beside.key not in behind:
            path = str(Path(folder) / file) if folder else file
            text = (
                f"there is no {said.name}{SUFFIX} beside it: write one, or the other channels and "
                "the plain message say something else"
            )
            faults.append(Fault(path, 1, 1, "warning", text))
    return faults
