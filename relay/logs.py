"""Structured logs: key=value lines on a terminal, JSON otherwise, ids and never bodies."""

from __future__ import annotations

import logging
import re
import sys
import time
import traceback
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Any, TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from relay.text import printable

_PATTERNS = re.compile(
    r"(xox[a-z]-[\w-]{4,}|hooks\.slack\.com/\S+|\bsig=[\w%-]+|(?<=[Bb]earer )\S+)"
)
HIDDEN = "[hidden]"


class Redact:
    """Hides secrets from every log line, by value and by the look of them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {s for s in secrets if len(s) >= 6}
        known |= {quote(s, safe=safe) for s in known for safe in ("", "/")}
        self._secrets = tuple(sorted(known, key=len, reverse=True))

    def __call__(self, _logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        # A library's traceback quotes what it worked on; what went wrong is said by its type.
        fault = event.pop("exc_info", None)
        if isinstance(fault, tuple):
            event["error"] = getattr(fault[0], "__name__", "unknown")
        elif isinstance(fault, BaseException):
            event["error"] = type(fault).__name__
        return {key: self._clean(value) for key, value in event.items()}

    def _clean(self, value: object) -> object:
        match value:
            case str():
                return self.text(value)
            case list() | tuple():
                return [self._clean(one) for one in value]
            case dict():
                return {self.text(str(key)): self._clean(one) for key, one in value.items()}
            case None | bool() | int() | float() | logging.LogRecord():
                return value
        return self.text(str(value))

    def text(self, text: str) -> str:
        for secret in self._secrets:
            text = text.replace(secret, HIDDEN)
        text = _PATTERNS.sub(HIDDEN, text)
        return printable(text, "�")


def _last_words(
    redact: Redact,
    stream: TextIO,
    kind: type[BaseException],
    error: BaseException,
    trace: TracebackType | None,
) -> None:
    """What is printed of a fault that ends the process: all of it, without secrets."""
    for block in traceback.format_exception(kind, error, trace):
        for line in block.splitlines():
            print(redact.text(line), file=stream)


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


class _Lines:
    """Writes lines; a stream that nobody reads any more must not stop the relay's work."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(message + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = msg


def configure(
    secrets: Iterable[str] = (), *, stream: TextIO | None = None, level: str = "info"
) -> None:
    """Set up structlog, and let libraries speak through it from WARNING on."""
    stream = stream or sys.stderr
    redact = Redact(secrets)
    shared: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        redact,
    ]
    renderer: Processor
    if stream.isatty():
        renderer = structlog.processors.KeyValueRenderer(
            key_order=["timestamp", "level", "event"], drop_missing=True
        )
    else:
        renderer = structlog.processors.JSONRenderer()
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: _Lines(stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared,
        )
    )
    sys.excepthook = partial(_last_words, redact, stream)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
