"""How fast a lane may go: token buckets, pauses, and the growing waits between probes.

Pure: every moment is an argument, in seconds of a clock that never goes back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from relay.channels import Pace
from relay.deliveries import wait_after
from relay.outcomes import FAULTS

FAULTS_BEFORE_PAUSE = 3
"""So many target faults in a row, and the lane (or account) waits as a whole."""
FAULTS_BEFORE_DOUBT = 8
"""From so many on, the head itself may be the trouble."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """How often the relay looks at what it cannot be told of, in seconds."""

    first_probe: float = 10.0
    longest_probe: float = 600.0
    """Between probes of a target that is out of order, doubled from the first to the longest."""
    heartbeat: float = 60.0
    """Between two calls of the heartbeat."""
    watch: float = 5.0
    """Between two looks at the relay's own troubles."""
    patience: float = 60.0
    """After so much more than its time a loop that has not gone round counts as stuck."""
    grace: float = 10.0
    """That sends under way get when the relay stops."""


def is_failing(outcomes: Sequence[str | None]) -> bool:
    """Whether a target's last answers, the newest first, are so many faults in a row.

    It may work again by itself: a target that is out of order is another matter.
    """
    last = outcomes[:FAULTS_BEFORE_PAUSE]
    return len(last) == FAULTS_BEFORE_PAUSE and FAULTS.issuperset(last)


class Bucket:
    """A token bucket: `burst` at once, then `count` in `seconds`."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._tokens = float(pace.burst)
        self._at: float | None = None

    def wait(self, at: float) -> float:
        """Seconds until one more may go; 0: now."""
        if not self._pace.count:
            return 0.0
        self._fill(at)
        missing = 1.0 - self._tokens
        return max(0.0, missing * self._pace.seconds / self._pace.count)

    def take(self, at: float) -> None:
        """One goes."""
        if self._pace.count:
            self._fill(at)
            self._tokens -= 1.0

    def _fill(self, at: float) -> None:
        if self._at is not None:
            gained = (at - self._at) * self._pace.count / self._pace.seconds
            self._tokens = min(float(self._pace.burst), self._tokens + max(0.0, gained))
        self._at = at


@dataclass(slots=True)
class Health:
    """How a lane or an account has been doing: faults in a row, and until when it waits."""

    faults: int = 0
    paused_until: float = 0.0

    @property
    def probing(self) -> bool:
        """Only the head is tried, so that the others spend no attempts in vain.

        After many faults every second try is another's: if it is the head itself that the target
        cannot stand, the others must not wait for it until it is given up.
        """
        patient = self.faults < FAULTS_BEFORE_DOUBT or self.faults % 2 == 1
        return self.faults >= FAULTS_BEFORE_PAUSE and patient

    def went_well(self) -> None:
        self.faults = 0
        self.paused_until = 0.0

    def failed(self, at: float, chance: float) -> None:
        """One more target fault; from the third on all wait, and only the head tries again.

        At least half of the schedule's wait: what spreads the retries of many deliveries must not
        let one lane hammer a target that is down.
        """
        self.faults += 1
        if self.faults >= FAULTS_BEFORE_PAUSE:
            wait = wait_after(self.faults - FAULTS_BEFORE_PAUSE + 1, 0.5 + chance / 2)
            self.paused_until = max(self.paused_until, at + wait.total_seconds())

    def pause(self, until: float) -> None:
        """The target asked to wait."""
        self.paused_until = max(self.paused_until, until)


class Probing:
    """When a target that is out of order is tried next."""

    def __init__(self, next_at: float, tempo: Tempo) -> None:
        self.next_at = next_at
        self._wait = tempo.first_probe
        self._longest = tempo.longest_probe

    @classmethod
    def after_fault(cls, at: float, tempo: Tempo) -> Probing:
        """It was just seen to be out of order."""
        return cls(at + tempo.first_probe, tempo)

    def probed(self, at: float) -> None:
        """It is being tried; the next try takes longer to come."""
        self._wait = min(self._wait * 2, self._longest)
        self.next_at = at + self._wait
