"""What came of a send is recorded, however long that takes; what cannot be recorded is not sent."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from relay.deliveries import State
from relay.errors import JournalBusyError, JournalError
from relay.journal import Settlement
from tests.model_world import BEHAVIOURS, World

LONG = 1_000
"""More often than anybody has patience."""


class Unwilling:
    """A journal that refuses settlements for a while, or for what they hold."""

    def __init__(self, journal: Any, error: Exception, refused: Any) -> None:
        self._journal = journal
        self._error = error
        self._refused = refused
        self.refusals = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def settle(self, settlement: Settlement, **named: Any) -> Any:
        if self._refused(self.refusals, settlement):
            self.refusals += 1
            raise self._error
        return await self._journal.settle(settlement, **named)


def world_of(error: Exception, refused: Any) -> World:
    class Odd(World):
        def journal_of(self, journal: Any) -> Any:
            self.unwilling = Unwilling(journal, error, refused)
            return self.unwilling

    return Odd()


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (JournalBusyError("another program holds it"), lambda so_far, _: so_far < LONG),
        (JournalError("refused a change"), lambda so_far, _: so_far < LONG),
        (JournalError("too big"), lambda _, settlement: settlement and settlement.rendered),
        (OverflowError("int too big"), lambda _, settlement: settlement and settlement.rendered),
    ],
    ids=["busy for long", "refused for long", "the message is refused", "cannot be held"],
)
def test_a_settlement_is_tried_until_it_is_recorded_and_sent_once(
    error: Exception, refused: Any
) -> None:
    world = world_of(error, refused)
    try:
        world.do(world.start())
        world.do(world.post(1, "channel_created"))
        world.do(world.wait(10))
        if world.targets.received and refused(0, None):
            (lane,) = world.do(world.store.records.lanes())  # type: ignore[union-attr]
            assert (lane.claimed, lane.pending) == (1, 0)
            assert lane.oldest_due_at is not None
        assert world.findings(at_rest=True) == []
        assert sum(world.targets.received.values()) == 1
    finally:
        world.close()


def test_what_cannot_be_recorded_is_not_sent() -> None:
    """The disk fills up while a delivery waits for its turn."""
    world = World()
    try:
        world.do(world.start())
        world.targets.next["sales"] = [BEHAVIOURS["rate limited"]]
        world.do(world.post(1, "channel_created"))
        world.do(world.wait(10))
        world.disk.fault = "full"
        world.do(world.wait(200))
        assert world.targets.received == Counter()
        world.disk.fault = None
        assert world.findings(at_rest=True) == []
        (stored,) = world.do(world.ledgers()).deliveries
        assert stored.delivery.state is State.DELIVERED
        assert sum(world.targets.received.values()) == 1
    finally:
        world.close()
