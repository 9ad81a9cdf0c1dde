"""Relay processes that begin as forks of one process that has imported the relay already.

What follows is what `python -m relay` does, in a process of its own, with its own folder,
environment and signals; only the imports, most of a start, are paid once for all of them.
"""

from __future__ import annotations

import asyncio
import atexit
import json
import os
import random
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.needs import ROOT


class Forked:
    """What a test needs of `asyncio.subprocess.Process`."""

    def __init__(
        self, pid: int, status: int, stdout: asyncio.StreamReader, stderr: asyncio.StreamReader
    ) -> None:
        self.pid = pid
        self.stdout, self.stderr = stdout, stderr
        self.returncode: int | None = None
        self._status = status
        self._ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(status, self._read)

    def _read(self) -> None:
        asyncio.get_running_loop().remove_reader(self._status)
        self.returncode = int(os.read(self._status, 16))
        os.close(self._status)
        self._ended.set()

    async def wait(self) -> int:
        await self._ended.wait()
        assert self.returncode is not None
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


async def fork(arguments: Sequence[str], *, env: Mapping[str, str], cwd: Path) -> Forked:
    """`relay` with these arguments and nothing to read; what it says must be read."""
    printed, prints = os.pipe()
    told, tells = os.pipe()
    ended, ends = os.pipe()
    order = json.dumps({"arguments": list(arguments), "env": dict(env), "cwd": str(cwd)}).encode()
    parent = _parent()
    socket.send_fds(parent, [len(order).to_bytes(4, "big") + order], [prints, tells, ends])
    for end in (prints, tells, ends):
        os.close(end)
    pid = int.from_bytes(parent.recv(4), "big")
    return Forked(pid, ended, await _reader(printed), await _reader(told))


async def _reader(pipe: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=2**20)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(pipe, "rb", buffering=0)
    )
    return reader


@cache
def _parent() -> socket.socket:
    """The process that forks, for the rest of this one's life."""
    ours, theirs = socket.socketpair()
    process = subprocess.Popen([sys.executable, "-m", "tests.forking"], stdin=theirs, cwd=ROOT)
    theirs.close()

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def _serve(orders: socket.socket) -> None:
    """Fork for each order, and tell of each child how it ended, until nobody can order more."""
    from relay.cli import main, module_of

    module_of("serve")
    import relay.app  # noqa: F401  # what `serve` imports when it runs

    children: dict[int, int] = {}
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as waiting:
        waiting.register(orders, selectors.EVENT_READ)
        waiting.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in waiting.select():
                if key.fileobj is orders:
                    received = _order(orders)
                    if received is None:
                        return
                    order, (stdout, stderr, status) = received
                    if (pid := os.fork()) == 0:
                        signal.set_wakeup_fd(-1)
                        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                        _become(order, stdout, stderr)
                        main(order["arguments"])
                    os.close(stdout)
                    os.close(stderr)
                    children[pid] = status
                    orders.sendall(pid.to_bytes(4, "big"))
                else:
                    os.read(woken, 1024)
                    _reap(children)


def _order(orders: socket.socket) -> tuple[dict[str, Any], list[int]] | None:
    head, found, _, _ = socket.recv_fds(orders, 4, 3)
    if not head:
        return None
    text = b""
    while len(text) < int.from_bytes(head, "big"):
        text += orders.recv(65_536)
    return json.loads(text), found


def _become(order: dict[str, Any], stdout: int, stderr: int) -> None:
    """Be what a shell would have started."""
    nothing = os.open(os.devnull, os.O_RDONLY)
    for target, source in ((0, nothing), (1, stdout), (2, stderr)):
        os.dup2(source, target)
    os.closerange(3, 64)
    os.chdir(order["cwd"])
    os.environ.clear()
    os.environ.update(order["env"])
    time.tzset()
    random.seed()


def _reap(children: dict[int, int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if not pid:
            return
        pipe = children.pop(pid)
        os.write(pipe, str(os.waitstatus_to_exitcode(status)).encode())
        os.close(pipe)


if __name__ == "__main__":
    _serve(socket.socket(fileno=0))
