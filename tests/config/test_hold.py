"""`serve --hold-edits`: a saved edit waits until somebody publishes it."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path

import pytest

from relay import reload
from relay.cli import publish, status
from relay.control import user
from relay.errors import ConfigError
from relay.journal.doors import open_journal, open_records
from relay.settings import Settings
from tests.client import Client
from tests.config.test_reload import OTHER, destination_of, live, write
from tests.conftest import RULES, Start
from tests.journal_suite import NOW

SECRET = RULES.replace("xoxb-of-the-tests", "xoxb-another")


def settings(folder: Path) -> Settings:
    return Settings(
        rules=folder / "rules.yaml",
        templates=folder / "message_templates",
        journal=f"sqlite:///{folder / 'relay.db'}",
        hold_edits=True,
    )


async def waits(client: Client, *files: str) -> None:
    await client.until("/api/status", lambda status: status["rules"]["waits"] == list(files))


async def test_a_saved_edit_waits_and_publish_makes_it_live(
    start: Start, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await start(hold_edits=True)
    write(folder, OTHER)
    await waits(client, "rules.yaml")
    assert await destination_of(client, 1) == "support"
    ready = (await client.get("/readyz"))[1]["rules"]
    assert (ready["version"], ready["waits"]) == (1, ["rules.yaml"])
    await status.run(Namespace(json=False), settings(folder))
    assert "an edit waits (rules.yaml): `relay publish`" in capsys.readouterr().out
    assert await publish.run(Namespace(), settings(folder)) == 0
    assert "version 2 is live: rules.yaml" in capsys.readouterr().out
    assert await destination_of(client, 2) == "other"
    await waits(client)
    version = await client.app.store.records.rules(2)
    assert version is not None
    assert version.who == user()


async def test_an_edit_that_is_taken_back_waits_no_more(start: Start, folder: Path) -> None:
    client = await start(hold_edits=True)
    (folder / "message_templates" / "welcome.md.j2").write_text("# Welcome\n")
    await waits(client, "+welcome.md.j2")
    (folder / "message_templates" / "welcome.md.j2").unlink()
    await waits(client)


async def test_a_secret_that_is_edited_waits_too(start: Start, folder: Path) -> None:
    client = await start(hold_edits=True)
    write(folder, SECRET)
    await waits(client, "rules.yaml")


async def test_a_held_edit_is_checked_and_a_bad_one_is_not_published(
    start: Start, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await start(hold_edits=True)
    write(folder, OTHER.replace("send_to: other", "send_to: nobody-knows") + "nonsense: 1\n")
    await live(client, 1, ok=False)
    answer = (await client.api("/api/status"))[1]["rules"]
    assert (answer["waits"], "nobody-knows" in answer["error"]) == ([], True)
    assert (await client.api("/api/publish", "POST"))[0] == 422
    assert await publish.run(Namespace(), settings(folder)) == 1
    told = capsys.readouterr().err
    assert "nobody-knows" in told
    assert 'unknown key "nonsense"' in told
    assert await destination_of(client, 1) == "support"


async def test_asking_for_a_reload_publishes_nothing(start: Start, folder: Path) -> None:
    client = await start(hold_edits=True)
    write(folder, OTHER)
    code, answer = await client.api("/api/reload", "POST")
    assert (code, answer["version"], answer["waits"]) == (200, 1, ["rules.yaml"])


async def test_what_a_held_edit_names_is_looked_at_too(start: Start, folder: Path) -> None:
    client = await start(hold_edits=True)
    (folder / "vip.csv").write_text("+491713920011\n")
    write(folder, RULES.replace("rules:\n", "phones: {vip: {file: vip.csv}}\nrules:\n", 1))
    await waits(client, "rules.yaml", "+vip.csv")
    (folder / "vip.csv").write_text("no number\n")
    await live(client, 1, ok=False)


async def test_a_restart_publishes_nothing(start: Start, folder: Path) -> None:
    first = await start(hold_edits=True)
    await first.app.stop(grace=0)
    (folder / "message_templates" / "welcome.md.j2").write_text("# Welcome\n")
    client = await start(hold_edits=True)
    await waits(client, "+welcome.md.j2")
    write(folder, OTHER)
    await waits(client, "rules.yaml", "+welcome.md.j2")
    assert await destination_of(client, 1) == "support"


async def test_where_no_relay_serves_publish_takes_the_lock(
    start: Start, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    client = await start(hold_edits=True)
    await client.app.stop(grace=0)
    write(folder, OTHER)
    await status.run(Namespace(json=True), settings(folder))
    assert json.loads(capsys.readouterr().out)["rules"]["waits"] == ["rules.yaml"]
    assert await publish.run(Namespace(), settings(folder)) == 0
    write(folder, OTHER + "nonsense: 1\n")
    assert await publish.run(Namespace(), settings(folder)) == 1
    assert 'unknown key "nonsense"' in capsys.readouterr().err
    records = open_records(settings(folder).journal)
    newest = await records.rules()
    await records.close()
    assert newest is not None
    assert (newest.version, newest.who) == (2, user())


@pytest.mark.parametrize("edited", [False, True])
async def test_a_secret_that_was_lost_is_taken_from_a_file_that_says_the_same(
    folder: Path, edited: bool
) -> None:
    store = await open_journal(settings(folder).journal, now=NOW)
    try:
        await reload.start(settings(folder), store, now=NOW)
        (folder / "relay-live-rules.secrets").unlink()
        if edited:
            write(folder, OTHER)
            with pytest.raises(ConfigError, match="`relay publish` makes the files live"):
                await reload.start(settings(folder), store, now=NOW)
        else:
            assert (await reload.start(settings(folder), store, now=NOW)).plan.version == 1
    finally:
        await store.journal.close()
