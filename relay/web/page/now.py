"""The page that says what is wrong, and where everything stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

from aiohttp import web
from markupsafe import Markup

from relay.alarms import KIND
from relay.errors import UsageError
from relay.journal import Filter, Hour, Records
from relay.web.page.drawing import many
from relay.web.page.visit import Visit
from relay.web.status import OK

SOURCES = {"partner": "360dialog", "waba": "Meta", "watch": "The watch"}
_ALARMS_BACK = 500
"""Events of alarms in which the words of those that are on are looked for."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Something that wants somebody to look."""

    title: str
    text: str = ""
    since: datetime | str | None = None
    level: str = "bad"
    links: tuple[tuple[str, str], ...] = ()
    """Addresses and their words."""
    publish: bool = False
    """An edit waits for a word."""


@dataclass(frozen=True, slots=True)
class Day:
    """The last 24 hours."""

    received: int
    delivered: int
    failed: int
    chart: Markup
    hours: tuple[str, ...]
    """What stands below the chart, in the rules' zone."""


async def show(visit: Visit) -> web.Response:
    """`GET /`."""
    status = await visit.admin.status()
    records, now = visit.admin.store.records, visit.admin.clock()
    troubles = [*_of_rules(status), *await _of_alarms(status, records), *_of_targets(status)]
    return await visit.page(
        "now.html.j2",
        f"{len(troubles)} to look at" if troubles else "Now",
        status=status,
        troubles=troubles,
        day=day(await records.hours(now=now), now.astimezone((await visit.plan()).timezone)),
        source_names=SOURCES,
    )


async def publish(visit: Visit) -> web.Response:
    """`POST /rules/publish`: the edit that waits becomes live."""
    loaded = await visit.admin.reload(visit.who, publish=True)
    if loaded.error:
        raise UsageError(f"the files were refused: {loaded.error}")
    return visit.back("/")


def _of_rules(status: Mapping[str, Any]) -> list[Trouble]:
    rules = status["rules"]
    found = []
    if rules["error"]:
        text = f"{rules['error']}. Version {rules['version']} stays live."
        found.append(Trouble("The rules file was refused", text))
    if rules["waits"]:
        text = f"It passed its checks: {', '.join(rules['waits'])}."
        found.append(Trouble("An edit waits to be published", text, level="soso", publish=True))
    return found


async def _of_alarms(status: Mapping[str, Any], records: Records) -> list[Trouble]:
    """Every alarm that is on, with what it told people to do."""
    if not status["alarms"]:
        return []
    told = {}
    for stored in await records.events(Filter(kind=KIND, limit=_ALARMS_BACK)):
        if not stored.event.data.get("over"):
            told[stored.event.data.get("key")] = stored.event
    found = []
    for alarm in status["alarms"]:
        event = told.get(alarm["key"])
        links = [(f"/events/{event.id}", "who was told")] if event else []
        kind, _, name = alarm["key"].partition(":")
        if kind == "dead":
            links.insert(0, (f"/deliveries?state=dead&destination={quote(name)}", "look at them"))
        text = str(event.data.get("text", "")) if event else ""
        found.append(Trouble(alarm["title"], text, alarm["began_at"], links=tuple(links)))
    return found


def _of_targets(status: Mapping[str, Any]) -> list[Trouble]:
    """What is ill and has no alarm of its own: it fails, and has not yet been given up."""
    alarmed = any(one["key"].startswith("out-of-order:") for one in status["alarms"])
    found = []
    for one in status["destinations"]:
        if one["state"] == OK or (alarmed and one["state"] == "parked"):
            continue
        waits = one["pending"] + one["parked"]
        text = f"{one['reason'] or 'no answer'}. {many(waits, 'message waits', 'messages wait')}."
        where = f"/deliveries?destination={quote(one['name'])}"
        found.append(
            Trouble(
                f"{one['name']} does not work",
                text,
                one["waiting_since"],
                "soso",
                ((where, "its deliveries"),),
            )
        )
    return found


def day(hours: Sequence[Hour], now: datetime) -> Day:
    """Sums, and a bar of each kind for each hour."""
    return Day(
        sum(one.received for one in hours),
        sum(one.delivered for one in hours),
        sum(one.failed for one in hours),
        _chart(hours, now),
        tuple(f"{now - timedelta(hours=back):%H}:00" for back in (23, 17, 11, 5, 0)),
    )


_TALL, _WIDE = 64, 26
"""Units of the drawing: its height, and the width of an hour."""


def _chart(hours: Sequence[Hour], now: datetime) -> Markup:
    known = {one.at: one for one in hours}
    last = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    span = [last - timedelta(hours=back) for back in range(23, -1, -1)]
    shown = [known.get(at, Hour(at)) for at in span]
    most = max(1, *(max(one.received, one.delivered, one.failed) for one in shown))
    parts = []
    for place, one in enumerate(shown):
        bars = (("in", one.received), ("out", one.delivered), ("failed", one.failed))
        for turn, (kind, count) in enumerate(bars):
            if count:
                height = max(2.0, _TALL * count / most)
                x, y = place * _WIDE + 3 + turn * 7, _TALL - height
                bar = Markup('<rect class="is-{}" x="{}" y="{}" width="6" height="{}"/>')
                parts.append(bar.format(kind, x, f"{y:.1f}", f"{height:.1f}"))
    words = "; ".join(
        f"{one.at.astimezone(now.tzinfo):%H}:00: "
        f"{one.received} in, {one.delivered} out, {one.failed} failed"
        for one in shown
        if one.received or one.delivered or one.failed
    )
    return Markup(
        '<svg class="chart" role="img" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        '<title>{}</title><path d="M0 {}H{}"/>{}</svg>'
    ).format(
        24 * _WIDE,
        _TALL + 1,
        words or "nothing happened",
        _TALL + 0.5,
        24 * _WIDE,
        Markup().join(parts),
    )
