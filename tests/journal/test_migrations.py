"""The journal of version 1 becomes one of today: whole or not at all, with its work intact."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import pytest

from relay.errors import JournalUnusableError
from relay.events import event_id
from relay.journal import Filter
from relay.journal.sqlite import schema
from relay.journal.sqlite.engine import open_journal, open_records
from relay.journal.sqlite.migrations import MIGRATIONS, VERSION
from relay.journal.sqlite.rows import DELIVERY_FIELDS, delivery_values, micros, packed
from relay.sources import Reading
from tests.journal_suite import DAY, NOW, arrival, claimed, event, owed, reading
from tests.needs import ROOT

JOURNALS = ROOT / "tests" / "journals"
VERSION_1 = (JOURNALS / "version_1.sql").read_text(encoding="utf-8")
VERSION_3 = (JOURNALS / "version_3.sql").read_text(encoding="utf-8")


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def version_1(path: Path) -> None:
    """A journal as the first release left it: events of two days, work in many states."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute(VERSION_1)
    states = ("routed", "routed", "routed", "unmatched", "muted", "received")
    for number, state in enumerate(states):
        made = event(f"e{number}", received_at=NOW - DAY * (number % 2))
        connection.execute(
            "INSERT INTO events (id, source, kind, state, received_at, json)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                made.id,
                "partner",
                made.kind,
                state,
                micros(made.received_at),
                packed(made.to_json()),
            ),
        )
        key = f"key {number}".encode().ljust(32)
        connection.execute(
            "INSERT INTO dedupe_keys VALUES (?, 'same', ?, ?)", (key, made.id, micros(NOW))
        )
    alarm = event("alarm")
    connection.execute(
        "INSERT INTO events (id, source, kind, state, received_at, json)"
        " VALUES (?, 'relay', 'relay_alarm', 'routed', ?, ?)",
        (alarm.id, micros(NOW), packed({**alarm.to_json(), "source": "relay"})),
    )
    for name, state in (
        ("e0", "pending"),
        ("e0", "claimed"),
        ("e1", "delivered"),
        ("e1", "parked"),
        ("e2", "dead"),
        ("alarm", "delivered"),
    ):
        values = delivery_values(owed(name, f"slack:#{state}"))
        row: dict[str, Any] = dict(zip(DELIVERY_FIELDS, values, strict=True))
        row |= {"state": state, "claim": 1, "created_at": micros(NOW), "degraded": 0}
        del row["fault"]
        names = ", ".join(row)
        connection.execute(
            f"INSERT INTO deliveries ({names}) VALUES ({', '.join(f':{n}' for n in row)})", row
        )
    connection.execute(
        "INSERT INTO attempts (delivery, claim, at, outcome, reason)"
        " VALUES (3, 1, ?, 'sent', 'sent')",
        (micros(NOW),),
    )
    connection.execute(
        "INSERT INTO quarantine (at, reason, size, sha256, body)"
        " VALUES (?, 'no JSON', 1, 'x', x'78')",
        (micros(NOW),),
    )
    connection.execute(
        "INSERT INTO tallies VALUES (?, 'duplicate', 4)", (micros(NOW) // 3_600_000_000,)
    )
    connection.close()


def shape(path: Path) -> tuple[str, ...]:
    """What tables, columns, indexes and triggers there are."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found: list[tuple[str, str, str]] = connection.execute(
        "SELECT type, name, coalesce(sql, '') FROM sqlite_schema ORDER BY type, name"
    ).fetchall()
    connection.close()
    return tuple(" ".join(" ".join(row).split()) for row in found)


@pytest.mark.parametrize(("text", "number"), [(VERSION_1, 1), (VERSION_3, 3)])
async def test_a_fixture_is_what_its_version_made(tmp_path: Path, text: str, number: int):
    """Were a step edited, journals in the field would differ from those in the tests."""
    of_text, of_step = tmp_path / "text.db", tmp_path / "step.db"
    connection = apsw.Connection(str(of_text))
    connection.execute(text)
    connection.close()
    connection = apsw.Connection(str(of_step))
    schema.migrate(connection, MIGRATIONS[:number])
    connection.close()
    assert shape(of_text) == shape(of_step)


async def test_an_upgraded_journal_has_the_tables_of_a_new_one(tmp_path: Path):
    version_1(tmp_path / "old.db")
    for name in ("old.db", "new.db"):
        store = await open_journal(url(tmp_path / name), now=NOW)
        await store.journal.close()

    def names(path: Path) -> list[str]:
        return [line.partition("CREATE")[0] for line in shape(path)]

    assert names(tmp_path / "old.db") == names(tmp_path / "new.db")


async def test_an_upgrade_keeps_the_work_and_the_balance(tmp_path: Path):
    path = tmp_path / "relay.db"
    version_1(path)
    store = await open_journal(url(path), now=NOW)
    status = await store.records.status(now=NOW)
    assert (status.events["received"], status.events["unrouted"]) == (6, 1)
    assert status.events["duplicate"] == 4
    # The claimed one was lost with its relay, and is owed again.
    assert status.deliveries == {
        "pending": 2,
        "claimed": 0,
        "delivered": 2,
        "parked": 1,
        "dead": 1,
        "suppressed": 0,
    }
    balance = await store.records.balance()
    assert balance.faults == []
    assert [(day.received, day.owed, day.own) for day in balance.days] == [(3, 2, 0), (3, 3, 1)]
    assert (await claimed(store, "slack:#pending")).event_id == event_id("e0")
    assert (await store.records.unrouted(9))[0].id == event_id("e5")
    assert (await store.journal.append(reading("e0"), now=NOW)).duplicates == 1
    await store.journal.close()


async def test_an_upgrade_of_version_3_keeps_the_work_and_the_balance(tmp_path: Path):
    path = tmp_path / "relay.db"
    connection = apsw.Connection(str(path))
    connection.execute(VERSION_3)
    connection.close()
    store = await open_journal(url(path), now=NOW)
    assert store.recovered == 2
    status = await store.records.status(now=NOW)
    assert status.events == {
        "received": 15,
        "unrouted": 2,
        "unmatched": 1,
        "muted": 1,
        "routed": 11,
        "quarantined": 2,
        "duplicate": 1,
        "ignored": 1,
    }
    assert status.deliveries == {
        "pending": 7,
        "claimed": 0,
        "delivered": 2,
        "parked": 2,
        "dead": 1,
        "suppressed": 1,
    }
    assert status.refused_webhooks == 3
    balance = await store.records.balance()
    assert balance.faults == []
    assert [(day.received, day.owed, day.own) for day in balance.days] == [
        (1, 1, 0),
        (6, 5, 0),
        (8, 6, 1),
    ]
    stored = {one.delivery.id: one for one in await store.records.deliveries(Filter())}
    done = stored[owed("delivered", "slack:#other").id]
    assert done.delivery.reference == {"ts": "1.2", "channel": "C1"}
    assert done.rendered == {"title": "Grüße", "text": "x"}
    refused = stored[owed("degraded", "slack:#other").id].delivery
    assert refused.fault == "refused by the target: too_long"
    assert [one.key for one in await store.records.troubles()] == ["slack:#broken"]
    assert [one.key for one in await store.records.alarms()] == ["out-of-order:slack:#broken"]
    (entry,) = await store.records.directory("171")
    assert (entry.waba.value, entry.client_id.value) == ("100000000000101", "dev001CL")
    print_of_then = hashlib.sha256(b'{"id":"delivered","content":""}').hexdigest()
    again = replace(arrival("delivered"), fingerprint=print_of_then)
    assert (await store.journal.append(Reading((again,)), now=NOW)).duplicates == 1
    await store.journal.close()


async def test_what_version_1_had_lost_is_still_seen(tmp_path: Path):
    path = tmp_path / "relay.db"
    version_1(path)
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM events WHERE state = 'muted'")
    connection.close()
    store = await open_journal(url(path), now=NOW)
    assert (await store.records.balance()).faults == [
        "1970-01-01: 1 events came in and 0 are accounted for",
        "1970-01-01: 1 events are counted as muted and 0 are there",
    ]
    await store.journal.close()


async def test_commands_that_read_say_who_upgrades(tmp_path: Path):
    version_1(tmp_path / "relay.db")
    with pytest.raises(JournalUnusableError, match=rf"version 1; `relay serve` brings.* {VERSION}"):
        open_records(url(tmp_path / "relay.db"))


async def test_an_older_relay_refuses_a_newer_journal_and_names_both(tmp_path: Path):
    path = tmp_path / "relay.db"
    store = await open_journal(url(path), now=NOW)
    await store.journal.close()
    connection = apsw.Connection(str(path))
    with pytest.raises(JournalUnusableError, match=rf"version {VERSION} .*this relay knows 1\)"):
        schema.migrate(connection, MIGRATIONS[:1])
    connection.close()


def statements() -> int:
    """How many statements the upgrade from version 1 runs."""
    connection = apsw.Connection(":memory:")
    connection.execute(VERSION_1)
    count = 0

    def trace(_cursor: object, _sql: str, _bindings: object) -> bool:
        nonlocal count
        count += 1
        return True

    connection.exec_trace = trace
    schema.migrate(connection)
    connection.close()
    return count


STATEMENTS = statements()


class InjectedError(Exception):
    """The injected one."""


@pytest.mark.parametrize("at", range(1, STATEMENTS + 1))
def test_a_fault_at_any_statement_leaves_the_old_journal_whole(tmp_path: Path, at: int):
    path = tmp_path / "relay.db"
    version_1(path)
    before = shape(path)
    connection = apsw.Connection(str(path))
    count = 0

    def trace(_cursor: object, _sql: str, _bindings: object) -> bool:
        nonlocal count
        count += 1
        if count == at:
            raise InjectedError
        return True

    connection.exec_trace = trace
    with pytest.raises(InjectedError):
        schema.migrate(connection)
    connection.exec_trace = None
    connection.close()
    assert shape(path) == before
    connection = apsw.Connection(str(path))
    assert schema.version(connection) == 1
    schema.migrate(connection)
    assert schema.version(connection) == VERSION
    connection.close()


_KILLED = """
import os, signal, sys, apsw
from relay.journal.sqlite import schema
path, at = sys.argv[1], int(sys.argv[2])
connection = apsw.Connection(path)
count = 0
def trace(*_):
    global count
    count += 1
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
    return True
connection.pragma("cache_size", 1)  # pages go to the WAL before the commit
connection.exec_trace = trace
schema.migrate(connection)
"""


@pytest.mark.parametrize("at", [2, STATEMENTS // 3, STATEMENTS - 1, STATEMENTS, STATEMENTS + 1])
async def test_a_relay_killed_midway_leaves_a_journal_that_opens(tmp_path: Path, at: int):
    """Wholly old, and upgraded at the next start; or wholly new."""
    path = tmp_path / "relay.db"
    version_1(path)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _KILLED, str(path), str(at), cwd=ROOT, env=dict(os.environ)
    )
    killed = await child.wait() == -signal.SIGKILL
    assert killed == (at <= STATEMENTS)
    connection = apsw.Connection(str(path))
    assert schema.version(connection) == (1 if killed else VERSION)
    assert connection.pragma("integrity_check") == "ok"
    connection.close()
    store = await open_journal(url(path), now=NOW)
    assert (await store.records.balance()).balanced
    assert len(await store.records.events(Filter())) == 7
    await store.journal.close()
