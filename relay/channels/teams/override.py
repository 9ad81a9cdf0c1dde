"""A card that a template wrote for Teams itself: checked, and closed with the footer.

The table is version 1.4 of the Adaptive Card schema (microsoft/AdaptiveCards, schemas/1.4.0)
without what a Workflows webhook cannot serve: inputs, submits, sign-in, media.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from relay.channels.fit import footer as closing
from relay.channels.fit import marks, title
from relay.channels.overrides import checked_json
from relay.channels.teams.elements import SCHEMA, VERSION, footer, line, run
from relay.errors import UnsendableError
from relay.messages import Message
from relay.text import safe_url

_WHAT = "the Teams override"
_VERSIONS = ("1.0", "1.1", "1.2", "1.3", "1.4")
_COLOURS = "default dark light accent good warning attention"
_STYLES = "default emphasis good attention warning accent"
_ALIGN = "left center right"
_PLACE = "top center bottom"

_COMMON = {
    "id": "text",
    "isVisible": "bool",
    "separator": "bool",
    "spacing": "none small default medium large extraLarge padding",
    "height": "auto stretch",
    "fallback": "drop",
}
_BOX = _COMMON | {
    "style": _STYLES,
    "bleed": "bool",
    "minHeight": "text",
    "selectAction": "action",
    "verticalContentAlignment": _PLACE,
}
_FONT = {
    "color": _COLOURS,
    "fontType": "default monospace",
    "isSubtle": "bool",
    "size": "small default medium large extraLarge",
    "weight": "lighter default bolder",
}
_ACTION = {"title": "text", "style": "default positive destructive", "fallback": "drop"}
_ELEMENTS = {
    "TextBlock": _COMMON
    | _FONT
    | {"text!": "text", "wrap": "bool", "maxLines": "number", "horizontalAlignment": _ALIGN},
    "RichTextBlock": _COMMON | {"inlines!": "inlines", "horizontalAlignment": _ALIGN},
    "Container": _BOX | {"items!": "elements"},
    "ColumnSet": _BOX | {"columns": "columns", "horizontalAlignment": _ALIGN},
    "FactSet": _COMMON | {"facts!": "facts"},
    "Image": _COMMON
    | {
        "url!": "url",
        "altText": "text",
        "size": "auto stretch small medium large",
        "style": "default person",
        "width": "text",
        "height": "text",
        "horizontalAlignment": _ALIGN,
        "backgroundColor": "text",
        "selectAction": "action",
    },
    "ImageSet": _COMMON | {"images!": "images", "imageSize": "auto stretch small medium large"},
    "ActionSet": _COMMON | {"actions!": "actions"},
}
_COLUMN = _BOX | {"items": "elements", "width": "width"}
_RUN = _FONT | {
    "text!": "text",
    "italic": "bool",
    "strikethrough": "bool",
    "underline": "bool",
    "highlight": "bool",
    "selectAction": "action",
}
_CARD = {
    "$schema": "text",
    "version": "text",
    "body!": "elements",
    "actions": "actions",
    "selectAction": "action",
    "fallbackText": "text",
    "lang": "text",
    "speak": "text",
    "minHeight": "text",
    "verticalContentAlignment": _PLACE,
    "msteams": "width of the card",
}
_ACTIONS = {
    "Action.OpenUrl": _ACTION | {"url!": "url"},
    "Action.ShowCard": _ACTION | {"card!": "card"},
    "Action.ToggleVisibility": _ACTION | {"targetElements!": "targets"},
}
_LISTS: dict[str, Mapping[str, Mapping[str, str]]] = {
    "elements": _ELEMENTS,
    "columns": {"Column": _COLUMN},
    "inlines": {"TextRun": _RUN},
    "images": {"Image": _ELEMENTS["Image"]},
    "facts": {"Fact": {"title!": "text", "value!": "text"}},
    "actions": _ACTIONS,
}
_UNTYPED = frozenset({"columns", "images", "facts"})
"""What stands there can only be of one type, so the schema lets it be left out."""
_PIXELS = re.compile(r"auto|stretch|\d{1,4}(\.\d+)?(px)?")


def overridden(message: Message, native: object, summary: str) -> dict[str, Any]:
    """The override's card with title marks and footer; every text of it wraps.

    `summary` is the plain text that stands for the card where it cannot be shown. Raises
    `UnsendableError`.
    """
    checked_json(native, _WHAT)
    found = next(_object(native, {"AdaptiveCard": _CARD}, "the card"), None)
    if found is None and isinstance(native, Mapping):
        found = _version(native.get("version", VERSION))
    if found is not None or not isinstance(native, Mapping):
        raise UnsendableError(f"{_WHAT}: {found}")
    body = [_wrapped(element) for element in native["body"]]
    if mark := marks(title(message)):
        body.insert(0, line([run(mark, weight="Bolder", color="Attention")]))
    if said := closing(message):
        body.append(footer(said))
    card = {**_wrapped(native), "body": body, "fallbackText": summary}
    defaults = {"version": VERSION, "lang": message.language, "msteams": {"width": "Full"}}
    return {"$schema": SCHEMA, **defaults, **card}


def _version(version: object) -> str | None:
    if version in _VERSIONS:
        return None
    return f"version must be one of {', '.join(_VERSIONS)}: later ones are not shown everywhere"


def _wrapped(value: Any) -> Any:
    """A copy in which every `TextBlock` wraps unless it says otherwise."""
    if isinstance(value, Mapping):
        copy = {key: _wrapped(inner) for key, inner in value.items()}
        if copy.get("type") == "TextBlock":
            copy.setdefault("wrap", True)
        return copy
    if isinstance(value, list):
        return [_wrapped(inner) for inner in value]
    return value


def _object(
    value: object, types: Mapping[str, Mapping[str, str]], where: str, *, typed: bool = True
) -> Iterator[str]:
    """What is wrong about an object of one of these types, one sentence each."""
    if not isinstance(value, Mapping):
        yield f"{where} is not an object"
        return
    kind = value.get("type", None if typed else next(iter(types)))
    if not isinstance(kind, str) or kind not in types:
        yield _unknown(kind, types, where)
        return
    fields = {name.rstrip("!"): name for name in types[kind]}
    for name, inner in value.items():
        if name == "type":
            continue
        if name not in fields:
            yield f"{kind} has no {str(name)[:40]!r}"
        else:
            yield from _field(inner, types[kind][fields[name]], f"{name} of {kind}")
    for name, spelled in fields.items():
        if spelled.endswith("!") and name not in value:
            yield f"{kind} needs {name!r}"


def _unknown(kind: object, types: Mapping[str, Any], where: str) -> str:
    said = str(kind)[:40]
    if said in ("Action.Submit", "Action.Execute") or said.startswith("Input."):
        return f"{said} needs a bot that answers, and a Workflows webhook has none"
    if said == "Table":
        return "a Table needs version 1.5: use a ColumnSet"
    return f"{where} has the unknown type {said!r}, it takes {', '.join(types)}"


def _field(value: object, kind: str, where: str) -> Iterator[str]:
    if kind in _LISTS:
        if not isinstance(value, list):
            yield f"{where} is not a list"
            return
        for inner in value:
            if kind != "inlines" or not isinstance(inner, str):
                yield from _object(inner, _LISTS[kind], where, typed=kind not in _UNTYPED)
        if kind == "actions" and not value:
            yield f"{where} is empty"
    elif kind in _OBJECTS:
        yield from _object(value, _OBJECTS[kind], where)
    elif kind in _CHECKS:
        wanted, holds = _CHECKS[kind]
        if not holds(value):
            yield f"{where} must be {wanted}"
    elif not isinstance(value, str) or value.casefold() not in kind.casefold().split():
        yield f"{where} must be one of {', '.join(kind.split())}"


def _is_secure(value: object) -> bool:
    return isinstance(value, str) and value.startswith("https://") and safe_url(value) is not None


def _is_width(value: object) -> bool:
    if isinstance(value, int | float):
        return not isinstance(value, bool) and value >= 0
    return isinstance(value, str) and _PIXELS.fullmatch(value) is not None


def _is_targets(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(target, str) for target in value)


_OBJECTS: dict[str, Mapping[str, Mapping[str, str]]] = {
    "action": {name: _ACTIONS[name] for name in ("Action.OpenUrl", "Action.ToggleVisibility")},
    "card": {"AdaptiveCard": _CARD},
}
_CHECKS: dict[str, tuple[str, Callable[[object], bool]]] = {
    "text": ("a text", lambda value: isinstance(value, str)),
    "bool": ("true or false", lambda value: isinstance(value, bool)),
    "number": (
        "a number",
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
    ),
    "url": ("an address that begins with https://", _is_secure),
    "width": ("auto, stretch, a weight or pixels such as 80px", _is_width),
    "targets": ("a list of ids", _is_targets),
    "width of the card": ('{"width": "Full"}', lambda value: value == {"width": "Full"}),
}
