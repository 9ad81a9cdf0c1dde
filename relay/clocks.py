"""The wall clock beside one that never goes back: whoever sets the first is found out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

TOLERANCE = timedelta(seconds=5)
"""Smaller differences are no setting of the clock; they come from two looks that are not one."""


class Timekeeper:
    """A wall clock that says so when it was set, before anybody gets the new time to see.

    A machine that slept counts as one whose clock was set forward.
    """

    def __init__(
        self,
        wall: Callable[[], datetime],
        steady: Callable[[], float],
        on_step: Callable[[timedelta, datetime], None] = lambda _step, _now: None,
    ) -> None:
        """`steady` gives seconds of a clock that never goes back.

        `on_step` is called with how far the clock was set, and with the time that it shows now.
        """
        self._wall = wall
        self._steady = steady
        self._on_step = on_step
        self._last = wall()
        self._at = steady()
        self._moved = timedelta(0)

    def __call__(self) -> datetime:
        """The time."""
        now, at = self._wall(), self._steady()
        step = (now - self._last) - timedelta(seconds=at - self._at)
        self._last, self._at = now, at
        if abs(step) >= TOLERANCE:
            self._moved += step
            self._on_step(step, now)
        return now

    def moved(self) -> timedelta:
        """How far the clock has been set so far, all in all."""
        self()
        return self._moved
