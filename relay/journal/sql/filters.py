"""`Filter` as conditions in SQL, for the questions and for what operators do in bulk."""

from __future__ import annotations

import re
from string import ascii_lowercase, ascii_uppercase

from relay.deliveries import State
from relay.journal import SEARCHED, EventState, Filter
from relay.journal.sql.rows import Row, folded, micros, packed, plain
from relay.journal.sql.writing import Connection

SHORTEST_BEGINNING = 4
"""Characters of an id that may stand for the whole of it."""

_LITERALS = {state.value for state in (*State, *EventState)}


def resolve(connection: Connection, table: str, given: str) -> str | None:
    """The id that is meant: the very one, or the only one with this beginning."""
    given = plain(given)
    if connection.execute(f"SELECT 1 FROM {table} WHERE id = ?", (given,)).fetchone():
        return given
    if len(given) < SHORTEST_BEGINNING:
        return None
    found = connection.execute(
        f"SELECT id FROM {table} WHERE id >= ? AND id < ? LIMIT 2",
        (given, given + "\U0010ffff"),
    ).fetchall()
    return str(found[0][0]) if len(found) == 1 else None


_NUMBER = re.compile(r"[+0-9 ()/.-]+")
_ID = re.compile(r"[0-9a-f]{4,20}")
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)
"""As `lower` of SQLite does it: other letters stay as they are written."""
_WORDS = {
    "reason": "lower",
    "destination": "lower",
    "rule": "lower",
    "refused": "quoted",
    "recipients": "quoted",
}
"""The columns of a delivery's own words, and the parameter that is written as they are."""
FEWEST_DIGITS = 4
"""Of a part of a number that is looked for."""


def of_events(connection: Connection, wanted: Filter) -> tuple[str, Row]:
    """The conditions on `events AS e`, and their parameters."""
    terms, parameters = _of_subject(wanted)
    terms += _of_rows(connection, "e", "events", "received_at", wanted, parameters)
    if wanted.destination is not None:
        # By the few deliveries of each event, never by the many of a destination.
        terms.append(
            "EXISTS (SELECT 1 FROM deliveries AS d"
            " WHERE d.event_id = e.id AND d.destination || '' = :destination)"
        )
        parameters["destination"] = plain(wanted.destination)
    if wanted.text is not None:
        terms.append(_event_has(wanted.text, wanted, parameters))
    return " AND ".join(terms) or "TRUE", parameters


def of_deliveries(connection: Connection, wanted: Filter) -> tuple[str, Row]:
    """The conditions on `deliveries AS d`, and their parameters."""
    subject, parameters = _of_subject(wanted)
    terms = []
    if subject:
        terms.append(f"d.event_id IN (SELECT e.id FROM events AS e WHERE {' AND '.join(subject)})")
    terms += _of_rows(connection, "d", "deliveries", "created_at", wanted, parameters)
    if wanted.destination is not None:
        terms.append("d.destination = :destination")
        parameters["destination"] = plain(wanted.destination)
    if wanted.reason is not None:
        terms.append("coalesce(d.reason, '') = :reason")
        parameters["reason"] = plain(wanted.reason)
    if wanted.text is not None:
        terms.append(_delivery_has(wanted.text, wanted, parameters))
    return " AND ".join(terms) or "TRUE", parameters


def _of_rows(
    connection: Connection, alias: str, table: str, at: str, wanted: Filter, parameters: Row
) -> list[str]:
    """What is asked of both: state, time (the column `at`), part of the rows, ids."""
    terms = []
    if wanted.state is not None:
        terms.append(_state(alias, wanted.state, parameters))
    if wanted.since is not None:
        terms.append(f"{alias}.{at} >= :since")
        parameters["since"] = micros(wanted.since)
    if wanted.until is not None:
        terms.append(f"{alias}.{at} < :until")
        parameters["until"] = micros(wanted.until)
    terms += _place(alias, table, wanted, parameters)
    if wanted.ids is not None:
        terms.append(f"{alias}.id IN (SELECT value FROM json_each(:ids))")
        parameters["ids"] = _ids(connection, table, wanted.ids)
    return terms


def _place(alias: str, table: str, wanted: Filter, parameters: Row) -> list[str]:
    """Which part of the rows is looked through."""
    terms = []
    if wanted.within is not None:
        terms.append(f"{alias}.seq > (SELECT coalesce(max(seq), 0) - :within FROM {table})")
        parameters["within"] = wanted.within
    if wanted.before is not None:
        terms.append(f"{alias}.seq < (SELECT seq FROM {table} WHERE id = :before)")
        parameters["before"] = plain(wanted.before)
    return terms


def _of_subject(wanted: Filter) -> tuple[list[str], Row]:
    terms: list[str] = []
    parameters: Row = {}
    if wanted.kind is not None:
        terms.append(_meets("e.kind", "kind", wanted.kind))
        parameters["kind"] = _pattern(plain(wanted.kind))
    if wanted.phone is not None:
        meets = _begins("phone", "phone") if wanted.phone.endswith("*") else "phone = :phone"
        terms.append(f"e.seq IN (SELECT event FROM event_phones WHERE {meets})")
        parameters["phone"] = plain(wanted.phone.removesuffix("*"))
    if wanted.client is not None:
        columns = ("e.client_id", "e.client_name")
        either = (_meets(column, "client", wanted.client) for column in columns)
        terms.append(f"({' OR '.join(either)})")
        parameters["client"] = _pattern(folded(wanted.client) or "")
    return terms, parameters


def _begins(column: str, parameter: str) -> str:
    """Whether a column begins with a parameter, so that an index serves it."""
    return f"({column} >= :{parameter} AND {column} < :{parameter} || '\U0010ffff')"


def _has_wildcards(text: str) -> bool:
    return "*" in text or "?" in text


def _meets(column: str, parameter: str, pattern: str) -> str:
    """Whether a column is a text or fits a pattern of rules, which is given by `_pattern`."""
    if _has_wildcards(pattern):
        return f"{column} LIKE :{parameter} ESCAPE '\\'"
    return f"{column} = :{parameter}"


def _pattern(text: str) -> str:
    """A pattern of rules as LIKE reads it."""
    if not _has_wildcards(text):
        return text
    escaped = re.sub(r"[\\%_]", r"\\\g<0>", text)
    return escaped.replace("*", "%").replace("?", "_")


def _newest(alias: str, table: str, came: str, wanted: Filter, parameters: Row) -> str:
    """The rows that a search reads where no index serves it."""
    if wanted.since is not None and wanted.within is None:
        parameters["since"] = micros(wanted.since)
        return f"{alias}.{came} >= :since"
    parameters["read"] = wanted.within or SEARCHED
    return f"{alias}.seq > (SELECT coalesce(max(seq), 0) - :read FROM {table})"


def _distinct(table: str, column: str, meets: str) -> str:
    """The values of an indexed column that meet a condition on `value`, each looked at once."""
    following = f"SELECT min({column}) FROM {table} WHERE {column} > found.value"
    return (
        f"(WITH RECURSIVE found(value) AS (SELECT min({column}) FROM {table}"
        f" UNION ALL SELECT ({following}) FROM found WHERE found.value IS NOT NULL)"
        f" SELECT found.value FROM found WHERE {meets})"
    )


def _looked_up(text: str, parameters: Row) -> str:
    """The events whose id, numbers or client have a text: by index, whatever their age.

    Of very many the newest: a text that most clients share is no reason to read them all.
    """
    parameters["folded"] = folded(text) or ""
    parameters["most"] = SEARCHED
    names = _distinct("events", "client_name", "instr(found.value, :folded) > 0")
    terms = ["o.client_id = :folded", f"o.client_name IN {names}"]
    if _ID.fullmatch(text):
        terms.append(_begins("o.id", "beginning"))
        parameters["beginning"] = text
    digits = re.sub(r"[^0-9]", "", text).lstrip("0")
    if _NUMBER.fullmatch(text) and len(digits) >= FEWEST_DIGITS:
        numbers = _distinct("event_phones", "phone", "instr(found.value, :digits) > 0")
        terms.append(f"o.seq IN (SELECT event FROM event_phones WHERE phone IN {numbers})")
        parameters["digits"] = digits
    each = " UNION ".join(f"SELECT o.seq, o.id FROM events AS o WHERE {term}" for term in terms)
    return f"(SELECT seq, id FROM ({each}) AS o ORDER BY seq DESC LIMIT :most) AS o"


def _event_words(text: str, parameters: Row) -> str:
    """Whether any word of an event `o` has a text, without case: what has to be read for it."""
    parameters["quoted"] = packed(text)[1:-1].lower()
    return "(instr(lower(o.json), :quoted) > 0 OR instr(lower(coalesce(o.added, '')), :quoted) > 0)"


def _event_has(text: str, wanted: Filter, parameters: Row) -> str:
    """Whether an event has a text: looked up in all of them, read in the newest."""
    newest = _newest("o", "events", "received_at", wanted, parameters)
    read = f"SELECT o.seq FROM events AS o WHERE {newest} AND {_event_words(text, parameters)}"
    return f"e.seq IN (SELECT o.seq FROM {_looked_up(text, parameters)} UNION {read})"


def _delivery_has(text: str, wanted: Filter, parameters: Row) -> str:
    """Whether a delivery or its event have a text; what is dead or parked is read in any case."""
    newest = _newest("w", "deliveries", "created_at", wanted, parameters)
    parameters["lower"] = plain(text).translate(_LOWER)
    words = " OR ".join(
        f"instr(lower(coalesce(w.{column}, '')), :{written}) > 0"
        for column, written in _WORDS.items()
    )
    event = f"o.id = w.event_id AND {_event_words(text, parameters)}"
    terms = [
        f"w.event_id IN (SELECT o.id FROM {_looked_up(text, parameters)})",
        f"w.state = 'dead' AND ({words})",
        f"w.state = 'parked' AND ({words})",
        f"{newest} AND ({words} OR EXISTS (SELECT 1 FROM events AS o WHERE {event}))",
    ]
    if "beginning" in parameters:
        terms.append(_begins("w.id", "beginning"))
    each = " UNION ".join(f"SELECT w.seq FROM deliveries AS w WHERE {term}" for term in terms)
    return f"d.seq IN ({each})"


def _state(alias: str, state: str, parameters: Row) -> str:
    """A known state stands in the SQL itself: only so can a partial index serve it."""
    if state in _LITERALS:
        return f"{alias}.state = '{state}'"
    parameters["state"] = plain(state)
    return f"{alias}.state = :state"


def _ids(connection: Connection, table: str, given: tuple[str, ...]) -> str:
    found = (resolve(connection, table, one) for one in given)
    return packed([one for one in found if one is not None])
