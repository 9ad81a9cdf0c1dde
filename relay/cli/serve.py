"""`relay serve`."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
from argparse import Namespace
from dataclasses import replace

from relay import failpoints, logs
from relay.app import App
from relay.settings import Settings, doubts


async def run(options: Namespace, settings: Settings) -> int:
    """Serve until a signal comes; 0 after an orderly stop, 1 if the journal failed."""
    logs.configure(secrets(settings), level=options.log_level)
    with logs.background():
        return await _serve(
            replace(
                settings,
                sandbox=options.sandbox,
                insecure=options.insecure,
                hold_edits=settings.hold_edits or options.hold_edits,
            )
        )


async def _serve(settings: Settings) -> int:
    failpoints.arm(settings.env.get(failpoints.VARIABLE, ""))
    for doubt in doubts(settings):
        logs.warning("setting", doubt=doubt)
    if settings.proxies.hosts:
        logs.info(
            "targets are asked by a proxy: their addresses are its to judge, not the relay's",
            proxies=settings.proxies.hosts,
        )
    stop = asyncio.Event()
    listen_for_signals(stop)
    app = await App.start(settings)
    gc.collect()
    gc.freeze()  # what is there now stays: no collection need walk through it again
    logs.info(
        "relay serves",
        addresses=[str(address) for address in app.addresses],
        rules_version=app.worker.plan.version,
        sandbox=settings.sandbox,
    )
    reloads: set[asyncio.Task[object]] = set()

    def on_hangup() -> None:
        task: asyncio.Task[object] = asyncio.create_task(app.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_hangup)
    app.failed.add_done_callback(lambda _: stop.set())
    await stop.wait()
    failed = app.failed.done()
    logs.info("relay is stopping")
    await app.stop(grace=0 if failed else None)
    logs.info("relay stopped")
    return 1 if failed else 0


def listen_for_signals(stop: asyncio.Event) -> None:
    """The first SIGTERM or SIGINT stops in order, the second at once."""
    loop = asyncio.get_running_loop()

    def on_signal() -> None:
        if stop.is_set():
            logs.flush()
            os._exit(1)
        stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, on_signal)


def secrets(settings: Settings) -> list[str]:
    """Every value that a log must never show."""
    own = " ".join(
        (
            settings.secret_360dialog,
            settings.webhook_token,
            settings.meta_app_secret,
            settings.meta_verify_token,
            settings.admin_token,
        )
    )
    words = ("TOKEN", "SECRET", "PASSWORD", "URL", "KEY")
    named = [
        settings.env.get(name, "")
        for name in settings.env
        if any(word in name.upper() for word in words) and not name.endswith("_FILE")
    ]
    tokens = [
        token.decode("utf-8", "surrogateescape")
        for one in settings.operators
        for token in one.accepted
    ]
    return [*own.split(), *tokens, *settings.proxies.secrets, *(value for value in named if value)]
