"""A message in Slack's own elements: a header, and rich text beside a coloured bar.

Event text stands only in `plain_text` objects and `rich_text` elements, which parse nothing: it
cannot become a mention, a link or an emoji. The top-level `text` (notifications, screen readers)
is parsed by Slack, so it is escaped.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from relay.channels import Parcel
from relay.channels.fitting import Tone, fit, tone
from relay.channels.slack_limits import (
    ALL_TEXT,
    BLOCKS,
    BUTTON,
    BUTTONS,
    CONTEXT,
    HEADER,
    RICH_TEXT,
    TEXT,
    problems,
)
from relay.channels.texts import clean, cut, one_line, units
from relay.errors import UnsendableError
from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Facts,
    Inline,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
    Text,
)

COLOURS = {
    Tone.GOOD: "#2eb67d",
    Tone.INFO: "#8d9096",
    Tone.WARNING: "#ecb22e",
    Tone.BAD: "#e01e5a",
}
_NAMESPACE = uuid.UUID("5e5d8a5c-6f0e-4d6f-9d0b-0c54e3f8a7b1")
_Element = dict[str, Any]


def client_msg_id(delivery_id: str) -> str:
    """The same for every attempt of a delivery.

    Slack looks it up and documents errors about duplicates of it, but no promise: best effort.
    """
    return str(uuid.uuid5(_NAMESPACE, delivery_id))


def write(parcel: Parcel, channel: str | None) -> dict[str, Any]:
    """The arguments of `chat.postMessage`, or the body of a webhook where `channel` is None."""
    body: dict[str, Any] = {}
    if channel is not None:
        body = {"channel": channel, "client_msg_id": client_msg_id(parcel.delivery_id)}
    body |= _words(parcel.message) if parcel.plain else _dressed(parcel.message)
    body |= {"link_names": False, "unfurl_links": False, "unfurl_media": False}
    found = problems(body)
    if found:
        raise UnsendableError(f"Slack would not take this message: {found[0]}")
    return body


def escaped(text: str) -> str:
    """Text that Slack's mrkdwn shows as it is (docs.slack.dev: these three, `&` first)."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _words(message: Message) -> dict[str, Any]:
    # `mrkdwn` and `parse` off: this text is what people read, so nothing in it may be styled
    # or become a link.
    return {"text": _notification(message), "mrkdwn": False, "parse": "none"}


def _notification(message: Message) -> str:
    title = one_line(message.title) or "(no title)"
    body = clean(message.text).strip()
    return escaped(cut(f"{title}\n{body}".strip(), TEXT, lambda text: units(escaped(text))))


def _dressed(message: Message) -> dict[str, Any]:
    fitted = fit(message, room=ALL_TEXT, each=RICH_TEXT - 100, most=BLOCKS - 5)
    header = cut(fitted.title, HEADER)
    blocks = [_block(block) for block in fitted.blocks]
    if fitted.footer:
        footer = _plain_text(cut(fitted.footer, CONTEXT))
        blocks.append({"type": "context", "elements": [footer]})
    body: dict[str, Any] = {
        "text": _notification(message),
        "blocks": [{"type": "header", "text": _plain_text(header)}],
    }
    if blocks:
        body["attachments"] = [{"color": COLOURS[tone(message)], "blocks": blocks}]
    return body


def _block(block: Block) -> _Element:
    match block:
        case Paragraph(inlines=inlines):
            return _rich_text([_section("rich_text_section", inlines)])
        case Bullets(items=items, ordered=ordered):
            return _rich_text(list(_lists(items, ordered, 0)))
        case Quote(paragraphs=paragraphs):
            lines: list[Inline] = []
            for paragraph in paragraphs:
                lines += [Break(), Break(), *paragraph] if lines else paragraph
            return _rich_text([_section("rich_text_quote", lines)])
        case Facts(facts=facts):
            pairs: list[Inline] = []
            for fact in facts:
                pairs += [Break()] if pairs else []
                pairs += [Text(f"{fact.label}: ", bold=True), *fact.value]
            return _rich_text([_section("rich_text_section", pairs)])
        case Buttons(links=links):
            return {"type": "actions", "elements": [_button(link) for link in links[:BUTTONS]]}


def _rich_text(elements: Sequence[_Element]) -> _Element:
    return {"type": "rich_text", "elements": list(elements)}


def _section(kind: str, inlines: Sequence[Inline]) -> _Element:
    return {"type": kind, "elements": [_inline(inline) for inline in inlines]}


def _lists(items: tuple[Item, ...], ordered: bool, indent: int) -> Iterator[_Element]:
    """Slack has no nested lists: an inner one is a further list with an indent."""
    style = "ordered" if ordered else "bullet"
    run: list[_Element] = []
    done = 0
    for item in items:
        run.append(_section("rich_text_section", item.inlines or (Text("–"),)))
        if item.items:
            yield _list(run, style, indent, done)
            yield from _lists(item.items, False, indent + 1)
            done += len(run)
            run = []
    if run:
        yield _list(run, style, indent, done)


def _list(sections: list[_Element], style: str, indent: int, done: int) -> _Element:
    shape: _Element = {
        "type": "rich_text_list",
        "style": style,
        "indent": indent,
        "elements": sections,
    }
    if style == "ordered" and done:
        shape["offset"] = done
    return shape


def _inline(inline: Inline) -> _Element:
    match inline:
        case Text(text=text):
            style = {
                name: True
                for name, on in (
                    ("bold", inline.bold),
                    ("italic", inline.italic),
                    ("code", inline.code),
                )
                if on
            }
            return {"type": "text", "text": text} | ({"style": style} if style else {})
        case Link(label=label, url=url):
            return {"type": "link", "url": url} | ({"text": label} if label != url else {})
        case Break():
            return {"type": "text", "text": "\n"}


def _button(link: Link) -> _Element:
    return {
        "type": "button",
        "text": _plain_text(cut(link.label, BUTTON)),
        "url": link.url,
    }


def _plain_text(text: str) -> _Element:
    return {"type": "plain_text", "text": text, "emoji": False}
