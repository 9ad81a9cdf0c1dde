"""Which events are one matter, how it opens and closes, and what is done of it at a target."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import deliveries
from relay.deliveries import Cause, Delivery
from relay.directory import Completed, Evidence, Origin
from relay.events import Direction, Event, Topic
from relay.failpoints import OF_A_DIGEST, Failpoint
from relay.incidents import Incident, Living, Updates, View, after, key_of, next_act, step
from relay.journal import EventState, Owing, Routed, Routing, Settlement, Store
from relay.outcomes import Act, Proof, Sent, Transient
from relay.sources import Arrival, Reading
from tests.client import partner
from tests.crashes import RULES
from tests.fakes.slack import FakeSlack
from tests.journal_suite import NOW, claim_one, event, owed
from tests.needs import PATIENCE
from tests.relay_process import RelayProcess

HOUR = timedelta(hours=1)
WORSE, BETTER, NEUTRAL = Direction.WORSE, Direction.BETTER, Direction.NEUTRAL


def quality(name: str = "a", direction: Direction = WORSE, **more: Any) -> Event:
    return event(name, topic=Topic.QUALITY, direction=direction, **more)


def key(one: Event, *origins: str) -> str | None:
    seen = Origin("waba 1", Evidence("imported", NOW, ""))
    return key_of(Completed(one, dict.fromkeys(origins, seen)))


def test_a_number_is_the_same_in_every_spelling_and_another_matter_is_another() -> None:
    one = quality(phones=("+5215512345678",))
    assert key(one) == key(quality("b", phones=("+525512345678",)))
    assert key(one) != key(quality(phones=("+491713920011",)))
    assert key(one) != key(replace(one, topic=Topic.LIMIT))


def test_a_violation_a_restriction_and_a_ban_of_an_account_are_one_matter() -> None:
    of = [event(topic=topic, waba="1001") for topic in (Topic.VIOLATION, Topic.RESTRICTION)]
    assert key(of[0]) == key(of[1]) == key(event(topic=Topic.BAN, waba="1001", phones=()))
    assert key(of[0]) != key(event(topic=Topic.BAN, waba="1002"))


def test_a_number_that_the_directory_added_is_not_what_an_event_is_about() -> None:
    of_account = quality(waba="1001")
    assert key(of_account, "phones") == key(quality(waba="1001", phones=()))
    assert key(of_account) != key(of_account, "phones")


def test_a_template_is_told_apart_by_its_account_name_and_language() -> None:
    def named(name: str, language: str, waba: str = "1001") -> str | None:
        data = {"message_template_name": name, "message_template_language": language}
        return key(event(topic=Topic.TEMPLATE, waba=waba, data=data))

    assert named("sale", "en_US") == named("sale", "en-US") is not None
    assert len({named("sale", "en"), named("sale", "de"), named("sold", "en")}) == 3
    assert named("sale", "en") != named("sale", "en", waba="1002")
    assert key(event(topic=Topic.TEMPLATE, waba="1001", data={})) is None


@pytest.mark.parametrize("one", [quality(test=True), event(topic=Topic.PARTNER)])
def test_tests_and_other_topics_are_of_no_matter(one: Event) -> None:
    assert key(one) is None


def at(one: Event, hours: float) -> Event:
    return replace(one, received_at=NOW + hours * HOUR)


def run(*events: Event) -> Incident | None:
    """The incident after events that are routed as they come."""
    found: Incident | None = None
    for one in events:
        found = step(found, one, "key", one.received_at) or found
    return found


def test_only_what_is_worse_opens_one() -> None:
    assert run(quality(direction=BETTER), quality(direction=NEUTRAL)) is None
    assert run(quality()) == Incident(quality().id, "key", NOW, NOW, NOW)


def test_better_closes_it_unless_the_rating_is_still_low() -> None:
    low = {"current_quality_rating": "YELLOW"}
    less = quality("b", BETTER, kind="phone_number_quality_changed", data=low)
    still = run(quality(), at(less, 1))
    assert still is not None
    assert (still.closed_at, still.changes) == (None, 2)
    over = run(quality(), at(less, 1), at(quality("c", BETTER), 2))
    assert over is not None
    assert over.closed_at == NOW + 2 * HOUR


def test_worse_within_an_hour_opens_the_same_again_and_later_another() -> None:
    better, again = quality("b", BETTER), quality("c")
    same = run(quality(), at(better, 1), at(again, 1.9))
    assert same is not None
    assert (same.id, same.closed_at, same.changes) == (quality().id, None, 3)
    other = run(quality(), at(better, 1), at(again, 2.1))
    assert other is not None
    assert (other.id, other.changes) == (again.id, 1)


def test_a_late_report_of_what_was_before_changes_nothing() -> None:
    known = run(quality(), at(quality("b", BETTER), 2))
    assert step(known, quality("c"), "key", NOW + 2.5 * HOUR) is None


def test_after_a_month_without_a_word_it_is_another_matter() -> None:
    other = run(quality(), at(quality("b"), 31 * 24))
    assert other is not None
    assert (other.id, other.changes) == (at(quality("b"), 0).id, 1)


class Target:
    """What stands at a target that edits, and what its journal row says of it."""

    def __init__(self) -> None:
        self.view = View(run(quality()), (), quality(), 1)  # type: ignore[arg-type]
        self.told: list[set[int]] = []
        """By message that was posted: the changes that it told."""
        self.states: list[int] = []
        """So many changes each post and edit showed, in their order."""
        self.replies: list[int] = []

    def seen_by(self, place: int) -> View:
        return replace(self.view, place=place)

    def arrive(self) -> None:
        incident = self.view.incident
        more = replace(incident, changes=incident.changes + 1)
        self.view = replace(self.view, incident=more)

    def do(self, act: Act, delivery: Delivery, place: int, *, recorded: bool) -> None:
        """An attempt that the target takes; the relay may be lost before it knows."""
        changes = self.view.incident.changes
        if act is Act.REPLY:
            self.replies.append(place)
        else:
            self.states.append(changes)
        if recorded:
            self.view = after(act, self.seen_by(place), {}, delivery)


@given(st.lists(st.tuples(st.sampled_from("aatfl"), st.integers(0, 5)), max_size=40))
def test_every_change_is_told_once_and_no_edit_shows_an_older_state(
    steps: list[tuple[str, int]],
) -> None:
    """In any order of arrivals, tries, failures and losses; at the end all is tried once more."""
    target = Target()
    deliveries = {1: owed("1")}

    def try_one(place: int, how: str) -> None:
        act = next_act(Updates.EDIT, deliveries[place], target.seen_by(place))
        if act is None:
            del deliveries[place]
        elif how != "f":
            target.do(act, deliveries[place], place, recorded=how == "t")
            if how == "t":
                done = (*deliveries[place].acts, act)
                deliveries[place] = replace(deliveries[place], acts=done)

    for how, number in steps:
        if how == "a":
            target.arrive()
            place = target.view.incident.changes
            deliveries[place] = owed(str(place))
        elif deliveries:
            try_one(sorted(deliveries)[number % len(deliveries)], how)
    while deliveries:
        try_one(min(deliveries), "t")

    changes = target.view.incident.changes
    assert target.view.shown == changes
    assert target.states == sorted(target.states)
    lost = any(how == "l" for how, _ in steps)
    by_replies = set(range(target.view.posted + 1, changes + 1))
    assert by_replies <= set(target.replies)
    if not lost:
        assert sorted(by_replies) == sorted(target.replies)


def test_where_nothing_was_told_a_change_that_no_rule_sends_says_nothing() -> None:
    beside = owed(cause=Cause.INCIDENT)
    view = replace(Target().view, incident=replace(Target().view.incident, changes=2), place=2)
    assert next_act(Updates.EDIT, beside, view) is None
    assert next_act(Updates.EDIT, replace(beside, acts=(Act.LOST,)), view) is Act.POST
    assert next_act(Updates.EDIT, owed(), view) is Act.POST


@pytest.mark.parametrize(
    "point", [one for one in Failpoint if one not in (Failpoint.AFTER_READ, *OF_A_DIGEST)]
)
async def test_after_a_kill_the_same_message_goes_on(tmp_path: Path, point: Failpoint) -> None:
    def said(number: int, change: str, rating: str) -> dict[str, Any]:
        told = {"current_quality_update_event": change, "current_quality_rating": rating}
        return {**partner(number, **told), "event": "phone_number_quality_changed"}

    async def all_delivered(relay: RelayProcess, count: int) -> None:
        await relay.until(lambda all_: [one["state"] for one in all_] == ["delivered"] * count)

    async with FakeSlack() as slack:
        relay = RelayProcess(tmp_path, RULES.format(slack=slack))
        async with relay:
            await relay.post(said(1, "FLAGGED", "RED"))
            await all_delivered(relay, 1)
            await relay.stop()
            relay.env["RELAY_FAIL_AT"] = point.value
            await relay.start()
            with suppress(aiohttp.ClientError):
                await relay.post(said(2, "UNFLAGGED", "GREEN"))
            assert relay.process
            async with asyncio.timeout(PATIENCE):
                assert await relay.process.wait() == -signal.SIGKILL
            await relay.kill()
            del relay.env["RELAY_FAIL_AT"]
            await relay.start()
            await relay.post(said(2, "UNFLAGGED", "GREEN"))
            await all_delivered(relay, 2)
        (only,) = slack.channels["#support"].values()
        assert "over within a minute" in only.title
        assert len(only.replies) == 1
        assert only.edits == (2 if point is Failpoint.AFTER_SEND else 1)


def owing(name: str, direction: Direction, *targets: str, hours: float = 0.0) -> Owing:
    one = at(quality(name, direction), hours)
    deliveries = tuple(owed(name, f"slack:#{target}") for target in targets)
    state = EventState.ROUTED if targets else EventState.UNMATCHED
    modes = {"wa": Updates.EDIT, "sales": Updates.POST}
    return Owing(one, Routing(state, deliveries, 1), Completed(one), key(one), modes)


async def route(store: Store, one: Owing) -> Routed:
    arrived = Arrival(one.event, one.event.id, True, "same", {})
    await store.journal.append(Reading((arrived,)), now=NOW)
    return await store.journal.route([one], now=NOW)


async def test_who_was_told_follows_and_what_is_done_is_kept(store: Store) -> None:
    """On each engine: the journal's part of it, from the first event to the closing edit."""
    await route(store, owing("a", WORSE, "wa", "sales"))
    first = await claim_one(store, "slack:#wa")
    assert first is not None
    assert first.incident is not None
    assert (first.incident.posted, first.incident.place) == (0, 1)
    shows = after(Act.POST, first.incident, {"ts": "1"}, first.delivery)
    living = Living("i", "slack:#wa", first.delivery.id, shows.reference, shows.posted, 1)
    living = replace(living, incident=first.incident.incident.id)
    told = deliveries.settle(first.delivery, Sent(Proof.POSTED, {"ts": "1"}), NOW, 0.0)
    settlement = Settlement(first.delivery, told, first.attempt, "sent", "sent", living=living)
    assert (await store.journal.settle(settlement, now=NOW)).held

    done = await route(store, owing("b", BETTER, hours=1))
    assert done.beside == {"slack:#wa"}
    closing = await claim_one(store, "slack:#wa")
    assert closing.delivery.cause is Cause.INCIDENT
    seen = closing.incident
    assert seen is not None
    assert seen.incident.closed_at is not None
    assert (seen.posted, seen.shown, seen.place, seen.reference) == (1, 1, 2, {"ts": "1"})
    assert [one.id for one in seen.history] == [quality("a").id, quality("b").id]
    assert next_act(Updates.EDIT, closing.delivery, seen) is Act.EDIT
    on = deliveries.go_on(closing.delivery, Act.EDIT, Sent(Proof.EDITED))
    settlement = Settlement(closing.delivery, on, closing.attempt, "sent", "edited")
    await store.journal.settle(settlement, now=NOW)
    again = await claim_one(store, "slack:#wa")
    assert again.delivery.acts == (Act.EDIT,)
    assert again.delivery.proof is Proof.EDITED
    assert (await store.records.balance()).balanced

    await store.journal.forget(event().phones[0], now=NOW, who="me")
    gone = deliveries.settle(again.delivery, Transient("later"), NOW, 0.0)
    settlement = Settlement(again.delivery, gone, again.attempt, "transient", "later")
    await store.journal.settle(settlement, now=NOW)
    assert (await claim_one(store, "slack:#wa")).incident is None
