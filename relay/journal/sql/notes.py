"""What the relay keeps about itself: the rules that were live, and its alarms."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict
from datetime import datetime

from relay.journal import Checked
from relay.journal.sql.rows import micros, packed, plain
from relay.journal.sql.writing import Connection, Writing


def adopt_rules(
    connection: Writing,
    files: Mapping[str, str],
    *,
    now: datetime,
    checked: Checked | None = None,
    who: str = "",
) -> int:
    """The version of these files, a new one if they differ from the newest."""
    told = packed(asdict(checked)) if checked else "null"
    keep(connection, "rules_checked", told)
    text = packed(dict(sorted(files.items())))
    newest = connection.execute(
        "SELECT version, files FROM rules_versions ORDER BY version DESC LIMIT 1"
    ).fetchone()
    if newest is not None and newest[1] == text:
        return int(newest[0])
    version = 1 if newest is None else int(newest[0]) + 1
    connection.execute(
        "INSERT INTO rules_versions (version, loaded_at, files, who) VALUES (?, ?, ?, ?)",
        (version, micros(now), text, plain(who)),
    )
    connection.changed()
    return version


def version_of(connection: Connection, files: Mapping[str, str]) -> int | None:
    """The newest version that had exactly these files."""
    found: int | None = connection.execute(
        "SELECT max(version) FROM rules_versions WHERE files = ?",
        (packed(dict(sorted(files.items()))),),
    ).get
    return found


def rewrite_rules(
    connection: Connection, rewrite: Callable[[Mapping[str, str]], Mapping[str, str]]
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


def checked(connection: Connection) -> Checked | None:
    """What was told of the newest version's checks."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'rules_checked'").get
    told = json.loads(found) if found else None
    return Checked(told["relay"], told["rules"], tuple(told["keep"])) if told else None


def keep(connection: Connection, key: str, value: str) -> None:
    """Keep a value in `meta`, in the place of what stood there."""
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        (key, value),
    )


def remember(connection: Connection, name: str, text: str) -> None:
    """Keep a text of the relay's own under a name, in the place of what stood there."""
    keep(connection, f"kept: {name}", text)


def recalled(connection: Connection, name: str) -> str | None:
    """What was remembered under a name."""
    found: str | None = connection.execute(
        "SELECT value FROM meta WHERE key = ?", (f"kept: {name}",)
    ).get
    return found


def raise_alarm(connection: Connection, key: str, text: str, *, now: datetime) -> bool:
    """Remember an alarm; False if it is on already."""
    connection.execute(
        "INSERT INTO alarms VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        (plain(key), micros(now), plain(text)),
    )
    return connection.changes() == 1


def clear_alarm(connection: Connection, key: str) -> bool:
    """Forget an alarm; False if it is not on."""
    connection.execute("DELETE FROM alarms WHERE key = ?", (plain(key),))
    return connection.changes() == 1


def own_key(connection: Connection) -> bytes:
    """The random key that the journal keeps for its fingerprints; made once."""
    found = connection.execute("SELECT value FROM meta WHERE key = 'fingerprint_key'").get
    if found is None:
        found = secrets.token_hex(32)
        connection.execute("INSERT INTO meta VALUES ('fingerprint_key', ?)", (found,))
    return bytes.fromhex(found)
