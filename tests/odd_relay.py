"""`relay serve` with one part exchanged, as a program of its own: `python odd_relay.py PART`.

The parts: `disk`, whose faults stand in the file that `RELAY_TEST_FAULT` names; `normal`, a
journal that leaves the sync to the system; `hasty`, a server that answers before the commit.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from relay import cli, logs
from relay.app import USUAL, App, utc_now
from relay.cli.serve import listen_for_signals
from relay.journal import Appended
from relay.journal.doors import journal_path
from relay.journal.sqlite.engine import SqliteJournal, open_engine
from relay.settings import Settings, from_environment
from relay.sources import Reading
from tests.power_loss import Disk

PROGRAM = Path(__file__)


class FaultyDisk(Disk):
    """Its fault is the word in a file, so that a test can change it while the relay runs."""

    def __init__(self, switch: Path) -> None:
        self._switch = switch
        super().__init__("faulty", makedefault=True)

    @property
    def fault(self) -> str | None:
        try:
            return self._switch.read_text() or None
        except FileNotFoundError:
            return None

    @fault.setter
    def fault(self, fault: str | None) -> None:
        if fault is None:
            self._switch.unlink(missing_ok=True)


class HastyJournal:
    """Acknowledges what it has only been asked to store."""

    def __init__(self, journal: SqliteJournal) -> None:
        self._journal = journal
        self._later: list[asyncio.Task[Appended]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def append(self, reading: Reading, **named: Any) -> Appended:
        self._later.append(asyncio.create_task(self._append(reading, named)))
        return Appended(tuple(arrival.event for arrival in reading.arrivals))

    async def _append(self, reading: Reading, named: Mapping[str, Any]) -> Appended:
        await asyncio.sleep(0.05)
        return await self._journal.append(reading, **named)


async def serve(part: str, settings: Settings) -> None:
    logs.configure()
    stop = asyncio.Event()
    listen_for_signals(stop)
    now = utc_now()
    store = await open_engine(
        journal_path(settings.journal),
        now=now,
        synchronous="NORMAL" if part == "normal" else "FULL",
    )
    if part == "hasty":
        assert isinstance(store.journal, SqliteJournal)
        hasty: Any = HastyJournal(store.journal)
        store = replace(store, journal=hasty)
    app = App(settings, store, USUAL, utc_now, frozenset())
    await app._begin(await app._load(None))
    await app._listen()
    addresses = [str(address) for address in app.addresses]
    logs.info("relay serves", addresses=addresses)
    await stop.wait()
    await app.stop()


if __name__ == "__main__":
    if sys.argv[1] == "disk":
        disk = FaultyDisk(Path(os.environ["RELAY_TEST_FAULT"]))
        cli.main(["serve"])
    asyncio.run(serve(sys.argv[1], from_environment(os.environ, {})))
