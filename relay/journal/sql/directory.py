"""The directory on disk: of each subject and relation the newest fact, as one row.

What follows from the facts is not decided here but in `relay.directory`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from relay import phones
from relay.directory import (
    Contact,
    Entry,
    Evidence,
    Fact,
    Facts,
    Noun,
    Relation,
    channel_of,
    entry_of,
    facts_of,
    lacks_something,
    number_id_of,
)
from relay.events import Event
from relay.journal.sql.needle import Needle
from relay.journal.sql.rows import micros, moment, packed, plain
from relay.journal.sql.writing import Connection, Writing

PAGE = 500
"""Numbers whose entries are made at once."""
_NOUNS = {noun.value: noun for noun in Noun}
_RELATIONS = {relation.value: relation for relation in Relation}

_LEARN = """
    INSERT INTO directory (noun, subject, relation, value, under, at, kind, event)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (noun, subject, relation) DO UPDATE SET value = excluded.value,
        under = excluded.under, at = excluded.at, kind = excluded.kind, event = excluded.event
    WHERE (excluded.at, excluded.event, excluded.kind, excluded.value, excluded.under)
        > (directory.at, directory.event, directory.kind, directory.value, directory.under)"""
# A fact leads to the next subject: from an account to its other id, from a number to its client.
# All numbers are looked up only of accounts that an event without a number is about. PostgreSQL has
# a statement of its own for it.
KNOWN = """
    WITH RECURSIVE reached (noun, subject, whole) AS (
        SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(:seeds)
        UNION
        SELECT iif(d.relation IN ('meta_id', 'd360_id'), 'waba', d.relation), d.value,
               r.whole AND r.noun = 'waba' AND d.relation <> 'client'
          FROM reached AS r CROSS JOIN directory AS d
         WHERE (d.noun, d.subject) = (r.noun, r.subject)
           AND +d.relation IN ('waba', 'client', 'channel', 'phone', 'meta_id', 'd360_id')
        UNION
        SELECT 'phone', d.subject, FALSE
          FROM reached AS r CROSS JOIN directory AS d INDEXED BY numbers_of_account
         WHERE r.whole AND d.noun = 'phone' AND d.relation = 'waba' AND d.value = r.subject)
    SELECT d.noun, d.subject, d.relation, d.value, d.under, d.at, d.kind, d.event
      FROM (SELECT DISTINCT noun, subject FROM reached) AS r CROSS JOIN directory AS d
     WHERE (d.noun, d.subject) = (r.noun, r.subject)"""
_HIT = " OR ".join(
    f"{column} LIKE {pattern} ESCAPE '\\'"
    for column in ("subject", "value")
    for pattern in (":text", ":digits")
)
_HITS = f"""
    WITH hits AS (SELECT noun, subject FROM directory WHERE {_HIT}),
         clients AS (SELECT subject FROM hits WHERE noun = 'client'),
         accounts AS (
             SELECT subject FROM hits WHERE noun = 'waba' UNION
             SELECT subject FROM directory
              WHERE noun = 'waba' AND relation = 'client'
                AND value IN (SELECT subject FROM clients))
    SELECT subject FROM hits WHERE noun = 'phone' UNION
    SELECT subject FROM directory WHERE noun = 'phone' AND (
        subject = :key OR (relation = 'client' AND value IN (SELECT subject FROM clients))
        OR (relation = 'waba' AND value IN (SELECT subject FROM accounts))) ORDER BY 1"""


def learn(connection: Connection, facts: Iterable[Fact]) -> None:
    """Join facts with what is known."""
    rows: list[tuple[Any, ...]] = []
    told: Evidence | None = None
    by: tuple[int, str, str] = (0, "", "")
    for noun, subject, relation, value, evidence, under in facts:
        if evidence is not told:  # it is the same for all facts of an event
            told = evidence
            by = micros(told.at), plain(told.kind), told.event_id or ""
        if not (words := subject + value + under).isascii() or "\0" in words:
            subject, value, under = plain(subject), plain(value), plain(under)
        rows.append((noun, subject, relation, value, under, *by))
    if rows:
        connection.executemany(_LEARN, rows)


def teach(
    connection: Connection, contacts: Sequence[Contact], kind: str, *, now: datetime, who: str
) -> int:
    """Learn contacts that a person gave; how many facts changed something."""
    evidence = Evidence(now, kind)
    before = connection.total_changes()
    learn(connection, (fact for one in contacts for fact in facts_of(one, evidence)))
    changed = connection.total_changes() - before
    connection.execute(
        "INSERT INTO audit (at, who, action, subject) VALUES (?, ?, 'directory', ?)",
        (micros(now), plain(who), f"{len(contacts)} contacts {kind}"),
    )
    return changed


def known_for(connection: Connection, events: Iterable[Event]) -> Facts:
    """All facts that may complete these events, by one question."""
    seeds: set[_Seed] = set()
    for event in filter(lacks_something, events):
        whole = not event.phones
        seeds.update((Noun.PHONE, phones.index_key(number), False) for number in event.phones)
        seeds.update((Noun.WABA, waba, whole) for waba in (event.waba, event.waba_360))
        seeds.add((Noun.CHANNEL, channel_of(event), False))
        seeds.add((Noun.CHANNEL, number_id_of(event), False))
        seeds.add((Noun.CLIENT, event.client.id, False))
    return _facts(connection, seeds)


_Seed = tuple[Noun, str | None, bool]
"""A subject that is asked for; of an account, whether with all its numbers."""


def _facts(connection: Connection, seeds: Iterable[_Seed]) -> Facts:
    """What is known of subjects and of what they lead to."""
    asked = [[noun.value, plain(subject), whole] for noun, subject, whole in seeds if subject]
    if not asked:
        return Facts()
    rows: Iterable[tuple[Any, ...]] = connection.execute(KNOWN, {"seeds": packed(asked)})
    said: dict[tuple[Any, ...], Evidence] = {}
    facts = []
    for noun, subject, relation, value, under, *by in rows:
        evidence = said.get(told := tuple(by))
        if evidence is None:
            at, kind, event = by
            evidence = said[told] = Evidence(moment(at), kind, event or None)
        facts.append(Fact(_NOUNS[noun], subject, _RELATIONS[relation], value, evidence, under))
    return Facts(facts)


def entries(connection: Connection, search: str | None = None, limit: int = 100) -> list[Entry]:
    """The entries of all numbers that a search finds, by number; at most `limit`."""
    found: list[Entry] = []
    keys = _candidates(connection, search)
    for start in range(0, len(keys), PAGE):
        page = keys[start : start + PAGE]
        facts = _facts(connection, [(Noun.PHONE, key, False) for key in page])
        for key in page:
            entry = entry_of(facts, key)
            if search is None or _is_found(entry, search):
                found.append(entry)
                if len(found) >= limit:
                    return found
    return found


def _candidates(connection: Connection, search: str | None) -> list[str]:
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


def forget(connection: Writing, phone: str, needle: Needle) -> int:
    """Take a number out; how many rows held it."""
    connection.execute(
        "DELETE FROM directory WHERE (noun = 'phone' AND subject = :key)"
        " OR (noun = 'channel' AND relation = 'phone' AND value = :key)",
        {"key": phones.index_key(phone)},
    )
    gone = connection.changes()
    holding = [
        key
        for *key, value in connection.execute(
            "SELECT noun, subject, relation, value FROM directory"
        )
        if needle.is_in(key[1]) or needle.is_in(value)
    ]
    connection.executemany(
        "DELETE FROM directory WHERE noun = ? AND subject = ? AND relation = ?", holding
    )
    return gone + len(holding)
