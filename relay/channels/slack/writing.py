"""A message in Slack's own elements: a header, and rich text beside a coloured bar.

Event text stands only in `plain_text` objects and `rich_text` elements, which parse nothing: it
cannot become a mention, a link or an emoji. The top-level `text` (notifications, screen readers)
is parsed by Slack, so it is escaped. Those whom a message calls are added behind it, and stand in
a block of their own: Slack rings for mentions in blocks, and in the text where there are none.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from relay.channels import Call, Parcel
from relay.channels.fit import Tone, fit, gist, title, tone
from relay.channels.slack import blocks as slack_blocks
from relay.channels.slack.blocks import BLOCKS, RICH_TEXT
from relay.channels.slack.override import overridden
from relay.messages import Message
from relay.outcomes import Act
from relay.text import cut, units

COLOURS = {
    Tone.GOOD: "#2eb67d",
    Tone.INFO: "#1d9bd1",
    Tone.WARNING: "#ecb22e",
    Tone.BAD: "#e01e5a",
}
_TEXT = 3_800
"""Of the top-level `text`: documented as 4,000, and more is split into several messages. There
must be room behind it for those who are called."""
_ALL_TEXT = 8_000
"""All text of one message; Slack names no number for `msg_blocks_too_long`."""
_NAMESPACE = bytes.fromhex("5e5d8a5c6f0e4d6f9d0b0c54e3f8a7b1")


def client_msg_id(delivery_id: str) -> str:
    """The same for every attempt of a delivery.

    Slack looks it up and documents errors about duplicates of it, but no promise: best effort.
    """
    digest = bytearray(hashlib.sha1(_NAMESPACE + delivery_id.encode()).digest()[:16])  # noqa: S324
    digest[6] = digest[6] & 0x0F | 0x50  # the version and variant of a UUID made of a name
    digest[8] = digest[8] & 0x3F | 0x80
    sign = digest.hex()
    return f"{sign[:8]}-{sign[8:12]}-{sign[12:16]}-{sign[16:20]}-{sign[20:]}"


def write(parcel: Parcel, channel: str | None) -> dict[str, Any]:
    """The arguments of a method of the Web API; a webhook's body where `channel` is None."""
    message = parcel.message
    body: dict[str, Any] = {} if channel is None else _addressed(parcel, channel)
    if parcel.plain:
        body |= _words(message)
    elif "slack" in message.native:
        said = notification(title(message), gist(message), message.language)
        calling = [slack_blocks.mention(parcel.calls)] if parcel.calls else []
        body |= overridden(message, message.native["slack"], said, calling)
    else:
        body |= _dressed(message, parcel.calls)
    if parcel.calls:
        body["text"] = f"{body['text']}\n{' '.join(map(_token, parcel.calls))}"
        # That mentions are read where mrkdwn is off is written nowhere. A star in the text may
        # style it then, but nothing in it can become a mention or a link.
        body.pop("mrkdwn", None)
    if parcel.act is Act.EDIT:
        return body | {"link_names": False}
    return body | {"link_names": False, "unfurl_links": False, "unfurl_media": False}


def _addressed(parcel: Parcel, channel: str) -> dict[str, Any]:
    """Where it goes: the arguments of `chat.update` for an edit, which wants the channel's id."""
    living = parcel.living
    if parcel.act is Act.EDIT:
        return {"channel": living.get("channel", channel), "ts": living.get("ts", "")}
    if parcel.act is Act.REPLY:
        return {
            "channel": living.get("channel", channel),
            "thread_ts": living.get("ts", ""),
            "reply_broadcast": parcel.broadcast,
            "client_msg_id": client_msg_id(f"{parcel.delivery_id} reply"),
        }
    return {"channel": channel, "client_msg_id": client_msg_id(parcel.delivery_id)}


def escaped(text: str) -> str:
    """Text that Slack's mrkdwn shows as it is (docs.slack.dev: these three, `&` first)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _token(call: Call) -> str:
    """As Slack's parsed text has it (docs.slack.dev, "Formatting message text")."""
    if call.id in ("here", "channel"):
        return f"<!{call.id}>"
    return f"<!subteam^{call.id}>" if call.id.startswith("S") else f"<@{call.id}>"


def _words(message: Message) -> dict[str, Any]:
    # `mrkdwn` and `parse` off: this text is what people read, so nothing in it may be styled
    # or become a link.
    short = fit(message, room=_TEXT, each=_TEXT, most=BLOCKS).message
    text = _text(f"{short.title}\n{short.text}", message.language)
    return {"text": text, "mrkdwn": False, "parse": "none"}


def notification(title: str, gist: str, language: str) -> str:
    """What a phone shows: the title and how the body begins; escaped, for it is parsed."""
    return _text(f"{title}\n{gist}", language)


def _text(text: str, language: str) -> str:
    said = escaped(text := text.strip())
    if units(said) <= _TEXT:
        return said
    return escaped(cut(text, _TEXT, language, size=lambda text: units(escaped(text))))


def _dressed(message: Message, calls: Sequence[Call]) -> dict[str, Any]:
    fitted = fit(message, room=_ALL_TEXT, each=RICH_TEXT - 100, most=BLOCKS - 5).message
    colour = tone(message)
    blocks = slack_blocks.written(fitted.blocks, colour, columns=True)
    if len(blocks) > BLOCKS - 3:
        blocks = slack_blocks.written(fitted.blocks, colour, columns=False)
    if fitted.footer:
        blocks.append(slack_blocks.footer(fitted.footer))
    body: dict[str, Any] = {
        "text": notification(fitted.title, gist(fitted), message.language),
        "blocks": [slack_blocks.header(fitted.title, message.language)],
    }
    if calls:
        body["blocks"].append(slack_blocks.mention(calls))
    if blocks:
        fallback = escaped(body["blocks"][0]["text"]["text"])
        body["attachments"] = [{"color": COLOURS[colour], "fallback": fallback, "blocks": blocks}]
    return body
