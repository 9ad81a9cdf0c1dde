"""The directory on disk: facts as rows, joined as `relay.directory.facts` joins them.

One row holds what is known of one subject, relation and object: the newest saying and the newest
end. The rules by which an entry follows from the rows are not here but in `relay.directory`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import apsw

from relay import phones
from relay.directory import Contact, Entry, Evidence, Fact, Facts, Noun, Relation, entry_of
from relay.directory.learning import channel_of, facts_of
from relay.events import Event
from relay.journal.sqlite.rows import micros, moment, packed, plain

ROUNDS = 6
"""So far facts lead from one to the next: account, number, other account, client."""
PAGE = 500
"""Numbers whose entries are made at once."""

_UPSERT = {
    verb: (
        f"INSERT INTO directory (noun, subject, relation, object, {verb}_at, {verb}_kind,"  # noqa: S608
        f" {verb}_by) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        f" {verb}_at = excluded.{verb}_at, {verb}_kind = excluded.{verb}_kind,"
        f" {verb}_by = excluded.{verb}_by WHERE {verb}_at IS NULL"
        f" OR (excluded.{verb}_at, excluded.{verb}_by, excluded.{verb}_kind)"
        f" > ({verb}_at, {verb}_by, {verb}_kind)"
    )
    for verb in ("said", "ended")
}
_ROWS = (
    "SELECT subject, relation, object, said_at, said_kind, said_by, ended_at, ended_kind, ended_by"
    " FROM directory WHERE noun = ? AND subject IN (SELECT value FROM json_each(?))"
)
_PHONES_OF_WABAS = (
    "SELECT subject FROM directory INDEXED BY directory_phones WHERE noun = 'phone'"
    " AND relation = 'waba' AND object IN (SELECT value FROM json_each(?))"
)
_HIT = " OR ".join(
    f"{column} LIKE {pattern} ESCAPE '\\'"
    for column in ("subject", "object")
    for pattern in (":text", ":digits")
)
_HITS = f"""
    WITH hits AS (SELECT noun, subject FROM directory WHERE {_HIT}),
         clients AS (SELECT subject FROM hits WHERE noun = 'client'),
         accounts AS (
             SELECT subject FROM hits WHERE noun = 'waba' UNION
             SELECT subject FROM directory
              WHERE noun = 'waba' AND relation = 'client' AND object IN clients)
    SELECT subject FROM hits WHERE noun = 'phone' UNION
    SELECT subject FROM directory WHERE noun = 'phone' AND (
        subject = :key OR (relation = 'client' AND object IN clients)
        OR (relation = 'waba' AND object IN accounts)) ORDER BY 1"""  # noqa: S608
_LEADS_TO = {
    (Noun.PHONE, Relation.WABA): Noun.WABA,
    (Noun.PHONE, Relation.CLIENT): Noun.CLIENT,
    (Noun.PHONE, Relation.CHANNEL): Noun.CHANNEL,
    (Noun.CHANNEL, Relation.PHONE): Noun.PHONE,
    (Noun.WABA, Relation.META_ID): Noun.WABA,
    (Noun.WABA, Relation.D360_ID): Noun.WABA,
    (Noun.WABA, Relation.CLIENT): Noun.CLIENT,
}


def learn(connection: apsw.Connection, facts: Iterable[Fact]) -> int:
    """Join facts with what is known; how many changed something."""
    rows: dict[str, list[tuple[Any, ...]]] = {"said": [], "ended": []}
    for fact in facts:
        rows["ended" if fact.ends else "said"].append(
            (
                fact.noun.value,
                plain(fact.subject),
                fact.relation.value,
                plain(fact.object),
                micros(fact.evidence.at),
                plain(fact.evidence.kind),
                fact.evidence.event_id or "",
            )
        )
    before = connection.total_changes()
    for verb, values in rows.items():
        if values:
            connection.executemany(_UPSERT[verb], values)
    return connection.total_changes() - before


def teach(
    connection: apsw.Connection, contacts: Sequence[Contact], kind: str, *, now: datetime, who: str
) -> int:
    """Learn contacts that a person gave; how many facts changed something."""
    evidence = Evidence(now, kind)
    changed = learn(connection, (fact for one in contacts for fact in facts_of(one, evidence)))
    connection.execute(
        "INSERT INTO audit (at, who, action, subject) VALUES (?, ?, 'directory', ?)",
        (micros(now), plain(who), f"{len(contacts)} contacts {kind}"),
    )
    return changed


def known_for(connection: apsw.Connection, events: Iterable[Event]) -> Facts:
    """All facts that may complete these events."""
    seeds: dict[Noun, set[str]] = {noun: set() for noun in Noun}
    for event in events:
        seeds[Noun.PHONE].update(map(phones.index_key, event.phones))
        seeds[Noun.WABA].update(filter(None, (event.waba, event.waba_360)))
        seeds[Noun.CHANNEL].update(filter(None, (channel_of(event),)))
        seeds[Noun.CLIENT].update(filter(None, (event.client.id,)))
    return Facts.of(_gathered(connection, seeds))


def _gathered(connection: apsw.Connection, seeds: dict[Noun, set[str]]) -> list[Fact]:
    """The facts of the seeds, and of what these lead to."""
    found: list[Fact] = []
    done: dict[Noun, set[str]] = {noun: set() for noun in Noun}
    accounts = set(seeds[Noun.WABA])
    todo = {noun: {plain(subject) for subject in subjects} for noun, subjects in seeds.items()}
    for _ in range(ROUNDS):
        if todo[Noun.WABA] & accounts:
            held = packed(sorted(todo[Noun.WABA] & accounts))
            todo[Noun.PHONE].update(key for (key,) in connection.execute(_PHONES_OF_WABAS, (held,)))
        coming: dict[Noun, set[str]] = {noun: set() for noun in Noun}
        for noun, subjects in todo.items():
            fresh = subjects - done[noun]
            done[noun] |= fresh
            for fact in _facts(connection, noun, fresh):
                found.append(fact)
                following = _LEADS_TO.get((noun, fact.relation))
                if following is not None:
                    coming[following].add(fact.object)
                    if noun is following is Noun.WABA and fact.subject in accounts:
                        accounts.add(fact.object)
        todo = {noun: subjects - done[noun] for noun, subjects in coming.items()}
        if not any(todo.values()):
            break
    return found


def _facts(connection: apsw.Connection, noun: Noun, subjects: set[str]) -> Iterator[Fact]:
    if not subjects:
        return
    rows = connection.execute(_ROWS, (noun.value, packed(sorted(subjects))))
    for (
        subject,
        relation,
        what,
        said_at,
        said_kind,
        said_by,
        ended_at,
        ended_kind,
        ended_by,
    ) in rows:
        key = (noun, subject, Relation(relation), what)
        if said_at is not None:
            yield Fact(*key, Evidence(moment(said_at), said_kind, said_by or None))
        if ended_at is not None:
            ended = Evidence(moment(ended_at), ended_kind, ended_by or None)
            yield Fact(*key, ended, ends=True)


def entries(connection: apsw.Connection, search: str | None, limit: int) -> list[Entry]:
    """The entries of all numbers that a search finds, by number; at most `limit`."""
    found: list[Entry] = []
    keys = _candidates(connection, search)
    for start in range(0, len(keys), PAGE):
        page = keys[start : start + PAGE]
        facts = Facts.of(_gathered(connection, {**_none(), Noun.PHONE: set(page)}))
        for key in page:
            entry = entry_of(facts, key)
            if search is None or _is_found(entry, search):
                found.append(entry)
                if len(found) >= limit:
                    return found
    return found


def _none() -> dict[Noun, set[str]]:
    return {noun: set() for noun in Noun}


def _candidates(connection: apsw.Connection, search: str | None) -> list[str]:
    """The keys of numbers that may be found; those that are not are left out afterwards."""
    # SQLite compares without case in ASCII alone.
    if search is None or not search.isascii():
        rows = connection.execute(
            "SELECT DISTINCT subject FROM directory WHERE noun = 'phone' ORDER BY 1"
        )
    else:
        digits = _digits(search)
        rows = connection.execute(
            _HITS,
            {
                "text": _pattern(search.strip()),
                "digits": _pattern(digits or search.strip()),
                "key": phones.index_key(phones.normalise(search) or "+") if digits else "",
            },
        )
    return [key for (key,) in rows]


def _pattern(text: str) -> str:
    return "%" + text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") + "%"


def _digits(search: str) -> str:
    """The digits of a search that looks like a part of a number."""
    stripped = "".join(char for char in search if char not in " +-().").removeprefix("00")
    return stripped if stripped.isascii() and stripped.isdecimal() else ""


def _is_found(entry: Entry, search: str) -> bool:
    digits = _digits(search)
    if digits and any(digits in one for one in phones.aliases(entry.phone)):
        return True
    wanted = search.casefold().strip()
    values = (entry.name, entry.waba, entry.waba_360, entry.channel, entry.client_id)
    said = [one.value for one in (*values, entry.client_name) if one is not None]
    return any(wanted in value.casefold() for value in said)


def forget(connection: apsw.Connection, phone: str) -> int:
    """Take a number out; how many rows held it."""
    key = phones.index_key(phone)
    connection.execute("DELETE FROM directory WHERE noun = 'phone' AND subject = ?", (key,))
    gone = connection.changes()
    connection.execute(
        "DELETE FROM directory WHERE noun = 'channel' AND relation = 'phone' AND object = ?", (key,)
    )
    return gone + connection.changes()
