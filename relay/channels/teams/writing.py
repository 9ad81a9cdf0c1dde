"""A message as an Adaptive Card in the body that a Workflows webhook takes.

Version 1.4, which every Teams client shows. All texts stand in `RichTextBlock`s: `TextBlock` and
`FactSet` parse Markdown, and there is no documented way to escape it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from relay.channels import Call, Parcel
from relay.channels.exchange import encoded
from relay.channels.fit import NOTHING, Tone, fit, gist, title, tone
from relay.channels.teams.override import SCHEMA, VERSION, footer, line, overridden, run
from relay.errors import UnsendableError
from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Inline,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
    Text,
)
from relay.text import cut, units

MOST_BYTES = 20_000
"""Of the whole body. Teams refuses 28,672 bytes of its own encoding, after its 202, and a body
of 24,453 bytes had grown to 28,897 there (MicrosoftDocs/msteams-docs#11274)."""
STYLES = {
    Tone.GOOD: "good",
    Tone.INFO: "accent",
    Tone.WARNING: "warning",
    Tone.BAD: "attention",
}
"""Of the title's container and of its letters: themes have both for light and dark."""
_TITLE_STYLE = {"weight": "Bolder", "size": "Medium"}
_TITLE = 300
_MOST_ACTIONS = 6
"""Teams shows six actions of a set."""
_ROOM = 12_000
_NEAR = 0.9
"""How much of the limit is near enough to it."""
_TRIES = 8
_EACH = 6_000
_MOST_BLOCKS = 60
_LETTER = 8
"""Pixels of a letter in bold, about."""
_PHONE = 288
"""Pixels of a card's width on a phone; nothing may need more."""
_LABELS = (72, 104, 128)
"""The column of labels: the narrowest, the widest for a whole label, the widest for a word."""
_BUTTON_EDGE = 32
"""Pixels of a button beside its letters, with the gap before the next one."""
_Element = dict[str, Any]


def write(parcel: Parcel) -> dict[str, Any]:
    """The body, at most `MOST_BYTES` long as `encoded` writes it.

    Raises `UnsendableError` where not even the shortest form is short enough.
    """
    message = parcel.message
    if "teams" in message.native and not parcel.plain:
        summary = _summary(message)
        card = overridden(message, message.native["teams"], summary, _mention(parcel.calls))
        body = _posted(_calling(card, parcel.calls), summary)
        if (size := len(encoded(body))) > MOST_BYTES:
            raise UnsendableError(
                f"the Teams override makes a body of {size} bytes, {MOST_BYTES} are allowed"
            )
        return body
    found = None if parcel.plain else _largest(message, parcel.calls, plain=False)
    found = found or _largest(_words(message), parcel.calls, plain=True)
    if found is None:
        raise UnsendableError("the message is too long for Teams, whatever is cut")
    return found


def _largest(message: Message, calls: Sequence[Call], *, plain: bool) -> dict[str, Any] | None:
    """The body with as much of the message as there is room for; None where nothing fits.

    What a card costs beside its text depends on its parts, so the room is found by trying.
    """
    best: dict[str, Any] | None = None
    low, high, room = 0, _ROOM, _ROOM
    for _ in range(_TRIES):
        fitted = fit(message, room=room, each=_EACH, most=_MOST_BLOCKS)
        body = _body(fitted.message, calls, plain=plain)
        size = len(encoded(body))
        if size <= MOST_BYTES:
            best, low = body, room
            if room == _ROOM or size >= _NEAR * MOST_BYTES:
                return best
        else:
            high = room = min(room, fitted.cost)
        # As if bytes grew with the room; a little less, so that it soon fits.
        guess = int(room * 0.96 * MOST_BYTES / size)
        room = guess if low < guess < high else (low + high) // 2
    return best


def _body(fitted: Message, calls: Sequence[Call], *, plain: bool) -> dict[str, Any]:
    summary = _summary(fitted)
    card = {
        "$schema": SCHEMA,
        "type": "AdaptiveCard",
        "version": VERSION,
        "lang": fitted.language,
        "fallbackText": summary,
        "msteams": {"width": "Full"},
        "body": list(_plain(fitted, calls) if plain else _dressed(fitted, calls)),
    }
    return _posted(_calling(card, calls), summary)


def _mention(calls: Sequence[Call]) -> list[_Element]:
    """The line that calls people; only a parsed text can, and no value of an event stands in it."""
    if not calls:
        return []
    text = " ".join(f"<at>{call.name}</at>" for call in calls)
    return [{"type": "TextBlock", "text": text, "wrap": True, "spacing": "Small"}]


def _calling(card: dict[str, Any], calls: Sequence[Call]) -> dict[str, Any]:
    """The card with what its `<at>` stand for (learn.microsoft.com, "Cards format": mentions)."""
    if not calls:
        return card
    entities = [
        {
            "type": "mention",
            "text": f"<at>{call.name}</at>",
            "mentioned": {"id": call.id, "name": call.name},
        }
        for call in calls
    ]
    return {**card, "msteams": {**card["msteams"], "entities": entities}}


def _posted(card: Mapping[str, Any], summary: str) -> dict[str, Any]:
    """The card as a Workflows webhook takes it; a flow may show `summary` in notifications."""
    return {
        "type": "message",
        "summary": summary,
        "attachments": [
            {
                "contentType": "application/vnd.microsoft.card.adaptive",
                "contentUrl": None,
                "content": card,
            }
        ],
    }


def _summary(message: Message) -> str:
    parts = (cut(title(message), _TITLE, message.language), gist(message))
    return "\n".join(part for part in parts if part)


def _words(message: Message) -> Message:
    """The message as lines of text and nothing else."""
    paragraphs = tuple(Paragraph((Text(part),)) for part in message.text.split("\n\n"))
    return replace(message, blocks=paragraphs, footer="")


def _plain(message: Message, calls: Sequence[Call]) -> Iterator[_Element]:
    yield line([run(cut(message.title, _TITLE, message.language), weight="Bolder")])
    yield from _mention(calls)
    for block in message.blocks:
        yield from _block(block, Tone.INFO)


def _dressed(message: Message, calls: Sequence[Call]) -> Iterator[_Element]:
    colour = tone(message)
    yield {
        "type": "Container",
        "style": STYLES[colour],
        "bleed": True,
        # The container's style colours the band; letters of the same colour would not be legible
        # on it in Teams' own light theme.
        "items": [line([run(cut(message.title, _TITLE, message.language), **_TITLE_STYLE)])],
    }
    yield from _mention(calls)
    for block in message.blocks:
        yield from _block(block, colour)
    if message.footer:
        yield footer(message.footer)


def _block(block: Block, colour: Tone) -> Iterator[_Element]:
    match block:
        case Paragraph(inlines=inlines):
            yield from _lines(inlines)
        case Bullets(items=items, ordered=ordered):
            yield from _items(items, ordered, 0)
        case Quote(paragraphs=paragraphs):
            quoted = [line for inlines in paragraphs for line in _lines(inlines)]
            yield {"type": "Container", "style": "emphasis", "items": quoted}
        case Facts(facts=facts):
            yield from _facts(facts)
        case Buttons(links=links):
            for number, row in enumerate(_rows(links)):
                actions = [_button(link) for link in row]
                if not number and colour in (Tone.WARNING, Tone.BAD):
                    actions[0]["style"] = "positive"  # something is to be done, and this is it
                tight = {"spacing": "Small"} if number else {}
                yield {"type": "ActionSet", "actions": actions} | tight


def _lines(inlines: Iterable[Inline]) -> Iterator[_Element]:
    """One block a line: a line break inside a run is not shown everywhere.

    A line that begins in bold ("Sales: …") stands a little apart.
    """
    runs: list[_Element] = []
    first = True
    for inline in (*inlines, Break()):
        if not isinstance(inline, Break):
            runs.append(_inline(inline))
            continue
        if runs:
            apart = {"spacing": "Small" if "weight" in runs[0] else "None"}
            yield line(runs) | ({} if first else apart)
            first = False
        runs = []


def _items(items: tuple[Item, ...], ordered: bool, level: int) -> Iterator[_Element]:
    """Sign and text in two columns, so that a second line stands below the first."""
    for number, item in enumerate(items, 1):
        sign = f"{number}." if ordered else ("◦" if level else "•")
        first = number == 1 and not level
        lines = list(_lines(item.inlines or (Text(NOTHING),)))
        width = (2 * level + len(sign)) * _LETTER + 2
        lead = line([run("\u00a0" * 4 * level + sign)])
        yield _columns(lead, width, lines) | ({} if first else {"spacing": "Small"})
        yield from _items(item.items, False, level + 1)


def _facts(facts: tuple[Fact, ...]) -> Iterator[_Element]:
    """Label left and value right; a label with a word too long for its column above its value."""
    width = _LABELS[0]
    for fact in facts:
        whole, word = units(fact.label) * _LETTER, _longest_word(fact.label)
        # A label of several words may as well stand on two lines.
        wrapped = max(word, min(whole // 2 + 2 * _LETTER, _LABELS[1]))
        if word <= _LABELS[2]:
            width = max(width, whole if whole <= _LABELS[1] else wrapped)
    for number, fact in enumerate(facts):
        tight = {"spacing": "Small"} if number else {}
        label, value = line([run(fact.label, weight="Bolder")]), list(_lines(fact.value))
        if _longest_word(fact.label) <= _LABELS[2]:
            yield _columns(label, width, value) | tight
        else:
            yield label | tight
            yield from (shown | {"spacing": "None"} for shown in value)


def _longest_word(label: str) -> int:
    return max((units(word) for word in label.split()), default=0) * _LETTER


def _columns(left: _Element, width: int, right: list[_Element]) -> _Element:
    return {
        "type": "ColumnSet",
        "columns": [
            {"type": "Column", "width": f"{width}px", "items": [left]},
            {"type": "Column", "width": "stretch", "spacing": "Small", "items": right},
        ],
    }


def _rows(links: tuple[Link, ...]) -> Iterator[list[Link]]:
    """As many buttons beside each other as a phone has room for: it does not wrap them."""
    row: list[Link] = []
    used = 0
    for link in links:
        size = units(link.label) * _LETTER + _BUTTON_EDGE
        if row and (used + size > _PHONE or len(row) == _MOST_ACTIONS):
            yield row
            row, used = [], 0
        row.append(link)
        used += size
    yield row


def _inline(inline: Text | Link) -> _Element:
    match inline:
        case Text(text=text, bold=bold, italic=italic, code=code):
            style: _Element = {}
            if bold:
                style["weight"] = "Bolder"
            if italic:
                style["italic"] = True
            if code:
                style["fontType"] = "Monospace"
            return run(text, **style)
        case Link(label=label, url=url):
            return run(label, color="Accent", selectAction={"type": "Action.OpenUrl", "url": url})


def _button(link: Link) -> _Element:
    return {"type": "Action.OpenUrl", "title": link.label, "url": link.url}
