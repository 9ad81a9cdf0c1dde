"""The embedded engine: the suite of every engine."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import apsw
import pytest

from relay.journal import Ask
from relay.journal.sql import work
from relay.journal.sqlite import connection
from relay.journal.sqlite.engine import open_journal
from tests.journal_suite import NOW, JournalSuite, Open


class TestSqlite(JournalSuite):
    @pytest.fixture
    def opening(self, tmp_path: Path) -> Open:
        return partial(open_journal, f"sqlite:///{tmp_path}/relay.db", now=NOW)


def test_a_statement_is_planned_once_for_all_values(tmp_path: Path) -> None:
    writing = connection.writer(tmp_path / "relay.db")
    planned: list[int] = []
    writing.set_authorizer(lambda *_: planned.append(1) or apsw.SQLITE_OK)
    work.claim(writing, Ask("slack:#a"), now=NOW)
    before = len(planned)
    work.claim(writing, Ask("slack:#b"), now=NOW)
    assert before
    assert len(planned) == before
    writing.close()
