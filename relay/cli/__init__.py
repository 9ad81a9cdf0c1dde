"""Arguments, exit codes, printing: the commands of `relay`."""

from __future__ import annotations

import asyncio
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from relay import logs
from relay.cli import (
    arguments,
    caring,
    checking,
    connecting,
    demo,
    directory,
    discard,
    explaining,
    listing,
    previewing,
    reconciling,
    retry,
    schema,
    serving,
    starting,
    testing,
    versions,
)
from relay.errors import JournalError, RelayError, UsageError
from relay.settings import Settings, from_environment

DONE, NO, WRONG = 0, 1, 2

Command = Callable[[Namespace, Settings], Coroutine[Any, Any, int]]

COMMANDS: dict[str, Command] = {
    "demo": demo.run,
    "serve": serving.run,
    "check": checking.run,
    "explain": explaining.run,
    "preview": previewing.run,
    "routes": listing.routes,
    "kinds": listing.kinds,
    "events": listing.events,
    "deliveries": listing.deliveries,
    "retry": retry.run,
    "discard": discard.run,
    "reconcile": reconciling.reconcile,
    "backup": caring.backup,
    "forget": caring.forget,
    "quarantine": caring.quarantine,
    "directory": directory.run,
    "send-test": testing.run,
    "rules": versions.run,
    "schema": schema.run,
    "init": starting.run,
    "connect": connecting.run,
}


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command; its exit code. Every error is one clear line on standard error."""
    try:
        options = arguments.parse(argv)
        settings = from_environment(os.environ, vars(options))
        if options.command not in ("serve", "demo"):
            logs.configure(level="error")
        return asyncio.run(COMMANDS[options.command](options, settings))
    except (UsageError, JournalError) as error:
        for line in str(error).splitlines():
            print(f"relay: {line}", file=sys.stderr)
        return WRONG
    except RelayError as error:
        print(f"relay: {error}", file=sys.stderr)
        return NO
    except BrokenPipeError:
        # Whoever read our output has enough; Python must not complain at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except OSError as error:
        print(f"relay: {error.strerror or error}", file=sys.stderr)
        return WRONG
    except KeyboardInterrupt:
        return 130
