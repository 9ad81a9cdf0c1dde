"""A mail drawn as a mail program shows it: its header, the HTML part in a frame, the plain part."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from relay.channels.drawing import Sketch, drawn
from relay.channels.email.html import FILLER

_LINE = 20
"""Pixels of a line of the HTML part."""
_BESIDE = 88
"""Pixels that the part takes beside its lines: title, spaces, footer."""
_WIDE, _NARROW = 50, 38
"""Characters of a line in the wide frame and in a phone's."""
_TALLEST = 1_600


def draw(payload: Mapping[str, Any], clock: str) -> Markup:  # noqa: ARG001  # its Date says it
    """The mail; its HTML part can run no script, open no window and load nothing."""
    plain = str(payload.get("plain", ""))
    return drawn(
        "channels/email/preview.html.j2",
        headers=payload.get("headers", {}),
        # What nobody sees only makes the page heavy.
        html=str(payload.get("html", "")).replace(FILLER, ""),
        plain=plain,
        wide=_height(plain, _WIDE),
        narrow=_height(plain, _NARROW),
    )


SKETCH = Sketch(
    "E-mail",
    draw,
    settings={"to": ["support@example.com"]},
    account={
        "host": "smtp.example.com",
        "tls": "starttls",
        "sender": "Relay <relay@example.com>",
    },
)


def _height(plain: str, width: int) -> int:
    """About as tall as the HTML part is; a frame without scripts cannot measure itself."""
    rows = sum(max(1, math.ceil(len(line) / width)) for line in plain.split("\n"))
    return min(rows * _LINE + _BESIDE, _TALLEST)
