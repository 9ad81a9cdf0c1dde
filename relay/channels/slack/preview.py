"""A Slack message drawn from the arguments of its post, block by block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from relay.channels.html import Html, colour, element, fragment, link, unknown
from relay.channels.slack.mrkdwn import mrkdwn, plain

APP = "relay"
_STYLES = (("code", "code"), ("bold", "strong"), ("italic", "em"), ("strike", "s"))
_Part = Mapping[str, Any]


def draw(payload: _Part, clock: str) -> Html:
    """The notification, and the message as it stands in the channel; `clock` is its time."""
    said = str(payload.get("text", ""))
    attachments = payload.get("attachments", ())
    dressed = bool(payload.get("blocks") or attachments)
    words = plain(said) if payload.get("mrkdwn") is False else mrkdwn(said)
    body = element("div", words, class_="s-plain")
    if dressed:
        body = fragment([*map(_block, payload.get("blocks", ())), *map(_attachment, attachments)])
    notice = element(
        "div",
        element("b", APP, class_="s-app"),
        element("div", plain(said), class_="s-notice-text"),
        class_="s-notice",
    )
    message = element(
        "div",
        element("div", "r", class_="s-avatar", aria_hidden="true"),
        element(
            "div",
            element(
                "div",
                element("b", APP),
                element("span", "APP", class_="s-badge"),
                element("time", clock),
                class_="s-who",
            ),
            body,
            class_="s-body",
        ),
        class_="s-message",
    )
    return fragment(
        [
            _labelled("Notification", notice) if dressed else None,
            _labelled(f"Channel {payload.get('channel') or 'of the webhook'}", message),
        ]
    )


def _labelled(label: str, drawn: Html) -> Html:
    return element("div", element("div", label, class_="label"), drawn, class_="part")


def _attachment(attachment: _Part) -> Html:
    bar = colour(attachment.get("color")) or "#dddddd"
    parts: list[Html] = []
    if not attachment.get("blocks"):
        shown = attachment.get("text") or attachment.get("fallback")
        parts += [_attached_title(attachment)] if attachment.get("title") else []
        parts += [element("div", mrkdwn(str(shown)))] if shown else []
    parts += map(_block, attachment.get("blocks", ()))
    return element("div", *parts, class_="s-attachment", style=f"border-left-color:{bar}")


def _attached_title(attachment: _Part) -> Html:
    title = str(attachment["title"])
    url = attachment.get("title_link")
    return element("div", link(title, url) if url else title, class_="s-section s-title")


def _block(block: _Part) -> Html:
    match block.get("type"):
        case "header":
            return element("div", _object(block["text"]), class_="s-header")
        case "section":
            return _section(block)
        case "context":
            parts = [element("span", _context(part)) for part in block["elements"]]
            return element("div", *parts, class_="s-context")
        case "actions":
            return element("div", *map(_button, block["elements"]), class_="s-actions")
        case "divider":
            return element("hr", class_="s-divider")
        case "rich_text":
            return element("div", *map(_rich, block["elements"]), class_="s-rich")
        case "image":
            return _image(block)
        case other:
            return unknown(f"block {other}")


def _section(block: _Part) -> Html:
    parts: list[Html] = []
    if block.get("text"):
        parts.append(element("div", _object(block["text"])))
    if block.get("fields"):
        fields = [element("div", _object(field)) for field in block["fields"]]
        parts.append(element("div", *fields, class_="s-fields"))
    main = element("div", *parts, class_="s-grow")
    beside = _accessory(block["accessory"]) if block.get("accessory") else None
    return element("div", main, beside, class_="s-section")


def _accessory(part: _Part) -> Html:
    return _image(part) if part.get("type") == "image" else _button(part)


def _context(part: _Part) -> Html:
    return _image(part) if part.get("type") == "image" else _object(part)


def _object(part: _Part) -> Html:
    """A text object: `mrkdwn` is parsed, `plain_text` is not."""
    words = str(part.get("text", ""))
    return mrkdwn(words) if part.get("type") == "mrkdwn" else fragment([words])


def _image(part: _Part) -> Html:
    return element("span", f"[image: {part.get('alt_text') or 'no words for it'}]", class_="image")


def _button(part: _Part) -> Html:
    if part.get("type") != "button":
        return unknown(f"element {part.get('type')}")
    style = {"primary": " s-primary", "danger": " s-danger"}.get(str(part.get("style")), "")
    return link(str(part["text"]["text"]), part.get("url"), class_=f"s-button{style}")


def _rich(part: _Part) -> Html:
    match part.get("type"):
        case "rich_text_section":
            return element("div", *map(_inline, part["elements"]), class_="s-run")
        case "rich_text_quote":
            return element("blockquote", *map(_inline, part["elements"]))
        case "rich_text_preformatted":
            return element("pre", *map(_inline, part["elements"]), class_="code")
        case "rich_text_list":
            return _list(part)
        case other:
            return unknown(f"rich text {other}")


def _list(part: _Part) -> Html:
    indent = min(max(int(part.get("indent", 0)), 0), 8)
    items = [element("li", *map(_inline, item["elements"])) for item in part["elements"]]
    if part.get("style") == "ordered":
        start = str(int(part.get("offset", 0)) + 1)
        return element("ol", *items, class_=f"s-list s-indent-{indent}", start=start)
    return element("ul", *items, class_=f"s-list s-indent-{indent}")


def _inline(part: _Part) -> Html:
    match part.get("type"):
        case "text":
            return _styled(fragment(_broken(str(part["text"]))), part)
        case "link":
            return _styled(link(str(part.get("text") or part["url"]), part["url"]), part)
        case "emoji":
            return fragment([_emoji(part)])
        case "date":
            return _styled(fragment([str(part.get("fallback") or part.get("timestamp"))]), part)
        case "broadcast":
            return element("span", f"@{part.get('range')}", class_="mention")
        case "user" | "usergroup" | "channel" as kind:
            return element("span", f"@{part.get(f'{kind}_id')}", class_="mention")
        case other:
            return unknown(f"rich text {other}")


def _emoji(part: _Part) -> str:
    try:
        return "".join(chr(int(sign, 16)) for sign in str(part["unicode"]).split("-"))
    except (KeyError, ValueError, OverflowError):
        return f":{part.get('name')}:"


def _styled(drawn: Html, part: _Part) -> Html:
    style = part.get("style") or {}
    for name, tag in _STYLES:
        if style.get(name):
            drawn = element(tag, drawn)
    return drawn


def _broken(words: str) -> Iterator[str]:
    lines: Sequence[str] = words.split("\n")
    for place, line in enumerate(lines):
        if place:
            yield element("br")
        yield line
