"""`mention` of destinations and rules: who is called, and whether they can be there."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from relay.channels import Call, Mention
from relay.channels.registry import CHANNELS
from relay.config.form import Form
from relay.config.nodes import Entry, Fields, Node, quoted, unknown
from relay.events import Severity

MENTION_KEYS = ("who", "for")
FOR_INSIDE = "mention: {who: …, for: …}"
"""What a `for` means that stands beside `mention`."""
MOST_CALLED = 5
_CALLABLE = (
    "write here, channel, the id of a Slack user (U…) or group (S…), or a Teams user as "
    "anna@example.com or Anna Meier <anna@example.com>"
)
_WHO: Mapping[str, Any] = {
    "anyOf": [
        {"type": "string", "pattern": r"\S"},
        {
            "type": "array",
            "items": {"type": "string", "pattern": r"\S"},
            "minItems": 1,
            "maxItems": MOST_CALLED,
        },
    ],
    "description": "here, channel, a Slack user's or group's id, or a Teams user's address.",
}
MENTION: Mapping[str, Any] = {
    "anyOf": [
        *_WHO["anyOf"],
        {
            "type": "object",
            "properties": {
                "who": _WHO,
                "for": {
                    "anyOf": [
                        {"enum": [*Severity]},
                        {"type": "string", "pattern": r"[A-Z]|\$\{|^\s|\s$"},
                    ],
                    "default": Severity.CRITICAL,
                    "description": "From this severity on; info is every event, good news too.",
                },
            },
            "required": ["who"],
            "additionalProperties": False,
        },
    ],
    "description": "Who is called, so that a phone rings: of critical events, unless `for` says "
    "otherwise.",
    "examples": [
        "here",
        "U012AB3CD",
        "Anna Meier <anna@example.com>",
        {"who": "channel", "for": "warning"},
    ],
}


def read_mention(form: Form, entry: Entry) -> Mention | None:
    """Whom to call; None where the file names nobody who can be called."""
    who: Node | None = entry.value
    least = Severity.CRITICAL
    if isinstance(who, Fields):
        fields = form.fields(who, "mention", MENTION_KEYS) or who
        named = fields.entry("who")
        if named is None:
            form.error(entry.key, "mention has no `who`: name whom to call")
        least = _least(form, fields.entry("for"))
        who = named.value if named is not None else None
    nodes = form.items(who, "mention") if who is not None else ()
    if len(nodes) > MOST_CALLED:
        form.error(nodes[MOST_CALLED], f"at most {MOST_CALLED} can be called: name a group")
    calls: list[Call] = []
    for node in nodes:
        filled = form.filled(node, "mention")
        if filled is None or filled.missing:
            continue
        word = filled.text.strip()
        found = [call for kind in CHANNELS.values() if (call := kind.call(word)) is not None]
        if not found:
            form.error(node, f"{quoted(filled.written)} can be called nowhere: {_CALLABLE}")
        calls += found
    return Mention(tuple(dict.fromkeys(calls)), least) if calls else None


def _least(form: Form, entry: Entry | None) -> Severity:
    filled = form.given(entry)
    if entry is None or filled is None:
        return Severity.CRITICAL
    word = filled.text.strip().casefold()
    if word not in list(Severity):
        form.error(entry.value, unknown("severity", filled.written, [*Severity]))
        return Severity.CRITICAL
    return Severity(word)


def check_reach(
    form: Form, entry: Entry, mention: Mention, channels: Collection[str] | None, what: str
) -> None:
    """Say who is called where nobody can be; `channels` are those that messages go to.

    None: they are not known, as a destination is at fault.
    """
    if channels is None:
        return
    for call in mention.calls:
        if call.channel not in channels:
            form.error(
                entry.value,
                f"{quoted(call.name)} can be called in {call.channel} alone, and {what} sends to "
                f"{' and '.join(sorted(channels)) or 'nobody'}: take it out",
            )
