"""Messages and parcels for the tests of channels, the hostile ones included."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from relay.channels import Channel, Destination, Outbound, Pace, Parcel
from relay.channels.registry import CHANNELS
from relay.events import Direction, Severity
from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
    Text,
)
from tests.needs import PATIENCE

AT = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
LOOPBACK = Outbound(allow_private=True, timeout=PATIENCE)
HASTY = Outbound(allow_private=True, timeout=0.3)

HOSTILE = {
    "mentions": "<!channel> <!here> <@U123> <!subteam^S1> @channel <at>all</at>",
    "slack link": "<https://evil.example|Click here> &lt;b&gt; &amp;",
    "markdown": "**b** _i_ [x](https://evil.example) ![i](https://evil.example/x.png) `c` # h",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>\"'><b>",
    "json": '", "url": "https://evil.example", "x": "\\u0022 {{ 7*7 }} ${x} %s',
    "headers": "a\r\nBcc: victim@example.com\r\n\r\nbody\u2028next\u2029next\x85next",
    "controls": "nul\x00 bell\x07 esc\x1b[31m del\x7f c1\x9b",
    "bidi": "abc\u202edef\u2066ghi\u2069\u200f\u200b\ufeff",
    "surrogate": "half \ud83d and \udc00",
    "zalgo": "z" + "\u0301" * 500,
    "emoji": ":tada: 👩‍👩‍👧‍👦" * 2000,
    "long": "x" * 65_536,
    "lines": "line\n" * 2_000,
    "colon": ":rotating_light: *bold* ~strike~ > quote",
}


def message(
    *blocks: Block,
    title: str = "Quality dropped",
    footer: str = "2 Mar 2026, 11:00 CET · rule Quality drops · 1a2b3c4d",
    severity: Severity = Severity.WARNING,
    direction: Direction = Direction.WORSE,
) -> Message:
    """A message; without blocks one sentence."""
    body = blocks or (Paragraph((Text("Something happened."),)),)
    return Message(title, body, footer, severity, direction)


def everything(value: str, label: str = "Label") -> Message:
    """A message that has the value in every place that takes one."""
    return message(
        Paragraph((Text(value), Break(), Text(value, bold=True), Link(value, "https://x.example"))),
        Paragraph((Text(value, italic=True), Text(value, code=True), Text(""))),
        Facts((Fact(label, (Text(value),)), Fact("Empty", (Text(""),)), Fact(value, (Text("v"),)))),
        Bullets((Item((Text(value),), (Item((Text(value),)),)), Item((Text("b"),))), ordered=True),
        Quote(((Text(value),), (Text("second"),))),
        Buttons((Link(value, "https://x.example/?a=1&b=2"), Link("bad", "javascript:alert(1)"))),
        title=value,
        footer=value,
    )


def parcel(content: Message | None = None, **more: Any) -> Parcel:
    """A parcel around a message."""
    shape: dict[str, Any] = {"delivery_id": "d" * 20, "event_id": "e" * 20, "at": AT}
    return Parcel(message=content or message(), **(shape | more))


def destination(
    channel: str,
    settings: dict[str, Any],
    account: dict[str, Any] | None = None,
    *,
    outbound: Outbound = LOOPBACK,
    pace: Pace | None = None,
) -> Destination:
    """A destination from the settings that a rules file would have."""
    kind = CHANNELS[channel]
    model = kind.account(**account) if kind.account is not None and account is not None else None
    return kind.build("somewhere", kind.destination(**settings), model, pace, outbound)


async def post(channel: Channel, to: Destination, content: Message | None = None) -> Any:
    """Write a message and send it once."""
    return await channel.send(to, channel.payload(to, parcel(content)))


def strings(shape: object) -> Iterator[str]:
    """Every text value inside a payload."""
    if isinstance(shape, str):
        yield shape
    elif isinstance(shape, dict):
        for value in shape.values():
            yield from strings(value)
    elif isinstance(shape, (list, tuple)):
        for value in shape:
            yield from strings(value)


def skeleton(shape: object) -> object:
    """A payload with every text replaced: equal for payloads of the same structure."""
    if isinstance(shape, dict):
        return {key: skeleton(value) for key, value in shape.items()}
    if isinstance(shape, list | tuple):
        return [skeleton(value) for value in shape]
    return "text" if isinstance(shape, str) else shape
