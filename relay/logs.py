"""Structured logs: JSON on a pipe, key=value lines on a terminal; ids, and never bodies.

`background` hands the lines to a thread, so that a reader who does not keep up holds up nobody:
what finds no room is dropped, counted and said. Without it, as in commands, each line is written
at once.
"""

from __future__ import annotations

import json
import logging
import queue
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote

from relay.text import printable

HIDDEN = "[hidden]"
SHORTEST_SECRET = 6
"""Characters; a shorter one would hide ordinary words."""
MOST_WAITING = 10_000
"""Lines that wait for their writer."""
GATHERING = 0.1
"""Seconds in which the writer lets lines gather: a wake-up and a write for each would cost more."""
PATIENCE = 2.0
"""Seconds that the end waits for a reader who has stopped reading."""

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40, "critical": 50}
_PATTERNS = re.compile(
    r"""(xox[a-z]-[\w-]{4,}|hooks\.slack\.com/[^\s"']+|\bsig=[\w%-]+|(?<=[Bb]earer )[^\s"']+)"""
)
_SIGNS = ("xox", "hooks.slack.com", "sig=", "earer ")
"""One of them stands in whatever the patterns find, and looking for them costs little."""
_encode = json.JSONEncoder(default=str, check_circular=False).encode


class Redact:
    """Hides secrets, by value and by the look of them."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = {s for s in secrets if len(s) >= SHORTEST_SECRET}
        known |= {quote(s, safe=safe) for s in known for safe in ("", "/")}
        known |= {_encode(s)[1:-1] for s in known}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def text(self, text: str) -> str:
        """The text without secrets."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, HIDDEN)
        for sign in _SIGNS:
            if sign in text:
                return _PATTERNS.sub(HIDDEN, text)
        return text

    def clean(self, value: object) -> object:
        """A value as JSON without secrets, its texts without what could steer a terminal."""
        match value:
            case str():
                return printable(self.text(value), "�")
            case list() | tuple():
                return [self.clean(one) for one in value]
            case dict():
                return {printable(self.text(str(k)), "�"): self.clean(v) for k, v in value.items()}
            case None | bool() | int() | float():
                return value
        return printable(self.text(str(value)), "�")


class _Sink:
    """Where lines go. One for the process, as its standard error is."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        self.level = _LEVELS["info"]
        self.redact = Redact()
        self.stream: TextIO | None = None
        """None: whatever is standard error at the time."""
        self.is_terminal = False
        self.waiting: queue.SimpleQueue[str | None] | None = None
        self.writer: threading.Thread | None = None
        self.dropped = 0

    def say(self, level: str, event: object, fields: dict[str, Any]) -> None:
        line = self._line(level, event, fields)
        if self.waiting is None:
            self.write(line)
        elif self.waiting.qsize() < MOST_WAITING:
            self.waiting.put(line)
        else:
            self.dropped += 1

    def _line(self, level: str, event: object, fields: dict[str, Any]) -> str:
        at = f"{datetime.now(UTC).isoformat()[:-6]}Z"
        made = {"timestamp": at, "level": level, "event": event, **fields}
        if self.is_terminal:
            shown = {key: self.redact.clean(value) for key, value in made.items()}
            return " ".join(f"{key}={value!r}" for key, value in shown.items()) + "\n"
        line = _encode(made)
        if "\\" in line:  # Something in it is not printable ASCII, or a quotation mark.
            line = _encode(self.redact.clean(made))
        return self.redact.text(line) + "\n"

    def write(self, lines: str) -> None:
        """A stream that nobody reads any more must not stop the relay's work."""
        stream = self.stream or sys.stderr
        with suppress(OSError, ValueError):
            stream.write(lines)
            stream.flush()

    def work(self, waiting: queue.SimpleQueue[str | None]) -> None:
        """Write what comes until the end of it is said."""
        is_over = False
        while not is_over:
            lines = [waiting.get()]
            if lines[0] is not None:
                time.sleep(GATHERING)
            with suppress(queue.Empty):
                while True:
                    lines.append(waiting.get_nowait())
            is_over = None in lines
            self.write("".join(line for line in lines if line is not None))
            if self.dropped:
                count, self.dropped = self.dropped, 0
                self.write(self._line("warning", "log lines were dropped", {"count": count}))


_sink = _Sink()
reset = _sink.reset


def hidden(text: str) -> str:
    """A text without the secrets that no line shows."""
    return _sink.redact.text(text)


def debug(event: str, **fields: object) -> None:
    """Say what happens, in plain words, with its facts as fields; so do the others."""
    if _sink.level <= _LEVELS["debug"]:
        _sink.say("debug", event, fields)


def info(event: str, **fields: object) -> None:
    if _sink.level <= _LEVELS["info"]:
        _sink.say("info", event, fields)


def warning(event: str, **fields: object) -> None:
    if _sink.level <= _LEVELS["warning"]:
        _sink.say("warning", event, fields)


def error(event: str, **fields: object) -> None:
    _sink.say("error", event, fields)


def critical(event: str, **fields: object) -> None:
    _sink.say("critical", event, fields)


class Seldom:
    """Says a kind of line at most so often: what strangers can cause must not fill the disk.

    What it held back is counted in the next line of the kind.
    """

    def __init__(
        self, most: int = 20, seconds: float = 60.0, time: Callable[[], float] = time.monotonic
    ) -> None:
        self._most = most
        self._seconds = seconds
        self._time = time
        self._since = float("-inf")
        self._said = 0
        self._held_back = 0

    def __call__(self, say: Callable[..., Any], event: str, **fields: object) -> None:
        """Say it with `say`, a method of a logger, or count it."""
        now = self._time()
        if now - self._since >= self._seconds:
            self._since, self._said = now, 0
        if self._said >= self._most:
            self._held_back += 1
            return
        self._said += 1
        if self._held_back:
            fields["held_back"], self._held_back = self._held_back, 0
        say(event, **fields)


class _Libraries(logging.Handler):
    """What libraries say, from WARNING on, as lines of ours.

    Of a fault its type alone: a traceback quotes what the library worked on.
    """

    def emit(self, record: logging.LogRecord) -> None:
        fields: dict[str, object] = {}
        if record.exc_info and record.exc_info[1] is not None:
            fields["error"] = type(record.exc_info[1]).__name__
        level = record.levelname.lower()
        _sink.say(level if level in _LEVELS else "error", record.getMessage(), fields)


def _last_words(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    """What is printed of a fault that ends the process: all of it, without secrets."""
    for block in traceback.format_exception(kind, error, trace):
        for line in block.splitlines():
            _sink.write(printable(_sink.redact.text(line), "�") + "\n")


def configure(
    secrets: Iterable[str] = (), *, stream: TextIO | None = None, level: str = "info"
) -> None:
    """Say lines of this level on, on this stream (standard error), without these secrets."""
    _sink.reset()
    _sink.level, _sink.redact = _LEVELS[level], Redact(secrets)
    _sink.stream = stream or sys.stderr
    _sink.is_terminal = _sink.stream.isatty()
    sys.excepthook = _last_words
    root = logging.getLogger()
    root.handlers[:] = [_Libraries(logging.WARNING)]  # a logger may have a level of its own
    root.setLevel(logging.WARNING)


@contextmanager
def background() -> Iterator[None]:
    """Write lines in a thread meanwhile; at the end what waits is written."""
    waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    _sink.writer = threading.Thread(target=_sink.work, args=(waiting,), name="log", daemon=True)
    _sink.writer.start()
    _sink.waiting = waiting
    try:
        yield
    finally:
        flush()


def flush() -> None:
    """Wait until what was said is written, but not for ever; what comes then is written at once."""
    waiting, _sink.waiting = _sink.waiting, None
    if waiting is not None and _sink.writer is not None:
        waiting.put(None)
        _sink.writer.join(PATIENCE)
