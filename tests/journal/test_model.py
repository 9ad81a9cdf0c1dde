"""Random histories of a relay, with crashes and losses of power, judged after each step.

The journal, the pipeline and the worker are the real ones; only time and the targets are not. What
is true in every history stands in `tests/judge.py`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.model_world import BEHAVIOURS, KINDS, RULES, TARGETS, World

behaviours = st.sampled_from(sorted(BEHAVIOURS))
scripts = st.lists(behaviours, min_size=1, max_size=5)
happenings = st.lists(st.sampled_from(KINDS), min_size=1, max_size=6)
targets = st.sampled_from(TARGETS)


class History(RuleBasedStateMachine):
    """One relay from its first start to the day when all is done."""

    world: World

    @initialize(seed=st.integers(0, 2**20), kinds=happenings, names=scripts)
    def begin(self, seed: int, kinds: list[str], names: list[str]) -> None:
        self.world = World(seed)
        self.world.do(self.world.start())
        self.posted: list[tuple[int, str]] = []
        for place in TARGETS:
            self.world.targets.next[place] = [BEHAVIOURS[name] for name in names]
        self.something_happens(kinds, 1.0)

    @rule(kinds=happenings, seconds=st.sampled_from([0.0, 0.01, 3.0]))
    def something_happens(self, kinds: list[str], seconds: float) -> None:
        for kind in kinds:
            number = len(self.posted)
            self.posted.append((number, kind))
            self.world.do(self.world.post(number, kind))
        self.world.do(self.world.wait(seconds))

    @precondition(lambda self: self.posted)
    @rule(data=st.data(), content=st.sampled_from(["", "another content"]))
    def a_sender_repeats_itself(self, data: Any, content: str) -> None:
        number, kind = data.draw(st.sampled_from(self.posted))
        self.world.do(self.world.post(number, kind, content))

    @rule(place=targets, names=scripts)
    def a_target_does_so_next(self, place: str, names: list[str]) -> None:
        self.world.targets.next[place] = [BEHAVIOURS[name] for name in names]

    @rule(place=targets, name=behaviours)
    def a_target_does_so_from_now_on(self, place: str, name: str) -> None:
        self.world.targets.usual[place] = BEHAVIOURS["sent" if name == "crash" else name]

    @rule(times=st.integers(1, 4))
    def a_fault_nobody_foresaw(self, times: int) -> None:
        self.world.targets.unwritable = times

    @rule(seconds=st.sampled_from([0.01, 1, 20, 400, 5_000]))
    def time_passes(self, seconds: float) -> None:
        self.world.do(self.world.wait(seconds))

    @rule(hours=st.sampled_from([-1, 1, 30, 100]))
    def the_clock_is_set(self, hours: int) -> None:
        self.world.do(self.world.jump(timedelta(hours=hours)))

    @rule(verbs=st.integers(0, 12), after_the_commit=st.booleans())
    def it_will_crash_at_a_verb(self, verbs: int, after_the_commit: bool) -> None:
        self.world.mortal.after_the_commit = after_the_commit
        self.world.mortal.verbs_left = verbs

    @rule()
    def it_crashes(self) -> None:
        self.world.do(self.world.crash_now())

    @rule()
    def it_is_stopped_and_started(self) -> None:
        if self.world.do(self.world.stop()):
            self.world.do(self.world.start())

    @rule(name=st.sampled_from(sorted(RULES)))
    def the_rules_are_edited(self, name: str) -> None:
        self.world.do(self.world.adopt(name))

    @rule()
    def an_operator_retries(self) -> None:
        self.world.do(self.world.retry())

    @rule(state=st.sampled_from(["pending", "parked", "dead"]))
    def an_operator_discards(self, state: str) -> None:
        self.world.do(self.world.discard(state))

    @invariant()
    def every_promise_is_kept(self) -> None:
        assert self.world.findings() == []

    def teardown(self) -> None:
        if not hasattr(self, "world"):
            return
        try:
            assert self.world.findings(at_rest=True) == []
        finally:
            self.world.close()


def try_histories(sizes: settings) -> None:
    """Let so many histories of so many steps happen; raises at the first broken promise."""
    run_state_machine_as_test(
        History,
        settings=settings(
            sizes,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
            # Shrinking takes minutes: the steps are printed as they are.
            phases=[Phase.generate],
        ),
    )


def test_every_promise_is_kept_in_every_history() -> None:
    """I1 to I5 of the plan, and the balance, after each step and at rest. Always the same few."""
    try_histories(settings(max_examples=25, stateful_step_count=20, derandomize=True))
