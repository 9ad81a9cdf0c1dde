"""What came of one attempt, in the words of every channel: sent, refused, out of order, and so on.

What becomes of the delivery is said by `relay.deliveries`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Proof(StrEnum):
    """How much the target's answer proves."""

    POSTED = "posted"
    EDITED = "edited"
    """A message that the target had shows the state now."""
    ACCEPTED = "accepted"
    """It took the message and may still drop it: Teams' 202."""
    SANDBOX = "sandbox"
    """Nothing was sent; the message stands in the journal."""


class Act(StrEnum):
    """What one attempt does at a target where an incident was told."""

    POST = "post"
    EDIT = "edit"
    REPLY = "reply"
    LOST = "lost"
    """None of ours: the message that was to be edited is gone, and a new one takes its place."""


class Scope(StrEnum):
    """Whose fault it is: one target's, or that of the account that its lanes share."""

    TARGET = "target"
    ACCOUNT = "account"


@dataclass(frozen=True, slots=True)
class Sent:
    """The target has it."""

    proof: Proof
    reference: Mapping[str, str] = field(default_factory=dict)
    """How the target names the message: channel and `ts`, or the `Message-ID`."""
    reason: str = "sent"


@dataclass(frozen=True, slots=True)
class Transient:
    """The target surely does not have it, and may take it later."""

    reason: str
    scope: Scope = Scope.TARGET


@dataclass(frozen=True, slots=True)
class Refused:
    """The target does not take this message; the same one again is pointless."""

    reason: str


@dataclass(frozen=True, slots=True)
class PartlyRefused:
    """A mail server took the mail for some recipients and refused others, each with its reason."""

    later: Mapping[str, str]
    """Recipients refused for now."""
    never: Mapping[str, str]
    """Recipients refused for good."""
    reference: Mapping[str, str] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        return "; ".join(f"{who}: {why}" for who, why in {**self.never, **self.later}.items())


@dataclass(frozen=True, slots=True)
class OutOfOrder:
    """The target (or its account) takes nothing from us until somebody mends it."""

    reason: str
    scope: Scope = Scope.TARGET


@dataclass(frozen=True, slots=True)
class RateLimited:
    """The target asked to wait."""

    reason: str
    retry_after: float | None = None
    """Seconds; None where the target did not say."""
    scope: Scope = Scope.TARGET


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The request went out and no answer came: it may have been posted."""

    reason: str
    scope: Scope = Scope.TARGET


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The relay stops; `written` says whether the request was already under way."""

    written: bool
    reason: str = "the relay was stopped"


@dataclass(frozen=True, slots=True)
class Gone:
    """The message that was to be edited, or whose thread was meant, is no longer there."""

    reason: str


@dataclass(frozen=True, slots=True)
class Merged:
    """Nothing was sent: another delivery's message tells it."""

    via: str
    """The id of that delivery; empty: nothing was told there that it could change."""
    proof: Proof | None = None

    @property
    def reason(self) -> str:
        return f"told by delivery {self.via}" if self.via else "nothing was told there before"


@dataclass(frozen=True, slots=True)
class Lost:
    """The driver disappeared between claim and settlement."""

    reason: str = "the relay was lost while it held this delivery"


Outcome = (
    Sent
    | Transient
    | Refused
    | PartlyRefused
    | OutOfOrder
    | RateLimited
    | Ambiguous
    | Interrupted
    | Gone
    | Merged
    | Lost
)


_WORDS: Mapping[type[Outcome], str] = {
    Sent: "sent",
    Transient: "transient",
    Refused: "refused",
    PartlyRefused: "partly_refused",
    OutOfOrder: "out_of_order",
    RateLimited: "rate_limited",
    Ambiguous: "ambiguous",
    Interrupted: "interrupted",
    Gone: "gone",
    Merged: "merged",
    Lost: "lost",
}


FAULTS = frozenset({_WORDS[Transient], _WORDS[Ambiguous]})
"""The words of faults that pass by themselves: several in a row, and the target is failing."""


def outcome_word(outcome: Outcome) -> str:
    """The word that journal, JSON, metrics and logs use for an outcome."""
    return _WORDS[type(outcome)]


def took(outcome: Outcome) -> bool:
    """Whether the target took something, so that it works."""
    return isinstance(outcome, Sent) or (
        isinstance(outcome, PartlyRefused) and bool(outcome.reference)
    )
