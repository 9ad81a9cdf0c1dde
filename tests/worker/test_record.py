"""RELAY_RECORD: a line of JSON for every outcome, which holds up nobody and tells no secret."""

from __future__ import annotations

import asyncio
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any

from relay import samples
from tests.conftest import RULES
from tests.directory_cases import PHONE, channel_data, partner_body, waba_body
from tests.fakes.slack import FakeSlack, error
from tests.needs import PATIENCE
from tests.relay_process import ADMIN, TOKEN, RelayProcess, run_relay


def lines(path: Path) -> list[dict[str, Any]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


async def written(path: Path, count: int) -> list[dict[str, Any]]:
    """The lines, once there are so many."""
    async with asyncio.timeout(PATIENCE):
        while len(lines(path)) < count:
            await asyncio.sleep(0.02)
    return lines(path)


def recording(folder: Path, place: str, rules: str = RULES, **more: Any) -> RelayProcess:
    return RelayProcess(folder, rules, env={"RELAY_RECORD": place}, **more)


async def test_every_event_and_every_attempt_has_a_line(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    async with FakeSlack() as slack:
        rules = RULES.replace("{token:", f'{{api_url: "{slack.api_url}", token:')
        slack.behave(error("ratelimited", 429, **{"Retry-After": "1"}))
        async with recording(tmp_path / "relay", str(path), rules) as relay:
            await relay.post(samples.find("channel_live"))
            await relay.post(samples.find("message_template_status_update/APPROVED"))
            await relay.until(lambda found: any(one["state"] == "delivered" for one in found))
            await written(path, 4)
            assert await relay.stop() == 0
    events = [line for line in lines(path) if line["record"] == "event"]
    attempts = [line for line in lines(path) if line["record"] == "delivery"]
    assert [(one["kind"], one["state"], one["muted_by"]) for one in events] == [
        ("channel_live", "routed", None),
        ("message_template_status_update", "muted", "Approved templates are no news"),
    ]
    assert events[0]["deliveries"] == [attempts[0]["delivery_id"]]
    assert [(one["outcome"], one["state"], one["proof"]) for one in attempts] == [
        ("rate_limited", "pending", None),
        ("sent", "delivered", "posted"),
    ]
    assert {one["event_id"] for one in attempts} == {events[0]["event_id"]}


async def test_what_a_twin_told_already_has_a_line_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    async with recording(tmp_path / "relay", str(path), options=["--sandbox"]) as relay:
        data = {**channel_data(), "current_quality_update_event": "flagged"}
        await relay.post(partner_body("phone_number_quality_changed", data))
        value = {"display_phone_number": PHONE, "event": "FLAGGED", "current_limit": "TIER_1K"}
        await relay.post(waba_body("phone_number_quality_update", value))
        found = await written(path, 4)
    states = Counter(one["state"] for one in found if one["record"] == "delivery")
    assert states == {"delivered": 1, "suppressed": 1}
    (told,) = (one for one in found if one["state"] == "suppressed")
    assert told["outcome"] is None
    assert told["reason"].startswith("twin")


async def test_no_line_holds_a_number_a_name_or_a_secret(tmp_path: Path) -> None:
    path = tmp_path / "record.jsonl"
    async with recording(tmp_path / "relay", str(path), options=["--sandbox"]) as relay:
        events = [name for name in samples.names() if samples.looks_in(samples.find(name)) is None]
        for name in events:
            await relay.post(samples.find(name))
        await written(path, len(events))
        known = await relay.api("/api/events?limit=1000")
    said = path.read_text(encoding="utf-8")
    private = [
        text
        for event in known["events"]
        for text in (*event["phones"], event["phone_name"], event["client"]["name"])
        if text
    ]
    assert len(private) > 20
    assert [text for text in (*private, TOKEN, ADMIN, "xoxb-of-the-tests") if text in said] == []


async def test_a_file_that_is_moved_away_is_begun_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "record.jsonl", tmp_path / "record.1"
    async with recording(tmp_path / "relay", str(path), options=["--sandbox"]) as relay:
        await relay.post(samples.find("channel_live"))
        await written(path, 2)
        path.rename(old)
        await relay.post(samples.find("channel_created"))
        await written(path, 2)
    assert [line["kind"] for line in lines(old) if line["record"] == "event"] == ["channel_live"]
    assert [line["kind"] for line in lines(path) if line["record"] == "event"] == [
        "channel_created"
    ]


async def test_a_full_disk_stops_no_delivery_and_is_said(tmp_path: Path) -> None:
    async with recording(tmp_path / "relay", "/dev/full", options=["--sandbox"]) as relay:
        await relay.post(samples.find("channel_live"))
        await relay.until(lambda found: any(one["state"] == "delivered" for one in found))
        said = await relay.said("the record cannot be written")
        assert await relay.stop() == 0
    assert said["error"] == "No space left on device"


async def test_what_could_not_be_written_is_counted_once_it_can(tmp_path: Path) -> None:
    path = tmp_path / "gone" / "record.jsonl"
    path.parent.mkdir()
    async with recording(tmp_path / "relay", str(path), options=["--sandbox"]) as relay:
        path.rename(tmp_path / "old")
        path.parent.rmdir()
        await relay.post(samples.find("channel_live"))
        await relay.said("the record cannot be written")
        await relay.until(lambda found: any(one["state"] == "delivered" for one in found))
        path.parent.mkdir()
        await relay.post(samples.find("channel_created"))
        found = await written(path, 3)
    assert (
        sum(line.get("lost", 0) for line in found)
        + len(found)
        - len([line for line in found if line["record"] == "gap"])
        == 4
    )


async def test_a_pipe_holds_up_nobody_and_is_written_once_somebody_reads_it(
    tmp_path: Path,
) -> None:
    pipe = tmp_path / "record"
    os.mkfifo(pipe)
    async with recording(tmp_path / "relay", str(pipe), options=["--sandbox"]) as relay:
        await relay.post(samples.find("channel_live"))
        await relay.until(lambda found: any(one["state"] == "delivered" for one in found))
        await relay.said("the record cannot be written")
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        with open(reader) as read:  # noqa: ASYNC230, PTH123
            await relay.post(samples.find("channel_created"))
            found: list[str] = []
            async with asyncio.timeout(PATIENCE):
                while not any('"channel_created"' in line for line in found):
                    found += read.readlines()
                    await asyncio.sleep(0.02)
    assert json.loads(found[0])["record"] == "gap"


async def test_a_place_that_cannot_be_written_stops_the_start(tmp_path: Path) -> None:
    relay = recording(tmp_path / "relay", str(tmp_path / "no" / "record.jsonl"))
    code, _, err = await run_relay("serve", "--sandbox", env=relay.env, cwd=tmp_path)
    assert code == 2
    assert err.endswith("record.jsonl: No such file or directory\n")
    assert "relay: RELAY_RECORD: cannot write" in err
