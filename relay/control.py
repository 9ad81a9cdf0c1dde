"""The Unix socket beside the journal, by which commands change something in a running relay.

Also who it is that does so: a uid with a name, or without one, as in many containers.
"""

from __future__ import annotations

import os
import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LONGEST = 100
"""Bytes; the kernel takes no longer path for a socket (108 on Linux, 104 elsewhere)."""


@contextmanager
def short_path(path: Path) -> Iterator[Path]:
    """A path to the same socket that is short enough for the kernel."""
    if len(os.fsencode(path)) <= LONGEST:
        yield path
        return
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield Path(f"/proc/self/fd/{folder}/{path.name}")
    finally:
        os.close(folder)


@contextmanager
def for_the_owner_alone() -> Iterator[None]:
    """Whatever is created meanwhile has no mode for others, from its first moment on."""
    before = os.umask(0o177)
    try:
        yield
    finally:
        os.umask(before)


def user(uid: int | None = None) -> str:
    """The name of a user, or its uid where it has none; unless said otherwise, our own."""
    number = os.getuid() if uid is None else uid
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return f"uid {number}"


def peer(connection: socket.socket | None) -> str | None:
    """The user at the other end of a Unix socket; None for any other connection."""
    if connection is None or connection.family != socket.AF_UNIX:
        return None
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:  # Not Linux; the socket's mode admits its owner alone.
        return user()
    _, uid, _ = struct.unpack("3i", connection.getsockopt(socket.SOL_SOCKET, option, 12))
    return user(uid)


def socket_path(journal: Path) -> Path:
    """Where the socket of a relay that serves this journal file stands."""
    return journal.with_name(journal.name + ".sock")
