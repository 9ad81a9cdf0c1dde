"""A webhook drawn as what it is: JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from markupsafe import Markup

from relay.channels.drawing import Sketch, printable


def draw(payload: Mapping[str, Any], clock: str) -> Markup:  # noqa: ARG001
    """The body of the request."""
    body = json.dumps(payload.get("body"), ensure_ascii=False, indent=2)
    style = "white-space:pre-wrap;overflow-wrap:anywhere"
    return Markup('<pre style="{}">{}</pre>').format(style, printable(body))


SKETCH = Sketch("Webhook", draw, settings={"url": "https://made-up.example/hook"})
