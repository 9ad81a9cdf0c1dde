"""Who is who: numbers, accounts, clients and names, as facts that events and people tell.

`learn` takes the facts out of one event, `Facts` holds what is known, `complete` fills in what
an event itself does not say. Everything here is pure; the journal keeps the facts.
"""

from __future__ import annotations

from relay.directory.completing import Completed, Entry, Origin, complete, entry_of, lacks_something
from relay.directory.facts import (
    IMPORTED,
    LONGEST,
    SYNCED,
    Contact,
    Evidence,
    Fact,
    Facts,
    Noun,
    Relation,
    channel_of,
    facts_of,
    learn,
    number_id_of,
)

__all__ = [
    "IMPORTED",
    "LONGEST",
    "SYNCED",
    "Completed",
    "Contact",
    "Entry",
    "Evidence",
    "Fact",
    "Facts",
    "Noun",
    "Origin",
    "Relation",
    "channel_of",
    "complete",
    "entry_of",
    "facts_of",
    "lacks_something",
    "learn",
    "number_id_of",
]
