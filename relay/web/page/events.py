"""The list of events, and one of them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import quote

from aiohttp import web

from relay import preview, reload
from relay.channels.registry import open_channels
from relay.deliveries import Delivery, State, is_discarded
from relay.errors import UsageError
from relay.events import Source
from relay.journal import Attempt, EventState, Filter, StoredDelivery
from relay.pipeline import Plan, compose, written
from relay.rules import Verdict
from relay.web import asked
from relay.web.page import searching
from relay.web.page.visit import NotThereError, Visit, framed
from relay.web.recorded import Recorded, answer, by, recall, told_by, waits

RETRIED = frozenset({State.DEAD, State.PARKED, State.HELD, State.SUPPRESSED})
DISCARDED = frozenset({State.PENDING, State.PARKED, State.HELD, State.DEAD})
_SCANNED = frozenset({EventState.ROUTED, EventState.MUTED, EventState.UNMATCHED})
"""States that no index knows."""


async def listing(visit: Visit) -> web.Response:
    """`GET /events`."""
    wanted = searching.asked_in(visit, asked.Events).filter()
    wanted = searching.bounded(wanted, wanted.state in _SCANNED or wanted.destination is not None)
    records = visit.admin.store.records
    found = await records.events(wanted)
    count = await searching.counted(wanted, found, records.count_events)
    owed: dict[str, list[Delivery]] = {}
    for one in await records.owed([stored.event.id for stored in found]):
        owed.setdefault(one.event_id, []).append(one)
    return await visit.page(
        "events.html.j2",
        "Events",
        page=searching.listed(
            visit, wanted, found, count, "event", "events", lambda stored: stored.event.id
        ),
        owed=owed,
        states=[state.value for state in EventState],
        spans=searching.SPANS,
        destinations=list((await visit.plan()).destinations),
    )


@dataclass(frozen=True, slots=True)
class Told:
    """A delivery as the page of its event shows it."""

    stored: StoredDelivery
    by: str
    tries: list[tuple[timedelta, Attempt]]
    text: Mapping[str, Any] | None
    """Title and text of what an incident's living message said, which is not drawn anew."""
    link: str | None
    """Where the message stands."""
    may_retry: bool
    may_discard: bool


async def show(visit: Visit) -> web.Response:
    """`GET /events/ID`, also by a beginning, or by the id of a delivery."""
    recorded = await _recorded(visit)
    live, stored = await visit.plan(), recorded.stored
    if visit.request.match_info["id"] != stored.event.id:
        return visit.back(f"/events/{stored.event.id}", **visit.query)
    own = stored.event.source is Source.RELAY
    facts = []
    for label, value, names in _facts(recorded):
        origins = [stored.origins[name] for name in names if name in stored.origins]
        if value:
            facts.append((label, value, [told_by(one, live.timezone) for one in origins]))
    return await visit.page(
        "event.html.j2",
        stored.event.title,
        recorded=recorded,
        event=stored.event,
        answer=answer(recorded),
        told=[_told(one) for one in recorded.deliveries],
        facts=facts,
        data=json.dumps(stored.event.data, indent=2, ensure_ascii=False),
        own=own,
        rules=None if own else _verdicts(recorded, live),
        live=live,
        may_replay=not own and stored.state not in (EventState.RECEIVED, EventState.IGNORED),
    )


async def _recorded(visit: Visit) -> Recorded:
    name = visit.request.match_info["id"]
    admin = visit.admin
    try:
        live = await visit.plan()
        return await recall(name, admin.store.records, admin.settings, live.timezone, live)
    except UsageError:
        raise NotThereError(
            f'No event and no delivery has an id that begins with "{name}".'
        ) from None


def _facts(recorded: Recorded) -> list[tuple[str, str, tuple[str, ...]]]:
    event = recorded.stored.event
    client = " ".join(filter(None, (event.client.name, event.client.id and f"({event.client.id})")))
    return [
        ("Client", client, ("client.id", "client.name")),
        ("Number", ", ".join(event.phones), ("phones",)),
        ("Name of the number", event.phone_name or "", ("phone_name",)),
        ("Country", event.country or "", ("country",)),
        ("WABA", event.waba or "", ("waba",)),
        ("Id", event.id, ()),
    ]


def _told(stored: StoredDelivery) -> Told:
    one = stored.delivery
    return Told(
        stored,
        by(one),
        waits(stored),
        stored.rendered if one.incident is not None and stored.rendered else None,
        _link(one),
        one.state in RETRIED and (one.state is not State.SUPPRESSED or is_discarded(one)),
        one.state in DISCARDED,
    )


def _link(one: Delivery) -> str | None:
    """Slack opens a message by its channel and time; others give no address."""
    channel, ts = one.reference.get("channel"), one.reference.get("ts")
    if one.channel != "slack" or not (channel and ts):
        return None
    return f"https://slack.com/archives/{quote(channel)}/p{quote(ts.replace('.', ''))}"


@dataclass(frozen=True, slots=True)
class Judged:
    """What one rule says of an event: that day, and now."""

    name: str
    then: Verdict | None
    now: Verdict | None


def _verdicts(recorded: Recorded, live: Plan) -> list[Judged]:
    """Every rule of both versions, those of that day first."""
    event = recorded.stored.event
    now = {one.name: one for one in live.ruleset.explain(event)}
    if recorded.plan is None:
        return [Judged(name, None, one) for name, one in now.items()]
    then = {one.name: one for one in recorded.plan.ruleset.explain(event)}
    return [Judged(name, then.get(name), now.get(name)) for name in {**then, **now}]


async def message(visit: Visit) -> web.Response:
    """`GET /deliveries/ID/message`: what was sent, as its channel draws it, alone in a frame."""
    recorded = await _recorded(visit)
    live = await visit.plan()
    name = visit.request.match_info["id"]
    found = [one for one in recorded.deliveries if one.delivery.id == name]
    if not found:
        raise NotThereError("There is no such delivery.")
    stored = found[0]
    at = stored.attempts[-1].at if stored.attempts else stored.delivery.due_at
    payload: Mapping[str, Any] = (stored.rendered or {}).get("payload") or {}
    if not payload:
        plan = recorded.plan if recorded.plan and _knows(recorded.plan, stored) else live
        if not _knows(plan, stored):
            raise NotThereError("Its destination is no longer known, so it cannot be drawn again.")
        payload = await asyncio.to_thread(_payload, stored, recorded, plan, visit)
    text = preview.single(stored.delivery.channel, payload, at.astimezone(live.timezone))
    return framed(text)


def _knows(plan: Plan, stored: StoredDelivery) -> bool:
    found = plan.destinations.get(stored.delivery.destination)
    return found is not None and found.channel == stored.delivery.channel


def _payload(
    stored: StoredDelivery, recorded: Recorded, plan: Plan, visit: Visit
) -> Mapping[str, Any]:
    one, event = stored.delivery, recorded.stored.event
    now = stored.attempts[-1].at if stored.attempts else visit.admin.clock()
    channel = open_channels(reload.outbound(visit.admin.settings))[one.channel]
    composed = compose(one, event, plan, now)
    return written(one, event, plan, channel, composed, now)[0]


async def replay(visit: Visit) -> web.Response:
    """`GET /events/ID/replay`: whom a replay would tell; nothing is sent."""
    recorded = await _recorded(visit)
    wanted = _replayed(recorded.stored.event.id, visit.query, dry=True)
    found = await visit.admin.replay(wanted, visit.who)
    return await visit.page(
        "replay.html.j2",
        "Replay",
        event=recorded.stored.event,
        found=found,
        to=visit.query.get("to", ""),
        again=visit.query.get("again", ""),
    )


async def replayed(visit: Visit) -> web.Response:
    """`POST /events/ID/replay`."""
    name = visit.request.match_info["id"]
    given = {key: text for key, text in visit.form.items() if key in ("to", "again") and text}
    done = await visit.admin.replay(_replayed(name, given, dry=False), visit.who)
    return visit.back(f"/events/{name}", done="replayed", count=done["replayed"])


def _replayed(event_id: str, given: Mapping[str, str], *, dry: bool) -> asked.Replay:
    texts = {"ids": [event_id], "again": "again" in given, "dry_run": dry}
    if to := given.get("to"):
        texts["to"] = to
    return asked.of_body(asked.Replay, json.dumps(texts).encode())


async def retried(visit: Visit) -> web.Response:
    """`POST /deliveries/ID/retry`."""
    name = visit.request.match_info["id"]
    count = await visit.admin.retry(Filter(ids=(name,)), visit.who)
    return visit.back(f"/events/{name}", done="retried", count=count)


async def discarded(visit: Visit) -> web.Response:
    """`POST /deliveries/ID/discard`."""
    name = visit.request.match_info["id"]
    count = await visit.admin.discard(Filter(ids=(name,)), visit.who)
    return visit.back(f"/events/{name}", done="discarded", count=count)
