"""What Slack takes, and a check of payloads against it.

Sources: docs.slack.dev (block reference, chat.postMessage) and the types and models of Slack's
own SDKs. All are counted in UTF-16 units, the strictest way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relay.channels.texts import units

BLOCKS = 50
"""Blocks per message (docs.slack.dev, blocks)."""
HEADER = 150
"""`header.text` (python-slack-sdk, HeaderBlock)."""
TEXT = 3_900
"""Top-level `text`: documented as 4,000, and more is split into several messages."""
RICH_TEXT = 3_000
"""A rich text block: no limit is documented, so the one of a section."""
CONTEXT = 2_000
"""A text of a context block."""
BUTTONS = 25
"""Elements of an actions block (python-slack-sdk, ActionsBlock)."""
BUTTON = 75
"""`button.text` (python-slack-sdk, ButtonElement)."""
URL = 3_000
"""`button.url`."""
ALL_TEXT = 8_000
"""All text of one message; Slack names no number for `msg_blocks_too_long`."""


def problems(payload: Mapping[str, Any]) -> list[str]:
    """What Slack would refuse or change about a payload, one sentence each."""
    found = []
    if not payload.get("text"):
        found.append("the top-level text is empty")
    elif units(payload["text"]) > TEXT + 100:
        found.append("the top-level text is too long")
    blocks = list(_blocks(payload))
    if len(blocks) > BLOCKS:
        found.append(f"{len(blocks)} blocks, {BLOCKS} are allowed")
    for block in blocks:
        found += _block_problems(block)
    return found


def _blocks(payload: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield from payload.get("blocks", ())
    for attachment in payload.get("attachments", ()):
        yield from attachment.get("blocks", ())


def _block_problems(block: Mapping[str, Any]) -> Iterator[str]:
    match block["type"]:
        case "header":
            yield from _length("header", block["text"]["text"], HEADER)
        case "rich_text":
            texts = list(_texts(block["elements"]))
            if not texts:
                yield "rich_text without text"
            for text in texts:
                yield from _length("rich_text", text, RICH_TEXT)
        case "context":
            for element in block["elements"]:
                yield from _length("context", element["text"], CONTEXT)
        case "actions":
            if not 1 <= len(block["elements"]) <= BUTTONS:
                yield f"actions with {len(block['elements'])} buttons"
            for element in block["elements"]:
                yield from _length("button", element["text"]["text"], BUTTON)
                yield from _length("button url", element["url"], URL)
        case other:
            yield f"unknown block {other}"


def _texts(elements: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for element in elements:
        if "elements" in element:
            if not element["elements"]:
                yield ""
            yield from _texts(element["elements"])
        elif "text" in element:
            yield element["text"]


def _length(what: str, text: str, limit: int) -> Iterator[str]:
    if not text:
        yield f"{what} with an empty text"
    elif units(text) > limit:
        yield f"{what} with {units(text)} characters, {limit} are allowed"
