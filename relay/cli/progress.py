"""A line on the terminal that says what takes so long; nothing where nobody looks."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

LONG = 1.0
"""Seconds; what is done earlier is not worth a line."""
EVERY = 0.5
"""Seconds between two looks at the same line."""
ERASE = "\r\x1b[K"


class Progress:
    """What is being done, and how much of it is."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._part: float | None = None

    def tell(self, part: float) -> None:
        """How much is done, from 0 to 1; what never says so shows the time alone."""
        self._part = part

    def line(self, seconds: float) -> str:
        """`copying the journal … 43%, 12 s`."""
        part = "" if self._part is None else f" {self._part:.0%},"
        return f"{self.what} …{part} {seconds:.0f} s"


@contextmanager
def progress(what: str, stream: TextIO | None = None, after: float = LONG) -> Iterator[Progress]:
    """Show what the block does while it takes longer than `after` seconds; erased at its end.

    Standard error unless told, and only if it is a terminal. A thread draws it, since what is
    long may be one call of SQLite or of the rule checks.
    """
    out = stream or sys.stderr
    state = Progress(what)
    if not out.isatty():
        yield state
        return
    done = threading.Event()
    began = time.monotonic()

    def draw() -> None:
        wait, drawn = after, False
        while not done.wait(wait):
            out.write(ERASE + state.line(time.monotonic() - began))
            out.flush()
            wait, drawn = EVERY, True
        if drawn:
            out.write(ERASE)
            out.flush()

    thread = threading.Thread(target=draw, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        done.set()
        thread.join()
