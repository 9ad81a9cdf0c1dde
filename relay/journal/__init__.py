"""The durable store: `Journal`, the verbs that change it, and `Records`, the questions.

`doors` opens it. Every verb returns only when its change is on
disk. Moments are aware datetimes in UTC.
"""

from __future__ import annotations

from relay.journal.protocols import Journal, Records, Store
from relay.journal.values import (
    SEARCHED,
    Aim,
    Alarm,
    Appended,
    Ask,
    Attempt,
    Checked,
    Claimed,
    Dead,
    EventState,
    Filter,
    Hour,
    Lane,
    Owing,
    Past,
    Recorded,
    Routed,
    Routing,
    RulesVersion,
    Settlement,
    Status,
    Stopped,
    StoredDelivery,
    StoredEvent,
    Trouble,
    Turn,
    WatchState,
)

__all__ = [
    "SEARCHED",
    "Aim",
    "Alarm",
    "Appended",
    "Ask",
    "Attempt",
    "Checked",
    "Claimed",
    "Dead",
    "EventState",
    "Filter",
    "Hour",
    "Journal",
    "Lane",
    "Owing",
    "Past",
    "Recorded",
    "Records",
    "Routed",
    "Routing",
    "RulesVersion",
    "Settlement",
    "Status",
    "Stopped",
    "Store",
    "StoredDelivery",
    "StoredEvent",
    "Trouble",
    "Turn",
    "WatchState",
]
