"""The commands of `relay`, one file each, imported when it is the one that was asked for.

What is imported here is paid by every command, also by `relay --version`.
"""

from __future__ import annotations

import gc
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

DONE, NO, WRONG = 0, 1, 2
OBJECTS_BETWEEN_LOOKS = 50_000
"""New ones before the first garbage collection looks at them; Python's 700 are for small heaps."""


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal or pipe of another encoding gets a stand-in for what it cannot show.
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError):  # What cannot be changed any more stays as it is.
                stream.reconfigure(errors="replace")
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: Sequence[str]) -> int:
    """Run one command; its exit code."""
    # What is imported and read stays: looking for garbage in it costs a quarter of a start.
    gc.set_threshold(OBJECTS_BETWEEN_LOOKS)
    from relay.cli import arguments

    try:
        options = arguments.parse(argv)
    except arguments.WrongUse as error:
        print(f"relay: {error}", file=sys.stderr)
        return WRONG
    return _run(options)


def module_of(command: str) -> ModuleType:
    """The module of a command, which has its name."""
    return import_module(f"relay.cli.{command.replace('-', '_')}")


def _quick_loop() -> Callable[[], AbstractEventLoop] | None:
    """uvloop's event loop, where there is one for this platform."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _run(options: Namespace) -> int:
    """Every error is one clear line on standard error."""
    import asyncio

    from relay import logs
    from relay.errors import JournalError, RelayError, UsageError
    from relay.settings import from_environment

    try:
        settings = from_environment(os.environ, vars(options))
        if options.command not in ("serve", "demo"):
            logs.configure(level="error")
        loop = _quick_loop() if options.command == "serve" else None
        with asyncio.Runner(loop_factory=loop) as runner:
            return int(runner.run(module_of(options.command).run(options, settings)))
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
