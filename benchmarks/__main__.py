"""All benchmarks, one after the other, and their table: `python -m benchmarks`."""

from __future__ import annotations

from collections.abc import Sequence
from types import ModuleType

from benchmarks import (
    burst,
    commands,
    engines,
    ingest,
    latency,
    memory,
    rules,
    startup,
    throughput,
    yard,
)
from benchmarks.yard import Options, Row

ALL: tuple[ModuleType, ...] = (
    throughput,
    engines,
    ingest,
    latency,
    burst,
    rules,
    startup,
    commands,
    memory,
)


def measure(options: Options) -> Sequence[Row]:
    rows: list[Row] = []
    for benchmark in ALL:
        yard.say(f"\n{benchmark.__doc__}")
        rows += benchmark.measure(options)
    return rows


if __name__ == "__main__":
    yard.run(measure)
