"""Slack's mrkdwn as Slack shows it: styles, links, mentions, code and quotes.

Source: docs.slack.dev, "Formatting message text".
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from relay.channels.html import Html, element, fragment, link

_TOKEN = re.compile(
    r"<(?P<aim>[^<>|\n]+)(?:\|(?P<label>[^<>\n]*))?>"
    r"|`(?P<code>[^`\n]+)`"
    r"|(?<![^\W_])(?P<sign>[*_~])(?P<styled>[^\s](?:[^\n]*?[^\s])?)(?P=sign)(?![^\W_])"
)
_STYLES = {"*": "strong", "_": "em", "~": "s"}
_FENCE = re.compile(r"```(.*?)```", re.DOTALL)


def mrkdwn(raw: str) -> Html:
    """A mrkdwn text."""
    parts: list[Html] = []
    for place, piece in enumerate(_FENCE.split(raw)):
        if place % 2:
            parts.append(element("pre", _unescaped(piece.strip("\n")), class_="code"))
        else:
            parts += _lines(piece)
    return fragment(parts)


def plain(raw: str) -> str:
    """The text as a notification shows it: links by their labels, nothing styled."""

    def shown(found: re.Match[str]) -> str:
        return _mention(found["aim"], found["label"]) if found["aim"] else found[0]

    return _unescaped(_TOKEN.sub(shown, raw))


def _lines(piece: str) -> Iterator[Html]:
    quoted: list[Html] = []
    shown: list[Html] = []
    for line in piece.split("\n"):
        bare = line.removeprefix("&gt;").removeprefix(">")
        if bare != line:
            quoted += [element("br")] if quoted else []
            quoted.append(_inlines(bare.lstrip()))
            continue
        if quoted:
            yield fragment(shown)
            yield element("blockquote", *quoted)
            quoted, shown = [], []
        shown += [element("br")] if shown else []
        shown.append(_inlines(line))
    yield fragment(shown)
    if quoted:
        yield element("blockquote", *quoted)


def _inlines(raw: str) -> Html:
    parts: list[str] = []
    at = 0
    for found in _TOKEN.finditer(raw):
        parts.append(_unescaped(raw[at : found.start()]))
        parts.append(_token(found))
        at = found.end()
    parts.append(_unescaped(raw[at:]))
    return fragment(parts)


def _token(found: re.Match[str]) -> Html:
    if found["code"]:
        return element("code", _unescaped(found["code"]))
    if found["sign"]:
        return element(_STYLES[found["sign"]], _inlines(found["styled"]))
    aim, label = found["aim"], found["label"]
    if aim[0] in "@#!":
        return element("span", _mention(aim, label), class_="mention")
    return link(_mention(aim, label), _unescaped(aim))


def _mention(aim: str, label: str | None) -> str:
    if label:
        return _unescaped(label)
    if aim.startswith("!"):
        return "@" + _unescaped(aim[1:].partition("^")[0])
    return _unescaped(aim)


def _unescaped(raw: str) -> str:
    return raw.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
