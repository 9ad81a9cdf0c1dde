"""Bytes of a webhook to a `Reading`: Partner or WABA, told apart by shape."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from relay.sources import Reading, Unreadable, partner, privacy, waba
from relay.sources.arrivals import Receipt, joined, unreadable, unreadable_item
from relay.sources.json_body import UnreadableBodyError, parse

NO_KNOWN_SHAPE = "JSON of no known shape"
MOST_UNREADABLE = 1000
"""As many updates as Meta puts into one webhook; more faults than that are one fault."""


def read(body: bytes, *, received_at: datetime, keep: frozenset[str] = frozenset()) -> Reading:
    """All that a webhook holds; whatever the bytes are, this does not raise.

    `keep` names private parts that the operator decided to keep; `contact_info` is the only one.
    """
    receipt = Receipt(received_at, keep)
    try:
        value = parse(body)
    except UnreadableBodyError as error:
        fault = unreadable(str(error), body, privacy.bytes_look_private(body))
        return Reading(unreadable=(fault,))
    if isinstance(value, list) and value:
        found = joined([_item(item, receipt) for item in value])
    elif isinstance(value, dict) and (waba.is_waba(value) or partner.is_partner(value)):
        found = _item(value, receipt)
    else:
        found = Reading(unreadable=(_whole(NO_KNOWN_SHAPE, body, value),))
    if len(found.unreadable) > MOST_UNREADABLE:
        reason = f"more than {MOST_UNREADABLE} items that cannot be read"
        found = replace(found, unreadable=(_whole(reason, body, value),))
    return found


def _whole(reason: str, body: bytes, value: Any) -> Unreadable:
    return unreadable(reason, body, privacy.looks_private(value))


def _item(item: Any, receipt: Receipt) -> Reading:
    if isinstance(item, dict):
        if waba.is_waba(item):
            return waba.read(item, receipt)
        if partner.is_partner(item):
            return partner.read(item, receipt)
    return unreadable_item(NO_KNOWN_SHAPE, item)
