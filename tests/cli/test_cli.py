"""The commands as a person runs them: output, exit codes, errors."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientSession

from relay.control import user
from relay.deliveries import Cause
from relay.events import Source
from relay.journal.sqlite.engine import open_journal
from tests.client import partner, waba
from tests.conftest import RULES
from tests.fakes.slack import FakeSlack, error
from tests.journal_suite import NOW, event, owe, owed
from tests.needs import PATIENCE, ROOT
from tests.relay_process import RelayProcess, run_process, run_relay

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
def run(folder: Path) -> Run:
    """Run a command in a folder that has rules and a template."""

    async def go(*arguments: str, **env: str) -> tuple[int, str, str]:
        return await run_relay(*arguments, env=env, cwd=folder)

    return go


async def test_check_says_that_all_is_well_or_names_each_finding_at_its_place(
    run: Run, folder: Path
) -> None:
    code, out, _ = await run("check")
    assert code == 0
    assert "rules.yaml:6:1: warning: default is missing" in out
    assert (await run("check", "--strict"))[0] == 1
    (folder / "rules.yaml").write_text(RULES.replace("send_to: none", "send_to: sales"))
    code, out, _ = await run("check")
    assert code == 1
    assert 'rules.yaml:9:14: error: unknown destination "sales"' in out


async def test_check_finds_a_broken_template(run: Run, folder: Path) -> None:
    (folder / "message_templates" / "quality.md.j2").write_text("# {{ event.title }\n")
    code, out, _ = await run("check", "--json")
    shape = json.loads(out)
    assert code == 1
    assert shape["ok"] is False
    assert [f["file"] for f in shape["findings"] if f["level"] == "error"] == [
        "message_templates/quality.md.j2"
    ]


async def test_explain_says_for_every_rule_why(run: Run, folder: Path) -> None:
    body = waba("message_template_status_update", {"event": "APPROVED"})
    (folder / "event.json").write_text(json.dumps(body))
    code, out, _ = await run("explain", "event.json", "--json")
    shape = json.loads(out)
    assert code == 0
    event = shape["events"][0]
    assert (event["kind"], event["detail"]) == ("message_template_status_update", "APPROVED")
    assert [rule["matched"] for rule in event["rules"]] == [True, False]
    assert "Approved templates are no news" in event["rules"][1]["reason"]
    assert event["deliveries"] == []
    assert event["muted_by"] == "Approved templates are no news"


async def test_explain_shows_exactly_what_would_be_sent(run: Run) -> None:
    code, out, _ = await run("explain", "channel_live", "--json")
    delivery = json.loads(out)["events"][0]["deliveries"][0]
    assert code == 0
    assert (delivery["destination"], delivery["rule"]) == ("support", "Everything")
    assert delivery["message"]["title"] == "Number is live"
    assert delivery["payload"]["channel"] == "#support"
    assert "xoxb" not in out


async def test_explain_says_whom_a_message_calls(run: Run, folder: Path) -> None:
    called = RULES.replace('{channel: "#support"}', '{channel: "#support"}, mention: here')
    (folder / "rules.yaml").write_text(called)
    assert "─ calls @here ─" in (await run("explain", "account_update/DISABLED_UPDATE"))[1]
    assert "calls" not in (await run("explain", "channel_live"))[1]


async def test_explain_reads_a_body_from_standard_input(folder: Path) -> None:
    body = json.dumps(partner(1)).encode()
    code, out, _ = await run_process("explain", "-", "--json", env={}, cwd=folder, stdin=body)
    assert code == 0
    assert json.loads(out)["events"][0]["kind"] == "channel_live"


async def test_explain_shows_nothing_private(run: Run, folder: Path) -> None:
    secret = "a-private-text"
    body = waba("messages", {"messages": [{"text": {"body": secret}}], "contacts": [secret]})
    (folder / "chat.json").write_text(json.dumps(body))
    for options in ((), ("--json",)):
        code, out, err = await run("explain", "chat.json", *options)
        assert code == 0
        assert secret not in out + err
        assert "messages" in out


@pytest.mark.parametrize(
    ("arguments", "fragment"),
    [
        (("explain", "chanel_live"), 'did you mean "channel_live"'),
        (("explain", "gone.json"), "cannot read gone.json"),
        (("explain", "abcdef12"), "no such file"),
        (("events",), "no such file"),
        (("events", "--phone", "030 123"), "--phone"),
        (("events", "--since", "yesterday"), "--since"),
        (("retry",), "say which deliveries"),
        (("retry", "--state", "delivered"), "--state: only dead, parked, held, suppressed"),
        (("retry", "--all", "--state", "dead"), "all stands alone"),
        (("discard", "--state", "dead", "--limit", "1"), 'unknown option "--limit"'),
        (("events", "--state", "dead"), "--state: it is 'received'"),
        (("deliveries", "--limit", "9223372036854775808"), "--limit"),
        (("discard",), "say which deliveries"),
        (("send-test", "suport"), "did you mean support"),
        (("serve",), "no webhook secret"),
        (("nonsense",), 'unknown command "nonsense"'),
        (("exlpain",), 'unknown command "exlpain": did you mean "explain"?'),
        (("kinds", "--jsn"), 'unknown option "--jsn": did you mean "--json"?'),
        (("preview", "--channel", "slak"), 'unknown --channel "slak": did you mean "slack"?'),
        (("rules", "lgo"), 'unknown action "lgo": did you mean "log"?'),
        (("check", "--rules", "gone.yaml"), ""),
        (("serve", "--sandbox", "--listen", "nowhere"), "RELAY_LISTEN"),
        (("serve", "--sandbox", "--journal", "sqlite:///no/where.db"), "RELAY_JOURNAL"),
        (("serve", "--sandbox", "--journal", "mysql://x"), "sqlite:///"),
    ],
)
async def test_wrong_use_is_one_clear_line(
    run: Run, arguments: tuple[str, ...], fragment: str
) -> None:
    code, out, err = await run(*arguments)
    if arguments[0] == "check":
        assert code == 1
        assert "gone.yaml:1:1: error: does not exist: `relay init` writes one" in out
        return
    assert code == 2, out + err
    assert fragment in err
    assert len(err.splitlines()) == 1
    assert "Traceback" not in err


async def test_serve_with_bad_rules_and_no_version_prints_the_faults_and_ends_with_2(
    run: Run, folder: Path
) -> None:
    (folder / "rules.yaml").write_text("version: 1\nrulez: []\n")
    code, _, err = await run("serve", "--sandbox")
    assert code == 2
    assert 'rules.yaml:2:1: error: unknown key "rulez": did you mean "rules"?' in err


async def test_serve_names_a_missing_secret_of_the_rules(run: Run, folder: Path) -> None:
    (folder / "rules.yaml").write_text(RULES.replace("xoxb-of-the-tests", '"${TOKEN_X}"'))
    code, _, err = await run("serve", "--insecure")
    assert code == 2
    assert "TOKEN_X is not set" in err


async def test_many_variables_that_are_not_set_are_one_line_behind_the_errors(
    run: Run, folder: Path
) -> None:
    rules = RULES.replace("xoxb-of-the-tests", '"${TOKEN_X}"').replace('"#support"', '"#${ROOM}"')
    (folder / "rules.yaml").write_text(rules + "nonsense: 1\n")
    _, out, _ = await run("check")
    first, *others = out.splitlines()
    assert 'error: unknown key "nonsense"' in first
    (one,) = [line for line in others if "TOKEN_X" in line or "ROOM" in line]
    assert "warning: 2 variables are not set, or empty: TOKEN_X, ROOM: set them" in one


async def test_kinds_lists_the_catalogue(run: Run) -> None:
    code, out, _ = await run("kinds")
    assert code == 0
    for kind in ("channel_live", "account_update", "payment", "business_status_update"):
        assert kind in out
    assert "relay_alarm" not in out


async def test_routes_tells_a_script_by_which_rule(run: Run) -> None:
    code, out, _ = await run("routes", "--client", "acme01CL", "--json")
    assert code == 0
    rows = [json.loads(line) for line in out.splitlines()]
    told = {(row["kind"], row["detail"]): row for row in rows}
    live = told["channel_live", None]
    assert live["destinations"] == [{"name": "support", "rule": "Everything"}]
    approved = told["message_template_status_update", "APPROVED"]
    assert (approved["destinations"], approved["muted_by"]) == (
        [],
        "Approved templates are no news",
    )


async def test_routes_shows_who_gets_what(run: Run) -> None:
    code, out, _ = await run("routes", "--phone", "+49 171 3920011")
    rows = {line.split()[0]: line for line in out.splitlines() if line.strip()}
    assert code == 0
    assert "●" in rows["channel_live"]
    assert "●" not in rows["message_template_status_update/APPROVED"]


async def test_a_demo_of_the_products_own_rules_shows_messages_and_ends(tmp_path: Path) -> None:
    top = ROOT
    env = {
        "RELAY_RULES": str(top / "rules.yaml"),
        "RELAY_TEMPLATES": str(top / "message_templates"),
    }
    code, out, err = await run_relay("demo", "--once", env=env, cwd=tmp_path)
    assert (code, err) == (0, "")
    assert "Number is live" in out
    assert 'by rule "' in out
    assert "sample events became" in out
    assert not os.listdir(tmp_path)  # noqa: PTH208  nothing is left behind


async def test_a_demo_names_its_journal_and_shows_what_is_posted_to_it(tmp_path: Path) -> None:
    """Of a webhook the JSON that its receiver would get; nothing is sent."""
    rules = tmp_path / "rules.yaml"
    destination = '{webhook: {url: "https://crm.example.com/x", secret: "${CRM_SECRET}"}}'
    rules.write_text(RULES.replace('{slack: {channel: "#support"}}', destination))
    env = {
        "PATH": os.environ["PATH"],
        "RELAY_RULES": str(rules),
        "RELAY_TEMPLATES": str(ROOT / "message_templates"),
        "RELAY_LISTEN": "127.0.0.1:0",
        "PYTHONUNBUFFERED": "1",
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "relay", "demo", env=env, cwd=tmp_path, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout

    async def until(words: str) -> str:
        said = ""
        while words not in said:
            said += (await process.stdout.readline()).decode()  # type: ignore[union-attr]
        return said

    try:
        async with asyncio.timeout(PATIENCE):
            said = await until("Still serving")
            assert "sqlite:///" in said
            found = re.search(r"serves on (http://\S+)", said)
            assert found
            posted = partner(client={"id": "c9CL", "name": "Posted by hand"})
            async with ClientSession() as session:
                answer = await session.post(f"{found[1]}/webhooks/360dialog", json=posted)
            assert answer.status == 200
            await until('"name": "Posted by hand"')
    finally:
        process.terminate()
        await process.wait()


async def test_lists_are_read_beside_a_running_relay_and_changes_go_through_it(
    folder: Path,
) -> None:
    async with FakeSlack() as slack:
        slack.always(error("invalid_blocks"))
        rules = RULES.replace("xoxb-of-the-tests", f'x, api_url: "{slack.api_url}"')
        relay = RelayProcess(folder / "served", rules)
        async with relay:
            assert (await relay.post(partner(1)))[0] == 200
            found = await relay.until(lambda all_: [d["state"] for d in all_] == ["dead"])

            async def run(*arguments: str) -> tuple[int, str, str]:
                return await run_relay(*arguments, env=relay.env, cwd=relay.folder)

            code, out, _ = await run("events", "--json")
            assert code == 0
            assert json.loads(out.splitlines()[0])["kind"] == "channel_live"
            code, out, _ = await run("deliveries", "--state", "dead", "--json")
            assert json.loads(out)["id"] == found[0]["id"]
            code, out, _ = await run("events", "--kind", "payment")
            assert "no event matches; the last event came" in out
            code, out, _ = await run("explain", found[0]["event_id"][:8])
            assert out.startswith('support was not told, by the rule "Everything": given up on')
            code, out, _ = await run("discard", found[0]["id"][:6])
            assert (code, out) == (0, "discarded: 1\n")
            assert (await relay.deliveries())[0]["reason"] == f"discarded by {user()}"
            slack.always(None)
            code, out, _ = await run("retry", found[0]["id"][:6])
            assert (code, out) == (0, "retried: 1\n")
            await relay.until(lambda all_: {d["state"] for d in all_} == {"delivered"})
            assert (await run("discard", "--state", "dead"))[0] == 1
            assert (await run("serve"))[0] == 2
        await relay.kill()
        code, out, _ = await run("retry", "--state", "dead")
        assert (code, out) == (1, "retried: 0\n")


async def test_all_deliveries_are_given_up_only_after_a_question_with_their_number(
    run: Run, folder: Path
) -> None:
    store = await open_journal(f"sqlite:///{folder}/relay.db", now=NOW)
    await owe(store, owed("a"), owed("b"))
    await store.journal.close()

    async def discard(*arguments: str, said: bytes = b"") -> tuple[int, str, str]:
        words = ("discard", *arguments)
        return await run_relay(*words, env={}, cwd=folder, stdin=said)

    for said in (b"", b"\n", b"n\n"):
        code, out, err = await discard("--all", said=said)
        assert (code, out) == (1, "nothing was discarded\n")
        assert "Discard all deliveries: 2 pending, 0 parked, 0 dead? [y/N]" in err
    assert (await discard("--all", said=b"y\n"))[:2] == (0, "discarded: 2\n")
    assert (await discard("--all", "--yes"))[:2] == (1, "discarded: 0\n")
    code, out, _ = await run("retry", "--state", "suppressed")
    assert (code, out) == (0, "retried: 2\n")


async def test_an_alarm_is_explained_as_the_relays_own_and_by_no_rule(
    run: Run, folder: Path
) -> None:
    store = await open_journal(f"sqlite:///{folder}/relay.db", now=NOW)
    alarm = event(source=Source.RELAY, kind="relay_alarm", detail="TARGET_PARKED")
    await store.journal.post(alarm, [owed(cause=Cause.ALARM, rule=None)], now=NOW)
    await store.journal.close()
    code, out, _ = await run("explain", alarm.id)
    assert code == 0
    assert "no rule is asked" in out
    assert "by the default" not in out
    assert "was not told yet, by `alarms`" in out
    shape = json.loads((await run("explain", alarm.id, "--json"))[1])
    assert shape["events"][0]["rules"] == shape["events"][0]["deliveries"] == []
    assert shape["recorded"][0]["cause"] == "alarm"


async def test_send_test_says_what_the_target_answered(folder: Path) -> None:
    async with FakeSlack() as slack:
        rules = RULES.replace("xoxb-of-the-tests", f'x, api_url: "{slack.api_url}"')
        (folder / "rules.yaml").write_text(rules)
        env = {"RELAY_ALLOW_PRIVATE_DESTINATIONS": "1"}
        code, out, _ = await run_relay("send-test", "support", env=env, cwd=folder)
        assert code == 0
        assert "support: it was posted" in out
        assert "test" in slack.posts[0].json["text"].lower()
        slack.always(error("not_in_channel"))
        code, out, _ = await run_relay("send-test", "support", env=env, cwd=folder)
        assert code == 1
        assert "not_in_channel" in out
