"""The whole path with a real server process, a fake Slack and Teams, and a real SMTP server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session

from tests.client import partner, waba
from tests.fakes.slack import FakeSlack
from tests.fakes.teams import FakeTeams
from tests.needs import PATIENCE
from tests.relay_process import RelayProcess

TEMPLATES = {
    "default.md.j2": "# {{ event.title }}: {{ event.client.name or event.waba }}\n\n"
    "- **Number:** {{ event.phone or 'none' }}\n",
}


class Mailbox:
    """The handler of a real SMTP server: keeps what it accepts."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.mails.append(mail)
        return "250 kept"


@pytest.fixture
async def mailbox() -> AsyncIterator[tuple[Mailbox, int]]:
    """A real SMTP server, with what it took and its port."""
    handler = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, loop=loop), "127.0.0.1", 0)
    yield handler, server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


def port_of(fake: FakeSlack | FakeTeams) -> int:
    """The port that a fake listens or listened on."""
    return int(fake.base.rpartition(":")[2])


def rules(slack: FakeSlack, teams: FakeTeams, smtp_port: int) -> str:
    return f"""\
version: 1
accounts:
  slack: {{token: xoxb-of-the-tests, api_url: "{slack.api_url}"}}
  email: {{host: 127.0.0.1, port: {smtp_port}, tls: none, sender: "Relay <relay@example.com>"}}
destinations:
  support: {{slack: {{channel: "#support"}}, pace: none}}
  sales: {{teams: {{url: "{teams.url()}"}}, pace: none}}
  oncall: {{email: {{to: [oncall@example.com]}}, pace: none}}
rules:
  - name: Live
    when: {{event: channel_live}}
    send_to: sales
  - name: Bans
    when: {{topic: ban}}
    send_to: oncall
  - name: Quality
    when: {{topic: quality, phone: "+49*"}}
    send_to: support
default: {{send_to: support}}
alarms: {{send_to: support}}
"""


async def test_an_event_for_each_of_three_rules_arrives_at_its_target_exactly_once(
    tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    """And its message says the right thing; repeats of the webhooks change nothing."""
    box, port = mailbox
    async with FakeSlack() as slack, FakeTeams() as teams:
        relay = RelayProcess(tmp_path, rules(slack, teams, port), templates=TEMPLATES)
        async with relay:
            bodies: list[Any] = [
                partner(1),
                waba("account_update", {"event": "DISABLED_UPDATE"}, entry="777"),
                waba(
                    "phone_number_quality_update",
                    {"display_phone_number": "491713920011", "event": "FLAGGED"},
                ),
            ]
            for body in [*bodies, *bodies]:
                assert (await relay.post(body))[0] == 200
            found = await relay.until(
                lambda all_: [one["state"] for one in all_] == ["delivered"] * 3
            )
            assert await relay.stop() == 0
        assert {(one["destination"], one["proof"]) for one in found} == {
            ("support", "posted"),
            ("sales", "accepted"),
            ("oncall", "posted"),
        }
        assert len(slack.posts) == len(teams.posts) == len(box.mails) == 1
        assert "flagged" in str(slack.posts[0].json).lower()
        assert "+491713920011" in str(slack.posts[0].json)
        assert "Musterladen" in str(teams.posts[0].json)
        assert "777" in str(box.mails[0]["Subject"])
        assert box.mails[0]["To"] == "oncall@example.com"


async def test_kill_9_under_load_with_targets_down_loses_no_acknowledged_event(
    tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    """After a restart, with the targets up again, every acknowledged event arrives."""
    box, port = mailbox
    slack, teams = FakeSlack(), FakeTeams()
    await slack.start()
    await teams.start()
    text = rules(slack, teams, port)
    slack_port, teams_port = port_of(slack), port_of(teams)
    await slack.stop()
    await teams.stop()
    relay = RelayProcess(tmp_path, text, templates=TEMPLATES)
    acknowledged: set[str] = set()
    numbers = iter(range(1, 100_000))

    async def send() -> None:
        while True:
            number = next(numbers)
            kind = ("channel_live", "channel_created")[number % 2]
            body = {**partner(number), "event": kind}
            body["data"]["client"]["name"] = f"client-{number}."
            try:
                status, answer = await relay.post(body)
            except (TimeoutError, OSError):
                return
            if status == 200 and answer["accepted"] == 1:
                acknowledged.add(f"client-{number}.")

    async with relay:
        senders = [asyncio.create_task(send()) for _ in range(8)]
        async with asyncio.timeout(PATIENCE):
            while len(acknowledged) < 150:
                await asyncio.sleep(0.005)
        await relay.kill()
        await asyncio.gather(*senders, return_exceptions=True)
        await slack.start(slack_port)
        await teams.start(teams_port)
        await relay.start()

        def arrived() -> set[str]:
            shown = [str(post.json) for post in (*slack.posts, *teams.posts)]
            return {name for name in acknowledged if any(name in text for text in shown)}

        async with asyncio.timeout(PATIENCE):
            while arrived() != acknowledged:
                await asyncio.sleep(0.05)
        status = await relay.api("/api/status")
        assert status["events"]["received"] >= len(acknowledged)
    await slack.stop()
    await teams.stop()
    assert not box.mails


async def test_an_order_to_stop_is_obeyed_with_work_left_and_the_work_is_resumed(
    tmp_path: Path, mailbox: tuple[Mailbox, int]
) -> None:
    """SIGTERM ends with 0 while a target stalls; the next run delivers what was left."""
    box, port = mailbox
    async with FakeSlack() as slack, FakeTeams() as teams:
        relay = RelayProcess(tmp_path, rules(slack, teams, port), templates=TEMPLATES)
        async with relay:
            await relay.stop()
            await slack.stop()
            await relay.start()
            assert (await relay.post({**partner(5), "event": "channel_created"}))[0] == 200
            await relay.said("attempt")
            assert await relay.stop() == 0
            await slack.start(port_of(slack))
            await relay.start()
            await relay.until(lambda all_: all_[0]["state"] == "delivered")
        assert len(slack.posts) == 1
    assert not box.mails
