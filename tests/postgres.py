"""A real PostgreSQL for tests: a cluster of this process's own, and a database for each test.

It is nobody's default: texts sort by an ICU collation, the time zone is far from UTC, and the
relay's role may own its database and nothing else.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from itertools import count
from pathlib import Path
from tempfile import gettempdir, mkdtemp
from urllib.parse import quote

from tests.needs import PATIENCE, require

ROLE, PASSWORD = "relay", "p@ss/word: 100% of the tests"
OWNER = "postgres"
"""Who runs the server where the tests run as root, which it refuses."""
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "timezone": "Asia/Kathmandu",
    "shared_buffers": "32MB",
    "max_connections": "120",
    "fsync": "off",
    "full_page_writes": "off",
}


def programs() -> Path | None:
    """The folder with the newest server's programs: Debian keeps them outside of PATH."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/pg_ctl"), key=lambda one: int(one.parts[-3])
    )
    if found:
        return found[-1].parent
    beside = shutil.which("pg_ctl")
    return Path(beside).parent if beside else None


def why_not() -> str | None:
    """Why no PostgreSQL can be started here; None if one can."""
    if programs() is None:
        return "PostgreSQL's server is not installed (Debian: apt-get install postgresql)"
    return None


class Cluster:
    """One PostgreSQL server with its files; what it is told is done when a method returns."""

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        """`durable` syncs as a real one does; further settings as in `postgresql.conf`."""
        require(why_not())
        self.folder = Path(mkdtemp(prefix="relay-pg-"))
        (self.folder / "owner").write_text(str(os.getpid()), encoding="ascii")
        self.data = self.folder / "data"
        self.port = _free_port()
        self.settings = {**SETTINGS, "unix_socket_directories": str(self.folder), **settings}
        if durable:
            self.settings |= {"fsync": "on", "full_page_writes": "on"}
        self._databases = count(1)
        self._used: list[str] = []
        self.template = "template1"
        """What new databases are copies of."""
        if os.geteuid() == 0:
            shutil.chown(self.folder, OWNER)

    def create(self) -> Cluster:
        """Make its files, start it, and make the relay's role."""
        _sweep()
        options = ["--no-sync", "--auth=scram-sha-256", "--auth-local=trust", f"--username={OWNER}"]
        words = self.folder / "password"
        words.write_text(PASSWORD, encoding="utf-8")
        self._run("initdb", *options, "--encoding=UTF8", "--locale=C.UTF-8",
                  "--locale-provider=icu", "--icu-locale=de", f"--pwfile={words}",
                  "-D", str(self.data))  # fmt: skip
        self.start()
        self.sql(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'")
        return self

    def start(self) -> None:
        """Start the server and wait until it takes connections."""
        told = [f"-p {self.port}", *(f"-c {key}='{said}'" for key, said in self.settings.items())]
        self._run("pg_ctl", "-D", str(self.data), "-l", str(self.folder / "log"),
                  "-o", " ".join(told), "-w", "-t", str(int(PATIENCE)), "start")  # fmt: skip

    def stop(self, mode: str = "immediate") -> None:
        """Stop it: `fast` cuts connections, `immediate` is a crash that it recovers from."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    def restart(self, mode: str = "immediate") -> None:
        """Stop and start it."""
        self.stop(mode)
        self.start()

    def freeze(self) -> None:
        """It answers nothing any more and closes nothing, as a machine that hangs."""
        for pid in self._processes():
            os.kill(pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """It goes on."""
        for pid in self._processes():
            os.kill(pid, signal.SIGCONT)

    def standby(self, **settings: str) -> Cluster:
        """A second server that streams from this one, started."""
        copy = Cluster(durable=self.settings["fsync"] == "on", **settings)
        self._run("pg_basebackup", "-h", str(self.folder), "-p", str(self.port), "-U", OWNER,
                  "-D", str(copy.data), "-R", "--checkpoint=fast")  # fmt: skip
        if os.geteuid() == 0:
            for path in (copy.data, *copy.data.rglob("*")):
                shutil.chown(path, OWNER, OWNER)
        copy._databases = self._databases
        copy.start()
        return copy

    def promote(self) -> None:
        """A standby becomes the primary."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def sql(self, *texts: str, database: str = OWNER) -> list[tuple[str, ...]]:
        """Run statements as the administrator; their rows, as texts."""
        said = self._run("psql", "-h", str(self.folder), "-p", str(self.port), "-U", OWNER,
                         "-d", database, "-qAtX", "-F", "\x1f", "-v", "ON_ERROR_STOP=1",
                         *(word for text in texts for word in ("-c", text)))  # fmt: skip
        return [tuple(line.split("\x1f")) for line in said.splitlines()]

    def fresh(self) -> str:
        """The name of a new database of the relay's role; the last one is dropped."""
        name = f"relay_{next(self._databases)}"
        self.sql(
            *(f"DROP DATABASE IF EXISTS {one} WITH (FORCE)" for one in self._used),
            f"CREATE DATABASE {name} OWNER {ROLE} TEMPLATE {self.template}",
        )
        self._used = [name]
        return name

    def url(self, database: str, *, port: int | None = None, more: str = "") -> str:
        """Where a relay finds it, by another port perhaps."""
        return (
            f"postgresql://{ROLE}:{quote(PASSWORD, safe='')}@127.0.0.1:{port or self.port}"
            f"/{database}{more}"
        )

    def remove(self) -> None:
        """Stop it and remove its files."""
        if (self.data / "postmaster.pid").exists():
            self.thaw()
            self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()

    def _processes(self) -> list[int]:
        """The server's, its main one first."""
        main = int((self.data / "postmaster.pid").read_text(encoding="ascii").split()[0])
        children = Path(f"/proc/{main}/task/{main}/children").read_text(encoding="ascii")
        return [main, *map(int, children.split())]

    def _run(self, program: str, *arguments: str) -> str:
        folder = programs()
        assert folder is not None
        owner: Mapping[str, str] = {"user": OWNER, "group": OWNER} if os.geteuid() == 0 else {}
        log = self.folder / "said"
        # A server that this starts inherits what it writes to: a pipe would never end.
        with log.open("w+b") as said:
            done = subprocess.run(
                [folder / program, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                cwd=self.folder,
                env={"PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8"},
                timeout=PATIENCE * 2,
                **owner,
            )
            said.seek(0)
            text = said.read().decode()
        if done.returncode:
            raise AssertionError(f"{program} {' '.join(arguments)}: {text}")
        return text


def _sweep() -> None:
    """Remove what test processes left behind that were killed."""
    for folder in Path(gettempdir()).glob("relay-pg-*"):
        with suppress(OSError, ValueError):
            if Path(f"/proc/{int((folder / 'owner').read_text(encoding='ascii'))}").exists():
                continue
            with suppress(OSError):
                main = (folder / "data/postmaster.pid").read_text(encoding="ascii").split()[0]
                os.kill(int(main), signal.SIGQUIT)
            shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@cache
def cluster() -> Cluster:
    """The one that the tests of this process share; it syncs nothing, for speed."""
    made = Cluster()
    atexit.register(made.remove)
    return made.create()


def fresh_url() -> str:
    """The address of an empty database."""
    made = cluster()
    return made.url(made.fresh())
