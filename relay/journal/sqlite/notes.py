"""What the relay keeps about itself: the rules that were live, and its alarms."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime

import apsw

from relay.journal import Checked
from relay.journal.sqlite.rows import micros, packed, plain


def adopt_rules(
    connection: apsw.Connection,
    files: Mapping[str, str],
    *,
    now: datetime,
    checked: Checked | None = None,
    who: str = "",
) -> int:
    """The version of these files, a new one if they differ from the newest."""
    told = packed(asdict(checked)) if checked else "null"
    connection.execute("INSERT OR REPLACE INTO meta VALUES ('rules_checked', ?)", (told,))
    text = packed(dict(sorted(files.items())))
    newest = connection.execute(
        "SELECT version, files FROM rules_versions ORDER BY version DESC LIMIT 1"
    ).fetchone()
    if newest is not None and newest[1] == text:
        return int(newest[0])
    connection.execute(
        "INSERT INTO rules_versions (loaded_at, files, who) VALUES (?, ?, ?)",
        (micros(now), text, plain(who)),
    )
    return connection.last_insert_rowid()


def rewrite_rules(
    connection: apsw.Connection, rewrite: Callable[[Mapping[str, str]], Mapping[str, str]]
) -> int:
    """Replace the files of all versions, once for each journal; how many are others now."""
    connection.execute("INSERT INTO meta VALUES ('rules_rewritten', '1') ON CONFLICT DO NOTHING")
    if not connection.changes():
        return 0
    changed = 0
    versions = connection.execute("SELECT version, files FROM rules_versions ORDER BY version")
    for version, text in versions.fetchall():
        fresh = packed(dict(sorted(rewrite(json.loads(str(text))).items())))
        if fresh != text:
            connection.execute(
                "UPDATE rules_versions SET files = ? WHERE version = ?", (fresh, version)
            )
            changed += 1
    return changed


def checked(connection: apsw.Connection) -> Checked | None:
    """What was told of the newest version's checks."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'rules_checked'").get
    told = json.loads(found) if found else None
    return Checked(told["relay"], told["rules"], tuple(told["keep"])) if told else None


def remember(connection: apsw.Connection, name: str, text: str) -> None:
    """Keep a text of the relay's own under a name, in the place of what stood there."""
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (f"kept: {name}", text))


def recalled(connection: apsw.Connection, name: str) -> str | None:
    """What was remembered under a name."""
    found: str | None = connection.execute(
        "SELECT value FROM meta WHERE key = ?", (f"kept: {name}",)
    ).get
    return found


def raise_alarm(connection: apsw.Connection, key: str, text: str, *, now: datetime) -> bool:
    """Remember an alarm; False if it is on already."""
    connection.execute(
        "INSERT INTO alarms VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (plain(key), micros(now), plain(text)),
    )
    return connection.changes() == 1


def clear_alarm(connection: apsw.Connection, key: str) -> bool:
    """Forget an alarm; False if it is not on."""
    connection.execute("DELETE FROM alarms WHERE key = ?", (plain(key),))
    return connection.changes() == 1
