"""360dialog's Partner API: `{"id", "event", "data"}`, one event each."""

from __future__ import annotations

from typing import Any

from relay.events import Source
from relay.events.catalogue import detail_of
from relay.sources import Reading, facts, privacy
from relay.sources.arrivals import (
    Identity,
    Receipt,
    arrival,
    as_data,
    ignored,
    kind_of,
    unreadable_item,
)
from relay.sources.json_body import digest

_ENVELOPE = frozenset({"id", "event", "type", "data"})
_LONGEST_ID = 200


def is_partner(item: dict[str, Any]) -> bool:
    """Whether the object has the shape of a Partner event; some readers know `type` too."""
    return _kind(item) is not None


def _kind(item: dict[str, Any]) -> str | None:
    return kind_of(item.get("event")) or kind_of(item.get("type"))


def read(item: dict[str, Any], receipt: Receipt) -> Reading:
    """The event of one envelope, or why it was dropped."""
    kind = _kind(item)
    if kind is None:
        return unreadable_item("Partner event without a kind", item)
    if "data" in item:
        whole = as_data(item["data"])
    else:
        # Nobody documents a flat envelope; what stands there is still better than nothing.
        whole = {key: value for key, value in item.items() if key not in _ENVELOPE}
    identity = _identity(item, kind, whole)
    if privacy.is_private_kind(kind) or privacy.is_private_value(whole):
        return ignored(receipt, identity.key, Source.PARTNER, kind, whole)
    data = privacy.cleaned(whole, receipt.keep)
    event = arrival(
        receipt,
        identity,
        Source.PARTNER,
        kind,
        detail_of(kind, data),
        facts.of_partner(kind, data),
        data,
        {"id": item.get("id"), "event": kind, "data": data},
    )
    return Reading(arrivals=(event,))


def _identity(item: dict[str, Any], kind: str, whole: dict[str, Any]) -> Identity:
    content = digest(kind, whole)
    text = facts.id_of(item.get("id"))
    if text is None:
        return Identity(f"partner:content:{content}", False, content)
    if len(text) > _LONGEST_ID:
        text = digest(text)
    return Identity(f"partner:id:{text}", True, content)
