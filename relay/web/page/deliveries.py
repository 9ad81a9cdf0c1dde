"""The list of deliveries, what stopped by its reason, and putting a whole group right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from aiohttp import web

from relay.deliveries import State
from relay.journal import Stopped
from relay.web import asked
from relay.web.page import searching
from relay.web.page.events import DISCARDED
from relay.web.page.visit import Visit

_SCANNED = frozenset({State.DELIVERED, State.SUPPRESSED})
"""States that no index knows."""
_RETRIED_UNNAMED = frozenset({State.DEAD, State.PARKED})
"""What a retry takes that names no state."""
_ACTIONS = {
    "retry": (asked.Retry, "retried", "Send again"),
    "discard": (asked.Discard, "discarded", "Discard"),
}


@dataclass(frozen=True, slots=True)
class Group:
    """Deliveries that stopped for the same reason."""

    state: str
    reason: str
    destinations: tuple[str, ...]
    count: int
    newest: datetime

    def query(self, action: str) -> str:
        """Where all of them are retried or discarded, after a question."""
        said = {"state": self.state, "reason": self.reason}
        return searching.address(f"/deliveries/{action}", said)


def groups(stopped: Sequence[Stopped]) -> list[Group]:
    """By state and reason, the largest first."""
    found: dict[tuple[str, str], list[Stopped]] = {}
    for one in stopped:
        found.setdefault((one.state.value, one.reason), []).append(one)
    made = [
        Group(
            state,
            reason,
            tuple(dict.fromkeys(one.destination for one in ones)),
            sum(one.count for one in ones),
            max(one.newest for one in ones),
        )
        for (state, reason), ones in found.items()
    ]
    return sorted(made, key=lambda group: (-group.count, group.reason))


async def listing(visit: Visit) -> web.Response:
    """`GET /deliveries`."""
    wanted = searching.asked_in(visit, asked.Deliveries).filter()
    wanted = searching.bounded(
        wanted, wanted.destination is None and (wanted.state in _SCANNED or bool(wanted.reason))
    )
    records = visit.admin.store.records
    found = await records.deliveries(wanted)
    count = await searching.counted(wanted, found, records.count_deliveries)
    events = {}
    for one in found:
        if one.delivery.event_id not in events:
            events[one.delivery.event_id] = await records.event(one.delivery.event_id)
    return await visit.page(
        "deliveries.html.j2",
        "Deliveries",
        page=searching.listed(
            visit, wanted, found, count, "delivery", "deliveries", lambda one: one.delivery.id
        ),
        events=events,
        groups=groups(await records.stopped()),
        states=[state.value for state in State],
        spans=searching.SPANS,
        destinations=list((await visit.plan()).destinations),
    )


async def question(visit: Visit) -> web.Response:
    """`GET /deliveries/retry` and `…/discard`: how many that is, before anything is done."""
    action = visit.request.match_info["action"]
    model, _, words = _ACTIONS[action]
    wanted = searching.asked_in(visit, model).filter()
    records = visit.admin.store.records
    states = _RETRIED_UNNAMED if action == "retry" else DISCARDED
    count = 0
    for state in (State(wanted.state),) if wanted.state else sorted(states):
        asked_for = searching.counting(replace(wanted, state=state.value))
        count += await records.count_deliveries(asked_for)
    return await visit.page(
        "question.html.j2",
        words,
        action=action,
        words=words,
        count=count,
        most=searching.COUNTED,
        asked=visit.query,
    )


async def done(visit: Visit) -> web.Response:
    """`POST /deliveries/retry` and `…/discard`: all that the question named."""
    action = visit.request.match_info["action"]
    model, word, _ = _ACTIONS[action]
    texts = [(name, text) for name, text in visit.form.items() if name != "form_token"]
    wanted = asked.of_texts(model, texts).filter()
    act = visit.admin.retry if action == "retry" else visit.admin.discard
    return visit.back("/deliveries", done=word, count=await act(wanted, visit.who))
