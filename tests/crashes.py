"""Clients that post while a relay is killed, and what the three ledgers say afterwards."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
import apsw

from relay.channels.slack.writing import client_msg_id
from relay.journal import Filter
from relay.journal.doors import open_records
from relay.sources.reading import read
from tests.client import partner
from tests.fakes.slack import FakeSlack
from tests.judge import ALL, Finding, Judge, Ledgers
from tests.needs import PATIENCE
from tests.relay_process import TOKEN, RelayProcess

RULES = """\
version: 1
accounts:
  slack: {{token: xoxb-of-the-tests, api_url: "{slack.api_url}"}}
destinations:
  support: {{slack: {{channel: "#support"}}, pace: none}}
  sales: {{slack: {{channel: "#sales"}}, pace: none}}
rules:
  - {{name: Live, when: {{event: channel_live}}, send_to: [support, sales]}}
default: {{send_to: support}}
alarms: {{send_to: support}}
"""


def event_id_of(body: Mapping[str, object]) -> str:
    """The id under which a journal keeps this webhook's only event."""
    at = datetime(2026, 11, 23, tzinfo=UTC)
    reading = read(json.dumps(body).encode(), received_at=at, keep=frozenset())
    return reading.arrivals[0].event.id


@dataclass
class Clients:
    """Post without a pause, and note down what is acknowledged."""

    relay: RelayProcess
    acknowledged: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    posted: int = 0

    async def post_until_it_is_gone(self, session: aiohttp.ClientSession) -> None:
        """One client."""
        headers = {"Authorization": f"Bearer {TOKEN}"}
        while True:
            self.posted += 1
            body = partner(self.posted)
            body["event"] = ("channel_live", "channel_created")[self.posted % 2]
            try:
                async with session.post(
                    f"{self.relay.url}/webhooks/360dialog", json=body, headers=headers
                ) as answer:
                    self.statuses[answer.status] += 1
                    if answer.status == 200:
                        self.acknowledged.add(event_id_of(body))
            except (aiohttp.ClientError, OSError):
                return

    def start(self, count: int, session: aiohttp.ClientSession) -> list[asyncio.Task[None]]:
        """So many clients, each until the relay is gone."""
        return [asyncio.create_task(self.post_until_it_is_gone(session)) for _ in range(count)]


def received(slack: FakeSlack, deliveries: Mapping[str, str]) -> Counter[str]:
    """How often each delivery was kept, by its id; what is unknown by the id on the wire."""
    counts: Counter[str] = Counter()
    for post, reply in slack.answers:
        if reply.status != 200 or '"ok": false' in str(reply.body):
            continue  # read and refused
        sent = str(post.json["client_msg_id"])
        counts[deliveries.get(sent, sent)] += 1
    return counts


async def look(
    relay: RelayProcess, slack: FakeSlack, acknowledged: set[str], judge: Judge, *, at_rest: bool
) -> list[Finding]:
    """What the judge finds in the journal."""
    records = open_records(relay.env["RELAY_JOURNAL"])
    try:
        stored = await records.deliveries(Filter(limit=ALL))
        names = {client_msg_id(one.delivery.id): one.delivery.id for one in stored}
        ledgers = await Ledgers.read(
            records,
            acknowledged=acknowledged,
            received=received(slack, names),
            now=datetime.now(UTC),
        )
        return judge.look(ledgers, at_rest=at_rest)
    finally:
        await records.close()


def quick_check(path: Path) -> str:
    """What SQLite says of the file."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return str(connection.pragma("quick_check"))
    finally:
        connection.close()


@dataclass
class Report:
    """The figures of some rounds."""

    rounds: int = 0
    acknowledged: int = 0
    received: int = 0
    twice: int = 0
    restarts: list[float] = field(default_factory=list)
    """Seconds from the start of the process until it serves."""
    cpu: list[float] = field(default_factory=list)
    """Seconds of computing in them, which say more on a busy machine."""
    findings: list[Finding] = field(default_factory=list)
    damaged: int = 0


async def kill_rounds(folder: Path, rounds: int, clients: int, seed: int) -> Report:
    """Kill a relay again and again at random moments under load; at last let it finish."""
    chance = random.Random(seed)
    report = Report()
    judge = Judge()
    async with FakeSlack() as slack:
        relay = RelayProcess(folder, RULES.format(slack=slack))
        posting = Clients(relay)
        async with relay, aiohttp.ClientSession() as session:
            await relay.kill()
            for _ in range(rounds):
                started = time.monotonic()
                await relay.start()
                report.restarts.append(time.monotonic() - started)
                report.cpu.append(relay.cpu_seconds())
                tasks = posting.start(clients, session)
                enough = len(posting.acknowledged) + chance.randint(1, 60)
                async with asyncio.timeout(PATIENCE):
                    while len(posting.acknowledged) < enough:
                        await asyncio.sleep(0.001)
                await asyncio.sleep(chance.uniform(0, 0.03))
                await relay.kill()
                await asyncio.gather(*tasks)
                report.rounds += 1
                report.damaged += quick_check(relay.journal) != "ok"
                report.findings += await look(
                    relay, slack, posting.acknowledged, judge, at_rest=False
                )
            await relay.start()
            async with asyncio.timeout(60 + rounds * 2):
                while True:
                    status = await relay.api("/api/status")
                    left = (status["deliveries"][s] for s in ("pending", "claimed", "parked"))
                    if not sum(left) and not status["events"]["unrouted"]:
                        break
                    await asyncio.sleep(0.1)
            await relay.stop()
            report.findings += await look(relay, slack, posting.acknowledged, judge, at_rest=True)
        counts = Counter(str(post.json["client_msg_id"]) for post in slack.posts)
        report.acknowledged = len(posting.acknowledged)
        report.received = len(slack.posts)
        report.twice = sum(count > 1 for count in counts.values())
    return report
