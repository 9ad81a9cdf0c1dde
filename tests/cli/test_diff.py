"""`relay diff`: what an edit would change, by events that a real relay recorded."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.client import partner, waba
from tests.relay_process import RelayProcess, run_relay

RULES = """\
version: 1
accounts:
  slack: {token: xoxb-of-the-tests}
destinations:
  support: {slack: {channel: "#support"}}
  sales: {slack: {channel: "#sales"}}
rules:
  - {name: Live, when: {event: channel_live}, send_to: support}
  - {name: Created, when: {event: channel_created}, send_to: support}
default: {send_to: support}
"""
ALSO = RULES.replace("channel_live}, send_to: support", "channel_live}, send_to: [support, sales]")
MUTED = ALSO.replace("channel_created}, send_to: support", "channel_created}, send_to: none")
BROKEN = RULES.replace("send_to: support}\ndefault", "send_to: suport}\ndefault")
LIVE, CREATED, READY = "channel_live", "channel_created", "channel_ready"


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[RelayProcess]:
    """A relay that served and took nine events, and is gone."""
    async with RelayProcess(tmp_path / "relay", RULES, options=("--sandbox",)) as running:
        for number, kind in enumerate([LIVE] * 6 + [CREATED] * 2 + [READY]):
            status, _ = await running.post({**partner(number), "event": kind})
            assert status == 200
        await running.until(lambda found: len(found) == 9)
        await running.stop()
        yield running


async def diff(relay: RelayProcess, *words: str) -> tuple[int, str, str]:
    return await run_relay("diff", *words, env=relay.env, cwd=relay.folder)


async def shape(relay: RelayProcess, *words: str) -> tuple[int, Any]:
    code, out, err = await diff(relay, *words, "--json")
    assert err == ""
    return code, json.loads(out)


async def test_the_files_that_are_live_change_nothing(relay: RelayProcess) -> None:
    code, out, _ = await diff(relay, "--messages")
    assert (code, out.splitlines()[0]) == (0, "9 events: 9 same")


async def test_an_edit_is_told_in_counts_and_each_change_with_its_rules(
    relay: RelayProcess,
) -> None:
    relay.rules.write_text(MUTED)
    code, out, err = await diff(relay)
    assert (code, err) == (1, "")
    first, _, *rest = out.splitlines()
    assert first == "9 events: 1 same, 6 would also go to sales, 2 would reach nobody"
    kept = [line for line in rest if line.strip()]
    assert [line.partition(", such as ")[0] for line in kept] == [
        "6 × channel_live would also go to sales",
        '  before: support by the rule "Live"',
        '  after:  support by the rule "Live"; sales by the rule "Live"',
        "2 × channel_created would reach nobody",
        '  before: support by the rule "Created"',
        '  after:  nobody, muted by the rule "Created"',
    ]


async def test_a_diff_writes_nothing_and_says_the_same_twice(relay: RelayProcess) -> None:
    relay.rules.write_text(MUTED)
    before = relay.journal.read_bytes()
    assert await diff(relay, "--messages") == await diff(relay, "--messages")
    assert relay.journal.read_bytes() == before


async def test_the_shape_for_machines(relay: RelayProcess) -> None:
    (relay.folder / "new.yaml").write_text(ALSO)
    code, told = await shape(relay, "new.yaml")
    (one,) = told.pop("differences")
    assert (code, told) == (
        1,
        {
            "before": {"version": 1, "rules": None},
            "after": {"version": None, "rules": "new.yaml"},
            "since": "14d",
            "payloads": None,
            "events": 9,
            "same": 3,
            "different": 6,
            "completed_today": 0,
            "counts": [{"change": "also", "gone": [], "new": ["sales"], "events": 6}],
            "unreadable": [],
        },
    )
    assert len(one.pop("example")) == 20
    told_before = {"destination": "support", "rule": "Live", "template": "default.md.j2"}
    assert one == {
        "change": "also",
        "events": 6,
        "kind": "channel_live",
        "detail": None,
        "file": None,
        "gone": [],
        "new": ["sales"],
        "before": {"muted_by": None, "deliveries": [told_before]},
        "after": {
            "muted_by": None,
            "deliveries": [told_before, {**told_before, "destination": "sales"}],
        },
        "messages": [],
    }


async def test_another_text_differs_with_messages_alone(relay: RelayProcess) -> None:
    (relay.templates / "channel_ready.md.j2").write_text("# Ready at last\n")
    (relay.templates / "default.md.j2").write_text("# {{ event.title }}!\n")
    code, out, _ = await diff(relay)
    assert (code, out.splitlines()[0]) == (
        1,
        "9 events: 8 same, 1 would be written by another template",
    )
    code, told = await shape(relay, "--messages")
    assert (code, told["different"]) == (1, 9)
    by_kind = {one["kind"]: one for one in told["differences"]}
    assert by_kind[LIVE]["change"] == "text"
    (read,) = by_kind[LIVE]["messages"]
    assert read["destination"] == "support"
    before, after = read["before"].splitlines(), read["after"].splitlines()
    assert "Number is live!" in after[0]
    assert before[0] == after[0].removesuffix("!")
    assert before[1:] == after[1:]
    _, out, _ = await diff(relay, "--messages")
    assert "support reads before" in out
    assert "Ready at last" in out


async def test_a_way_of_a_template_that_is_not_taken_changes_no_text(relay: RelayProcess) -> None:
    (relay.templates / "default.md.j2").write_text(
        "# {{ event.title }}{% if event.detail %} ({{ event.detail }}){% endif %}\n"
    )
    assert (await shape(relay, "--messages"))[0] == 0


async def test_broken_files_are_refused_with_their_faults_and_the_live_version_named(
    relay: RelayProcess,
) -> None:
    relay.rules.write_text(BROKEN)
    code, out, err = await diff(relay)
    assert (code, out) == (2, "")
    assert f"{relay.rules} would be refused; version 1 is live" in err
    assert "suport" in err
    (relay.folder / "new.yaml").write_text(ALSO)
    assert (await shape(relay, "new.yaml"))[1]["different"] == 6


async def test_any_two_versions_are_compared(relay: RelayProcess) -> None:
    relay.rules.write_text(ALSO)
    async with RelayProcess(relay.folder, MUTED, options=("--sandbox",)) as again:
        await again.stop()
    code, out, _ = await diff(relay)
    assert (code, out.splitlines()[0]) == (0, "9 events: 9 same")
    code, out, _ = await diff(relay, "--against", "1")
    assert "7 would" not in out
    assert out.splitlines()[0].startswith("9 events: 1 same, 6 would also go to sales")
    code, out, _ = await diff(relay, "1")
    assert out.splitlines()[:2] == [
        "9 events: 1 same, 6 would no longer go to sales, 2 that reached nobody would go to "
        "support",
        "version 2 (live) compared with version 1, by what came in the last 14d",
    ]
    code, _, err = await diff(relay, "7")
    assert code == 2
    assert "there is no version 7" in err


async def test_another_token_is_no_other_place_and_another_channel_is(relay: RelayProcess) -> None:
    relay.rules.write_text(RULES.replace("xoxb-of-the-tests", "xoxb-another"))
    assert (await shape(relay))[0] == 0
    relay.rules.write_text(RULES.replace('"#support"', '"#help"'))
    _, out, _ = await diff(relay)
    assert out.splitlines()[0] == (
        "9 events: 0 same, 9 would go to support (#help) instead of support (#support)"
    )


async def test_a_rule_that_is_called_otherwise_differs_and_so_does_a_destination(
    relay: RelayProcess,
) -> None:
    relay.rules.write_text(RULES.replace("name: Created", "name: New numbers"))
    code, out, _ = await diff(relay)
    assert out.splitlines()[0] == "9 events: 7 same, 2 would be decided otherwise"
    assert '  after:  support by the rule "New numbers"' in out
    relay.rules.write_text(RULES.replace("support: {", "help: {").replace(": support}", ": help}"))
    code, out, _ = await diff(relay)
    assert code == 1
    assert out.splitlines()[0] == "9 events: 0 same, 9 would be decided otherwise"


async def test_what_came_before_is_left_out(relay: RelayProcess) -> None:
    code, out, _ = await diff(relay, "--since", "2099-01-01")
    assert (code, out.splitlines()[0]) == (0, "0 events: there is nothing to compare")
    assert (await diff(relay, "--since", "soon"))[0] == 2


async def test_a_folder_of_webhooks_needs_no_journal(tmp_path: Path) -> None:
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "new.yaml").write_text(ALSO)
    (tmp_path / "message_templates").mkdir()
    payloads = tmp_path / "payloads"
    payloads.mkdir()
    for number, kind in enumerate((LIVE, LIVE, READY)):
        (payloads / f"{number}.json").write_text(json.dumps({**partner(number), "event": kind}))
    (payloads / "odd.json").write_text("[")

    async def told(*words: str) -> tuple[int, str, str]:
        return await run_relay("diff", *words, "--payloads", "payloads", env={}, cwd=tmp_path)

    code, out, _ = await told("new.yaml", "--messages")
    assert code == 1
    lines = out.splitlines()
    assert lines[0] == "3 events: 1 same, 2 would also go to sales"
    assert lines[1] == "rules.yaml compared with new.yaml, by the webhooks in payloads"
    assert "odd.json would go to quarantine" in lines[2]
    assert "2 × channel_live would also go to sales, such as 0.json" in lines
    assert await told("new.yaml", "--messages") == (code, out, "")
    assert (await told("rules.yaml"))[0] == 0
    assert (await told())[0] == 2
    assert not (tmp_path / "relay.db").exists()


async def test_a_folder_may_hold_rules_and_templates(relay: RelayProcess) -> None:
    new = relay.folder / "new"
    (new / "message_templates").mkdir(parents=True)
    (new / "rules.yaml").write_text(RULES)
    (new / "message_templates" / "default.md.j2").write_text("# {{ event.title }}?\n")
    assert (await shape(relay, "new"))[0] == 0
    assert (await shape(relay, "new", "--messages"))[1]["different"] == 9


async def test_an_event_that_is_not_routed_yet_is_completed_by_what_is_known_today(
    relay: RelayProcess,
) -> None:
    """A relay that ended between the commit and the routing left such an event."""
    relay.env["RELAY_FAIL_AT"] = "after-commit"
    await relay.start()
    with pytest.raises(aiohttp.ClientError):
        await relay.post(
            waba(
                "phone_number_name_update",
                {"display_phone_number": "+49 171 3920011", "decision": "APPROVED"},
            )
        )
    assert relay.process
    assert await relay.process.wait() == -signal.SIGKILL
    await relay.kill()
    relay.rules.write_text(
        RULES.replace("rules:\n", "rules:\n  - {name: M, when: {client: c1CL}, send_to: sales}\n")
    )
    code, told = await shape(relay)
    assert (code, told["events"], told["completed_today"]) == (1, 10, 1)
    assert {one["kind"]: one["events"] for one in told["differences"]}[
        "phone_number_name_update"
    ] == 1
    assert "1 event not routed yet" in (await diff(relay))[1]
