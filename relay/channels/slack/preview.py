"""A Slack message drawn from the arguments of its post, and Slack's mrkdwn as Slack shows it.

Source: docs.slack.dev, "Formatting message text".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from relay.channels.drawing import Sketch, drawn, link, printable

_TOKEN = re.compile(
    r"<(?P<aim>[^<>|\n]+)(?:\|(?P<label>[^<>\n]*))?>"
    r"|`(?P<code>[^`\n]+)`"
    r"|(?<![^\W_])(?P<sign>[*_~])(?P<styled>[^\s](?:[^\n]*?[^\s])?)(?P=sign)(?![^\W_])"
)
_STYLES = {
    "*": Markup("<strong>{}</strong>"),
    "_": Markup("<em>{}</em>"),
    "~": Markup("<s>{}</s>"),
}
_FENCE = re.compile(r"```(.*?)```", re.DOTALL)


def draw(payload: Mapping[str, Any], clock: str) -> Markup:
    """The notification, and the message as it stands in the channel; `clock` is its time."""
    return drawn(
        "channels/slack/preview.html.j2",
        payload=payload,
        clock=clock,
        mrkdwn=mrkdwn,
        plain=plain,
        emoji=_emoji,
    )


SKETCH = Sketch(
    "Slack",
    draw,
    settings={"channel": "#wa-support"},
    account={"token": "xoxb-made-up"},
)


def mrkdwn(raw: object) -> Markup:
    """A mrkdwn text."""
    parts: list[Markup] = []
    for place, piece in enumerate(_FENCE.split(printable(raw))):
        if place % 2:
            code = Markup('<pre class="code">{}</pre>')
            parts.append(code.format(_unescaped(piece.strip("\n"))))
        else:
            parts += _lines(piece)
    return Markup().join(parts)


def plain(raw: object) -> str:
    """The text as a notification shows it: links by their labels, nothing styled."""

    def shown(found: re.Match[str]) -> str:
        return _mention(found["aim"], found["label"]) if found["aim"] else found[0]

    return _unescaped(_TOKEN.sub(shown, str(raw)))


def _lines(piece: str) -> Iterator[Markup]:
    """The lines of a text, those that follow each other as quotes in one block."""
    said: list[Markup] = []
    quotes = False
    for line in [*piece.split("\n"), None]:
        bare = (line or "").removeprefix("&gt;").removeprefix(">")
        quoted = line is not None and bare != line
        if said and (line is None or quoted != quotes):
            shown = Markup("<br/>").join(said)
            yield Markup("<blockquote>{}</blockquote>").format(shown) if quotes else shown
            said = []
        quotes = quoted
        said.append(_inlines(bare.lstrip() if quoted else line or ""))


def _inlines(raw: str) -> Markup:
    parts: list[str] = []
    at = 0
    for found in _TOKEN.finditer(raw):
        parts += [_unescaped(raw[at : found.start()]), _token(found)]
        at = found.end()
    return Markup().join([*parts, _unescaped(raw[at:])])


def _token(found: re.Match[str]) -> Markup:
    if found["code"]:
        return Markup("<code>{}</code>").format(_unescaped(found["code"]))
    if found["sign"]:
        return _STYLES[found["sign"]].format(_inlines(found["styled"]))
    aim, label = found["aim"], found["label"]
    if aim[0] in "@#!":
        return Markup('<span class="mention">{}</span>').format(_mention(aim, label))
    return link(_mention(aim, label), _unescaped(aim))


def _mention(aim: str, label: str | None) -> str:
    if label:
        return _unescaped(label)
    if aim.startswith("!"):
        return "@" + _unescaped(aim[1:].partition("^")[0])
    return _unescaped(aim)


def _unescaped(raw: str) -> str:
    return raw.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def _emoji(part: Mapping[str, Any]) -> str:
    try:
        return "".join(chr(int(sign, 16)) for sign in str(part["unicode"]).split("-"))
    except (KeyError, ValueError, OverflowError):
        return f":{part.get('name')}:"
