"""For how long each source has said nothing, counted only while the relay could have heard it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from relay.events import Source, from_iso, iso
from relay.journal import Store

SOURCES = (Source.PARTNER, Source.WABA)
"""Those that speak by themselves."""
KEPT_EVERY = 60.0
"""Seconds between two records of it."""
NAME = "silence"
"""Under which the journal remembers it."""
_NONE = timedelta(0)


@dataclass(frozen=True, slots=True)
class Unheard:
    """What is known of a source that has spoken before."""

    last: datetime
    """When its last event came."""
    quiet: timedelta = _NONE
    """So long the relay has listened in vain since then; the time when it was down is left out."""


class NoEvents:
    """Listens; what it knows survives a restart."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], seconds: Callable[[], float]
    ) -> None:
        """`seconds` never go back and are set by nobody: a clock that is set makes no silence."""
        self._store = store
        self._clock = clock
        self._seconds = seconds
        self._known: dict[Source, Unheard] | None = None
        self._seq = 0
        self._at = self._kept_at = seconds()

    async def look(self) -> Mapping[Source, Unheard]:
        """The silence of each source that ever spoke, now."""
        now = self._clock()
        if self._known is None:
            self._known = await self._recall()
        at = self._seconds()
        passed, self._at = timedelta(seconds=at - self._at), at
        self._seq, heard = await self._store.records.heard(self._seq)
        for source, known in self._known.items():
            self._known[source] = Unheard(known.last, known.quiet + passed)
        for source in SOURCES:
            last = heard.get(source.value)
            if last is not None:
                self._known[source] = Unheard(last, max(_NONE, min(passed, now - last)))
        if at - self._kept_at >= KEPT_EVERY:
            await self._keep()
            self._kept_at = at
        return dict(self._known)

    async def _keep(self) -> None:
        known = self._known or {}
        shape = {
            "seq": self._seq,
            "sources": {
                source.value: [iso(one.last), one.quiet.total_seconds()]
                for source, one in known.items()
            },
        }
        await self._store.journal.remember(NAME, json.dumps(shape))

    async def _recall(self) -> dict[Source, Unheard]:
        text = await self._store.records.recalled(NAME)
        if text is None:
            return {}
        shape = json.loads(text)
        self._seq = shape["seq"]
        return {
            Source(name): Unheard(from_iso(last), timedelta(seconds=quiet))
            for name, (last, quiet) in shape["sources"].items()
        }
