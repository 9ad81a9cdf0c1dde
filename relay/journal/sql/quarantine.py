"""Quarantine: what could not be read, listed by anybody, opened only on record."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from relay.journal.care import Quarantined
from relay.journal.sql.rows import micros, moment, plain
from relay.journal.sql.writing import Connection

LOOK = "look at quarantine"
"""The action of the audit line that each look leaves."""
_COLUMNS = "id, at, route, reason, size, sha256, body IS NOT NULL"


def quarantined(
    connection: Connection, since: datetime | None = None, limit: int = 100
) -> Sequence[Quarantined]:
    """What stands there, newest last; at most `limit`, the newest ones."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM quarantine WHERE at >= ? ORDER BY at DESC, id DESC LIMIT ?",
        (0 if since is None else micros(since), max(0, limit)),
    )
    return [_item(row) for row in rows][::-1]


def look_at(connection: Connection, item: int, *, now: datetime, who: str) -> Quarantined | None:
    """One item with its body where it is kept; None if there is none."""
    row = connection.execute(
        f"SELECT {_COLUMNS}, body FROM quarantine WHERE id = ?",
        (item,),
    ).fetchone()
    if row is None:
        return None
    connection.execute(
        "INSERT INTO audit (at, who, action, subject) VALUES (?, ?, ?, ?)",
        (micros(now), plain(who), LOOK, str(item)),
    )
    return _item(row[:-1], row[-1])


def _item(row: tuple[Any, ...], body: bytes | None = None) -> Quarantined:
    item, at, route, reason, size, sha256, kept = row
    return Quarantined(item, moment(at), route, reason, size, sha256, bool(kept), body)
