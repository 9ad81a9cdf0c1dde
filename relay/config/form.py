"""Nodes asked for values: maps with known keys, texts, flags, lists of texts.

`${NAME}` in values is replaced from the environment, and never shown again. The maps of
accounts and destinations are held against the pydantic models of their channels.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from relay.channels.settings import StandIn
from relay.config.nodes import (
    Broken,
    Entry,
    Fields,
    Findings,
    Items,
    Node,
    Position,
    Scalar,
    quoted,
    unknown,
)

_PLACEHOLDER = re.compile(r"\$\{([^{}]*)\}?")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_SHORT = 4
MISSING = "missing-{name}"
"""What takes the place of a value that the environment does not have."""


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with its placeholders replaced."""

    text: str
    written: str
    """As the file has it: what may be shown."""
    missing: tuple[str, ...] = ()
    """Names that the environment does not have; a stand-in is in their place."""


class Placeholders:
    """Replaces placeholders and remembers what came from the environment.

    With `strict` a missing name is an error, without it a warning. A name with an empty value is
    missing: an empty secret is never meant.
    """

    def __init__(self, env: Mapping[str, str], *, strict: bool, findings: Findings) -> None:
        self._env = env
        self._strict = strict
        self._findings = findings
        self._used: dict[str, str] = {}
        self._missing: dict[str, Scalar] = {}
        self.written: list[Scalar] = []
        """Secrets that stand in the file itself."""

    @property
    def used(self) -> Mapping[str, str]:
        """What came from the environment, by name."""
        return self._used

    def fill(self, scalar: Scalar, stand_in: str = MISSING) -> Filled:
        """The text of a scalar; `stand_in` takes the place of what is missing."""
        if "${" not in scalar.text:
            return Filled(scalar.text, scalar.text)
        missing: list[str] = []

        def value(found: re.Match[str]) -> str:
            name = found.group(1)
            if not _NAME.fullmatch(name) or not found.group().endswith("}"):
                self._findings.error(
                    scalar,
                    f"{quoted(found.group())} is no placeholder: write ${{NAME}}, with letters, "
                    "digits and underscores only",
                )
            elif self._env.get(name):
                self._used[name] = self._env[name]
                return self._env[name]
            else:
                self._missing.setdefault(name, scalar)
            missing.append(name)
            return stand_in.replace("{name}", re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-"))

        return Filled(_PLACEHOLDER.sub(value, scalar.text), scalar.text, tuple(missing))

    def tell_written(self, secret: Scalar, what: str) -> None:
        """Warn of a secret that stands in the file itself, and remember where."""
        if "${" not in secret.text and secret.text:
            self.written.append(secret)
            self._findings.warning(
                secret,
                f"{what} is a secret and stands here for whoever reads this file: write ${{NAME}} "
                "and set NAME in the environment, or NAME_FILE to a file",
            )

    def tell_missing(self) -> None:
        """Say once, where the first of them stands, which names the environment does not have."""
        if not self._missing:
            return
        names = list(self._missing)
        if len(names) == 1:
            state = "is empty" if names[0] in self._env else "is not set"
            message = (
                f"${{{names[0]}}}: {names[0]} {state}: set it in the environment, or "
                f"{names[0]}_FILE to a file"
            )
            stand_in = "a stand-in takes its place"
        else:
            message = (
                f"{len(names)} variables are not set, or empty: {', '.join(names)}: set them in "
                "the environment, or NAME_FILE to a file"
            )
            stand_in = "stand-ins take their places"
        where = self._missing[names[0]]
        if self._strict:
            self._findings.error(where, message)
        else:
            self._findings.warning(where, f"{message}; {stand_in}")

    def redact(self, message: str) -> str:
        """A message with every value that came from the environment turned back."""
        for name, value in sorted(self._used.items(), key=lambda item: -len(item[1])):
            shapes = {value, value.strip(), repr(value)[1:-1]} - {""}
            for shape in sorted(shapes, key=len, reverse=True):
                pattern = re.escape(shape)
                if len(shape) < _SHORT:
                    pattern = rf"(?<!\w){pattern}(?!\w)"
                message = f"${{{name}}}".join(re.split(pattern, message))
        return message


class Form:
    """Asks nodes for values; what does not fit is reported once, where it stands."""

    def __init__(self, findings: Findings, placeholders: Placeholders) -> None:
        self.findings = findings
        self.placeholders = placeholders

    def error(self, where: Position, message: str) -> None:
        self.findings.error(where, self.placeholders.redact(message))

    def warning(self, where: Position, message: str) -> None:
        self.findings.warning(where, self.placeholders.redact(message))

    def fields(
        self,
        node: Node | None,
        what: str,
        known: Collection[str] | None = None,
        meant: Mapping[str, str] | None = None,
    ) -> Fields | None:
        """A map; keys that are not `known` are reported. `meant` has frequent wrong words."""
        if isinstance(node, Fields):
            if known is not None:
                for entry in node:
                    if entry.name not in known:
                        self.unknown_key(entry.key, known, meant)
            return node
        if node is None or isinstance(node, Broken) or self.empty(node, what):
            return None
        example = ", ".join(f"{key}: …" for key in list(known)[:2]) if known else "name: …"
        self.error(node, f"{what} must be a map: {{{example}}}")
        return None

    def unknown_key(
        self, key: Scalar, known: Collection[str], meant: Mapping[str, str] | None = None
    ) -> None:
        if meant and key.text in meant:
            self.error(key, f'unknown key {quoted(key.text)}: did you mean "{meant[key.text]}"?')
        else:
            self.error(key, unknown("key", key.text, known))

    def empty(self, node: Node, what: str) -> bool:
        """Whether nothing stands where a value should; says so."""
        if not isinstance(node, Scalar) or node.text.strip():
            return False
        if node.comment:
            word = node.comment.split()[0].rstrip("]},")
            self.error(
                node,
                f'{what} has no value: "#" begins a comment; if it is meant, quote it: "{word}"',
            )
        else:
            self.error(node, f"{what} has no value")
        return True

    def filled(self, node: Node, what: str) -> Filled | None:
        """A text that is not empty, its placeholders replaced."""
        if isinstance(node, Broken) or self.empty(node, what):
            return None
        if not isinstance(node, Scalar):
            kind = "a list" if isinstance(node, Items) else "a map"
            self.error(node, f"{what} must be a text, not {kind}")
            return None
        return self.placeholders.fill(node)

    def given(self, entry: Entry | None) -> Filled | None:
        """The text of a key; None where it is not there, at fault, or not in the environment."""
        filled = self.filled(entry.value, entry.name) if entry is not None else None
        return None if filled is None or filled.missing else filled

    def text(self, node: Node, what: str) -> str | None:
        """The same, as it stands after replacing."""
        filled = self.filled(node, what)
        return filled.text if filled is not None else None

    def flag(self, entry: Entry | None) -> bool:
        """`true` or `false`; false where the key is missing."""
        filled = self.given(entry)
        if entry is None or filled is None:
            return False
        if filled.text not in ("true", "false"):
            self.error(entry.value, f"{entry.name} must be true or false")
        return filled.text == "true"

    def items(self, node: Node, what: str) -> tuple[Node, ...]:
        """One value or a list of them; an empty list is reported."""
        if isinstance(node, Broken) or self.empty(node, what):
            return ()
        if isinstance(node, Items):
            if not node.items:
                self.error(node, f"{what} is an empty list: name at least one, or delete the key")
            return node.items
        return (node,)


Model = TypeVar("Model", bound=BaseModel)


def validate(form: Form, model: type[Model], node: Fields, what: str) -> Model | None:
    """The model of a map's values; None where a fault was reported.

    Keys that the model does not have are passed over: whoever read the map reported them.

    What the environment does not have is filled with the stand-in of its field: reported it was
    already, and it must not hide further faults.
    """
    known = tuple(entry for entry in node if entry.name in model.model_fields)
    node = Fields(node.line, node.column, known)
    if not _is_whole(form, node, what):
        return None
    values: dict[str, Any] = {}
    for entry in node:
        inner = model_in(model.model_fields[entry.name].annotation)
        if inner is None:
            values[entry.name] = _plain(form, entry.value, _stand_in(model, entry.name))
            continue
        at = f"{what}.{entry.name}"
        fields = form.fields(entry.value, at, list(inner.model_fields))
        values[entry.name] = validate(form, inner, fields, at) if fields is not None else None
        if values[entry.name] is None:
            return None
    try:
        made = model.model_validate(values)
    except ValidationError as error:
        _report(form, node, what, error)
        return None
    _tell_of_secrets(form, model, node, what)
    return made


def _tell_of_secrets(form: Form, model: type[BaseModel], node: Fields, what: str) -> None:
    """Say which secrets stand in the file itself."""
    for entry in node:
        if _is_secret(model.model_fields[entry.name].annotation):
            for scalar in _scalars(entry.value):
                form.placeholders.tell_written(scalar, f"{what}.{entry.name}")


def _is_secret(annotation: Any) -> bool:
    return annotation is SecretStr or any(_is_secret(part) for part in get_args(annotation))


def model_in(annotation: Any) -> type[BaseModel] | None:
    """The model that a value is a map of, if it is one."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(model_in, get_args(annotation))), None)


def _is_whole(form: Form, node: Node, what: str) -> bool:
    """Whether every value is there; says of each one that is not."""
    match node:
        case Broken():
            return False
        case Scalar():
            return not (node.plain and form.empty(node, what))
        case Items(items=items):
            whole = [_is_whole(form, item, what) for item in items]
        case Fields(entries=entries):
            whole = [_is_whole(form, entry.value, entry.name) for entry in entries]
    return all(whole)


def _plain(form: Form, node: Node, stand_in: str) -> Any:
    match node:
        case Scalar(text=text):
            # Of a mail address only a part may be missing.
            return form.placeholders.fill(node, MISSING if "@" in text else stand_in).text
        case Items(items=items):
            return [_plain(form, item, stand_in) for item in items]
        case Fields(entries=entries):
            return {entry.name: _plain(form, entry.value, stand_in) for entry in entries}
        case Broken():
            return ""


def _stand_in(model: type[BaseModel], key: str) -> str:
    said = model.model_fields[key].metadata
    return next((one.text for one in said if isinstance(one, StandIn)), MISSING)


def _find(node: Node, path: Sequence[int | str]) -> Node:
    """The node that pydantic's path leads to, as far as it goes.

    Parts of the path that name no key (branches of a union) are passed over.
    """
    for part in path:
        match node:
            case Fields() if entry := node.entry(str(part)):
                node = entry.value
            case Items(items=items) if isinstance(part, int) and part < len(items):
                node = items[part]
    return node


def _scalars(node: Node) -> Iterator[Scalar]:
    match node:
        case Scalar():
            yield node
        case Items(items=items):
            for item in items:
                yield from _scalars(item)
        case Fields(entries=entries):
            for entry in entries:
                yield from _scalars(entry.value)
        case Broken():
            pass


def _report(form: Form, node: Node, what: str, error: ValidationError) -> None:
    told: set[Node] = set()
    for detail in error.errors(include_url=False, include_input=False):
        path = [str(part) for part in detail["loc"]]
        where = _find(node, detail["loc"])
        if detail["type"] == "missing":
            form.error(where, f"{'.'.join([what, *path])} is missing")
        elif where not in told:
            told.add(where)
            form.error(where, f"{'.'.join([what, *path[:1]])}: {_words(detail)}")


def _words(detail: Any) -> str:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "value_error" | "assertion_error":
            return str(context.get("error", detail["msg"]))
        case "literal_error" | "enum":
            return f"must be {context.get('expected', 'another word')}".replace("'", '"')
        case kind if kind.startswith("int"):
            return "must be a whole number"
        case kind if kind.startswith("string_t"):
            return "must be a text"
        case kind if kind.startswith("list"):
            return "must be a list"
        case _:
            return str(detail["msg"]).replace("Input should", "must")
