"""The bulk moves in SQL do to every row what `relay.deliveries` says, and the counts keep up."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta

import pytest

from relay import deliveries
from relay.deliveries import Delivery, State, is_discarded
from relay.errors import IllegalMoveError
from relay.journal import Filter, Store
from relay.outcomes import OutOfOrder, Proof, Scope, Sent
from relay.sources import Reading
from tests.engines import Place
from tests.journal_suite import (
    NOW,
    arrival,
    claimed,
    event_id,
    owe,
    owed,
    route_one,
    routed,
    settled,
    trouble,
)

LATER = NOW + timedelta(hours=1)
TARGETS = ("slack:#wa", "slack:#other", "mail")
PROBE = "probe"


def some(number: int) -> list[Delivery]:
    """Deliveries of all shapes, the same ones each time."""
    chance = random.Random(7)
    return [
        owed(
            f"event {n}",
            target := chance.choice(TARGETS),
            account="mail" if target == "mail" else "slack",
            state=chance.choice([s for s in State if s is not State.CLAIMED]),
            critical=chance.random() < 0.3,
            failures=chance.randrange(4),
            losses=chance.randrange(3),
            fault="refused" if chance.random() < 0.3 else None,
            ambiguous=chance.random() < 0.3,
            recipients=chance.choice([(), ("a@x.de",), ("ü@x.de", 'b"@x.de')]),
            refused=chance.choice([{}, {"c@x.de": "550"}, {"d@x.de": "1", "é@x.de": '"'}]),
            reason=chance.choice([None, "why", "discarded by ada", "twin of event 7"]),
        )
        for n in range(number)
    ]


async def act(store: Store, what: str) -> None:
    if what == "retry":
        await store.journal.retry(Filter(), now=LATER, who="ada")
    elif what == "take back":
        await store.journal.retry(Filter(state="suppressed"), now=LATER, who="ada")
    elif what == "let go":
        await store.journal.retry(Filter(state="held"), now=LATER, who="ada")
    elif what == "discard":
        await store.journal.discard(Filter(), now=LATER, who="ada")
    else:
        # A delivery of another lane finds out about the account.
        probe = await claimed(store, PROBE)
        if what == "park":
            revoked = trouble("slack", Scope.ACCOUNT)
            out = OutOfOrder("r", Scope.ACCOUNT)
            await settled(store, probe, out, now=LATER, trouble=revoked)
        else:
            await settled(store, probe, Sent(Proof.POSTED), now=LATER, cured=("slack",))


def is_held(one: Delivery) -> bool:
    return one.state is State.HELD


def expected(what: str, one: Delivery) -> Delivery:
    """What the table makes of one; where it knows no such move, nothing."""
    moves: dict[str, Callable[[Delivery], Delivery]] = {
        "retry": lambda d: d if is_discarded(d) or is_held(d) else deliveries.retry(d, LATER),
        "let go": lambda d: deliveries.retry(d, LATER) if is_held(d) else d,
        "take back": lambda d: deliveries.retry(d, LATER) if is_discarded(d) else d,
        "discard": lambda d: deliveries.discard(d, "ada"),
        "park": lambda d: deliveries.park(d, "channel_not_found"),
        "cure": lambda d: deliveries.unpark(
            deliveries.park(d, "channel_not_found") if d.state is State.PENDING else d, LATER
        ),
    }
    if what in ("park", "cure") and one.account != "slack":
        return one
    try:
        return moves[what](one)
    except IllegalMoveError:
        return one


@pytest.mark.parametrize("what", ["retry", "take back", "let go", "discard", "park", "cure"])
async def test_a_bulk_move_agrees_with_the_table(store: Store, place: Place, what: str):
    owing = some(200)
    names = [f"event {n}" for n in range(200)]
    await store.journal.append(Reading(tuple(arrival(n) for n in (*names, PROBE))), now=NOW)
    if what == "cure":
        await owe(store, owed("first", "first", account="first"))
        revoked = trouble("slack", Scope.ACCOUNT)
        first = await claimed(store, "first")
        await settled(store, first, OutOfOrder("r", Scope.ACCOUNT), trouble=revoked)
        await store.journal.discard(Filter(destination="first"), now=NOW, who="eve")
    for one in owing:
        await route_one(store, one.event_id, routed(one), now=NOW)
    if what in ("park", "cure"):
        await route_one(store, event_id(PROBE), routed(owed(PROBE, PROBE, account=PROBE)), now=NOW)
    await act(store, what)
    found = {s.delivery.id: s.delivery for s in await store.records.deliveries(Filter(limit=1_000))}
    assert [found[one.id] for one in owing] == [expected(what, one) for one in owing]
    changed = [one.id for one in owing if expected(what, one) != one]
    assert changed
    status = await store.records.status(now=NOW)
    by_state = dict(place.sql("SELECT state, count(*) FROM deliveries GROUP BY state"))
    assert {state: str(n) for state, n in status.deliveries.items() if n} == by_state
    action = "retry" if what == "take back" else what
    audited = place.sql(f"SELECT subject FROM audit WHERE who = 'ada' AND action = '{action}'")
    assert sorted(one for (one,) in audited) == (
        sorted(changed) if what in ("retry", "take back", "discard") else []
    )
