"""`relay status`: is anything wrong, on one screen."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from relay import reload
from relay.cli.control import ask_relay
from relay.cli.looking import looking, zone_of
from relay.cli.output import cell, clean, console, fitted, print_json
from relay.cli.silence import words
from relay.errors import ConfigError
from relay.events import from_iso
from relay.journal.doors import is_there, shown
from relay.phones import display
from relay.reload import Loaded
from relay.reload.withheld import changes
from relay.settings import Settings
from relay.web.status import OK, gather, is_wrong

if TYPE_CHECKING:
    from rich.console import Console

_COLOURS = {OK: "green", "failing": "yellow", "parked": "red"}
_SOURCES = {"partner": "360dialog", "waba": "Meta", "watch": "the watch"}
MOST_NUMBERS = 20


async def run(options: Namespace, settings: Settings) -> int:
    """Ask the relay that serves the journal, else read the journal; 1 if something is wrong."""
    status, zone, serves = await _status(settings)
    if options.json:
        print_json({**status, "serves": serves})
    else:
        _show(console(), status, zone, serves=serves)
    return int(is_wrong(status) or not serves)


async def _status(settings: Settings) -> tuple[dict[str, Any], ZoneInfo, bool]:
    """What holds, the zone of the rules, and whether a relay serves."""
    loaded, error = _loaded(settings)
    plan = loaded.plan if loaded else None
    answer = await ask_relay(settings, "/api/status", None)
    if answer is None and not is_there(settings.journal):
        error = error or f"there is no journal at {shown(settings.journal)}"
    destinations = plan.destinations if plan else {}
    async with looking(settings) as records:
        zone = plan.timezone if plan else await zone_of(records, settings)
        if answer is not None:
            return answer, zone, True
        newest = await records.rules()
        waits = (
            changes(newest.files, loaded.kept) if loaded and newest and settings.hold_edits else ()
        )
        found = await gather(records, destinations, error, now=datetime.now(UTC), waits=waits)
    return found, zone, bool(found["relays"])


def _loaded(settings: Settings) -> tuple[Loaded | None, str | None]:
    try:
        return reload.show(settings), None
    except ConfigError as error:
        faults = [fault for fault in error.faults if fault.level == "error"]
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        return None, f"{faults[0]}{more}"


def _show(out: Console, status: dict[str, Any], zone: ZoneInfo, *, serves: bool) -> None:
    def when(text: str | None) -> str:
        return f"{from_iso(text).astimezone(zone):%d %b %H:%M:%S}" if text else ""

    _say_what_is_wrong(out, status, when, zone, serves=serves)
    rows = []
    for one in status["destinations"]:
        last = one["last_answer"]
        waits = one["pending"] + one["parked"]
        cells = (
            cell(one["name"]),
            one["channel"],
            f"[{_COLOURS[one['state']]}]{one['state']}[/]",
            f"{last['outcome'].replace('_', ' ')}, {when(last['at'])}" if last else "",
            str(waits) if waits else "",
            when(one["waiting_since"] or one["oldest_due_at"]) if waits else "",
            when(one["next_try_at"]),
            cell(one["reason"] or _held(one, when)),
        )
        rows.append(cells)
    columns = ("destination", "", "state", "last answer", "waits", "since", "next try", "why")
    out.print(fitted(columns, rows, out.width))
    out.print()
    spoke = ", ".join(
        f"{_SOURCES[name]} {when(at) if at else 'never'}" for name, at in status["sources"].items()
    )
    out.print(f"last event: {spoke}", markup=False)
    rules = status["rules"]
    out.print(f"rules: version {rules['version']}, live since {when(rules['loaded_at'])}")
    for relay in status["relays"]:
        does = "delivers" if relay["leads"] else "stands by"
        says = f"; its files say otherwise ({', '.join(relay['waits'])})" if relay["waits"] else ""
        told = f"relay {relay['name']}: {does}, by version {relay['version']}{says}"
        out.print(told, style="yellow" if says else "", markup=False)
    _show_watch(out, status["watch"], when)
    events = status["events"]
    counts = ", ".join(
        f"{events[name]} {name}"
        for name in ("received", "unrouted", "unmatched", "quarantined")
        if events.get(name)
    )
    out.print(f"events: {counts or 'none yet'}", style="dim", markup=False)


def _held(destination: dict[str, Any], when: Any) -> str:
    """What quiet hours or a digest hold for it."""
    if not destination.get("held"):
        return ""
    return f"{destination['held']} held until {when(destination['held_until'])}"


def _say_what_is_wrong(
    out: Console, status: dict[str, Any], when: Any, zone: ZoneInfo, *, serves: bool
) -> None:
    if not serves:
        out.print("no relay serves this journal: `relay serve` starts one", style="bold red")
    for alarm in status["alarms"]:
        told = f"alarm since {when(alarm['began_at'])}: {clean(alarm['title'])}"
        out.print(told, style="bold red", markup=False)
    if error := status["rules"]["error"]:
        out.print(f"the rules file was refused: {clean(error)}", style="bold red", markup=False)
    if waits := status["rules"].get("waits"):
        told = f"an edit waits ({', '.join(waits)}): `relay publish` makes it live"
        out.print(told, style="bold yellow", markup=False)
    for silence in status["silences"]:
        told = f"{words(silence, zone)}; {silence['suppressed']} suppressed"
        out.print(told, style="yellow", markup=False)
    if serves and not is_wrong(status):
        out.print("nothing is wrong", style="bold green")
    out.print()


def _show_watch(out: Console, watch: dict[str, Any], when: Any) -> None:
    if watch["looked_at"] is None and not watch["failed"]:
        return
    failed = f", {watch['failed']} looks failed since: {watch['reason']}" if watch["failed"] else ""
    looked = when(watch["looked_at"]) or "never"
    many = "1 number" if watch["numbers"] == 1 else f"{watch['numbers']} numbers"
    out.print(f"watch: {many}, looked at {looked}{clean(failed)}", markup=False)
    low = watch["not_green"]
    for one in low[:MOST_NUMBERS]:
        phone = display(one["phone"]) if one["phone"] else ""
        names = " ".join(filter(None, (phone, clean(one["name"]), clean(one["client"]))))
        out.print(f"  {one['quality']:6} {names}", style="yellow", markup=False)
    if len(low) > MOST_NUMBERS:
        out.print(f"  … and {len(low) - MOST_NUMBERS} more", style="yellow")
