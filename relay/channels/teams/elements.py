"""The elements of an Adaptive Card that parse nothing, for cards of ours and for overrides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"
VERSION = "1.4"
"""Which every Teams client shows."""
_Element = dict[str, Any]


def run(text: str, **style: Any) -> _Element:
    """A run of characters."""
    return {"type": "TextRun", "text": text, **style}


def line(runs: Sequence[_Element]) -> _Element:
    """Runs that wrap where the card ends."""
    return {"type": "RichTextBlock", "inlines": list(runs)}


def footer(text: str) -> _Element:
    """The line that closes every card, overrides included."""
    return line([run(text, isSubtle=True, size="Small")]) | {"separator": True, "spacing": "Medium"}
