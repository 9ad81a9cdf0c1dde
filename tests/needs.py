"""What a test needs: tools of the machine, patience, and as many examples as there is time for."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import settings

T = TypeVar("T")
ROOT = Path(__file__).parent.parent
"""The folder of the repository."""
PATIENCE = 60.0
"""Seconds after which a test that waits is taken for hung; it judges no speed."""


def require(why_not: str | None) -> None:
    """Go on if nothing is missing; else skip with the reason, or fail where none may be left out.

    `RELAY_NO_SKIP=1` says so: CI installs what a newcomer's machine may lack.
    """
    if why_not is None:
        return
    if os.environ.get("RELAY_NO_SKIP") == "1":
        pytest.fail(f"cannot run, and RELAY_NO_SKIP forbids to leave it out: {why_not}")
    pytest.skip(why_not)


def examples(count: int) -> settings:
    """So many percent of what others have: of 50 in `make test`, of 500 in `make test-all`."""
    return settings(max_examples=count * settings.default.max_examples // 100)


def growing() -> Iterator[float]:
    """Seconds between two looks at what a test waits for: each look costs a request or a read."""
    pause = 0.01
    while True:
        yield pause
        pause = min(1.3 * pause, 0.15)


def some(values: Sequence[T], turn: int, of: int = 3) -> Sequence[T]:
    """In `make test` every third (or so), others at another turn; in `make test-all` all."""
    return values if settings.default.max_examples > 50 else values[turn % of :: of]
