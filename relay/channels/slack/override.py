"""Blocks that a template wrote for Slack itself: checked, and closed with the footer.

Its author may use what Slack shows in messages; what would need an answer is refused. The models
of Slack's SDK know most limits; what they let pass is looked for here (docs.slack.dev, blocks).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relay.channels.fit import footer as closing
from relay.channels.fit import marks, title
from relay.channels.slack.blocks import BLOCKS, RICH_TEXT, footer, header
from relay.errors import UnsendableError
from relay.messages import Message
from relay.text import one_line, safe_url, units

_KEYS = frozenset({"blocks", "text", "attachments"})
_ATTACHMENT = frozenset({"blocks", "color", "fallback"})
_WHAT = "the Slack override"
_TEXT = 4_000
"""Of the top-level `text`."""
_BLOCKS = frozenset(
    {"header", "section", "context", "actions", "image", "divider", "rich_text", "table"}
)
_TEXTS = frozenset({"plain_text", "mrkdwn", "raw_text", "text"})
_PARTS = _BLOCKS | _TEXTS | {
    "button", "link", "emoji", "user", "usergroup", "channel", "broadcast", "date", "color",
    "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted",
}  # fmt: skip
_INSIDE = frozenset({"text", "elements", "fields", "rows", "accessory"})
"""Keys under which parts stand in a part."""
_LEADING = {"button": "url", "link": "url", "image": "image_url"}
"""Parts that lead somewhere, and where it is said."""


def overridden(
    message: Message, native: object, notification: str, calling: Sequence[Mapping[str, Any]] = ()
) -> dict[str, Any]:
    """Text, blocks and attachments of the override, with title marks, `calling` and footer.

    `notification` is the escaped text that the message has without it: the title stays in the
    top-level text whatever the override says. Raises `UnsendableError`.
    """
    if not isinstance(native, Mapping):
        raise UnsendableError(f"{_WHAT} is not an object with blocks")
    if fault := next(_shape_faults(native), None):
        raise UnsendableError(f"{_WHAT}: {fault}")
    blocks = [*calling, *native.get("blocks", [])]
    attachments = [dict(attachment) for attachment in native.get("attachments", [])]
    if mark := marks(title(message)):
        blocks.insert(0, header(mark, message.language))
    if closed := closing(message):
        if attachments:
            attachments[-1]["blocks"] = [*attachments[-1].get("blocks", []), footer(closed)]
        else:
            blocks.append(footer(closed))
    heading = notification.partition("\n")[0]
    said = one_line(native.get("text") or "")
    text = notification if not said else said if heading in said else f"{heading}\n{said}"
    body = {"text": text, "blocks": blocks, "attachments": attachments}
    if faults := problems(body):
        raise UnsendableError(f"{_WHAT}: {faults[0]}")
    return {key: value for key, value in body.items() if value}


def _shape_faults(native: Mapping[str, Any]) -> Iterator[str]:
    """Sentences; each rests on those before it."""
    for key in native.keys() - _KEYS:
        yield f"unknown key {key[:40]!r}, it takes blocks, text and attachments"
    if not isinstance(native.get("text", ""), str):
        yield "text is no text"
    attachments = native.get("attachments", [])
    if not isinstance(attachments, list):
        yield "attachments must be a list"
    for attachment in attachments:
        if not isinstance(attachment, Mapping) or attachment.keys() - _ATTACHMENT:
            yield "an attachment takes blocks, color and fallback alone"
    groups = [part.get("blocks", []) for part in (native, *attachments)]
    if not all(isinstance(group, list) for group in groups):
        yield "blocks must be lists"
    if not any(groups):
        yield "it has no blocks"


def problems(body: Mapping[str, Any]) -> list[str]:
    """What Slack would refuse or change about text, blocks and attachments, one sentence each."""
    parts = (body, *body.get("attachments", ()))
    blocks = [block for part in parts for block in part.get("blocks", ())]
    found = []
    for block in blocks:
        if _kind(block) in _BLOCKS:
            found += [*_faults(block), *_sdk_faults(block)]
        else:
            found.append(f"unknown block {_kind(block)!r}")
    if not 0 < units(body["text"]) <= _TEXT:
        found.append(f"the top-level text is empty or longer than {_TEXT} characters")
    if len(blocks) > BLOCKS:
        found.append(f"{len(blocks)} blocks, {BLOCKS} are allowed")
    return found


def _faults(part: Any) -> Iterator[str]:
    """What the SDK lets pass about a part, and about those inside of it."""
    if isinstance(part, list):
        for inner in part:
            yield from _faults(inner)
        return
    kind = _kind(part)
    if kind not in _PARTS:
        yield f"a part of type {kind!r}: it is unknown, or nobody would answer it"
        return
    text = part.get("text")
    if kind in _TEXTS and not (isinstance(text, str) and 0 < units(text) <= RICH_TEXT):
        yield f"{kind} needs a text of 1 to {RICH_TEXT} characters"
    if kind in ("header", "button") and _kind(text) != "plain_text":
        yield f"the text of a {kind} must be plain_text"
    if kind in _LEADING and safe_url(str(part.get(_LEADING[kind]))) is None:
        yield f"{kind} without an http(s) address"
    for key, inner in part.items():
        if key in _INSIDE and not inner:
            yield f"{key} of a {kind} is empty"
        elif key in _INSIDE and (key != "text" or kind not in _TEXTS | {"link"}):
            yield from _faults(inner)


def _sdk_faults(block: Any) -> Iterator[str]:
    from slack_sdk.errors import SlackClientError
    from slack_sdk.models.blocks import Block

    try:
        model = Block.parse(dict(block))
        if model is not None:
            model.to_dict()
    except (SlackClientError, TypeError, ValueError, KeyError, AttributeError) as error:
        yield f"Slack's SDK refuses a {_kind(block)}: {one_line(str(error))[:160]}"


def _kind(part: object) -> str:
    return str(part.get("type"))[:40] if isinstance(part, Mapping) else "none"
