"""The life of a delivery: its states, and the one table of moves between them.

Theory of operation: a delivery is a frozen value; each function here takes one and returns the
next, or raises `IllegalMoveError` and changes nothing. Time and chance are arguments. The journal
stores what comes back and the worker decides nothing on its own. Whoever adds a state adds it to
`State`, to the functions that lead in and out, and to the table in `docs/deliveries.md`.

Only failed attempts count against a delivery. Waiting because the target asked for it (a snooze),
because the target is out of order (parked) or because the relay stops is nobody's failure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum

from relay.errors import IllegalMoveError
from relay.outcomes import (
    Act,
    Ambiguous,
    Gone,
    Interrupted,
    Lost,
    Merged,
    Outcome,
    OutOfOrder,
    PartlyRefused,
    Proof,
    RateLimited,
    Refused,
    Sent,
    Transient,
    outcome_word,
)

SCHEDULE = tuple(timedelta(seconds=s) for s in (5, 30, 120, 600, 1800, 3600))
"""The upper bound of the wait after the first, second, … failed attempt; the last one repeats."""
HORIZON = timedelta(days=3)
"""How long a delivery is tried, from its routing or from the last retry by an operator."""
LONGEST_SNOOZE = timedelta(hours=1)
DEFAULT_SNOOZE = timedelta(seconds=30)
LONGEST_WAIT = max(LONGEST_SNOOZE, *SCHEDULE)
"""What is due later than this from now cannot be true: somebody set the clock back meanwhile."""
DISCARDED = "discarded by "
"""How the reason of a delivery begins that a person gave up."""
TWIN = "twin of event "
"""How the reason of a delivery begins whose target is owed the other report of the same."""
MOST_LOSSES = 3
"""So often may the driver be lost under one delivery before it is given up: it may be the cause."""


class State(StrEnum):
    """Where a delivery stands."""

    PENDING = "pending"
    """In by routing, by a failed attempt with attempts left, or by a retry; out by a claim."""
    HELD = "held"
    """In by routing in quiet hours, or for a digest; out when its time has come, or with the digest
    that tells it."""
    CLAIMED = "claimed"
    """In by a lane's driver; out by what the target answered, or by the loss of the driver."""
    DELIVERED = "delivered"
    """In by an answer of the target, with its proof; final."""
    PARKED = "parked"
    """In while the target is out of order; out when it works again, or by an operator."""
    DEAD = "dead"
    """In when it was given up, with the reason; out by an operator."""
    SUPPRESSED = "suppressed"
    """In when it is owed to nobody on purpose; out only where a person takes back a discard."""


class Cause(StrEnum):
    """Why a delivery is owed."""

    RULE = "rule"
    DEFAULT = "default"
    ALARM = "alarm"
    TEST = "test"
    REPLAY = "replay"
    DIGEST = "digest"
    """One message for several that were held."""
    INCIDENT = "incident"
    """A change of what its target was told before, which no rule sends there."""
    FALLBACK = "fallback"
    """Its destination stands in for another one, which could not be told in time."""


FALLING_BACK = frozenset({Cause.RULE, Cause.DEFAULT, Cause.FALLBACK})
"""Why a delivery is owed that has a fallback: alarms, tests and replays have none."""


@dataclass(frozen=True, slots=True)
class Fallback:
    """Who is told in the place of a destination that cannot be."""

    to: str
    """A destination."""
    after: timedelta
    """Since the delivery first became due; one that is given up falls back at once."""


@dataclass(frozen=True, slots=True)
class Instead:
    """For whom a fallback stands in, and why."""

    destination: str
    channel: str
    reason: str
    """What its target said; empty where nothing was tried."""
    since: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event owed to one target."""

    id: str
    event_id: str
    destination: str
    channel: str
    target: str
    """The lane: destinations that end in the same place share it. Holds no secret."""
    account: str
    cause: Cause
    due_at: datetime
    tried_since: datetime
    """Where the horizon of its attempts begins."""
    rule: str | None = None
    rules_version: int = 0
    template: str | None = None
    """The template that its rule names; None: found by kind."""
    critical: bool = False
    state: State = State.PENDING
    proof: Proof | None = None
    fault: str | None = None
    """Why the plain fallback message takes the place of the usual one."""
    ambiguous: bool = False
    """It may have been posted before; a repeat is possible."""
    recipients: tuple[str, ...] = ()
    """Mail addresses that are still owed it."""
    refused: Mapping[str, str] = field(default_factory=dict)
    """Mail addresses that refused it for good, with the reason."""
    failures: int = 0
    """Failed attempts."""
    losses: int = 0
    claim: int = 0
    """Counts the claims; a settlement of an older claim is void."""
    reason: str | None = None
    """What brought it into its state, in words."""
    reference: Mapping[str, str] = field(default_factory=dict)
    via: str | None = None
    """The delivery whose message tells this one."""
    incident: str | None = None
    """The incident that its event belongs to."""
    acts: tuple[Act, ...] = ()
    """What was done of it, where it takes several attempts."""
    instead: Instead | None = None
    """Of a fallback: what it stands in for."""
    fell_back_to: str | None = None
    """Who was told in its destination's place meanwhile; empty: nobody was to be."""

    @property
    def degraded(self) -> bool:
        """It goes out as the plain fallback message."""
        return self.fault is not None


def delivery_id(event_id: str, target: str, occasion: str = "") -> str:
    """The id of what an event owes a target; `occasion` tells replays and tests apart."""
    return hashlib.sha256(f"{event_id}\n{target}\n{occasion}".encode()).hexdigest()[:20]


def claim(delivery: Delivery) -> Delivery:
    """A lane's driver takes it."""
    _only(delivery, "claimed", State.PENDING)
    return replace(delivery, state=State.CLAIMED, claim=delivery.claim + 1)


def fresh(delivery: Delivery, now: datetime) -> Delivery:
    """The delivery, whose horizon begins anew where the clock or the relay was off.

    It was due for longer than the horizon and nobody tried it, or began to be tried in the future:
    neither is its target's fault.
    """
    if delivery.tried_since > now or now - delivery.due_at > HORIZON:
        return replace(delivery, tried_since=now)
    return delivery


def hold(delivery: Delivery, until: datetime) -> Delivery:
    """Its destination is to be told of it later."""
    _only(delivery, "held", State.PENDING)
    return replace(delivery, state=State.HELD, due_at=until)


def release(delivery: Delivery, now: datetime) -> Delivery:
    """Its time has come, or nothing holds it any more."""
    _only(delivery, "released", State.HELD)
    return replace(delivery, state=State.PENDING, due_at=now, tried_since=now)


def park(delivery: Delivery, reason: str) -> Delivery:
    """Its target is out of order, or its destination is no longer known."""
    _only(delivery, "parked", State.PENDING)
    return replace(delivery, state=State.PARKED, reason=reason)


def unpark(delivery: Delivery, now: datetime) -> Delivery:
    """Its target works again, or it is the one that finds out."""
    _only(delivery, "put back", State.PARKED)
    return replace(delivery, state=State.PENDING, due_at=now, tried_since=now, reason=None)


def is_discarded(delivery: Delivery) -> bool:
    """Whether a person gave it up, who may take that back; a twin or a muted one is none."""
    return delivery.state is State.SUPPRESSED and (delivery.reason or "").startswith(DISCARDED)


def twin_of(delivery: Delivery) -> str | None:
    """The event whose report its target is owed in its place; None where that is not why."""
    reason = delivery.reason or ""
    is_twin = delivery.state is State.SUPPRESSED and reason.startswith(TWIN)
    return reason.removeprefix(TWIN) if is_twin else None


def retry(delivery: Delivery, now: datetime) -> Delivery:
    """An operator puts it back: all attempts are open again, with the full message."""
    if not is_discarded(delivery):
        _only(delivery, "retried", State.DEAD, State.PARKED, State.HELD)
    return replace(
        delivery,
        state=State.PENDING,
        due_at=now,
        tried_since=now,
        failures=0,
        losses=0,
        fault=None,
        recipients=(*delivery.recipients, *delivery.refused),
        refused={},
        reason=None,
    )


def readdressed(delivery: Delivery, recipients: tuple[str, ...]) -> Delivery:
    """The delivery as it is owed to these recipients, which its destination has now.

    While nobody has it, all of them are owed it but those who refused it for good; then those of
    them that still were, or all of them where none of those is left: better twice than never.
    """
    if delivery.recipients == recipients:
        return delivery
    refused = {who: why for who, why in delivery.refused.items() if who in recipients}
    owed = delivery.recipients if delivery.reference else recipients
    left = tuple(who for who in owed if who in recipients and who not in refused)
    return replace(delivery, recipients=left or recipients, refused=refused)


def discard(delivery: Delivery, who: str) -> Delivery:
    """An operator gives it up."""
    return suppress(delivery, f"{DISCARDED}{who}")


def suppress(delivery: Delivery, reason: str) -> Delivery:
    """It is owed to nobody, for good."""
    _only(delivery, "suppressed", State.PENDING, State.PARKED, State.DEAD, State.HELD)
    return replace(delivery, state=State.SUPPRESSED, reason=reason)


def wait_after(failures: int, chance: float) -> timedelta:
    """The wait after so many failed attempts: full jitter, `chance` in [0, 1) of the bound."""
    bound = SCHEDULE[min(failures, len(SCHEDULE)) - 1] if failures else timedelta(0)
    return bound * chance


def settle(delivery: Delivery, outcome: Outcome, now: datetime, chance: float) -> Delivery:
    """What becomes of a claimed delivery; `chance` in [0, 1) is the jitter of the next wait."""
    _only(delivery, outcome_word(outcome), State.CLAIMED)
    match outcome:
        case Sent(proof=proof, reference=reference):
            return _sent(delivery, proof, reference)
        case Merged(via="", reason=reason):
            return replace(delivery, state=State.SUPPRESSED, reason=reason)
        case Merged(via=via, proof=proof):
            proof = delivery.proof or proof
            return replace(delivery, state=State.DELIVERED, proof=proof, via=via, reason=None)
        case Gone(reason=reason):
            acts = (*delivery.acts, Act.LOST)
            return replace(delivery, state=State.PENDING, acts=acts, reason=reason)
        case Transient(reason=reason):
            return _failed(delivery, reason, now, chance)
        case Refused(reason=reason) if delivery.degraded:
            return _dead(replace(delivery, failures=delivery.failures + 1), reason)
        case Refused(reason=reason):
            return replace(
                delivery,
                state=State.PENDING,
                fault=f"refused by the target: {reason}",
                failures=delivery.failures + 1,
                due_at=now,
                reason=reason,
            )
        case PartlyRefused():
            return _partly_refused(delivery, outcome, now, chance)
        case OutOfOrder(reason=reason):
            return replace(delivery, state=State.PARKED, reason=reason)
        case RateLimited():
            return _snoozed(delivery, outcome, now)
        case Ambiguous(reason=reason):
            return _failed(replace(delivery, ambiguous=True), reason, now, chance)
        case Interrupted(written=True, reason=reason):
            return _failed(replace(delivery, ambiguous=True), reason, now, 0.0)
        case Interrupted(reason=reason):
            return replace(delivery, state=State.PENDING, due_at=now, reason=reason)
        case Lost(reason=reason):
            lost = replace(
                delivery,
                ambiguous=True,
                losses=delivery.losses + 1,
                failures=delivery.failures + 1,
            )
            if lost.losses >= MOST_LOSSES:
                return _dead(lost, f"{reason}, {MOST_LOSSES} times")
            return replace(lost, state=State.PENDING, due_at=now, reason=reason)


def go_on(delivery: Delivery, act: Act, outcome: Sent) -> Delivery:
    """One act of a claimed delivery went well, and another is to follow at once."""
    _only(delivery, "gone on with", State.CLAIMED)
    return replace(
        delivery,
        state=State.PENDING,
        acts=(*delivery.acts, act),
        proof=delivery.proof or outcome.proof,
        reference=dict(outcome.reference) or delivery.reference,
        reason=None,
    )


def _only(delivery: Delivery, move: str, *states: State) -> None:
    if delivery.state not in states:
        raise IllegalMoveError(f"delivery {delivery.id} is {delivery.state} and cannot be {move}")


def _dead(delivery: Delivery, reason: str) -> Delivery:
    return replace(delivery, state=State.DEAD, reason=reason)


def _sent(delivery: Delivery, proof: Proof, reference: Mapping[str, str]) -> Delivery:
    if delivery.refused:
        reason = PartlyRefused(later={}, never=delivery.refused).reason
        return _dead(replace(delivery, proof=proof, reference=reference, recipients=()), reason)
    proof = delivery.proof or proof
    reference = dict(reference) or delivery.reference
    return replace(delivery, state=State.DELIVERED, proof=proof, reference=reference, reason=None)


def _failed(delivery: Delivery, reason: str, now: datetime, chance: float) -> Delivery:
    failed = replace(fresh(delivery, now), failures=delivery.failures + 1)
    due_at = now + wait_after(failed.failures, chance)
    if due_at - failed.tried_since > HORIZON:
        return _dead(failed, f"given up after {failed.failures} attempts: {reason}")
    return replace(failed, state=State.PENDING, due_at=due_at, reason=reason)


def _partly_refused(
    delivery: Delivery, outcome: PartlyRefused, now: datetime, chance: float
) -> Delivery:
    rest = replace(
        delivery,
        recipients=tuple(outcome.later),
        refused={**delivery.refused, **outcome.never},
        reference=dict(outcome.reference) or delivery.reference,
    )
    if not rest.recipients:
        return _dead(replace(rest, failures=rest.failures + 1), outcome.reason)
    return _failed(rest, outcome.reason, now, chance)


def _snoozed(delivery: Delivery, outcome: RateLimited, now: datetime) -> Delivery:
    delivery = fresh(delivery, now)
    if now - delivery.tried_since > HORIZON:
        return _dead(delivery, f"given up after {HORIZON.days} days: {outcome.reason}")
    return replace(
        delivery,
        state=State.PENDING,
        due_at=now + snooze(outcome.retry_after),
        reason=outcome.reason,
    )


def snooze(retry_after: float | None) -> timedelta:
    """How long to wait when a target asked for it, in sane bounds."""
    if retry_after is None or retry_after < 0:
        return DEFAULT_SNOOZE
    return min(timedelta(seconds=min(retry_after, 86_400.0)), LONGEST_SNOOZE)
