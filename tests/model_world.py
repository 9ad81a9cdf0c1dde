"""A relay in virtual time: the real journal, pipeline and worker, and targets that do as told.

`World` starts it, posts to it, crashes it with a loss of power at any verb of the journal or in
the middle of a send, and keeps the ledgers that the judge compares. Subclasses replace a part by
a broken one, to see that the judge notices.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Set
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from relay import reload
from relay.channels import Channel, Destination, Parcel
from relay.inbox import Inbox
from relay.journal import Filter, Journal, Store, StoredEvent
from relay.journal.sqlite.engine import open_engine
from relay.metrics import Metrics
from relay.outcomes import (
    Ambiguous,
    Outcome,
    OutOfOrder,
    Proof,
    RateLimited,
    Refused,
    Scope,
    Sent,
    Transient,
)
from relay.pace import Tempo
from relay.pipeline import Plan
from relay.settings import Settings
from relay.sources.reading import read
from relay.worker import Worker
from tests.judge import Finding, Judge, Ledgers
from tests.power_loss import Disk
from tests.virtual_time import VirtualLoop

MEMORY = Path("/dev/shm")
"""What a loss of power does is up to `Disk`, so the files need no real one."""
BEGINNING = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
TEMPLATES = {
    "default.md.j2": "# {{ event.title }}\n\n{{ event.phone }}\n",
    "channel_ready.md.j2": "# {{ 1 // (event.phones|length - 1) }}\n",
}
"""The second one fails for every event."""

DESTINATIONS = """\
version: 1
accounts:
  slack: {token: xoxb-of-the-tests, api_url: "https://slack.example.com/api/"}
destinations:
  sales: {slack: {channel: "#sales"}, pace: none}
  other: {slack: {channel: "sales"}, pace: none}
  support: {slack: {channel: "#support"}}
"""


@dataclass(frozen=True, slots=True)
class Rules:
    """A rules file, and beside it what it means: destinations by kind, {} for none of them."""

    text: str
    owed: Mapping[str, Set[str]]


RULES: Mapping[str, Rules] = {
    "all": Rules(
        DESTINATIONS
        + """\
rules:
  - {name: Live, when: {event: channel_live}, send_to: [sales, support]}
  - {name: Created, when: {event: channel_created}, send_to: [sales, other]}
  - {name: Ready, when: {event: channel_ready}, send_to: support}
  - {name: Nobody, when: {event: channel_running}, send_to: none}
""",
        {
            "channel_live": {"sales", "support"},
            "channel_created": {"sales"},
            "channel_ready": {"support"},
        },
    ),
    "without sales": Rules(
        DESTINATIONS.replace('  sales: {slack: {channel: "#sales"}, pace: none}\n', "")
        + """\
rules:
  - {name: Live, when: {event: channel_live}, send_to: support, stop: true}
  - {name: Nobody, when: {event: channel_created}, send_to: none}
default: {send_to: other}
""",
        {
            "channel_live": {"support"},
            "channel_ready": {"other"},
            "channel_running": {"other"},
            "channel_submitted": {"other"},
        },
    ),
}
KINDS = (
    "channel_live",
    "channel_created",
    "channel_ready",
    "channel_running",
    "channel_submitted",
)
TARGETS = ("sales", "support")


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What a target does with one message."""

    outcome: Outcome
    receives: bool = False
    seconds: float = 0.0
    crashes: bool = False
    """The relay dies when the target has the message."""


SENT = Behaviour(Sent(Proof.POSTED), receives=True)
BEHAVIOURS: Mapping[str, Behaviour] = {
    "sent": SENT,
    "slow": replace(SENT, seconds=45.0),
    "transient": Behaviour(Transient("503")),
    "account transient": Behaviour(Transient("503", Scope.ACCOUNT)),
    "answer lost": Behaviour(Ambiguous("no answer"), receives=True),
    "request lost": Behaviour(Ambiguous("no answer"), seconds=20.0),
    "refused": Behaviour(Refused("invalid_blocks")),
    "out of order": Behaviour(OutOfOrder("channel_not_found")),
    "account out of order": Behaviour(OutOfOrder("token_revoked", Scope.ACCOUNT)),
    "rate limited": Behaviour(RateLimited("429", 30.0)),
    "crash": replace(SENT, crashes=True),
}


class Targets:
    """A channel whose targets do as told, and whose ledger is what they received."""

    name = "slack"

    def __init__(self, die: Callable[[], Awaitable[None]]) -> None:
        self.received: Counter[str] = Counter()
        self.next: dict[str, list[Behaviour]] = {target: [] for target in TARGETS}
        self.usual: dict[str, Behaviour] = dict.fromkeys(TARGETS, SENT)
        self.unwritable = 0
        """So many of the next messages meet a fault of the relay's own while they are written."""
        self._die = die

    def payload(self, _destination: Destination, parcel: Parcel) -> dict[str, Any]:
        if self.unwritable:
            self.unwritable -= 1
            raise RuntimeError("nobody foresaw this")
        return {"delivery": parcel.delivery_id, "title": parcel.message.title}

    async def send(self, destination: Destination, payload: Mapping[str, Any]) -> Outcome:
        target = destination.target.rpartition(":")[2]
        behaviour = self.next[target].pop(0) if self.next[target] else self.usual[target]
        await asyncio.sleep(behaviour.seconds)
        if behaviour.receives:
            self.received[payload["delivery"]] += 1
        if behaviour.crashes:
            await self._die()
        return behaviour.outcome

    async def close(self) -> None:
        pass

    def heal(self) -> None:
        """From now on everything is taken."""
        self.unwritable = 0
        for target in TARGETS:
            self.next[target].clear()
            self.usual[target] = SENT


class Mortal:
    """A journal whose process may die, before a verb or after its commit, but not its answer."""

    def __init__(self, journal: Journal, die: Callable[[], Awaitable[None]]) -> None:
        self._journal = journal
        self._die = die
        self.verbs_left: int | None = None
        self.after_the_commit = False
        self.dead = False
        self.buried = False

    def __getattr__(self, name: str) -> Any:
        verb = getattr(self._journal, name)
        if name == "leads":
            return verb

        async def call(*arguments: Any, **named: Any) -> Any:
            if self.buried:
                raise asyncio.CancelledError
            doomed = False
            if self.verbs_left is not None:
                self.verbs_left -= 1
                doomed = self.verbs_left < 0
            if self.dead or (doomed and not self.after_the_commit):
                await self._die()
            result = await verb(*arguments, **named)
            if self.dead or doomed:
                await self._die()
            return result

        return call


class World:
    """One relay and its surroundings, from the first start to the last look."""

    def __init__(self, seed: int = 0, synchronous: Any = "FULL") -> None:
        self.loop = VirtualLoop()
        self.loop.busy = self._writer_is_busy
        self._threads = ThreadPoolExecutor(2)
        self.loop.set_default_executor(self._threads)
        self.chance = random.Random(seed)
        self.synchronous = synchronous
        self._home = TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None)
        templates = Path(self._home.name) / "message_templates"
        templates.mkdir()
        for name, text in TEMPLATES.items():
            (templates / name).write_text(text, encoding="utf-8")
        self._places = 0
        self.disk = Disk(f"model-{id(self)}")
        self.path = self._new_place() / "relay.db"
        self.skew = timedelta(0)
        """What somebody did to the wall clock."""
        self.rules = "all"
        self.acknowledged: set[str] = set()
        self.targets = Targets(self._die)
        self.versions: dict[int, str] = {}
        self.judge = Judge(self._owed)
        self.posts: set[asyncio.Task[None]] = set()
        self._died = asyncio.Event()
        self._opening = False
        self.store: Store | None = None
        self.worker: Worker
        self.mortal: Mortal

    def clock(self) -> datetime:
        return BEGINNING + self.skew + timedelta(seconds=self.loop.time())

    def do(self, work: Awaitable[Any]) -> Any:
        """Run to its end; None where the relay crashed meanwhile, which is running again then."""
        return self.loop.run_until_complete(self._until_crash(work))

    async def start(self) -> None:
        """Open the journal, adopt the rules, begin to work."""
        self._opening = True
        store = await open_engine(
            self.path, now=self.clock(), vfs=self.disk.name, synchronous=self.synchronous
        )
        self._opening = False
        self.mortal = Mortal(store.journal, self._die)
        self.store = replace(store, journal=self.journal_of(self.mortal))
        self._died.clear()
        plan = await self._plan()
        self.worker = Worker(
            self.store,
            plan,
            {"slack": self.channel_of(self.targets)},
            metrics=Metrics(),
            clock=self.clock,
            tempo=Tempo(grace=5.0),
            inbox=Inbox(),
            chance=random.Random(self.chance.random()),
        )
        await self.worker.start()

    def journal_of(self, journal: Any) -> Any:
        """A broken relay replaces it."""
        return journal

    def channel_of(self, channel: Channel) -> Channel:
        """A broken relay replaces it."""
        return channel

    async def post(self, number: int, kind: str, content: str = "") -> None:
        """Send one webhook and note down what is acknowledged; returns before the answer."""
        self.posts.add(asyncio.create_task(self._post(number, kind, content)))
        await asyncio.sleep(0)

    async def _post(self, number: int, kind: str, content: str) -> None:
        if self.store is None:
            return
        body = {
            "id": f"evt-{number}",
            "event": kind,
            "data": {
                "id": "c1CH",
                "status": content,
                "setup_info": {"phone_number": "491713920011"},
            },
        }
        reading = read(json.dumps(body).encode(), received_at=self.clock(), keep=frozenset())
        added = await self.store.journal.append(reading, now=self.clock())
        self.acknowledged |= {event.id for event in added.events}
        self.worker.inbox.put(added.events)

    async def wait(self, seconds: float) -> None:
        """Let time pass."""
        await asyncio.sleep(seconds)

    async def jump(self, by: timedelta) -> None:
        """Somebody sets the wall clock."""
        self.skew += by

    async def crash_now(self) -> None:
        """Whatever is under way."""
        self._died.set()
        await asyncio.Event().wait()

    async def adopt(self, rules: str) -> None:
        """Make other rules the live ones."""
        self.rules = rules
        await self.worker.adopt(await self._plan())

    async def retry(self) -> None:
        """An operator puts back what is dead or parked."""
        for state in ("dead", "parked"):
            await self._journal.retry(Filter(state=state), now=self.clock(), who="ada")
        self.worker.hurry()

    async def discard(self, state: str) -> None:
        """An operator gives up what is in this state."""
        await self._journal.discard(Filter(state=state), now=self.clock(), who="ada")

    async def stop(self) -> bool:
        """SIGTERM."""
        await asyncio.gather(*self.posts)
        await self.worker.stop(5.0)
        await self._journal.close()
        self.store = None
        return True

    async def crash(self) -> None:
        """The power fails: nothing that was not synced need be there afterwards."""
        self.mortal.dead = True
        place = self._new_place()
        self.disk.lose_power(place, self.chance, keep_all=self.chance.random() < 0.3)
        self.mortal.buried = True
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        self.posts.clear()
        # What the dead process left open is given back; its files are no longer looked at.
        await self.mortal._journal.close()
        self.store = None
        self.path = place / "relay.db"

    def findings(self, *, at_rest: bool = False) -> list[Finding]:
        """What the judge finds; at rest, after all targets were mended and all work was done."""
        while at_rest and not self.do(self.rest()):
            pass
        while (found := self.do(self._look(at_rest))) is None:
            pass
        return list(found)

    async def _look(self, at_rest: bool) -> list[Finding]:
        return self.judge.look(await self.ledgers(), at_rest=at_rest)

    async def ledgers(self) -> Ledgers:
        """All three, at one moment."""
        await asyncio.gather(*self.posts)
        self.posts.clear()
        while True:
            # Time passes only when all is quiet, so nothing changes between the questions.
            await asyncio.sleep(0.001)
            commits = self._commits()
            ledgers = await Ledgers.read(
                self._store.records,
                acknowledged=self.acknowledged,
                received=self.targets.received,
                now=self.clock(),
            )
            if commits == self._commits():
                return ledgers

    async def rest(self) -> bool:
        """All targets work, all destinations are back; wait until all work is done."""
        self.targets.heal()
        self.mortal.verbs_left = None
        if self.rules != "all":
            await self.adopt("all")
        await asyncio.gather(*self.posts)
        self.posts.clear()
        for _ in range(200):
            status = await self._store.records.status(now=self.clock())
            left = (status.deliveries[state] for state in ("pending", "claimed", "parked"))
            if not sum(left) and not status.events["unrouted"]:
                break
            await asyncio.sleep(120)
        return True

    def close(self) -> None:
        """Give everything back."""
        if self.store is not None:
            self.loop.run_until_complete(self.crash())
        self._threads.shutdown()
        self.loop.close()
        self.disk.unregister()
        self._home.cleanup()

    @property
    def _store(self) -> Store:
        assert self.store is not None
        return self.store

    @property
    def _journal(self) -> Journal:
        return self._store.journal

    def _new_place(self) -> Path:
        self._places += 1
        place = Path(self._home.name) / str(self._places)
        place.mkdir()
        return place

    def _owed(self, stored: StoredEvent) -> Set[str]:
        rules = RULES[self.versions[stored.rules_version or 0]]
        return rules.owed.get(stored.event.kind, frozenset())

    async def _plan(self) -> Plan:
        """Load the rules as `serve` does, and remember under which version they went live."""
        home = Path(self._home.name)
        (home / "rules.yaml").write_text(RULES[self.rules].text, encoding="utf-8")
        settings = Settings(
            rules=home / "rules.yaml",
            templates=home / "message_templates",
            journal=f"sqlite:///{home / 'relay.db'}",
        )
        loaded = await reload.start(settings, self._store, now=self.clock())
        self.versions[loaded.plan.version] = self.rules
        return loaded.plan

    def _commits(self) -> int:
        return int(self.mortal._journal.commits)  # type: ignore[attr-defined]

    def _writer_is_busy(self) -> bool:
        if self.store is None:
            return self._opening
        return bool(self.mortal._journal._writer.waiting)  # type: ignore[attr-defined]

    async def _die(self) -> None:
        """Whoever calls this was running in a process that is no more."""
        self.mortal.dead = True
        self._died.set()
        await asyncio.Event().wait()

    async def _until_crash(self, work: Awaitable[Any]) -> Any:
        doing = asyncio.ensure_future(work)
        dying = asyncio.ensure_future(self._died.wait())
        await asyncio.wait([doing, dying], return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            dying.cancel()
            return doing.result()
        self._died.clear()
        await self.crash()
        await self.start()
        return None
