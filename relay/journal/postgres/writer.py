"""What changes the journal: group commit by one thread, under a lock that all relays share.

Theory of operation: the thread takes all verbs that wait and runs them in one transaction, whose
first act is to take an advisory lock of the database. So there is one writer at a time over all
relays, as with SQLite over all threads, and every check that a verb makes still holds when it
writes. A group of which a verb fails is taken back and run again, each verb alone.

Where the connection is lost, or nothing is answered for a while, webhooks are refused, for their
sender repeats them; all else waits until the database is there again. A commit whose answer was
lost may have been made: each transaction leaves its number in the relay's own row, which says so
afterwards, on whichever server then answers. So no verb is done twice, and none is told done that
was not.
"""

from __future__ import annotations

import asyncio
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from relay.errors import (
    JournalBusyError,
    JournalClosedError,
    JournalError,
    JournalFullError,
)
from relay.journal.postgres.connection import LostError, RefusedError
from relay.journal.postgres.writing import PostgresWriting
from relay.journal.sql.writing import Writing

T = TypeVar("T")
Verb = Callable[[Writing], T]

LARGEST_GROUP = 500
"""Verbs in one commit: bounds how long the first of them waits."""
LOCK = 3_600_360
"""The advisory lock of whoever writes."""
BEAT = 1.0
"""Seconds after which an idle relay shows that it lives, and sees that the database does."""
AFTER_A_LOSS = 0.5
"""Seconds between two tries to reach the database."""
_MAY_PASS = ("40", "55", "57014", "25006")
"""Codes of what has nothing to do with the verbs: a conflict, a lock, a timeout, a standby."""
SILENCE = 5.0
"""Seconds of one group, its wait for the lock included, for which webhooks wait at most."""
GONE = "the database cannot be reached"
SILENT = f"the database has not answered for {SILENCE:.0f} s"


class _Job(NamedTuple):
    verb: Verb[Any]
    answer: asyncio.Future[Any]
    patient: bool
    touches: frozenset[str] | None
    """What it alone may change of those that run beside it; None: it runs by itself."""

    @property
    def is_refused(self) -> bool:
        """Whether who asked was told that nothing is stored; one that went away was not."""
        return not self.patient and self.answer.done() and not self.answer.cancelled()


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


class Writer:
    """Runs verbs one after the other. Made and used in one event loop."""

    def __init__(
        self, connection: PostgresWriting, relay: str, connect: Callable[[], PostgresWriting]
    ) -> None:
        """Take over a connection, which nobody else may use; `relay` is the id of its own row."""
        self._connection: PostgresWriting | None = connection
        self._relay = relay
        self._connect = connect
        self._loop = asyncio.get_running_loop()
        self._jobs: deque[_Job] = deque()
        self._ear, self._bell = os.pipe()
        os.set_blocking(self._ear, False)
        self._sleeps = False
        self._closing = False
        self._number = 0
        self.waiting = 0
        """Verbs that were asked for and not yet answered."""
        self.commits = 0
        """Transactions since the start."""
        self.leads = False
        """This relay led when it last wrote."""
        self._lost: str | None = None
        self._group: Sequence[_Job] = ()
        self._since: float | None = None
        """When the group began that is under way."""
        self._guard: asyncio.TimerHandle | None = None
        self._refused = False
        """For its silence; what was asked for may be done all the same."""
        self.on_news: Callable[[set[str]], None] = lambda _: None
        """Told, in the loop, what other relays told."""
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def trouble(self) -> str | None:
        """Why nothing can be recorded now; None if all is well."""
        since = self._since
        is_silent = since is not None and time.monotonic() - since > SILENCE
        return self._lost or (SILENT if is_silent else None)

    def submit(
        self,
        verb: Verb[T],
        *,
        quick: bool = False,  # noqa: ARG002  all are run by the thread
        patient: bool = True,
        touches: Iterable[str] | None = None,
    ) -> asyncio.Future[T]:
        """Queue a verb; the future is done when its change is on disk.

        It fails with a `JournalError`, or with what the verb raised; nothing of the verb is stored
        then. While the database is away a `patient` one waits, others fail at once. Verbs that
        touch different things run side by side.
        """
        answer: asyncio.Future[T] = self._loop.create_future()
        if self._closing:
            answer.set_exception(JournalClosedError("the journal is closed"))
        elif not patient and (trouble := self.trouble) is not None:
            answer.set_exception(JournalBusyError(trouble))
        else:
            if self._guard is None:
                self._guard = self._loop.call_later(BEAT, self._refuse_the_impatient)
            self.waiting += 1
            self._jobs.append(
                _Job(verb, answer, patient, None if touches is None else frozenset(touches))
            )
            if self._sleeps:
                os.write(self._bell, b"!")
        return answer

    def _refuse_the_impatient(self) -> None:
        """Answer who waits for a database that is away; look again while anybody waits."""
        self._guard = None
        if self.waiting and not self._closing:
            self._guard = self._loop.call_later(BEAT, self._refuse_the_impatient)
        trouble = self.trouble
        if trouble is None:
            return
        if self._lost is None and not self._refused:
            self._refused = True
            self.on_news({"lost"})
        for job in (*self._group, *self._jobs.copy()):
            if not job.patient and not job.answer.done():
                job.answer.set_exception(JournalBusyError(trouble))

    async def close(self) -> None:
        """Finish what is queued, as far as the database is there, and close the connection."""
        if self._closing:
            return
        self._closing = True
        if self._guard is not None:
            self._guard.cancel()
        os.write(self._bell, b"!")
        await asyncio.to_thread(self._thread.join)
        os.close(self._ear)
        os.close(self._bell)

    def _run(self) -> None:
        while (jobs := self._take()) is not None:
            self._group, self._since = jobs, time.monotonic()
            for done, results in self._done(jobs):
                self.leads = self._connection is not None and self._connection.leads
                if done:
                    self._tell(self._resolve, done, results)
            self._pass_on()
            self._group, self._since = (), None
        if self._connection is not None:
            self._connection.close()

    def _take(self) -> list[_Job] | None:
        """The next group, empty after a while without one; None when all is done."""
        if not self._jobs and not self._closing:
            self._sleep()
        if not self._jobs and self._closing:
            return None
        jobs = [self._jobs.popleft() for _ in range(min(len(self._jobs), LARGEST_GROUP))]
        refused = [job for job in jobs if job.is_refused]
        if refused:
            self._tell(self._resolve, refused, [None] * len(refused))
        return [job for job in jobs if job not in refused]

    def _sleep(self) -> None:
        """Until there is something to do, another relay tells something, or for a while."""
        poll = select.poll()
        poll.register(self._ear, select.POLLIN)
        if self._connection is not None and not self._connection.is_lost:
            poll.register(self._connection.socket, select.POLLIN)
        self._sleeps = True
        if not self._jobs:  # what was queued before it was seen to sleep wakes nobody
            poll.poll(BEAT * 1000)
        self._sleeps = False
        with suppress(BlockingIOError):
            os.read(self._ear, 4096)

    def _pass_on(self) -> None:
        """Tell the loop what other relays told, and whether one of them leads."""
        connection = self._connection
        if connection is None:
            return
        with suppress(LostError):  # the next group finds it lost
            words = connection.heard(wait=True)
            if self._refused:
                self._refused = False
                words.add("back")
            if not connection.is_led:
                words.add("vacant")
            elif connection.leads and connection.are_dead:
                words.add("left")
            if words:
                self._tell(self.on_news, words)

    def _done(self, jobs: list[_Job]) -> Iterator[tuple[list[_Job], Sequence[Any]]]:
        """Run a group until all of it has an answer, which may take as long as the outage."""
        made: list[Any] | None = None
        is_away = False
        while True:
            try:
                connection = self._connected()
                if made is None or not connection.was_made(self._relay, LOCK, self._number):
                    made = None
                    self._number += 1
                    connection.begin_as(self._relay, LOCK, self._number, durable=bool(jobs))
                    results = _run(connection, jobs)
                    connection.book()
                    made = results
                    connection.commit()
                    self.commits += 1
            except Exception as error:
                if not self._is_passing(error):
                    self._roll_back()
                    if len(jobs) > 1:
                        for job in jobs:
                            yield from self._done([job])
                        return
                    yield jobs, [_Failed(_fault(error))] * len(jobs)
                    return
                self._lose(str(error))
            else:
                if self._lost is not None:
                    self._lost = None
                    self._tell(self.on_news, {"back"})
                yield jobs, made
                return
            given_up = [job for job in jobs if self._closing or not job.patient]
            if given_up:
                fault = _Failed(JournalBusyError(self._lost or GONE))
                yield given_up, [fault] * len(given_up)
            if made is not None:
                made = [one for job, one in zip(jobs, made, strict=True) if job not in given_up]
            jobs = [job for job in jobs if job not in given_up]
            if self._closing and not jobs:
                return
            time.sleep(AFTER_A_LOSS if is_away else 0)
            is_away = True

    def _is_passing(self, error: Exception) -> bool:
        """Whether it has nothing to do with the verbs, and may be over soon."""
        if isinstance(error, RefusedError):
            return error.state.startswith(_MAY_PASS)
        return isinstance(error, LostError)

    def _roll_back(self) -> None:
        """Take the transaction back; where that fails too, the connection is of no use."""
        if self._connection is not None:
            try:
                self._connection.roll_back()
            except (LostError, RefusedError) as error:
                self._lose(str(error))

    def _connected(self) -> PostgresWriting:
        if self._connection is None:
            try:
                self._connection = self._connect()
            except RefusedError as error:  # it may let the relay in again
                raise LostError(str(error)) from error
        return self._connection

    def _lose(self, why: str) -> None:
        if self._lost is None:
            self._tell(self.on_news, {"lost"})
        self._lost = f"{GONE}: {why}"
        if self._connection is not None:
            self._connection.take_back()
            self._connection.close()
            self._connection = None

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            return  # the loop is gone, and with it everybody who waits

    def _resolve(self, jobs: Sequence[_Job], results: Sequence[Any]) -> None:
        for job, result in zip(jobs, results, strict=True):
            if job.answer.done():
                continue
            if isinstance(result, _Failed):
                job.answer.set_exception(result.error)
            else:
                job.answer.set_result(result)
        self.waiting -= len(jobs)


def _run(connection: PostgresWriting, jobs: Sequence[_Job]) -> list[Any]:
    """Run verbs in their order, those that follow each other and touch nothing twice together."""
    results: list[Any] = []
    beside: list[_Job] = []
    touched: set[str] = set()
    for job in (*jobs, None):
        if job is not None and job.touches is not None and touched.isdisjoint(job.touches):
            beside.append(job)
            touched |= job.touches
            continue
        if beside:
            results += connection.side_by_side(partial(one.verb, connection) for one in beside)
        beside, touched = [], set()
        if job is None:
            break
        if job.touches is None:
            results.append(job.verb(connection))
        else:
            beside, touched = [job], set(job.touches)
    return results


def _fault(error: Exception) -> Exception:
    if not isinstance(error, RefusedError):
        return error
    if error.state.startswith("53"):
        return JournalFullError(f"the database has no room left: {error}")
    return JournalError(f"the journal refused a change: {error}")
