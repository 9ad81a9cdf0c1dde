"""Named points at which a test ends the process, as abruptly as a crash would.

Inert unless armed, and only `relay serve` arms one, by `RELAY_FAIL_AT`. The points stand where a
crash has a consequence of its own: `docs/guarantees.md` says which.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum

from relay.errors import UsageError

VARIABLE = "RELAY_FAIL_AT"


class Failpoint(StrEnum):
    """Along the path of one event, in order; the last two on that of a digest."""

    AFTER_READ = "after-read"
    """A webhook was read, and nothing of it is stored."""
    BEFORE_COMMIT = "before-commit"
    """Its events are inserted, and the commit has not begun."""
    AFTER_COMMIT = "after-commit"
    """They are on disk, and the sender has no answer."""
    AFTER_CLAIM = "after-claim"
    BEFORE_SEND = "before-send"
    """The attempt is open, and nothing was written to the target."""
    AFTER_SEND = "after-send"
    """The target has answered, and the journal does not know."""
    AFTER_SETTLE = "after-settle"
    BEFORE_GATHER = "before-gather"
    """What a digest tells is chosen, and not yet fixed."""
    AFTER_GATHER = "after-gather"
    """It is fixed, and nothing of it was sent."""


OF_A_DIGEST = frozenset({Failpoint.BEFORE_GATHER, Failpoint.AFTER_GATHER})

_armed: Failpoint | None = None


def arm(name: str) -> None:
    """End the process when this point is reached; an empty name disarms.

    Raises `UsageError` for a name that is none.
    """
    global _armed
    if name and name not in set(Failpoint):
        raise UsageError(
            f"{VARIABLE}: there is no such point; it is for tests: {', '.join(Failpoint)}"
        )
    _armed = Failpoint(name) if name else None


def reach(point: Failpoint) -> None:
    """This point of the path is reached: nothing happens, unless a test armed it."""
    if point is _armed:
        os.kill(os.getpid(), signal.SIGKILL)
