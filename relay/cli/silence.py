"""`relay silence`: tell nobody of something for a while, through the running relay or its lock."""

from __future__ import annotations

import json
from argparse import Namespace
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, tzinfo
from typing import Any

from relay import reload, silences
from relay.cli.control import change
from relay.cli.looking import looking, zone_of
from relay.cli.output import cell, clean, listing, print_json, print_json_lines, say
from relay.errors import RelayError, UsageError
from relay.events import from_iso
from relay.journal import Journal
from relay.phones import display
from relay.quiet import Conditions
from relay.settings import Settings
from relay.web.asked import LATELY, BeginSilence, WrongRequestError, of_body
from relay.web.shapes import silence_json, silenced_json

CONDITIONS = tuple(one.name for one in fields(Conditions))


async def run(options: Namespace, settings: Settings) -> int:
    """Begin a silence, list them, or end one."""
    names = (*CONDITIONS, "until", "why", "also_critical")
    body = {name: getattr(options, name) for name in names} | {"for": options.lasting}
    body = {name: value for name, value in body.items() if value not in (None, False)}
    if options.action == "add":
        return await _add(body, options, settings)
    if body:
        what = ", ".join(f"--{name.replace('_', '-')}" for name in body)
        raise UsageError(f"{what} belongs to `relay silence add`")
    return await (_end if options.action == "end" else _list)(options, settings)


async def _add(body: dict[str, Any], options: Namespace, settings: Settings) -> int:
    if options.id is not None:
        raise UsageError("add takes options alone: --phone, --topic …, --for or --until, --why")
    try:
        given = of_body(BeginSilence, json.dumps(body).encode(), mark="--").given()
    except WrongRequestError as error:
        raise UsageError(str(error)) from None

    async def under_lock(journal: Journal, now: datetime, who: str) -> dict[str, Any]:
        plan = reload.show(settings).plan
        return silence_json(await silences.begin(journal, plan, **given, now=now, who=who))

    done = await change(settings, "/api/silences", body, under_lock)
    if options.json:
        print_json(done)
        return 0
    async with looking(settings) as records:
        zone = await zone_of(records, settings)
    until = f"{from_iso(done['until']).astimezone(zone):%a %d %b %Y, %H:%M %Z}"
    passes = "" if done["also_critical"] else "; critical events are told all the same"
    about = clean(str(given["about"]))
    print(f"silence {done['id']}: nobody is told of {about} until {until}{passes}")
    return 0


async def _end(options: Namespace, settings: Settings) -> int:
    if options.id is None:
        raise UsageError("say which one: `relay silence list` shows their ids")
    name = options.id
    if not (name.isascii() and name.isdecimal()):
        raise UsageError(f"{clean(name)} is no id of a silence: `relay silence list` shows them")

    async def under_lock(journal: Journal, now: datetime, who: str) -> dict[str, Any]:
        ended = await journal.end_silence(name, now=now, who=who)
        if ended is None:
            raise RelayError(f"no silence with the id {name} is on")
        return silence_json(ended)

    done = await change(settings, f"/api/silences/{name}/end", {}, under_lock)
    if options.json:
        print_json(done)
    else:
        print(f"silence {done['id']} is over")
    return 0


async def _list(options: Namespace, settings: Settings) -> int:
    now = datetime.now(UTC)
    async with looking(settings) as records:
        found = await records.silences(since=now - LATELY)
        zone = await zone_of(records, settings)
    if options.json:
        print_json_lines(map(silenced_json, found))
        return 0
    on = [silenced_json(one) for one in found if one.silence.is_on(now)]
    for shape in on:
        say(words(shape, zone), "bold yellow")
        _show_what_it_kept(shape, zone)
        print()
    if not on:
        print("no silence is on")
    for one in found:
        if not one.silence.is_on(now):
            shape = silenced_json(one)
            say(f"{words(shape, zone)}; {_kept(shape)}", "dim")
    return 0


def words(silence: Mapping[str, Any], zone: tzinfo) -> str:
    """A silence, as JSON shows it, in one line: until when, of what, by whom and why."""

    def at(moment: str) -> str:
        return f"{from_iso(moment).astimezone(zone):%a %d %b, %H:%M}"

    until = f"until {at(silence['until'])}"
    if silence["ended_at"]:
        by = f" by {silence['ended_by']}" if silence["ended_by"] else ""
        until = f"ended {at(silence['ended_at'])}{by}"
    about = str(Conditions(**{name: silence[name] for name in CONDITIONS}))
    critical = ", critical too" if silence["also_critical"] else ""
    said = f"{about}{critical} ({silence['who']}: {silence['why']})"
    return clean(f"silence {silence['id']} {until}: {said}")


def _kept(silence: Mapping[str, Any]) -> str:
    """How much it suppressed, by destination."""
    by_name: Counter[str] = Counter()
    for one in silence["counts"]:
        by_name[one["destination"]] += one["count"]
    if not by_name:
        return "suppressed nothing"
    shown = ", ".join(f"{clean(name)} {count}" for name, count in by_name.most_common())
    return f"suppressed {silence['suppressed']}: {shown}"


def _show_what_it_kept(silence: Mapping[str, Any], zone: tzinfo) -> None:
    print(f"  {_kept(silence)}")
    rows = [
        (
            f"  {from_iso(one['at']).astimezone(zone):%d %b %H:%M}",
            one["event_id"][:8],
            cell(one["destination"]),
            cell(one["kind"]),
            display(one["phone"]) if one["phone"] else cell(one["title"]),
        )
        for one in silence["last"]
    ]
    listing(("  at", "event", "destination", "kind", "number"), rows)
