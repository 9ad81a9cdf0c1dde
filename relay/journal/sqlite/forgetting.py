"""One `forget` from its beginning to its end: find, erase, record, and clear the files."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import apsw

from relay.journal.care import Forgotten
from relay.journal.sqlite import forget, remnants
from relay.journal.sqlite.forget import Place
from relay.journal.sqlite.needle import Needle
from relay.journal.sqlite.records import SqliteRecords
from relay.journal.sqlite.writer import Writer

TRIES = 20
"""To empty the WAL while others read the journal."""
BETWEEN_TRIES = 0.25
"""Seconds, in which webhooks are recorded."""


class Forgetting:
    """Erases one number from one journal."""

    def __init__(
        self, writer: Writer, records: SqliteRecords, phone: str, now: datetime, who: str
    ) -> None:
        """`phone` in E.164."""
        self._writer = writer
        self._records = records
        self._phone = phone
        self._needle = Needle(phone)
        self._now = now
        self._who = who
        self._names: set[str] = set()

    async def run(self, *, discard: bool) -> Forgotten:
        """Erase it; what was erased. Doing it again finds nothing and does no harm."""
        done = await self._through(
            forget.EVENTS,
            lambda keys: partial(
                forget.erase_events,
                seqs=keys,
                needle=self._needle,
                now=self._now,
                who=self._who,
                discard=discard,
                names=self._names,
            ),
        )
        for place in forget.PLACES:
            done += await self._through(place, partial(self._erasing, place))
        facts = await self._records.ask(partial(forget.find_facts, needle=self._needle))
        done += await self._writer.submit(
            partial(forget.erase_facts, phone=self._phone, others=facts)
        )
        done += await self._writer.submit(partial(forget.erase_the_rest, needle=self._needle))
        if done.found:
            mark = await asyncio.to_thread(forget.sealed, self._phone, secrets.token_hex(8))
            await self._writer.submit(
                partial(forget.record, mark=mark, forgotten=done, now=self._now, who=self._who)
            )
        return replace(done, synced=await self._clear())

    async def _through(
        self, place: Place, erasing: Callable[[list[int]], Callable[[apsw.Connection], Forgotten]]
    ) -> Forgotten:
        """Look through a table in pieces, and erase what each of them held."""
        done = Forgotten()
        after: int | None = -1
        while after is not None:
            found, after = await self._records.ask(
                partial(forget.find, place=place, needle=self._needle, after=after)
            )
            for step in _steps(found):
                done += await self._writer.submit(erasing(step))
        return done

    def _erasing(self, place: Place, keys: list[int]) -> Callable[[apsw.Connection], Forgotten]:
        def verb(connection: apsw.Connection) -> Forgotten:
            count = forget.erase(connection, place, keys, self._needle)
            match place.table:
                case "deliveries":
                    return Forgotten(deliveries=count)
                case "attempts":
                    return Forgotten(attempts=count)
                case "quarantine":
                    return Forgotten(quarantined=count)
                case _:
                    return Forgotten(audit=count)

        return verb

    async def _clear(self) -> bool:
        """Leave nothing of what was erased in the files; False where others read them."""
        if not await self._cut():
            return False
        left = partial(remnants.holds, needle=self._needle, names=self._names)
        if not await self._records.ask(left):
            return True
        await self._writer.submit(remnants.compact, alone=True)
        return await self._cut()

    async def _cut(self) -> bool:
        """Empty the WAL; False where another program reads it all the while."""
        for _ in range(TRIES):
            if await self._writer.submit(forget.cut, alone=True):
                return True
            await asyncio.sleep(BETWEEN_TRIES)
        return False


def _steps(keys: Sequence[int]) -> Iterator[list[int]]:
    for start in range(0, len(keys), forget.STEP_ROWS):
        yield list(keys[start : start + forget.STEP_ROWS])
