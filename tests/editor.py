"""An editor as a YAML language server sees it: the Language Server Protocol over stdio."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.needs import PATIENCE, require

HERE = Path(__file__).parent / "language_server"
SERVER = HERE / "node_modules" / "yaml-language-server" / "bin" / "yaml-language-server"
SETTINGS = {
    "yaml": {
        "validate": True,
        "completion": True,
        "hover": True,
        "schemaStore": {"enable": False},
        "kubernetesCRDStore": {"enable": False},
    }
}


def _why_not() -> str | None:
    if shutil.which("node") is None:
        return "node is not installed"
    if not SERVER.exists():
        return "the language server is not there: run `npm ci` in tests/language_server"
    return None


def require_language_server() -> None:
    """Skip where there is none; where no test may be skipped, fail."""
    require(_why_not())


class Editor:
    """Has one folder open; as a context manager the server is stopped at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids = count(1)
        self._versions = count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._faults: list[Any] | None = None
        """What was found last; None before the server looked."""
        self._news = asyncio.Condition()
        self._uri = ""

    async def __aenter__(self) -> Editor:
        self._process = await asyncio.create_subprocess_exec(
            "node",
            str(SERVER),
            "--stdio",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        self._reader = asyncio.create_task(self._read())
        root = self._folder.as_uri()
        await self._ask(
            "initialize",
            {
                "processId": os.getpid(),
                "rootUri": root,
                "workspaceFolders": [{"uri": root, "name": "rules"}],
                "capabilities": {
                    "workspace": {"configuration": True, "workspaceFolders": True},
                },
            },
        )
        self._tell("initialized", {})
        self._tell("workspace/didChangeConfiguration", {"settings": SETTINGS})
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._process.returncode is None:
            self._process.kill()
        await self._process.wait()
        await self._reader

    async def open(self, name: str) -> None:
        """Open a file and wait until the server has looked at it."""
        path = self._folder / name
        self._uri = path.as_uri()
        text = path.read_text(encoding="utf-8")
        version = next(self._versions)
        document = {"uri": self._uri, "languageId": "yaml", "version": version, "text": text}
        self._tell("textDocument/didOpen", {"textDocument": document})
        await self._until(lambda: self._faults is not None)

    def change(self, text: str) -> None:
        """Make the whole text another one."""
        document = {"uri": self._uri, "version": next(self._versions)}
        changes = {"textDocument": document, "contentChanges": [{"text": text}]}
        self._tell("textDocument/didChange", changes)

    async def shown(self) -> list[Any]:
        """What the server finds wrong, once it finds something."""
        await self._until(lambda: bool(self._faults))
        return self._faults or []

    async def _until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE), self._news:
            await self._news.wait_for(holds)

    async def offered(self, line: int, column: int) -> set[str]:
        """What the server offers to write at a place; both count from 0."""
        where = {"line": line, "character": column}
        answer = await self._ask(
            "textDocument/completion", {"textDocument": {"uri": self._uri}, "position": where}
        )
        return {item["label"] for item in answer["items"]}

    async def said(self, line: int, column: int) -> str:
        """What the server says of a place."""
        where = {"line": line, "character": column}
        answer = await self._ask(
            "textDocument/hover", {"textDocument": {"uri": self._uri}, "position": where}
        )
        return json.dumps(answer)

    async def _ask(self, method: str, params: Any) -> Any:
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        return await asyncio.wait_for(answer, PATIENCE)

    def _tell(self, method: str, params: Any) -> None:
        self._send({"method": method, "params": params})

    def _send(self, message: dict[str, Any]) -> None:
        assert self._process.stdin
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n%s" % (len(body), body))

    async def _read(self) -> None:
        out = self._process.stdout
        assert out
        while header := await out.readline():
            if header.lower().startswith(b"content-length:"):
                length = int(header.partition(b":")[2])
                while (await out.readline()).strip():
                    pass
                await self._take(json.loads(await out.readexactly(length)))

    async def _take(self, message: dict[str, Any]) -> None:
        match message:
            case {"method": "textDocument/publishDiagnostics", "params": params}:
                async with self._news:
                    self._faults = params["diagnostics"]
                    self._news.notify_all()
            case {"method": "workspace/configuration", "id": number, "params": params}:
                wanted = [SETTINGS.get(item["section"]) for item in params["items"]]
                self._send({"id": number, "result": wanted})
            case {"method": _, "id": number}:
                self._send({"id": number, "result": None})
            case {"id": number, "result": result}:
                self._answers.pop(number).set_result(result)
            case {"id": number, "error": error}:
                self._answers.pop(number).set_exception(AssertionError(error["message"]))
