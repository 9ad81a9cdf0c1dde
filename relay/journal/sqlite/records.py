"""`Records` on SQLite: questions that a few threads answer, so that the loop never waits."""

from __future__ import annotations

import asyncio
import queue
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Concatenate, ParamSpec, TypeVar

import apsw

from relay.errors import JournalBrokenError, JournalBusyError, JournalClosedError, JournalError
from relay.journal.sqlite import (
    balancing,
    directory,
    notes,
    quarantine,
    questions,
    silences,
    watched,
)
from relay.journal.sqlite.writer import BROKEN

P = ParamSpec("P")
T = TypeVar("T")


def _question(
    asked: Callable[Concatenate[apsw.Connection, P], T],
) -> Callable[Concatenate[SqliteRecords, P], Coroutine[Any, Any, T]]:
    """The question of the records that this is; its name and meaning stand in `Records`."""

    async def question(self: SqliteRecords, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self.ask(lambda connection: asked(connection, *arguments, **named))

    return question


class SqliteRecords:
    """The questions; each connection is used by one thread at a time."""

    def __init__(self, connections: Sequence[apsw.Connection]) -> None:
        """Take over read-only connections; as many questions are answered at once."""
        self._count = len(connections)
        self._free: queue.SimpleQueue[apsw.Connection] = queue.SimpleQueue()
        for connection in connections:
            self._free.put(connection)
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="records")

    event = _question(questions.event)
    events = _question(questions.events)
    past = _question(questions.past)
    unrouted = _question(questions.unrouted)
    deliveries = _question(questions.deliveries)
    count_events = _question(questions.count_events)
    count_deliveries = _question(questions.count_deliveries)
    stopped = _question(questions.stopped)
    of_event = _question(questions.of_event)
    owed = _question(questions.owed)
    lanes = _question(questions.lanes)
    dead = _question(questions.dead)
    troubles = _question(questions.troubles)
    alarms = _question(questions.alarms)
    untold_silences = _question(silences.untold)
    silences = _question(silences.silences)
    recalled = _question(notes.recalled)
    heard = _question(questions.heard)
    answers = _question(questions.answers)
    status = _question(questions.status)
    hours = _question(questions.hours)
    rules = _question(questions.rules)
    balance = _question(balancing.balance)
    quarantined = _question(quarantine.quarantined)
    watch_state = _question(watched.watch_state)
    watched = _question(watched.watched)
    known_for = _question(directory.known_for)
    directory = _question(directory.entries)

    async def close(self) -> None:
        """Answer what was asked and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        while not self._free.empty():
            self._free.get().close(True)

    async def ask(self, question: Callable[[apsw.Connection], T]) -> T:
        """Answer a question from one moment of the journal."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._answer, question)
        except RuntimeError as error:
            raise JournalClosedError("the journal is closed") from error

    def _answer(self, question: Callable[[apsw.Connection], T]) -> T:
        """Answer one question from one moment of the journal."""
        connection = self._free.get()
        try:
            connection.execute("BEGIN")
            try:
                return question(connection)
            finally:
                connection.execute("ROLLBACK")
        except (apsw.BusyError, apsw.LockedError) as error:
            raise JournalBusyError("another program holds the journal") from error
        except BROKEN as error:
            raise JournalBrokenError(f"the journal cannot be read: {error}") from error
        except apsw.Error as error:
            raise JournalError(f"the journal has no answer: {error}") from error
        finally:
            self._free.put(connection)
