"""Threads for templates: they run what they are given, and the process ends without them."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from relay.worker.loops import Daemons


def test_results_and_faults_come_back() -> None:
    threads = Daemons(2, "test")
    assert threads.submit(max, 1, 2).result(10) == 2
    with pytest.raises(ZeroDivisionError):
        threads.submit(divmod, 1, 0).result(10)
    assert list(threads.map(str, range(20))) == [str(n) for n in range(20)]
    threads.shutdown()


def test_no_more_run_at_a_time_than_there_are_threads() -> None:
    threads, begun, go = Daemons(2, "test"), threading.Semaphore(0), threading.Event()

    def wait(number: int) -> int:
        begun.release()
        assert go.wait(10)
        return number

    futures = [threads.submit(wait, number) for number in range(5)]
    assert begun.acquire(timeout=10)
    assert begun.acquire(timeout=10)
    assert [future.running() for future in futures] == [True, True, False, False, False]
    go.set()
    assert [future.result(10) for future in futures] == [0, 1, 2, 3, 4]
    threads.shutdown()


def test_a_thread_that_never_ends_keeps_no_process_from_ending() -> None:
    code = (
        "import threading\n"
        "from relay.worker.loops import Daemons\n"
        "begun = threading.Event()\n"
        "threads = Daemons(2, 'test')\n"
        "threads.submit(lambda: (begun.set(), threading.Event().wait()))\n"
        "assert begun.wait(10)\n"
        "threads.shutdown(wait=False)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
