"""What people do by hand, each delivery of it recorded with who did it.

The moves are SQL because a filter may name very many; the tests hold them to `relay.deliveries`.
`Filter.limit` is for reading: whoever asks for a change means all that match.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from relay.deliveries import DISCARDED, State
from relay.journal import Audited, Filter
from relay.journal.sql import digests, filters, troubles
from relay.journal.sql.rows import Row, micros, moment, packed, plain
from relay.journal.sql.writing import Connection, Writing

_RETRY = """
    state = 'pending', due_at = :now, tried_since = :now, failures = 0, losses = 0, fault = NULL,
    refused = '{}', reason = NULL, snoozed = 0, orphan = 0, settled_at = NULL,
    due_since = CASE WHEN state IN ('held', 'suppressed') AND due_since IS NOT NULL
                     THEN CAST(:now AS BIGINT) ELSE due_since END"""
_DISCARD = "state = 'suppressed', reason = :reason, settled_at = :now"


def retry(connection: Writing, wanted: Filter, *, now: datetime, who: str) -> int:
    """Put dead or parked deliveries back; how many.

    Discarded ones too, but only where the filter names them or asks for suppressed ones. All go
    where their destinations are now, and are pending also behind a trouble: that they are tried
    is what the operator wants.
    """
    asked = wanted.ids is not None or wanted.state in (State.SUPPRESSED, State.HELD)
    states = (State.DEAD, State.PARKED, *((State.HELD, State.SUPPRESSED) if asked else ()))
    moved = _move(
        connection, wanted, states, State.PENDING, "retry", _RETRY, {"now": micros(now)}, who
    )
    if moved:
        troubles.follow(connection, orphans=False)
    return moved


def discard(connection: Writing, wanted: Filter, *, now: datetime, who: str) -> int:
    """Give up pending, parked or dead deliveries; how many."""
    states = (State.PENDING, State.PARKED, State.HELD, State.DEAD)
    parameters: Row = {"now": micros(now), "reason": plain(f"{DISCARDED}{who}")}
    moved = _move(
        connection, wanted, states, State.SUPPRESSED, "discard", _DISCARD, parameters, who
    )
    if moved:
        digests.discarded(connection, now=now)
    return moved


def _move(
    connection: Writing,
    wanted: Filter,
    states: tuple[State, ...],
    to: State,
    action: str,
    change: str,
    parameters: Row,
    who: str,
) -> int:
    moved = 0
    for state in states:
        if wanted.state not in (None, state.value):
            continue
        where, found = filters.of_deliveries(connection, replace(wanted, state=state.value))
        if state is State.HELD:
            where += " AND d.via IS NULL"  # what stands in a digest goes with it
        if state is State.SUPPRESSED:
            where += f" AND d.reason LIKE '{DISCARDED}%'"
        connection.execute(
            "INSERT INTO audit (at, who, action, subject)"
            f" SELECT :at, :who, :action, d.id FROM deliveries AS d WHERE {where} ORDER BY d.seq",
            {**found, "at": parameters["now"], "who": plain(who), "action": action},
        )
        if to is State.PENDING:
            _ask_all_again(connection, where, found)
        moved += connection.move_all(
            state,
            to,
            f"UPDATE deliveries SET {change}"
            f" WHERE seq IN (SELECT d.seq FROM deliveries AS d WHERE {where})",
            {**found, **parameters},
        )
    return moved


def _ask_all_again(connection: Writing, where: str, parameters: Row) -> None:
    """Whoever refused a mail is its recipient again."""
    rows = connection.rows(
        "SELECT d.seq, d.recipients, d.refused FROM deliveries AS d"
        f" WHERE d.refused <> '{{}}' AND {where}",
        parameters,
    )
    connection.executemany(
        "UPDATE deliveries SET recipients = ? WHERE seq = ?",
        [
            (packed([*json.loads(recipients), *json.loads(refused)]), seq)
            for seq, recipients, refused in rows
        ],
    )


def audit(connection: Connection, before: int | None = None, limit: int = 100) -> Sequence[Audited]:
    """What people did, newest first; those before an id."""
    rows = connection.execute(
        "SELECT id, at, who, action, subject FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
        (_MOST if before is None else before, max(0, limit)),
    )
    return [
        Audited(id_, moment(at), who, action, subject) for id_, at, who, action, subject in rows
    ]


_MOST = 2**63 - 1
"""No id is greater."""
