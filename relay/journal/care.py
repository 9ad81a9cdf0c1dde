"""What keeps the store small, lawful and clear: the values of these verbs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum


class Phase(IntEnum):
    """What a pass of retention looks at, in this order."""

    BODIES = 0
    """Of quarantine."""
    EVENTS = 1
    """With their deliveries and attempts."""
    KEYS = 2
    """By which repeats are recognised."""
    QUARANTINE = 3
    PAGES = 4
    """Of the file, that nothing uses any more."""


@dataclass(frozen=True, slots=True)
class Mark:
    """Where a pass of retention goes on."""

    phase: Phase = Phase.BODIES
    after: tuple[int, int | bytes] = (-1, -1)
    """The last row that was looked at: its time, and what tells rows of one time apart."""


START = Mark()


@dataclass(frozen=True, slots=True)
class Pruned:
    """What one step of retention removed, or all steps of a pass."""

    next: Mark | None
    """None: the pass is over."""
    events: int = 0
    deliveries: int = 0
    attempts: int = 0
    keys: int = 0
    bodies: int = 0
    quarantined: int = 0
    pages: int = 0

    def __add__(self, other: Pruned) -> Pruned:
        return Pruned(
            other.next,
            self.events + other.events,
            self.deliveries + other.deliveries,
            self.attempts + other.attempts,
            self.keys + other.keys,
            self.bodies + other.bodies,
            self.quarantined + other.quarantined,
            self.pages + other.pages,
        )


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was erased of a number: how many rows lost something."""

    events: int = 0
    deliveries: int = 0
    """Rendered messages and answers of targets that held it."""
    attempts: int = 0
    quarantined: int = 0
    audit: int = 0
    directory: int = 0
    """Facts of who is who."""
    others: int = 0
    """Alarms, troubles, and rules versions that are no longer live."""
    unfinished: int = 0
    """Deliveries of these events that are still owed and go out without it."""
    discarded: int = 0
    """Deliveries of these events that were given up instead."""
    in_live_rules: bool = False
    """The newest rules name it: it stays there until they are edited and it is forgotten again."""
    synced: bool = True
    """The journal's files hold nothing of it; False: another program kept them from being cut."""

    def __add__(self, other: Forgotten) -> Forgotten:
        return Forgotten(
            self.events + other.events,
            self.deliveries + other.deliveries,
            self.attempts + other.attempts,
            self.quarantined + other.quarantined,
            self.audit + other.audit,
            self.directory + other.directory,
            self.others + other.others,
            self.unfinished + other.unfinished,
            self.discarded + other.discarded,
            self.in_live_rules or other.in_live_rules,
            self.synced and other.synced,
        )

    @property
    def found(self) -> int:
        """Rows that held something of the number."""
        return (
            self.events
            + self.deliveries
            + self.attempts
            + self.quarantined
            + self.audit
            + self.directory
            + self.others
        )


@dataclass(frozen=True, slots=True)
class Quarantined:
    """Something that could not be read, or an id that came again with another content."""

    id: int
    at: datetime
    route: str | None
    """The path that it was posted to."""
    reason: str
    size: int
    sha256: str
    kept: bool
    """Its body is still there; private ones never were, the others go after 14 days."""
    body: bytes | None = None
    """Only where somebody looks at this very one."""
