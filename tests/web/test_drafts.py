"""What is written by page or API is tried where it can learn nothing and take nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from relay.errors import UsageError
from relay.settings import Settings
from relay.web import drafts
from relay.web.drafts import Draft, Tries
from tests.client import partner
from tests.conftest import RULES, Start

HIDDEN = "what-only-the-environment-knows"


@pytest.fixture
def settings(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("ANY_TOKEN", HIDDEN)
    return Settings(
        rules=folder / "rules.yaml",
        templates=folder / "message_templates",
        journal=f"sqlite:///{folder / 'relay.db'}",
    )


async def test_a_check_names_faults_at_their_lines_and_no_variable(settings: Settings) -> None:
    found = await Tries(settings).check(Draft(RULES.replace('event: "*"', "evnt: x")))
    errors = [(one["line"], one["level"]) for one in found if one["level"] == "error"]
    assert errors == [(RULES[: RULES.index('"*"')].count("\n") + 1, "error")]
    found = await Tries(settings).check(Draft(RULES.replace("xoxb-of-the-tests", '"${ANY_TOKEN}"')))
    assert not [one for one in found if "stand-in" in one["message"]]


async def test_a_draft_learns_no_variable(start: Start, settings: Settings) -> None:
    """Of the relay's own, one may hold the password of its database."""
    client = await start(insecure=True)
    assert (await client.post(partner()))[0] == 200
    await client.settled()
    for name in ("ANY_TOKEN", "RELAY_JOURNAL", "PYTHONPATH", "PATH"):
        rules = RULES.replace("name: Everything", f'name: "it is ${{{name}}}"')
        status, said = await client.api("/api/diff", "POST", {"rules": rules})
        assert status == 200, said
        (changed,) = said["differences"]
        assert HIDDEN not in str(changed)
        stand_in = name.lower().replace("_", "-")
        assert f"it is missing-{stand_in}" in str(changed)


async def test_a_draft_reads_no_file_beyond_the_rules_folder(
    settings: Settings, folder: Path
) -> None:
    outside = folder.parent / "outside.csv"
    outside.write_text("phone\n+49 171 3920011\n")
    (folder / "inside.csv").write_text("phone\n+49 171 3920011\n")
    (folder / "link.csv").symlink_to(outside)
    listed = 'version: 1\nphones: {vip: {file: "%s"}}\n' + RULES.removeprefix("version: 1\n")
    rules = listed.replace('event: "*"', "phone: vip")

    async def faults(name: str) -> list[Any]:
        found = await Tries(settings).check(Draft(rules % name))
        return [one["message"] for one in found if one["level"] == "error"]

    assert await faults("inside.csv") == []
    for name in ("../outside.csv", str(outside), "link.csv"):
        assert await faults(name), name


async def test_a_name_that_no_folder_takes_is_said_so(start: Start, settings: Settings) -> None:
    client = await start()
    for length in (201, 300):
        body = {"templates": {"x" * length + ".md.j2": "# x\n"}}
        assert (await client.api("/api/diff", "POST", body))[0] == 400
    with pytest.raises(UsageError, match="name too long"):
        await Tries(settings).check(Draft(RULES, {"x" * 300 + ".md.j2": "# x\n"}))


@pytest.mark.parametrize("since", ["\0", "soon", "9999999999d", "--help", ""])
async def test_a_span_that_is_none_starts_no_child(since: str, start: Start) -> None:
    client = await start()
    status, said = await client.api("/api/diff", "POST", {"since": since})
    assert (status, said["error"][:6]) == (400, "since:")


async def test_a_template_is_no_path(settings: Settings) -> None:
    with pytest.raises(UsageError, match="no path"):
        await Tries(settings).check(Draft(RULES, {"../../x.md.j2": "# x\n"}))


async def test_what_takes_too_long_is_ended(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drafts, "PATIENCE", 0.0)
    with pytest.raises(UsageError, match="not done within"):
        await Tries(settings).check(Draft(RULES))


async def test_what_is_no_text_of_a_file_is_refused_with_words(start: Start) -> None:
    client = await start()
    for body in ({"rules": "\ud800"}, {"rules": "a: \0"}, {"since": "\0"}, {"since": "soon"}):
        status, said = await client.api("/api/diff", "POST", body)
        assert status in (400, 422), body
        assert said["error"]


async def test_of_two_tries_of_one_person_the_newer_alone_is_done(settings: Settings) -> None:
    tries = Tries(settings)
    begun = asyncio.Event()

    async def slow() -> str:
        begun.set()
        await asyncio.Event().wait()
        return "never"

    async def quick() -> str:
        return "done"

    first = asyncio.create_task(tries.newest("anna", slow()))
    await begun.wait()
    assert await tries.newest("ben", quick()) == "done"
    assert await tries.newest("anna", quick()) == "done"
    assert await first is None
