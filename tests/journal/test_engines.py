"""The suite, on every engine."""

from __future__ import annotations

from tests.journal_suite import JournalSuite


class TestEngines(JournalSuite):
    pass
