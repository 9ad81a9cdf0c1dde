"""One power loss in the life of a journal, by a seed: what was acknowledged and what is left."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import dataclass
from pathlib import Path

import apsw

from relay.events import event_id
from relay.journal.sqlite.connection import Synchronous
from relay.journal.sqlite.engine import open_engine
from relay.outcomes import Proof, Sent
from tests.journal_suite import NOW, claim_one, owed, reading, route_one, routed, settled
from tests.power_loss import Disk


@dataclass(frozen=True, slots=True)
class Cut:
    """What one power loss did."""

    acknowledged: int
    lost: tuple[str, ...]
    """Acknowledged events that are not there, by name."""
    damage: str
    """Of the file, in words; `ok` is none."""


async def cut_power(folder: Path, seed: int, synchronous: Synchronous = "FULL") -> Cut:
    """Write events of many sizes, deliver some, lose the power in the middle of it, and look."""
    chance = random.Random(seed)
    after = folder / "after"
    after.mkdir()
    disk = Disk(f"cut-{seed}-{synchronous}")
    acknowledged: dict[str, str] = {}
    try:
        store = await open_engine(
            folder / "relay.db", now=NOW, vfs=disk.name, synchronous=synchronous
        )

        async def append(name: str) -> None:
            title = "ü" * chance.choice([1, 40, 3_000, 30_000])
            taken = await store.journal.append(reading(name, title=title), now=NOW)
            acknowledged[taken.events[0].id] = name

        async def deliver(name: str) -> None:
            await route_one(store, event_id(name), routed(owed(name)), now=NOW)
            claimed = await claim_one(store, "slack:#wa", now=NOW)
            if claimed is not None:
                await settled(store, claimed.delivery, Sent(Proof.POSTED))

        for n in range(chance.randint(1, 8)):
            names = [f"{n} {m}" for m in range(chance.randint(1, 6))]
            await asyncio.gather(*map(append, names))
            if chance.random() < 0.5:
                await deliver(chance.choice(names))
        under_way = [asyncio.ensure_future(append(f"last {n}")) for n in range(3)]
        await asyncio.sleep(chance.choice([0, 0, 0.0005, 0.002]))
        told = dict(acknowledged)
        disk.lose_power(after, chance)
        await asyncio.gather(*under_way)
        await store.journal.close()
    finally:
        disk.unregister()
    return await _look(after / "relay.db", told)


async def _look(path: Path, told: dict[str, str]) -> Cut:
    try:
        store = await open_engine(path, now=NOW)
    except Exception as error:
        return Cut(len(told), tuple(told.values()), str(error))
    try:
        lost = [name for one, name in told.items() if await store.records.event(one) is None]
    finally:
        await store.journal.close()
    connection = apsw.Connection(str(path))
    damage = str(connection.pragma("integrity_check"))
    for (text,) in connection.execute("SELECT json FROM events"):
        json.loads(text)
    connection.close()
    return Cut(len(told), tuple(lost), damage)
