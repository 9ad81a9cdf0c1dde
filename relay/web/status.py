"""Whether anything is wrong, gathered from the journal: what `relay status` and the API answer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from relay.channels import Destination
from relay.events import Source, iso
from relay.events.properties import Property
from relay.journal import Attempt, Holding, Lane, Records, Trouble
from relay.pace import FAULTS_BEFORE_PAUSE, is_failing
from relay.web.shapes import silence_json

OK, FAILING, PARKED = "ok", "failing", "parked"
SILENCE = "silence"
"""Under which name the journal remembers when each source last spoke."""


async def gather(
    records: Records,
    destinations: Mapping[str, Destination],
    error: str | None,
    *,
    now: datetime,
    version: int | None = None,
    waits: Sequence[str] = (),
    tries: Mapping[str, datetime] | None = None,
) -> dict[str, Any]:
    """What `GET /api/status` answers.

    `error` is why the files were refused, if they were; `version` the live one, None the newest;
    `waits` has the files of an edit that is held; `tries` when each target or account that is out
    of order is tried next, which only the relay that serves knows.
    """
    status = await records.status(now=now)
    rules = await records.rules(version)
    return {
        "events": dict(status.events),
        "deliveries": dict(status.deliveries),
        "destinations": await _destinations(records, destinations, tries or {}),
        "alarms": [
            {"key": alarm.key, "began_at": iso(alarm.began_at), "title": alarm.text}
            for alarm in await records.alarms()
        ],
        "silences": [
            {**silence_json(one.silence), "suppressed": one.count}
            for one in await records.silences(since=now)
            if one.silence.is_on(now)
        ],
        "rules": {
            "version": rules.version if rules else 0,
            "loaded_at": iso(rules.loaded_at) if rules else None,
            "ok": error is None,
            "error": error,
            "waits": list(waits),
        },
        "relays": [
            {"name": one.name, "leads": one.leads, "version": one.version, "waits": [*one.waits]}
            for one in await records.relays()
        ],
        "sources": await _sources(records),
        "watch": await _watch(records),
        "last_event_at": iso(status.last_event_at) if status.last_event_at else None,
        "refused_webhooks": status.refused_webhooks,
        "ignored": dict(status.ignored),
    }


def is_wrong(status: Mapping[str, Any]) -> bool:
    """Whether anything of it wants somebody to look."""
    ill = any(one["state"] != OK for one in status["destinations"])
    return ill or bool(status["alarms"]) or not status["rules"]["ok"]


async def _destinations(
    records: Records, destinations: Mapping[str, Destination], tries: Mapping[str, datetime]
) -> list[dict[str, Any]]:
    ill = {trouble.key: trouble for trouble in await records.troubles()}
    work = {lane.target: lane for lane in await records.lanes()}
    targets = {name: one.target for name, one in destinations.items()}
    answers = await records.answers(targets, FAULTS_BEFORE_PAUSE)
    holding = await records.holding()
    return [
        _destination(
            name,
            one.channel,
            ill.get(one.target) or ill.get(one.account),
            work.get(one.target),
            answers[name],
            tries.get(one.target) or tries.get(one.account),
            holding.get(name),
        )
        for name, one in destinations.items()
    ]


def _destination(
    name: str,
    channel: str,
    trouble: Trouble | None,
    lane: Lane | None,
    answers: Sequence[Attempt],
    probed_at: datetime | None,
    holding: Holding | None,
) -> dict[str, Any]:
    last = answers[0] if answers else None
    failing = is_failing([one.outcome for one in answers])
    state = PARKED if trouble else FAILING if failing else OK
    due = lane.oldest_due_at if lane else None
    waits = lane is not None and lane.pending + lane.parked > 0
    next_try = probed_at if trouble and waits else due if lane and lane.pending else None
    return {
        "name": name,
        "channel": channel,
        "state": state,
        "reason": trouble.reason if trouble else last.reason if failing and last else None,
        "pending": lane.pending if lane else 0,
        "parked": lane.parked if lane else 0,
        "held": holding.count if holding else 0,
        "held_until": iso(holding.until) if holding else None,
        "oldest_due_at": iso(due) if due else None,
        "next_try_at": iso(next_try) if next_try else None,
        "waiting_since": iso(lane.waiting_since) if lane and lane.waiting_since else None,
        "last_answer": {"at": iso(last.at), "outcome": last.outcome, "reason": last.reason}
        if last
        else None,
    }


async def _sources(records: Records) -> dict[str, str | None]:
    """When each source last spoke."""
    told = await records.recalled(SILENCE)
    shape: dict[str, Any] = json.loads(told) if told else {"seq": 0, "sources": {}}
    last = {name: said[0] for name, said in shape["sources"].items()}
    _, heard = await records.heard(shape["seq"])
    last |= {name: iso(at) for name, at in heard.items()}
    return {one.value: last.get(one.value) for one in (Source.PARTNER, Source.WABA, Source.WATCH)}


async def _watch(records: Records) -> dict[str, Any]:
    """When 360dialog's list was last read, and which numbers are rated lower than GREEN."""
    state = await records.watch_state()
    watched = await records.watched()
    low = [
        {
            "phone": one.seen.contact.phone,
            "name": one.seen.contact.name,
            "client": one.seen.contact.client_name or one.seen.contact.client_id,
            "quality": quality,
        }
        for one in watched.values()
        if (quality := one.seen.values.get(Property.QUALITY, "GREEN")) != "GREEN"
    ]
    return {
        "looked_at": iso(state.seen_at) if state.seen_at else None,
        "failed": state.failed,
        "reason": state.reason or None,
        "numbers": len(watched),
        "not_green": low,
    }
