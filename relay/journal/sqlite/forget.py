"""Erasing what is known of a number: the rows stay, and with them the balance.

Theory of operation: readers look through the tables for rows that hold the number, in pieces, so
that webhooks are recorded meanwhile; the writer then erases it from these rows, a few at a time.
Whoever adds a table with texts of senders or targets adds it to `PLACES`.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, Literal

import apsw

from relay.journal import Filter
from relay.journal.care import Forgotten
from relay.journal.sqlite import directory, operators
from relay.journal.sqlite.completion import shape_of
from relay.journal.sqlite.connection import BUSY_MS
from relay.journal.sqlite.needle import FORGOTTEN, Needle, event_without
from relay.journal.sqlite.records import SqliteRecords
from relay.journal.sqlite.rows import folded, micros, packed, plain
from relay.journal.sqlite.writer import INSISTENT_MS, Writer
from relay.journal.sqlite.writing import Writing
from relay.phones import index_key

PIECE = 500
"""Rows that are looked through at once."""
STEP_ROWS = 100
"""Events or other rows that are erased in one step."""
ACTION = "forget"
TRIES = 20
"""To write the file anew while others read the journal."""
BETWEEN_TRIES = 0.25
"""Seconds, in which webhooks are recorded."""


@dataclass(frozen=True, slots=True)
class Place:
    """A large table, and its columns that may hold what senders and targets said of a number."""

    table: Literal["events", "deliveries", "attempts", "quarantine", "audit"]
    key: str
    columns: tuple[str, ...]
    noun: str
    """How `Forgotten` calls its rows."""


EVENTS = Place("events", "seq", ("json", "added"), "events")
# Where messages go (destination, target, recipients) is configuration, not a sender's text.
DELIVERIES = Place(
    "deliveries", "seq", ("rendered", "reason", "fault", "refused", "reference"), "deliveries"
)
PLACES = (
    DELIVERIES,
    Place("attempts", "id", ("reason",), "attempts"),
    Place("quarantine", "id", ("reason", "body"), "quarantined"),
    Place("audit", "id", ("who", "subject"), "audit"),
)


_FACT = "noun, subject, relation, value"


def without(needle: Needle, column: str, value: Any) -> Any:
    """What a column holds instead; the value itself where it holds nothing of the number."""
    match column:
        case "rendered" | "body":
            return None if needle.is_in_json(value) else value
        case "refused" | "reference" if needle.is_in_json(value):
            texts = json.loads(value)
            return packed({key: needle.erased(text) for key, text in texts.items()})
        case "json" | "added" | "refused" | "reference":
            return FORGOTTEN if needle.is_in_json(value) else value
        case _:
            return FORGOTTEN if needle.is_in(value) else value


def find(
    connection: apsw.Connection, place: Place, needle: Needle, after: int
) -> tuple[list[int], int | None]:
    """Keys of rows that hold the number among the next ones, and where to go on; None: the end."""
    rows = connection.execute(
        f"SELECT {place.key}, {', '.join(place.columns)} FROM {place.table}"  # noqa: S608
        f" WHERE {place.key} > ? ORDER BY {place.key} LIMIT ?",
        (after, PIECE),
    )
    found: list[int] = []
    count, last = 0, after
    for key, *values in rows:
        count, last = count + 1, key
        if any(
            without(needle, column, value) != value
            for column, value in zip(place.columns, values, strict=True)
        ):
            found.append(key)
    return found, last if count == PIECE else None


def erase_events(
    connection: Writing,
    *,
    keys: Sequence[int],
    needle: Needle,
    now: datetime,
    who: str,
    discard: bool,
) -> Forgotten:
    """Erase it from events, and with it all that was written of them to targets."""
    done: list[int] = []
    connection.forget_events()
    for seq in keys:
        row = connection.execute("SELECT json, added FROM events WHERE seq = ?", (seq,)).fetchone()
        shape = {} if row is None else shape_of(*row)
        erased = event_without(needle, shape) if shape else None
        if erased is None:
            continue
        client = erased["client"]
        connection.execute(
            "UPDATE events SET json = ?, added = NULL, kind = ?, client_id = ?, client_name = ?,"
            " forgotten_at = ? WHERE seq = ?",
            (
                packed(erased),
                plain(erased["kind"]),
                folded(client["id"]),
                folded(client["name"]),
                micros(now),
                seq,
            ),
        )
        connection.execute(
            "DELETE FROM event_phones WHERE event = ? AND phone NOT IN"
            " (SELECT value FROM json_each(?))",
            (seq, packed([plain(phone) for phone in erased["phones"]])),
        )
        done.append(seq)
    return _of_events(connection, done, needle, now=now, who=who, discard=discard)


def _of_events(
    connection: Writing,
    seqs: Sequence[int],
    needle: Needle,
    *,
    now: datetime,
    who: str,
    discard: bool,
) -> Forgotten:
    rows: list[tuple[Any, ...]] = connection.execute(
        "SELECT seq, id, state FROM deliveries WHERE event_id IN"
        " (SELECT id FROM events WHERE seq IN (SELECT value FROM json_each(?)))",
        (packed(list(seqs)),),
    ).fetchall()
    # A message need not name the number to be about it.
    written = erase(connection, DELIVERIES, [seq for seq, *_ in rows], needle, emptied="rendered")
    # Hashes of so few possible values are no secret.
    connection.execute(
        "DELETE FROM twin_tokens WHERE event IN (SELECT value FROM json_each(?))",
        (packed(list(seqs)),),
    )
    unfinished = [one for _, one, state in rows if state not in ("delivered", "suppressed")]
    discarded = 0
    if discard and unfinished:
        discarded = operators.discard(connection, Filter(ids=tuple(unfinished)), now=now, who=who)
    return Forgotten(
        events=len(seqs),
        deliveries=written,
        unfinished=len(unfinished) - discarded,
        discarded=discarded,
    )


def erase(
    connection: apsw.Connection,
    place: Place,
    keys: Sequence[int],
    needle: Needle,
    *,
    emptied: str | None = None,
) -> int:
    """Erase it from rows; how many held it. The column `emptied` goes whatever it holds."""
    erased = 0
    for key in keys:
        row = connection.execute(
            f"SELECT {', '.join(place.columns)} FROM {place.table} WHERE {place.key} = ?",  # noqa: S608
            (key,),
        ).fetchone()
        if row is None:
            continue
        changed = {
            column: instead
            for column, value in zip(place.columns, row, strict=True)
            if (instead := None if column == emptied else without(needle, column, value)) != value
        }
        if changed:
            setting = ", ".join(f"{column} = ?" for column in changed)
            connection.execute(
                f"UPDATE {place.table} SET {setting} WHERE {place.key} = ?",  # noqa: S608
                (*changed.values(), key),
            )
            erased += 1
    return erased


def erase_rows(
    connection: apsw.Connection, *, place: Place, keys: Sequence[int], needle: Needle
) -> Forgotten:
    """Erase it from rows of a table that stand alone."""
    erased: dict[str, Any] = {place.noun: erase(connection, place, keys, needle)}
    return Forgotten(**erased)


def find_facts(connection: apsw.Connection, needle: Needle) -> list[tuple[str, ...]]:
    """Keys of the directory's facts that hold the number beside those that are about it."""
    rows: Iterable[tuple[Any, ...]] = connection.execute(
        f"SELECT {_FACT} FROM directory"  # noqa: S608
    )
    return [row for row in rows if needle.is_in(row[1]) or needle.is_in(row[3])]


def erase_facts(
    connection: apsw.Connection, phone: str, others: Sequence[tuple[str, ...]]
) -> Forgotten:
    """Take the number out of the directory, and other facts that hold it."""
    gone = directory.forget(connection, phone)
    for fact in others:
        connection.execute(
            f"DELETE FROM directory WHERE ({_FACT}) = (?, ?, ?, ?)",  # noqa: S608
            fact,
        )
        gone += connection.changes()
    connection.execute("DELETE FROM watched WHERE key = ?", (index_key(phone),))
    return Forgotten(directory=gone + connection.changes())


def erase_the_rest(connection: apsw.Connection, needle: Needle) -> Forgotten:
    """Erase it from the small tables. The newest rules stay: without them nobody could start."""
    others = 0
    for table, keys, column in (
        ("alarms", ("key",), "text"),
        ("troubles", ("scope", "key"), "reason"),
    ):
        rows: list[tuple[Any, ...]] = connection.execute(
            f"SELECT {column}, {', '.join(keys)} FROM {table}"  # noqa: S608
        ).fetchall()
        for text, *at in rows:
            if needle.is_in(text):
                where = " AND ".join(f"{key} = ?" for key in keys)
                connection.execute(
                    f"UPDATE {table} SET {column} = ? WHERE {where}",  # noqa: S608
                    (FORGOTTEN, *at),
                )
                others += 1
    newest = connection.execute("SELECT max(version) FROM rules_versions").get
    in_live_rules = False
    versions: list[tuple[Any, ...]] = connection.execute(
        "SELECT version, files FROM rules_versions"
    ).fetchall()
    for version, files in versions:
        texts: Mapping[str, str] = json.loads(files)
        erased = {name: _lines_without(needle, text) for name, text in texts.items()}
        if erased == texts:
            continue
        if version == newest:
            in_live_rules = True
            continue
        connection.execute(
            "UPDATE rules_versions SET files = ? WHERE version = ?", (packed(erased), version)
        )
        others += 1
    return Forgotten(others=others, in_live_rules=in_live_rules)


def _lines_without(needle: Needle, text: str) -> str:
    return "\n".join(FORGOTTEN if needle.is_in(line) else line for line in text.split("\n"))


def record(
    connection: apsw.Connection, mark: str, forgotten: Forgotten, *, now: datetime, who: str
) -> None:
    """Say in the audit that the number was forgotten of which `mark` is the `sealed` form."""
    connection.execute(
        "INSERT INTO audit (at, who, action, subject) VALUES (?, ?, ?, ?)",
        (micros(now), plain(who), ACTION, f"{mark}: {forgotten.events} events"),
    )


def sealed(phone: str, salt: str) -> str:
    """A hash by which only who knows the number can tell that it was meant.

    It is slow to compute: with a fast one, all numbers there are could be tried.
    """
    made = hashlib.scrypt(phone.encode(), salt=salt.encode(), n=2**14, r=8, p=1, dklen=16)
    return f"scrypt:{salt}:{made.hex()}"


def rewritten(connection: apsw.Connection) -> bool:
    """Write the whole file anew from its rows, and empty the WAL; False while others read it.

    SQLite overwrites what it removes, but where it moves rows from one page to another, copies may
    stay in the first. Outside of any transaction; nothing else is recorded meanwhile.
    """
    # A copy of a large journal does not fit into memory.
    connection.pragma("temp_store", "file")
    connection.set_busy_timeout(INSISTENT_MS)
    try:
        connection.execute("VACUUM")
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    except (apsw.BusyError, apsw.LockedError):
        return False
    finally:
        connection.set_busy_timeout(BUSY_MS)
        connection.pragma("temp_store", "memory")
    return True


class Forgetting:
    """One number that is erased from one journal, from the first look to the file."""

    def __init__(
        self, writer: Writer, records: SqliteRecords, phone: str, now: datetime, who: str
    ) -> None:
        """`phone` in E.164."""
        self._writer = writer
        self._records = records
        self._phone = phone
        self._needle = Needle(phone)
        self._now = now
        self._who = who

    async def run(self, *, discard: bool) -> Forgotten:
        """Erase it; what was erased. Doing it again finds nothing and does no harm."""
        events = partial(
            erase_events, needle=self._needle, now=self._now, who=self._who, discard=discard
        )
        done = await self._through(EVENTS, events)
        for place in PLACES:
            done += await self._through(
                place, partial(erase_rows, place=place, needle=self._needle)
            )
        facts = await self._records.ask(partial(find_facts, needle=self._needle))
        done += await self._writer.submit(partial(erase_facts, phone=self._phone, others=facts))
        done += await self._writer.submit(partial(erase_the_rest, needle=self._needle))
        if done.found:
            mark = await asyncio.to_thread(sealed, self._phone, secrets.token_hex(8))
            await self._writer.submit(
                partial(record, mark=mark, forgotten=done, now=self._now, who=self._who)
            )
        return replace(done, synced=await self._clear())

    async def _through(self, place: Place, erasing: Callable[..., Forgotten]) -> Forgotten:
        """Look through a table in pieces, and erase what each of them held."""
        done = Forgotten()
        after: int | None = -1
        while after is not None:
            found, after = await self._records.ask(
                partial(find, place=place, needle=self._needle, after=after)
            )
            for start in range(0, len(found), STEP_ROWS):
                keys = found[start : start + STEP_ROWS]
                done += await self._writer.submit(partial(erasing, keys=keys))
        return done

    async def _clear(self) -> bool:
        """Leave nothing of what was erased in the files; False where others read them."""
        for _ in range(TRIES):
            if await self._writer.submit(rewritten, alone=True):
                return True
            await asyncio.sleep(BETWEEN_TRIES)
        return False
