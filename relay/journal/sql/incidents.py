"""Incidents on disk: how each stands, of which events, and what its targets show of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from relay import incidents
from relay.deliveries import Cause, Delivery, delivery_id
from relay.incidents import MOST_SHOWN, Incident, Living, Matter, Updates, View
from relay.journal import EventState, Owing
from relay.journal.sql.rows import (
    DELIVERY_COLUMNS,
    EVENT_COLUMNS,
    event_of_row,
    micros,
    moment,
    moment_or_none,
    packed,
    plain,
    to_delivery,
)
from relay.journal.sql.writing import Connection, Writing
from relay.outcomes import Act
from relay.phones import index_key

_NAMES = "id, key, opened_at, state_at, changed_at, changes, closed_at"
_LAST = f"SELECT {_NAMES} FROM incidents WHERE key = ? ORDER BY opened_at DESC, id LIMIT 1"
_BY_ID = f"SELECT {_NAMES} FROM incidents WHERE id = ?"
_KEEP = (
    f"INSERT INTO incidents ({_NAMES}) VALUES (?, ?, ?, ?, ?, ?, ?)"
    " ON CONFLICT (id) DO UPDATE SET state_at = excluded.state_at,"
    " changed_at = excluded.changed_at, changes = excluded.changes, closed_at = excluded.closed_at"
)
_EVENTS = (
    f"SELECT i.place, {EVENT_COLUMNS} FROM incident_events AS i JOIN events AS e ON e.seq = i.event"
    " WHERE i.incident = ?"
)
_LIVING = (
    "INSERT INTO incident_targets (incident, target, first, living, reference, posted, shown)"
    " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (incident, target) DO UPDATE SET"
    " living = excluded.living, reference = excluded.reference, posted = excluded.posted,"
    " shown = CASE WHEN excluded.posted = 0 OR excluded.shown > incident_targets.shown"
    " THEN excluded.shown ELSE incident_targets.shown END"
)


@dataclass(frozen=True, slots=True)
class Concern:
    """The incident that an event opens or changes."""

    incident: Incident
    owing: Owing

    def follows(self, delivery: Delivery) -> Delivery:
        """A delivery of the event, as one of the incident."""
        return replace(delivery, incident=self.incident.id)

    def in_silence(self, connection: Connection, delivery: Delivery) -> Delivery | None:
        """What is owed all the same where a delivery is suppressed: the closing edit."""
        shows = self.owing.updates.get(delivery.destination) is Updates.EDIT
        if self.incident.closed_at is None or not (shows and self._was_told(connection, delivery)):
            return None
        return self._edit(delivery, acts=(Act.REPLY,))

    def beside(
        self, connection: Connection, told: Collection[str], now: datetime
    ) -> Iterator[Delivery]:
        """What is owed where the rules send nothing of it: at targets that were told before."""
        owing = self.owing
        muted = owing.routing.state is EventState.MUTED
        for values in connection.execute(
            f"SELECT {DELIVERY_COLUMNS} FROM incident_targets AS t"
            " JOIN deliveries AS d ON d.id = t.first WHERE t.incident = ? ORDER BY d.seq",
            (self.incident.id,),
        ).fetchall():
            first = to_delivery(values)
            mode = owing.updates.get(first.destination, Updates.POST)
            if first.target in told or mode is Updates.POST:
                continue
            if muted and (self.incident.closed_at is None or mode is not Updates.EDIT):
                continue
            fresh = Delivery(
                id=delivery_id(owing.event.id, first.target),
                event_id=owing.event.id,
                destination=first.destination,
                channel=first.channel,
                target=first.target,
                account=first.account,
                cause=Cause.INCIDENT,
                due_at=now,
                tried_since=now,
                rules_version=owing.routing.rules_version,
                recipients=first.recipients,
            )
            yield self._edit(fresh, acts=(Act.REPLY,) if muted else ())

    def tell(self, connection: Writing, delivery: Delivery) -> None:
        """Remember that a target is told of the incident, first by this delivery."""
        tell(connection, self.incident.id, delivery)

    def _edit(self, delivery: Delivery, *, acts: tuple[Act, ...]) -> Delivery:
        return replace(delivery, cause=Cause.INCIDENT, incident=self.incident.id, acts=acts)

    def _was_told(self, connection: Connection, delivery: Delivery) -> bool:
        return bool(
            connection.execute(
                "SELECT count(*) FROM incident_targets WHERE incident = ? AND target = ?",
                (self.incident.id, plain(delivery.target)),
            ).get
        )


def concern(connection: Writing, seq: int, owing: Owing, now: datetime) -> Concern | None:
    """Open or change the incident of an event that is being routed; None where it has none."""
    if owing.incident_key is None:
        return None
    row = connection.execute(_LAST, (owing.incident_key,)).fetchone()
    after = incidents.step(_incident(row) if row else None, owing.event, owing.incident_key, now)
    if after is None:
        return None
    connection.execute(
        _KEEP,
        (
            after.id,
            after.key,
            micros(after.opened_at),
            micros(after.state_at),
            micros(after.changed_at),
            after.changes,
            None if after.closed_at is None else micros(after.closed_at),
        ),
    )
    connection.execute(
        "INSERT INTO incident_events (incident, place, event) VALUES (?, ?, ?)",
        (after.id, after.changes, seq),
    )
    return Concern(after, owing)


def tell(connection: Writing, incident: str, delivery: Delivery) -> None:
    """Remember that a target is told of an incident, first by this delivery."""
    connection.execute(
        "INSERT INTO incident_targets (incident, target, first) VALUES (?, ?, ?)"
        " ON CONFLICT (incident, target) DO NOTHING",
        (incident, plain(delivery.target), delivery.id),
    )


def by_id(connection: Connection, incident_id: str) -> Incident | None:
    """An incident as it stands; None if it is no longer kept."""
    row = connection.execute(_BY_ID, (incident_id,)).fetchone()
    return _incident(row) if row else None


def view(connection: Connection, delivery: Delivery) -> View | None:
    """How the incident of a delivery stands, and what its target shows of it."""
    incident = by_id(connection, delivery.incident or "")
    if incident is None:
        return None
    newest = connection.execute(
        f"{_EVENTS} ORDER BY i.place DESC LIMIT {MOST_SHOWN}", (incident.id,)
    ).fetchall()
    first = connection.execute(f"{_EVENTS} ORDER BY i.place LIMIT 1", (incident.id,)).fetchone()
    place = connection.execute(
        "SELECT i.place FROM incident_events AS i JOIN events AS e ON e.seq = i.event"
        " WHERE i.incident = ? AND e.id = ?",
        (incident.id, delivery.event_id),
    ).get
    if first is None or place is None:
        return None
    told = connection.execute(
        "SELECT posted, shown, living, reference FROM incident_targets"
        " WHERE incident = ? AND target = ?",
        (incident.id, plain(delivery.target)),
    ).fetchone()
    posted, shown, living, reference = told or (0, 0, "", "{}")
    return View(
        incident,
        tuple(event_of_row(values) for _, *values in reversed(newest)),
        event_of_row(first[1:]),
        place,
        posted,
        shown,
        living,
        json.loads(reference),
    )


def keep(connection: Writing, living: Living) -> None:
    """Record what a target shows now."""
    connection.execute(
        _LIVING,
        (
            living.incident,
            plain(living.target),
            living.delivery,
            living.delivery,
            packed(dict(living.reference)),
            living.posted,
            living.shown,
        ),
    )


def forget(connection: Writing, phone: str) -> None:
    """Erase the incidents of a number: a hash of so few possible values is no secret."""
    keys = [incidents.key(matter, index_key(phone)) for matter in Matter]
    connection.executemany("DELETE FROM incidents WHERE key = ?", [(key,) for key in keys])


def _incident(row: Any) -> Incident:
    id_, key, opened_at, state_at, changed_at, changes, closed_at = row
    return Incident(
        id_,
        key,
        moment(opened_at),
        moment(state_at),
        moment(changed_at),
        changes,
        moment_or_none(closed_at),
    )
