"""Where requests go, what comes back, and that no secret shows, whatever fails.

The real process at the most talkative log level, with every error path of every target forced.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from io import StringIO
from pathlib import Path

import pytest

from relay import logs
from relay.channels import Outbound
from relay.channels.http import MOST_BYTES
from relay.cli.serve import secrets
from relay.config import load_text
from relay.settings import from_environment
from tests.client import partner
from tests.fakes.http import DROP_AFTER, DROP_BEFORE, FakeHttp, Post, Reply
from tests.fakes.slack import FakeSlack
from tests.fakes.smtp import DROP, FakeSmtp
from tests.fakes.teams import FakeTeams
from tests.fakes.tokens import TOKEN as TOKEN_OF_THE_ENDPOINT
from tests.fakes.tokens import FakeTokens, refusal
from tests.needs import PATIENCE
from tests.relay_process import RelayProcess, run_relay

SECRETS = {
    "RELAY_360DIALOG_SECRET": "hmac-5ecret-Alpha",
    "RELAY_META_APP_SECRET": "meta-5ecret-Bravo",
    "RELAY_META_VERIFY_TOKEN": "verify-5ecret-Charlie",
    "SLACK_BOT_TOKEN": "xoxb-5ecret-Delta-0123456789",
    "SMTP_PASSWORD": "smtp-5ecret-Echo",
    "TEAMS_URL": "",
    "HOOK_URL": "",
    "CRM_URL": "",
    "CRM_TOKEN": "crm-5ecret-India",
    "CRM_SECRET": "whsec_NWVjcmV0LUp1bGlldC0wMTIzNDU2Nzg5",
}
LEAK = re.compile(
    r"5ecret|a-secret-signature|webhook-token-of-the-tests|admin-token-of-the-tests"
    r"|sig=(?!\[hidden\]|\[secret\])|hooks/services|c210cC01ZWNyZXQ|NWVjcmV0",
    re.IGNORECASE,
)
"""Any of them, also as it stands in a URL or, in base64, in an SMTP login."""

RULES = """\
version: 1
accounts:
  slack: {token: "${SLACK_BOT_TOKEN}", api_url: "%s"}
  email: {host: 127.0.0.1, port: %d, tls: none, sender: relay@example.com,
          username: relay, password: "${SMTP_PASSWORD}"}
destinations:
  support: {slack: {channel: "#support"}, pace: none}
  hook: {slack: {webhook: "${HOOK_URL}"}, pace: none}
  flow: {teams: {url: "${TEAMS_URL}"}, pace: none}
  oncall: {email: {to: [oncall@example.com]}, pace: none}
  crm: {webhook: {url: "${CRM_URL}", headers: {Authorization: "Bearer ${CRM_TOKEN}"},
                  secret: "${CRM_SECRET}"}, pace: none}
rules:
  - {name: All, when: {event: "*"}, send_to: [support, hook, flow, oncall, crm]}
"""


class Anything(FakeHttp):
    """Whatever listens to webhooks, or to nobody."""

    def key_of(self, path: str, body: object) -> str:
        return path

    def usual(self, post: Post) -> Reply:
        return Reply(200, "ok")


class World:
    """The process and its targets."""

    def __init__(
        self, folder: Path, slack: FakeSlack, teams: FakeTeams, smtp: FakeSmtp, crm: FakeHttp
    ) -> None:
        self.slack, self.teams, self.smtp, self.crm = slack, teams, smtp, crm
        env = {
            **SECRETS,
            "TEAMS_URL": teams.url(),
            "HOOK_URL": slack.webhook_url("5ecret-Foxtrot"),
            "CRM_URL": f"{crm.base}/5ecret-Kilo",
        }
        rules = RULES % (slack.api_url, smtp.port)
        self.relay = RelayProcess(folder, rules, env=env, options=["--log-level", "debug"])


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(FakeSlack())
        teams = await stack.enter_async_context(FakeTeams())
        smtp = await stack.enter_async_context(FakeSmtp(users={"relay": SECRETS["SMTP_PASSWORD"]}))
        crm = await stack.enter_async_context(Anything())
        yield World(tmp_path, slack, teams, smtp, crm)


TOKEN = SECRETS["SLACK_BOT_TOKEN"]
PASSWORD = SECRETS["SMTP_PASSWORD"]


def echo(text: str) -> list[Reply]:
    """Answers of a target that repeats what it was sent, secrets included."""
    return [
        Reply(500, f"trace: {text}", content_type="text/plain"),
        Reply(400, json.dumps({"error": {"code": text, "message": text}})),
        Reply(200, json.dumps({"ok": False, "error": text, "needed": text})),
        Reply(403, f"<html>{text}</html>", {"X-Echo": text}, content_type="text/html"),
        Reply(302, "", {"Location": f"http://169.254.169.254/?{text}"}),
        Reply(307, "", {"Location": f"http://127.0.0.1:9/{text}"}),
        Reply(429, text, {"Retry-After": text}),
        Reply(404, text),
        Reply(200, "{", {"Content-Encoding": "gzip"}),
        DROP_AFTER,
        DROP_BEFORE,
    ]


def everything_written(folder: Path) -> str:
    """Each file of the journal, as bytes that can be searched."""
    found = [
        path.read_bytes().decode("latin-1")
        for path in sorted(folder.glob("relay.db*"))
        if path.is_file()
    ]
    assert found
    return "".join(found)


async def test_no_secret_shows_on_any_error_path_of_any_target(
    world: World, tmp_path: Path
) -> None:
    """Logs at debug, metrics, API, readiness, and every byte of the journal."""
    relay = world.relay
    async with relay:
        url = world.teams.url().partition("?")[2]
        of_the_crm = f"Bearer {SECRETS['CRM_TOKEN']} {SECRETS['CRM_SECRET']} /5ecret-Kilo"
        for fake, text in (
            (world.slack, f"Bearer {TOKEN} 5ecret-Foxtrot"),
            (world.teams, url),
            (world.crm, of_the_crm),
        ):
            fake.behave(*echo(text))
        for command, reply in (
            ("AUTH", f"535 5.7.8 no: \0relay\0{PASSWORD}"),
            ("AUTH", f"454 4.7.0 {PASSWORD}"),
            ("MAIL", f"550 {PASSWORD}"),
            ("RCPT", f"550 {PASSWORD} unknown"),
            ("DATA", f"451 {PASSWORD}"),
            ("DOT", f"552 {PASSWORD}"),
            ("DOT", DROP),
            ("CONNECT", f"421 {PASSWORD}"),
        ):
            world.smtp.reply(command, reply)
        shown = []
        for number in range(16):
            assert (await relay.post(partner(number)))[0] == 200
            async with asyncio.timeout(PATIENCE):
                while (await relay.api("/api/status"))["events"]["unrouted"]:
                    await asyncio.sleep(0.01)
            await relay.api("/api/deliveries/retry", method="POST", body={"state": "parked"})
            await relay.api("/api/deliveries/retry", method="POST", body={"state": "dead"})
            shown.append(json.dumps(await relay.deliveries()))
            await asyncio.sleep(0.05)
        assert (await relay.post(b"{}", headers={"Authorization": "Bearer wrong"}))[0] == 401
        paths = ("/metrics", "/readyz", "/healthz", "/nothing")
        shown += [(await relay.get(path))[1] for path in paths]
        shown += [json.dumps(await relay.api(path)) for path in ("/api/status", "/api/events")]
        attempts = [one for owed in await relay.deliveries() for one in owed["attempts"]]
        assert len({one["outcome"] for one in attempts}) >= 4
        await relay.stop()
    said = "".join(relay.raw)
    assert said.count("attempt") > 20
    for what, text in (
        ("log", said),
        ("answers", "".join(shown)),
        ("journal", everything_written(tmp_path)),
    ):
        found = LEAK.search(text)
        assert found is None, f"{what}: …{text[max(0, found.start() - 200) : found.end() + 20]}…"


OAUTH_RULES = """\
version: 1
accounts:
  email: {host: 127.0.0.1, port: %d, tls: none, sender: relay@example.com, username: relay,
          oauth: {token_url: "%s", client_id: app, client_secret: "${CLIENT_SECRET}",
                  refresh_token: "${REFRESH_TOKEN}"}}
destinations:
  oncall: {email: {to: [oncall@example.com]}, pace: none}
rules:
  - {name: All, when: {event: "*"}, send_to: oncall}
"""


async def test_a_login_by_token_shows_no_secret_and_a_restart_logs_in_anew(tmp_path: Path) -> None:
    """Whatever endpoint and mail server repeat; nothing of it is stored."""
    env = {"CLIENT_SECRET": "client-5ecret-Golf", "REFRESH_TOKEN": "refresh-5ecret-Hotel"}
    async with FakeSmtp(tokens={}) as smtp, FakeTokens(smtp, "relay") as endpoint:
        endpoint.behave(refusal("invalid_client", " ".join(env.values()), 401))
        echo = TOKEN_OF_THE_ENDPOINT.format(2)
        smtp.reply("AUTH", "535 5.7.3 no", f"535 5.7.3 no: {echo}", f"454 4.7.0 {echo}")
        relay = RelayProcess(
            tmp_path, OAUTH_RULES % (smtp.port, endpoint.url), env=env,
            options=["--log-level", "debug"],
        )  # fmt: skip
        shown = []
        async with relay:
            assert (await relay.post(partner(1)))[0] == 200
            for attempts in (1, 2, 3):
                found = await relay.until(
                    lambda all_, least=attempts: any(
                        len(one["attempts"]) >= least and one["state"] != "in_flight"
                        for one in all_
                    )
                )
                shown.append(json.dumps([found, await relay.api("/api/status")]))
                await relay.api("/api/deliveries/retry", method="POST", body={"all": True})
            await smtp.wait_for(1)
            found = await relay.until(lambda all_: all(o["state"] == "delivered" for o in all_))
            shown.append((await relay.get("/metrics"))[1])
            assert await relay.stop() == 0
            asked_before = len(endpoint.posts)
            await relay.start()
            assert (await relay.post(partner(2)))[0] == 200
            await smtp.wait_for(2)
            assert await relay.stop() == 0
        assert len(endpoint.posts) == asked_before + 1
    outcomes = [one["outcome"] for one in found[0]["attempts"]]
    assert outcomes == ["out_of_order", "out_of_order", "transient", "sent"]
    for text in ("".join(relay.raw), "".join(shown), everything_written(tmp_path)):
        assert "invalid_client" in text or "5.7.3" in text
        assert not LEAK.search(text)
        assert TOKEN_OF_THE_ENDPOINT[:40] not in text


@pytest.mark.parametrize(
    ("name", "value"),
    [("SLACK_BOT_TOKEN", "xoxb 5ecret with blanks"), ("TEAMS_URL", "http://[5ecret"),
     ("HOOK_URL", "ftp://5ecret.example/x"), ("SMTP_PASSWORD", ""),
     ("CRM_URL", "ftp://5ecret.example/x"), ("CRM_SECRET", "whsec_5ecret-too-short"),
     ("CRM_TOKEN", "5ecret\nX-Header: y")],
)  # fmt: skip
async def test_what_cannot_start_names_the_setting_and_not_its_value(
    world: World, name: str, value: str, tmp_path: Path
) -> None:
    env = {**world.relay.env, name: value}
    code, out, err = await run_relay("serve", env=env, cwd=tmp_path)
    assert code == 2
    assert not LEAK.search(out + err)
    assert "Traceback" not in err


async def test_versions_and_crashes_show_no_secret(world: World, tmp_path: Path) -> None:
    for arguments in (["--version"], ["serve", "--nonsense"], ["routes"]):
        _, out, err = await run_relay(*arguments, env=world.relay.env, cwd=tmp_path)
        assert not LEAK.search(out + err), arguments


def test_reprs_and_tracebacks_of_what_holds_secrets_show_none() -> None:
    env = {**SECRETS, "TEAMS_URL": "https://a.environment.api.powerplatform.com/x?sig=5ecret",
           "HOOK_URL": "https://hooks.slack.com/services/5ecret",
           "CRM_URL": "https://crm.example.com/5ecret"}  # fmt: skip
    settings = from_environment(env, {})
    config = load_text(
        RULES % ("https://slack.com/api/", 25),
        "rules.yaml",
        env=settings.env,
        strict_env=True,
        outbound=Outbound(),
    )
    for one in (settings, config, config.destinations, *config.destinations.values()):
        for text in (repr(one), str(one), f"{one!r:.5000}"):
            assert not LEAK.search(text)


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error"])
def test_whatever_a_library_logs_is_redacted(level: str) -> None:
    """With arguments, with a traceback, and with its own logger."""
    stream = StringIO()
    known = secrets(from_environment({**SECRETS, "TEAMS_URL": "https://x.example/?sig=5ecret"}, {}))
    root = logging.getLogger()
    handlers, hook = root.handlers[:], sys.excepthook
    logs.configure(known, stream=stream, level=level)
    try:
        library = logging.getLogger("some.library")
        library.error("posting to %s with %r", "https://x.example/?sig=5ecret", {"t": TOKEN})
        fault = ValueError(f"bad token {TOKEN}")
        library.error("it failed for %s", PASSWORD, exc_info=fault)
        library.error("extra", extra={"token": TOKEN})
        library.error({"password": PASSWORD})
    finally:
        root.handlers[:], sys.excepthook = handlers, hook
        logs.reset()
    said = stream.getvalue()
    assert "ValueError" in said
    assert "bad token" not in said  # a fault quotes what it worked on: event texts too
    assert not LEAK.search(said), said


async def test_proxies_of_the_environment_and_redirects_lead_nowhere(world: World) -> None:
    async with Anything() as trap:
        names = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")
        world.relay.env.update(dict.fromkeys(names, trap.base))
        async with world.relay as relay:
            for status in (301, 302, 303, 307, 308):
                location = {"Location": f"{trap.base}/moved"}
                world.teams.behave(Reply(status, "", location))
                world.slack.behave(*[Reply(status, "", location)] * 2)
                world.crm.behave(Reply(status, "", location))
            for number in range(5):
                assert (await relay.post(partner(number)))[0] == 200
                await relay.api("/api/deliveries/retry", method="POST", body={"state": "parked"})
            await relay.until(lambda all_: len(all_) == 25 and all(
                one["attempts"] for one in all_ if one["destination"] == "oncall"))  # fmt: skip
            await world.teams.wait_for(1)
            await world.slack.wait_for(1)
        assert trap.connections == 0


HUGE = {
    "endless": Reply(200, b"x" * 8_192, endless=20_000_000),
    "gzip bomb": Reply(200, gzip.compress(b" " * 20_000_000), {"Content-Encoding": "gzip"}),
    "many headers": Reply(200, "ok", {f"X-{n}": "y" * 4_000 for n in range(120)}),
}


@pytest.mark.parametrize("reply", HUGE.values(), ids=HUGE)
async def test_huge_answers_are_cut_and_the_lane_goes_on(
    world: World, reply: Reply, tmp_path: Path
) -> None:
    async with world.relay as relay:
        assert relay.process
        before = memory(relay.process.pid)
        world.slack.behave(reply, reply)
        world.teams.behave(reply)
        world.crm.behave(reply)
        assert (await relay.post(partner(1)))[0] == 200
        await relay.until(
            lambda all_: (
                len(all_) == 5
                and all(one["attempts"] and one["attempts"][0]["outcome"] for one in all_)
            )
        )
        assert memory(relay.process.pid) - before < 60_000_000
        for fake in (world.slack, world.teams, world.crm):
            assert fake.bytes_sent < 20_000_000 + MOST_BYTES


def memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4096


def test_a_secret_of_many_shapes_is_hidden_in_each() -> None:
    redact = logs.Redact(["a+b/c==d&e"])
    for text in ("a+b/c==d&e", "x a+b/c==d&e y", "a%2Bb%2Fc%3D%3Dd%26e"):
        assert "c==d" not in redact.text(text)
        assert "%2Fc%3D" not in redact.text(text)
