"""The embedded engine: `open_journal` for the relay that serves, `open_records` to look on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Coroutine, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, TypeVar

import apsw

from relay import deliveries, failpoints
from relay.errors import JournalFullError
from relay.failpoints import Failpoint
from relay.journal import (
    Appended,
    Ask,
    Claimed,
    Owing,
    Records,
    Routed,
    Settlement,
    Store,
    Turn,
)
from relay.journal.address import journal_path
from relay.journal.care import Forgotten
from relay.journal.sqlite import (
    connection,
    damage,
    directory,
    forget,
    intake,
    notes,
    operators,
    quarantine,
    retention,
    routing,
    silences,
    troubles,
    watched,
    work,
)
from relay.journal.sqlite.connection import Synchronous
from relay.journal.sqlite.lock import Lock
from relay.journal.sqlite.records import SqliteRecords
from relay.journal.sqlite.room import RESERVE_BYTES, Room
from relay.journal.sqlite.writer import Verb, Writer
from relay.journal.sqlite.writing import Writing
from relay.outcomes import Interrupted, outcome_word
from relay.sources import Reading

__all__ = ["examine_journal", "journal_path", "open_engine", "open_journal", "open_records"]

P = ParamSpec("P")
T = TypeVar("T")

READERS = 2
"""So many questions are answered at once: a long one does not hold up the lanes."""
MOST_WAITING = 2_000
"""From so many waiting changes on, further webhooks are refused instead of queued."""


async def open_journal(
    url: str, *, now: datetime, vfs: str | None = None, floor_bytes: int | None = None
) -> Store:
    """Open the journal for the one relay that serves it, creating it if there is none.

    Raises `JournalLockedError` or `JournalUnusableError`, each with one line for the operator.
    Deliveries that the last relay had claimed are settled as lost before this returns.
    """
    return await open_engine(
        journal_path(url),
        now=now,
        vfs=vfs,
        floor_bytes=floor_bytes,
        reserve_bytes=RESERVE_BYTES,
        synchronous="FULL",
    )


def open_records(url: str) -> Records:
    """Open the journal to read only, also while a relay serves it; for commands.

    Raises `JournalUnusableError`, also where there is no journal yet.
    """
    path = journal_path(url)
    with connection.named_faults(path):
        return SqliteRecords([connection.reader(path)])


async def examine_journal(url: str) -> list[str]:
    """What is wrong with the whole file, also while a relay serves it; nothing if all is well.

    Raises `JournalUnusableError` where it cannot even be opened.
    """
    path = journal_path(url)
    with connection.named_faults(path):
        opened = connection.reader(path)
    return await damage.examine(opened)


async def open_engine(
    path: Path,
    *,
    now: datetime,
    vfs: str | None = None,
    floor_bytes: int | None = None,
    reserve_bytes: int = 0,
    synchronous: Synchronous = "FULL",
) -> Store:
    """As `open_journal`; `synchronous` is there to show what a weaker setting loses."""

    def open_all() -> tuple[bool, Lock, Writing, list[apsw.Connection], bytes]:
        with connection.named_faults(path):
            lock = Lock(path)
            unclean = damage.is_unclean(path)
            opened: list[apsw.Connection] = []
            try:
                writing = connection.writer(path, vfs=vfs, synchronous=synchronous)
                opened.append(writing)
                key = _own_key(writing)
                opened.extend(connection.reader(path, vfs=vfs) for _ in range(READERS))
            except BaseException:
                for one in reversed(opened):
                    one.close()
                lock.release()
                raise
        return unclean, lock, writing, opened[1:], key

    unclean, lock, writing, reading, key = await asyncio.to_thread(open_all)
    records = SqliteRecords(reading)
    room = Room(path, floor_bytes, reserve_bytes)
    journal = SqliteJournal(Writer(writing, make_room=room.make), records, lock, room)
    try:
        recovered = await journal.recover(now=now)
    except BaseException:
        await journal.close()
        raise
    return Store(journal=journal, records=records, recovered=recovered, unclean=unclean, key=key)


def _own_key(writing: apsw.Connection) -> bytes:
    """The random key that the journal keeps for its fingerprints; made once."""
    found = writing.execute("SELECT value FROM meta WHERE key = 'fingerprint_key'").get
    if found is None:
        found = secrets.token_hex(32)
        writing.execute("INSERT INTO meta VALUES ('fingerprint_key', ?)", (found,))
    return bytes.fromhex(found)


def _verb(
    work: Callable[Concatenate[Writing, P], T], *, quick: bool = False
) -> Callable[Concatenate[SqliteJournal, P], Coroutine[Any, Any, T]]:
    """The verb of the journal that this work is; its name and meaning stand in `Journal`."""

    async def verb(self: SqliteJournal, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self._writer.submit(
            lambda writing: work(writing, *arguments, **named), quick=quick
        )

    return verb


class SqliteJournal:
    """The verbs, each run by the writer's thread and answered when its commit is on disk.

    A caller that is cancelled gives up the answer, not the change.
    """

    def __init__(self, writer: Writer, records: SqliteRecords, lock: Lock, room: Room) -> None:
        """Take over the parts of an open store; `close` gives all of them back."""
        self._writer = writer
        self._records = records
        self._lock = lock
        self._room = room

    def can_store(self) -> bool:
        """Whether a webhook would be taken now: the disk works, with room, and is keeping up."""
        full = self._writer.waiting >= MOST_WAITING
        return not (self._writer.is_broken or full) and self._room.is_enough()

    @property
    def commits(self) -> int:
        """Commits since the opening: fewer than verbs where they shared one."""
        return self._writer.commits

    async def broken(self) -> str:
        """Return, with the reason, when the disk failed; the process has to end then."""
        return str(await asyncio.shield(self._writer.failure))

    async def append(
        self, reading: Reading, *, now: datetime, route: str | None = None
    ) -> Appended:
        """Record one webhook whole; raises `JournalFullError` below the floor of free space."""
        if self._writer.waiting >= MOST_WAITING:
            raise JournalFullError(f"{self._writer.waiting} changes wait to be recorded")

        def verb(writing: Writing) -> Appended:
            self._room.require()
            added = intake.append(writing, reading, now=now, route=route)
            failpoints.reach(Failpoint.BEFORE_COMMIT)
            return added

        return await self._writer.submit(verb, quick=True)

    async def route(
        self, batch: Sequence[Owing], *, now: datetime, idle: Collection[str] = ()
    ) -> Routed:
        """Record what is owed for events, with the first claims of idle lanes."""
        verb = partial(routing.route, batch=batch, now=now, idle=idle)
        return await self._claiming(verb, lambda done: tuple(done.claimed.values()), now)

    async def claim(self, ask: Ask, *, now: datetime) -> Turn:
        """Claim the next delivery of a lane; a cancelled caller gives it back."""
        verb = partial(work.claim, ask=ask, now=now)
        return await self._claiming(verb, lambda done: (done.claimed,), now)

    tally = _verb(intake.tally, quick=True)
    post = _verb(routing.post, quick=True)
    expire = _verb(work.expire, quick=True)
    probe = _verb(work.probe, quick=True)
    settle = _verb(work.settle, quick=True)
    raise_alarm = _verb(notes.raise_alarm, quick=True)
    clear_alarm = _verb(notes.clear_alarm, quick=True)
    remember = _verb(notes.remember, quick=True)
    recover = _verb(work.recover)
    learn = _verb(directory.teach)
    owe = _verb(routing.owe)
    aim = _verb(troubles.aim)
    retry = _verb(operators.retry)
    discard = _verb(operators.discard)
    adopt_rules = _verb(notes.adopt_rules)
    rewrite_rules = _verb(notes.rewrite_rules)
    prune = _verb(retention.prune)
    begin_silence = _verb(silences.begin)
    end_silence = _verb(silences.end)
    tell_silence = _verb(routing.tell_silence)
    look_at = _verb(quarantine.look_at)
    watch = _verb(watched.watch)
    watch_failed = _verb(watched.watch_failed)

    async def forget(
        self, phone: str, *, now: datetime, who: str, discard: bool = False
    ) -> Forgotten:
        """Erase what is known of a number, then what the files still hold of it."""
        return await forget.forget(self._writer, phone, now=now, who=who, discard=discard)

    async def close(self) -> None:
        """Finish what was asked for and give the store back, records and lock included."""
        await self._records.close()
        await self._writer.close()
        self._lock.release()

    async def _claiming(
        self, verb: Verb[T], claims: Callable[[T], Sequence[Claimed | None]], now: datetime
    ) -> T:
        """Run a verb that claims; whoever gives up its answer gives back what it claimed."""

        def give_back(answer: asyncio.Future[T]) -> None:
            if not answer.cancelled() and answer.exception() is None:
                for claimed in claims(answer.result()):
                    if claimed is not None:
                        self._give_back(claimed, now=now)

        answer = self._writer.submit(verb, quick=True)
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(give_back)
            raise

    def _give_back(self, claimed: Claimed, *, now: datetime) -> None:
        """Nobody drives this claim: put it back as it was, before anything was sent."""
        outcome = Interrupted(written=False)
        settlement = Settlement(
            before=claimed.delivery,
            after=deliveries.settle(claimed.delivery, outcome, now, 0.0),
            attempt=claimed.attempt,
            outcome=outcome_word(outcome),
            reason=outcome.reason,
        )
        verb = partial(work.settle, settlement=settlement, now=now)
        settled = self._writer.submit(verb, quick=True)
        # Without an answer it stays claimed until its lease ends.
        settled.add_done_callback(lambda done: done.exception())
