"""The JSON shapes of the contract, the same for commands and HTTP."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Any

from relay.deliveries import Delivery
from relay.events import Event, iso
from relay.journal import Attempt, Silenced, StoredDelivery, StoredEvent, Trouble
from relay.journal.balance import Balance, Day
from relay.journal.care import Forgotten, Quarantined
from relay.quiet import Silence

if TYPE_CHECKING:
    from relay.pipeline import Explanation, Plan
    from relay.reload import Loaded
    from relay.reload.reloader import Reverted


def delivery_json(stored: StoredDelivery) -> dict[str, Any]:
    """A delivery, wherever JSON shows one."""
    return {
        **_owed_json(stored.delivery),
        "attempts": [_attempt_json(attempt) for attempt in stored.attempts],
    }


def _owed_json(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": delivery.id,
        "event_id": delivery.event_id,
        "destination": delivery.destination,
        "channel": delivery.channel,
        "rule": delivery.rule,
        "rules_version": delivery.rules_version,
        "template": delivery.template,
        "cause": delivery.cause.value,
        "state": delivery.state.value,
        "proof": delivery.proof.value if delivery.proof else None,
        "degraded": delivery.degraded,
        "ambiguous": delivery.ambiguous,
        "recipients": list(delivery.recipients),
        "refused": dict(delivery.refused),
        "reason": delivery.reason,
        "due_at": iso(delivery.due_at),
        "reference": dict(delivery.reference),
        "via": delivery.via,
        "incident": delivery.incident,
        "instead": None
        if delivery.instead is None
        else {**asdict(delivery.instead), "since": iso(delivery.instead.since)},
        "fell_back_to": delivery.fell_back_to or None,
    }


def _attempt_json(attempt: Attempt) -> dict[str, Any]:
    return {
        "at": iso(attempt.at),
        "outcome": attempt.outcome,
        "reason": attempt.reason,
        "duration_ms": attempt.duration_ms,
    }


def event_json(stored: StoredEvent) -> dict[str, Any]:
    """A recorded event with what became of it."""
    return {
        **stored.event.to_json(),
        "origins": {name: origin.to_json() for name, origin in stored.origins.items()},
        "state": stored.state.value,
        "reason": stored.reason,
        "muted_by": stored.muted_by,
        "rules_version": stored.rules_version,
    }


def explanation_json(
    explanations: Sequence[Explanation], ignored: Sequence[str], unreadable: Sequence[str] = ()
) -> dict[str, Any]:
    """What `relay explain --json` prints."""
    return {
        "events": [_explained(explanation) for explanation in explanations],
        "ignored": [{"reason": reason} for reason in ignored],
        "quarantined": [{"reason": reason} for reason in unreadable],
    }


def _explained(explanation: Explanation) -> dict[str, Any]:
    return {
        **explanation.event.to_json(),
        "origins": {name: origin.to_json() for name, origin in explanation.origins.items()},
        "state": explanation.routing.state.value,
        "muted_by": explanation.routing.muted_by,
        "rules": [
            {"name": verdict.name, "matched": verdict.matched, "reason": verdict.reason}
            for verdict in explanation.verdicts
        ],
        "deliveries": [
            {
                "destination": owed.delivery.destination,
                "channel": owed.delivery.channel,
                "rule": owed.delivery.rule,
                "cause": owed.delivery.cause.value,
                "template": owed.message.template,
                "message": {"title": owed.message.title, "text": owed.message.text},
                "payload": dict(owed.payload),
                "silence": owed.silence and silence_json(owed.silence),
                "held_until": _maybe(owed.until),
            }
            for owed in explanation.owed
        ],
    }


def _maybe(moment: datetime | None) -> str | None:
    return iso(moment) if moment else None


def ready_json(
    plan: Plan,
    troubles: Sequence[Trouble],
    error: str | None,
    *,
    waits: Sequence[str] = (),
    late: Event | None = None,
    stuck: Mapping[str, float] | None = None,
    failing: Mapping[str, str] | None = None,
) -> Mapping[str, Any]:
    """What cannot deliver or does not go on, for `/readyz`.

    `waits` has the files of an edit that is held; `late` is the oldest event if it has waited for
    routing for too long; `stuck` has the loops that have not gone round, with the seconds since
    they did; `failing` the destinations that have failed several times in a row, with the reason.
    """
    names = {
        trouble.key: [
            name
            for name, destination in plan.destinations.items()
            if trouble.key in (destination.target, destination.account)
        ]
        for trouble in troubles
    }
    return {
        "out_of_order": [
            {"destinations": names[trouble.key], "reason": trouble.reason} for trouble in troubles
        ],
        "failing": [
            {"destination": name, "reason": reason} for name, reason in (failing or {}).items()
        ],
        "unrouted": late and {"event_id": late.id, "since": iso(late.received_at)},
        "stuck": [{"loop": name, "seconds": round(gone)} for name, gone in (stuck or {}).items()],
        "rules": {
            "version": plan.version,
            "ok": error is None,
            "error": error,
            "waits": list(waits),
        },
    }


def loaded_json(loaded: Loaded) -> dict[str, Any]:
    """What came of reading the files."""
    findings = loaded.faults if loaded.error else loaded.warnings
    return {
        "ok": loaded.error is None,
        "version": loaded.plan.version,
        "error": loaded.error,
        "changed": list(loaded.changed),
        "waits": list(loaded.waits),
        "findings": [str(finding) for finding in findings],
    }


def reverted_json(done: Reverted) -> dict[str, Any]:
    """What going back to a version did."""
    return {
        "version": done.loaded.plan.version,
        "written": list(done.written),
        "unwritten": list(done.unwritten),
        "placeholders": done.placeholders,
    }


def balance_json(balance: Balance) -> dict[str, Any]:
    """What `relay reconcile --json` prints."""
    return {
        "days": [_day_json(day) for day in balance.days],
        "total": _day_json(balance.total()),
        "balanced": balance.balanced,
        "faults": balance.faults,
    }


def _day_json(day: Day) -> dict[str, Any]:
    return {
        "day": day.day.isoformat() if day.day else None,
        "events": {"received": day.received, **day.events},
        "deliveries": {"owed": day.owed, **day.deliveries},
        "own": day.own,
        **day.tallies,
        "balanced": not day.faults,
    }


def forgotten_json(forgotten: Forgotten) -> dict[str, Any]:
    """What was erased of a number."""
    return {
        "erased": {
            "events": forgotten.events,
            "deliveries": forgotten.deliveries,
            "attempts": forgotten.attempts,
            "quarantine": forgotten.quarantined,
            "audit": forgotten.audit,
            "directory": forgotten.directory,
            "others": forgotten.others,
        },
        "unfinished": forgotten.unfinished,
        "discarded": forgotten.discarded,
        "in_live_rules": forgotten.in_live_rules,
        "synced": forgotten.synced,
    }


def silence_json(silence: Silence) -> dict[str, Any]:
    """A silence; what is null of its conditions is none."""
    return {
        "id": silence.id,
        **asdict(silence.about),
        "also_critical": silence.also_critical,
        "why": silence.why,
        "who": silence.who,
        "began_at": iso(silence.began_at),
        "until": iso(silence.until),
        "ended_at": _maybe(silence.ended_at),
        "ended_by": silence.ended_by,
    }


def silenced_json(found: Silenced) -> dict[str, Any]:
    """A silence with what it suppressed: all of it in counts, and the newest one by one."""
    return {
        **silence_json(found.silence),
        "suppressed": found.count,
        "counts": [
            {"destination": name, "kind": kind, "count": count}
            for (name, kind), count in found.counts.items()
        ],
        "last": [
            {
                "delivery_id": one.delivery_id,
                "event_id": one.event.id,
                "at": iso(one.at),
                "destination": one.destination,
                "kind": one.event.kind,
                "detail": one.event.detail,
                "phone": one.event.phone,
                "title": one.event.title,
            }
            for one in found.last
        ],
    }


def quarantined_json(one: Quarantined, *, body: bool = False) -> dict[str, Any]:
    """An item of quarantine; with `body` also what it held, where that is kept."""
    shape: dict[str, Any] = {
        "id": one.id,
        "at": iso(one.at),
        "route": one.route,
        "size": one.size,
        "sha256": one.sha256,
        "reason": one.reason,
        "kept": one.kept,
    }
    if body:
        content = one.body
        shape["body"] = None if content is None else content.decode("utf-8", "backslashreplace")
        shape["body_base64"] = None if content is None else base64.b64encode(content).decode()
    return shape
