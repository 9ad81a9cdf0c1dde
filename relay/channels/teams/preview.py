"""A Teams message drawn from its Adaptive Card.

Colours, sizes and spaces are those of Teams' host configuration, which Microsoft publishes
(microsoft/AdaptiveCards, samples/HostConfig/microsoft-teams-light.json and -dark.json).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from relay.channels.drawing import Sketch, drawn, is_web, printable

_MOST_WEIGHT = 1_000
_PIXELS = re.compile(r"(\d{1,4})px")
# What a TextBlock parses (adaptivecards.io, "Text features"); HTML in it is text.
_MARKDOWN = MarkdownIt("zero", {"html": False, "xhtmlOut": True, "breaks": True}).enable(
    ["emphasis", "link", "list", "newline", "escape"]
)
_MARKDOWN.validateLink = is_web  # type: ignore[method-assign]


def draw(payload: Mapping[str, Any], clock: str) -> Markup:
    """The post of the flow with every card of it; `clock` is its time."""
    names = _called(payload)

    def markdown(text: object) -> Markup:
        shown = _markdown(text)
        for name in names:
            shown = shown.replace(
                escape(f"<at>{name}</at>"), Markup('<span class="mention">{}</span>').format(name)
            )
        return shown

    return drawn(
        "channels/teams/preview.html.j2",
        payload=payload,
        clock=clock,
        markdown=markdown,
        flex=_flex,
    )


SKETCH = Sketch(
    "Microsoft Teams",
    draw,
    settings={"url": "https://made-up.environment.api.powerplatform.com/workflows/made-up"},
)


def _called(payload: Mapping[str, Any]) -> list[str]:
    """The names that a card's `<at>` may hold: any other is text."""
    cards = [one.get("content") or {} for one in payload.get("attachments", ())]
    told = [one for card in cards for one in card.get("msteams", {}).get("entities", ())]
    return [str(one["mentioned"]["name"]) for one in told]


def _markdown(text: object) -> Markup:
    return Markup(_MARKDOWN.render(printable(text)))  # noqa: S704  # escaped by its renderer


def _flex(width: object) -> str:
    """The width of a column: pixels, a weight, `auto` or `stretch`."""
    if pixels := _PIXELS.fullmatch(str(width)):
        return f"flex:0 0 {int(pixels[1])}px"
    try:
        weight = min(max(float(str(width)), 0), _MOST_WEIGHT)
    except ValueError:
        return "flex:0 1 auto" if width == "auto" else "flex:1 1 0"
    return f"flex:{weight:g} 1 0"
