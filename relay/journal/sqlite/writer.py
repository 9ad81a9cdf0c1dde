"""What changes the journal: group commit without a waiting window.

Theory of operation: each verb is a function of the connection. The loop takes all quick verbs that
are queued and runs them in one transaction, where every statement is a matter of microseconds; a
thread commits, which is where the disk is waited for, and only then are they answered. The next
group is what arrived meanwhile. What may take long runs in the thread as a whole, and so does a
group of which a verb failed: again, and if need be each verb in a transaction of its own, so that
it takes back its own and nothing else. The connection is never used by both: whoever has the group
has the connection.

When the disk is full, a small verb of the group may still get through so, if need be on the blocks
of a reserve. When the disk fails (a sync above all), nothing is
ever acknowledged again: after a failed sync the kernel may have dropped the pages, and a later
success would prove nothing.
"""

from __future__ import annotations

import asyncio
import errno
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import apsw

from relay.errors import (
    JournalBrokenError,
    JournalBusyError,
    JournalClosedError,
    JournalError,
    JournalFullError,
)
from relay.journal.sqlite.connection import BUSY_MS, SqliteWriting

T = TypeVar("T")
Verb = Callable[[SqliteWriting], T]

LARGEST_GROUP = 500
"""Verbs in one commit: bounds how long the first of them waits."""
LARGEST_QUICK_GROUP = 100
"""Quick verbs in one commit: bounds how long the loop does nothing else."""
CHECKPOINT_PAGES = 4_000
"""After so many further pages the WAL is copied into the database (16 MB)."""
INSISTENT_PAGES = 16_000
"""From this size on the checkpoint waits for readers, so that the WAL starts anew (64 MB)."""
INSISTENT_MS = 250
"""How long it waits for them, once for each further 64 MB: nothing is recorded meanwhile."""

BROKEN = (
    apsw.IOError,
    apsw.CorruptError,
    apsw.NotADBError,
    apsw.ReadOnlyError,
    apsw.CantOpenError,
    apsw.ProtocolError,
    apsw.InternalError,
    apsw.MisuseError,
)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_SYNCS = (
    apsw.SQLITE_IOERR_FSYNC,
    apsw.SQLITE_IOERR_DIR_FSYNC,
    apsw.SQLITE_IOERR_CLOSE,
)


class _Job(NamedTuple):
    verb: Verb[Any]
    answer: asyncio.Future[Any]
    quick: bool
    alone: bool
    """Outside of any transaction."""


@dataclass(frozen=True, slots=True)
class _Failed:
    error: Exception


_Group = tuple[Sequence[_Job], Sequence[Any] | None]
"""Verbs with their results, where they were run and wait for their commit."""


class Writer:
    """Runs verbs one after the other. Made and used in one event loop."""

    def __init__(
        self, connection: SqliteWriting, make_room: Callable[[], bool] = lambda: False
    ) -> None:
        """Take over a connection, which nobody else may use from now on.

        `make_room` is asked when the disk is full: True if another try may find room.
        """
        self._connection = connection
        self._make_room = make_room
        self._loop = asyncio.get_running_loop()
        self._queue: deque[_Job] = deque()
        self._is_busy = False
        """A group is under way: the connection is not the loop's."""
        self._groups: queue.SimpleQueue[_Group | None] = queue.SimpleQueue()
        self._wal_pages = 0
        self._copied_pages = 0
        self._insist_at = INSISTENT_PAGES
        self._broken: JournalBrokenError | None = None
        self._closing = False
        self._idle = asyncio.Event()
        self._idle.set()
        self.waiting = 0
        """Verbs that were asked for and not yet answered."""
        self.commits = 0
        """Transactions since the start."""
        self.failure: asyncio.Future[JournalBrokenError] = self._loop.create_future()
        """Done when the disk failed; the process has to end then."""
        connection.set_wal_hook(self._note_wal)
        connection.set_busy_timeout(0)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    @property
    def is_broken(self) -> bool:
        """The disk failed: everything is refused from now on."""
        return self._broken is not None

    def submit(
        self,
        verb: Verb[T],
        *,
        quick: bool = False,
        alone: bool = False,
        patient: bool = True,  # noqa: ARG002  a file is there or the process ends
        touches: Iterable[str] | None = None,  # noqa: ARG002  all run in their order
    ) -> asyncio.Future[T]:
        """Queue a verb; the future is done when its change is on disk.

        It fails with `JournalFullError`, `JournalBrokenError`, `JournalError`, or with what the
        verb raised; nothing of the verb is stored then. `quick` verbs touch a few rows, which
        takes the loop no time worth speaking of. `alone` is for what SQLite does only outside of a
        transaction; nothing else is recorded while it lasts.
        """
        answer: asyncio.Future[T] = self._loop.create_future()
        if self._broken is not None:
            answer.set_exception(self._broken)
        elif self._closing:
            answer.set_exception(JournalClosedError("the journal is closed"))
        else:
            self.waiting += 1
            self._idle.clear()
            self._queue.append(_Job(verb, answer, quick, alone))
            if not self._is_busy:
                self._is_busy = True
                self._loop.call_soon(self._begin)
        return answer

    async def close(self) -> None:
        """Finish what is queued, copy the WAL into the database and close the connection."""
        while self.waiting:
            await self._idle.wait()
            # Callers that gave up hand their claim back now: let them queue it.
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        self._closing = True
        self._groups.put(None)
        await asyncio.to_thread(self._thread.join)

    def _begin(self) -> None:
        """Run the next group here and now, if it is quick, and hand it to the thread."""
        jobs = self._take()
        results = self._quickly(jobs) if jobs[0].quick and self._broken is None else None
        self._groups.put((jobs, results))

    def _take(self) -> Sequence[_Job]:
        """The next group: all of a kind that are queued, at least one."""
        first = self._queue.popleft()
        jobs = [first]
        most = 1 if first.alone else LARGEST_QUICK_GROUP if first.quick else LARGEST_GROUP
        while self._queue and len(jobs) < most:
            following = self._queue[0]
            if following.quick is not first.quick or following.alone:
                break
            jobs.append(self._queue.popleft())
        return jobs

    def _quickly(self, jobs: Sequence[_Job]) -> Sequence[Any] | None:
        """Run all verbs, as if none could fail or take long; None where one did or does."""
        connection = self._connection
        connection.is_hurried = True
        try:
            return self._begun(jobs)
        except Exception as error:  # the thread runs them again, one by one
            self._roll_back()
            if isinstance(error, BROKEN) and not self._is_full(error):
                self._break(error)
            return None
        finally:
            connection.is_hurried = False

    def _begun(self, jobs: Sequence[_Job]) -> Sequence[Any]:
        """Run all verbs in a transaction, up to its commit."""
        self._connection.execute("BEGIN IMMEDIATE")
        results = [job.verb(self._connection) for job in jobs]
        self._connection.book()
        return results

    def _run(self) -> None:
        while (group := self._groups.get()) is not None:
            jobs, done = group
            results: Sequence[Any]
            try:
                results = self._group(jobs) if done is None else self._commit(jobs, done)
            except Exception as error:  # whatever it is: no caller may wait for ever
                self._break(error)
                results = [_Failed(self._refusal())] * len(jobs)
            if self._wal_pages - self._copied_pages < CHECKPOINT_PAGES:
                self._tell(self._finish, jobs, results)
            else:
                self._tell(self._resolve, jobs, results)
                self._checkpoint()
                self._tell(self._finish, (), ())
        self._shut()

    def _finish(self, jobs: Sequence[_Job], results: Sequence[Any]) -> None:
        self._resolve(jobs, results)
        if self._queue:
            # After those who were answered just now: what they ask for comes along.
            self._loop.call_soon(self._begin)
        else:
            self._is_busy = False

    def _commit(self, jobs: Sequence[_Job], results: Sequence[Any]) -> Sequence[Any]:
        try:
            self._connection.execute("COMMIT")
        except apsw.Error as error:
            self._roll_back()
            if isinstance(self._fault(error), JournalBrokenError):
                return [_Failed(self._refusal())] * len(jobs)
            return self._group(jobs)
        self.commits += 1
        return results

    def _group(self, jobs: Sequence[_Job], *, may_use_reserve: bool = True) -> Sequence[Any]:
        """Run verbs in one transaction; where one fails, each in a transaction of its own."""
        if self._broken is not None:
            return [_Failed(self._broken)] * len(jobs)
        if jobs[0].alone:
            return [self._alone(jobs[0])]
        self._connection.set_busy_timeout(BUSY_MS)
        try:
            results = self._begun(jobs)
            self._connection.execute("COMMIT")
        except Exception as error:
            self._roll_back()
            fault = self._fault(error) if isinstance(error, apsw.Error) else error
            if isinstance(fault, JournalBrokenError | JournalBusyError):
                return [_Failed(fault)] * len(jobs)
            if len(jobs) > 1:
                return [self._group([job])[0] for job in jobs]
            if isinstance(fault, JournalFullError) and may_use_reserve and self._make_room():
                return self._group(jobs, may_use_reserve=False)
            return [_Failed(fault)]
        finally:
            self._connection.set_busy_timeout(0)  # the loop waits for nobody
        self.commits += 1
        return results

    def _alone(self, job: _Job) -> Any:
        try:
            return job.verb(self._connection)
        except apsw.Error as error:
            return _Failed(self._fault(error))

    def _roll_back(self) -> None:
        self._connection.take_back()
        if self._connection.in_transaction:
            try:
                self._connection.execute("ROLLBACK")
            except apsw.Error as error:
                self._break(error)

    def _fault(self, error: apsw.Error) -> JournalError:
        if self._broken is not None:
            return self._broken
        if self._is_full(error):
            return JournalFullError("there is no room left for the journal")
        if isinstance(error, BROKEN):
            return self._break(error)
        if isinstance(error, apsw.BusyError | apsw.LockedError):
            return JournalBusyError("another program holds the journal")
        return JournalError(f"the journal refused a change: {error}")

    def _is_full(self, error: Exception) -> bool:
        if isinstance(error, apsw.FullError):
            return True
        return (
            isinstance(error, apsw.IOError)
            and getattr(error, "extendedresult", None) not in _SYNCS
            and self._connection.system_errno in _NO_ROOM
        )

    def _refusal(self) -> JournalBrokenError:
        return self._broken or JournalBrokenError("the journal is broken")

    def _break(self, error: Exception) -> JournalBrokenError:
        if self._broken is None:
            self._broken = JournalBrokenError(
                f"the disk failed under the journal ({type(error).__name__}: {error}); "
                "nothing is acknowledged any more"
            )
            self._tell(self._announce, self._broken)
        return self._broken

    def _announce(self, error: JournalBrokenError) -> None:
        if not self.failure.done():
            self.failure.set_result(error)

    def _resolve(self, jobs: Sequence[_Job], results: Sequence[Any]) -> None:
        for job, result in zip(jobs, results, strict=True):
            if job.answer.done():
                continue
            if isinstance(result, _Failed):
                job.answer.set_exception(result.error)
            else:
                job.answer.set_result(result)
        self.waiting -= len(jobs)
        if not self.waiting:
            self._idle.set()

    def _tell(self, callback: Callable[..., None], *arguments: Any) -> None:
        try:
            self._loop.call_soon_threadsafe(callback, *arguments)
        except RuntimeError:
            return  # the loop is gone, and with it everybody who waits

    def _note_wal(self, _connection: apsw.Connection, _name: str, pages: int) -> int:
        if pages < self._wal_pages:
            self._copied_pages = 0  # it starts anew
        self._wal_pages = pages
        return apsw.SQLITE_OK

    def _checkpoint(self) -> None:
        """Copy the WAL when it has grown; after the answers, so that nobody waits for it."""
        if self._broken is not None:
            return
        insist = self._wal_pages >= self._insist_at
        self._insist_at = INSISTENT_PAGES + (self._wal_pages if insist else 0)
        mode = apsw.SQLITE_CHECKPOINT_RESTART if insist else apsw.SQLITE_CHECKPOINT_PASSIVE
        try:
            self._connection.set_busy_timeout(INSISTENT_MS)
            _, self._copied_pages = self._connection.wal_checkpoint(mode=mode)
        except apsw.Error as error:
            self._fault(error)
        finally:
            self._connection.set_busy_timeout(0)

    def _shut(self) -> None:
        try:
            if self._broken is not None:
                # A checkpoint of pages whose sync failed could damage what is whole.
                self._connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
            else:
                self._connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
        except apsw.Error as error:
            self._fault(error)
        finally:
            self._connection.set_wal_hook(None)
            self._connection.close(True)
