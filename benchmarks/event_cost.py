"""Where the processor time of an event goes, room by room, as a picture: `make profile`.

The running relay is sampled under full load: many times a second a thread of its own looks at
where every other thread stands and charges that place with the processor time which the thread
used since the last look. A unit is one `json.loads` of a body of 1 KB, which moves with the
machine. With `--top N` the functions of each room are listed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import sys
import threading
import time
import timeit
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from types import CodeType, FrameType

HERE = Path(__file__).resolve().parent
PICTURE = HERE.parent / "docs/event-cost.svg"
EVERY = 0.002
"""Seconds between two looks."""
BUDGET = {
    "read": 10,
    "match": 3,
    "compose": 20,
    "payload": 8,
    "append": 10,
    "route": 8,
    "settle": 8,
    "HTTP in": 10,
    "HTTP out": 12,
    "log, metrics": 5,
}
"""Units; what each room may cost."""
PLACES = (
    # The innermost frame of a stack that stands in one of these says whose time it is: a pattern
    # of the file, one of the function, the room.
    (r"/relay/(logs|metrics)\.py|/logging/|/prometheus_client/", r"", "log, metrics"),
    (r"/relay/(sources|phones)|/phonenumbers/", r"", "read"),
    (r"/relay/rules/", r"", "match"),
    (r"/relay/messages/", r"", "compose"),
    (r"/relay/channels/", r"^(send|_post|_hook|post|session|wire|request|__aenter__)$", "HTTP out"),
    (r"/relay/channels/(exchange|http)\.py", r"", "HTTP out"),
    (r"/relay/channels/", r"", "payload"),
    (r"/relay/directory/", r"", "route"),
    (r"/journal/", r"^(append|insert_event|learn)$", "append"),
    (r"/journal/", r"^(route|pair|known_for|directory_of|complete)$", "route"),
    (r"/journal/", r"^(claim|open_attempt|settle|next_due|_next)$", "settle"),
    (r"/journal/.*writer\.py", r"^(_group|_checkpoint|_commit)$", "commit"),
    (r"/aiohttp/(client|connector|tracing)", r"", "HTTP out"),
    (r"/aiohttp/web|/relay/web/", r"", "HTTP in"),
)


# In the process of the relay


class Sampler(threading.Thread):
    """Charges places with time from SIGUSR2 on; at SIGUSR1 it writes what it found."""

    def __init__(self, out: Path) -> None:
        super().__init__(name="sampler", daemon=True)
        self._out = out
        self._spent: defaultdict[tuple[str, str], float] = defaultdict(float)
        self._rooms: dict[CodeType, str | None] = {}
        self._clocks: dict[int, float] = {}
        signal.signal(signal.SIGUSR2, lambda *_: self._spent.clear())
        signal.signal(signal.SIGUSR1, lambda *_: self._write())

    def run(self) -> None:
        sys.setswitchinterval(EVERY / 10)
        while True:
            time.sleep(EVERY)
            for thread, frame in sys._current_frames().items():
                if thread == self.ident:
                    continue
                try:
                    now = time.clock_gettime(time.pthread_getcpuclockid(thread))
                except OSError:
                    continue  # it ended meanwhile
                if (used := now - self._clocks.get(thread, now)) > 0:
                    self._spent[self._place(frame)] += used
                self._clocks[thread] = now

    def _place(self, frame: FrameType) -> tuple[str, str]:
        """The room, and the function in it that ran or called what ran."""
        inner: FrameType | None = frame
        while inner is not None:
            code = inner.f_code
            if code not in self._rooms:
                self._rooms[code] = _room(code)
            if room := self._rooms[code]:
                return room, _name(code)
            inner = inner.f_back
        return "loop, hand-over", _name(frame.f_code)

    def _write(self) -> None:
        found = [[room, place, spent] for (room, place), spent in self._spent.items()]
        self._out.write_text(json.dumps(found))


def _name(code: CodeType) -> str:
    return f"{'/'.join(Path(code.co_filename).parts[-2:])} {code.co_qualname}"


def _room(code: CodeType) -> str | None:
    for file, function, room in PLACES:
        if re.search(file, code.co_filename) and re.search(function, code.co_name):
            return room
    return None


def sampled(out: Path) -> None:
    """Be `relay serve` with a sampler."""
    sys.argv = ["relay", "serve"]
    Sampler(out).start()
    from relay.cli import main

    main()


# In the process of the benchmark


async def load(count: int, out: Path, tree: Path) -> float:
    """Sample the relay under load; microseconds of its processor time for an event."""
    from benchmarks import yard

    options = yard.Options(tree, 1, quick=False)
    with yard.folder() as home, yard.slack() as target:
        (home / "rules.yaml").write_text(yard.rules(50, target.port))
        port = yard.free_port()
        env = yard.environment(options, home) | {"RELAY_LISTEN": f"127.0.0.1:{port}"}
        program = [options.python, str(HERE / "event_cost.py"), "--inside", str(out)]
        server = yard.Server(program, home, port, env)
        server.path = "/webhooks/360dialog"
        try:
            await server.up()
            await yard.post_all(server, range(500), 50)
            await yard.arrived(target, range(500))
            os.kill(server.pid, signal.SIGUSR2)
            before = server.cpu()
            await yard.post_all(server, range(1_000, 1_000 + count), 50)
            await yard.arrived(target, range(1_000, 1_000 + count))
            spent = server.cpu() - before
            os.kill(server.pid, signal.SIGUSR1)
            await asyncio.sleep(1)
        finally:
            server.stop()
    return spent / count * 1e6


def unit() -> float:
    """Microseconds of one `json.loads` of a body of 1 KB."""
    from benchmarks.yard import median, webhook

    body = next(body for n in range(2) if len(body := webhook(n, 0)) > 900)
    return median(timeit.repeat(lambda: json.loads(body), number=100, repeat=99)) / 100 * 1e6


def drawn(rooms: Mapping[str, float], one: float, whole: float) -> str:
    """The picture: a bar for each room, with a mark at its budget."""
    names = [*BUDGET, *(room for room in rooms if room not in BUDGET)]
    scale = 520 / max(rooms.values(), default=1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 {60 + 24 * len(names)}" '
        'font-family="sans-serif" font-size="13">',
        '<rect width="100%" height="100%" fill="#fff"/>',
        f'<text x="10" y="22" font-size="15">An event costs {whole:.0f} µs of processor time, '
        f"{whole / one:.0f} units (one json.loads of 1 KB: {one:.1f} µs)</text>",
        '<text x="10" y="40" fill="#666">bar: measured · line: budget · units in brackets</text>',
    ]
    for place, name in enumerate(names):
        top, spent = 52 + 24 * place, rooms.get(name, 0.0)
        over = name in BUDGET and spent / one > BUDGET[name]
        wide = spent * scale
        parts += [
            f'<text x="130" y="{top + 14}" text-anchor="end">{escape(name)}</text>',
            f'<rect x="138" y="{top}" width="{wide:.1f}" height="18" '
            f'fill="{"#c96f4a" if over else "#4a7fb5"}"/>',
            f'<text x="{max(wide, BUDGET.get(name, 0) * one * scale) + 144:.1f}" y="{top + 14}">'
            f"{spent:.0f} µs ({spent / one:.0f})</text>",
        ]
        if name in BUDGET:
            at = 138 + BUDGET[name] * one * scale
            parts.append(f'<path d="M{at:.1f} {top - 3}v24" stroke="#222" stroke-width="2"/>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def told(
    found: Sequence[tuple[str, str, float]], rooms: Mapping[str, float], one: float, top: int
) -> Iterator[str]:
    """A line for each room, and for those of its functions that cost most."""
    for room in sorted(rooms, key=lambda room: -rooms[room]):
        budget = f" of {BUDGET[room]}" if room in BUDGET else ""
        yield f"{room:<16}{rooms[room]:8.1f} µs {rooms[room] / one:7.1f} units{budget}"
        own = sorted((row for row in found if row[0] == room), key=lambda row: -row[2])
        yield from (f"    {spent:8.1f}  {place}" for _, place, spent in own[:top])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inside", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=PICTURE)
    parser.add_argument("--events", type=int, default=4_000)
    parser.add_argument("--tree", type=Path, default=HERE.parent)
    parser.add_argument("--top", type=int, default=0, metavar="N")
    given = parser.parse_args()
    if given.inside:
        sampled(given.inside)
        return
    from benchmarks.yard import folder

    with folder() as made:
        before = unit()
        whole = asyncio.run(load(given.events, made / "found", given.tree.resolve()))
        one = (before + unit()) / 2
        seconds = json.loads((made / "found").read_text())
    share = whole / sum(spent for *_, spent in seconds)
    found = [(room, place, spent * share) for room, place, spent in seconds]
    rooms: defaultdict[str, float] = defaultdict(float)
    for room, _, spent in found:
        rooms[room] += spent
    print(f"an event: {whole:.0f} µs, {whole / one:.0f} units of {one:.2f} µs")
    print("\n".join(told(found, rooms, one, given.top)))
    given.out.write_text(drawn(rooms, one, whole))


if __name__ == "__main__":
    main()
