"""A strict reader of YAML: bytes to nodes, or faults in plain words with their positions.

Of YAML it takes maps, lists and texts. Anchors, aliases, tags, merge keys, further documents and
keys that are no texts are faults: they would let a file mean something that it does not show, or
grow without bound (https://yaml.org/spec/1.1/, "billion laughs"). The events of the parser are
read one by one, so that a hostile file is refused before it costs anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from relay.config.nodes import Broken, Entry, Fields, Findings, Items, Node, Place, Scalar, quoted
from relay.config.yaml_faults import translate

LARGEST = 1 << 20
"""Bytes of a file: some ten thousand rules."""
DEEPEST = 50
"""Levels of maps and lists within each other."""
MOST_FAULTS = 100
"""After so many faults of structure the rest of a file is not read."""

_UNREADABLE = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
_TAB = re.compile(r"^ *\t[ \t]*(?=[^ \t\r\n#])", re.MULTILINE)
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def decode(data: bytes, findings: Findings) -> str | None:
    """The text of a file; None, with a fault, where it is none."""
    if len(data) > LARGEST:
        findings.error(None, "is larger than 1 MB: split what it holds")
        return None
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        findings.error(None, "is UTF-16: save it as UTF-8")
        return None
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig", "replace")
        findings.error(_place(before, len(before)), "is not UTF-8 text: save it as UTF-8")
        return None
    return text


def plain_lines(text: str) -> str:
    """One kind of line end, as YAML itself reads them, so that all agree on line numbers."""
    return text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")


def read(text: str, findings: Findings) -> Node | None:
    """The root of a file; None where its syntax is broken or nothing is in it."""
    text = plain_lines(text)
    if len(text) > LARGEST:
        findings.error(None, "is larger than 1 MB: split what it holds")
        return None
    if bad := _UNREADABLE.search(text):
        found = f"U+{ord(bad.group()):04X}"
        findings.error(
            _place(text, bad.start()),
            f"a control character ({found}) stands here: this is no text file, or delete it",
        )
        return None
    if tab := _TAB.search(text):
        findings.error(
            _place(text, tab.start() + tab.group().index("\t")),
            "a tab stands in the indentation: use spaces",
        )
        return None
    try:
        return _Builder(text, findings).build()
    except yaml.MarkedYAMLError as error:
        where, message = translate(error, text)
        findings.error(where, message)
    except (yaml.YAMLError, ValueError, RecursionError):
        findings.error(None, "is not YAML that can be read")
    return None


class _Full(Exception):  # noqa: N818 - not an error: the reading just ends
    """Nothing more is to be read."""


class _Builder:
    """Turns the parser's events into nodes, without recursion."""

    def __init__(self, text: str, findings: Findings) -> None:
        self._lines = text.split("\n")
        self._events: Iterator[Any] = yaml.parse(text, Loader=LOADER)
        self._findings = findings
        self._faults = 0

    def build(self) -> Node | None:
        root: Node | None = None
        # Each open list or map: its start, and the nodes read so far (keys and values in turn).
        open_nodes: list[tuple[Any, list[Node]]] = []
        try:
            for event in self._events:
                node: Node | None = None
                match event:
                    case yaml.ScalarEvent():
                        node = self._scalar(event)
                    case yaml.DocumentStartEvent():
                        if root is not None:
                            self._fault(event, "a second document begins here: one file is one")
                            break
                        if event.version or event.tags:
                            self._fault(event, "directives (%…) are not known here: delete them")
                    case yaml.MappingStartEvent() | yaml.SequenceStartEvent():
                        self._refuse_properties(event)
                        if len(open_nodes) >= DEEPEST:
                            self._fault(event, f"more than {DEEPEST} levels deep")
                            break
                        open_nodes.append((event, []))
                    case yaml.MappingEndEvent():
                        start, nodes = open_nodes.pop()
                        node = self._fields(start, nodes)
                    case yaml.SequenceEndEvent():
                        start, nodes = open_nodes.pop()
                        node = Items(*_at(start), tuple(nodes))
                    case yaml.AliasEvent():
                        self._fault(
                            event,
                            "aliases are not known here: write the value out, or quote it if a "
                            f'star is meant: "*{event.anchor}"',
                        )
                        node = Broken(*_at(event))
                if node is not None:
                    if open_nodes:
                        open_nodes[-1][1].append(node)
                    else:
                        root = node
        except _Full:
            return None
        return None if open_nodes else root

    def _scalar(self, event: Any) -> Node:
        self._refuse_properties(event)
        text, start = event.value, event.start_mark
        line, column = start.line + 1, start.column + 1
        if not text.isprintable() and (bad := _CONTROLS.search(text)):
            self._fault(event, f"a control character (U+{ord(bad.group()):04X}) is in this text")
            return Broken(line, column)
        plain = not event.style  # None or "", by parser
        if plain and not text and line <= len(self._lines):
            rest = self._lines[line - 1][column - 1 :]
            if rest.lstrip().startswith("#"):
                column += len(rest) - len(rest.lstrip())
                return Scalar(line, column, "", plain, comment=rest.strip())
        return Scalar(line, column, text, plain, "", (start.index, event.end_mark.index))

    def _fields(self, start: Any, nodes: list[Node]) -> Node:
        first: dict[str, Entry] = {}
        for key, value in zip(nodes[::2], nodes[1::2], strict=True):
            if isinstance(key, Broken):
                return Broken(*_at(start))
            if not isinstance(key, Scalar):
                self._fault_at(key, "a map or list cannot be a key: put quotes around {{ … }}")
                return Broken(*_at(start))
            if key.plain and key.text == "<<":
                self._fault_at(key, "merge keys (<<) are not known here: write the keys out")
            elif key.text in first:
                self._fault_at(
                    key,
                    f"{quoted(key.text)} is here twice: it stands in line "
                    f"{first[key.text].key.line} already",
                )
            else:
                first[key.text] = Entry(key, value)
        return Fields(*_at(start), tuple(first.values()))

    def _refuse_properties(self, event: Any) -> None:
        if event.anchor is not None:
            self._fault(
                event,
                "anchors are not known here: write the value out where it is needed, or quote "
                f'the text if it begins with "&": "&{event.anchor}…"',
            )
        if event.tag is not None:
            self._fault(
                event,
                "tags (!…) are not known here: write the plain value, or quote the text if it "
                'begins with "!"',
            )

    def _fault(self, event: Any, message: str) -> None:
        self._fault_at(Place(*_at(event)), message)

    def _fault_at(self, where: Node | Place, message: str) -> None:
        self._findings.error(where, message)
        self._faults += 1
        if self._faults >= MOST_FAULTS:
            self._findings.error(None, f"has {MOST_FAULTS} faults of structure or more")
            raise _Full


def _at(event: Any) -> tuple[int, int]:
    return event.start_mark.line + 1, event.start_mark.column + 1


def _place(text: str, offset: int) -> Place:
    """The line and column of an offset."""
    return Place(text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1)


NOT_KEPT = "SECRET_NOT_KEPT"
"""Begins the placeholders that stand where secrets stood, so that the text still reads as rules."""
_SHORTEST = 6
"""Characters; a shorter text stands elsewhere by chance as well."""


def without(text: str, secrets: Sequence[Scalar]) -> tuple[str, Mapping[str, str]]:
    """The text of a file without these values, also where they are repeated, and what is left out.

    That is by the names of the placeholders that stand there now.
    """
    if not secrets:
        return text, {}
    text = plain_lines(text)
    names = {secret: f"{NOT_KEPT}_{number}" for number, secret in enumerate(secrets, start=1)}
    pieces, at = [], 0
    for secret, name in sorted(names.items(), key=lambda item: item[0].span):
        start, end = secret.span
        pieces += [text[at:start], f'"${{{name}}}"']
        # A block of text ends with the line before the next key: its line end stays.
        at = start + len(text[start:end].rstrip())
    text = "".join([*pieces, text[at:]])
    for written in {secret.text for secret in secrets if len(secret.text) >= _SHORTEST}:
        text = text.replace(written, "[secret]")
    return text, {name: secret.text for secret, name in names.items()}
