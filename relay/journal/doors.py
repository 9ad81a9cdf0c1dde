"""The doors of the store: whoever opens a journal gives its address and names no engine."""

from __future__ import annotations

from relay.journal.address import journal_path
from relay.journal.sqlite.backup import back_up
from relay.journal.sqlite.damage import WAY_BACK
from relay.journal.sqlite.engine import examine_journal, open_journal, open_records
from relay.journal.sqlite.room import free_space

__all__ = [
    "WAY_BACK",
    "back_up",
    "examine_journal",
    "free_space",
    "journal_path",
    "open_journal",
    "open_records",
]
