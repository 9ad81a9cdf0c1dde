"""Silences on disk: which are on, when each was over, and what it suppressed."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from relay.journal.answers import Kept, Silenced
from relay.journal.sql.rows import EVENT_COLUMNS, event_of_row, micros, moment, plain
from relay.journal.sql.writing import Connection, Writing
from relay.quiet import Conditions, Silence

MOST_LISTED = 20
"""Of what one silence suppressed, the newest."""

_CONDITIONS = tuple(one.name for one in fields(Conditions))
_NAMES = (
    "id, who, why, also_critical, began_at, until, zone, ended_at, ended_by,"
    f" {', '.join(_CONDITIONS)}"
)
_OF = (
    "FROM silenced AS s JOIN deliveries AS d ON d.seq = s.delivery"
    " JOIN events AS e ON e.id = d.event_id"
)


def on(connection: Writing) -> tuple[Silence, ...]:
    """Those that are not over, though their time may have come."""
    if connection.silences is None:
        connection.silences = _read(connection, "ended_at IS NULL")
    return connection.silences


def begin(connection: Writing, silence: Silence) -> Silence:
    """Record a silence; the same with its id."""
    about = silence.about
    values = {
        "who": plain(silence.who),
        "why": plain(silence.why),
        "also_critical": int(silence.also_critical),
        "began_at": micros(silence.began_at),
        "until": micros(silence.until),
        "zone": str(silence.until.tzinfo),
        **{name: plain(text) for name, text in about.given.items()},
    }
    ((number,),) = connection.rows(
        f"INSERT INTO silences ({', '.join(values)})"
        f" VALUES ({', '.join('?' * len(values))}) RETURNING id",
        tuple(values.values()),
    )
    connection.changed()
    return replace(silence, id=str(number))


def end(
    connection: Writing, silence_id: str, *, now: datetime, who: str | None = None
) -> Silence | None:
    """End a silence, by hand where `who` does; None if there is none, or it was over before."""
    found = _read(connection, "id = ? AND ended_at IS NULL", (_number(silence_id),))
    if not found:
        return None
    ended = replace(found[0], ended_at=min(now, found[0].until), ended_by=who)
    connection.execute(
        "UPDATE silences SET ended_at = ?, ended_by = ? WHERE id = ?",
        (micros(ended.ended_at or now), who and plain(who), int(ended.id)),
    )
    connection.changed()
    return ended


def mark_told(connection: Writing, silence_id: str, *, now: datetime) -> bool:
    """Record that its end is told; False if it was before."""
    rows = connection.rows(
        "UPDATE silences SET told_at = ? WHERE id = ? AND told_at IS NULL RETURNING id",
        (micros(now), _number(silence_id)),
    )
    return bool(rows)


def keep(connection: Writing, silence: Silence, delivery: int) -> None:
    """Record that it suppressed a delivery, by row."""
    connection.execute(
        "INSERT INTO silenced (delivery, silence) VALUES (?, ?)", (delivery, int(silence.id))
    )


def untold(connection: Connection) -> tuple[Silence, ...]:
    """Those whose end was not told yet: all that are on, too."""
    return _read(connection, "told_at IS NULL")


def silences(
    connection: Connection, *, since: datetime | None = None, silence_id: str | None = None
) -> tuple[Silenced, ...]:
    """Each with what it suppressed, by its beginning.

    Those that are on, and those that were over since a moment, or ever; or the one with an id.
    """
    if silence_id is not None:
        found = _read(connection, "id = ?", (_number(silence_id),))
    elif since is not None:
        found = _read(connection, "ended_at IS NULL OR ended_at >= ?", (micros(since),))
    else:
        found = _read(connection, "id > 0")
    return tuple(_with_what_it_kept(connection, one) for one in found)


def _with_what_it_kept(connection: Connection, silence: Silence) -> Silenced:
    number = (int(silence.id),)
    counts: list[tuple[Any, ...]] = connection.execute(
        f"SELECT d.destination, e.kind, count(*) {_OF} WHERE s.silence = ?"
        " GROUP BY d.destination, e.kind ORDER BY count(*) DESC, d.destination, e.kind",
        number,
    ).fetchall()
    last: list[tuple[Any, ...]] = connection.execute(
        f"SELECT d.id, d.destination, d.created_at, {EVENT_COLUMNS} {_OF}"
        " WHERE s.silence = ? ORDER BY s.delivery DESC LIMIT ?",
        (*number, MOST_LISTED),
    ).fetchall()
    return Silenced(
        silence,
        {(name, kind): count for name, kind, count in counts},
        tuple(
            Kept(delivery, name, moment(at), event_of_row(row)) for delivery, name, at, *row in last
        ),
    )


def _number(silence_id: str) -> int:
    """The row of a silence; 0, which none has, for what is no id."""
    short = silence_id.isascii() and silence_id.isdecimal() and len(silence_id) < 19
    return int(silence_id) if short else 0


def _read(
    connection: Connection, where: str, parameters: tuple[Any, ...] = ()
) -> tuple[Silence, ...]:
    rows: list[tuple[Any, ...]] = connection.execute(
        f"SELECT {_NAMES} FROM silences WHERE {where} ORDER BY id",
        parameters,
    ).fetchall()
    return tuple(
        Silence(
            id=str(number),
            about=Conditions(*about),
            why=why,
            who=who,
            began_at=moment(began_at),
            until=moment(until).astimezone(ZoneInfo(zone)),
            also_critical=bool(also_critical),
            ended_at=None if ended_at is None else moment(ended_at),
            ended_by=ended_by,
        )
        for (
            number,
            who,
            why,
            also_critical,
            began_at,
            until,
            zone,
            ended_at,
            ended_by,
            *about,
        ) in rows
    )
