"""Maps of a file against the pydantic models of accounts and destinations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, SecretStr, ValidationError

from relay.channels.settings import StandIn
from relay.config.form import MISSING, Form
from relay.config.nodes import Broken, Fields, Items, Node, Scalar

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
