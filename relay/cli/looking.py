"""The journal as commands use it that only look, and its directory beside a file's own events."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from itertools import chain
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from relay.directory import Completed, Facts, complete, learn
from relay.errors import JournalError
from relay.events import Event
from relay.journal import Records
from relay.journal.doors import is_there, shown
from relay.quiet import Silence
from relay.settings import Settings

_ZONE = re.compile(r"""^timezone:[ \t]*["']?([A-Za-z][A-Za-z0-9_+/-]*)""", re.MULTILINE)


@asynccontextmanager
async def looking(settings: Settings) -> AsyncIterator[Records]:
    """The journal's records, closed at the end. Raises `JournalError` where there are none."""
    from relay.journal.doors import open_records

    records = open_records(settings.journal)
    try:
        yield records
    finally:
        await records.close()


async def zone_of(records: Records, settings: Settings) -> ZoneInfo:
    """The time zone of the rules: of the file, else of the newest version; else UTC.

    Looked up without reading them as a whole: a list must not wait for a thousand rules.
    """
    texts = []
    with suppress(OSError, UnicodeDecodeError):
        texts.append(settings.rules.read_text("utf-8"))
    if newest := await records.rules():
        texts.append(newest.files.get("rules.yaml", ""))
    for text in texts:
        if found := _ZONE.search(text):
            with suppress(ValueError, ZoneInfoNotFoundError):
                return ZoneInfo(found[1])
    return ZoneInfo("UTC")


async def silences_on(settings: Settings) -> Sequence[Silence]:
    """The silences of the journal, if there is one, that are not over."""
    with suppress(JournalError):
        if is_there(settings.journal):
            async with looking(settings) as records:
                return await records.untold_silences()
    return ()


async def completed(events: Sequence[Event], settings: Settings) -> tuple[list[Completed], str]:
    """Events completed by one another and by the journal, if there is one; and what was used."""
    known, source = await _known(events, settings)
    known = known.with_more(chain.from_iterable(learn(event) for event in events))
    return [complete(event, known) for event in events], source


async def _known(events: Sequence[Event], settings: Settings) -> tuple[Facts, str]:
    alone = "these events alone"
    try:
        if not is_there(settings.journal):
            return Facts(), f"{alone}; there is no journal at {shown(settings.journal)}"
        async with looking(settings) as records:
            known = await records.known_for(events)
    except JournalError as error:
        return Facts(), f"{alone}; {error}"
    return known, f"the directory of {shown(settings.journal)}, and these events"
