"""The order proof: between reading an event and writing its 200 there is a sync of the journal.

`strace` writes down what a relay asks of the system; `unproved` reads it.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.needs import require

CALLS = "read,recvfrom,recvmsg,write,writev,sendto,sendmsg,fsync,fdatasync"
_WHOLE = re.compile(r"^(\d+) +(\w+)\((\d+)<(.*?)>(.*)$")
_RESUMED = re.compile(r"^(\d+) +<\.\.\. (\w+) resumed>(.*)$")
_EVENT = re.compile(r"evt-(\d+)")


@cache
def _why_not() -> str | None:
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-qq", "-o", os.devnull, "true"],
        capture_output=True,
        check=False,
    )
    return None if tried.returncode == 0 else "strace may not trace processes here"


def require_strace() -> None:
    """Skip where there is no strace, or where it is not let; where no test may be, fail."""
    require(_why_not())


def under_strace(into: Path, *more: str) -> tuple[str, ...]:
    """The words that put a program under strace, which watches it as a grandchild."""
    return (
        "strace",
        "-D",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-y",
        "-s",
        "4096",
        "-e",
        "signal=none",
        "-o",
        str(into),
        *(more or ("-e", f"trace={CALLS}")),
    )


@dataclass(frozen=True, slots=True)
class Call:
    """One system call; `began` and `ended` are lines of the trace."""

    name: str
    fd: str
    path: str
    text: str
    began: int
    ended: int


def calls(lines: Iterable[str]) -> list[Call]:
    """The calls in a trace, in the order of their ends; those that never ended are left out."""
    found: list[Call] = []
    open_: dict[str, Call] = {}
    for number, line in enumerate(lines):
        if match := _WHOLE.match(line):
            process, name, fd, path, text = match.groups()
            call = Call(name, fd, path, text, number, number)
            if text.endswith("<unfinished ...>"):
                open_[process] = call
            else:
                found.append(call)
        elif match := _RESUMED.match(line):
            process, name, text = match.groups()
            begun = open_.pop(process, None)
            if begun is not None and begun.name == name:
                found.append(
                    Call(name, begun.fd, begun.path, begun.text + text, begun.began, number)
                )
    return found


@dataclass(frozen=True, slots=True)
class Proof:
    """What a trace shows."""

    proved: frozenset[int]
    """Numbers of the events whose 200 came after a sync that began after they were read."""
    unproved: frozenset[int]


def prove(lines: Iterable[str]) -> Proof:
    """Judge each event `evt-N` of a trace that was answered with 200."""
    syncs: list[Call] = []
    read: dict[str, tuple[int, Call]] = {}
    proved, unproved = set(), set()
    for call in calls(lines):
        if call.name in ("fsync", "fdatasync"):
            if call.path.endswith("-wal") and call.text.rstrip().endswith("= 0"):
                syncs.append(call)
        elif call.name in ("read", "recvfrom", "recvmsg"):
            if match := _EVENT.search(call.text):
                read[call.fd] = (int(match.group(1)), call)
        elif "HTTP/1.1 200" in call.text and call.fd in read:
            number, request = read.pop(call.fd)
            done = any(
                sync.began > request.ended and sync.ended < call.began for sync in reversed(syncs)
            )
            (proved if done else unproved).add(number)
    return Proof(frozenset(proved), frozenset(unproved))
