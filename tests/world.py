"""A relay in this process with a fake Slack, a fake Teams and a fake mail server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from relay.app import App
from relay.pace import Tempo
from relay.settings import Address, Settings
from tests.client import Client, partner
from tests.fakes.slack import FakeSlack
from tests.fakes.smtp import FakeSmtp
from tests.fakes.teams import FakeTeams
from tests.needs import PATIENCE, growing

QUICK = Tempo(first_probe=0.05, longest_probe=0.2, watch=0.05, grace=0.5)
TOKEN = "xoxb-the-token-of-this-world"
PASSWORD = "the-password-of-this-world"

RULES = """\
version: 1
accounts:
  slack: {token: "%(token)s", api_url: "%(slack)s"}
  email: {host: %(host)s, port: %(smtp)s, tls: none, sender: relay@example.com}
destinations:
  support: {slack: {channel: "#support"}, pace: none}
  sales: {slack: {channel: "#sales"}, pace: none}
  flow: {teams: {url: "%(teams)s"}, pace: none}
  oncall: {email: {to: [oncall@example.com]}, pace: none}
  three: {email: {to: [a@example.com, b@example.com, c@example.com]}, pace: none}
rules:
  - {name: Live, when: {event: channel_live}, send_to: support}
  - {name: Created, when: {event: channel_created}, send_to: sales}
  - {name: Ready, when: {event: channel_ready}, send_to: flow}
  - {name: Deleted, when: {event: channel_running}, send_to: three}
default: {send_to: support}
alarms: {send_to: [support, oncall]}
"""
LIVE, CREATED, READY, DELETED = (
    "channel_live",
    "channel_created",
    "channel_ready",
    "channel_running",
)
"""To Slack's support, to Slack's sales, to Teams, and by mail to three people."""


class Soon(random.Random):
    """The jitter that makes each retry wait as little as it can."""

    def random(self) -> float:
        return 0.0


class World:
    """One relay and its targets; `clock` can be set."""

    tempo = QUICK

    def __init__(
        self, folder: Path, slack: FakeSlack, teams: FakeTeams, smtp: FakeSmtp, rules: str
    ) -> None:
        self.folder = folder
        self.slack, self.teams, self.smtp = slack, teams, smtp
        self.rules = rules
        self.skew = timedelta(0)
        self.chance = Soon()
        self.app: App
        self.client: Client
        self.numbers = iter(range(1, 1_000_000))

    def clock(self) -> datetime:
        return datetime.now(UTC) + self.skew

    def settings(self, **changes: Any) -> Settings:
        usual = Settings(
            rules=self.folder / "rules.yaml",
            templates=self.folder / "message_templates",
            journal=f"sqlite:///{self.folder / 'relay.db'}",
            listen=Address("127.0.0.1", 0),
            insecure=True,
            allow_private=True,
            admin_token="admin",
        )
        return replace(usual, **changes)

    def write_rules(self) -> None:
        """The rules, which name the targets of this world by `%(slack)s` and its like."""
        values = {
            "token": TOKEN,
            "slack": self.slack.api_url,
            "host": self.smtp.host,
            "smtp": self.smtp.port,
            "teams": self.teams.url(),
        }
        (self.folder / "rules.yaml").write_text(self.rules % values, encoding="utf-8")

    async def start(self) -> None:
        self.write_rules()
        self.app = await App.start(self.settings(), self.tempo, self.clock, self.chance)
        self.client = Client(self.app)
        await self.client.__aenter__()

    async def stop(self) -> None:
        await self.client.__aexit__(None, None, None)
        await self.app.stop(grace=0.2)

    async def happen(self, kind: str = LIVE, **data: Any) -> str:
        """Post one event; its client's name, which messages show."""
        number = next(self.numbers)
        name = f"client-{number}."
        body = partner(number, client={"id": f"c{number}CL", "name": name}, **data)
        status, answer = await self.client.post({**body, "event": kind})
        assert (status, answer["accepted"]) == (200, 1)
        return name

    async def deliveries(self, cause: str | None = "rule") -> list[dict[str, Any]]:
        found = (await self.client.api("/api/deliveries?limit=100000"))[1]["deliveries"]
        return [one for one in found if cause in (None, one["cause"])]

    async def until(self, states: Mapping[str, int], cause: str = "rule") -> list[dict[str, Any]]:
        """The deliveries, once so many are in each state."""
        pauses = growing()
        async with asyncio.timeout(PATIENCE):
            while True:
                found = await self.deliveries(cause)
                counts: dict[str, int] = {}
                for one in found:
                    counts[one["state"]] = counts.get(one["state"], 0) + 1
                if counts == dict(states):
                    return found
                await asyncio.sleep(next(pauses))

    async def become(self, met: Callable[[], bool]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(PATIENCE):
            while not met():
                await asyncio.sleep(0.005)

    async def subjects(self, count: int) -> list[str]:
        """Of the mails to the person on call, once there are so many."""
        await self.become(lambda: len(self.oncall) >= count)
        return self.oncall

    @property
    def oncall(self) -> list[str]:
        return [
            str(mail.message["Subject"])
            for mail in self.smtp.mails
            if mail.recipients == ("oncall@example.com",)
        ]

    def shown(self, key: str = "#support") -> list[str]:
        """The clients that a Slack channel was told of, in order."""
        return [_client(str(post.json)) for post in self.slack.posts if post.key == key]


def _client(text: str) -> str:
    begin = text.find("client-")
    return text[begin : text.find(".", begin) + 1] if begin >= 0 else text


@asynccontextmanager
async def a_world(
    folder: Path, rules: str = RULES, kind: type[World] = World, **smtp: Any
) -> AsyncIterator[World]:
    """A relay that serves, stopped at the end."""
    async with AsyncExitStack() as stack:
        slack = await stack.enter_async_context(FakeSlack())
        teams = await stack.enter_async_context(FakeTeams())
        mail = await stack.enter_async_context(FakeSmtp(**smtp))
        world = kind(folder, slack, teams, mail, rules)
        (folder / "message_templates" / "default.md.j2").write_text(
            "# {{ event.title }}: {{ event.client.name }}\n"
        )
        await world.start()
        stack.push_async_callback(world.stop)
        yield world
