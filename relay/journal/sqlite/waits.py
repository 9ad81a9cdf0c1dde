"""Due times and horizons that follow the wall clock when somebody sets it.

Within a run a wait is a span of time: the clock may be set forward or back, and whoever waits
waits as long as before.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import apsw

from relay.deliveries import HORIZON, LONGEST_SNOOZE, SCHEDULE
from relay.journal.sqlite.rows import micros

LONGEST_WAIT = max(LONGEST_SNOOZE, *SCHEDULE)
_MICROSECOND = timedelta(microseconds=1)
_UNFINISHED = (
    ("pending", "pending_by_lane"),
    ("claimed", "claimed"),
    ("parked", "parked_by_lane"),
)


def retime(connection: apsw.Connection, step: timedelta, *, now: datetime) -> None:
    """Move all unfinished deliveries by `step`, then mend what cannot be true."""
    for state, index in _UNFINISHED:
        if step:
            connection.execute(
                f"UPDATE deliveries INDEXED BY {index}"  # noqa: S608
                " SET due_at = due_at + ?1, tried_since = tried_since + ?1"
                f" WHERE state = '{state}'",
                (step // _MICROSECOND,),
            )
    # One may be due for longer than the horizon because the relay was off, or because the clock
    # was wrong in another run: neither is the target's fault, so its tries begin anew.
    connection.execute(
        "UPDATE deliveries INDEXED BY pending_by_lane"
        " SET tried_since = CASE WHEN tried_since > :now OR due_at < :long_ago"
        " THEN :now ELSE tried_since END,"
        " due_at = CASE WHEN due_at > :latest THEN :now ELSE due_at END"
        " WHERE state = 'pending'"
        " AND (tried_since > :now OR due_at < :long_ago OR due_at > :latest)",
        {
            "now": micros(now),
            "long_ago": micros(now - HORIZON),
            "latest": micros(now + LONGEST_WAIT),
        },
    )
