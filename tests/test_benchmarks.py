"""Every benchmark still runs: one tiny round of each, with the processes that it measures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[1]
BENCHMARKS = [
    "throughput",
    "engines",
    "ingest",
    "latency",
    "burst",
    "rules",
    "startup",
    "commands",
    "memory",
]

pytestmark = pytest.mark.slow


def output_of(*arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout


@pytest.mark.parametrize("name", BENCHMARKS)
def test_a_benchmark_prints_its_rows_of_the_table(name: str) -> None:
    printed = output_of(f"benchmarks.{name}", "--quick")
    table = printed.partition("| what | measured | at least | aim |\n|---|---|---|---|\n")[2]
    rows = [line.split("|") for line in table.splitlines()]
    assert rows
    assert all(row[2].strip()[0].isdigit() for row in rows), table


def test_the_picture_of_an_events_cost_shows_every_room_that_has_a_budget(tmp_path: Path) -> None:
    from benchmarks.event_cost import BUDGET

    output_of("benchmarks.event_cost", "--events", "100", "--out", str(tmp_path / "cost.svg"))
    picture = (tmp_path / "cost.svg").read_text()
    assert [room for room in BUDGET if f">{room}</text>" not in picture] == []


def test_every_benchmark_is_part_of_make_bench() -> None:
    from benchmarks.__main__ import ALL

    assert sorted(one.__name__ for one in ALL) == sorted(f"benchmarks.{one}" for one in BENCHMARKS)
