"""`fallback` of destinations: who is told in the place of one that cannot be told in time."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from relay.channels import Destination
from relay.config.form import Form
from relay.config.nodes import Entry, Fields, Node, quoted, unknown
from relay.deliveries import HORIZON, Fallback
from relay.times import span

FALLBACK_KEYS = ("to", "after")
USUALLY_AFTER = timedelta(minutes=10)
SHORTEST = timedelta(seconds=1)
FALLBACK: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "to": {
            "type": ["string", "number", "boolean"],
            "pattern": r"\S",
            "description": "A destination, best by another transport.",
        },
        "after": {
            "type": "string",
            "pattern": r"^\s*[0-9][0-9a-zA-Z., ]*\s*$|\$\{",
            "default": "10m",
            "examples": ["30s", "10m", "2h"],
            "description": "Since a delivery first became due, also while it waits for a "
            "target that is out of order; what is given up falls back at once.",
        },
    },
    "required": ["to"],
    "additionalProperties": False,
    "description": "Who is told in its place when it cannot be told in time.",
    "examples": [{"to": "oncall", "after": "10m"}],
}


def read_fallback(form: Form, entry: Entry) -> Fallback | None:
    """Who is told instead; whether that is a destination is seen once all are read."""
    fields = form.fields(entry.value, "fallback", FALLBACK_KEYS)
    if fields is None:
        return None
    to, after = fields.entry("to"), fields.entry("after")
    if to is None:
        form.error(entry.key, "fallback has no `to`: name the destination that is told instead")
    named, filled = form.given(to), form.given(after)
    length = span(filled.text) if filled is not None else USUALLY_AFTER
    if after is not None and (length is None or not SHORTEST <= length <= HORIZON):
        written = quoted(filled.written) if filled is not None else ""
        form.error(
            after.value,
            f"after: {written} is no span of time: write 30s, 10m or 2h, from 1s to "
            f"{HORIZON.days}d, since for so long a delivery is tried",
        )
        return None
    return Fallback(named.text.strip(), length) if named is not None and length else None


def check_fallback(
    form: Form, entry: Entry, destinations: Mapping[str, Destination | None]
) -> None:
    """Say where a fallback leads nowhere, or back."""
    place = destinations[entry.name]
    if place is None or place.fallback is None:
        return
    assert isinstance(entry.value, Fields)
    inside = entry.value.entry("fallback")
    assert inside is not None
    at: Node = inside.value
    if isinstance(at, Fields) and (to := at.entry("to")) is not None:
        at = to.value
    chain = [place]
    while (fallback := chain[-1].fallback) is not None:
        if fallback.to not in destinations:
            if len(chain) == 1:
                form.error(at, unknown("destination", fallback.to, destinations))
            return
        following = destinations[fallback.to]
        if following is None:  # it is at fault itself
            return
        if following.target in {one.target for one in chain}:
            way = " → ".join([*(one.name for one in chain), following.name])
            if following.target == place.target:
                form.error(
                    at,
                    f"destinations.{entry.name}.fallback leads back to where it began ({way}): "
                    "name a place that works while this one does not",
                )
            return
        chain.append(following)
