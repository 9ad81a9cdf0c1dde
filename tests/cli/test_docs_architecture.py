"""The pages that show the house are true of the tree."""

from __future__ import annotations

import re

from tests.each import each
from tests.needs import ROOT


@each("page", ["docs/architecture.md", "CONTRIBUTING.md"])
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"`((?:relay|tests|docs|message_templates|benchmarks)/[\w./-]*)`", text)
    assert len(named) > 5
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_every_room_of_the_house_is_shown() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "relay").glob("*/__init__.py")}
    without = rooms - {"samples", "starter", "preview"}
    assert {room for room in without if f"`relay/{room}/`" not in text} == set()


@each("target", ["test", "test-all", "lint", "torture", "bench", "docs", "run"])
def test_every_target_that_is_told_is_one(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    assert f"`make {target}`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
