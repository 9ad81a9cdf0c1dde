"""`relay demo`: the real service in sandbox mode, fed with the bundled samples."""

from __future__ import annotations

import asyncio
from argparse import Namespace
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from aiohttp import ClientSession, ClientTimeout

from relay import logs, samples, starter
from relay.app import App
from relay.cli.output import clean, colour, console, json_body, text_panel
from relay.cli.serve import listen_for_signals
from relay.deliveries import State
from relay.errors import RelayError, UsageError
from relay.journal import EventState, Filter, StoredDelivery, StoredEvent
from relay.settings import Address, Settings
from relay.sources.watch import Seen
from relay.worker.numbers import USUAL_PERIOD

if TYPE_CHECKING:
    from rich.console import Console

LONGEST_WAIT = 30.0
"""Seconds for all messages of one sample."""
LOOK_EVERY = 0.2
MOST_AT_ONCE = 20
"""Events of one look that are shown; of more, the rest are counted."""


async def run(options: Namespace, settings: Settings) -> int:
    """Serve, post every sample, show what comes of it; go on serving unless `--once`."""
    logs.configure(level="error")
    stop = asyncio.Event()
    out = console()
    with TemporaryDirectory(prefix="relay-demo-") as folder:
        journal = f"sqlite:///{Path(folder) / 'relay.db'}"
        settings = replace(settings, journal=journal, sandbox=True, record=None, traces=False)
        if settings.rules == Settings().rules and not settings.rules.exists():
            settings = _shipped(settings, Path(folder), out)
        if options.once:
            settings = replace(settings, listen=replace(settings.listen, port=0))
        app = await _start(settings)
        try:
            listen_for_signals(stop)
            address = app.addresses[0]
            out.print(f"[bold]relay[/] serves on http://{address} in sandbox mode: nothing is sent")
            out.print(f"Its journal, until it ends: {journal}", style="dim", markup=False)
            out.print()
            told = await _feed(app, address, out)
            _summary(out, told)
            if not options.once:
                out.print(
                    f"\nStill serving. Post a webhook to http://{address}/webhooks/360dialog and "
                    "see what comes of it, or stop with Ctrl-C.\n",
                )
                await _follow(app, out, stop)
        finally:
            await app.stop(grace=1.0)
    return 0


def _shipped(settings: Settings, folder: Path, out: Console) -> Settings:
    """The settings with the rules that the relay ships, for who has none yet."""
    out.print(f"There is no {settings.rules} here: the one that the relay ships shows how it works")
    rules = folder / starter.RULES
    rules.write_text(starter.contents()[starter.RULES], encoding="utf-8")
    if not settings.templates.exists():
        settings = replace(settings, templates=folder / starter.TEMPLATES)
        settings.templates.mkdir()
    return replace(settings, rules=rules)


async def _start(settings: Settings) -> App:
    try:
        return await App.start(settings)
    except UsageError as error:
        if "cannot listen" not in str(error) or settings.listen.port == 0:
            raise
    # The usual port is taken, perhaps by a real relay: a demo can do with any.
    free = Address(settings.listen.host, 0)
    return await App.start(replace(settings, listen=free))


async def _feed(app: App, address: Address, out: Console) -> dict[str, int]:
    url = f"http://{address}/webhooks/360dialog"
    told = {"events": 0, "messages": 0}
    async with ClientSession(timeout=ClientTimeout(total=LONGEST_WAIT)) as session:
        for name in samples.demo():
            body = samples.fresh(name, datetime.now(UTC))
            if (looks := samples.looks_in(body)) is not None:
                await _watch(app, looks)
            else:
                async with session.post(url, data=body) as answer:
                    if answer.status != 200:
                        said = f"the relay answered {answer.status} to the sample {name}"
                        raise RelayError(said)
            newest = (await app.store.records.events(Filter(limit=1)))[-1]
            event, owed = await _finished(app, newest.event.id)
            told["events"] += 1
            told["messages"] += len(owed)
            _show(out, event, owed)
    return told


async def _watch(app: App, looks: Sequence[Sequence[Seen]]) -> None:
    """Record two looks at 360dialog's list, as the watch does where it may ask."""
    for look in looks:
        now = datetime.now(UTC)
        changes = await app.store.journal.watch(look, now=now, period=USUAL_PERIOD)
        app.inbox.put(changes.events)


async def _follow(app: App, out: Console, stop: asyncio.Event) -> None:
    """Show whatever is posted, until somebody stops the demo."""
    shown = {stored.event.id for stored in await app.store.records.events(Filter(limit=1_000))}
    while not stop.is_set():
        newest = await app.store.records.events(Filter(limit=1_000))
        fresh = [stored.event.id for stored in newest if stored.event.id not in shown]
        for event_id in fresh[:MOST_AT_ONCE]:
            _show(out, *await _finished(app, event_id))
        if len(fresh) > MOST_AT_ONCE:
            out.print(f"… and {len(fresh) - MOST_AT_ONCE} more events\n", style="dim")
        shown = {stored.event.id for stored in newest}
        with suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), LOOK_EVERY)


async def _finished(app: App, event_id: str) -> tuple[StoredEvent, list[StoredDelivery]]:
    """The event with its deliveries once they are all settled."""
    async with asyncio.timeout(LONGEST_WAIT):
        while True:
            stored = await app.store.records.event(event_id)
            owed = list(await app.store.records.of_event(event_id))
            routed = stored is not None and stored.state is not EventState.RECEIVED
            if stored and routed and all(_is_settled(one) for one in owed):
                return stored, owed
            await asyncio.sleep(0.01)


def _is_settled(stored: StoredDelivery) -> bool:
    return stored.delivery.state not in (State.PENDING, State.CLAIMED)


def _show(out: Console, stored: StoredEvent, owed: list[StoredDelivery]) -> None:
    event = stored.event
    kind = event.kind + (f"/{event.detail}" if event.detail else "")
    out.print(f"▸ {clean(kind)}", style="bold", markup=False, end="")
    out.print(f"  {clean(event.title)}", style="dim", markup=False)
    if not owed:
        why = f'muted by the rule "{stored.muted_by}"' if stored.muted_by else "no rule matched"
        out.print(f"  nobody is told: {why}\n", style="dim", markup=False)
    for one in owed:
        rendered = one.rendered or {"title": "", "text": one.delivery.reason or ""}
        rule = f'rule "{one.delivery.rule}"' if one.delivery.rule else "the default"
        where = f"{one.delivery.channel}: {one.delivery.destination}, by {rule}"
        border = colour(event.severity, event.direction)
        said = json_body(one.delivery.channel, rendered.get("payload", {})) or rendered["text"]
        out.print(text_panel(rendered["title"], said, where, border))
    if owed:
        out.print()


def _summary(out: Console, told: dict[str, int]) -> None:
    out.print(f"{told['events']} sample events became {told['messages']} messages.", style="bold")
    out.print("Change who is told in rules.yaml and what they read in message_templates/.")
