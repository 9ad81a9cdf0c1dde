"""Blocks that a template wrote for Slack itself: checked, and closed with the footer.

Its author may use what Slack shows in messages; what would need an answer is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from relay.channels.fit import footer as closing
from relay.channels.fit import marks, title
from relay.channels.overrides import checked_json
from relay.channels.slack.blocks import footer, header
from relay.channels.slack.limits import problems
from relay.errors import UnsendableError
from relay.messages import Message
from relay.text import one_line

_KEYS = frozenset({"blocks", "text", "attachments"})
_ATTACHMENT = frozenset({"blocks", "color", "fallback"})
_WHAT = "the Slack override"


def overridden(message: Message, native: object, notification: str) -> dict[str, Any]:
    """Text, blocks and attachments of the override, with title marks and footer.

    `notification` is the escaped text that the message has without it: the title stays in the
    top-level text whatever the override says. Raises `UnsendableError`.
    """
    if not isinstance(native, Mapping):
        raise UnsendableError(f"{_WHAT} is not an object with blocks")
    checked_json(native, _WHAT)
    found = next(_faults(native), None)
    if found is not None:
        raise UnsendableError(f"{_WHAT}: {found}")
    blocks = list(native.get("blocks", []))
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


def _faults(native: Mapping[str, Any]) -> Iterator[str]:
    """Sentences; each rests on those before it."""
    unknown = sorted(str(key) for key in native.keys() - _KEYS)
    if unknown:
        yield f"unknown key {unknown[0][:40]!r}, it takes blocks, text and attachments"
    text, attachments = native.get("text", ""), native.get("attachments", [])
    if not isinstance(text, str):
        yield "text is no text"
    if not isinstance(native.get("blocks", []), list) or not isinstance(attachments, list):
        yield "blocks and attachments must be lists"
    for attachment in attachments:
        if not isinstance(attachment, Mapping) or attachment.keys() - _ATTACHMENT:
            yield "an attachment takes blocks, color and fallback alone"
        if not all(isinstance(attachment.get(key, ""), str) for key in ("color", "fallback")):
            yield "color and fallback of an attachment are texts"
    parts = [native, *attachments]
    if not any(part.get("blocks") for part in parts):
        yield "it has no blocks"
    yield from problems({**native, "text": "x"})
    for part in parts:
        yield from _sdk_faults(part.get("blocks", []))


def _sdk_faults(blocks: list[Any]) -> Iterator[str]:
    """What the models of Slack's SDK find beyond our own limits."""
    from slack_sdk.errors import SlackClientError
    from slack_sdk.models.blocks import Block

    for block in blocks:
        try:
            model = Block.parse(dict(block))
            if model is None:
                yield "a block of a type that Slack's SDK does not know"
            else:
                model.to_dict()
        except (SlackClientError, TypeError, ValueError, KeyError, AttributeError) as error:
            yield f"Slack's SDK refuses a block: {one_line(str(error))[:160]}"
