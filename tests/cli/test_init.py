"""`relay init`: a folder to begin with, and nothing of anybody's overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay import cli, starter
from relay.cli.init import SCHEMA, contents
from relay.cli.schema import schema_text
from tests.each import each
from tests.needs import ROOT
from tests.relay_process import run_relay


def files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_starter_is_the_rules_and_templates_of_the_product() -> None:
    folder = ROOT / "message_templates"
    templates = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for path in folder.rglob("*.j2")
    }
    rules = (ROOT / "rules.yaml").read_text(encoding="utf-8")
    assert dict(starter.contents()) == {"rules.yaml": rules, **templates}


def test_an_empty_folder_gets_everything(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["init", str(tmp_path / "new" / "folder")]) == 0
    found = files(tmp_path / "new" / "folder")
    assert found == dict(contents())
    assert set(found) == {"rules.yaml", SCHEMA, "message_templates/README.md"}
    assert capsys.readouterr().out.count("wrote ") == 3


def test_the_schema_stands_beside_the_rules_that_point_at_it(tmp_path: Path) -> None:
    assert cli.run(["init", str(tmp_path)]) == 0
    text = (tmp_path / "rules.yaml").read_text("utf-8")
    assert text.startswith("# yaml-language-server: $schema=rules.schema.json\n")
    assert text.count("$schema=") == 1
    assert (tmp_path / "rules.schema.json").read_text("utf-8") == schema_text()


def test_the_rules_of_the_product_point_at_the_schema_in_its_documentation() -> None:
    first = (ROOT / "rules.yaml").read_text("utf-8").partition("\n")[0]
    assert first == "# yaml-language-server: $schema=docs/rules.schema.json"
    assert (ROOT / "docs" / "rules.schema.json").exists()


def test_nothing_is_overwritten_and_what_was_left_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "message_templates" / "README.md"
    own.parent.mkdir()
    own.write_text("# mine\n")
    link = tmp_path / "rules.yaml"
    link.symlink_to(tmp_path / "elsewhere.yaml")
    assert cli.run(["init", str(tmp_path)]) == 0
    assert own.read_text() == "# mine\n"
    assert not (tmp_path / "elsewhere.yaml").exists()
    out = capsys.readouterr().out
    assert f"left alone, as it is there already: {own}\n" in out
    assert f"left alone, as it is there already: {link}\n" in out
    assert (tmp_path / SCHEMA).exists()


def test_the_second_time_nothing_changes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["init", str(tmp_path)]) == 0
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    capsys.readouterr()
    assert cli.run(["init", str(tmp_path)]) == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert "wrote" not in capsys.readouterr().out


def test_a_place_that_is_no_folder_is_one_clear_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    assert cli.run(["init", str(tmp_path / "file")]) == 2
    err = capsys.readouterr().err
    assert err.startswith(f"relay: cannot write {tmp_path / 'file'}")
    assert err.count("\n") == 1
    assert (tmp_path / "file").read_text() == "mine"


async def test_the_result_passes_check_without_any_environment(tmp_path: Path) -> None:
    code, out, _ = await run_relay("init", env={}, cwd=tmp_path)
    assert code == 0
    assert "relay demo --once" in out
    code, out, err = await run_relay("check", env={}, cwd=tmp_path)
    assert (code, err) == (0, "")
    assert "0 errors" in out


@each(
    ("name", "file"),
    [
        ("channel_live", "channel_live.md.j2"),
        ("Channel_Live.md.j2", "channel_live.md.j2"),
        ("de/channel_live", "de/channel_live.md.j2"),
        ("account_update/ACCOUNT_VIOLATION", "account_update.ACCOUNT_VIOLATION.md.j2"),
        ("default", "default.md.j2"),
    ],
)
def test_a_shipped_template_is_fetched_to_edit_it(name: str, file: str, tmp_path: Path) -> None:
    folder = tmp_path / "own"
    assert cli.run(["template", "copy", name, "--templates", str(folder)]) == 0
    assert files(folder) == {file: starter.templates()[file]}
    (folder / file).write_text("# mine\n")
    assert cli.run(["template", "copy", name, "--templates", str(folder)]) == 1
    assert files(folder) == {file: "# mine\n"}
    (folder / file).unlink()


def test_an_unknown_template_is_answered_with_the_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["template", "copy", "chanel_live", "--templates", str(tmp_path)]) == 2
    assert 'did you mean "channel_live"?' in capsys.readouterr().err
