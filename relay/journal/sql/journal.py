"""`Journal` and `Records` over the verbs and questions; an engine gives the connections."""

from __future__ import annotations

import asyncio
import queue
from abc import abstractmethod
from collections.abc import Callable, Collection, Coroutine, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar

from relay import deliveries, failpoints
from relay.errors import JournalClosedError, JournalFullError
from relay.failpoints import Failpoint
from relay.journal import Appended, Ask, Claimed, Owing, Recorded, Routed, Settlement, Turn
from relay.journal.care import Forgotten
from relay.journal.sql import (
    balancing,
    digests,
    directory,
    fallbacks,
    forget,
    intake,
    notes,
    operators,
    quarantine,
    questions,
    retention,
    routing,
    silences,
    troubles,
    watched,
    work,
)
from relay.journal.sql.writing import Connection, Writing
from relay.outcomes import Interrupted, outcome_word
from relay.sources import Reading

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C")
Verb = Callable[[Writing], T]

MOST_WAITING = 2_000
"""From so many waiting changes on, further webhooks are refused instead of queued."""


class Writer(Protocol):
    """Runs verbs one after the other, many in one commit, each answered when it is on disk."""

    waiting: int
    """Verbs that were asked for and not yet answered."""
    commits: int
    """Transactions since the start."""

    def submit(
        self,
        verb: Verb[T],
        *,
        quick: bool = False,
        patient: bool = True,
        touches: Iterable[str] | None = None,
    ) -> asyncio.Future[T]:
        """Queue a verb; `quick` ones touch a few rows. Fails with a `JournalError`.

        While the store is away a `patient` one waits, others fail at once. Verbs that name what
        they touch, and touch different things, may run side by side, their statements mixed.
        """
        ...


def _verb(
    work: Callable[Concatenate[Writing, P], T], *, quick: bool = False, patient: bool = True
) -> Callable[Concatenate[SqlJournal, P], Coroutine[Any, Any, T]]:
    """The verb of the journal that this work is; its name and meaning stand in `Journal`."""

    async def verb(self: SqlJournal, /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self._queue.submit(
            lambda writing: work(writing, *arguments, **named),
            quick=quick,
            patient=patient,
        )

    return verb


class SqlJournal:
    """The verbs, each answered when its commit is on disk.

    A caller that is cancelled gives up the answer, not the change.
    """

    def __init__(self, writer: Writer) -> None:
        self._queue = writer

    @property
    def commits(self) -> int:
        """Commits since the opening: fewer than verbs where they shared one."""
        return self._queue.commits

    @property
    def is_keeping_up(self) -> bool:
        """Whether webhooks are still queued."""
        return self._queue.waiting < MOST_WAITING

    @abstractmethod
    def can_store(self) -> bool:
        """Whether a webhook would be taken now."""

    @abstractmethod
    def require_room(self) -> None:
        """Raise `JournalFullError` where no event may be taken."""

    @abstractmethod
    async def clear(self) -> bool:
        """Leave nothing on the disk of what was erased; False where that was not possible."""

    async def append(
        self, reading: Reading, *, now: datetime, route: str | None = None
    ) -> Appended:
        """Record one webhook whole; raises `JournalFullError` below the floor of free space."""
        if not self.is_keeping_up:
            raise JournalFullError(f"{self._queue.waiting} changes wait to be recorded")

        def verb(writing: Writing) -> Appended:
            self.require_room()
            added = intake.append(writing, reading, now=now, route=route)
            failpoints.reach(Failpoint.BEFORE_COMMIT)
            return added

        keys = [arrival.key for arrival in reading.arrivals]
        return await self._queue.submit(verb, quick=True, patient=False, touches=keys)

    async def route(
        self, batch: Sequence[Owing], *, now: datetime, idle: Collection[str] = ()
    ) -> Routed:
        """Record what is owed for events, with the first claims of idle lanes."""
        verb = partial(routing.route, batch=batch, now=now, idle=idle)
        return await self._claiming(verb, lambda done: tuple(done.claimed.values()), now)

    async def settle(
        self, settlement: Settlement, *, now: datetime, then: Ask | None = None
    ) -> Recorded:
        """Record what became of a claimed delivery, and claim the lane's next one."""
        verb = partial(work.settle, settlement=settlement, now=now, then=then)
        before = settlement.before
        # A trouble parks what other lanes may be about to claim.
        apart = None if settlement.trouble else (before.id, before.target)
        return await self._queue.submit(verb, quick=True, touches=apart)

    async def claim(self, ask: Ask, *, now: datetime) -> Turn:
        """Claim the next delivery of a lane; a cancelled caller gives it back."""
        verb = partial(work.claim, ask=ask, now=now)
        return await self._claiming(verb, lambda done: (done.claimed,), now, (ask.target,))

    tally = _verb(intake.tally, quick=True, patient=False)
    post = _verb(routing.post, quick=True)
    expire = _verb(work.expire, quick=True)
    probe = _verb(work.probe, quick=True)
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
    hold = _verb(digests.postpone)
    release = _verb(digests.release)
    gather = _verb(routing.gather)
    begin_silence = _verb(silences.begin)
    end_silence = _verb(silences.end)
    tell_silence = _verb(routing.tell_silence)
    fall_back = _verb(fallbacks.fall_back)
    look_at = _verb(quarantine.look_at)
    watch = _verb(watched.watch)
    watch_failed = _verb(watched.watch_failed)

    async def forget(
        self, phone: str, *, now: datetime, who: str, discard: bool = False
    ) -> Forgotten:
        """Erase what is known of a number, then what the disk still holds of it."""
        return await forget.forget(
            self._queue.submit, self.clear, phone, now=now, who=who, discard=discard
        )

    async def _claiming(
        self,
        verb: Verb[T],
        claims: Callable[[T], Sequence[Claimed | None]],
        now: datetime,
        touches: Iterable[str] | None = None,
    ) -> T:
        """Run a verb that claims; whoever gives up its answer gives back what it claimed."""

        def give_back(answer: asyncio.Future[T]) -> None:
            if not answer.cancelled() and answer.exception() is None:
                for claimed in claims(answer.result()):
                    if claimed is not None:
                        self._give_back(claimed, now=now)

        answer = self._queue.submit(verb, quick=True, touches=touches)
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
        settled = self._queue.submit(verb, quick=True)
        # Without an answer it stays claimed until its lease ends.
        settled.add_done_callback(lambda done: done.exception())


def _question(
    asked: Callable[Concatenate[Connection, P], T],
) -> Callable[Concatenate[SqlRecords[Any], P], Coroutine[Any, Any, T]]:
    """The question of the records that this is; its name and meaning stand in `Records`."""

    async def question(self: SqlRecords[Any], /, *arguments: P.args, **named: P.kwargs) -> T:
        return await self.ask(lambda connection: asked(connection, *arguments, **named))

    return question


class SqlRecords(Generic[C]):
    """The questions, which a few threads answer, so that the loop never waits."""

    def __init__(self, connections: Sequence[C]) -> None:
        """Take over read-only connections; as many questions are answered at once."""
        self._free: queue.SimpleQueue[C] = queue.SimpleQueue()
        for connection in connections:
            self._free.put(connection)
        self._threads = ThreadPoolExecutor(len(connections), thread_name_prefix="records")

    event = _question(questions.event)
    events = _question(questions.events)
    places = _question(questions.places)
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
    late = _question(fallbacks.late)
    troubles = _question(questions.troubles)
    alarms = _question(questions.alarms)
    held = _question(digests.held)
    holding = _question(digests.holding)
    untold_silences = _question(silences.untold)
    silences = _question(silences.silences)
    recalled = _question(notes.recalled)
    heard = _question(questions.heard)
    answers = _question(questions.answers)
    status = _question(questions.status)
    hours = _question(balancing.hours)
    rules = _question(questions.rules)
    version_of = _question(notes.version_of)
    balance = _question(balancing.balance)
    quarantined = _question(quarantine.quarantined)
    audit = _question(operators.audit)
    watch_state = _question(watched.watch_state)
    watched = _question(watched.watched)
    known_for = _question(directory.known_for)
    directory = _question(directory.entries)

    async def close(self) -> None:
        """Answer what was asked and close the connections."""
        await asyncio.to_thread(self._threads.shutdown)
        while not self._free.empty():
            self.shut(self._free.get())

    async def ask(self, question: Callable[[Connection], T]) -> T:
        """Answer a question from one moment of the journal."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, self._answer, question)
        except RuntimeError as error:
            raise JournalClosedError("the journal is closed") from error

    def _answer(self, question: Callable[[Connection], T]) -> T:
        connection = self._free.get()
        try:
            return self.answer(connection, question)
        finally:
            self._free.put(connection)

    @abstractmethod
    def answer(self, connection: C, question: Callable[[Connection], T]) -> T:
        """Answer one question from one moment; raises `JournalError`."""

    @abstractmethod
    def shut(self, connection: C) -> None:
        """Close a connection."""
