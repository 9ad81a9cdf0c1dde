"""`relay rules revert N`: back to a version that was live, in the journal and in the files."""

from __future__ import annotations

import json
from argparse import Namespace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest

from relay.cli import rules
from relay.control import user
from relay.errors import ConfigError, RelayError, UsageError
from relay.settings import Settings
from tests.client import Client
from tests.config.test_reload import OTHER, destination_of, live, write
from tests.conftest import RULES, Start

NEW = "# New {{ event.title }}\n"
PLAIN = RULES.replace("xoxb-of-the-tests", '"${TOKEN}"')


def settings(folder: Path) -> Settings:
    return Settings(
        rules=folder / "rules.yaml",
        templates=folder / "message_templates",
        journal=f"sqlite:///{folder / 'relay.db'}",
        env={"TOKEN": "xoxb-from-outside"},
    )


async def asked(folder: Path, action: str, version: int | None = None, **options: Any) -> int:
    given = {"json": False, "limit": None, "yes": True, **options}
    return await rules.run(Namespace(action=action, version=version, **given), settings(folder))


@pytest.fixture
async def twice(start: Start, folder: Path) -> Client:
    """A relay whose second version has other rules and one template more."""
    write(folder, PLAIN)
    client = await start(env={"TOKEN": "xoxb-from-outside"})
    (folder / "message_templates" / "welcome.md.j2").write_text(NEW)
    write(folder, PLAIN.replace("#support", "#other"))
    await live(client, 2)
    return client


async def test_going_back_shows_what_changes_and_writes_the_files(
    twice: Client, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked(folder, "revert", 1) == 0
    said = capsys.readouterr().out
    assert '-  support: {slack: {channel: "#other"}}' in said
    assert '+  support: {slack: {channel: "#support"}}' in said
    assert f"-{NEW}" in said
    assert "version 3 is live, as version 1 was; written: welcome.md.j2, rules.yaml\n" in said
    assert (folder / "rules.yaml").read_text() == PLAIN
    assert not (folder / "message_templates" / "welcome.md.j2").exists()
    assert (await twice.api("/api/reload", "POST"))[1]["version"] == 3
    await asked(folder, "log", json=True)
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(one["version"], one["who"]) for one in told] == [(3, user()), (2, None), (1, None)]
    assert told[0]["changed"] == ["rules.yaml", "-welcome.md.j2"]


async def test_who_says_no_changes_nothing(
    twice: Client, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    assert await asked(folder, "revert", 1, yes=False) == 1
    assert (await twice.api("/api/status"))[1]["rules"]["version"] == 2
    assert "#other" in (folder / "rules.yaml").read_text()


async def test_a_version_that_is_live_is_said_to_be(
    twice: Client, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await asked(folder, "revert", 2, yes=False) == 0
    assert "and it is live" in capsys.readouterr().out
    assert (await twice.api("/api/status"))[1]["rules"]["version"] == 2


@pytest.mark.parametrize("version", [None, 7])
async def test_a_version_that_there_is_not_is_wrong_use(
    twice: Client, folder: Path, version: int | None
) -> None:
    with pytest.raises(UsageError, match="`relay rules log` lists them"):
        await asked(folder, "revert", version)
    assert (await twice.api("/api/rules/7/revert", "POST"))[0] == 404
    assert (await twice.api("/api/status"))[1]["rules"]["version"] == 2


async def test_a_refused_edit_is_replaced_too(
    twice: Client, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, PLAIN + "nonsense: 1\n")
    await live(twice, 2, ok=False)
    assert await asked(folder, "revert", 1) == 0
    assert "the files are refused today" in capsys.readouterr().err
    status = (await twice.api("/api/status"))[1]["rules"]
    assert (status["version"], status["ok"]) == (3, True)


async def test_without_a_relay_it_is_done_under_the_lock(twice: Client, folder: Path) -> None:
    await twice.app.stop(grace=0)
    assert await asked(folder, "revert", 1) == 0
    assert (folder / "rules.yaml").read_text() == PLAIN


async def test_a_file_that_cannot_be_written_is_said_and_the_version_is_live(
    twice: Client, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / ".rules.yaml.part").mkdir()
    assert await asked(folder, "revert", 1) == 1
    assert f"{folder / 'rules.yaml'}: Is a directory" in capsys.readouterr().err
    assert "#other" in (folder / "rules.yaml").read_text()
    assert (await twice.api("/api/status"))[1]["rules"]["version"] == 3
    for _ in range(3):
        await twice.app._live.result().reloader.look()
    assert (await twice.api("/api/status"))[1]["rules"]["version"] == 3


async def test_secrets_that_no_version_keeps_are_asked_for(
    start: Start, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await start(sandbox=False, insecure=True)
    write(folder, OTHER)
    await live(client, 2)
    with pytest.raises(RelayError, match="SECRET_NOT_KEPT_1 is not set"):
        await asked(folder, "revert", 1)
    assert "xoxb" not in capsys.readouterr().out
    assert (folder / "rules.yaml").read_text() == OTHER
    await client.app.stop(grace=0)
    with pytest.raises(ConfigError, match="SECRET_NOT_KEPT_1 is not set"):
        await asked(folder, "revert", 1)


async def test_a_secret_in_rules_that_stay_the_same_stays_in_the_file(
    start: Start, folder: Path
) -> None:
    client = await start(sandbox=False, insecure=True)
    (folder / "message_templates" / "welcome.md.j2").write_text(NEW)
    await live(client, 2)
    assert await asked(folder, "revert", 1) == 0
    assert (folder / "rules.yaml").read_text() == RULES
    assert (await client.api("/api/reload", "POST"))[1]["version"] == 3
    await client.app.stop(grace=0)
    again = await start(sandbox=False, insecure=True)
    assert (await again.api("/api/status"))[1]["rules"]["version"] == 3


async def test_mode_and_link_of_a_file_stay(twice: Client, folder: Path) -> None:
    (folder / "real.yaml").write_text((folder / "rules.yaml").read_text())
    (folder / "real.yaml").chmod(0o640)
    (folder / "rules.yaml").unlink()
    (folder / "rules.yaml").symlink_to("real.yaml")
    assert await asked(folder, "revert", 1) == 0
    assert (folder / "rules.yaml").is_symlink()
    assert (folder / "real.yaml").read_text() == PLAIN
    assert (folder / "real.yaml").stat().st_mode & 0o777 == 0o640
    assert await destination_of(twice, 1) == "support"
