"""360dialog's Partner API: `{"id", "event", "data"}`, one event each."""

from __future__ import annotations

from typing import Any

from relay.events import Source
from relay.events.catalogue import detail_of
from relay.sources import (
    Identity,
    Items,
    Receipt,
    arrival,
    as_data,
    facts,
    ignored,
    kind_of,
    privacy,
)
from relay.sources.json_body import digest

_ENVELOPE = frozenset({"id", "event", "type", "data"})
_LONGEST_ID = 200


def kind_of_event(item: dict[str, Any]) -> str | None:
    """The kind of a Partner event, None for another shape; some readers know `type` too."""
    # Beside `from` it is a message, whose type is `text`, `image` or the like.
    return kind_of(item.get("event")) or (kind_of(item.get("type")) if "from" not in item else None)


def read(item: dict[str, Any], kind: str, receipt: Receipt) -> Items:
    """The event of one envelope, or why it was dropped."""
    if "data" in item:
        data = as_data(item["data"])
    else:
        # Nobody documents a flat envelope; what stands there is still better than nothing.
        data = {key: value for key, value in item.items() if key not in _ENVELOPE}
    identity = _identity(item, kind, receipt.content(kind, data))
    if privacy.is_private(kind, data):
        yield ignored(receipt, identity, data)
        return
    data = receipt.kept(kind, data)
    yield arrival(
        receipt,
        identity,
        detail_of(kind, data),
        facts.of_partner(kind, data),
        data,
        {"id": item.get("id"), "event": kind, "data": data},
    )


def _identity(item: dict[str, Any], kind: str, content: str) -> Identity:
    text = facts.id_of(item.get("id"))
    if text is None:
        return Identity(f"partner:content:{content}", False, content, Source.PARTNER, kind)
    if len(text) > _LONGEST_ID:
        text = digest(text)
    return Identity(f"partner:id:{text}", True, content, Source.PARTNER, kind)
