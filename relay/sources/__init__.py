"""What comes in: bytes and headers to events, without I/O.

One module for each family (`partner`, `waba`); `reading.read` tells them apart by shape.
"""

from __future__ import annotations

from dataclasses import dataclass

from relay.events import Event


@dataclass(frozen=True, slots=True)
class Arrival:
    """An event as it came, with what the journal needs to recognise a repeat of it.

    `key` is the dedupe key; `event.id` is `relay.events.event_id(key)`. With `lasting` a repeat
    is the same happening whenever it comes; without, only within 7 days (the key has neither the
    sender's id nor a time). `fingerprint` is a hash of the content: the same key with another
    fingerprint is a conflict. `raw` is the item as JSON bytes, private content removed, for
    quarantine in that case.
    """

    event: Event
    key: str
    lasting: bool
    fingerprint: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A body, or one item of it, that could not be read; kept in quarantine with its reason.

    `body` is None where it looks private: then only size and hash stay.
    """

    reason: str
    size: int
    sha256: str
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Ignored:
    """An item that was dropped for its private content."""

    cause: str
    """`private kind`, where nothing but private content comes, or `private content` in another."""
    reason: str
    """The same in words, with the item's kind; never anything of its content."""
    event: Event | None = None
    """What is known of it without its content, where its kind may be a warning or critical."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All that one webhook holds, in the order of its items."""

    arrivals: tuple[Arrival, ...] = ()
    ignored: tuple[Ignored, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
