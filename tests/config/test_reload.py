"""Changing the rules of a running relay: as a whole, or not at all."""

from __future__ import annotations

import asyncio
import json
import os
import re
from pathlib import Path

from relay.journal.doors import open_journal
from tests.client import Client, partner
from tests.conftest import RULES, Start
from tests.journal_suite import NOW
from tests.relay_process import run_relay

OTHER = RULES.replace("send_to: support\nalarms", "send_to: other\nalarms").replace(
    "rules:\n", '  other: {slack: {channel: "#other"}}\nrules:\n', 1
)


def write(folder: Path, text: str) -> None:
    (folder / "rules.yaml").write_text(text, encoding="utf-8")


def own_tasks() -> int:
    """Tasks of this process that do not belong to a connection."""
    return sum("RequestHandler" not in repr(task) for task in asyncio.all_tasks())


async def live(client: Client, version: int, *, ok: bool = True) -> None:
    """Wait until a version is live and the files are good (or not)."""
    await client.until(
        "/api/status",
        lambda status: (status["rules"]["version"], status["rules"]["ok"]) == (version, ok),
    )


async def destination_of(client: Client, number: int) -> str:
    await client.post(partner(number))
    return str((await client.settled())[-1]["destination"])


async def test_a_changed_file_is_live_by_itself(start: Start, folder: Path) -> None:
    client = await start()
    assert await destination_of(client, 1) == "support"
    write(folder, OTHER)
    await live(client, 2)
    assert await destination_of(client, 2) == "other"


async def test_a_bad_file_changes_nothing_and_is_told_loudly(start: Start, folder: Path) -> None:
    client = await start()
    write(folder, OTHER.replace("send_to: other", "send_to: nobody-knows"))
    await live(client, 1, ok=False)
    assert await destination_of(client, 1) == "support"
    status = (await client.api("/api/status"))[1]
    assert 'unknown destination "nobody-knows"' in status["rules"]["error"]
    assert "relay_rules_last_load_successful 0.0" in (await client.get("/metrics"))[1]
    ready = (await client.get("/readyz"))[1]
    assert ready["rules"]["ok"] is False
    # Whoever asks without a token learns where, and not a word of the file.
    line, column = re.search(r"rules\.yaml:(\d+):(\d+)", ready["rules"]["error"]).groups()
    assert "nobody-knows" in (folder / "rules.yaml").read_text().split("\n")[int(line) - 1]
    assert int(column) > 1
    assert "nobody" not in json.dumps(ready)
    write(folder, OTHER)
    await live(client, 2)
    assert "relay_rules_last_load_successful 1.0" in (await client.get("/metrics"))[1]


async def test_an_emptied_or_missing_file_never_means_no_rules(start: Start, folder: Path) -> None:
    client = await start()
    write(folder, "")
    await live(client, 1, ok=False)
    assert await destination_of(client, 1) == "support"
    write(folder, RULES)
    await live(client, 1)
    os.unlink(folder / "rules.yaml")  # noqa: PTH108
    await live(client, 1, ok=False)
    assert await destination_of(client, 2) == "support"


async def test_a_failing_test_in_the_file_keeps_the_old_rules(start: Start, folder: Path) -> None:
    client = await start()
    write(folder, OTHER + "tests:\n  - {name: t, event: channel_live, expect: support}\n")
    await live(client, 1, ok=False)
    error = (await client.api("/api/status"))[1]["rules"]["error"]
    assert 'test "t" fails: expected support, found other' in error


async def test_a_renamed_or_relinked_file_is_noticed(start: Start, folder: Path) -> None:
    (folder / "a.yaml").write_text(RULES)
    (folder / "b.yaml").write_text(OTHER)
    os.unlink(folder / "rules.yaml")  # noqa: PTH108
    (folder / "rules.yaml").symlink_to(folder / "a.yaml")
    client = await start()
    (folder / "new").symlink_to(folder / "b.yaml")
    (folder / "new").rename(folder / "rules.yaml")
    await live(client, 2)
    (folder / "c.yaml").write_text(RULES)
    (folder / "c.yaml").rename(folder / "rules.yaml")
    await live(client, 3)


async def test_a_changed_template_or_list_is_live_too(start: Start, folder: Path) -> None:
    (folder / "vip.csv").write_text("+491713920011\n")
    listed = RULES.replace('{event: "*"}', "{phone: vip}").replace(
        "rules:\n", "phones: {vip: {file: vip.csv}}\nrules:\n", 1
    )
    write(folder, listed)
    client = await start()
    assert await destination_of(client, 1) == "support"
    (folder / "message_templates" / "default.md.j2").write_text("# Changed {{ event.title }}\n")
    await live(client, 2)
    (folder / "vip.csv").write_text("+447700900123\n")
    await live(client, 3)
    await client.post(partner(2))
    await client.settled()
    events = (await client.api("/api/events"))[1]["events"]
    assert [event["state"] for event in events] == ["routed", "unmatched"]


async def test_a_post_reloads_at_once_and_answers_with_the_findings(
    start: Start, folder: Path
) -> None:
    client = await start()
    write(folder, OTHER)
    status, answer = await client.api("/api/reload", "POST")
    assert (status, answer["ok"], answer["version"]) == (200, True, 2)
    write(folder, OTHER + "nonsense: 1\n")
    status, answer = await client.api("/api/reload", "POST")
    assert (status, answer["ok"], answer["version"]) == (422, False, 2)
    assert any('unknown key "nonsense"' in finding for finding in answer["findings"])
    assert (await client.session.post(client.url + "/api/reload")).status == 401


async def test_reloading_under_load_routes_every_event_once(start: Start, folder: Path) -> None:
    """And leaves no task or open file behind."""
    client = await start()
    await destination_of(client, 1)
    await asyncio.gather(*(client.api("/api/status") for _ in range(8)))
    tasks, handles = own_tasks(), len(os.listdir("/proc/self/fd"))  # noqa: PTH208
    numbers = iter(range(2, 10_000))
    sent = []

    async def send() -> None:
        for _ in range(60):
            number = next(numbers)
            assert (await client.post(partner(number)))[0] == 200
            sent.append(number)

    async def swap() -> None:
        for turn in range(20):
            write(folder, OTHER if turn % 2 else RULES)
            assert (await client.api("/api/reload", "POST"))[0] == 200

    await asyncio.gather(*(send() for _ in range(5)), swap())
    found = await client.settled()
    assert len(found) == len(sent) + 1
    assert len({one["event_id"] for one in found}) == len(found)
    status = (await client.api("/api/status"))[1]["events"]
    assert status["routed"] == status["received"] == len(found)
    assert own_tasks() <= tasks + 1  # the lane of the other destination
    assert len(os.listdir("/proc/self/fd")) <= handles + 6  # noqa: PTH208


def kept(rules: str) -> str:
    """What is stored of rules that have their secret in them."""
    return rules.replace("xoxb-of-the-tests", '"${SECRET_NOT_KEPT_1}"')


async def test_the_versions_that_were_live_are_listed_and_shown(start: Start, folder: Path) -> None:
    client = await start()
    write(folder, OTHER)
    assert (await client.api("/api/reload", "POST"))[0] == 200
    env = {"RELAY_JOURNAL": f"sqlite:///{folder / 'relay.db'}"}
    code, out, _ = await run_relay("rules", "log", "--json", env=env, cwd=folder)
    rows = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [(row["version"], row["changed"]) for row in rows] == [
        (2, ["rules.yaml"]),
        (1, ["+rules.yaml", "+default.md.j2"]),
    ]
    assert (await run_relay("rules", "show", "1", env=env, cwd=folder))[1] == kept(RULES)
    assert (await run_relay("rules", "show", env=env, cwd=folder))[1] == kept(OTHER)
    code, _, err = await run_relay("rules", "show", "7", env=env, cwd=folder)
    assert (code, "there is no version 7" in err) == (2, True)


def holding(folder: Path, words: bytes) -> list[str]:
    """The names of the files that hold something."""
    files = (path for path in folder.iterdir() if path.is_file())
    return sorted(path.name for path in files if words in path.read_bytes())


async def test_a_secret_of_the_live_rules_is_in_no_copy_and_a_bad_edit_still_harms_nothing(
    start: Start, folder: Path
) -> None:
    """Also of a journal of an earlier relay, which kept its rules as they were written."""
    store = await open_journal(f"sqlite:///{folder / 'relay.db'}", now=NOW)
    await store.journal.adopt_rules({"rules.yaml": RULES}, now=NOW)
    await store.journal.close()
    write(folder, "nonsense")
    client = await start()
    status = (await client.api("/api/status"))[1]["rules"]
    assert (status["version"], status["ok"]) == (1, False)
    write(folder, OTHER)
    assert (await client.api("/api/reload", "POST"))[0] == 200
    await client.app.stop()
    assert holding(folder, b"xoxb-of-the-tests") == ["relay-live-rules.secrets", "rules.yaml"]
    assert (folder / "relay-live-rules.secrets").stat().st_mode & 0o777 == 0o600
    write(folder, "nonsense")
    client = await start()
    assert (await client.api("/api/status"))[1]["rules"]["version"] == 2
