"""`relay explain` of what is recorded: what really happened, by the rules of that day."""

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
from tests.fakes.http import DROP_AFTER
from tests.fakes.slack import error
from tests.guides import printed
from tests.world import LIVE, RULES, World, a_world


class Patient(World):
    """Probes as seldom as in life, so that what is parked stays so."""

    tempo = Tempo(watch=0.05, grace=0.5)


@pytest.fixture
async def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    (tmp_path / "message_templates").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RELAY_ALLOW_PRIVATE_DESTINATIONS", "1")
    mute = "  - {name: Silent, when: {event: channel_created}, send_to: none}\n"
    rules = RULES.replace("rules:\n", f"rules:\n{mute}") + "timezone: Asia/Kolkata\n"
    async with a_world(tmp_path, rules, Patient) as made:
        yield made


async def said(line: str) -> str:
    return await asyncio.to_thread(printed, line)


async def one(world: World, state: str, cause: str = "rule") -> dict[str, str]:
    (found,) = await world.until({state: 1}, cause)
    return found


async def test_the_answer_comes_first_in_the_zone_of_the_rules(world: World) -> None:
    await world.happen()
    owed = await one(world, "delivered")
    first, _, rest = (await said(f"relay explain {owed['event_id']}")).partition("\n")
    assert first.startswith("support was told on ")
    assert first.endswith(' by the rule "Live"')
    assert " IST by the rule" in first
    hour, utc = first.split(", ")[1][:2], owed["due_at"][11:13]
    assert (int(hour) - int(utc)) % 24 in (5, 6)
    assert "The rules of that day, version 1" in rest
    assert "what support was told" in rest


async def test_a_delivery_is_found_by_the_beginning_of_its_own_id(world: World) -> None:
    await world.happen()
    owed = await one(world, "delivered")
    assert "support was told on " in await said(f"relay explain {owed['id'][:8]}")
    assert "no event and no delivery" in await said("relay explain 00000000")


async def test_each_attempt_stands_there_with_what_was_answered(world: World) -> None:
    world.slack.behave(DROP_AFTER, key="#support")
    await world.happen()
    owed = await one(world, "delivered")
    shown = await said(f"relay explain {owed['id']}")
    assert "may be a repeat" in shown
    assert shown.index("ambiguous") < shown.index(" sent ")


async def test_what_is_parked_says_why_by_its_last_try(world: World) -> None:
    world.slack.always(error("channel_not_found"), "#support")
    await world.happen()
    owed = await one(world, "parked")
    shown = await said(f"relay explain {owed['event_id']}")
    answer = shown.partition("\n")[0]
    assert answer.startswith('support waits to be told by the rule "Live": its target is out of')
    assert "channel_not_found" in answer
    alarm = (await world.until({"delivered": 1}, "alarm"))[0]
    told = await said(f"relay explain {alarm['event_id']}")
    assert "oncall was told on" in told
    assert "by `alarms`" in told
    assert "by the default" not in told


async def test_a_muted_event_names_its_rule(world: World) -> None:
    await world.happen("channel_created")
    await world.client.until("/api/status", lambda status: status["events"]["muted"] == 1)
    (muted,) = (await world.client.api("/api/events"))[1]["events"]
    shown = await said(f"relay explain {muted['id']}")
    assert shown.startswith('nobody was told: muted by the rule "Silent"\n')


async def test_the_rules_of_that_day_hold_whatever_the_file_says_today(world: World) -> None:
    await world.happen()
    owed = await one(world, "delivered")
    rules = (world.folder / "rules.yaml").read_text()
    (world.folder / "rules.yaml").write_text(rules.replace("name: Live", "name: Later"))
    both = await said(f"relay explain {owed['event_id']} --now")
    assert 'by the rule "Live"' in both.partition("\n")[0]
    assert "Today, by rules.yaml" in both
    assert "✓  Later" in both
    (world.folder / "rules.yaml").write_text("version: [")
    assert 'by the rule "Live"' in await said(f"relay explain {owed['event_id']}")
    shown = await said(f"relay explain {owed['event_id']} --now")
    assert 'by the rule "Live"' in shown.partition("\n")[0]
    assert "rules.yaml:2:1: error" in shown.splitlines()[-1]
    shape = json.loads(
        (await said(f"relay explain {owed['event_id']} --now --json")).splitlines()[0]
    )
    assert (shape["now"], "rules.yaml:2:1" in shape["now_fault"]) == (None, True)


async def test_where_the_rules_of_that_day_cannot_be_read_times_stand_in_the_zone_of_today(
    world: World,
) -> None:
    await world.happen()
    owed = await one(world, "delivered")
    await world.stop()
    with closing(sqlite3.connect(journal_path(world.app.settings.journal))) as journal, journal:
        journal.execute("""UPDATE rules_versions SET files = '{"rules.yaml": "rules: ["}'""")
    shown = await said(f"relay explain {owed['event_id']}")
    assert " IST by the rule" in shown.partition("\n")[0]
    assert "version 1 of the rules cannot be read" in shown
    await world.start()


async def test_json_has_the_answer_the_rules_of_that_day_and_what_was_done(world: World) -> None:
    await world.happen()
    owed = await one(world, "delivered")
    shape = json.loads(await said(f"relay explain {owed['event_id']} --json --now"))
    assert shape["answer"].startswith("support was told on ")
    (event,) = shape["events"]
    assert (event["kind"], event["rules"][1]["matched"]) == (LIVE, True)
    assert [done["id"] for done in shape["recorded"]] == [owed["id"]]
    assert shape["now"] == shape["events"]
