"""What the relay holds idle and with a million pending, and what a million finished rows cost."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path

from benchmarks import yard
from benchmarks.startup import taken
from benchmarks.throughput import load
from benchmarks.yard import Options, Row, Server

Cell = str | bytes | int | float | None

LANES = 50
SEED = 1_000
"""Events that the relay itself wrote, of which the others are copies."""
SPAN = 100_000
"""Apart from each other stand the numbers of rows and of their copies."""


def multiply(journal: Path, times: int) -> None:
    """Copy all events with what hangs on them so often, each copy with keys of its own.

    What the tables are called and hold is asked, so that the schema may change.
    """
    with sqlite3.connect(journal) as base:
        base.executescript("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF")

        def other(value: Cell, copy: int) -> Cell:
            match value:
                case int():
                    return value + copy * SPAN
                case str():
                    return f"{copy:08x}{value[8:]}" if value else value
                case bytes():
                    return copy.to_bytes(4) + value[4:]
            return value

        base.create_function("other", 2, other, deterministic=True)
        base.execute("CREATE TEMP TABLE copies (copy INTEGER)")
        base.executemany("INSERT INTO copies VALUES (?)", [(n,) for n in range(1, times)])
        for table, keys in _keys(base).items():
            names = [row[1] for row in base.execute(f"PRAGMA table_info({table})")]
            values = [f"other({name}, copy)" if name in keys else name for name in names]
            base.execute(
                f"INSERT INTO {table} ({', '.join(names)}) "  # noqa: S608  our own names
                f"SELECT {', '.join(values)} FROM {table} CROSS JOIN copies"
            )


def _keys(base: sqlite3.Connection) -> dict[str, set[str]]:
    """The tables of events and of what refers to them, and what tells the rows of each apart."""
    tables = [name for (name,) in base.execute("SELECT name FROM sqlite_schema WHERE type='table'")]
    abroad = {
        table: {(row[2], row[3]) for row in base.execute(f"PRAGMA foreign_key_list({table})")}
        for table in tables
    }
    chosen = ["events"]
    for _ in tables:
        chosen += [
            table
            for table, refers in abroad.items()
            if table not in chosen and any(parent in chosen for parent, _ in refers)
        ]
    chosen += [table for table in ("dedupe_keys",) if table in tables]
    found = {}
    for table in chosen:
        keys = {row[1] for row in base.execute(f"PRAGMA table_info({table})") if row[5]}
        for index in base.execute(f"PRAGMA index_list({table})").fetchall():
            if index[2]:
                keys |= {row[2] for row in base.execute(f"PRAGMA index_info({index[1]})")}
        found[table] = (keys | {column for _, column in abroad[table]} | {"event_id"}) - {"phone"}
    return found


async def fill(server: Server, target: Server, *, finished: bool) -> None:
    await server.up()
    start = 10_000 if finished else 20_000
    numbers = range(start, start + SEED)
    await yard.post_all(server, numbers, LANES)
    if finished:
        await yard.arrived(target, numbers)


async def settle_down(server: Server, target: Server, number: int) -> float:
    """The memory in MB once an event was told and all is quiet."""
    await server.up()
    await yard.post_all(server, range(number, number + 1), 1)
    await yard.arrived(target, range(number, number + 1))
    await asyncio.sleep(1)
    return server.memory()


async def begin(server: Server) -> tuple[float, float]:
    """Seconds until the first 200, and the memory in MB after some seconds of work."""
    seconds = await taken(server, 1, 1)
    await asyncio.sleep(5)
    return seconds, server.memory()


def measure(options: Options) -> Sequence[Row]:
    copies = options.of(1_000_000, 3_000) // SEED
    with yard.slack() as target, yard.folder() as pending, yard.folder() as finished:
        text = yard.rules(LANES, target.port)
        idle, ready, busy, ratios = [], [], [], []
        for home, pace in ((pending, "1/min"), (finished, "none")):
            with yard.relay(options, yard.rules(LANES, target.port, pace=pace), home) as server:
                asyncio.run(fill(server, target, finished=home is finished))
            multiply(home / "relay.db", copies)
            yard.say(f"{home.name}: {(home / 'relay.db').stat().st_size / 1e6:,.0f} MB")
        for turn in range(1, options.rounds + 1):
            with yard.relay(options, text) as server:
                idle.append(asyncio.run(settle_down(server, target, 1_000 + turn)))
            with yard.relay(options, text, pending) as server:
                began, held = asyncio.run(begin(server))
            ready.append(began)
            busy.append(held)
            costs = []
            for journal in (finished, None):
                with (
                    yard.slack() as empty,
                    yard.relay(options, yard.rules(LANES, empty.port), journal) as server,
                ):
                    made = load(server, empty, options.of(3_000, 100), turn * 100_000)
                    costs.append(asyncio.run(made)[1])
            ratios.append(costs[0] / costs[1])
            yard.say(
                f"idle {idle[-1]:.0f} MB, pending {held:.0f} MB, ready {began:.2f} s, ", end=""
            )
            yard.say(f"an event {costs[0] * 1e3:.2f} ms against {costs[1] * 1e3:.2f}")
    return [
        Row("memory idle", f"{yard.median(idle):.0f} MB", "80 MB", "55 MB"),
        Row("memory with 1,000,000 pending", f"{yard.median(busy):.0f} MB", "120 MB", "80 MB"),
        Row("ready with 1,000,000 pending", f"{yard.median(ready):.1f} s", "2 s", "1 s"),
        Row(
            "cost of an event with 1,000,000 finished against none",
            f"{yard.median(ratios):.2f}",
            "1.3",
            "1.1",
        ),
    ]


if __name__ == "__main__":
    yard.run(measure)
