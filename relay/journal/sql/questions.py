"""The questions of `Records`, each a function of a connection that reads one moment."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from relay.deliveries import Delivery, State
from relay.events import Event
from relay.journal import (
    Alarm,
    Attempt,
    Dead,
    EventState,
    Filter,
    Lane,
    Past,
    RulesVersion,
    Status,
    Stopped,
    StoredDelivery,
    StoredEvent,
    Trouble,
)
from relay.journal.sql import filters, notes
from relay.journal.sql.intake import hour
from relay.journal.sql.rows import (
    DELIVERY_COLUMNS,
    EVENT_COLUMNS,
    Row,
    event_of,
    event_of_row,
    micros,
    moment,
    moment_or_none,
    origins_of,
    packed,
    plain,
    shape_of,
    to_delivery,
)
from relay.journal.sql.writing import Connection
from relay.outcomes import Scope

_NEWEST = 100_000
"""Rows that are read at most to find who spoke."""
_TALLIED = ("quarantined", "duplicate", "ignored")
_EVENT = f"SELECT {EVENT_COLUMNS}, e.state, e.muted_by, e.rules_version FROM events AS e"
_DELIVERY = (
    f"SELECT {DELIVERY_COLUMNS}, d.seq, d.rendered, d.created_at, d.settled_at FROM deliveries AS d"
)
_LANES = """
    WITH lanes AS (
        SELECT target, sum(pending) AS pending, sum(parked) AS parked, sum(claimed) AS claimed,
               min(oldest) AS oldest, min(seq) AS seq, min(open) AS open FROM (
            SELECT target, count(*) AS pending, 0 AS parked, 0 AS claimed, min(due_at) AS oldest,
                   min(seq) AS seq, min(seq) AS open
              FROM deliveries INDEXED BY pending_by_lane WHERE state = 'pending' GROUP BY target
            UNION ALL
            SELECT target, 0, count(*), 0, min(due_at), min(seq), NULL
              FROM deliveries INDEXED BY parked_by_lane WHERE state = 'parked' GROUP BY target
            UNION ALL
            SELECT target, 0, 0, count(*), min(due_at), min(seq), min(seq)
              FROM deliveries INDEXED BY claimed WHERE state = 'claimed' GROUP BY target) AS parts
        GROUP BY target)
    SELECT lanes.target, first.account, lanes.pending, lanes.parked, lanes.oldest, lanes.claimed,
           (SELECT tried_since FROM deliveries WHERE seq = lanes.open), first.id
      FROM lanes JOIN deliveries AS first ON first.seq = lanes.seq
     ORDER BY lanes.target"""
_DEAD = """
    SELECT d.destination, count(*), min(d.settled_at), last.id
      FROM deliveries AS d INDEXED BY dead
      JOIN (SELECT destination, max(seq) AS seq FROM deliveries INDEXED BY dead
             WHERE state = 'dead' AND cause <> 'alarm' GROUP BY destination) AS newest
           USING (destination)
      JOIN deliveries AS last ON last.seq = newest.seq
     WHERE d.state = 'dead' AND d.cause <> 'alarm'
     GROUP BY d.destination, last.id ORDER BY d.destination"""


def event(connection: Connection, event_id: str) -> StoredEvent | None:
    """The event of an id, or of a beginning that only one has."""
    found = filters.resolve(connection, "events", event_id)
    if found is None:
        return None
    row = connection.execute(f"{_EVENT} WHERE e.id = ?", (found,)).fetchone()
    return None if row is None else _stored_event(row)


def events(connection: Connection, wanted: Filter) -> Sequence[StoredEvent]:
    """Events that a filter finds, newest last."""
    if wanted.state == EventState.IGNORED:
        return _ignored(connection, wanted)
    where, parameters = filters.of_events(connection, wanted)
    rows = connection.execute(
        f"{_EVENT} WHERE {where} ORDER BY e.seq DESC LIMIT :limit",
        {**parameters, "limit": max(0, wanted.limit)},
    )
    return [_stored_event(row) for row in rows][::-1]


def places(connection: Connection, wanted: Filter) -> Sequence[int]:
    """Where the events stand that a filter finds, oldest first, the relay's own left out."""
    where, parameters = filters.of_events(connection, wanted)
    rows = connection.execute(
        f"SELECT e.seq FROM events AS e WHERE {where} AND e.source <> 'relay' ORDER BY e.seq",
        parameters,
    )
    return array("q", (seq for (seq,) in rows))


def past(connection: Connection, at: Sequence[int]) -> Sequence[Past]:
    """The recorded events at some places, oldest first; those that are gone are left out."""
    rows = connection.execute(
        f"SELECT e.state, {EVENT_COLUMNS} FROM events AS e"
        f" WHERE e.seq IN ({', '.join('?' * len(at))}) ORDER BY e.seq",
        tuple(at),
    )
    return [Past(event_of_row(columns), state != EventState.RECEIVED) for state, *columns in rows]


def unrouted(connection: Connection, limit: int) -> Sequence[Event]:
    """Events that wait for routing, oldest first."""
    rows = connection.execute(
        f"SELECT {EVENT_COLUMNS} FROM events AS e INDEXED BY events_unrouted"
        " WHERE e.state = 'received' ORDER BY e.seq LIMIT ?",
        (max(0, limit),),
    )
    return [event_of_row(row) for row in rows]


def deliveries(connection: Connection, wanted: Filter) -> Sequence[StoredDelivery]:
    """Deliveries that a filter finds, newest last."""
    where, parameters = filters.of_deliveries(connection, wanted)
    parameters["limit"] = max(0, wanted.limit)
    found = f"{_DELIVERY} WHERE {where} ORDER BY d.seq DESC LIMIT :limit"
    return _stored_deliveries(connection, found, parameters)[::-1]


def count_events(connection: Connection, wanted: Filter) -> int:
    """How many events a filter finds, counted up to its limit."""
    where, parameters = filters.of_events(connection, wanted)
    return _counted(connection, f"events AS e WHERE {where}", parameters, wanted.limit)


def count_deliveries(connection: Connection, wanted: Filter) -> int:
    """How many deliveries a filter finds, counted up to its limit."""
    where, parameters = filters.of_deliveries(connection, wanted)
    return _counted(connection, f"deliveries AS d WHERE {where}", parameters, wanted.limit)


def _counted(connection: Connection, rows: str, parameters: Row, most: int) -> int:
    counted: int = connection.execute(
        f"SELECT count(*) FROM (SELECT 1 FROM {rows} LIMIT :limit) AS found",
        {**parameters, "limit": max(0, most)},
    ).get
    return counted


def stopped(connection: Connection) -> Sequence[Stopped]:
    """What was given up or is parked, by reason and destination."""
    return [
        Stopped(state, reason, destination, count, moment(newest))
        for state in (State.DEAD, State.PARKED)
        for reason, destination, count, newest in connection.execute(
            "SELECT coalesce(reason, ''), destination, count(*), max(created_at)"
            f" FROM deliveries WHERE state = '{state}' GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2"
        )
    ]


def of_event(connection: Connection, event_id: str) -> Sequence[StoredDelivery]:
    """All deliveries of one event, in the order of its rules."""
    found = f"{_DELIVERY} WHERE d.event_id = :event ORDER BY d.seq"
    return _stored_deliveries(connection, found, {"event": plain(event_id)})


def owed(connection: Connection, event_ids: Sequence[str]) -> Sequence[Delivery]:
    """The deliveries of some events, each event's in the order of its rules."""
    rows = connection.execute(
        f"SELECT {DELIVERY_COLUMNS} FROM deliveries AS d"
        " WHERE d.event_id IN (SELECT value FROM json_each(?)) ORDER BY d.event_id, d.seq",
        (packed([plain(one) for one in event_ids]),),
    )
    return [to_delivery(row) for row in rows]


def lanes(connection: Connection) -> Sequence[Lane]:
    """The unfinished work of every target."""
    rows = connection.execute(_LANES)
    return [
        Lane(
            target,
            account,
            pending,
            parked,
            moment_or_none(oldest),
            claimed,
            moment_or_none(since),
            first,
        )
        for target, account, pending, parked, oldest, claimed, since, first in rows
    ]


def dead(connection: Connection) -> Sequence[Dead]:
    """What was given up, by destination."""
    rows = connection.execute(_DEAD)
    return [Dead(name, count, moment(since), last) for name, count, since, last in rows]


def troubles(connection: Connection) -> Sequence[Trouble]:
    """What is out of order, the longest first."""
    rows = connection.execute(
        "SELECT key, scope, reason, fingerprint, since FROM troubles ORDER BY since, key"
    )
    return [
        Trouble(key, Scope(scope), reason, fingerprint, moment(since))
        for key, scope, reason, fingerprint, since in rows
    ]


def alarms(connection: Connection) -> Sequence[Alarm]:
    """What is on, the oldest first."""
    rows = connection.execute("SELECT key, began_at, text FROM alarms ORDER BY began_at, key")
    return [Alarm(key, moment(began_at), text) for key, began_at, text in rows]


def rules(connection: Connection, version: int | None = None) -> RulesVersion | None:
    """A rules version; None: the newest."""
    where = "TRUE" if version is None else "version = :version"
    row = connection.execute(
        f"SELECT version, loaded_at, files, who FROM rules_versions WHERE {where}"
        " ORDER BY version DESC LIMIT 1",
        {} if version is None else {"version": version},
    ).fetchone()
    if row is None:
        return None
    made = RulesVersion(row[0], moment(row[1]), json.loads(row[2]), who=row[3])
    return made if version is not None else replace(made, checked=notes.checked(connection))


def _stored_event(row: tuple[Any, ...]) -> StoredEvent:
    *columns, state, muted_by, rules_version = row
    return StoredEvent(
        event_of_row(columns), EventState(state), muted_by, rules_version, origins_of(*columns[:2])
    )


def _ignored(connection: Connection, wanted: Filter) -> list[StoredEvent]:
    """What was dropped as private; it has neither number, client nor destination."""
    if any((wanted.phone, wanted.client, wanted.destination)):
        return []
    terms = ["received_at >= :since"]
    parameters: Row = {
        "since": micros(wanted.since) if wanted.since else 0,
        "limit": max(0, wanted.limit),
    }
    if wanted.kind is not None:
        terms.append("kind = :kind")
        parameters["kind"] = plain(wanted.kind)
    if wanted.ids is not None:
        terms.append("id IN (SELECT value FROM json_each(:ids))")
        parameters["ids"] = packed([plain(one) for one in wanted.ids])
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT json, reason FROM ignored WHERE {' AND '.join(terms)}"
        " ORDER BY seq DESC LIMIT :limit",
        parameters,
    ).fetchall()
    return [
        StoredEvent(event_of(shape_of(text)), EventState.IGNORED, None, None, reason=reason)
        for text, reason in rows
    ][::-1]


def _stored_deliveries(connection: Connection, sql: str, parameters: Row) -> list[StoredDelivery]:
    rows: list[tuple[Any, ...]] = connection.execute(sql, parameters).fetchall()
    attempts: dict[int, list[Attempt]] = {row[-4]: [] for row in rows}
    tried: Iterable[tuple[Any, ...]] = connection.execute(
        "SELECT delivery, at, outcome, reason, duration_ms FROM attempts"
        " WHERE delivery IN (SELECT CAST(value AS BIGINT) FROM json_each(?)) ORDER BY delivery, id",
        (packed(list(attempts)),),
    )
    for seq, at, outcome, reason, duration_ms in tried:
        attempts[seq].append(Attempt(moment(at), outcome, reason, duration_ms))
    return [
        StoredDelivery(
            delivery=to_delivery(tuple(values)),
            attempts=tuple(attempts[seq]),
            rendered=None if rendered is None else json.loads(rendered),
            created_at=moment(created_at),
            settled_at=moment_or_none(settled_at),
        )
        for *values, seq, rendered, created_at, settled_at in rows
    ]


_ANSWERS = """
    SELECT a.at, a.outcome, a.reason, a.duration_ms FROM attempts AS a
     WHERE a.outcome IS NOT NULL AND a.delivery IN (
        SELECT * FROM (SELECT seq FROM deliveries INDEXED BY deliveries_by_destination
                        WHERE destination = :name ORDER BY seq DESC LIMIT 20) AS newest
        UNION SELECT min(seq) FROM deliveries INDEXED BY pending_by_lane
               WHERE state = 'pending' AND target = :target
        UNION SELECT min(seq) FROM deliveries INDEXED BY parked_by_lane
               WHERE state = 'parked' AND target = :target)
     ORDER BY a.id DESC LIMIT :count"""


def answers(
    connection: Connection, targets: Mapping[str, str], count: int
) -> dict[str, list[Attempt]]:
    """The last tries of some destinations that came to an end, newest first.

    Of a long history only the newest deliveries and the head of the lane are looked at.
    """
    return {
        name: [
            Attempt(moment(at), outcome, reason, duration)
            for at, outcome, reason, duration in connection.execute(
                _ANSWERS, {"name": plain(name), "target": plain(target), "count": count}
            )
        ]
        for name, target in targets.items()
    }


def heard(connection: Connection, after: int) -> tuple[int, dict[str, datetime]]:
    """The newest row's number, and of the newer rows than `after` the last time of each source.

    Of a long absence only the newest rows are read: what is older is no news.
    """
    newest = connection.execute("SELECT coalesce(max(seq), 0) FROM events").get
    rows = connection.execute(
        "SELECT source, max(received_at) FROM events WHERE seq > ? GROUP BY source",
        (max(after, newest - _NEWEST),),
    )
    return newest, {source: moment(at) for source, at in rows}


def status(connection: Connection, *, now: datetime) -> Status:
    """The counts, all from one moment."""
    counted: dict[str, dict[str, int]] = {"events": {}, "deliveries": {}}
    for noun, state, count in connection.execute(
        "SELECT CASE noun WHEN 'own' THEN 'deliveries' ELSE noun END, state, sum(count)"
        " FROM ledger GROUP BY 1, 2"
    ):
        counted[noun][state] = count
    events = counted["events"]
    tallied = dict.fromkeys(_TALLIED, 0) | dict(
        connection.execute(
            "SELECT name, sum(count) FROM tallies WHERE name IN (?, ?, ?) GROUP BY name", _TALLIED
        )
    )
    ignored: dict[str, int] = dict(
        connection.execute(
            "SELECT substr(name, 10), sum(count) FROM tallies"
            " WHERE name LIKE 'ignored: %' GROUP BY 1"
        )
    )
    last = connection.execute(
        "SELECT received_at FROM events WHERE source IN ('partner', 'waba')"
        " ORDER BY seq DESC LIMIT 1"
    ).get
    refused = connection.execute(
        "SELECT coalesce(sum(count), 0) FROM tallies WHERE name = 'refused' AND hour > ?",
        (hour(now) - 24,),
    ).get
    return Status(
        events={
            "received": sum(events.values()),
            "unrouted": events.get(EventState.RECEIVED, 0),
            "unmatched": events.get(EventState.UNMATCHED, 0),
            "muted": events.get(EventState.MUTED, 0),
            "routed": events.get(EventState.ROUTED, 0),
            **tallied,
        },
        deliveries={state.value: 0 for state in State} | counted["deliveries"],
        last_event_at=moment_or_none(last),
        refused_webhooks=refused,
        ignored=ignored,
    )
