"""The durable store: `Journal`, the verbs that change it, and `Records`, the questions.

`doors` opens it. Every verb returns only when its change is on
disk. Moments are aware datetimes in UTC.
"""

from __future__ import annotations

from relay.journal.answers import (
    Alarm,
    Audited,
    Dead,
    Held,
    Holding,
    Hour,
    Kept,
    Lane,
    Late,
    Past,
    Relay,
    Silenced,
    Status,
    Stopped,
    StoredDelivery,
    StoredEvent,
    WatchState,
)
from relay.journal.protocols import Journal, Store
from relay.journal.records import Records
from relay.journal.values import (
    SEARCHED,
    Aim,
    Appended,
    Ask,
    Attempt,
    Checked,
    Claimed,
    EventState,
    Filter,
    Owing,
    Recorded,
    Routed,
    Routing,
    RulesVersion,
    Settlement,
    Trouble,
    Turn,
)

__all__ = [
    "SEARCHED",
    "Aim",
    "Alarm",
    "Appended",
    "Ask",
    "Attempt",
    "Audited",
    "Checked",
    "Claimed",
    "Dead",
    "EventState",
    "Filter",
    "Held",
    "Holding",
    "Hour",
    "Journal",
    "Kept",
    "Lane",
    "Late",
    "Owing",
    "Past",
    "Recorded",
    "Records",
    "Relay",
    "Routed",
    "Routing",
    "RulesVersion",
    "Settlement",
    "Silenced",
    "Status",
    "Stopped",
    "Store",
    "StoredDelivery",
    "StoredEvent",
    "Trouble",
    "Turn",
    "WatchState",
]
