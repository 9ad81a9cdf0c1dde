"""What passed its checks and tests is not checked again while files, environment and relay are the
same; whatever differs is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from relay import reload
from relay.errors import ConfigError
from relay.journal import Checked, Store
from relay.journal.sqlite.engine import open_journal
from relay.reload.files import Everything, Loaded, Passed, from_files, passed_before, this_relay
from relay.settings import Settings
from tests.journal_suite import NOW

WRONG_TEST = """\
version: 1
accounts: {slack: {token: xoxb-x}}
destinations:
  support: {slack: {channel: "#support"}}
  sales: {slack: {channel: "#sales"}}
phones: {vip: {file: vip.csv}}
rules:
  - {name: All, when: {event: "*", not: {phone: vip, detail: "${DETAIL}"}}, send_to: support}
tests:
  - {name: wrong, event: channel_live, expect: sales}
alarms: {send_to: support}
default: {send_to: none}
"""
WRONG_TEXT = WRONG_TEST.replace("expect: sales", "text: nobody says this")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_journal(f"sqlite:///{tmp_path / 'relay.db'}", now=NOW)
    yield opened
    await opened.journal.close()


def settings(folder: Path, rules: str, env: Mapping[str, str] | None = None) -> Settings:
    (folder / "message_templates").mkdir(exist_ok=True)
    (folder / "message_templates" / "default.md.j2").write_text("# {{ event.title }}\n")
    (folder / "vip.csv").write_text("+49 171 3920011\n")
    (folder / "rules.yaml").write_text(rules)
    return Settings(
        rules=folder / "rules.yaml",
        templates=folder / "message_templates",
        journal=f"sqlite:///{folder / 'relay.db'}",
        env={"DETAIL": "x"} if env is None else env,
    )


def now_live(made: Settings, store: Store) -> Loaded:
    """As if these files had passed."""
    return from_files(made, strict_env=True, now=NOW, store=store, passed=Everything())


async def adopted(made: Settings, store: Store, relay: str = "") -> None:
    live = now_live(made, store)
    checked = Checked(relay or this_relay(), live.passed.rules)
    await store.journal.adopt_rules(live.files or {}, now=NOW, checked=checked)


async def started(made: Settings, store: Store) -> str | None:
    """What a start says of the files; None: they are live."""
    return (await reload.start(made, store, now=NOW)).error


@pytest.mark.parametrize("rules", [WRONG_TEST, WRONG_TEXT])
async def test_the_same_files_are_not_tested_again(
    tmp_path: Path, store: Store, rules: str
) -> None:
    made = settings(tmp_path, rules)
    with pytest.raises(ConfigError):
        await started(made, store)
    await adopted(made, store)
    assert await started(made, store) is None
    assert await started(made, store) is None


async def test_another_relay_tests_again(tmp_path: Path, store: Store) -> None:
    made = settings(tmp_path, WRONG_TEST)
    await adopted(made, store, "another relay")
    assert 'test "wrong" fails' in (await started(made, store) or "")


@pytest.mark.parametrize("changed", ["rules", "list", "environment"])
async def test_other_rules_lists_and_values_are_tested_again(
    tmp_path: Path, store: Store, changed: str
) -> None:
    made = settings(tmp_path, WRONG_TEST)
    await adopted(made, store)
    match changed:
        case "rules":
            (tmp_path / "rules.yaml").write_text(WRONG_TEST + "\n")
        case "list":
            (tmp_path / "vip.csv").write_text("+49 171 3920012\n")
        case _:
            made = replace(made, env={"DETAIL": "y"})
    assert 'test "wrong" fails' in (await started(made, store) or "")


async def test_another_template_is_checked_and_what_is_said_by_it_tested_again(
    tmp_path: Path, store: Store
) -> None:
    made = settings(tmp_path, WRONG_TEST)
    live = now_live(made, store)
    template = tmp_path / "message_templates" / "default.md.j2"
    template.write_text("# {{ event.title }} and more\n")
    # Where an event goes, no template decides: that test stays as it was.
    assert from_files(made, strict_env=True, now=NOW, store=store, passed=live.passed).files
    template.write_text("# {% if %}\n")
    with pytest.raises(ConfigError, match="default"):
        from_files(made, strict_env=True, now=NOW, store=store, passed=live.passed)
    made = settings(tmp_path, WRONG_TEXT)
    live = now_live(made, store)
    template.write_text("# {{ event.title }} and more\n")
    with pytest.raises(ConfigError, match='test "wrong" fails'):
        from_files(made, strict_env=True, now=NOW, store=store, passed=live.passed)


async def test_what_is_kept_of_a_check_holds_no_secret(tmp_path: Path, store: Store) -> None:
    made = settings(tmp_path, WRONG_TEST, {"DETAIL": "a-secret-word"})
    live = now_live(made, store)
    assert "a-secret-word" not in repr(live.passed)
    other = now_live(replace(made, env={"DETAIL": "another"}), store)
    assert live.passed.rules != other.passed.rules


async def test_a_version_of_another_relay_proves_nothing(tmp_path: Path, store: Store) -> None:
    made = settings(tmp_path, WRONG_TEST)
    await adopted(made, store, "another relay")
    version = await store.records.rules()
    assert version is not None
    assert passed_before(version) == Passed()
