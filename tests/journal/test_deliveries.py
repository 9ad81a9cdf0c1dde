"""The table of moves of a delivery, for every state, outcome, moment and chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import deliveries
from relay.deliveries import (
    HORIZON,
    LONGEST_SNOOZE,
    MOST_LOSSES,
    SCHEDULE,
    Cause,
    Delivery,
    State,
    delivery_id,
    settle,
    snooze,
    wait_after,
)
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
    Scope,
    Sent,
    Transient,
    outcome_word,
)
from tests.each import each

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)

reasons = st.text(min_size=1, max_size=20)
scopes = st.sampled_from(Scope)
mailboxes = st.sampled_from([f"{name}@example.com" for name in "abcdef"])
complaints = st.dictionaries(mailboxes, reasons, max_size=3)
outcomes: st.SearchStrategy[Outcome] = st.one_of(
    st.builds(Sent, st.sampled_from(Proof), st.dictionaries(reasons, reasons, max_size=2)),
    st.builds(Transient, reasons, scopes),
    st.builds(Refused, reasons),
    st.builds(PartlyRefused, complaints, complaints).filter(lambda o: o.later or o.never),
    st.builds(OutOfOrder, reasons, scopes),
    st.builds(RateLimited, reasons, st.none() | st.floats(-10, 1e12), scopes),
    st.builds(Ambiguous, reasons, scopes),
    st.builds(Interrupted, st.booleans(), reasons),
    st.builds(Gone, reasons),
    st.builds(Merged, st.sampled_from(["", "d"]), st.sampled_from(Proof)),
    st.builds(Lost, reasons),
)
chances = st.floats(0, 1, exclude_max=True)
ages = st.timedeltas(timedelta(0), timedelta(days=6))
counts = st.integers(0, 12)


@st.composite
def delivery(draw: st.DrawFn, state: State | None = None) -> Delivery:
    return Delivery(
        id="d",
        event_id="e",
        destination="support",
        channel="slack",
        target="slack:#wa",
        account="slack",
        cause=draw(st.sampled_from(Cause)),
        due_at=NOW,
        tried_since=NOW - draw(ages),
        state=state or draw(st.sampled_from(State)),
        fault=draw(st.none() | st.just("refused")),
        ambiguous=draw(st.booleans()),
        recipients=tuple(draw(st.lists(mailboxes, unique=True, max_size=3))),
        refused=draw(complaints),
        failures=draw(counts),
        losses=draw(st.integers(0, MOST_LOSSES - 1)),
        claim=draw(counts),
        reason=draw(st.none() | reasons),
    )


TABLE: dict[type[Outcome], set[State]] = {
    Sent: {State.DELIVERED, State.DEAD},
    Transient: {State.PENDING, State.DEAD},
    Refused: {State.PENDING, State.DEAD},
    PartlyRefused: {State.PENDING, State.DEAD},
    OutOfOrder: {State.PARKED},
    RateLimited: {State.PENDING, State.DEAD},
    Ambiguous: {State.PENDING, State.DEAD},
    Interrupted: {State.PENDING, State.DEAD},
    Gone: {State.PENDING},
    Merged: {State.DELIVERED, State.SUPPRESSED},
    Lost: {State.PENDING, State.DEAD},
}
MOVES: dict[str, tuple[Callable[[Delivery], Delivery], set[State], State]] = {
    "claim": (deliveries.claim, {State.PENDING}, State.CLAIMED),
    "park": (lambda d: deliveries.park(d, "why"), {State.PENDING}, State.PARKED),
    "unpark": (lambda d: deliveries.unpark(d, NOW), {State.PARKED}, State.PENDING),
    "retry": (
        lambda d: deliveries.retry(d, NOW),
        {State.DEAD, State.PARKED, State.HELD},
        State.PENDING,
    ),
    "hold": (lambda d: deliveries.hold(d, NOW), {State.PENDING}, State.HELD),
    "release": (lambda d: deliveries.release(d, NOW), {State.HELD}, State.PENDING),
    "go on": (
        lambda d: deliveries.go_on(d, Act.EDIT, Sent(Proof.EDITED)),
        {State.CLAIMED},
        State.PENDING,
    ),
    "discard": (
        lambda d: deliveries.discard(d, "ada"),
        {State.PENDING, State.PARKED, State.HELD, State.DEAD},
        State.SUPPRESSED,
    ),
}
IDENTITY = ("id", "event_id", "destination", "channel", "target", "account", "cause", "rule")


def test_the_table_knows_every_outcome():
    assert set(TABLE) == set(get_args(Outcome))
    assert len({outcome_word(o) for o in _one_of_each()}) == len(TABLE)


def _one_of_each() -> list[Outcome]:
    return [
        Sent(Proof.POSTED),
        Transient("r"),
        Refused("r"),
        PartlyRefused({}, {}),
        OutOfOrder("r"),
        RateLimited("r"),
        Ambiguous("r"),
        Interrupted(written=True),
        Gone("r"),
        Merged("d"),
        Lost(),
    ]


@given(delivery(State.CLAIMED), outcomes, chances)
def test_an_outcome_leads_where_the_table_says(before: Delivery, outcome: Outcome, chance: float):
    after = settle(before, outcome, NOW, chance)
    assert after.state in TABLE[type(outcome)]
    for name in (*IDENTITY, "claim", "tried_since"):
        assert getattr(after, name) == getattr(before, name)
    assert after.reason or after.state is State.DELIVERED


@given(delivery(), outcomes, chances)
def test_only_what_is_claimed_can_be_settled(before: Delivery, outcome: Outcome, chance: float):
    if before.state is not State.CLAIMED:
        with pytest.raises(IllegalMoveError):
            settle(before, outcome, NOW, chance)


@pytest.mark.parametrize("name", MOVES)
@given(before=delivery())
def test_a_move_starts_and_ends_where_the_table_says(name: str, before: Delivery):
    move, sources, end = MOVES[name]
    if before.state in sources:
        after = move(before)
        assert after.state is end
        assert all(getattr(after, field) == getattr(before, field) for field in IDENTITY)
        assert after.claim == before.claim + (name == "claim")
    else:
        copy = replace(before)
        with pytest.raises(IllegalMoveError):
            move(before)
        assert before == copy


@given(delivery(State.CLAIMED), outcomes, chances)
def test_failed_attempts_alone_are_counted(before: Delivery, outcome: Outcome, chance: float):
    after = settle(before, outcome, NOW, chance)
    match outcome:
        case Sent() | OutOfOrder() | RateLimited() | Interrupted(written=False) | Gone() | Merged():
            assert after.failures == before.failures
        case _:
            assert after.failures == before.failures + 1
    assert after.losses == before.losses + isinstance(outcome, Lost)


@given(delivery(State.CLAIMED), outcomes, chances)
def test_only_unanswered_requests_are_marked_ambiguous(
    before: Delivery, outcome: Outcome, chance: float
):
    after = settle(before, outcome, NOW, chance)
    unanswered = isinstance(outcome, Ambiguous | Lost) or outcome == replace_written(outcome)
    assert after.ambiguous == (before.ambiguous or unanswered)


def replace_written(outcome: Outcome) -> Outcome | None:
    return replace(outcome, written=True) if isinstance(outcome, Interrupted) else None


@given(delivery(State.CLAIMED), outcomes, chances)
def test_no_wait_is_longer_than_schedule_and_snooze_allow(
    before: Delivery, outcome: Outcome, chance: float
):
    after = settle(before, outcome, NOW, chance)
    if after.state is State.PENDING:
        assert NOW <= after.due_at <= NOW + max(*SCHEDULE, LONGEST_SNOOZE)


@given(counts, chances)
def test_a_wait_stays_under_the_bound_of_its_step(failures: int, chance: float):
    wait = wait_after(failures, chance)
    assert timedelta(0) <= wait
    assert wait <= (SCHEDULE[min(failures, len(SCHEDULE)) - 1] if failures else timedelta(0))


def test_the_bounds_of_the_waits_grow():
    assert list(SCHEDULE) == sorted(SCHEDULE)


@given(st.none() | st.floats(allow_nan=False))
def test_a_snooze_is_never_negative_nor_longer_than_an_hour(retry_after: float | None):
    assert timedelta(0) <= snooze(retry_after) <= timedelta(hours=1)


@given(st.floats(0, 3_600))
def test_a_snooze_is_what_the_target_asked_for(retry_after: float):
    assert abs(snooze(retry_after).total_seconds() - retry_after) < 0.001


@given(delivery(State.CLAIMED), outcomes, chances)
def test_beyond_the_horizon_nothing_is_tried_because_of_a_failure(
    before: Delivery, outcome: Outcome, chance: float
):
    old = replace(before, tried_since=NOW - HORIZON - timedelta(seconds=1))
    after = settle(old, outcome, NOW, chance)
    if isinstance(outcome, Transient | Ambiguous | RateLimited | PartlyRefused):
        assert after.state is State.DEAD


@given(delivery(State.CLAIMED), st.sampled_from([Transient("r"), Ambiguous("r")]), chances)
def test_inside_the_horizon_a_failure_is_tried_again(
    before: Delivery, outcome: Outcome, chance: float
):
    young = replace(before, tried_since=NOW - HORIZON + max(SCHEDULE))
    assert settle(young, outcome, NOW, chance).state is State.PENDING


@given(st.randoms(use_true_random=False))
def test_failing_for_ever_ends(dice: random.Random):
    """However the dice fall, the horizon comes: time passes at least by the sends themselves."""
    one = replace(EXAMPLE, state=State.PENDING)
    now = NOW
    for _ in range(500):
        now = max(now, one.due_at) + timedelta(minutes=10)
        one = settle(deliveries.claim(one), Transient("down"), now, dice.random())
        if one.state is State.DEAD:
            break
    assert one.state is State.DEAD
    assert now - NOW > HORIZON - max(SCHEDULE)


EXAMPLE = Delivery(
    id="d",
    event_id="e",
    destination="oncall",
    channel="email",
    target="mail",
    account="mail",
    cause=Cause.RULE,
    due_at=NOW,
    tried_since=NOW,
    state=State.CLAIMED,
    recipients=("a@x.de", "b@x.de", "c@x.de"),
)


def test_a_refused_message_is_degraded_once_and_then_dead():
    plain = settle(EXAMPLE, Refused("invalid_blocks"), NOW, 0.9)
    assert (plain.state, plain.degraded, plain.due_at) == (State.PENDING, True, NOW)
    dead = settle(deliveries.claim(plain), Refused("again"), NOW, 0.9)
    assert (dead.state, dead.reason) == (State.DEAD, "again")


def test_partly_refused_mail_is_owed_to_the_rest_and_dead_at_the_end():
    some = PartlyRefused(later={"c@x.de": "451"}, never={"b@x.de": "550"})
    rest = settle(EXAMPLE, some, NOW, 0.5)
    assert (rest.state, rest.recipients) == (State.PENDING, ("c@x.de",))
    dead = settle(deliveries.claim(rest), Sent(Proof.ACCEPTED), NOW, 0.5)
    assert (dead.state, dead.refused) == (State.DEAD, {"b@x.de": "550"})
    again = deliveries.retry(dead, NOW)
    assert (again.recipients, again.refused) == (("b@x.de",), {})


@each(
    ("owed", "refused", "taken", "now", "then"),
    [
        ("a b", "", False, "a b", "a b"),
        ("a b", "", False, "c", "c"),
        ("b", "a", False, "a b", "b"),
        ("b", "a", False, "c b", "c b"),
        ("b", "a", True, "a b c", "b"),
        ("b", "", True, "a c", "a c"),
        ("", "", False, "", ""),
    ],
)
def test_a_mail_follows_the_addresses_of_its_destination(
    owed: str, refused: str, taken: bool, now: str, then: str
):
    """Who has it is not sent it again while anybody is left who has not."""
    before = replace(
        EXAMPLE,
        recipients=tuple(owed.split()),
        refused=dict.fromkeys(refused.split(), "550"),
        reference={"Message-ID": "<x>"} if taken else {},
    )
    after = deliveries.readdressed(before, tuple(now.split()))
    assert after.recipients == tuple(then.split())
    assert set(after.refused) == set(refused.split()) & set(now.split())


def test_the_third_loss_is_the_end():
    one = EXAMPLE
    states = []
    for _ in range(MOST_LOSSES):
        one = settle(one, Lost(), NOW, 0.5)
        states.append(one.state)
        one = replace(one, state=State.CLAIMED)
    assert states == [State.PENDING, State.PENDING, State.DEAD]


def test_a_retry_opens_all_attempts_again():
    dead = replace(
        EXAMPLE, state=State.DEAD, failures=9, losses=3, fault="refused", reason="given up"
    )
    later = NOW + timedelta(days=9)
    again = deliveries.retry(dead, later)
    assert (again.failures, again.losses, again.degraded, again.reason) == (0, 0, False, None)
    assert again.due_at == again.tried_since == later


@given(st.text(max_size=10), st.text(max_size=10), st.text(max_size=5))
def test_ids_follow_from_event_target_and_occasion(event: str, target: str, occasion: str):
    one = delivery_id(event, target, occasion)
    assert one == delivery_id(event, target, occasion)
    assert len(one) == 20
    assert one != delivery_id(event, target, occasion + "x")


def test_a_delivery_is_frozen():
    for field in fields(Delivery):
        with pytest.raises(AttributeError):
            setattr(EXAMPLE, field.name, None)
