"""The lock beside the journal: whoever holds it is the one relay that changes the journal.

The kernel gives it back when the process ends, however it ends, so it doubles as the lease of
all claimed deliveries: who gets the lock knows that no driver is alive.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from relay.errors import JournalLockedError


class Lock:
    """An exclusive `flock` on `<journal>.lock`, held until `release`."""

    def __init__(self, journal: Path) -> None:
        """Take the lock; raises `JournalLockedError` if it is held, `OSError` if it cannot be."""
        self._path = journal.with_name(journal.name + ".lock")
        self._fd: int | None = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._fd, 20, 0).decode("ascii", "replace").strip()
            self.release()
            by = f"process {holder}" if holder.isdecimal() else "another process"
            raise JournalLockedError(f"the journal {journal} is in use by {by}") from None
        except OSError:
            self.release()
            raise
        os.ftruncate(self._fd, 0)
        os.pwrite(self._fd, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give it back. The file stays: removing it would let two processes hold two locks."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
