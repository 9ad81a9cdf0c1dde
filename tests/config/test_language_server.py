"""A real YAML language server reads the schema that `rules.yaml` points at."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from relay.cli.init import contents
from relay.events import Topic
from tests.editor import Editor, require_language_server

RULES = """\
# yaml-language-server: $schema=rules.schema.json
version: 1
destinations:
  support: {slack: {webhook: "${HOOK_URL}"}}
rules:
  - name: Quality
    when:
      topic: quality
    send_to: support
"""
TOPIC = 7


@pytest.fixture
async def editor(tmp_path: Path) -> AsyncIterator[Editor]:
    """An editor that has open what `relay init` writes."""
    require_language_server()
    for name in ("rules.yaml", "rules.schema.json"):
        (tmp_path / name).write_text(contents()[name], encoding="utf-8")
    (tmp_path / "small.yaml").write_text(RULES, encoding="utf-8")
    async with Editor(tmp_path) as one:
        yield one


async def test_what_init_writes_is_without_fault(editor: Editor) -> None:
    """But for the key that is added, which shows that the server looked."""
    await editor.open("rules.yaml")
    editor.change(contents()["rules.yaml"] + "\nadded: 1\n")
    assert [fault["message"] for fault in await editor.shown()] == [
        "Property added is not allowed."
    ]


async def test_topics_are_offered_under_topic(editor: Editor) -> None:
    await editor.open("small.yaml")
    editor.change(RULES.replace("topic: quality", "topic: "))
    assert {topic.value for topic in Topic} <= await editor.offered(TOPIC, len("      topic: "))


async def test_topics_are_offered_in_a_list(editor: Editor) -> None:
    await editor.open("small.yaml")
    editor.change(RULES.replace("topic: quality", "topic:\n        - "))
    assert {topic.value for topic in Topic} <= await editor.offered(TOPIC + 1, len("        - "))


async def test_keys_are_offered_in_a_rule(editor: Editor) -> None:
    await editor.open("small.yaml")
    lines = RULES.count("\n")
    editor.change(f"{RULES}    ")
    assert {"stop", "always", "template"} <= await editor.offered(lines, 4)


@pytest.mark.parametrize(
    ("good", "bad", "line", "told"),
    [
        ("topic: quality", "topik: quality", TOPIC, "topik"),
        ("topic: quality", "topic: qualty", TOPIC, ""),
        ("send_to: support", "sent_to: support", TOPIC + 1, "sent_to"),
        ("{webhook: ", "{weebhook: ", 3, "weebhook"),
    ],
)
async def test_a_fault_is_shown_where_it_stands(
    editor: Editor, good: str, bad: str, line: int, told: str
) -> None:
    await editor.open("small.yaml")
    editor.change(RULES.replace(good, bad))
    found = await editor.shown()
    assert line in {fault["range"]["start"]["line"] for fault in found}
    assert told in " ".join(fault["message"] for fault in found)


async def test_a_key_is_explained(editor: Editor) -> None:
    await editor.open("small.yaml")
    assert "What it is about" in await editor.said(TOPIC, 8)
