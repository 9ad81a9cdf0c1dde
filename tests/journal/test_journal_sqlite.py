"""The embedded engine: the suite of every engine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from relay.journal.sqlite.engine import open_journal
from tests.journal_suite import NOW, JournalSuite, Open


class TestSqlite(JournalSuite):
    @pytest.fixture
    def opening(self, tmp_path: Path) -> Open:
        return partial(open_journal, f"sqlite:///{tmp_path}/relay.db", now=NOW)
