"""The judge judged: relays that are broken on purpose, each caught by the name of its fault."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest

from relay import deliveries
from relay.channels import Channel, Destination, Parcel
from relay.deliveries import State
from relay.journal import Appended, Ask, EventState, Filter, Settlement, Store
from relay.outcomes import Ambiguous, Outcome, Proof, Sent, Transient
from relay.sources import Reading
from tests.each import each
from tests.judge import Judge, Ledgers, Violation
from tests.model_world import BEHAVIOURS, World


class AcknowledgesBeforeTheCommit(World):
    def journal_of(self, journal: Any) -> Any:
        class Hasty(_Around):
            async def append(self, reading: Reading, **named: Any) -> Appended:
                self.later = asyncio.create_task(self.inner.append(reading, **named))
                return Appended(tuple(arrival.event for arrival in reading.arrivals))

        return Hasty(journal)


class LeavesTheSyncToTheSystem(World):
    def __init__(self, seed: int) -> None:
        super().__init__(seed, synchronous="NORMAL")


class DropsOnATemplateError(World):
    def channel_of(self, channel: Channel) -> Channel:
        class Fussy(_OtherChannel):
            def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
                payload = self.inner.payload(destination, parcel)
                return {**payload, "fault": parcel.message.fault}

            async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
                if payload["fault"]:
                    return Sent(Proof.POSTED)
                return await self.inner.send(destination, payload)

        return Fussy(channel)


class RetriesTwice(World):
    """Once by the delivery table and once underneath, as client libraries like to."""

    def channel_of(self, channel: Channel) -> Channel:
        class Stubborn(_OtherChannel):
            async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
                outcome = await self.inner.send(destination, payload)
                if isinstance(outcome, Transient | Ambiguous):
                    return await self.inner.send(destination, payload)
                return outcome

        return Stubborn(channel)


class SettlesWithoutTheClaim(World):
    def journal_of(self, journal: Any) -> Any:
        world = self

        class Trusting(_Around):
            async def settle(self, settlement: Settlement, **named: Any) -> Any:
                assert world.store
                before = settlement.before
                (found,) = await world.store.records.deliveries(Filter(ids=(before.id,)))
                (attempt,) = await world.mortal._journal._writer.submit(  # type: ignore[attr-defined]
                    lambda connection: connection.rows(
                        "SELECT max(a.id) FROM attempts AS a JOIN deliveries AS d"
                        " ON d.seq = a.delivery WHERE d.id = ?",
                        (before.id,),
                    )[0]
                )
                mine = replace(before, claim=found.delivery.claim)
                trusted = replace(settlement, before=mine, attempt=attempt)
                return await self.inner.settle(trusted, **named)

        return Trusting(journal)


class ForgetsWhatItHeld(World):
    """A relay whose claimed deliveries are nobody's work after a crash, and never time out."""

    def journal_of(self, journal: Any) -> Any:
        world = self

        class Forgetful(_Around):
            async def aim(self, *arguments: Any, **named: Any) -> None:
                await self.inner.aim(*arguments, **named)
                for one in await _store(world).records.deliveries(Filter(state=State.PENDING)):
                    if one.delivery.losses:
                        await self.inner.claim(Ask(one.delivery.target), now=world.clock())

            async def expire(self, *_: Any, **__: Any) -> int:
                return 0

        return Forgetful(journal)


class _Around:
    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class _OtherChannel(_Around):
    name = "slack"
    inner: Channel

    def payload(self, destination: Destination, parcel: Parcel) -> dict[str, Any]:
        return self.inner.payload(destination, parcel)

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        return await self.inner.send(destination, payload)

    async def close(self) -> None:
        await self.inner.close()


def power_fails_during_a_commit(world: World) -> None:
    world.mortal.verbs_left = 0
    world.do(world.post(1, "channel_running"))
    world.do(world.wait(1))


def power_fails_when_all_is_quiet(world: World) -> None:
    for number in range(9):
        world.do(world.post(number, "channel_running"))
    world.do(world.wait(1))
    world.do(world.crash_now())


def a_template_fails(world: World) -> None:
    world.do(world.post(1, "channel_ready"))


def an_answer_is_lost(world: World) -> None:
    world.targets.next["sales"] = [BEHAVIOURS["answer lost"]]
    world.do(world.post(1, "channel_created"))
    world.do(world.wait(60))


def a_driver_comes_back_from_the_dead(world: World) -> None:
    """It settles by a claim that it has lost, while another driver is sending."""
    world.targets.next["support"] = [BEHAVIOURS["slow"]]
    world.do(world.post(1, "channel_ready"))
    world.do(world.wait(1))
    (one,) = world.do(_store(world).records.deliveries(Filter(state=State.CLAIMED)))
    stale = replace(one.delivery, claim=one.delivery.claim - 1)
    after = deliveries.settle(stale, Transient("503"), world.clock(), 0.0)
    said = Settlement(stale, after, attempt=0, outcome="transient", reason="503")
    world.do(_store(world).journal.settle(said, now=world.clock()))
    world.do(world.wait(60))


def it_crashes_while_it_sends(world: World) -> None:
    world.targets.next["support"] = [BEHAVIOURS["crash"]]
    world.do(world.post(1, "channel_ready"))
    world.do(world.wait(60))


def _store(world: World) -> Store:
    assert world.store
    return world.store


Story = Callable[[World], None]
CASES: list[tuple[type[World], Story, Violation]] = [
    (AcknowledgesBeforeTheCommit, power_fails_during_a_commit, Violation.LOST),
    (LeavesTheSyncToTheSystem, power_fails_when_all_is_quiet, Violation.LOST),
    (DropsOnATemplateError, a_template_fails, Violation.UNDELIVERED),
    (RetriesTwice, an_answer_is_lost, Violation.REPEATED),
    (SettlesWithoutTheClaim, a_driver_comes_back_from_the_dead, Violation.REPEATED),
    (ForgetsWhatItHeld, it_crashes_while_it_sends, Violation.STUCK),
]


def violations(relay: Callable[[int], World], story: Story) -> set[Violation]:
    """What the judge finds in one story, told with a few different disks."""
    found: set[Violation] = set()
    for seed in range(4):
        with closing(relay(seed)) as world:
            world.do(world.start())
            story(world)
            found |= {finding.violation for finding in world.findings()}
            found |= {finding.violation for finding in world.findings(at_rest=True)}
    return found


@each(("broken", "story", "violation"), CASES)
def test_a_broken_relay_is_caught_by_name(
    broken: type[World], story: Story, violation: Violation
) -> None:
    assert violation in violations(broken, story)


@each("story", {case[1]: None for case in CASES})
def test_the_relay_keeps_its_promises_in_the_same_story(story: Story) -> None:
    assert violations(World, story) == set()


@pytest.fixture(scope="module")
def sound() -> Iterator[Ledgers]:
    """Ledgers in which nothing is wrong, with a delivery that was sent twice and says so."""
    with closing(World(3)) as world:
        world.do(world.start())
        world.targets.next["sales"] = [BEHAVIOURS["answer lost"]]
        for number, kind in enumerate(["channel_created", "channel_live", "channel_running"]):
            world.do(world.post(number, kind))
        world.do(world.wait(60))
        assert world.do(world.rest())
        yield world.do(world.ledgers())


def _events(ledgers: Ledgers, **changes: Any) -> Ledgers:
    first, *rest = ledgers.events
    return replace(ledgers, events=[replace(first, **changes), *rest])


def _deliveries(ledgers: Ledgers, index: int = 0, **changes: Any) -> Ledgers:
    all_ = list(ledgers.deliveries)
    all_[index] = replace(all_[index], delivery=replace(all_[index].delivery, **changes))
    return replace(ledgers, deliveries=all_)


def _received(ledgers: Ledgers, times: int) -> Ledgers:
    first = ledgers.deliveries[-1].delivery.id
    return replace(ledgers, received={**ledgers.received, first: times})


def _no_outcome(ledgers: Ledgers) -> Ledgers:
    *rest, last = ledgers.deliveries
    attempts = (*last.attempts, replace(last.attempts[-1], outcome=None))
    return replace(ledgers, deliveries=[*rest, replace(last, attempts=attempts)])


LIES: Mapping[Violation, Callable[[Ledgers], Ledgers]] = {
    Violation.LOST: lambda sound: replace(sound, acknowledged=sound.acknowledged | {"another"}),
    Violation.UNROUTED: lambda sound: _events(sound, state=EventState.RECEIVED),
    Violation.WRONGLY_OWED: lambda sound: replace(
        sound, deliveries=[*sound.deliveries, sound.deliveries[-1]]
    ),
    Violation.STUCK: lambda sound: _deliveries(sound, state=State.PENDING),
    Violation.UNEXPLAINED: lambda sound: _deliveries(sound, proof=None),
    Violation.OPEN_ATTEMPT: _no_outcome,
    Violation.UNDELIVERED: lambda sound: _received(sound, 0),
    Violation.REPEATED: lambda sound: _received(sound, 3),
    Violation.NOT_SAID_TO_BE_AMBIGUOUS: lambda sound: _deliveries(sound, ambiguous=False),
    Violation.INVENTED: lambda sound: replace(sound, received={**sound.received, "another": 1}),
    Violation.UNBALANCED: lambda sound: replace(sound, deliveries=sound.deliveries[:-1]),
}


def test_ledgers_in_which_nothing_is_wrong_are_not_found_fault_with(sound: Ledgers) -> None:
    assert Judge().look(sound, at_rest=True) == []
    assert max(sound.received.values()) == 2


@pytest.mark.parametrize("violation", LIES)
def test_each_violation_is_called_by_its_name(sound: Ledgers, violation: Violation) -> None:
    found = Judge().look(LIES[violation](sound), at_rest=True)
    assert violation in {finding.violation for finding in found}


def test_a_final_state_that_is_left_is_noticed_at_the_next_look(sound: Ledgers) -> None:
    judge = Judge()
    judge.look(sound)
    found = judge.look(_deliveries(sound, state=State.PENDING))
    assert Violation.LEFT_A_FINAL_STATE in {finding.violation for finding in found}


def test_every_violation_has_a_lie_that_shows_it() -> None:
    assert {*LIES, Violation.LEFT_A_FINAL_STATE} == set(Violation)
