"""What overrides of all channels have in common: how large and how deep JSON may be."""

from __future__ import annotations

import json

from relay.errors import UnsendableError

DEEPEST = 24
"""Levels of objects and lists; a list in a rich text in a table, or a card in a card, has 15."""
MOST_BYTES = 100_000


def checked_json(value: object, what: str) -> None:
    """Raises `UnsendableError` where the value is no JSON, too large or nested too deep."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > DEEPEST + 1:
            raise UnsendableError(f"{what} is nested deeper than {DEEPEST} levels")
        level = [
            inner
            for outer in level
            if isinstance(outer, dict | list)
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
    try:
        size = len(json.dumps(value, ensure_ascii=False).encode())
    except (TypeError, ValueError):
        raise UnsendableError(f"{what} holds a value that is no JSON") from None
    if size > MOST_BYTES:
        raise UnsendableError(f"{what} is {size} bytes long, {MOST_BYTES} are allowed")
