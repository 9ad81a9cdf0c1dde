"""Where in its source a template is at fault, and what would be right there.

Jinja names a line, and the word at which it gave up; a person looks for the tag that was not
closed. The tags are looked through once more, in their order, only when something is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from jinja2 import TemplateSyntaxError

from relay.text import nearest

Finding = tuple[int, str, str]
"""Line, what is wrong there, and a word by which its column is found."""

_CLOSES = {"{{": "}}", "{%": "%}", "{#": "#}"}
_OPEN = re.compile(r"\{[{%#]")
_INNER = re.compile(
    r"""(?x) "(?:[^"\\]|\\.)*" | '(?:[^'\\]|\\.)*' | \{[{%] | [}%]\} | [\[({] | [\])}] | \n\s*\n"""
)
_STRAY = re.compile(r"[}%#]\}|\{ *(?:event|rule)\b[^{}\n]*\}?|(?<=\})\}")
_RAW = re.compile(r"\{%-? *raw\b.*?\{%-? *endraw *-?%\}|\{#.*?#\}", re.DOTALL)
_BLOCKS = ("if", "for", "set", "macro", "with", "call", "filter", "block", "autoescape")
_INSIDE = {"elif": ("if",), "else": ("if", "for")}
_NO_BLOCKS = ("include", "import", "from", "extends", "do")


@dataclass(frozen=True, slots=True)
class _Tag:
    start: int
    end: int
    """Behind its last sign; before its first where it is not closed."""
    sign: str
    source: str

    @property
    def words(self) -> list[str]:
        return self.source[2:-2].strip("-+ \n\t").split()


def _tags(text: str) -> Iterator[_Tag]:
    at = 0
    while found := _OPEN.search(text, at):
        start, sign = found.start(), found[0]
        raw = _RAW.match(text, start)
        at = raw.end() if raw else _end(text, found.end(), _CLOSES[sign])
        if raw is None:
            yield _Tag(start, at, sign, text[start:at])
        if at < start:
            return


def _end(text: str, at: int, close: str) -> int:
    """Where a tag ends; -1 where another begins, or a paragraph ends, before it does."""
    depth = 0
    for found in _INNER.finditer(text, at):
        part = found[0]
        if part[0] in "\"'":
            continue
        if depth <= 0 and part[0] in "}%" and text.startswith(close, found.start()):
            return found.start() + 2
        if part[0] in "\n{" and part != "{":
            return -1
        depth += (part in "[({") - len(part) * (part[0] in "])}")
    return -1


def meant(word: str, words: Iterable[str]) -> str:
    """`: did you mean 'upper'?`, where there is a word like it."""
    close = nearest(word, words)
    return f": did you mean {close!r}?" if close else ""


def column(text: str, line: int, near: str) -> int:
    """The column, from 1, of a word in a line of the source, else of the line's first sign."""
    lines = text.split("\n")
    source = lines[line - 1] if 0 < line <= len(lines) else ""
    if near:
        edges = [r"\b" if near[at].isalnum() else "" for at in (0, -1)]
        word = re.compile(f"{edges[0]}{re.escape(near)}{edges[1]}")
        for begin in (max(source.find("{"), 0), 0):  # in a tag rather than in the text before it
            if found := word.search(source, begin):
                return found.start() + 1
    return len(source) - len(source.lstrip()) + 1


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column of an index."""
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1


def stray_braces(text: str) -> Iterator[tuple[int, str]]:
    """Braces in a Markdown template that print themselves where a value was meant, by index."""
    bare = _RAW.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)
    at = 0
    for tag in [*_tags(bare), None]:
        until = tag.start if tag else len(bare)
        for found in _STRAY.finditer(bare, at, until):
            said = "a stray brace: a value is written {{ event.phone }}, a tag {% if … %}"
            yield found.start(), said
        if tag is None or tag.end < tag.start:
            return
        at = tag.end


def explained(
    text: str, error: TemplateSyntaxError, parse: Callable[[str], object]
) -> tuple[int, int, str]:
    """Line, column and words of what Jinja could not read; `parse` reads a text as Jinja does."""
    opened: list[_Tag] = []
    for tag in _tags(text):
        if tag.end < tag.start:
            close = _CLOSES[tag.sign]
            return *place(text, tag.start), f"{tag.sign} is not closed: write {close} at its end"
        if tag.sign != "{%":
            continue
        word = (tag.words or [""])[0]
        if said := _misplaced(text, word, opened):
            return *place(text, tag.start), said
        if word.startswith("end"):
            opened.pop()
        elif word in _BLOCKS and not (word == "set" and "=" in tag.source):
            opened.append(tag)
    for tag in _tags(text):
        if tag.sign != "{#" and (said := _unread(tag, parse)):
            return *place(text, tag.start), said
    if opened:
        word = opened[-1].words[0]
        said = f"{{% {word} %}} is never closed: write {{% end{word} %}} behind what it holds"
        return *place(text, opened[-1].start), said
    return error.lineno, column(text, error.lineno, ""), str(error.message)


def _misplaced(text: str, word: str, opened: list[_Tag]) -> str | None:
    """What is wrong with a tag in its place, whatever stands in it."""
    above = opened[-1].words[0] if opened else None
    known = (*_BLOCKS, *_INSIDE, *_NO_BLOCKS, *(f"end{block}" for block in _BLOCKS))
    if word not in known:
        near = meant(word, known) or ": there are if, for, set, with and macro"
        return f"there is no tag {word!r}{near}"
    if word in _INSIDE and above not in _INSIDE[word]:
        return f"{{% {word} %}} stands in no {{% {_INSIDE[word][0]} %}}"
    if not word.startswith("end") or above == word[3:]:
        return None
    if above is None:
        return f"{{% {word} %}} closes nothing: there is no {{% {word[3:]} %}} before it"
    line, _ = place(text, opened[-1].start)
    said = f"{{% {word} %}} cannot close the {{% {above} %}} of line {line}"
    return f"{said}: write {{% end{above} %}}"


def _unread(tag: _Tag, parse: Callable[[str], object]) -> str | None:
    """Why Jinja cannot read a tag that stands alone."""
    word = (tag.words or [""])[0]
    around = "{}" if tag.sign == "{{" or word == "set" else f"{{}}{{% end{word} %}}"
    if word in _INSIDE and tag.sign == "{%":
        around = "{% if a %}{}{% endif %}"
    elif word.startswith("end") and tag.sign == "{%":
        around = f"{{% {word[3:]} a %}}{{}}" if tag.words == [word] else "{}"
    try:
        parse(around.replace("{}", tag.source, 1))
    except TemplateSyntaxError as error:
        message = str(error.message)
    else:
        return None
    if tag.words and word.startswith("end"):
        return None
    if "got '='" in message:
        return f"{message}: values are compared with =="
    if message.startswith("expected token 'end of"):
        return f"{message}: texts stand in quotes, and values are joined with ~"
    return message
