"""A mail drawn as a mail program shows it: its header, the HTML part in a frame, the plain part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from relay.channels.html import Html, element, fragment

_SHOWN = ("From", "To", "Cc", "Reply-To", "Subject", "Date")
_LINE = 20
"""Pixels of a line of the HTML part."""
_BESIDE = 88
"""Pixels that the part takes beside its lines: title, spaces, footer."""
_WIDE, _NARROW = 50, 38
"""Characters of a line in the wide frame and in a phone's."""
_TALLEST = 1_600


def draw(payload: Mapping[str, Any], clock: str) -> Html:  # noqa: ARG001  # its Date says it
    """The mail; its HTML part can run no script, open no window and load nothing."""
    headers = payload.get("headers", {})
    plain = str(payload.get("plain", ""))
    lines = [
        element(
            "div",
            element("span", name, class_="m-name"),
            element("span", str(headers[name]), class_="m-value"),
            class_=f"m-line m-{name.casefold()}",
        )
        for name in _SHOWN
        if headers.get(name)
    ]
    frame = element(
        "iframe",
        class_="m-frame",
        sandbox="",
        title="HTML part",
        loading="lazy",
        srcdoc=str(payload.get("html", "")),
        style=f"--wide:{_height(plain, _WIDE)}px;--narrow:{_height(plain, _NARROW)}px",
    )
    return fragment(
        [
            _labelled("HTML part", element("div", *lines, frame, class_="m-mail")),
            _labelled("Plain part", element("pre", plain, class_="m-plain")),
        ]
    )


def _labelled(label: str, drawn: Html) -> Html:
    return element("div", element("div", label, class_="label"), drawn, class_="part")


def _height(plain: str, width: int) -> int:
    """About as tall as the HTML part is; a frame without scripts cannot measure itself."""
    rows = sum(max(1, math.ceil(len(line) / width)) for line in plain.split("\n"))
    return min(rows * _LINE + _BESIDE, _TALLEST)
