"""Silences, the directory, quarantine, who did what, and the catalogue of kinds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from aiohttp import web

from relay import preview, samples, silences
from relay.errors import UsageError
from relay.events.catalogue import KINDS
from relay.journal import Audited
from relay.messages.templates import Templates
from relay.web import asked
from relay.web.page import searching
from relay.web.page.visit import NotThereError, Visit, framed

ROWS = 100
_AUDITED = 1_000
"""Lines of the audit that are read for one page: a group is a line for each of its deliveries."""
ACTIONS = {
    "retry": "sent again",
    "discard": "discarded",
    "replay": "told again",
    "directory": "taught the directory",
    "look at quarantine": "looked into quarantine",
    "forget": "had a number forgotten",
}
_BESIDE = frozenset({"form_token"})


async def silenced(visit: Visit) -> web.Response:
    """`GET /silences`: those that are on, and those that ended of late."""
    now = visit.admin.clock()
    found = await visit.admin.store.records.silences(since=now - asked.LATELY)
    return await visit.page(
        "silences.html.j2",
        "Silences",
        on=[one for one in found if one.silence.is_on(now)],
        over=[one for one in reversed(found) if not one.silence.is_on(now)],
        destinations=list((await visit.plan()).destinations),
    )


async def silence(visit: Visit) -> web.Response:
    """`POST /silences`: mute what is known, until an end."""
    given = {
        name: text.strip()
        for name, text in visit.form.items()
        if name not in _BESIDE and text.strip()
    }
    wanted = asked.of_texts(asked.BeginSilence, given.items())
    admin = visit.admin
    begun = await silences.begin(
        admin.store.journal,
        await visit.plan(),
        **wanted.given(),
        now=admin.clock(),
        who=visit.who,
    )
    return visit.back(f"/silences#s-{begun.id}")


async def end_silence(visit: Visit) -> web.Response:
    """`POST /silences/ID/end`."""
    admin = visit.admin
    name = visit.request.match_info["id"]
    await admin.store.journal.end_silence(name, now=admin.clock(), who=visit.who)
    return visit.back("/silences")


async def directory(visit: Visit) -> web.Response:
    """`GET /directory`: who is who."""
    wanted = searching.asked_in(visit, asked.Directory)
    search = wanted.search.strip() or None
    entries = await visit.admin.store.records.directory(search, ROWS + 1)
    return await visit.page(
        "directory.html.j2",
        "Directory",
        entries=[entry.to_json() for entry in entries[:ROWS]],
        more=len(entries) > ROWS,
    )


async def quarantine(visit: Visit) -> web.Response:
    """`GET /quarantine`: what could not be read."""
    found = await visit.admin.store.records.quarantined(None, ROWS)
    return await visit.page("quarantine.html.j2", "Quarantine", items=list(reversed(found)))


async def look(visit: Visit) -> web.Response:
    """`POST /quarantine/ID/look`: one body; that somebody looked is recorded."""
    admin = visit.admin
    item = int(visit.request.match_info["id"])
    found = await admin.store.journal.look_at(item, now=admin.clock(), who=visit.who)
    if found is None:
        raise NotThereError("Nothing in quarantine has this id.")
    body = None if found.body is None else found.body.decode("utf-8", "backslashreplace")
    return await visit.page("looked.html.j2", "Quarantine", item=found, body=body)


@dataclass(frozen=True, slots=True)
class Done:
    """What a person did at once, to one or to many."""

    at: datetime
    who: str
    action: str
    subjects: tuple[str, ...]


def done(lines: Sequence[Audited]) -> list[Done]:
    """The lines of the audit, those of one deed together."""
    return [
        Done(at, who, action, tuple(one.subject for one in ones))
        for (at, who, action), ones in groupby(lines, lambda one: (one.at, one.who, one.action))
    ]


async def audit(visit: Visit) -> web.Response:
    """`GET /log`: who did what."""
    text = visit.query.get("before", "")
    before = int(text) if text.isdecimal() and len(text) < 19 else None
    lines = await visit.admin.store.records.audit(before, _AUDITED)
    older = lines[-1].id if len(lines) == _AUDITED else None
    return await visit.page("log.html.j2", "Log", done=done(lines), older=older, actions=ACTIONS)


async def catalogue(visit: Visit) -> web.Response:
    """`GET /catalogue`: every kind of event, with its samples."""
    by_kind: dict[str, list[str]] = {}
    for name in samples.names():
        by_kind.setdefault(name.partition("/")[0], []).append(name)
    return await visit.page(
        "catalogue.html.j2",
        "Kinds of events",
        kinds=[(kind, by_kind.get(kind.name, [])) for kind in KINDS.values()],
    )


async def sample(visit: Visit) -> web.Response:
    """`GET /catalogue/view?kind=NAME`: its messages in every channel."""
    name = _name(visit)
    return await visit.page("sample.html.j2", name, name=name, drawn=_drawn(visit.query))


def _drawn(query: Mapping[str, str]) -> str:
    return searching.address("/catalogue/drawn", query)


async def drawn(visit: Visit) -> web.Response:
    """`GET /catalogue/drawn?kind=NAME`: the same alone, for a frame."""
    plan = await visit.plan()
    text = await asyncio.to_thread(_draw, _name(visit), plan.templates, plan.timezone)
    return framed(text)


def _name(visit: Visit) -> str:
    name = visit.query.get("kind", "")
    if name not in samples.names():
        raise NotThereError("There is no sample of this name.")
    return name


def _draw(name: str, templates: Templates, timezone: Any) -> str:
    try:
        previews = [
            preview.preview(name, event, templates, timezone) for event in preview.events(name)
        ]
    except UsageError as error:
        raise NotThereError(str(error)) from None
    return preview.page(previews, title=name)
