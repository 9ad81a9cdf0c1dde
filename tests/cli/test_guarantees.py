"""`docs/guarantees.md` names the test that proves each promise; every one of them exists."""

from __future__ import annotations

import re

from tests.needs import ROOT

TESTS = ROOT / "tests"
GUARANTEES = TESTS.parent / "docs" / "guarantees.md"


def test_every_test_that_the_guarantees_name_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", GUARANTEES.read_text(encoding="utf-8")))
    found = {
        name
        for file in TESTS.rglob("*.py")
        for name in re.findall(r"def (test_\w+)\(", file.read_text(encoding="utf-8"))
    } | {file.stem for file in TESTS.rglob("test_*.py")}
    assert named - found == set()
    assert len(named) > 10
