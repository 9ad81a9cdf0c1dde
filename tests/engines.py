"""The engines of the journal: what holds for all of them is tested on each, by one fixture."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Protocol

import apsw

from relay.journal import Store
from tests.postgres import cluster

Open = Callable[[], Awaitable[Store]]
"""Opens the same journal at each call."""


class Place(Protocol):
    """Where a new journal of one engine stands."""

    @property
    def url(self) -> str:
        """Its address."""
        ...

    def sql(self, text: str) -> list[tuple[str, ...]]:
        """Run a statement beside the relay; its rows, as texts."""
        ...

    def content(self) -> bytes:
        """All that a reader of its files, or of its tables, can find."""
        ...


class InFile:
    """SQLite: a file in the test's folder."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "relay.db"
        self.url = f"sqlite:///{self.path}"

    def sql(self, text: str) -> list[tuple[str, ...]]:
        connection = apsw.Connection(str(self.path))
        try:
            connection.set_busy_timeout(10_000)
            rows = connection.execute(text).fetchall()
        finally:
            connection.close()
        return [tuple("" if value is None else str(value) for value in row) for row in rows]

    def content(self) -> bytes:
        files = sorted(self.path.parent.glob("relay.db*"))
        return b"\n".join(path.read_bytes() for path in files if path.is_file())


class InPostgres:
    """PostgreSQL: a database of the test's own."""

    def __init__(self, _folder: Path) -> None:
        self._cluster = cluster()
        self._database = self._cluster.fresh()
        self.url = self._cluster.url(self._database)

    @property
    def port(self) -> int:
        return self._cluster.port

    def by(self, port: int) -> str:
        """Its address by another port."""
        return self._cluster.url(self._database, port=port)

    def sql(self, text: str) -> list[tuple[str, ...]]:
        return self._cluster.sql(text, database=self._database)

    def content(self) -> bytes:
        tables = self.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        rows = [row for (name,) in tables for row in self.sql(f"SELECT * FROM {name}")]
        return "\n".join("\t".join(row) for row in rows).encode()


Engine = Callable[[Path], Place]
ENGINES: dict[str, Engine] = {"sqlite": InFile, "postgresql": InPostgres}
