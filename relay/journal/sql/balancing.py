"""The balance, read from the tables in one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

from relay.journal import Hour
from relay.journal.balance import TALLIES, Account, Balance, Day
from relay.journal.sql.rows import micros, moment
from relay.journal.sql.writing import Connection

DAY_MICROS = 86_400_000_000
HOUR_MICROS = DAY_MICROS // 24
_HOURS = 24

_TAKEN = "SELECT day, noun, count FROM taken WHERE day >= :day"
_LEDGER = "SELECT day, noun, state, count, closed FROM ledger WHERE day >= :day"
_EVENTS = """
    SELECT received_at / 86400000000, 'events', state, count(*)
      FROM events
     WHERE received_at >= :day * 86400000000 AND source <> 'relay' GROUP BY 1, 3"""
_DELIVERIES = """
    SELECT day, CASE own WHEN 0 THEN 'deliveries' ELSE 'own' END, state, count(*)
      FROM deliveries WHERE day >= :day GROUP BY day, own, state"""
_TALLIES = f"""
    SELECT hour / {_HOURS}, name, sum(count) FROM tallies
     WHERE hour >= :day * {_HOURS} AND name IN ({", ".join(f"'{name}'" for name in TALLIES)})
     GROUP BY 1, 2"""

_Counts = dict[tuple[int, str], dict[str, int]]


def balance(connection: Connection, since: datetime | None = None) -> Balance:
    """The balance of every day from that of `since` on."""
    first = {"day": 0 if since is None else micros(since) // DAY_MICROS}
    taken: dict[tuple[int, str], int] = {}
    ledger: _Counts = defaultdict(dict)
    closed: _Counts = defaultdict(dict)
    rows: _Counts = defaultdict(dict)
    tallies: dict[int, dict[str, int]] = defaultdict(dict)
    for day, noun, count in connection.execute(_TAKEN, first):
        taken[day, noun] = count
    for day, noun, state, count, gone in connection.execute(_LEDGER, first):
        ledger[day, noun][state] = count
        if gone:
            closed[day, noun][state] = gone
    for question in (_EVENTS, _DELIVERIES):
        found: Any = connection.execute(question, first)
        for day, noun, state, count in found:
            rows[day, noun][state] = count
    for day, name, count in connection.execute(_TALLIES, first):
        tallies[day][name] = count
    days = {day for day, _ in (*taken, *ledger, *rows)} | tallies.keys()

    def account(day: int, noun: str) -> Account:
        at = (day, noun)
        return Account(taken.get(at, 0), ledger[at], closed[at], rows[at])

    return Balance(
        [
            Day.of(
                date(1970, 1, 1) + timedelta(days=day),
                account(day, "events"),
                account(day, "deliveries"),
                account(day, "own"),
                tallies[day],
            )
            for day in sorted(days)
        ]
    )


def hours(connection: Connection, *, now: datetime) -> Sequence[Hour]:
    """The hours of the last day in which anything happened, oldest first."""
    first = micros(now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=23))
    found: dict[int, dict[str, int]] = {}
    for place, count in connection.execute(
        "SELECT received_at / ?, count(*) FROM events"
        " WHERE received_at >= ? AND source <> 'relay' GROUP BY 1",
        (HOUR_MICROS, first),
    ):
        found.setdefault(place, {})["received"] = count
    for place, noun, count in connection.execute(
        "SELECT created_at / ?, CASE state WHEN 'delivered' THEN 'delivered' ELSE 'failed' END,"
        " count(*) FROM deliveries"
        " WHERE created_at >= ? AND state IN ('delivered', 'dead', 'parked') GROUP BY 1, 2",
        (HOUR_MICROS, first),
    ):
        found.setdefault(place, {})[noun] = count
    return [Hour(moment(place * HOUR_MICROS), **found[place]) for place in sorted(found)]
