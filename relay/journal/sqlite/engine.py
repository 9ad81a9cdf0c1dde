"""The embedded engine: `open_journal` for the relay that serves, `open_records` to look on."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import apsw

from relay import deliveries, failpoints
from relay.deliveries import Delivery, Interrupted, outcome_word
from relay.directory import Completed, Contact
from relay.errors import JournalFullError
from relay.events import Event
from relay.failpoints import Failpoint
from relay.journal import Aim, Appended, Checked, Filter, Records, Routing, Store, Trouble
from relay.journal.care import START, Forgotten, Mark, Pruned, Quarantined
from relay.journal.sqlite import (
    connection,
    damage,
    directory,
    intake,
    notes,
    operators,
    quarantine,
    retention,
    troubles,
    waits,
    work,
)
from relay.journal.sqlite.connection import Synchronous, journal_path
from relay.journal.sqlite.forgetting import Forgetting
from relay.journal.sqlite.lock import Lock
from relay.journal.sqlite.records import SqliteRecords
from relay.journal.sqlite.room import RESERVE_BYTES, Room
from relay.journal.sqlite.writer import Verb, Writer
from relay.sources import Reading

__all__ = ["examine_journal", "journal_path", "open_engine", "open_journal", "open_records"]

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

    def open_all() -> tuple[bool, Lock, apsw.Connection, list[apsw.Connection], bytes]:
        with connection.named_faults(path):
            lock = Lock(path)
            unclean = damage.is_unclean(path)
            opened: list[apsw.Connection] = []
            try:
                opened.append(connection.writer(path, vfs=vfs, synchronous=synchronous))
                key = _own_key(opened[0])
                opened.extend(connection.reader(path, vfs=vfs) for _ in range(READERS))
            except BaseException:
                for one in reversed(opened):
                    one.close()
                lock.release()
                raise
        return unclean, lock, opened[0], opened[1:], key

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

        def verb(writing: apsw.Connection) -> Appended:
            self._room.require()
            added = intake.append(writing, reading, now=now, route=route)
            failpoints.reach(Failpoint.BEFORE_COMMIT)
            return added

        return await self._do(verb)

    async def tally(self, name: str, *, now: datetime, count: int = 1) -> None:
        """Count something that leaves no other trace; `refused` is what `Status` shows of 401s."""
        await self._do(partial(intake.tally, name=name, count=count, now=now))

    async def route(
        self,
        event_id: str,
        routing: Routing,
        *,
        now: datetime,
        completed: Completed | None = None,
    ) -> bool:
        """Record what is owed for an event; False when it was routed before."""
        return await self._do(
            partial(work.route, event=event_id, routing=routing, now=now, completed=completed)
        )

    async def learn(
        self, contacts: Sequence[Contact], kind: str, *, now: datetime, who: str
    ) -> int:
        """Teach the directory what a person gave; how many facts changed something."""
        return await self._do(
            partial(directory.teach, contacts=contacts, kind=kind, now=now, who=who)
        )

    async def post(self, event: Event, deliveries: Sequence[Delivery], *, now: datetime) -> None:
        """Record an event of the relay's own with its deliveries, routed at once."""
        await self._do(partial(work.post, event=event, owed=deliveries, now=now))

    async def owe(self, deliveries: Sequence[Delivery], *, now: datetime) -> int:
        """Record further deliveries of known events; how many were new."""
        return await self._do(partial(work.owe, owed=deliveries, now=now))

    async def claim(
        self, target: str, *, now: datetime, head: bool = False, by_age: bool = False
    ) -> tuple[Delivery, Event] | None:
        """Claim the next due delivery of a lane; a cancelled caller gives it back."""
        answer = self._writer.submit(
            partial(work.claim, target=target, now=now, head=head, by_age=by_age)
        )
        try:
            return await asyncio.shield(answer)
        except asyncio.CancelledError:
            answer.add_done_callback(partial(self._give_back, now=now))
            raise

    def retime(self, step: timedelta, *, now: datetime) -> Awaitable[None]:
        """Move the due times and horizons of all unfinished deliveries with the wall clock."""
        return asyncio.shield(self._writer.submit(partial(waits.retime, step=step, now=now)))

    async def probe(self, target: str, *, now: datetime) -> bool:
        """Put the oldest parked delivery of a target back as pending and due."""
        return await self._do(partial(work.probe, target=target, now=now))

    async def open_attempt(self, delivery: Delivery, *, now: datetime) -> int | None:
        """Record that a try begins, before anything is sent; None if the claim is lost."""
        return await self._do(partial(work.open_attempt, delivery=delivery, now=now))

    async def settle(
        self,
        before: Delivery,
        after: Delivery,
        *,
        now: datetime,
        outcome: str,
        reason: str | None,
        attempt: int | None = None,
        duration_ms: int = 0,
        rendered: Mapping[str, Any] | None = None,
        trouble: Trouble | None = None,
        cured: Sequence[str] = (),
    ) -> bool:
        """Record what became of a claimed delivery, if claim and attempt still hold."""
        return await self._do(
            partial(
                work.settle,
                before=before,
                after=after,
                now=now,
                outcome=outcome,
                reason=reason,
                attempt=attempt,
                duration_ms=duration_ms,
                rendered=rendered,
                trouble=trouble,
                cured=cured,
            )
        )

    async def aim(self, aims: Mapping[str, Aim], *, now: datetime) -> None:
        """Point unfinished deliveries at where their destinations are now."""
        await self._do(partial(troubles.aim, aims=aims, now=now))

    async def retry(self, wanted: Filter, *, now: datetime, who: str) -> int:
        """Put all matching dead or parked deliveries back; how many."""
        return await self._do(partial(operators.retry, wanted=wanted, now=now, who=who))

    async def discard(self, wanted: Filter, *, now: datetime, who: str) -> int:
        """Give up all matching pending, parked or dead deliveries; how many."""
        return await self._do(partial(operators.discard, wanted=wanted, now=now, who=who))

    async def adopt_rules(
        self, files: Mapping[str, str], *, now: datetime, checked: Checked | None = None
    ) -> int:
        """The version number of these files, a new one if they differ from the newest."""
        return await self._do(partial(notes.adopt_rules, files=files, now=now, checked=checked))

    async def raise_alarm(self, key: str, text: str, *, now: datetime) -> bool:
        """Remember an alarm; False if it is on already."""
        return await self._do(partial(notes.raise_alarm, key=key, text=text, now=now))

    async def clear_alarm(self, key: str) -> bool:
        """Forget an alarm; False if it is not on."""
        return await self._do(partial(notes.clear_alarm, key=key))

    async def prune(self, *, now: datetime, keep: timedelta | None, after: Mark = START) -> Pruned:
        """One step of retention; go on with the answer's `next`."""
        return await self._do(partial(retention.prune, now=now, keep=keep, after=after))

    async def look_at(self, item: int, *, now: datetime, who: str) -> Quarantined | None:
        """One item of quarantine with its body; that somebody looked is recorded."""
        return await self._do(partial(quarantine.look_at, item=item, now=now, who=who))

    async def forget(
        self, phone: str, *, now: datetime, who: str, discard: bool = False
    ) -> Forgotten:
        """Erase what is known of a number, then what the files still hold of it."""
        return await Forgetting(self._writer, self._records, phone, now, who).run(discard=discard)

    async def recover(self, *, now: datetime) -> int:
        """Settle as lost what the last relay had claimed; how many. Only for the opening."""
        return await self._do(partial(work.recover, now=now))

    async def close(self) -> None:
        """Finish what was asked for and give the store back, records and lock included."""
        await self._records.close()
        await self._writer.close()
        self._lock.release()

    async def _do(self, verb: Verb[T]) -> T:
        return await asyncio.shield(self._writer.submit(verb))

    def _give_back(
        self, answer: asyncio.Future[tuple[Delivery, Event] | None], *, now: datetime
    ) -> None:
        """Nobody drives this claim: put it back as it was, before anything was sent."""
        if answer.cancelled() or answer.exception() is not None:
            return
        claimed = answer.result()
        if claimed is None:
            return
        before, _ = claimed
        outcome = Interrupted(written=False)
        settled = self._writer.submit(
            partial(
                work.settle,
                before=before,
                after=deliveries.settle(before, outcome, now, 0.0),
                now=now,
                outcome=outcome_word(outcome),
                reason=outcome.reason,
            )
        )
        # Without an answer it stays claimed, and the next opening finds it.
        settled.add_done_callback(lambda done: done.exception())
