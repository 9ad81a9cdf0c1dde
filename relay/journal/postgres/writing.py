"""The connection that writes: in turn with those of other relays, which it hears and tells."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg

from relay.journal import Aim, Relay
from relay.journal.postgres.connection import Connection, LostError, Rows, Server
from relay.journal.sql.writing import Connection as Reading
from relay.journal.sql.writing import Troubles, Writing

LEASE = 6.0
"""Seconds after its last sign of life, by the database's clock, in which a relay keeps the lead."""
CHANNEL = "relay"
"""Under which relays tell each other."""
_IS_ALIVE = f"seen_at > clock_timestamp() - interval '{LEASE} seconds'"
_BEAT = (
    "UPDATE relays SET made = ?, seen_at = clock_timestamp() WHERE id = ?"
    " RETURNING leads, (SELECT value FROM meta WHERE key = 'changes'),"
    f" leads OR EXISTS (SELECT 1 FROM relays AS other WHERE other.leads AND other.{_IS_ALIVE}),"
    f" EXISTS (SELECT 1 FROM relays AS other WHERE other.id <> relays.id AND NOT other.{_IS_ALIVE})"
)
_CHANGE = (
    "INSERT INTO meta VALUES ('changes', '1') ON CONFLICT (key)"
    " DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + 1 AS TEXT)"
)
"""What a relay keeps of aims, troubles, silences and events is true while this number stands."""


class PostgresWriting(Connection, Writing):
    """The connection that writes, in turn with those of other relays."""

    def __init__(self, server: Server, *, name: str) -> None:
        Connection.__init__(self, server, name=name)
        Writing.__init__(self)
        self._relay = ""
        self._state: Rows | None = None
        """Says, in a transaction, what the others changed; until it was looked at."""
        self._known: str | None = None
        self.leads = False
        self.is_led = True
        """Some relay that lives has the lead."""
        self.are_dead = False
        """Some relay ended without a word."""
        self._began = 0.0

    def begin_as(self, relay: str, lock: int, number: int, *, durable: bool) -> None:
        """Begin a transaction when it is this relay's turn, and leave its number in its row."""
        self._relay = relay
        self._began = time.monotonic()
        self.begin()
        if not durable:
            self.execute("SET LOCAL synchronous_commit TO off")
        self.execute("SELECT pg_advisory_xact_lock(?)", (lock,))
        self._state = self.execute(_BEAT, (number, relay))

    def commit(self) -> None:
        """Make it durable; a `LostError` leaves open whether it is."""
        if time.monotonic() - self._began > LEASE / 3:
            self.execute(
                "UPDATE relays SET seen_at = clock_timestamp() WHERE id = ?", (self._relay,)
            )
        self.execute("COMMIT")
        self.fetch()

    def roll_back(self) -> None:
        """Take the transaction back."""
        self.take_back()
        self.execute("ROLLBACK")
        self.fetch()

    def was_made(self, relay: str, lock: int, number: int) -> bool:
        """Whether a commit whose answer was lost was made after all; waits until that is sure."""
        self.begin()
        self.execute("SELECT pg_advisory_xact_lock(?)", (lock,))
        made = self.execute("SELECT made FROM relays WHERE id = ?", (relay,)).get
        self.commit()
        return bool(made == number)

    def insert(self, sql: str, parameters: Any, key: str = "seq") -> int | None:
        """Run an INSERT of one row; the number it got, None if it was none."""
        number: int | None = self.execute(f"{sql} RETURNING {key}", parameters).get
        return number

    def each(self, sql: str, many: Iterable[Any]) -> list[list[tuple[Any, ...]]]:
        """As before, in one turn."""
        queued = [self.execute(sql, parameters) for parameters in many]
        return [rows.fetchall() for rows in queued]

    def give_back_space(self) -> int:
        """Nothing: the database's own vacuum does it."""
        return 0

    @property
    def aims(self) -> Mapping[str, Aim]:
        """Where destinations are, by name."""
        if self._state is not None:
            self.fetch()
        return super().aims

    @property
    def troubles(self) -> Troubles:
        """The reasons of all troubles, by what they are about."""
        if self._state is not None:
            self.fetch()
        return super().troubles

    def changed(self) -> None:
        """What is kept of rows is no longer what they say, for no relay."""
        self.forget_known()
        self.execute(_CHANGE)
        self.tell("changed")

    def book(self) -> None:
        """As before; who leads is told that there is work."""
        is_work = any(
            count > 0 and state == "pending" for (_, _, state), count in self._moved.items()
        )
        super().book()
        if is_work and not self.leads:
            self.tell("work")

    def tell(self, word: str) -> None:
        """Tell the other relays, once this is committed."""
        self.execute("SELECT pg_notify(?, ?)", (CHANNEL, word))

    def listen(self) -> None:
        """Hear what others tell from now on."""
        self.execute(f"LISTEN {CHANNEL}")
        self.fetch()

    def heard(self, *, wait: bool = False) -> set[str]:
        """What others told since the last time."""
        words = set()
        try:
            if wait:
                self.pg.consume_input()
            while (told := self.pg.notifies()) is not None:
                if told.be_pid != self.pg.backend_pid:
                    words.add(told.extra.decode())
        except psycopg.OperationalError as error:
            raise LostError(str(error)) from error
        return words

    @property
    def socket(self) -> int:
        """Readable when something is to be heard."""
        return self.pg.socket

    def take_lead(self) -> bool:
        """Lead if no relay that lives does; whether this one leads since now."""
        self.fetch()
        self.execute(f"DELETE FROM relays WHERE id <> ? AND NOT {_IS_ALIVE}", (self._relay,))
        if self.leads:
            return False
        self.execute(
            "UPDATE relays SET leads = TRUE WHERE id = ?"
            " AND NOT EXISTS (SELECT 1 FROM relays WHERE leads)",
            (self._relay,),
        )
        self.leads = self.changes() == 1
        self.is_led = self.is_led or self.leads
        return self.leads

    def note_rules(self, version: int, waits: str) -> None:
        """Say by which rules this relay goes; `waits` in JSON."""
        self.execute(
            "UPDATE relays SET version = ?, waits = ? WHERE id = ?", (version, waits, self._relay)
        )

    def leave(self) -> None:
        """This relay ends: another may lead."""
        self.execute("DELETE FROM relays WHERE id = ?", (self._relay,))
        self.tell("vacant" if self.leads else "left")

    def fetch(self) -> None:
        """As before; what another relay changed is not known any more."""
        super().fetch()  # in a verb that runs beside others, the hub does this
        if self._state is not None and self._state.is_there:
            state, self._state = self._state.get, None
            if state is None:
                raise LostError("the relay's own row is gone")
            self.leads, known, self.is_led, self.are_dead = state
            if known != self._known:
                self._known = known
                self.forget_known()


def living(connection: Reading) -> Sequence[Relay]:
    """The relays that gave a sign of life; commands, which have no rules, left out."""
    return [
        Relay(name, leads, version, tuple(json.loads(waits)))
        for name, leads, version, waits in connection.execute(
            f"SELECT name, leads, version, waits FROM relays WHERE {_IS_ALIVE} AND version > 0"
            " ORDER BY name"
        )
    ]
