"""Bytes of a webhook to a `Reading`: Partner or WABA, told apart by shape."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from relay.sources import (
    Arrival,
    Ignored,
    Items,
    Reading,
    Receipt,
    Unreadable,
    partner,
    privacy,
    unreadable,
    unreadable_item,
    waba,
)
from relay.sources.json_body import UnreadableBodyError, parse

NO_KNOWN_SHAPE = "JSON of no known shape"
MOST_UNREADABLE = 1000
"""As many updates as Meta puts into one webhook; more faults than that are one fault."""


def read(
    body: bytes, *, received_at: datetime, keep: frozenset[str] = frozenset(), key: bytes = b""
) -> Reading:
    """All that a webhook holds; whatever the bytes are, this does not raise.

    `keep` names private parts that the operator decided to keep; `contact_info` is the only one.
    `key` is the journal's, for hashes of what is not kept.
    """
    receipt = Receipt(received_at, keep, key)
    try:
        value = parse(body)
    except UnreadableBodyError as error:
        fault = unreadable(str(error), body, private=privacy.bytes_look_private(body))
        return Reading(unreadable=(fault,))
    arrivals: list[Arrival] = []
    ignored: list[Ignored] = []
    faults: list[Unreadable] = []
    for part in value if isinstance(value, list) and value else (value,):
        items = _items(part, receipt)
        if items is None and part is value:
            faults.append(unreadable(NO_KNOWN_SHAPE, body, private=privacy.looks_private(value)))
        elif items is None:
            faults.append(unreadable_item(NO_KNOWN_SHAPE, part))
        for item in items or ():
            if isinstance(item, Arrival):
                arrivals.append(item)
            elif isinstance(item, Ignored):
                ignored.append(item)
            else:
                faults.append(item)
    if len(faults) > MOST_UNREADABLE:
        reason = f"more than {MOST_UNREADABLE} items that cannot be read"
        faults = [unreadable(reason, body, private=privacy.looks_private(parse(body)))]
    return Reading(tuple(arrivals), tuple(ignored), tuple(faults))


def _items(part: Any, receipt: Receipt) -> Items | None:
    """What an envelope holds; None for what is none."""
    if not isinstance(part, dict):
        return None
    if waba.is_waba(part):
        return waba.read(part, receipt)
    kind = partner.kind_of_event(part)
    return None if kind is None else partner.read(part, kind, receipt)
