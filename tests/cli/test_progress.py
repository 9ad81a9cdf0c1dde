"""What takes long says so on a terminal, and only there."""

from __future__ import annotations

import io
import os
import pty
from collections.abc import Iterator
from typing import TextIO

import pytest

from relay.cli.output import ERASE, progress


class Terminal:
    """A terminal, and what stands on it."""

    def __init__(self) -> None:
        self._screen, typed = pty.openpty()
        self.stream: TextIO = os.fdopen(typed, "w")

    def read(self) -> str:
        """What was written since; waits for something."""
        return os.read(self._screen, 1000).decode()

    def close(self) -> None:
        self.stream.close()
        os.close(self._screen)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


def test_what_takes_long_is_said_on_a_terminal_and_erased_at_its_end(terminal: Terminal) -> None:
    with progress("copying", terminal.stream, after=0.0):
        shown = terminal.read()
        assert shown.startswith(f"{ERASE}copying … ")
    assert terminal.read().endswith(ERASE)


def test_how_much_is_done_is_said_where_it_is_known(terminal: Terminal) -> None:
    with progress("copying", terminal.stream, after=0.0) as line:
        line.tell(0.43)
        while "43%, " not in terminal.read():
            pass


def test_what_is_done_soon_writes_nothing(terminal: Terminal) -> None:
    with progress("copying", terminal.stream, after=3600):
        pass
    terminal.stream.write("next")
    terminal.stream.flush()
    assert terminal.read() == "next"


def test_nothing_is_written_where_nobody_looks() -> None:
    pipe = io.StringIO()
    with progress("copying", pipe, after=0.0) as line:
        line.tell(0.5)
    assert pipe.getvalue() == ""


def test_a_fault_leaves_no_line_behind(terminal: Terminal) -> None:
    def fail() -> None:
        with progress("copying", terminal.stream, after=0.0):
            terminal.read()
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        fail()
    assert terminal.read().endswith(ERASE)
