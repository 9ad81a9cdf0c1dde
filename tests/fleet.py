"""Several real relays on one database, and clients that post to whichever answers."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import aiohttp

from relay.channels.slack.writing import client_msg_id
from relay.deliveries import State
from relay.journal import Filter, StoredDelivery
from relay.journal.doors import open_records
from tests import postgres
from tests.client import partner
from tests.crashes import event_id_of, received
from tests.fakes.http import Post, Reply
from tests.fakes.slack import FakeSlack, error
from tests.judge import ALL, Finding, Judge, Ledgers
from tests.needs import PATIENCE
from tests.relay_process import TOKEN, RelayProcess

A_SECOND = 20
"""Messages a second that the paced destination is to get at most."""
BESIDE = timedelta(seconds=1)
GONE = "#gone"
RULES = f"""\
version: 1
accounts:
  slack: {{{{token: xoxb-of-the-tests, api_url: "{{slack.api_url}}"}}}}
destinations:
  support: {{{{slack: {{{{channel: "#support"}}}}, pace: none}}}}
  paced: {{{{slack: {{{{channel: "#paced"}}}}, pace: "{A_SECOND}/s"}}}}
  gone: {{{{slack: {{{{channel: "{GONE}"}}}}, pace: none}}}}
  oncall: {{{{slack: {{{{channel: "#oncall"}}}}, pace: none}}}}
rules:
  - {{{{name: Live, when: {{{{event: channel_live}}}}, send_to: [support, paced]}}}}
  - {{{{name: Gone, when: {{{{event: channel_running}}}}, send_to: gone}}}}
default: {{{{send_to: support}}}}
alarms: {{{{send_to: oncall}}}}
"""
KINDS = ("channel_live", "channel_created", "channel_created")
SETTLED = (State.DELIVERED, State.DEAD, State.SUPPRESSED)


class WatchedSlack(FakeSlack):
    """It notes when each post came, by channel."""

    def __init__(self) -> None:
        super().__init__()
        self.times: defaultdict[str, list[float]] = defaultdict(list)

    def usual(self, post: Post) -> Reply:
        self.times[post.key].append(time.monotonic())
        return super().usual(post)

    def fastest(self, key: str, seconds: float) -> int:
        """The most posts to a channel within so many seconds."""
        times = self.times[key]
        first, most = 0, 0
        for last, at in enumerate(times):
            while at - times[first] > seconds:
                first += 1
            most = max(most, last - first + 1)
        return most


@dataclass
class Fleet:
    """The relays, and what their senders were told."""

    relays: list[RelayProcess]
    slack: WatchedSlack
    session: aiohttp.ClientSession
    url: str
    acknowledged: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    judge: Judge = field(default_factory=Judge)
    _posted: int = 0

    def living(self) -> list[RelayProcess]:
        """Those whose process runs and serves."""
        return [one for one in self.relays if one.process and one.process.returncode is None]

    async def post(self, kind: str) -> None:
        """Post one event until a relay acknowledges it, as senders do."""
        self._posted += 1
        body = {**partner(self._posted), "event": kind}
        headers = {"Authorization": f"Bearer {TOKEN}"}
        async with asyncio.timeout(2 * PATIENCE):  # the longest outage of the tests is one
            while True:
                if living := self.living():
                    place = f"{random.choice(living).url}/webhooks/360dialog"
                    try:
                        async with self.session.post(place, json=body, headers=headers) as answer:
                            self.statuses[answer.status] += 1
                            if answer.status == 200:
                                self.acknowledged.add(event_id_of(body))
                                return
                            assert answer.status == 503, await answer.text()
                            assert int(answer.headers["Retry-After"]) > 0
                    except (aiohttp.ClientError, OSError, TimeoutError):
                        self.statuses[0] += 1
                await asyncio.sleep(0.02)

    async def load(self, until: asyncio.Event, *, pause: float = 0.05) -> None:
        """One client that posts on and on."""
        while not until.is_set():
            await self.post(KINDS[self._posted % len(KINDS)])
            await asyncio.sleep(pause)

    @asynccontextmanager
    async def loaded(self, clients: int = 8, *, pause: float = 0.05) -> AsyncIterator[None]:
        """Clients post while the block runs."""
        until = asyncio.Event()
        tasks = [asyncio.create_task(self.load(until, pause=pause)) for _ in range(clients)]
        try:
            yield
            until.set()
            await asyncio.gather(*tasks)
        finally:
            for task in tasks:
                task.cancel()

    async def deliveries(self) -> list[StoredDelivery]:
        """All of them, in the order in which they were owed."""
        records = open_records(self.url)
        try:
            return [*await records.deliveries(Filter(limit=ALL))]
        finally:
            await records.close()

    async def rest(self, seconds: float = PATIENCE * 2) -> None:
        """Wait until all that was taken in is settled."""
        async with asyncio.timeout(seconds):
            while True:
                records = open_records(self.url)
                try:
                    status = await records.status(now=datetime.now(UTC))
                finally:
                    await records.close()
                left = sum(status.deliveries[s] for s in ("pending", "claimed", "parked"))
                if not left and not status.events["unrouted"]:
                    return
                await asyncio.sleep(0.2)

    async def findings(self, *, at_rest: bool) -> list[Finding]:
        """What the judge finds."""
        records = open_records(self.url)
        try:
            stored = await records.deliveries(Filter(limit=ALL))
            names = {client_msg_id(one.delivery.id): one.delivery.id for one in stored}
            ledgers = await Ledgers.read(
                records,
                acknowledged=self.acknowledged,
                received=received(self.slack, names),
                now=datetime.now(UTC),
            )
            return self.judge.look(ledgers, at_rest=at_rest)
        finally:
            await records.close()

    async def out_of_turn(self) -> list[str]:
        """Deliveries to support, of one try each, that came after one that was owed much later.

        Relays route beside each other, so that within `BESIDE` there is no order.
        """
        owed = {
            client_msg_id(one.delivery.id): one.created_at
            for one in await self.deliveries()
            if one.delivery.destination == "support" and len(one.attempts) == 1
        }
        came = [str(post.json.get("client_msg_id")) for post in self.slack.posts]
        latest, found = datetime.min.replace(tzinfo=UTC), []
        for name in came:
            at = owed.get(name)
            if at is not None:
                if latest - at > BESIDE:
                    found.append(f"{name}, {latest - at} late")
                latest = max(latest, at)
        return found

    def alarms(self, about: str) -> list[str]:
        """What the person on call was told of something."""
        texts = [json.dumps(post.json) for post in self.slack.posts if post.key == "#oncall"]
        return [text for text in texts if about in text]


@asynccontextmanager
async def a_fleet(
    folder: Path, url: str, count: int, *, env: Mapping[str, str] | None = None
) -> AsyncIterator[Fleet]:
    """So many relays that serve; `#gone` is no channel."""
    async with WatchedSlack() as slack, aiohttp.ClientSession() as session:
        slack.always(error("channel_not_found"), GONE)
        rules = RULES.format(slack=slack)
        relays = [
            RelayProcess(folder / f"relay{n}", rules, env={"RELAY_JOURNAL": url, **(env or {})})
            for n in range(count)
        ]
        try:
            for one in relays:
                await one.start()
            yield Fleet(relays, slack, session, url)
        finally:
            for one in relays:
                await one.__aexit__(None, None, None)


@dataclass
class Storm:
    """What came of a time of kills."""

    acknowledged: int
    kills: int
    longest_pause: float
    """Seconds that support heard nothing, though events came all the time."""
    fastest: int
    """Posts to the paced channel within ten seconds."""
    findings: list[Finding]
    out_of_turn: list[str]
    alarms: list[str]
    """Of the channel that is gone."""
    lost: int
    """Acknowledged, and neither delivered nor dead."""


async def storm(folder: Path, seconds: float, seed: int, *, every: float = 4.0) -> Storm:
    """Three relays under load; a random one is killed again and again, the database twice."""
    chance = random.Random(seed)
    cluster = postgres.cluster()
    kills = 0
    async with a_fleet(folder, cluster.url(cluster.fresh()), 3) as fleet:
        await fleet.post("channel_running")
        began = time.monotonic()
        async with fleet.loaded(6, pause=0.1):
            restarts = [seconds / 3, seconds * 2 / 3]
            while (now := time.monotonic() - began) < seconds:
                if restarts and now > restarts[0]:
                    restarts.pop(0)
                    await asyncio.to_thread(cluster.restart, chance.choice(["fast", "immediate"]))
                victim = chance.choice(fleet.relays)
                await victim.kill()
                kills += 1
                await asyncio.sleep(every * chance.random())
                await victim.start()
                await asyncio.sleep(every * chance.random())
        times = fleet.slack.times["#support"]
        pauses = [after - at for at, after in pairwise(times)]
        fleet.slack.always(None, GONE)
        async with asyncio.timeout(PATIENCE):
            while len(fleet.alarms("gone")) < 2:
                await asyncio.sleep(0.1)
        await fleet.rest(PATIENCE + len(fleet.acknowledged) / A_SECOND)
        counts = Counter(one.delivery.state for one in await fleet.deliveries())
        return Storm(
            acknowledged=len(fleet.acknowledged),
            kills=kills,
            longest_pause=max(pauses),
            fastest=fleet.slack.fastest("#paced", 10),
            findings=await fleet.findings(at_rest=True),
            out_of_turn=await fleet.out_of_turn(),
            alarms=fleet.alarms("gone"),
            lost=sum(count for state, count in counts.items() if state not in SETTLED),
        )
