"""What the relay says of itself while it works."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay import logs
from tests.needs import PATIENCE

SECRET = 'pä"ss\\wörd'


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    hook = sys.excepthook
    yield io.StringIO()
    sys.excepthook = hook


def test_a_line_is_json_where_no_person_looks_and_hides_secrets(stream: io.StringIO) -> None:
    logs.configure(["s3cret-value"], stream=stream)
    logs.info("said", token="s3cret-value", url="https://hooks.slack.com/a/b", n=1, more=["x", {}])
    line = json.loads(stream.getvalue())
    assert (line["event"], line["level"], line["n"], line["more"]) == ("said", "info", 1, ["x", {}])
    assert "s3cret" not in stream.getvalue()
    assert "slack.com/a" not in stream.getvalue()


@given(st.text(), st.text(), st.text())
def test_whatever_is_said_is_one_line_of_json_that_steers_no_terminal(
    one: str, two: str, three: str
) -> None:
    stream = io.StringIO()
    logs.configure([SECRET], stream=stream)
    logs.error(one, field=two, more=[{two: three}], secret=f"{one}{SECRET}{two}", other=Odd(three))
    line = stream.getvalue()
    assert line.isascii()
    assert line.count("\n") == 1
    found = json.loads(line)
    assert found["secret"].isprintable()
    assert SECRET not in found["secret"]
    assert str(found["other"]).isprintable()


class Odd:
    """A value of a type that no log knows."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return f"{self.text}\x1b[31m{SECRET}"


@pytest.mark.parametrize("level", ["debug", "info", "warning"])
def test_what_is_below_the_level_is_not_said(level: str, stream: io.StringIO) -> None:
    logs.configure(stream=stream, level=level)
    for say in (logs.debug, logs.info, logs.warning, logs.error, logs.critical):
        say("x")
    said = [json.loads(line)["level"] for line in stream.getvalue().splitlines()]
    every = ["debug", "info", "warning", "error", "critical"]
    assert said == every[every.index(level) :]


def test_a_terminal_gets_keys_and_values_without_what_steers_it() -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True  # type: ignore[method-assign]
    logs.configure(["s3cret-value"], stream=terminal)
    logs.info("said", text="\x1b[31m s3cret-value", number=1)
    line = terminal.getvalue()
    assert "level='info' event='said' text='\ufffd[31m [hidden]' number=1" in line


def test_a_stream_that_is_closed_stops_nothing(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    stream.close()
    logs.error("nobody reads this")


def test_the_last_words_of_the_process_hide_its_secrets() -> None:
    """The way that `configure` installs them, in a process that really ends by a fault."""
    program = """
from relay import logs
logs.configure(["s3cret-value"])
def inner():
    raise ValueError("bad token s3cret-value \\x1b[31m at https://hooks.slack.com/services/T/B")
inner()
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 1
    assert "ValueError: bad token [hidden] \ufffd[31m at https://[hidden]" in done.stderr
    assert "in inner" in done.stderr
    assert "s3cret" not in done.stderr


# In the background


def test_what_is_said_in_the_background_is_written_in_order_and_whole() -> None:
    stream = io.StringIO()
    logs.configure(stream=stream)
    with logs.background():
        for number in range(1_000):
            logs.info("line", number=number)
    logs.info("after")
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert [line.get("number") for line in lines] == [*range(1_000), None]


def test_a_reader_that_stands_still_holds_up_nobody_and_what_is_dropped_is_counted() -> None:
    """A real pipe that nobody reads until the end."""
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        logs.configure(stream=stream)
        said = logs.MOST_WAITING * 2
        with logs.background():
            for number in range(said):
                logs.info("line", number=number, padding="x" * 200)
            got: list[bytes] = []

            def read() -> None:
                with os.fdopen(reading, "rb") as lines:
                    got.extend(lines)

            reader = threading.Thread(target=read)
            reader.start()
    reader.join(PATIENCE)
    lines = [json.loads(line) for line in got]
    kept = [line["number"] for line in lines if line["event"] == "line"]
    dropped = [line["count"] for line in lines if line["event"] == "log lines were dropped"]
    assert kept == sorted(kept)
    assert len(kept) + sum(dropped) == said
    assert len(kept) >= logs.MOST_WAITING
    assert sum(dropped) > 0


def test_libraries_speak_through_it_from_warning_on(stream: io.StringIO) -> None:
    logs.configure(stream=stream)
    library = logging.getLogger("some.library")
    library.info("a detail")
    library.warning("a doubt about %s", "x")
    with_a_level_of_its_own = logging.getLogger("some.chatty.library")
    with_a_level_of_its_own.setLevel(logging.DEBUG)
    with_a_level_of_its_own.info("a request")
    (line,) = stream.getvalue().splitlines()
    assert (json.loads(line)["event"], json.loads(line)["level"]) == ("a doubt about x", "warning")
