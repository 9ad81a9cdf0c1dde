"""The suite, on every engine."""

from __future__ import annotations

import re

from relay.journal import Journal, Records
from tests.journal_suite import JournalSuite
from tests.needs import ROOT


class TestEngines(JournalSuite):
    pass


def test_every_verb_and_question_is_tried_on_every_engine() -> None:
    """By a test that takes the store of this engine's place."""
    words = {
        f"{noun}.{name}"
        for noun, protocol in (("journal", Journal), ("records", Records))
        for name in vars(protocol)
        if not name.startswith("_")
    }
    tried: set[str] = set()
    for path in (ROOT / "tests").rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        if re.search(r"store: Store\b|prune_all", text):
            tried |= set(re.findall(r"\b(?:journal|records)\.\w+", text))
    assert words - tried == set()
