"""Three real relays on one database, killed at random while events come."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fleet import A_SECOND, storm
from tests.torture import size

TAKES_OVER = 10.0
"""Seconds in which another relay drives the lanes of one that was killed."""


@pytest.mark.slow
async def test_whichever_relay_is_killed_nothing_is_lost_and_nothing_comes_twice(
    tmp_path: Path,
) -> None:
    """A minute; ten in `make torture`. Pace and order hold, and one trouble is told once."""
    seconds = size("RELAY_FLEET_SECONDS", 60)
    found = await storm(tmp_path, seconds, seed=1)
    print(f"\n{found}")
    assert found.findings == []
    assert found.lost == 0
    assert found.out_of_turn == []
    assert found.fastest <= A_SECOND * 10 * 1.05 + A_SECOND
    assert len(found.alarms) == 2, "one when it began, one when it was over"
    assert found.acknowledged > seconds
    assert found.longest_pause < TAKES_OVER + 5
