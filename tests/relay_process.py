"""The real `relay serve` as a process of its own, with a real journal file."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import TracebackType
from typing import Any

import aiohttp

from relay import cli
from tests.forking import Forked, fork
from tests.needs import PATIENCE, growing

TOKEN = "webhook-token-of-the-tests"
ADMIN = "admin-token-of-the-tests"
SERVE = ("-m", "relay", "serve")


class RelayProcess:
    """One `relay serve`; as a context manager it is stopped at the end, whatever happened."""

    def __init__(
        self,
        folder: Path,
        rules: str,
        *,
        templates: Mapping[str, str] | None = None,
        env: Mapping[str, str] | None = None,
        options: Sequence[str] = (),
        program: Sequence[str] = SERVE,
        under: Sequence[str] = (),
    ) -> None:
        """`program` is what Python runs; `under` another program that runs Python."""
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.rules = folder / "rules.yaml"
        self.rules.write_text(rules, encoding="utf-8")
        self.templates = folder / "message_templates"
        self.templates.mkdir(exist_ok=True)
        for name, text in (templates or {"default.md.j2": "# {{ event.title }}\n"}).items():
            (self.templates / name).write_text(text, encoding="utf-8")
        self.journal = folder / "relay.db"
        self.env = {
            "PATH": os.environ["PATH"],
            "RELAY_RULES": str(self.rules),
            "RELAY_TEMPLATES": str(self.templates),
            "RELAY_JOURNAL": f"sqlite:///{self.journal}",
            "RELAY_LISTEN": "127.0.0.1:0",
            "RELAY_WEBHOOK_TOKEN": TOKEN,
            "RELAY_ADMIN_TOKEN": ADMIN,
            "RELAY_ALLOW_PRIVATE_DESTINATIONS": "1",
            **(env or {}),
        }
        self.options = options
        self.program = program
        self.under = under
        self.process: asyncio.subprocess.Process | Forked | None = None
        self.lines: list[dict[str, Any]] = []
        self.raw: list[str] = []
        self.url = ""
        self._reader: asyncio.Task[None] | None = None
        self._news = asyncio.Condition()
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> RelayProcess:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.kill()
        if self._session:
            await self._session.close()

    async def start(self) -> None:
        """Start it and wait until it says that it serves."""
        if self.program is SERVE and not self.under:
            words = ("serve", *self.options)
            self.process = await fork(words, env=self.env, cwd=self.folder)
        else:
            self.process = await asyncio.create_subprocess_exec(
                *self.under,
                sys.executable,
                *self.program,
                *self.options,
                env=self.env,
                cwd=self.folder,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                limit=2**20,
            )
        self.lines = []
        self._reader = asyncio.create_task(self._read())
        line = await self.said("relay serves")
        self.url = f"http://{line['addresses'][0]}"
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE))

    def cpu_seconds(self) -> float:
        """What the process has computed so far."""
        assert self.process
        stat = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii")
        user, system = stat.rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    async def _read(self) -> None:
        assert self.process
        assert self.process.stderr
        async for raw in self.process.stderr:
            text = raw.decode()
            self.raw.append(text)
            async with self._news:
                try:
                    self.lines.append(json.loads(text))
                except ValueError:
                    self.lines.append({"event": text})
                self._news.notify_all()
        async with self._news:
            self.lines.append({"event": "(the process ended)"})
            self._news.notify_all()

    async def said(
        self, event: str, where: Callable[[dict[str, Any]], bool] = lambda _: True
    ) -> dict[str, Any]:
        """Wait for a log line; fail with what it said instead if the process ends."""

        def found() -> dict[str, Any] | None:
            for line in self.lines:
                if line["event"] == event and where(line):
                    return line
                if line["event"] == "(the process ended)":
                    raise AssertionError("the relay ended: " + "".join(self.raw[-20:]))
            return None

        async with asyncio.timeout(PATIENCE), self._news:
            while (line := found()) is None:
                await self._news.wait()
            return line

    async def post(
        self,
        body: bytes | Mapping[str, Any] | Sequence[Any],
        *,
        route: str = "/webhooks/360dialog",
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Post a webhook; status and JSON of the answer."""
        assert self._session
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {"Authorization": f"Bearer {TOKEN}"} if headers is None else headers
        async with self._session.post(
            self.url + route, data=io.BytesIO(data), headers=sent
        ) as answer:
            text = await answer.text()
            try:
                return answer.status, json.loads(text)
            except ValueError:
                return answer.status, text

    async def api(self, path: str, *, method: str = "GET", body: object = None) -> Any:
        """Ask the admin API; the JSON of the answer."""
        assert self._session
        headers = {"Authorization": f"Bearer {ADMIN}"}
        async with self._session.request(
            method, self.url + path, headers=headers, json=body
        ) as answer:
            return await answer.json()

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        assert self._session
        async with self._session.get(self.url + path, headers=headers) as answer:
            return answer.status, await answer.text()

    async def deliveries(self, **query: str) -> list[dict[str, Any]]:
        query = {"limit": "100000", **query}
        asked = "&".join(f"{key}={value}" for key, value in query.items())
        found: list[dict[str, Any]] = (await self.api(f"/api/deliveries?{asked}"))["deliveries"]
        return found

    async def until(
        self, met: Callable[[list[dict[str, Any]]], bool], **query: str
    ) -> list[dict[str, Any]]:
        """Ask for deliveries until a condition holds, within the deadline."""
        pauses = growing()
        async with asyncio.timeout(PATIENCE):
            while not met(found := await self.deliveries(**query)):
                await asyncio.sleep(next(pauses))
        return found

    async def kill(self) -> None:
        """kill -9."""
        if self.process and self.process.returncode is None:
            self.process.kill()
        await self._ended()

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        assert self.process
        self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(PATIENCE):
            code = await self.process.wait()
        await self._ended()
        return code

    async def _ended(self) -> None:
        if self.process:
            await self.process.wait()
            if self.process.stdout:
                await self.process.stdout.read()
        if self._reader:
            await self._reader
            self._reader = None


async def run_relay(
    *arguments: str, env: Mapping[str, str], cwd: Path, stdin: bytes = b""
) -> tuple[int, str, str]:
    """Run a command in this process to its end: exit code, standard output, standard error.

    That is many times quicker than a process of its own, which `serve` and `demo` get all the same:
    they hear signals. It has a thread and a loop of its own, and can talk to a fake of the test.
    """
    if arguments[0] in ("serve", "demo"):
        return await run_process(*arguments, env=env, cwd=cwd, stdin=stdin)
    said = [io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2)]
    place, variables, asked = Path.cwd(), dict(os.environ), sys.stdin
    try:
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update({"PATH": variables["PATH"], **env})
        sys.stdin = io.TextIOWrapper(io.BytesIO(stdin), "utf-8")
        with redirect_stdout(said[0]), redirect_stderr(said[1]):
            code = await asyncio.to_thread(_code, arguments)
    finally:
        sys.stdin = asked
        os.environ.clear()
        os.environ.update(variables)
        os.chdir(place)
    out, err = (one.buffer.getvalue().decode() for one in said)  # type: ignore[attr-defined]
    return code, out, err


def _code(arguments: Sequence[str]) -> int:
    try:
        return cli.run(arguments)
    except SystemExit as end:  # of the parser
        return int(end.code or 0)


async def run_process(
    *arguments: str, env: Mapping[str, str], cwd: Path, stdin: bytes = b""
) -> tuple[int, str, str]:
    """The same in a process of its own, as a shell does it; `serve` begins as a fork."""
    if arguments[0] == "serve":
        forked = await fork(arguments, env={"PATH": os.environ["PATH"], **env}, cwd=cwd)
        async with asyncio.timeout(PATIENCE):
            said = await asyncio.gather(forked.stdout.read(), forked.stderr.read())
            return await forked.wait(), said[0].decode(), said[1].decode()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "relay",
        *arguments,
        env={"PATH": os.environ["PATH"], **env},
        cwd=cwd,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(PATIENCE):
        out, err = await process.communicate(stdin)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()
