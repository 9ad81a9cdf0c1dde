"""The Unix socket beside the journal, by which commands change something in a running relay."""

from __future__ import annotations

import os
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


def socket_path(journal: Path) -> Path:
    """Where the socket of a relay that serves this journal file stands."""
    return journal.with_name(journal.name + ".sock")
