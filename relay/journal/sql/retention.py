"""Retention: finished work that is old enough leaves, a few rows at a time.

Theory of operation: a pass goes through the phases of `Phase` in steps; each step is one verb of
the writer, so webhooks are recorded between any two of them. A step examines rows from where the
last one ended, so that work which stays (pending, parked, dead) is passed once and never counted
again. What leaves is booked as closed in the ledger in the same transaction: the balance stays.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from relay.journal.care import START, Mark, Phase, Pruned
from relay.journal.sql.rows import NUMBERS, micros, packed
from relay.journal.sql.writing import Connection, Writing

STEP_ROWS = 500
"""Rows that one step removes at most, but for a single event that has more of its own."""
STEP_BYTES = 2 * 1024 * 1024
EXAMINED = 500
"""Rows that one step looks at."""
KEYS_OUTLIVE = timedelta(days=14)
"""So much longer than events their keys stay: a late repeat of a removed event is still one."""
BODIES_STAY = timedelta(days=14)

_EXAMINED = """
    SELECT e.seq, e.received_at, octet_length(e.json) + coalesce(octet_length(e.added), 0),
           (SELECT count(*) FROM deliveries AS d WHERE d.event_id = e.id)
           + (SELECT count(*) FROM deliveries AS d JOIN attempts AS a ON a.delivery = d.seq
               WHERE d.event_id = e.id),
           (SELECT coalesce(sum(octet_length(d.rendered)), 0)
              FROM deliveries AS d WHERE d.event_id = e.id),
           e.state IN ('routed', 'unmatched', 'muted') AND NOT EXISTS (
               SELECT 1 FROM deliveries AS d WHERE d.event_id = e.id AND (
                   d.state NOT IN ('delivered', 'suppressed')
                   OR coalesce(d.settled_at, d.created_at) >= :before))
      FROM events AS e INDEXED BY events_by_time
     WHERE (e.received_at, e.seq) > (:at, :seq) AND e.received_at < :before
     ORDER BY e.received_at, e.seq LIMIT :limit"""
_CLOSE_EVENTS = """
    INSERT INTO ledger (day, noun, state, count, closed)
        SELECT received_at / 86400000000, 'events', state, 0, count(*) FROM events
         WHERE seq IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) AND source <> 'relay'
         GROUP BY 1, 3
        ON CONFLICT (day, noun, state)
        DO UPDATE SET closed = ledger.closed + excluded.closed"""
_CLOSE_DELIVERIES = """
    INSERT INTO ledger (day, noun, state, count, closed)
        SELECT day, CASE own WHEN 0 THEN 'deliveries' ELSE 'own' END, state, 0, count(*)
          FROM deliveries
         WHERE seq IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) GROUP BY day, own, state
        ON CONFLICT (day, noun, state)
        DO UPDATE SET closed = ledger.closed + excluded.closed"""
_OLD_KEYS = """
    SELECT k.hash, k.seen_at, EXISTS (SELECT 1 FROM events AS e WHERE e.id = k.event_id)
      FROM dedupe_keys AS k INDEXED BY dedupe_by_time
     WHERE (k.seen_at, k.hash) > (:at, :hash) AND k.seen_at < :before
     ORDER BY k.seen_at, k.hash LIMIT :limit"""


def prune(
    connection: Writing, *, now: datetime, keep: timedelta | None, after: Mark = START
) -> Pruned:
    """One step of a pass."""
    match after.phase:
        case Phase.BODIES:
            return _bodies(connection, micros(now - BODIES_STAY))
        case _ if keep is None and after.phase is not Phase.PAGES:
            return Pruned(Mark(Phase.PAGES))
        case Phase.EVENTS if keep is not None:
            return _events(connection, micros(now - keep), after)
        case Phase.KEYS if keep is not None:
            return _keys(connection, micros(now - keep - KEYS_OUTLIVE), after)
        case Phase.QUARANTINE if keep is not None:
            return _quarantine(connection, micros(now - max(keep, BODIES_STAY)))
        case _:
            return _pages(connection)


def _events(connection: Connection, before: int, after: Mark) -> Pruned:
    at, seq = after.after
    rows: list[tuple[Any, ...]] = connection.execute(
        _EXAMINED, {"at": at, "seq": seq, "before": before, "limit": EXAMINED}
    ).fetchall()
    leaving: list[int] = []
    count = size = 0
    following = Mark(Phase.KEYS)
    for event, received_at, length, beside, rendered, finished in rows:
        if finished:
            count += 1 + beside
            size += length + rendered
            if leaving and (count > STEP_ROWS or size > STEP_BYTES):
                break
            leaving.append(event)
        following = Mark(Phase.EVENTS, (received_at, event))
    else:
        if len(rows) < EXAMINED:
            following = Mark(Phase.KEYS)
    return _remove(connection, leaving, following)


def _remove(connection: Connection, events: list[int], following: Mark) -> Pruned:
    if not events:
        return Pruned(following)
    gone = packed(events)
    deliveries = [
        seq
        for (seq,) in connection.execute(
            "SELECT seq FROM deliveries WHERE event_id IN"
            f" (SELECT id FROM events WHERE seq IN {NUMBERS})",
            (gone,),
        )
    ]
    owed = packed(deliveries)
    connection.execute(_CLOSE_EVENTS, (gone,))
    connection.execute(_CLOSE_DELIVERIES, (owed,))
    connection.execute(
        f"DELETE FROM attempts WHERE delivery IN {NUMBERS}",
        (owed,),
    )
    attempts = connection.changes()
    connection.execute(f"DELETE FROM event_phones WHERE event IN {NUMBERS}", (gone,))
    connection.execute(f"DELETE FROM twin_tokens WHERE event IN {NUMBERS}", (gone,))
    connection.execute(
        f"DELETE FROM deliveries WHERE seq IN {NUMBERS}",
        (owed,),
    )
    connection.execute(f"DELETE FROM events WHERE seq IN {NUMBERS}", (gone,))
    return Pruned(following, events=len(events), deliveries=len(deliveries), attempts=attempts)


def _keys(connection: Connection, before: int, after: Mark) -> Pruned:
    at, last = after.after
    rows: list[tuple[Any, ...]] = connection.execute(
        _OLD_KEYS, {"at": at, "hash": last, "before": before, "limit": STEP_ROWS}
    ).fetchall()
    leaving = [(key,) for key, _, used in rows if not used]
    connection.executemany("DELETE FROM dedupe_keys WHERE hash = ?", leaving)
    more = len(rows) == STEP_ROWS
    following = Mark(Phase.KEYS, (rows[-1][1], rows[-1][0])) if more else Mark(Phase.QUARANTINE)
    return Pruned(following, keys=len(leaving))


def _bodies(connection: Connection, before: int) -> Pruned:
    """The bodies of quarantine, whose size, hash and reason stay."""
    leaving: list[int] = []
    size = 0
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT id, length(body) FROM quarantine INDEXED BY quarantine_bodies"
        " WHERE body IS NOT NULL AND at < ? ORDER BY at LIMIT ?",
        (before, STEP_ROWS),
    ).fetchall()
    for item, length in rows:
        size += length
        if leaving and size > STEP_BYTES:
            break
        leaving.append(item)
    if not leaving:
        return Pruned(Mark(Phase.EVENTS))
    connection.execute(
        f"UPDATE quarantine SET body = NULL WHERE id IN {NUMBERS}",
        (packed(leaving),),
    )
    return Pruned(Mark(Phase.BODIES), bodies=len(leaving))


def _quarantine(connection: Connection, before: int) -> Pruned:
    connection.execute(
        "DELETE FROM quarantine WHERE id IN (SELECT id FROM quarantine INDEXED BY"
        " quarantine_by_time WHERE at < ? AND body IS NULL LIMIT ?)",
        (before, STEP_ROWS),
    )
    gone = connection.changes()
    connection.execute(
        "DELETE FROM ignored WHERE seq IN"
        " (SELECT seq FROM ignored WHERE received_at < ? ORDER BY received_at LIMIT ?)",
        (before, STEP_ROWS),
    )
    more = STEP_ROWS in (gone, connection.changes())
    connection.execute("DELETE FROM silences WHERE told_at < ?", (before,))
    connection.execute("DELETE FROM incidents WHERE changed_at < ?", (before,))
    return Pruned(Mark(Phase.QUARANTINE if more else Phase.PAGES), quarantined=gone)


def _pages(connection: Writing) -> Pruned:
    gone = connection.give_back_space()
    return Pruned(Mark(Phase.PAGES) if gone else None, pages=gone)
