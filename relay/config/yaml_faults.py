"""The complaints of the YAML parser in plain words: where to look and what to write instead.

PyYAML has two parsers, in C (libyaml) and in Python, with different words; the table knows both.
"""

from __future__ import annotations

import re

import yaml

from relay.config.nodes import Place
from relay.rules import LONGEST_VALUE
from relay.text import shown

_LOOK_BACK = 20
"""Lines."""

_INDENT = (
    "the indentation does not fit what stands above, or quotes end in the middle of a value: "
    "keys of one map begin in one column, items of one list too"
)
_GLUED = re.compile(r"\s*(?:- +)?([\w.-]+):[^\s/]")
_BARE = re.compile(r"\s*(?:- +)?([\w.-]+)\s*")
_OPENING = re.compile(r"""(?:^\s*|[:,\[{-]\s+|[\[{,])(["'])|(?:^|\s)(\#)""")
_CLOSING = {'"': re.compile(r'(?:[^"\\]|\\.)*(")'), "'": re.compile(r"(?:[^']|'')*(')(?!')")}
_GOES_ON = re.compile(r"\s*(?:$|#|[,\]}:])")
_COMMENT = re.compile(r"[:,\[{-] +(#[^\n]*)|[\[{,](#[^\n]*)")

_TABLE: tuple[tuple[str, str], ...] = (
    # (part of the parser's words, ours); the first that fits is taken
    (
        "mapping values are not allowed",
        'a second ": " stands in this value, or the line is indented too far: put quotes around '
        "the value, or put it on a line of its own",
    ),
    ("mapping keys are not allowed", 'a text that begins with "?" needs quotes'),
    (
        "sequence entries are not allowed",
        'a list begins on a line of its own; a text that begins with "- " needs quotes',
    ),
    ("could not find expected ':'", 'a key needs ":" and a space behind it'),
    ("escape", "a backslash in double quotes begins an escape: write two, or use single quotes"),
    ("hexadecimal", "a backslash in double quotes begins an escape: write two, or single quotes"),
    ("hexdecimal", "a backslash in double quotes begins an escape: write two, or single quotes"),
    ("tab character", "a tab stands in the indentation: use spaces"),
    ("document start", "something stands behind the end of the file's content: delete it"),
    ("incompatible yaml", "directives (%…) are not known here: delete them"),
    ("directive", "directives (%…) are not known here: delete them"),
    ("expected the node content", 'a value is missing here, or it needs quotes: "…"'),
    ("expected node content", 'a value is missing here, or it needs quotes: "…"'),
)


def translate(error: yaml.MarkedYAMLError, text: str) -> tuple[Place | None, str]:
    """Where a file's syntax is broken, and what would be right."""
    problem, context = (error.problem or "").lower(), (error.context or "").lower()
    lines = [*text.split("\n"), "", ""]  # marks may stand behind the end
    mark, begun = error.problem_mark, error.context_mark
    where = Place(mark.line + 1, mark.column + 1) if mark is not None else None
    start = Place(begun.line + 1, begun.column + 1) if begun is not None else where
    if "end of stream" not in problem and (runaway := _runaway_quotes(lines, where)):
        return runaway, "the quotes that open here do not close where the value ends"
    if "alias" in context or "anchor" in context:
        word = _word(lines, start)
        return start, f'a text that begins with "{word[:1] or "*"}" needs quotes: "{word}"'
    if "tag" in context:
        return start, 'a text that begins with "!" needs quotes'
    if "block scalar" in context and "tab" not in problem:
        return start, 'a text that begins with "|" or ">" needs quotes: "…"'
    if "quoted scalar" in context and "end of stream" in problem:
        return start, "the quotes that open here are never closed"
    if "cannot start any token" in problem:
        word = _word(lines, where)
        if word.startswith("\t") or not word:
            return where, "a tab stands in the indentation: use spaces"
        return where, f'a text that begins with "{word[0]}" needs quotes: "{word}"'
    if "flow" in context and start is not None:
        return _broken_flow(lines, start, where)
    if "block mapping" in context or "block collection" in context:
        before = lines[where.line - 1][: where.column - 1].rstrip() if where is not None else ""
        if before.endswith(('"', "'")):
            return where, (
                "something stands behind the closing quotes: quote the whole value, and write "
                "quotes inside of it twice ('it''s') or use the other kind"
            )
        return where, _INDENT
    if "mapping values" in problem and where is not None:
        for number in (where.line, where.line - 1):
            if number and (glued := _GLUED.match(lines[number - 1])):
                return Place(number, glued.end(1) + 1), "a space is missing behind this colon"
            if number < where.line and (bare := _BARE.fullmatch(lines[number - 1])):
                return Place(number, bare.start(1) + 1), 'a key needs ":" and a space behind it'
    if "simple key" in context:
        where = start
    for part, message in _TABLE:
        if part in problem:
            return where, message
    return where, "this is not YAML that can be read: look at quotes, colons and indentation"


def _broken_flow(lines: list[str], start: Place, where: Place | None) -> tuple[Place | None, str]:
    """A list in [] or a map in {} that does not go on as one."""
    last = where.line if where is not None else len(lines)
    if start == where:  # the parser does not say where the list or map began
        first, begin = max(1, last - _LOOK_BACK), 0
    else:
        first, begin = start.line, start.column - 1
    for number in range(first, min(last, len(lines)) + 1):
        line = lines[number - 1]
        comment = _COMMENT.search(line, begin if number == first else 0)
        if comment and (start != where or _is_open(line[: comment.start() + 1])):
            group = 1 if comment.group(1) else 2
            eaten = shown(comment.group(group).split()[0].rstrip("]},"), LONGEST_VALUE)
            return (
                Place(number, comment.start(group) + 1),
                f'"#" begins a comment that takes the rest of the line: quote it, "{eaten}"',
            )
    if where is not None and where.line <= len(lines):
        before = lines[where.line - 1][: where.column - 1]
        if before.endswith("$"):
            return Place(where.line, where.column - 1), (
                'inside [] and {} a placeholder needs quotes: "${NAME}"'
            )
    opened = lines[start.line - 1][start.column - 1 : start.column]
    if opened in ("[", "{"):
        closing = "]" if opened == "[" else "}"
        return start, (
            f'"{opened}" opens here and the next is neither "," nor "{closing}": close it, or '
            "put quotes around the values"
        )
    return where, 'a value is missing here, or it needs quotes: "…"'


def _is_open(text: str) -> bool:
    """Whether more lists or maps begin than end in a text."""
    return sum(text.count(char) for char in "[{") > sum(text.count(char) for char in "]}")


def _runaway_quotes(lines: list[str], where: Place | None) -> Place | None:
    """Quotes before a fault that close on a later line, in the middle of something."""
    number, at = 1, 0
    last = where.line if where is not None else len(lines)
    while number <= last:
        opening = _OPENING.search(lines[number - 1], at)
        if opening is None or opening.group(2):
            number, at = number + 1, 0
            continue
        start, at = Place(number, opening.start(1) + 1), opening.end(1)
        closing = _CLOSING[opening.group(1)]
        while number <= last and not (closed := closing.match(lines[number - 1], at)):
            number, at = number + 1, 0
        if number > last:
            return None
        assert closed is not None
        at = closed.end(1)
        if number > start.line and not _GOES_ON.match(lines[number - 1], at):
            return start
    return None


def _word(lines: list[str], where: Place | None) -> str:
    """The text that begins at a place, as far as a value would go."""
    if where is None or where.line > len(lines):
        return ""
    rest = lines[where.line - 1][where.column - 1 :]
    if rest.startswith("\t"):
        return "\t"
    return shown(re.split(r"\s#|[,\]}\r]", rest)[0].strip(), LONGEST_VALUE)
