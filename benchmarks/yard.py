"""What every benchmark needs: servers as processes of their own, a load generator, the yardsticks.

A benchmark measures the relay (A) and its yardstick (B) in turn within one run; the median of the
rounds' ratios is the result, because machines differ and a busy one differs from itself.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import hmac
import json
import os
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
SECRET = "a-secret-of-the-benchmarks"  # noqa: S105  it guards nothing
ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
PATIENCE = 600.0
"""Seconds until a benchmark gives up on what never arrives."""


@dataclass(frozen=True, slots=True)
class Options:
    """How a benchmark is run."""

    tree: Path
    """The checkout that is measured; another one than this to compare two versions."""
    rounds: int
    quick: bool
    """One tiny round: does it still run?"""

    def of(self, usual: int, quick: int) -> int:
        """So many of something, or so few."""
        return quick if self.quick else usual

    @property
    def python(self) -> str:
        own = self.tree / ".venv/bin/python"
        return str(own) if own.exists() else sys.executable


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table in docs/performance.md: a figure and its targets."""

    what: str
    measured: str
    least: str = ""
    aim: str = ""


def run(measure: Callable[[Options], Sequence[Row]]) -> None:
    """The command line of one benchmark."""
    parser = argparse.ArgumentParser(description=sys.modules["__main__"].__doc__)
    parser.add_argument("--quick", action="store_true", help="one tiny round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tree", type=Path, default=HERE.parent, help="the checkout to measure")
    given = parser.parse_args()
    rounds = 1 if given.quick else given.rounds
    show(measure(Options(given.tree.resolve(), rounds, given.quick)))


def show(rows: Sequence[Row]) -> None:
    print("\n| what | measured | at least | aim |\n|---|---|---|---|")
    for row in rows:
        print(f"| {row.what} | {row.measured} | {row.least} | {row.aim} |")


def say(text: str, end: str = "\n") -> None:
    print(text, end=end, flush=True)


def median(values: Sequence[float]) -> float:
    return statistics.median(values)


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


# What is posted


def webhook(number: int, lane: int) -> bytes:
    """One event with a word of its own: by turns 360dialog's envelope and Meta's, in each lane."""
    if (number + number // 100) % 2:
        return json.dumps(_partner(number, lane)).encode()
    value = {
        "event": "REJECTED",
        "message_template_id": 300_000_000_000 + number,
        "message_template_name": f"ev{number:07}",
        "message_template_language": "de",
        "reason": "INVALID_FORMAT",
        "message_template_category": "UTILITY",
    }
    change = {"field": "message_template_status_update", "value": value}
    entry = {"id": f"1000000000{lane:05}", "time": 1_772_629_200 + number, "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def _partner(number: int, lane: int) -> dict[str, object]:
    client = f"b{number:07}CL"
    name = f"Laden ev{number:07}"
    contact = {"full_name": "Erika Muster", "email": "a@b.example", "language": "de"}
    return {
        "id": f"evt_{number:07}",
        "event": "channel_live",
        "data": {
            "id": f"b{number:07}CH",
            "client_id": client,
            "account_mode": "live",
            "status": "ready",
            "created_at": "2026-03-02T09:14:07Z",
            "billing_started_at": "2026-03-03T00:00:00Z",
            "terminated_at": None,
            "current_limit": "TIER_1K",
            "current_quality_rating": "GREEN",
            "client": {"id": client, "name": name, "contact_info": {**contact, "country": "DE"}},
            "setup_info": {
                "phone_number": f"49151{lane:03}{number % 100_000:05}",
                "phone_name": name,
                "verification_method": "sms",
                "default_language": "de",
            },
            "waba_account": {
                "id": f"b{number:07}WA",
                "external_id": f"2{number:014}",
                "fb_business_id": "200000000000101",
                "fb_account_status": "verified",
                "status": "approved",
                "on_behalf_of_business_info": {"name": name, "status": "approved"},
            },
            "integration": {"enabled": True, "app_id": "900101", "state": "running"},
        },
    }


def alert(number: int, lane: int) -> bytes:
    """The same for Alertmanager: what the relay's message would say, and the webhook's facts."""
    labels = {
        "alertname": "channel_live",
        "severity": "info",
        "event_id": f"ev{number:07}",
        "lane": f"{lane:03}",
        "client": f"b{number:07}CL",
        "phone": f"+49151{lane:03}{number % 100_000:05}",
        "waba": f"2{number:014}",
    }
    notes = {
        "summary": f"Number is live: Laden ev{number:07}",
        "description": "It can send and receive messages now. At first it may begin 1,000 "
        "conversations in 24 hours; the limit rises with good quality. Sales: tell the client. "
        "Support: nothing to do. Billing: the subscription counts from 3 March 2026.",
        "limit": "TIER_1K",
        "quality": "GREEN",
        "language": "de",
        "country": "DE",
        "status": "ready",
        "billing_started_at": "2026-03-03T00:00:00Z",
    }
    return json.dumps([{"labels": labels, "annotations": notes}]).encode()


def rules(
    lanes: int, slack: int, *, pace: str = "none", send: bool = True, hooks: bool = False
) -> str:
    """A rules.yaml with one destination and one rule for each lane: a channel, or a webhook."""
    lines = ["version: 1", "timezone: Europe/Berlin", "accounts:"]
    lines += [f"  slack: {{token: xoxb-0, api_url: 'http://127.0.0.1:{slack}/api/'}}"]
    lines += ["destinations:"]
    for lane in range(lanes):
        hook = f"webhook: 'http://127.0.0.1:{slack}/services/T0/B0/l{lane:03}'"
        where = hook if hooks else f"channel: '#l{lane:03}'"
        lines += [f"  l{lane:03}: {{slack: {{{where}}}, pace: {pace}}}"]
    lines += ["rules:"]
    for lane in range(lanes):
        waba = f"'1000000000{lane:05}'"
        lines += [
            f"  - name: Lane {lane}",
            f"    when: {{any: [{{phone: '+49151{lane:03}*'}}, {{waba: {waba}}}]}}",
            f"    send_to: {f'l{lane:03}' if send else 'none'}",
        ]
    lines += ["default: {send_to: l000}", "alarms: {send_to: l000}"]
    return "\n".join(lines) + "\n"


def alertmanager_config(lanes: int, slack: int) -> str:
    """The same for Alertmanager: no waiting, no repeating, one message for each event."""
    routes = "".join(
        f"  - {{receiver: l{n:03}, matchers: ['lane=\"{n:03}\"']}}\n" for n in range(lanes)
    )
    sent = "send_resolved: false, text: '{{ .CommonAnnotations.description }}'"
    receivers = "".join(
        f"- name: l{n:03}\n  slack_configs: [{{channel: '#l{n:03}', {sent}}}]\n"
        for n in range(lanes)
    )
    return (
        f"global: {{slack_api_url: 'http://127.0.0.1:{slack}/services/am'}}\n"
        "route:\n  receiver: l000\n  group_by: [event_id]\n  group_wait: 0s\n"
        f"  group_interval: 1h\n  repeat_interval: 96h\n  routes:\n{routes}receivers:\n{receivers}"
    )


# Processes


class Process:
    """A server that runs while the context lasts."""

    path = "/"
    body: Callable[[int, int], bytes] = staticmethod(webhook)

    def __init__(self, arguments: Sequence[str], folder: Path, env: dict[str, str]) -> None:
        self.began = time.monotonic()
        with (folder / "log").open("ab") as log:
            self._popen = subprocess.Popen(  # noqa: S603  our own commands
                list(arguments),
                cwd=folder,
                env={"PATH": os.environ["PATH"], **env},
                stdout=log,
                stderr=log,
            )
        self.folder = folder
        self.pid = self._popen.pid

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        stat = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> float:
        """Megabytes that it holds."""
        status = Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0

    def alive(self) -> bool:
        return self._popen.poll() is None

    def stop(self) -> None:
        if self.alive():
            self._popen.send_signal(signal.SIGTERM)
            try:
                self._popen.wait(20)
            except subprocess.TimeoutExpired:
                self._popen.kill()
        self._popen.wait()


class Server(Process):
    """A process that takes posts."""

    def __init__(
        self, arguments: Sequence[str], folder: Path, port: int, env: dict[str, str] | None = None
    ) -> None:
        super().__init__(arguments, folder, env or {})
        self.port = port

    def request(self, number: int, lane: int) -> bytes:
        body = self.body(number, lane)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        return (
            f"POST {self.path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
            f"x-360dialog-signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body

    async def up(self, path: str = "/healthz") -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + PATIENCE
        while self.alive() and time.monotonic() < deadline:
            try:
                await fetch(self.port, path)
            except OSError:
                await asyncio.sleep(0.01)
            else:
                return
        raise RuntimeError((self.folder / "log").read_text(errors="replace")[-2000:])


def listens(server: Server) -> None:
    """Wait until it takes connections."""
    while server.alive():
        with socket.socket() as made:
            if made.connect_ex(("127.0.0.1", server.port)) == 0:
                return
        time.sleep(0.01)


def free_port() -> int:
    with socket.socket() as made:
        made.bind(("127.0.0.1", 0))
        return int(made.getsockname()[1])


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="relay-bench-") as made:
        yield Path(made)


@contextmanager
def slack(delay: float = 0.0) -> Iterator[Server]:
    """A fake Slack."""
    with folder() as made:
        port = free_port()
        program = [sys.executable, str(HERE / "target.py"), "slack", str(port), str(delay)]
        with _running(Server(program, made, port)) as server:
            listens(server)
            yield server


@contextmanager
def bare() -> Iterator[Server]:
    """The bare aiohttp server."""
    with folder() as made:
        port = free_port()
        program = [sys.executable, str(HERE / "target.py"), "bare", str(port)]
        with _running(Server(program, made, port)) as server:
            server.path = "/webhooks/360dialog"
            listens(server)
            yield server


@contextmanager
def relay(options: Options, text: str, home: Path | None = None, *more: str) -> Iterator[Server]:
    """`relay serve` with these rules; with the journal of `home` if given, else a new one."""
    with folder() as made:
        home = home or made
        (home / "rules.yaml").write_text(text)
        with _running(serve(options, home, *more)) as server:
            yield server


def serve(options: Options, home: Path, *more: str) -> Server:
    """Start `relay serve` in a folder that holds a rules.yaml."""
    port = free_port()
    server = Server(
        [options.python, "-m", "relay", "serve", *more],
        home,
        port,
        environment(options, home) | {"RELAY_LISTEN": f"127.0.0.1:{port}"},
    )
    server.path = "/webhooks/360dialog"
    return server


def environment(options: Options, home: Path) -> dict[str, str]:
    return {
        "PYTHONPATH": str(options.tree),
        "RELAY_RULES": str(home / "rules.yaml"),
        "RELAY_TEMPLATES": str(options.tree / "message_templates"),
        "RELAY_JOURNAL": f"sqlite:///{home / 'relay.db'}",
        "RELAY_360DIALOG_SECRET": SECRET,
        "RELAY_ADMIN_TOKEN": SECRET,
        "RELAY_ALLOW_PRIVATE_DESTINATIONS": "1",
    }


@contextmanager
def alertmanager(lanes: int, target: int) -> Iterator[Server]:
    """Debian's Alertmanager, told to send each alert at once."""
    assert ALERTMANAGER
    with folder() as made:
        config = made / "alertmanager.yml"
        config.write_text(alertmanager_config(lanes, target))
        port = free_port()
        program = [ALERTMANAGER, f"--config.file={config}", f"--storage.path={made / 'data'}"]
        program += [f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address="]
        server = Server(program, made, port)
        server.path, server.body = "/api/v2/alerts", alert
        with _running(server):
            yield server


@contextmanager
def _running(server: Server) -> Iterator[Server]:
    try:
        yield server
    finally:
        server.stop()


# The load generator


class Connection(asyncio.Protocol):
    """One kept connection; one request at a time."""

    def __init__(self) -> None:
        self._waiting: asyncio.Future[bytes] | None = None
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        length = re.search(rb"content-length: *(\d+)", self._buffer[:end], re.IGNORECASE)
        if len(self._buffer) >= end + 4 + (int(length[1]) if length else 0):
            answer, self._buffer = self._buffer, b""
            if self._waiting and not self._waiting.done():
                self._waiting.set_result(answer)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._waiting and not self._waiting.done():
            self._waiting.set_exception(ConnectionResetError("the server hung up"))

    async def ask(self, request: bytes) -> bytes:
        """The whole answer."""
        self._waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self._waiting


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, "127.0.0.1", port
    )
    return connection


async def fetch(port: int, path: str, method: str = "GET") -> bytes:
    """The body of one answer; an `OSError` where nobody listens."""
    connection = await connect(port)
    try:
        answer = await connection.ask(
            f"{method} {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: 0\r\n"
            f"Authorization: Bearer {SECRET}\r\n\r\n".encode()
        )
    finally:
        connection.transport.close()
    return answer.partition(b"\r\n\r\n")[2]


async def post_all(server: Server, numbers: range, lanes: int, clients: int = 50) -> list[float]:
    """Post as fast as they are taken, from so many clients; the seconds until each 200."""
    requests = iter([server.request(n, n % lanes) for n in numbers])
    took: list[float] = []

    async def client() -> None:
        connection = await connect(server.port)
        for request in requests:
            began = time.monotonic()
            _taken(await connection.ask(request))
            took.append(time.monotonic() - began)
        connection.transport.close()

    await asyncio.gather(*(client() for _ in range(clients)))
    return took


async def post_at(server: Server, numbers: range, lanes: int, rate: float) -> dict[str, float]:
    """Post one each 1/rate seconds, whatever becomes of the others; when each was due."""
    requests = [server.request(n, n % lanes) for n in numbers]
    idle: list[Connection] = []
    due: dict[str, float] = {}
    begin = time.monotonic() + 0.1

    async def post(request: bytes) -> None:
        connection = idle.pop() if idle else await connect(server.port)
        _taken(await connection.ask(request))
        idle.append(connection)

    async with asyncio.TaskGroup() as group:
        for place, (number, request) in enumerate(zip(numbers, requests, strict=True)):
            at = due[f"ev{number:07}"] = begin + place / rate
            if (wait := at - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            group.create_task(post(request))
    for connection in idle:
        connection.transport.close()
    return due


def _taken(answer: bytes) -> None:
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not taken: {answer[:300]!r}")


async def arrived(target: Server, numbers: range) -> dict[str, float]:
    """Wait until all of these arrived at the target; when each did. None twice, none missing."""
    deadline = time.monotonic() + PATIENCE
    before = int(await fetch(target.port, "/count"))
    wanted = {f"ev{number:07}" for number in numbers}
    while True:
        seen: list[tuple[str, float]] = json.loads(await fetch(target.port, "/seen"))
        found = [(word, at) for word, at in seen if word in wanted]
        if len(found) >= len(wanted):
            break
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(wanted) - len(found)} of {len(wanted)} never arrived")
        # Asking costs the target time, so it is asked for the list only when all may be there.
        goal = len(seen) + len(wanted) - len(found)
        while before < goal and time.monotonic() < deadline:
            await asyncio.sleep(0.05)
            before = int(await fetch(target.port, "/count"))
    times = dict(found)
    if len(times) < len(wanted) or len(found) > len(wanted):
        raise RuntimeError(f"{len(found)} arrivals of {len(times)} of {len(wanted)} events")
    return times
