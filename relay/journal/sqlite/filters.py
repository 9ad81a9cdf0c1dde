"""`Filter` as conditions in SQL, for the questions and for what operators do in bulk."""

from __future__ import annotations

import apsw

from relay.deliveries import State
from relay.journal import EventState, Filter
from relay.journal.sqlite.rows import Row, folded, micros, packed, plain

SHORTEST_BEGINNING = 4
"""Characters of an id that may stand for the whole of it."""

_LITERALS = {state.value for state in (*State, *EventState)}


def resolve(connection: apsw.Connection, table: str, given: str) -> str | None:
    """The id that is meant: the very one, or the only one with this beginning."""
    given = plain(given)
    if connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (given,)).fetchone():  # noqa: S608
        return given
    if len(given) < SHORTEST_BEGINNING:
        return None
    found = connection.execute(
        f"SELECT id FROM {table} WHERE id >= ? AND id < ? LIMIT 2",  # noqa: S608
        (given, given + "\U0010ffff"),
    ).fetchall()
    return str(found[0][0]) if len(found) == 1 else None


def of_events(connection: apsw.Connection, wanted: Filter) -> tuple[str, Row]:
    """The conditions on `events AS e`, and their parameters."""
    terms, parameters = _of_subject(wanted)
    if wanted.state is not None:
        terms.append(_state("e", wanted.state, parameters))
    if wanted.destination is not None:
        terms.append(
            "EXISTS (SELECT 1 FROM deliveries AS d"
            " WHERE d.event_id = e.id AND d.destination = :destination)"
        )
        parameters["destination"] = plain(wanted.destination)
    if wanted.since is not None:
        terms.append("e.received_at >= :since")
        parameters["since"] = micros(wanted.since)
    if wanted.until is not None:
        terms.append("e.received_at < :until")
        parameters["until"] = micros(wanted.until)
    if wanted.ids is not None:
        terms.append("e.id IN (SELECT value FROM json_each(:ids))")
        parameters["ids"] = _ids(connection, "events", wanted.ids)
    return " AND ".join(terms) or "TRUE", parameters


def of_deliveries(connection: apsw.Connection, wanted: Filter) -> tuple[str, Row]:
    """The conditions on `deliveries AS d`, and their parameters."""
    subject, parameters = _of_subject(wanted)
    terms = []
    if subject:
        terms.append(f"d.event_id IN (SELECT e.id FROM events AS e WHERE {' AND '.join(subject)})")  # noqa: S608
    if wanted.state is not None:
        terms.append(_state("d", wanted.state, parameters))
    if wanted.destination is not None:
        terms.append("d.destination = :destination")
        parameters["destination"] = plain(wanted.destination)
    if wanted.since is not None:
        terms.append("d.created_at >= :since")
        parameters["since"] = micros(wanted.since)
    if wanted.until is not None:
        terms.append("d.created_at < :until")
        parameters["until"] = micros(wanted.until)
    if wanted.ids is not None:
        terms.append("d.id IN (SELECT value FROM json_each(:ids))")
        parameters["ids"] = _ids(connection, "deliveries", wanted.ids)
    return " AND ".join(terms) or "TRUE", parameters


def _of_subject(wanted: Filter) -> tuple[list[str], Row]:
    terms: list[str] = []
    parameters: Row = {}
    if wanted.kind is not None:
        terms.append("e.kind = :kind")
        parameters["kind"] = plain(wanted.kind)
    if wanted.phone is not None:
        terms.append("e.seq IN (SELECT event FROM event_phones WHERE phone = :phone)")
        parameters["phone"] = plain(wanted.phone)
    if wanted.client is not None:
        terms.append("(e.client_id = :client OR e.client_name = :client)")
        parameters["client"] = folded(wanted.client)
    return terms, parameters


def _state(alias: str, state: str, parameters: Row) -> str:
    """A known state stands in the SQL itself: only so can a partial index serve it."""
    if state in _LITERALS:
        return f"{alias}.state = '{state}'"
    parameters["state"] = plain(state)
    return f"{alias}.state = :state"


def _ids(connection: apsw.Connection, table: str, given: tuple[str, ...]) -> str:
    found = (resolve(connection, table, one) for one in given)
    return packed([one for one in found if one is not None])
