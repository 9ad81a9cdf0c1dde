"""A card that a template wrote for Teams itself: checked, and closed with the footer.

The tables are version 1.4 of the Adaptive Card schema (microsoft/AdaptiveCards, schemas/1.4.0)
without what a Workflows webhook cannot serve: inputs, submits, sign-in, media.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relay.channels.fit import footer as closing
from relay.channels.fit import marks, title
from relay.errors import UnsendableError
from relay.messages import Message
from relay.text import safe_url

SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
VERSION = "1.4"
"""Which every Teams client shows."""
_WHAT = "the Teams override"
_COMMON = "id isVisible separator spacing height fallback"
_BOX = f"{_COMMON} style bleed minHeight selectAction verticalContentAlignment"
_FONT = "color fontType isSubtle size weight"
_TEXT = f"{_COMMON} horizontalAlignment"
_ACTION = "title style fallback"
_CARD = (
    "$schema version body! actions selectAction fallbackText lang speak minHeight"
    " verticalContentAlignment msteams"
)
_ACTIONS = {
    "Action.OpenUrl": f"{_ACTION} url!",
    "Action.ShowCard": f"{_ACTION} card!",
    "Action.ToggleVisibility": f"{_ACTION} targetElements!",
}
_ELEMENTS = {
    "TextBlock": f"{_TEXT} {_FONT} text! wrap maxLines",
    "RichTextBlock": f"{_TEXT} inlines!",
    "Container": f"{_BOX} items!",
    "ColumnSet": f"{_BOX} columns horizontalAlignment",
    "FactSet": f"{_COMMON} facts!",
    "Image": f"{_TEXT} url! altText size style width backgroundColor selectAction",
    "ImageSet": f"{_COMMON} images! imageSize",
    "ActionSet": f"{_COMMON} actions!",
}
"""The fields of each type; `!` marks those that must be there."""
_RUN = f"{_FONT} text! italic strikethrough underline highlight selectAction"
_HOLDS: Mapping[str, Mapping[str, str]] = {
    "body": _ELEMENTS,
    "items": _ELEMENTS,
    "columns": {"Column": f"{_BOX} items width"},
    "inlines": {"TextRun": _RUN},
    "images": {"Image": _ELEMENTS["Image"]},
    "facts": {"Fact": "title! value!"},
    "actions": _ACTIONS,
}
"""Fields that are lists, and what may stand in them."""
_UNTYPED = frozenset({"columns", "images", "facts"})
"""What stands there can only be of one type, so the schema lets it be left out."""
_IS: Mapping[str, Mapping[str, str]] = {
    "selectAction": {
        name: _ACTIONS[name] for name in ("Action.OpenUrl", "Action.ToggleVisibility")
    },
    "card": {"AdaptiveCard": _CARD},
}
"""Fields that are one object."""
_SIZES = "small default medium large extraLarge"
_WORDS = {
    "version": "1.0 1.1 1.2 1.3 1.4",
    "spacing": f"none {_SIZES} padding",
    "fallback": "drop",
    "style": "default emphasis good attention warning accent person positive destructive",
    "color": "default dark light accent good warning attention",
    "fontType": "default monospace",
    "size": f"auto stretch {_SIZES}",
    "imageSize": f"auto stretch {_SIZES}",
    "weight": "lighter default bolder",
    "horizontalAlignment": "left center right",
    "verticalContentAlignment": "top center bottom",
}
_TRUTHS = frozenset(
    {"isVisible", "separator", "bleed", "wrap"}
    | {"isSubtle", "italic", "strikethrough", "underline", "highlight"}
)
_PIXELS = re.compile(r"auto|stretch|\d{1,4}(\.\d+)?(px)?")


def run(text: str, **style: Any) -> dict[str, Any]:
    """A run of characters."""
    return {"type": "TextRun", "text": text, **style}


def line(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Runs that wrap where the card ends."""
    return {"type": "RichTextBlock", "inlines": list(runs)}


def footer(text: str) -> dict[str, Any]:
    """The line that closes every card, overrides included."""
    return line([run(text, isSubtle=True, size="Small")]) | {"separator": True, "spacing": "Medium"}


def overridden(
    message: Message, native: object, summary: str, calling: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """The override's card with title marks, `calling` and footer; every text of it wraps.

    `summary` is the plain text that stands for the card where it cannot be shown. Raises
    `UnsendableError`.
    """
    found = next(_object(native, {"AdaptiveCard": _CARD}, "the card"), None)
    if found is not None or not isinstance(native, Mapping):
        raise UnsendableError(f"{_WHAT}: {found}")
    body = [*calling, *(_wrapped(element) for element in native["body"])]
    if mark := marks(title(message)):
        body.insert(0, line([run(mark, weight="Bolder", color="Attention")]))
    if said := closing(message):
        body.append(footer(said))
    card = {**_wrapped(native), "body": body, "fallbackText": summary}
    defaults = {"version": VERSION, "lang": message.language, "msteams": {"width": "Full"}}
    return {"$schema": SCHEMA, **defaults, **card}


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
    value: object, types: Mapping[str, str], where: str, *, typed: bool = True
) -> Iterator[str]:
    """What is wrong about an object of one of these types, one sentence each."""
    if not isinstance(value, Mapping):
        yield f"{where} is not an object"
        return
    kind = value.get("type", None if typed else next(iter(types)))
    if not isinstance(kind, str) or kind not in types:
        yield _unknown(kind, types, where)
        return
    fields = {name.rstrip("!"): name.endswith("!") for name in types[kind].split()}
    for name, inner in value.items():
        if name not in fields and name != "type":
            yield f"{kind} has no {str(name)[:40]!r}"
        elif name != "type":
            yield from _field(name, inner, f"{name} of {kind}")
    for name, needed in fields.items():
        if needed and name not in value:
            yield f"{kind} needs {name!r}"


def _unknown(kind: object, types: Mapping[str, str], where: str) -> str:
    said = str(kind)[:40]
    if said in ("Action.Submit", "Action.Execute") or said.startswith("Input."):
        return f"{said} needs a bot that answers, and a Workflows webhook has none"
    if said == "Table":
        return "a Table needs version 1.5: use a ColumnSet"
    return f"{where} has the unknown type {said!r}, it takes {', '.join(types)}"


def _field(name: str, value: object, where: str) -> Iterator[str]:
    if name in _HOLDS:
        if not isinstance(value, list):
            yield f"{where} is not a list"
            return
        for inner in value:
            if name != "inlines" or not isinstance(inner, str):
                yield from _object(inner, _HOLDS[name], where, typed=name not in _UNTYPED)
        if name == "actions" and not value:
            yield f"{where} is empty"
    elif name in _IS:
        yield from _object(value, _IS[name], where)
    elif (wanted := _wanted(name, value)) is not None:
        yield f"{where} must be {wanted}"


def _wanted(name: str, value: object) -> str | None:
    """What a plain field must be, where it is not."""
    if name in _WORDS:
        known = isinstance(value, str) and value.casefold() in _WORDS[name].casefold().split()
        return None if known else f"one of {', '.join(_WORDS[name].split())}"
    if name in _TRUTHS:
        return None if isinstance(value, bool) else "true or false"
    if name == "url":
        secure = isinstance(value, str) and value.startswith("https://") and safe_url(value)
        return None if secure else "an address that begins with https://"
    if name == "width":
        fits = _PIXELS.fullmatch(str(value)) and not isinstance(value, bool)
        return None if fits else "auto, stretch, a weight or pixels such as 80px"
    if name == "msteams":
        return None if value == {"width": "Full"} else '{"width": "Full"}'
    if name == "maxLines":
        return None if type(value) in (int, float) else "a number"
    if name == "targetElements":
        ids = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return None if ids else "a list of ids"
    return None if isinstance(value, str) else "a text"
