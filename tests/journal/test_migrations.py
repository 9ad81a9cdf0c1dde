"""A journal of version 3 becomes one of today: whole or not at all, with its work intact."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import sys
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from relay.errors import JournalUnusableError
from relay.journal import Filter
from relay.journal.sql.schema import STEPS, VERSION
from relay.journal.sqlite import schema
from relay.journal.sqlite.engine import open_journal, open_records
from relay.sources import Reading
from tests.journal_suite import NOW, arrival, owed
from tests.needs import ROOT

JOURNALS = ROOT / "tests" / "journals"
VERSION_3 = (JOURNALS / "version_3.sql").read_text(encoding="utf-8")


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def version_3(path: Path) -> None:
    """A journal as version 3 left it: events of three days, work in many states."""
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.execute(VERSION_3)
    connection.close()


def shape(path: Path) -> tuple[str, ...]:
    """What tables, columns, indexes and triggers there are."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    found = connection.execute(
        "SELECT type, name, iif(type = 'table', (SELECT json_group_array(json_array("
        ' name, type, "notnull", dflt_value, pk)) FROM (SELECT * FROM'
        " pragma_table_xinfo(s.name) ORDER BY name)), coalesce(sql, ''))"
        " FROM sqlite_schema AS s ORDER BY type, name"
    ).fetchall()
    connection.close()
    return tuple(" ".join(" ".join(map(str, row)).split()) for row in found)


async def test_an_upgraded_journal_has_the_tables_of_a_new_one(tmp_path: Path):
    version_3(tmp_path / "old.db")
    for name in ("old.db", "new.db"):
        store = await open_journal(url(tmp_path / name), now=NOW)
        await store.journal.close()
    assert shape(tmp_path / "old.db") == shape(tmp_path / "new.db")


async def test_an_upgrade_keeps_the_work_and_the_balance(tmp_path: Path):
    path = tmp_path / "relay.db"
    version_3(path)
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
        "held": 0,
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


async def test_what_was_lost_before_is_still_seen(tmp_path: Path):
    path = tmp_path / "relay.db"
    version_3(path)
    connection = apsw.Connection(str(path))
    connection.execute("DELETE FROM events WHERE state = 'muted'")
    connection.close()
    store = await open_journal(url(path), now=NOW)
    came, counted = (await store.records.balance()).faults
    assert "came in and" in came
    assert "1 events are counted as muted and 0 are there" in counted
    await store.journal.close()


async def test_tables_from_before_the_first_release_are_refused(tmp_path: Path):
    path = tmp_path / "relay.db"
    version_3(path)
    connection = apsw.Connection(str(path))
    connection.execute("UPDATE meta SET value = '2' WHERE key = 'version'")
    connection.close()
    with pytest.raises(JournalUnusableError, match=r"version 2, .* knows 3 and later"):
        await open_journal(url(path), now=NOW)


async def test_commands_that_read_say_who_upgrades(tmp_path: Path):
    version_3(tmp_path / "relay.db")
    with pytest.raises(JournalUnusableError, match=rf"version 3; `relay serve` brings.* {VERSION}"):
        open_records(url(tmp_path / "relay.db"))


async def test_an_older_relay_refuses_a_newer_journal_and_names_both(tmp_path: Path):
    path = tmp_path / "relay.db"
    store = await open_journal(url(path), now=NOW)
    await store.journal.close()
    connection = apsw.Connection(str(path))
    with pytest.raises(JournalUnusableError, match=rf"version {VERSION} .*this relay knows 4\)"):
        schema.migrate(connection, STEPS[:1])
    connection.close()


def statements() -> int:
    """How many statements the upgrade from version 3 runs."""
    connection = apsw.Connection(":memory:")
    connection.execute(VERSION_3)
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
    version_3(path)
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
    assert schema.version(connection) == 3
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
    version_3(path)
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _KILLED, str(path), str(at), cwd=ROOT, env=dict(os.environ)
    )
    killed = await child.wait() == -signal.SIGKILL
    assert killed == (at <= STATEMENTS)
    connection = apsw.Connection(str(path))
    assert schema.version(connection) == (3 if killed else VERSION)
    assert connection.pragma("integrity_check") == "ok"
    connection.close()
    store = await open_journal(url(path), now=NOW)
    assert (await store.records.balance()).balanced
    assert len(await store.records.events(Filter())) == 15
    await store.journal.close()
