"""The relay's events about itself, for those who feed a warehouse: one JSON line for every outcome.

A line says what became of an event when it was routed, or of a delivery after each attempt: ids,
words of the catalogue and of the rules; no number, no name, no text of a sender, no secret. Lines
are written in a thread, and hold up nobody: what finds no room is counted in a line of its own.
The file may be moved away at any time; the next lines begin a new one.
"""

from __future__ import annotations

import errno
import json
import os
import queue
import sys
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from relay import logs
from relay.deliveries import Delivery, State
from relay.errors import UsageError
from relay.events import Event, iso
from relay.journal import Routing
from relay.logs import Seldom
from relay.outcomes import outcome_word
from relay.sending import Tried

STANDARD_OUTPUT = "-"
MOST_WAITING = 100_000
"""Lines that wait for their writer."""
GATHERING = 0.1
"""Seconds in which the writer lets lines gather."""
PATIENCE = 5.0
"""Seconds that the end waits for the last lines."""
_encode = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


class Record:
    """Writes lines until it is closed."""

    def __init__(self, place: str) -> None:
        """`place` is a file, or `-`. Raises `UsageError` where it cannot be written."""
        self._path = None if place == STANDARD_OUTPUT else Path(place)
        self._file = -1
        self._dropped = self._failed = self._told = 0
        """Lines that found no room, that could not be written, and of both those that are told."""
        self._is_torn = False
        self._seldom = Seldom()
        self._waiting: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        try:
            self._reopen()
        except OSError as error:
            if error.errno != errno.ENXIO:  # a pipe that nobody reads yet
                why = error.strerror or type(error).__name__
                raise UsageError(f"RELAY_RECORD: cannot write {place}: {why}") from None
        self._writer = threading.Thread(target=self._work, name="record", daemon=True)
        self._writer.start()

    def routed(self, event: Event, routing: Routing, now: datetime) -> None:
        """What became of an event, and at once of those of its deliveries that nobody gets."""
        self._put(
            {
                "record": "event",
                "at": iso(now),
                "event_id": event.id,
                "source": event.source.value,
                "kind": event.kind,
                "detail": event.detail,
                "topic": event.topic.value,
                "severity": event.severity.value,
                "direction": event.direction.value,
                "client_id": event.client.id,
                "waba": event.waba,
                "country": event.country,
                "test": event.test,
                "occurred_at": iso(event.occurred_at) if event.occurred_at else None,
                "received_at": iso(event.received_at),
                "state": routing.state.value,
                "muted_by": routing.muted_by,
                "rules_version": routing.rules_version,
                "deliveries": [one.id for one in routing.deliveries],
            }
        )
        for one in routing.deliveries:
            if one.state is State.SUPPRESSED:
                self._put(_delivery(one, now, None))

    def settled(self, tried: Tried, after: Delivery, now: datetime) -> None:
        """What became of a delivery by an attempt."""
        self._put(_delivery(after, now, tried))

    def close(self) -> None:
        """Write what waits."""
        self._waiting.put(None)
        self._writer.join(PATIENCE)

    def _put(self, shape: Mapping[str, Any]) -> None:
        if self._waiting.qsize() < MOST_WAITING:
            self._waiting.put(_encode(shape))
        else:
            self._dropped += 1

    def _work(self) -> None:
        is_over = False
        while not is_over:
            lines = [self._waiting.get()]
            if lines[0] is not None:
                time.sleep(GATHERING)
            with suppress(queue.Empty):
                while True:
                    lines.append(self._waiting.get_nowait())
            is_over = None in lines
            self._write([line for line in lines if line is not None])

    def _write(self, lines: list[str]) -> None:
        lost = self._dropped + self._failed - self._told
        if lost:
            lines = [_encode({"record": "gap", "lost": lost}), *lines]
        if not lines:
            return
        text = "".join(logs.hidden(line) + "\n" for line in lines).encode()
        text, done = (b"\n" + text if self._is_torn else text), 0
        try:
            self._reopen()
            while done < len(text):
                done += os.write(self._file, text[done:])
            self._told += lost
        except OSError as error:
            self._failed += len(lines) - (lost > 0) - text[:done].count(b"\n")
            why = error.strerror or type(error).__name__
            self._seldom(logs.error, "the record cannot be written", error=why)
        self._is_torn = done > 0 and not text[:done].endswith(b"\n")

    def _reopen(self) -> None:
        """Have the file open that has the name now: another one may have been moved away."""
        if self._path is None:
            self._file = sys.stdout.fileno()
            return
        with suppress(FileNotFoundError):
            if self._file >= 0 and os.path.samestat(os.fstat(self._file), self._path.stat()):
                return
        how = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        new = os.open(self._path, how | os.O_NONBLOCK, 0o640)  # no pipe makes us wait to open it
        os.set_blocking(new, True)
        if self._file >= 0:
            os.close(self._file)
        self._file = new


def _delivery(delivery: Delivery, now: datetime, tried: Tried | None) -> Mapping[str, Any]:
    return {
        "record": "delivery",
        "at": iso(now),
        "delivery_id": delivery.id,
        "event_id": delivery.event_id,
        "destination": delivery.destination,
        "channel": delivery.channel,
        "rule": delivery.rule,
        "rules_version": delivery.rules_version,
        "template": delivery.template,
        "cause": delivery.cause.value,
        "state": delivery.state.value,
        "proof": delivery.proof.value if delivery.proof else None,
        "degraded": delivery.degraded,
        "ambiguous": delivery.ambiguous,
        "outcome": outcome_word(tried.outcome) if tried else None,
        "reason": delivery.reason,
        "duration_ms": tried.duration_ms if tried else None,
    }
