"""Kill rounds, losses of power and random histories, many of each."""

from __future__ import annotations

import random
import shutil
import statistics
import time
from pathlib import Path

from hypothesis import settings

from relay import logs
from tests.crashes import kill_rounds
from tests.journal.test_model import try_histories
from tests.power_cuts import Cut, cut_power
from tests.torture import size

KILLS = size("RELAY_KILL_ROUNDS", 200)
SEEDS = size("RELAY_POWER_SEEDS", 1_000)
HISTORIES = size("RELAY_MODEL_HISTORIES", 300)


async def test_kill_rounds(tmp_path: Path) -> None:
    """A1: no promise broken in any round."""
    seed = random.SystemRandom().randrange(2**32)
    print(f"\n{KILLS} kill rounds, seed {seed}")
    report = await kill_rounds(tmp_path, rounds=KILLS, clients=20, seed=seed)
    restart = statistics.median(report.restarts)
    print(
        f"{report.acknowledged} acknowledged, {report.received} received, {report.twice} of them "
        f"twice; restart {restart:.2f} s in the middle, {max(report.restarts):.2f} s at most, "
        f"{max(report.cpu):.2f} s of computing at most; {report.damaged} damaged, "
        f"{len(report.findings)} violations"
    )
    assert report.findings == []
    assert report.damaged == 0


async def test_power_losses(tmp_path: Path) -> None:
    """A4: nothing acknowledged is lost, whatever the disk forgot; with NORMAL it is (A5)."""
    first = random.SystemRandom().randrange(2**32)
    print(f"\n{SEEDS} losses of power, seeds from {first}")
    acknowledged = losing = 0
    for seed in range(first, first + SEEDS):
        cut = await _cut(tmp_path, seed)
        assert (cut.lost, cut.damage) == ((), "ok"), f"seed {seed}"
        acknowledged += cut.acknowledged
        if seed % 10 == 0:
            losing += bool((await _cut(tmp_path, seed, weak=True)).lost)
    print(f"{acknowledged} acknowledged, 0 lost; with NORMAL {losing} of {SEEDS // 10} lost some")
    assert losing > SEEDS // 20


async def _cut(folder: Path, seed: int, *, weak: bool = False) -> Cut:
    place = folder / "cut"
    place.mkdir()
    try:
        return await cut_power(place, seed, "NORMAL" if weak else "FULL")
    finally:
        shutil.rmtree(place)


def test_histories() -> None:
    """H1: every promise is kept in every history."""
    logs.configure(level="critical")
    started = time.monotonic()
    try_histories(settings(max_examples=HISTORIES, stateful_step_count=50))
    print(f"\n{HISTORIES} histories in {time.monotonic() - started:.0f} s")
