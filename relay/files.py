"""Reading what a person or a deployment put there: regular files alone, and never waiting for one.

Opening a named pipe waits for whoever writes into it, perhaps for ever; a folder or a device in
the place of a file is a slip as well.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path


def read_regular(path: Path, most: int) -> bytes:
    """At most `most` bytes and one more, by which the caller sees that there are too many.

    Raises `OSError`, whose `strerror` says what is wrong in words.
    """
    # Without blocking, a pipe that nobody writes into opens at once; a regular file is the same.
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(fd, "rb") as file:  # noqa: PTH123  a descriptor, not a path
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        return file.read(most + 1)
