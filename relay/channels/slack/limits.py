"""What Slack takes, and a check of payloads against it.

Sources: docs.slack.dev (block reference, chat.postMessage) and the types and models of Slack's
own SDKs. All are counted in UTF-16 units, the strictest way.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relay.text import safe_url, units

BLOCKS = 50
"""Blocks per message (docs.slack.dev, blocks)."""
HEADER = 150
"""`header.text` (python-slack-sdk, HeaderBlock)."""
TEXT = 3_900
"""Top-level `text`: documented as 4,000, and more is split into several messages."""
RICH_TEXT = 3_000
"""A rich text block: no limit is documented, so the one of a section."""
SECTION = 3_000
"""`section.text` (node-slack-sdk, block-kit types)."""
FIELDS = 10
FIELD = 2_000
"""`section.fields`: how many, and each."""
CONTEXT = 2_000
"""A text of a context block."""
CONTEXT_ELEMENTS = 10
BUTTONS = 25
"""Elements of an actions block (python-slack-sdk, ActionsBlock)."""
BUTTON = 75
"""`button.text` (python-slack-sdk, ButtonElement)."""
URL = 3_000
"""`button.url`, `image_url`."""
ALT = 2_000
"""`image.alt_text`."""
TABLE = (100, 20)
"""Rows and columns of a table."""
ATTACHMENTS = 20
"""Slack shows 100, and nobody reads as many."""
ALL_TEXT = 8_000
"""All text of one message; Slack names no number for `msg_blocks_too_long`."""
MOST_TEXT = 12_000
"""The same for an override, whose author chose it: what a markdown block may hold in all."""
_RICH_SECTIONS = {
    "rich_text_section",
    "rich_text_list",
    "rich_text_quote",
    "rich_text_preformatted",
}
_RICH_INLINES = {
    "text",
    "link",
    "emoji",
    "user",
    "usergroup",
    "channel",
    "broadcast",
    "date",
    "color",
}
RICH = frozenset(_RICH_SECTIONS | _RICH_INLINES)
"""What may stand in a rich text (node-slack-sdk, block-kit types)."""

_Problems = Iterator[str]


def problems(payload: Mapping[str, Any]) -> list[str]:
    """What Slack would refuse or change about a payload, one sentence each.

    Takes any JSON: nothing is expected to have the right type.
    """
    found = [*_top_text(payload.get("text"))]
    attachments = payload.get("attachments", ())
    if not isinstance(attachments, list | tuple) or len(attachments) > ATTACHMENTS:
        return [*found, f"attachments must be a list of at most {ATTACHMENTS}"]
    parts = [payload, *attachments]
    if not all(isinstance(part, Mapping) for part in parts):
        return [*found, "an attachment is not an object"]
    groups = [part.get("blocks", []) for part in parts]
    if not all(isinstance(group, list) for group in groups):
        return [*found, "blocks must be a list"]
    blocks = [block for group in groups for block in group]
    if len(blocks) > BLOCKS:
        found.append(f"{len(blocks)} blocks, {BLOCKS} are allowed")
    for block in blocks:
        found += _block(block)
    total = sum(units(text) for text in _texts(blocks))
    if total > MOST_TEXT:
        found.append(f"{total} characters in all, {MOST_TEXT} are allowed")
    return found


def _top_text(text: object) -> _Problems:
    if not text:
        yield "the top-level text is empty"
    elif not isinstance(text, str) or units(text) > TEXT + 100:
        yield "the top-level text is too long or no text"


def _block(block: object) -> _Problems:
    if not isinstance(block, Mapping):
        yield "a block is not an object"
        return
    if not isinstance(block.get("block_id", ""), str) or len(block.get("block_id", "")) > 255:
        yield "block_id must be a text of at most 255 characters"
    match block.get("type"):
        case "header":
            yield from _text(block.get("text"), "header", HEADER, ("plain_text",))
        case "section":
            yield from _section(block)
        case "context":
            yield from _context(block.get("elements"))
        case "actions":
            yield from _actions(block.get("elements"))
        case "image":
            yield from _image(block)
        case "rich_text":
            yield from _rich(block.get("elements"))
        case "table":
            yield from _table(block.get("rows"))
        case "divider":
            pass
        case other:
            yield f"unknown block {str(other)[:40]!r}"


def _section(block: Mapping[str, Any]) -> _Problems:
    fields = block.get("fields")
    if fields is None and block.get("text") is None:
        yield "section with neither text nor fields"
    if block.get("text") is not None:
        yield from _text(block["text"], "section", SECTION)
    if fields is not None:
        if not isinstance(fields, list) or not 1 <= len(fields) <= FIELDS:
            yield f"section fields must be a list of 1 to {FIELDS}"
            return
        for field in fields:
            yield from _text(field, "section field", FIELD)
    accessory = block.get("accessory")
    if accessory is None:
        return
    if isinstance(accessory, Mapping) and accessory.get("type") == "image":
        yield from _image(accessory)
    else:
        yield from _button(accessory)


def _context(elements: object) -> _Problems:
    if not isinstance(elements, list) or not 1 <= len(elements) <= CONTEXT_ELEMENTS:
        yield f"context elements must be a list of 1 to {CONTEXT_ELEMENTS}"
        return
    for element in elements:
        if isinstance(element, Mapping) and element.get("type") == "image":
            yield from _image(element)
        else:
            yield from _text(element, "context", CONTEXT)


def _actions(elements: object) -> _Problems:
    if not isinstance(elements, list) or not 1 <= len(elements) <= BUTTONS:
        yield f"actions must be a list of 1 to {BUTTONS} buttons"
        return
    for element in elements:
        yield from _button(element)


def _button(element: object) -> _Problems:
    """Nobody here answers a button, so each must open an address."""
    if not isinstance(element, Mapping) or element.get("type") != "button":
        yield "an interactive element that is no button: nobody would answer it"
        return
    yield from _text(element.get("text"), "button", BUTTON, ("plain_text",))
    if element.get("style", "primary") not in ("primary", "danger"):
        yield "button style must be primary or danger"
    yield from _address(element.get("url"), "button url")


def _image(image: Mapping[str, Any]) -> _Problems:
    alt = image.get("alt_text")
    if not isinstance(alt, str) or not 1 <= units(alt) <= ALT:
        yield f"image needs alt_text of 1 to {ALT} characters"
    yield from _address(image.get("image_url"), "image_url")


def _rich(elements: object) -> _Problems:
    if not isinstance(elements, list) or not elements:
        yield "rich_text without elements"
        return
    texts = list(_rich_texts(elements))
    if None in texts:
        yield "rich_text with an element that is unknown or empty"
    for text in texts:
        if text is not None:
            yield from _length("rich_text", text, RICH_TEXT)
    for link in _links(elements):
        yield from _address(link.get("url"), "link url")


def _rich_texts(elements: Sequence[Any]) -> Iterator[str | None]:
    """The texts inside; None for what has no place there."""
    for element in elements:
        if not isinstance(element, Mapping) or element.get("type") not in RICH:
            yield None
        elif "elements" in element:
            if not isinstance(element["elements"], list) or not element["elements"]:
                yield None
            else:
                yield from _rich_texts(element["elements"])
        elif element["type"] == "text":
            yield element.get("text") if isinstance(element.get("text"), str) else None
        elif element["type"] == "link":
            yield element.get("text", element.get("url")) or None


def _links(elements: Sequence[Any]) -> Iterator[Mapping[str, Any]]:
    for element in elements:
        if isinstance(element, Mapping):
            if element.get("type") == "link":
                yield element
            if isinstance(element.get("elements"), list):
                yield from _links(element["elements"])


def _table(rows: object) -> _Problems:
    if not isinstance(rows, list) or not 1 <= len(rows) <= TABLE[0]:
        yield f"a table has 1 to {TABLE[0]} rows"
        return
    for row in rows:
        if not isinstance(row, list) or not 1 <= len(row) <= TABLE[1]:
            yield f"a row of a table has 1 to {TABLE[1]} cells"
            continue
        for cell in row:
            if isinstance(cell, Mapping) and cell.get("type") == "rich_text":
                yield from _rich(cell.get("elements"))
            elif not isinstance(cell, Mapping) or cell.get("type") != "raw_text":
                yield "a cell of a table is raw_text or rich_text"
            elif not isinstance(cell.get("text"), str):
                yield "a cell of a table has no text"


def _text(
    value: object, what: str, limit: int, kinds: Sequence[str] = ("plain_text", "mrkdwn")
) -> _Problems:
    if not isinstance(value, Mapping) or value.get("type") not in kinds:
        yield f"{what} must be {' or '.join(kinds)}"
    elif not isinstance(value.get("text"), str):
        yield f"{what} has no text"
    else:
        yield from _length(what, value["text"], limit)


def _length(what: str, text: str, limit: int) -> _Problems:
    if not text:
        yield f"{what} with an empty text"
    elif units(text) > limit:
        yield f"{what} with {units(text)} characters, {limit} are allowed"


def _address(url: object, what: str) -> _Problems:
    if not isinstance(url, str) or safe_url(url) is None:
        yield f"{what} is no http(s) address of at most {URL} characters"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key == "text" and isinstance(inner, str):
                yield inner
            else:
                yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
