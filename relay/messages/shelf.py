"""A template folder: which of its files are templates, in which language and form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from relay.errors import Fault
from relay.events import Event
from relay.events.catalogue import templates_of
from relay.files import read_regular
from relay.messages.compiling import FORMS, MARKDOWN, SUFFIXES, Form
from relay.messages.languages import DEFAULT, canonical, family

_ENOUGH = 1 << 20
"""Bytes by which a file is seen to be too large for a template."""
PLAIN = ""
"""The folder itself, in the place of a language's."""


@dataclass(frozen=True, slots=True)
class Label:
    """What a file's name says."""

    language: str
    """The language of its folder; `PLAIN` beside the folders."""
    name: str
    """`welcome`, `KIND.DETAIL`: what rules call it."""
    form: Form

    @property
    def key(self) -> str:
        """Equal for names that differ by case alone."""
        return _key(self.language, self.name, self.form)


def _key(language: str, name: str, form: Form) -> str:
    return f"{language}/{name}{form.suffix}".casefold()


def label(file: str) -> Label | None:
    """What `de/quality.md.j2` says; None where it is no template's name."""
    folder, _, bare = file.rpartition("/")
    language = canonical(folder) if folder else PLAIN
    form = next((form for form in FORMS if bare.casefold().endswith(form.suffix)), None)
    if language is None or form is None or len(bare) == len(form.suffix):
        return None
    return Label(language, bare[: -len(form.suffix)], form)


def read_folder(folder: Path) -> tuple[dict[str, str], list[Fault]]:
    """The texts of all templates by `NAME` and `LANGUAGE/NAME`, and what could not be read.

    Names that begin with a dot are not read: editors lock and systems mark files by them, and
    the folder of a mounted ConfigMap has its contents there once more. Raises OSError where the
    folder cannot be read.
    """
    texts: dict[str, str] = {}
    faults: list[Fault] = []
    for path in _visible(folder):
        for file in _of_language(path, faults) if path.is_dir() else [path]:
            if file.name.endswith(".j2"):
                _read(file, file.relative_to(folder).as_posix(), texts, faults)
    return texts, faults


def _visible(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _of_language(folder: Path, faults: list[Fault]) -> list[Path]:
    try:
        paths = _visible(folder)
    except OSError as error:
        faults.append(_unreadable(folder, error))
        return []
    if canonical(folder.name) is not None:
        return paths
    if any(path.name.endswith(".j2") for path in paths):
        said = "the folder is not read: it is not called like a language, such as de or pt-BR"
        faults.append(Fault(str(folder), 1, 1, "warning", said))
    return []


def _read(path: Path, name: str, texts: dict[str, str], faults: list[Fault]) -> None:
    if label(name) is None:
        said = f"it is not read: templates are called NAME and {', '.join(SUFFIXES)}"
        faults.append(Fault(str(path), 1, 1, "warning", said))
        return
    try:
        texts[name] = read_regular(path, _ENOUGH).decode("utf-8-sig")
    except UnicodeDecodeError:
        faults.append(Fault(str(path), 1, 1, "error", "it is not UTF-8"))
    except OSError as error:
        faults.append(_unreadable(path, error))


def _unreadable(path: Path, error: OSError) -> Fault:
    reason = error.strerror or type(error).__name__
    return Fault(str(path), 1, 1, "error", f"it cannot be read: {reason}")


def search(event: Event, wanted: str | None, language: str) -> Iterator[tuple[str, str]]:
    """Where the template of an event is looked for: (language, name), the first choice first.

    All names in the destination's language come before the plain folder, so that whoever reads
    German gets German wherever there is any. `pt-BR` looks into `pt-BR` and `pt` for each name.
    """
    if wanted:
        return named(wanted, language)
    own = templates_of(event.kind, event.detail)
    return _places((*own, event.topic.value, "default"), language)


def named(name: str, language: str) -> Iterator[tuple[str, str]]:
    """The same for a template that a rule names."""
    return _places((name,), language)


def _places(names: tuple[str, ...], language: str) -> Iterator[tuple[str, str]]:
    own = family(language)
    if own[-1] == DEFAULT:  # the plain folder is English too
        return ((code, name) for name in names for code in (*own, PLAIN))
    return ((code, name) for codes in (own, (PLAIN,)) for name in names for code in codes)


def find(
    labels: Mapping[str, str], places: Iterable[tuple[str, str]], form: Form = MARKDOWN
) -> tuple[int, str] | None:
    """The first place that has a file of that form, by its number, and the file's name."""
    for number, (language, name) in enumerate(places):
        if file := labels.get(_key(language, name, form)):
            return number, file
    return None
