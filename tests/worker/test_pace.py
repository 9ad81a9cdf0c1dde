"""The buckets, pauses and probes of lanes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from relay.channels import NO_PACE, Pace
from relay.pace import Bucket, Health, Probing, Tempo


def test_a_bucket_lets_its_burst_through_at_once_and_then_keeps_its_pace() -> None:
    bucket = Bucket(Pace(count=1, seconds=1, burst=3))
    sent_at = []
    now = 0.0
    for _ in range(6):
        now += bucket.wait(now)
        bucket.take(now)
        sent_at.append(now)
    assert sent_at == [0.0, 0.0, 0.0, 1.0, 2.0, 3.0]


def test_no_pace_never_waits() -> None:
    bucket = Bucket(NO_PACE)
    for _ in range(1000):
        bucket.take(0.0)
    assert bucket.wait(0.0) == 0.0


@given(st.lists(st.floats(0, 10), min_size=1, max_size=50))
def test_a_bucket_never_lets_more_through_than_its_pace(gaps: list[float]) -> None:
    """In any stretch of time: at most the burst plus what the pace allows."""
    bucket = Bucket(Pace(count=2, seconds=1, burst=3))
    now, sent = 0.0, []
    for gap in gaps:
        now += gap
        now += bucket.wait(now)
        bucket.take(now)
        sent.append(now)
    for i, start in enumerate(sent):
        for j in range(i, len(sent)):
            assert j - i + 1 <= 3 + (sent[j] - start) * 2 + 1e-6


def test_a_clock_that_stands_still_or_goes_back_gives_no_tokens() -> None:
    bucket = Bucket(Pace(count=1, seconds=1, burst=1))
    bucket.take(100.0)
    assert bucket.wait(50.0) == 1.0


def test_a_lane_pauses_from_the_third_fault_in_a_row() -> None:
    health = Health()
    health.failed(0.0, 0.0)
    health.failed(0.0, 0.0)
    assert health.paused_until == 0.0
    health.failed(0.0, 0.0)
    assert health.paused_until > 0.0


def test_a_success_between_faults_ends_the_row() -> None:
    health = Health()
    health.failed(0.0, 0.0)
    health.failed(0.0, 0.0)
    health.went_well()
    health.failed(0.0, 0.0)
    assert health.paused_until == 0.0


def test_a_pause_that_a_target_asked_for_is_never_shortened() -> None:
    health = Health()
    health.pause(60.0)
    health.pause(30.0)
    assert health.paused_until == 60.0


def test_probes_come_more_and_more_slowly_up_to_a_bound() -> None:
    probing = Probing(0.0, Tempo(first_probe=10, longest_probe=600))
    waits = []
    now = 0.0
    for _ in range(10):
        probing.probed(now)
        waits.append(probing.next_at - now)
        now = probing.next_at
    assert waits[0] == 20
    assert waits == sorted(waits)
    assert waits[-1] == 600


def test_the_head_alone_probes_until_it_may_be_the_trouble_itself() -> None:
    health = Health()
    who = []
    for _ in range(12):
        who.append(health.probing)
        health.failed(0.0, 0.0)
    assert who == [False] * 3 + [True] * 5 + [False, True] * 2
