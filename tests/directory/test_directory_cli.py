"""Who is who, from outside: webhooks that rules by number reach, and the commands."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from relay.cli import arguments, module_of
from relay.errors import RelayError, UsageError
from relay.journal.sqlite.engine import open_journal
from relay.settings import Settings
from tests.client import Client
from tests.conftest import Start
from tests.directory_cases import (
    CLIENT,
    PHONE,
    WABA,
    channel_data,
    partner_body,
    template_value,
    waba_body,
)
from tests.fakes.partner_api import KEY, FakePartnerApi

RULES = """\
version: 1
accounts:
  slack: {token: xoxb-of-the-tests}
destinations:
  support: {slack: {channel: "#support"}}
  musterladen: {slack: {channel: "#musterladen"}}
rules:
  - name: The client's channel
    when: {client: dev001CL, topic: template}
    send_to: musterladen
  - name: German numbers
    when: {phone: "+49*"}
    send_to: support
default: {send_to: support}
alarms: {send_to: support}
"""
LIST = f"""phone,name,waba,client_id,client_name,channel_id
+49 171 3920011,Musterladen Support,{WABA},{CLIENT},Musterladen GmbH,dev001CH
+44 7700 900123,Harbour,100000000000202,dev002CL,Harbour & Finch,
"""

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def folder(folder: Path) -> Path:
    (folder / "rules.yaml").write_text(RULES, encoding="utf-8")
    return folder


@pytest.fixture
def settings(folder: Path) -> Settings:
    return Settings(
        rules=folder / "rules.yaml",
        templates=folder / "message_templates",
        journal=f"sqlite:///{folder / 'relay.db'}",
    )


@pytest.fixture
def run(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command in this process: exit code, output, errors."""

    async def go(*words: str, **env: str) -> tuple[int, str, str]:
        options = arguments.parse(words)
        capsys.readouterr()
        code = await module_of(options.command).run(options, replace(settings, env=env))
        said = capsys.readouterr()
        return code, said.out, said.err

    return go


@pytest.fixture
async def fake() -> AsyncIterator[FakePartnerApi]:
    async with FakePartnerApi() as one:
        yield one


@pytest.fixture
async def journal(settings: Settings) -> None:
    """A journal that no relay serves."""
    store = await open_journal(settings.journal, now=datetime.now(UTC))
    await store.journal.close()


def live(**changes: Any) -> dict[str, Any]:
    return partner_body("channel_live", channel_data(**changes))


def rejected() -> dict[str, Any]:
    return waba_body("message_template_status_update", template_value(), at=datetime.now(UTC))


def partner_rejected() -> dict[str, Any]:
    template = {"name": "order_shipped", "new_status": "REJECTED", "language": "en_US"}
    return partner_body("waba_template_status_changed", {"id": WABA, "template": template})


async def template_event(client: Client) -> dict[str, Any]:
    await client.settled()
    kind = "message_template_status_update"
    _, shape = await client.api(f"/api/events?kind={kind}")
    event = shape["events"][-1]
    found: dict[str, Any] = (await client.api(f"/api/events/{event['id']}"))[1]
    return found


# Webhooks


@pytest.mark.parametrize("turn", [1, -1])
async def test_rules_by_number_and_client_take_template_events(start: Start, turn: int) -> None:
    client = await start()
    assert (await client.post([rejected(), live()][::turn]))[0] == 200
    event = await template_event(client)
    assert (event["phone"], event["client"]["id"], event["country"]) == (PHONE, CLIENT, "DE")
    assert {one["destination"] for one in event["deliveries"]} == {"musterladen", "support"}
    assert event["origins"]["phones"]["kind"] == "channel_live"
    assert event["origins"]["phones"]["through"] == f"waba {WABA}"


async def test_without_knowing_the_number_the_default_takes_it(start: Start) -> None:
    client = await start()
    await client.post(rejected())
    event = await template_event(client)
    assert (event["phone"], event["origins"]) == (None, {})
    assert [one["cause"] for one in event["deliveries"]] == ["default"]


@pytest.mark.parametrize("turn", [1, -1])
async def test_both_families_reports_reach_a_target_once(start: Start, turn: int) -> None:
    client = await start()
    await client.post(live())
    await client.settled()
    for body in (rejected(), partner_rejected())[::turn]:
        await client.post(body)
        await client.settled()
    owed = [one for one in await client.settled() if one["destination"] == "musterladen"]
    assert sorted(one["state"] for one in owed) == ["delivered", "suppressed"]
    told, kept = sorted(owed, key=lambda one: str(one["state"]))
    assert kept["reason"] == f"twin of event {told['event_id']}"


async def test_twins_in_one_request_reach_a_target_once(start: Start) -> None:
    client = await start()
    await client.post([live(), rejected(), partner_rejected()])
    owed = [one for one in await client.settled() if one["destination"] == "musterladen"]
    assert sorted(one["state"] for one in owed) == ["delivered", "suppressed"]


# Explaining


async def test_explain_names_the_twin_that_told_instead(start: Start, run: Run) -> None:
    client = await start()
    await client.post([live(), rejected(), partner_rejected()])
    (kept,) = [one for one in await client.settled() if one["state"] == "suppressed"][:1]
    _, out, _ = await run("explain", kept["event_id"])
    first = out.partition("\n")[0]
    assert kept["reason"] in first
    assert "discarded" not in first


async def test_explain_repeats_what_was_known_when_it_was_routed(start: Start, run: Run) -> None:
    client = await start()
    await client.post([live(), rejected()])
    event = await template_event(client)
    code, out, _ = await run("explain", event["id"], "--json")
    (shape,) = json.loads(out)["events"]
    assert code == 0
    assert shape["phones"] == [PHONE]
    assert shape["origins"] == event["origins"]
    assert [rule["matched"] for rule in shape["rules"]] == [True, True]
    _, out, _ = await run("explain", event["id"])
    assert f"{PHONE}  <- channel_live" in out
    assert f"by waba {WABA}" in out


async def test_explain_of_a_file_uses_the_directory(start: Start, run: Run, folder: Path) -> None:
    (folder / "event.json").write_text(json.dumps(rejected()))
    _, out, _ = await run("explain", str(folder / "event.json"), "--json")
    assert json.loads(out)["events"][0]["phones"] == []
    assert "there is no journal" in json.loads(out)["directory"]
    client = await start()
    await client.post(live())
    await client.settled()
    _, out, _ = await run("explain", str(folder / "event.json"), "--json")
    shape = json.loads(out)
    assert shape["events"][0]["phones"] == [PHONE]
    assert shape["directory"].startswith("the directory of sqlite:///")


async def test_explain_of_a_file_learns_from_the_file_itself(run: Run, folder: Path) -> None:
    (folder / "event.json").write_text(json.dumps([rejected(), live()]))
    _, out, _ = await run("explain", str(folder / "event.json"), "--json")
    assert [event["phones"] for event in json.loads(out)["events"]] == [[PHONE], [PHONE]]
    assert not (folder / "relay.db").exists()


async def test_explain_of_a_file_survives_a_journal_that_cannot_be_read(
    run: Run, folder: Path
) -> None:
    (folder / "relay.db").write_text("no database at all" * 100)
    code, out, _ = await run("explain", "channel_live", "--json")
    assert code == 0
    assert "not a database" in json.loads(out)["directory"]


# The command


async def test_the_directory_lists_and_searches(start: Start, run: Run) -> None:
    client = await start()
    await client.post([live(), live(phone="447700900123", number="x9CH", name="Other")])
    await client.settled()
    code, out, _ = await run("directory", "--json")
    assert code == 0
    assert [json.loads(line)["phone"] for line in out.splitlines()] == ["+447700900123", PHONE]
    code, out, _ = await run("directory", "musterladen", "support")
    assert code == 0
    assert "+49 171 3920011" in out
    assert "+44" not in out
    code, out, _ = await run("directory", "nobody")
    assert (code, out.strip()) == (1, 'no number for "nobody"')


@pytest.mark.parametrize("serving", [True, False])
async def test_an_import_goes_through_the_relay_or_under_its_lock(
    start: Start, run: Run, settings: Settings, folder: Path, serving: bool
) -> None:
    (folder / "list.csv").write_text(LIST)
    if serving:
        client = await start()
    else:
        store = await open_journal(settings.journal, now=datetime.now(UTC))
        await store.journal.close()
    code, out, _ = await run("directory", "import", str(folder / "list.csv"))
    assert (code, out) == (0, "imported: 2 contacts, 12 facts are new or newer\n")
    assert (folder / "relay.db.sock").exists() is serving
    if not serving:
        client = await start()
    await client.post(rejected())
    event = await template_event(client)
    assert (event["phone"], event["client"]["name"]) == (PHONE, "Musterladen GmbH")
    assert event["origins"]["phones"]["kind"] == "imported"
    assert event["origins"]["phones"]["event_id"] is None


async def test_a_list_with_one_fault_imports_nothing(run: Run, folder: Path, journal: None) -> None:
    (folder / "list.csv").write_text(LIST + "030 1234,x,,,,\n+1,y,,,,\n")
    code, out, err = await run("directory", "import", str(folder / "list.csv"))
    assert (code, out) == (2, "")
    assert f"{folder}/list.csv:4:1: error: " in err
    assert f"{folder}/list.csv:5:1: error: " in err
    assert (await run("directory", "--json"))[1] == ""


async def test_a_list_that_cannot_be_read_is_named(run: Run, folder: Path, journal: None) -> None:
    with pytest.raises(UsageError, match="cannot read"):
        await run("directory", "import", str(folder / "none.csv"))
    with pytest.raises(UsageError, match="say which list"):
        await run("directory", "import")


async def test_an_import_without_a_journal_makes_none(run: Run, folder: Path) -> None:
    (folder / "list.csv").write_text(LIST)
    with pytest.raises(UsageError, match="there is no journal"):
        await run("directory", "import", str(folder / "list.csv"))
    assert not (folder / "relay.db").exists()


@pytest.mark.parametrize("serving", [True, False])
async def test_sync_reads_all_channels(
    start: Start, run: Run, fake: FakePartnerApi, settings: Settings, serving: bool
) -> None:
    fake.channels = [channel_data()] + [
        channel_data(phone=f"4477009{index:05}", number=f"n{index}CH", waba="202", waba_360="bWA")
        for index in range(150)
    ]
    if serving:
        await start()
    else:
        store = await open_journal(settings.journal, now=datetime.now(UTC))
        await store.journal.close()
    env = {
        "RELAY_360DIALOG_PARTNER_ID": "dev01PA",
        "RELAY_360DIALOG_API_KEY": KEY,
        "RELAY_360DIALOG_API_URL": fake.url,
    }
    code, out, _ = await run("directory", "sync", "--json", **env)
    assert code == 0
    assert json.loads(out)["contacts"] == 151
    _, out, _ = await run("directory", "--json", "--limit", "1000")
    assert len(out.splitlines()) == 151
    _, out, _ = await run("directory", PHONE, "--json")
    assert json.loads(out)["client_name"] == "Musterladen GmbH"
    assert json.loads(out)["kind"] == "synced"


async def test_a_sync_that_fails_changes_nothing(
    run: Run, fake: FakePartnerApi, journal: None
) -> None:
    env = {
        "RELAY_360DIALOG_PARTNER_ID": "dev01PA",
        "RELAY_360DIALOG_API_KEY": "wrong",
        "RELAY_360DIALOG_API_URL": fake.url,
    }
    with pytest.raises(RelayError, match="refuses the key"):
        await run("directory", "sync", **env)
    with pytest.raises(UsageError, match="set RELAY_360DIALOG_PARTNER_ID and RELAY_360DIALOG_API"):
        await run("directory", "sync")
    assert (await run("directory", "--json"))[1] == ""


# The API


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"contacts": "x"},
        {"contacts": [{}], "kind": "channel_live"},
        {"contacts": [{"phone": "030"}]},
        {"contacts": [{"phone": 49}]},
        {"contacts": [{"colour": "red"}]},
        {"contacts": [1]},
        {"contacts": [{}] * 2001},
    ],
    ids=lambda body: str(body)[:40],
)
async def test_the_api_refuses_what_it_cannot_read(start: Start, body: Any) -> None:
    client = await start()
    assert (await client.api("/api/directory", "POST", body))[0] == 400
    assert (await client.api("/api/directory"))[1] == {"entries": []}


async def test_the_api_teaches_and_tells(start: Start) -> None:
    client = await start()
    contact = {"phone": "0049 171 3920011", "name": "N", "client_id": "c"}
    answer = await client.api("/api/directory", "POST", {"contacts": [contact]})
    assert answer == (200, {"contacts": 1, "changed": 2})
    status, shape = await client.api("/api/directory?search=171%2039")
    assert status == 200
    (entry,) = shape["entries"]
    assert (entry["phone"], entry["name"], entry["client_id"]) == (PHONE, "N", "c")
    assert (await client.api("/api/directory?limit=x"))[0] == 400
    assert (await client.get("/api/directory"))[0] == 401


async def test_a_cancelled_number_is_shown_as_such(start: Start, run: Run) -> None:
    client = await start()
    await client.post(live())
    await client.post(partner_body("cancellation_processed", channel_data()))
    await client.settled()
    _, out, _ = await run("directory", "--json")
    shape = json.loads(out)
    assert (shape["phone"], shape["gone"], shape["waba"]) == (PHONE, True, None)
    assert "cancelled" in (await run("directory"))[1]
    await client.post(rejected())
    assert (await template_event(client))["phones"] == []
