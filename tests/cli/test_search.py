"""`relay events TEXT` and `relay deliveries TEXT` find what a person has in hand."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from relay.journal.doors import journal_path
from relay.pace import Tempo
from tests.client import partner
from tests.fakes.slack import error
from tests.guides import printed
from tests.world import RULES, World, a_world


class Patient(World):
    tempo = Tempo(watch=0.05, grace=0.5)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Two clients: one was told, of the other the channel is unknown."""
    (tmp_path / "message_templates").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELAY_ALLOW_PRIVATE_DESTINATIONS", "1")
    rules = RULES + "timezone: Asia/Kolkata\n"
    async with a_world(tmp_path, rules, Patient) as made:
        made.slack.always(error("channel_not_found"), "#sales")
        for number, (kind, name, phone) in enumerate(
            [
                ("channel_live", "Bäckerei Grün", "4915123456789"),
                ("channel_created", "Musterladen", "5215512345678"),
            ]
        ):
            client = {"id": f"c{number}CL", "name": name}
            body = partner(number, client=client, setup_info={"phone_number": phone})
            await made.client.post({**body, "event": kind})
        await made.until({"delivered": 1, "parked": 1})
        yield made


async def said(line: str) -> str:
    return await asyncio.to_thread(printed, f"relay {line}")


async def kinds(words: str) -> list[str]:
    lines = (await said(f"events {words} --json")).splitlines()
    return [json.loads(line)["kind"] for line in lines if "relay_alarm" not in line]


@pytest.mark.parametrize(
    "text", ["'+49 151 2345'", "0151/23456789", "3456789", "'bäckerei g'", "GRÜN", "c0CL"]
)
async def test_an_event_is_found_by_part_of_its_number_or_client(world: World, text: str) -> None:
    assert await kinds(text) == ["channel_live"]


async def test_an_event_and_its_delivery_are_found_by_the_id_of_a_footer(world: World) -> None:
    (told,) = [one for one in await world.deliveries() if one["state"] == "delivered"]
    assert await kinds(told["event_id"][:8]) == ["channel_live"]
    for text in (told["event_id"][:8], told["id"][:6], "bäcker"):
        assert told["id"][:8] in await said(f"deliveries {text}")


async def test_a_delivery_is_found_by_a_word_of_its_reason(world: World) -> None:
    shown = await said("deliveries CHANNEL_not --state parked")
    assert "1 delivery" in shown
    assert "sales" in shown
    assert "no delivery matches" in await said("deliveries channel_not --destination flow")


async def test_a_word_of_a_reason_is_found_as_it_is_written(world: World) -> None:
    (parked,) = [one for one in await world.deliveries() if one["state"] == "parked"]
    await world.stop()
    with closing(sqlite3.connect(journal_path(world.app.settings.journal))) as journal, journal:
        journal.execute("UPDATE deliveries SET reason = 'Überlauf'")
    assert parked["id"][:8] in await said("deliveries Überlauf")
    assert "no delivery matches" in await said("deliveries Unterlauf")
    await world.start()


async def test_what_is_older_than_what_is_read_is_found_by_id_number_client_and_reason(
    world: World,
) -> None:
    """The newest row has a place so far ahead that none of the others is among the newest."""
    owed = [one for one in await world.deliveries() if one["state"] == "parked"]
    await world.client.until("/api/deliveries", lambda told: "alarm" in str(told))
    await world.stop()
    with closing(sqlite3.connect(journal_path(world.app.settings.journal))) as journal, journal:
        journal.execute("UPDATE events SET seq = seq + 1000000 WHERE source = 'relay'")
        journal.execute("UPDATE deliveries SET seq = seq + 1000000 WHERE cause = 'alarm'")
    (one,) = owed
    for text in (one["event_id"][:8], "5512345", "musterl", "channel_not"):
        assert one["id"][:8] in await said(f"deliveries {text}")
    for text in (one["event_id"][:8], "5512345", "musterl"):
        assert await kinds(text) == ["channel_created"]
    assert await kinds("c1CH") == []
    await world.start()


async def test_what_is_not_there_is_not_found_and_the_search_says_how_far_it_went(
    world: World,
) -> None:
    shown = await said("events nowhere")
    assert "no event matches" in shown
    assert "the newest 100,000" in shown
    assert "100,000" not in await said("events nowhere --since 1d")


async def test_wildcards_are_those_of_rules(world: World) -> None:
    assert await kinds("--kind 'channel_*'") == ["channel_live", "channel_created"]
    assert await kinds("--phone '+49*'") == ["channel_live"]
    assert await kinds("--phone '0052*'") == ["channel_created"]
    assert await kinds("--client 'bäck*'") == ["channel_live"]
    assert await kinds("--kind '[c]hannel_*'") == []
    assert "--phone" in await said("events --phone '*7'")


async def test_times_stand_in_the_zone_of_the_rules_even_of_a_broken_file(world: World) -> None:
    await world.client.post(b"{")
    assert "received (Asia/Kolkata)" in await said("events")
    assert "live since (Asia/Kolkata)" in await said("rules log")
    assert "came (Asia/Kolkata)" in await said("quarantine")
    assert "(Asia/Kolkata)" in await said("quarantine 1")
    assert "last word (Asia/Kolkata)" in await said("directory")
    (world.folder / "rules.yaml").write_text("rules: [\n")
    assert "due (Asia/Kolkata)" in await said("deliveries")


@pytest.mark.parametrize("command", ["events", "deliveries", "retry", "discard", "replay"])
async def test_a_kind_or_destination_that_nobody_knows_is_refused_with_the_nearest(
    world: World, command: str
) -> None:
    assert 'did you mean "channel_live"?' in await said(f"{command} --kind chanel_live")
    shown = await said(f"{command} --destination suport")
    assert 'relay: --destination: unknown destination "suport": did you mean "support"?' in shown
    assert len(await world.deliveries(None)) == 4


async def test_what_only_the_journal_knows_of_is_no_unknown_word(world: World) -> None:
    few = (
        RULES[: RULES.index("  sales:")]
        + 'rules: [{name: All, when: {event: "*"}, send_to: support}]\n'
    )
    world.rules = few
    world.write_rules()
    for command in ("events", "deliveries"):
        assert "1 " in await said(f"{command} --destination sales")
        assert "unknown" in await said(f"{command} --destination three")
    (world.folder / "rules.yaml").write_text("rules: [\n")
    assert "no delivery matches" in await said("deliveries --destination three")
    assert "no event matches" in await said("events --kind 'nothing*'")
    assert "no event matches" in await said("events --kind flows")


async def test_many_are_grouped_by_reason(world: World) -> None:
    shown = await said("deliveries --by reason")
    assert "1 " in shown
    assert "channel_not_found" in shown
    lines = (await said("deliveries --by reason --json")).splitlines()
    parked = [one for one in map(json.loads, lines) if one["state"] == "parked"]
    assert [one["count"] for one in parked] == [1]


async def test_a_state_that_cannot_be_is_refused_with_those_that_can(world: World) -> None:
    assert "'parked'" in await said("deliveries --state waiting")
    assert "'muted'" in await said("events --state parked")
