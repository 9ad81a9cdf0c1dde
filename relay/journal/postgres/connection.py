"""A connection to PostgreSQL: statements go out together, and wait only for what is asked for.

Theory of operation: `execute` queues a statement in libpq's pipeline and returns at once. Whoever
asks for rows, or for how many were changed, sends what is queued and waits for all of it: one
turn over the network. So a verb costs as many turns as it has questions, not statements, and an
INSERT whose outcome nobody asks for costs none. Statements are prepared when they are first seen.
"""

from __future__ import annotations

import select
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import psycopg
from greenlet import getcurrent, greenlet
from psycopg import pq
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus

from relay.errors import JournalUnusableError
from relay.journal.doors import SETTING
from relay.journal.postgres.dialect import decoder, translated

CONNECT = 5
"""Seconds for one address of the database to answer."""
PATIENCE = 60.0
"""Seconds for the answer to what was sent together, after which the connection is given up."""
SESSION = {
    "idle_in_transaction_session_timeout": "5s",
    "lock_timeout": "15s",
    "statement_timeout": "45s",
    "client_min_messages": "warning",
    "TimeZone": "UTC",
    "standard_conforming_strings": "on",
}
"""What holds for each session: a relay that is frozen or cut off has the lock for seconds."""
_NETWORK = {
    "connect_timeout": CONNECT,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
_MOST_PREPARED = 500


class LostError(Exception):
    """The connection is gone, and with it the transaction."""


class RefusedError(Exception):
    """The database refused a statement; the transaction came to nothing."""

    def __init__(self, state: str, text: str) -> None:
        super().__init__(text)
        self.state = state
        """The five characters of PostgreSQL's table of error codes."""


class Rows:
    """The rows of a statement, fetched when they are asked for."""

    __slots__ = ("_connection", "_place", "changed", "found", "is_there")

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._place = 0
        self.is_there = False
        self.found: list[tuple[Any, ...]] = []
        self.changed = 0

    def _wait(self) -> None:
        if not self.is_there:
            self._connection.fetch()

    @property
    def get(self) -> Any:
        """The only value of a single row; None where there is no row."""
        self._wait()
        if not self.found:
            return None
        (row,) = self.found
        return row[0] if len(row) == 1 else row

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row."""
        self._wait()
        if self._place >= len(self.found):
            return None
        self._place += 1
        return self.found[self._place - 1]

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All that are left."""
        self._wait()
        left, self._place = self.found[self._place :], len(self.found)
        return left

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return iter(self.fetchall())


class Server:
    """The database of an address, on whichever of its servers is the primary."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._timeline = 0
        """The newest that was seen: each promotion of a standby begins one."""
        self._shuffled = False

    def connect(self, name: str) -> psycopg.Connection[Any]:
        """A session with what a relay needs of one; `name` is shown to administrators.

        Raises `LostError` where no primary answers, `RefusedError` where one does not let it in.
        """
        try:
            given = dict(parse_qsl(urlsplit(self._url).query))
        except ValueError:
            given = {}
        wanted: dict[str, Any] = {key: value for key, value in _NETWORK.items() if key not in given}
        # A standby takes no change, and an old primary that came back is one.
        wanted.setdefault("target_session_attrs", "read-write")
        if self._shuffled:
            wanted["load_balance_hosts"] = "random"
        try:
            made = psycopg.connect(self._url, autocommit=True, application_name=name, **wanted)
        except psycopg.OperationalError as error:
            state = getattr(error, "sqlstate", None)
            text = _plain(str(error))
            if state is not None and not state.startswith(("57", "53", "08")):
                raise RefusedError(state, text) from error
            raise LostError(text) from error
        except (psycopg.Error, ValueError) as error:
            # Its words may hold the address, and that a password.
            raise JournalUnusableError(
                f"the journal's address is none that PostgreSQL understands ({SETTING})"
            ) from error
        try:
            self._settle_in(made)
        except psycopg.Error as error:
            made.close()
            raise LostError(_plain(str(error))) from error
        except LostError:
            made.close()
            raise
        return made

    def _settle_in(self, made: psycopg.Connection[Any]) -> None:
        calls = ", ".join("set_config(%s, %s, false)" for _ in SESSION)
        row = made.execute(
            # The first eight digits of a log file's name are the timeline.
            f"SELECT pg_walfile_name(pg_current_wal_lsn()), {calls}",
            [word for pair in SESSION.items() for word in pair],
        ).fetchone()
        assert row is not None
        timeline = int(row[0][:8], 16)
        if timeline < self._timeline:
            # Nobody told it that another server took its place: what it took would be lost.
            self._shuffled = True
            raise LostError("the server that answers was the primary before another one")
        self._timeline = timeline


class Connection:
    """A session, used by one thread at a time. Raises `LostError` and `RefusedError`."""

    def __init__(self, server: Server, *, name: str, read_only: bool = False) -> None:
        """Connect; raises `LostError` where no server answers, `RefusedError` where one does."""
        self._owner = server.connect(name)
        self.pg = self._owner.pgconn
        self.pg.nonblocking = 1
        self.pg.enter_pipeline_mode()
        self._poll = select.poll()
        self._poll.register(self.pg.socket, select.POLLIN)
        self._names: dict[str, bytes] = {}
        self._decoders: dict[bytes, tuple[Any, ...]] = {}
        self._sent: deque[tuple[Rows | None, bytes]] = deque()
        self._last = Rows(self)
        self._total = 0
        self._hub: greenlet | None = None
        """Runs verbs side by side, while it does."""
        self._begin = (
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" if read_only else "BEGIN READ WRITE"
        )

    @property
    def is_lost(self) -> bool:
        """Whether it can be used no more."""
        return self.pg.status != ConnStatus.OK

    @property
    def in_transaction(self) -> bool:
        """Whether something was begun and not ended."""
        return self.pg.transaction_status != pq.TransactionStatus.IDLE

    def begin(self) -> None:
        """Begin a transaction with the next statement."""
        self.execute(self._begin)

    def execute(self, statements: str, bindings: Any = None, /) -> Rows:
        """Queue a statement."""
        text, order = translated(statements)
        self._send(text, order(bindings) if bindings else ())
        return self._last

    def executemany(self, statements: str, sequenceofbindings: Iterable[Any], /) -> None:
        """Queue a statement once for each of its parameters."""
        text, order = translated(statements)
        for bindings in sequenceofbindings:
            self._send(text, order(bindings))

    def changes(self) -> int:
        """Rows that the last statement changed."""
        last = self._last
        if not last.is_there:
            self.fetch()
        return last.changed

    def total_changes(self) -> int:
        """Rows that were ever changed."""
        self.fetch()
        return self._total

    def script(self, sql: str) -> None:
        """Run definitions, outside of a pipeline."""
        self.fetch()
        self.pg.exit_pipeline_mode()
        try:
            self.pg.send_query(sql.encode())
            self._drain()
        finally:
            if not self.is_lost:
                self.pg.enter_pipeline_mode()

    def close(self) -> None:
        """End the session."""
        self._owner.close()

    def _send(self, text: str, parameters: Iterable[Any]) -> None:
        try:
            name = self._names.get(text)
            if name is None:
                if len(self._names) >= _MOST_PREPARED:
                    raise LostError("too many statements are prepared")
                name = self._names[text] = b"s%d" % len(self._names)
                self.pg.send_prepare(name, text.encode())
                self._sent.append((None, name))
            values = [_encoded(one) for one in parameters]
            self.pg.send_query_prepared(
                name, values, [1 if isinstance(one, bytes) else 0 for one in parameters]
            )
        except psycopg.OperationalError as error:
            raise LostError(str(error)) from error
        self._last = Rows(self)
        self._sent.append((self._last, name))

    def side_by_side(self, verbs: Iterable[Callable[[], Any]]) -> list[Any]:
        """Run verbs that touch different things, each as far as it gets without an answer.

        Then all their questions are sent together, and so on: the turns of one do for all. What
        one of them raises ends all.
        """
        results: dict[greenlet, Any] = {}
        running = [greenlet(verb) for verb in verbs]
        everyone = tuple(running)
        self._hub = getcurrent()
        try:
            while running:
                for one in running:
                    results[one] = one.switch()
                running = [one for one in running if not one.dead]
                if running:
                    self.fetch()
        finally:
            self._hub = None
            for one in running:
                one.throw()
        return [results[one] for one in everyone]

    def fetch(self) -> None:
        """Send what is queued, and wait for all of it. The first that was refused raises."""
        if self._hub is not None and getcurrent() is not self._hub:
            self._hub.switch()
            return
        if not self._sent:
            return
        refused: RefusedError | None = None
        try:
            self.pg.pipeline_sync()
            while True:
                result = self._result()
                if result is None:
                    if self.is_lost:
                        raise LostError(_plain(self.pg.get_error_message()))
                    continue
                if result.status == ExecStatus.PIPELINE_SYNC:
                    break
                rows, name = self._sent.popleft()
                if result.status in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
                    if rows is not None:
                        self._fill(rows, name, result)
                    continue
                if rows is None:
                    self._forget(name)
                if result.status == ExecStatus.FATAL_ERROR and refused is None:
                    refused = _refused(result)
        except psycopg.OperationalError as error:
            raise LostError(str(error)) from error
        finally:
            self._sent.clear()
        if refused is not None:
            if refused.state.startswith("57P") or self.is_lost:
                raise LostError(str(refused)) from refused
            raise refused

    def _result(self) -> Any:
        """The next result, waiting without holding up other threads."""
        until = time.monotonic() + PATIENCE
        while self.pg.flush():
            self._wait(until, select.POLLIN | select.POLLOUT)
            self.pg.consume_input()
        while self.pg.is_busy():
            self._wait(until, select.POLLIN)
            self.pg.consume_input()
        return self.pg.get_result()

    def _wait(self, until: float, events: int) -> None:
        self._poll.modify(self.pg.socket, events)
        left = until - time.monotonic()
        if left <= 0 or not self._poll.poll(left * 1000):
            self.pg.finish()
            raise LostError("the database has not answered")

    def _drain(self) -> None:
        refused = None
        try:
            while (result := self._result()) is not None:
                if result.status == ExecStatus.FATAL_ERROR:
                    refused = refused or _refused(result)
        except psycopg.OperationalError as error:
            raise LostError(str(error)) from error
        if refused is not None:
            raise refused

    def _forget(self, name: bytes) -> None:
        """It was not prepared: the transaction failed before it."""
        for text, known in tuple(self._names.items()):
            if known == name:
                # The number stays taken, so that no other statement gets the name.
                self._names.pop(text)
                self._names[f"-- {name.decode()}"] = name

    def _fill(self, rows: Rows, name: bytes, result: Any) -> None:
        rows.is_there = True
        if result.status == ExecStatus.TUPLES_OK:
            columns = self._decoders.get(name)
            if columns is None:
                columns = self._decoders[name] = tuple(
                    decoder(result.ftype(place)) for place in range(result.nfields)
                )
            get = result.get_value
            rows.found = [
                tuple(
                    None if (value := get(row, place)) is None else decode(value)
                    for place, decode in enumerate(columns)
                )
                for row in range(result.ntuples)
            ]
        rows.changed = result.command_tuples or 0
        self._total += rows.changed


def _encoded(value: Any) -> bytes | None:
    if isinstance(value, str):
        return value.encode()
    if isinstance(value, bytes) or value is None:
        return value
    return b"%d" % value


def _refused(result: Any) -> RefusedError:
    state = result.error_field(DiagnosticField.SQLSTATE) or b""
    text = result.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"it gave no reason"
    return RefusedError(state.decode(), _plain(text.decode("utf-8", "replace")))


def _plain(text: str) -> str:
    return " ".join(text.split())
