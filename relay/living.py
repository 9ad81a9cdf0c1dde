"""The words of a living message: how long its matter lasts or lasted, and what happened so far.

Whatever stands here comes from the journal at the moment of sending; the message of an event that
is alone is left as it is. Pure.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from relay.deliveries import Delivery
from relay.events import Event
from relay.events.properties import new_value
from relay.incidents import Updates, View
from relay.messages import Block, Bullets, Item, Message, Paragraph, Text
from relay.messages.filters import show_duration, show_moment
from relay.messages.languages import Voice
from relay.messages.words import phrase, title
from relay.outcomes import Act
from relay.text import one_line

MINUTE = timedelta(minutes=1)
ROOM = 110
"""Of the title, so that what stands behind it is never cut: Slack shows 150."""


def subject(event: Event, view: View, act: Act, updates: Updates) -> Event:
    """The event that a message is written for: what holds now, unless it tells a change."""
    shows_state = act is Act.EDIT or (act is Act.POST and updates is not Updates.POST)
    return view.history[-1] if shows_state else event


def told(
    message: Message, delivery: Delivery, view: View, act: Act, updates: Updates, voice: Voice
) -> Message:
    """A message with what its incident adds to it."""
    if act is Act.REPLY or view.incident.changes == 1:
        return message
    if updates is Updates.POST:
        return _follow_up(message, view, voice) if view.place > 1 else message
    language = voice.language
    head = one_line(message.title, ROOM, language)
    blocks: list[Block] = [*message.blocks]
    if Act.LOST in delivery.acts:
        blocks.insert(0, _line(phrase("living_lost", language)))
    blocks += [Paragraph((Text(phrase("so_far", language), bold=True),)), _history(view, voice)]
    return replace(message, title=f"{head} · {_how_long(view, voice)}", blocks=tuple(blocks))


def _how_long(view: View, voice: Voice) -> str:
    """Since when it is open, or after how long it was over."""
    incident, language = view.incident, voice.language
    lasted = incident.state_at - incident.opened_at
    span = show_duration(lasted, voice, "short") if lasted >= MINUTE else ""
    if incident.closed_at is None:
        at = show_moment(incident.opened_at, voice, short=True)
        said = phrase("open_since", language, at=at)
        return f"{said} ({span})" if span else said
    return phrase("over_after", language, span=span) if span else phrase("over_soon", language)


def _follow_up(message: Message, view: View, voice: Voice) -> Message:
    first = view.first
    said = phrase(
        "follows",
        voice.language,
        title=_what(first, voice),
        at=show_moment(first.late_since, voice),
        id=first.short_id,
    )
    return replace(message, blocks=(*message.blocks, _line(said)))


def _history(view: View, voice: Voice) -> Bullets:
    lines = [
        f"{show_moment(event.late_since, voice, short=True)}: {_what(event, voice)}"
        for event in view.history
    ]
    if earlier := view.incident.changes - len(view.history):
        lines.insert(0, phrase("earlier", voice.language, count=earlier))
    return Bullets(tuple(Item((Text(line),)) for line in lines))


def _what(event: Event, voice: Voice) -> str:
    """The title of an event, with the value that it tells where that is not in it."""
    said = one_line(title(event.title, voice.language), 160)
    value = new_value(event)
    return said if value is None or value[1] in said else f"{said} ({value[1]})"


def _line(text: str) -> Paragraph:
    return Paragraph((Text(text),))
