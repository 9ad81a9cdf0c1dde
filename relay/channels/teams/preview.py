"""A Teams message drawn from its Adaptive Card.

Colours, sizes and spaces are those of Teams' host configuration, which Microsoft publishes
(microsoft/AdaptiveCards, samples/HostConfig/microsoft-teams-light.json and -dark.json).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from markdown_it import MarkdownIt

from relay.channels.html import Html, element, fragment, is_safe, link, printable, trusted, unknown

_Part = Mapping[str, Any]
_MOST_WEIGHT = 1_000
_PIXELS = re.compile(r"(\d{1,4})px")
# What a TextBlock parses (adaptivecards.io, "Text features"); HTML in it is text.
_MARKDOWN = MarkdownIt("zero", {"html": False, "xhtmlOut": True, "breaks": True}).enable(
    ["emphasis", "link", "list", "newline", "escape"]
)
_MARKDOWN.validateLink = is_safe  # type: ignore[method-assign]


def draw(payload: _Part, clock: str) -> Html:
    """The post of the flow with every card of it; `clock` is its time."""
    cards = [
        _card(attachment.get("content") or {}) for attachment in payload.get("attachments", ())
    ]
    summary = payload.get("summary") or payload.get("text")
    return fragment(
        [
            element(
                "div",
                element("div", "Notification", class_="label"),
                element("div", str(summary), class_="t-notice"),
                class_="part",
            )
            if summary
            else None,
            element(
                "div",
                element("div", "Post of the flow", class_="label"),
                element(
                    "div",
                    element("div", "W", class_="t-avatar", aria_hidden="true"),
                    element(
                        "div",
                        element(
                            "div", element("b", "Workflows"), element("time", clock), class_="t-who"
                        ),
                        *cards,
                        class_="t-body",
                    ),
                    class_="t-message",
                ),
                class_="part",
            ),
        ]
    )


def _card(card: _Part) -> Html:
    if card.get("type") != "AdaptiveCard":
        return unknown(f"attachment {card.get('type')}")
    return element(
        "div",
        *_elements(card.get("body", ())),
        element("div", _actions(card["actions"]), class_="t-part t-space-default")
        if card.get("actions")
        else None,
        class_="t-card",
    )


def _elements(parts: Iterable[_Part]) -> list[Html]:
    return [_spaced(part, place) for place, part in enumerate(parts)]


def _spaced(part: _Part, place: int) -> Html:
    """An element with the space above it; the first of its container has none."""
    classes = ["t-part"]
    if place:
        classes.append(f"t-space-{_word(part.get('spacing'), 'default')}")
        if part.get("separator"):
            classes.append("t-separator")
    if part.get("bleed"):
        classes.append("t-bleed")
    if part.get("isVisible") is False:
        classes.append("t-hidden")
    return element("div", _element(part), class_=" ".join(classes))


def _element(part: _Part) -> Html:
    match part.get("type"):
        case "TextBlock":
            return element("div", _markdown(part), class_=_text_classes(part))
        case "RichTextBlock":
            runs = [_run(run) for run in part.get("inlines", ())]
            return element("div", *runs, class_=_aligned("t-text t-runs", part))
        case "Container":
            return element("div", *_elements(part.get("items", ())), class_=_box(part, "t-box"))
        case "ColumnSet":
            columns = [
                _column(column, place) for place, column in enumerate(part.get("columns", ()))
            ]
            return element("div", *columns, class_=_box(part, "t-columns"))
        case "FactSet":
            return element("div", *map(_fact, part.get("facts", ())), class_="t-facts")
        case "ActionSet":
            return _actions(part.get("actions", ()))
        case "Image":
            return _image(part)
        case "ImageSet":
            return element("div", *map(_image, part.get("images", ())))
        case "Table":
            return _table(part)
        case other:
            return unknown(f"element {other}")


def _image(part: _Part) -> Html:
    return element("span", f"[image: {part.get('altText') or 'no words for it'}]", class_="image")


def _markdown(part: _Part) -> Html:
    return trusted(_MARKDOWN.render(printable(part.get("text", ""))))


def _run(run: _Part | str) -> Html:
    if isinstance(run, str):
        return fragment([run])
    words = fragment([str(run.get("text", ""))])
    if run.get("italic"):
        words = element("em", words)
    if run.get("strikethrough"):
        words = element("s", words)
    classes = _text_classes(run, "t-run")
    if run.get("highlight"):
        classes += " t-highlight"
    action = run.get("selectAction")
    if isinstance(action, Mapping):
        return link(words, action.get("url"), class_=classes)
    return element("span", words, class_=classes)


def _text_classes(part: _Part, first: str = "t-text") -> str:
    classes = [first]
    styled = (key for key in ("size", "weight", "color", "fontType") if part.get(key))
    classes += [f"t-{key.lower()}-{_word(part[key], 'default')}" for key in styled]
    if part.get("isSubtle"):
        classes.append("t-subtle")
    if part.get("type") == "TextBlock" and not part.get("wrap"):
        classes.append("t-nowrap")
    return _aligned(" ".join(classes), part)


def _aligned(classes: str, part: _Part) -> str:
    side = _word(part.get("horizontalAlignment"), "left")
    return classes if side == "left" else f"{classes} t-align-{side}"


def _box(part: _Part, name: str) -> str:
    style = _word(part.get("style"), "default")
    return name if style == "default" else f"{name} t-style t-style-{style}"


def _column(column: _Part, place: int) -> Html:
    spacing = f" t-gap-{_word(column.get('spacing'), 'default')}" if place else ""
    return element(
        "div",
        *_elements(column.get("items", ())),
        class_=_box(column, "t-column") + spacing,
        style=_flex(column.get("width", "stretch")),
    )


def _flex(width: object) -> str:
    pixels = _PIXELS.fullmatch(str(width))
    if pixels:
        return f"flex:0 0 {int(pixels[1])}px"
    try:
        weight = min(max(float(str(width)), 0), _MOST_WEIGHT)
    except ValueError:
        return "flex:0 1 auto" if width == "auto" else "flex:1 1 0"
    return f"flex:{weight:g} 1 0"


def _fact(fact: _Part) -> Html:
    # Titles and values of a FactSet parse Markdown, as a TextBlock does.
    title, value = ({"text": fact.get(key, "")} for key in ("title", "value"))
    return element(
        "div",
        element("div", _markdown(title), class_="t-text t-weight-bolder"),
        element("div", _markdown(value), class_="t-text"),
        class_="t-fact",
    )


def _actions(actions: Sequence[_Part]) -> Html:
    shown = [_card(action["card"]) for action in actions if action.get("card")]
    return element("div", *map(_action, actions), *shown, class_="t-actions")


def _action(action: _Part) -> Html:
    style = _word(action.get("style"), "default")
    name = "t-button" if style == "default" else f"t-button t-button-{style}"
    title = str(action.get("title", ""))
    if action.get("type") == "Action.OpenUrl":
        return link(title, action.get("url"), class_=name)
    return element("span", title, class_=name, title=f"no link: {action.get('type')}")


def _table(part: _Part) -> Html:
    rows = [
        element("tr", *(element("td", *_elements(cell.get("items", ()))) for cell in row["cells"]))
        for row in part.get("rows", ())
    ]
    return element("table", element("tbody", *rows), class_="t-table")


def _word(value: object, default: str) -> str:
    """A value of the card as a part of a class name."""
    word = str(value).casefold() if value else default
    return word if word.isascii() and word.isalpha() else default
