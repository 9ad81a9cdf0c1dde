"""`relay status`: is anything wrong, on one screen."""

from __future__ import annotations

import json
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from relay.cli import status
from relay.outcomes import FAULTS
from relay.pace import Tempo, is_failing
from tests.fakes.http import Reply
from tests.fakes.slack import error
from tests.world import RULES, World, a_world


async def shown(
    world: World, capsys: pytest.CaptureFixture[str], **options: Any
) -> tuple[int, str]:
    capsys.readouterr()
    code = await status.run(Namespace(**{"json": False, **options}), world.settings())
    return code, capsys.readouterr().out


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "message_templates").mkdir()
    return tmp_path


async def test_when_nothing_is_wrong_it_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_world(folder, RULES + "timezone: Europe/Berlin\n") as world:
        await world.happen()
        await world.until({"delivered": 1})
        code, said = await shown(world, capsys)
        assert code == 0
        assert "nothing is wrong" in said
        assert "version 1" in said
        assert "360dialog " in said
        code, said = await shown(world, capsys, json=True)
        shape = json.loads(said)
        assert (code, shape["serves"], shape["rules"]["ok"]) == (0, True, True)
        support = next(one for one in shape["destinations"] if one["name"] == "support")
        assert support["state"] == "ok"
        assert support["last_answer"]["outcome"] == "sent"


class Patient(World):
    """Probes as seldom as in life, so that what is parked stays so."""

    tempo = Tempo(watch=0.05, grace=0.5)


async def test_a_target_out_of_order_is_named_with_what_waits_and_why(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_world(folder, RULES, Patient) as world:
        world.slack.always(error("channel_not_found"))
        await world.happen()
        await world.until({"parked": 1})
        await world.subjects(1)
        code, said = await shown(world, capsys)
        assert code == 1
        assert "alarm since" in said
        line = next(line for line in said.splitlines() if line.startswith("support"))
        assert "parked" in line
        assert "channel_not_found" in said
        (told,) = [
            one
            for one in json.loads((await shown(world, capsys, json=True))[1])["destinations"]
            if one["name"] == "support"
        ]
        assert (told["parked"], told["next_try_at"] is not None) == (1, True)


async def test_without_a_relay_the_journal_is_read_and_that_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with a_world(folder) as world:
        await world.happen()
        await world.until({"delivered": 1})
        await world.stop()
        code, said = await shown(world, capsys)
        assert code == 1
        assert "no relay serves" in said
        assert "support" in said
        await world.start()


async def test_readyz_and_a_gauge_name_a_destination_that_fails_until_it_works(
    folder: Path,
) -> None:
    async with a_world(folder) as world:
        world.slack.always(Reply(503), "#support")
        for _ in range(3):
            await world.happen()
        await world.become(lambda: len(world.slack.posts) >= 3)
        await world.until({"pending": 3})
        (failing,) = (await world.client.get("/readyz"))[1]["failing"]
        assert failing["destination"] == "support"
        assert "503" in failing["reason"]
        assert "relay_destinations_failing 1.0" in (await world.client.get("/metrics"))[1]
        world.slack.always(None, "#support")
        world.app.worker.hurry()
        await world.until({"delivered": 3})
        assert (await world.client.get("/readyz"))[1]["failing"] == []


def test_three_passing_faults_in_a_row_are_failing() -> None:
    transient, ambiguous = sorted(FAULTS, reverse=True)
    assert is_failing([transient, ambiguous, transient, "sent"])
    assert not is_failing([transient, transient])
    assert not is_failing(["sent", transient, transient, transient])
    assert not is_failing([transient, "sent", transient, transient])
    assert not is_failing([None, transient, transient])
