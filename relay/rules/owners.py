"""Routing by owner: a list that names the destination of each client or number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from relay.phones import index_key
from relay.rules.conditions import Facts, fold


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the list."""

    line: int
    to: tuple[str, ...]
    """The destination; none where the line says `none`."""


@dataclass(frozen=True, slots=True)
class Owners:
    """The destination of each row, and of whoever has none."""

    file: str
    phones: Mapping[str, Row]
    """By the key of `relay.phones.index_key`."""
    clients: Mapping[str, Row]
    """By id or name, folded."""
    default: tuple[str, ...]

    @property
    def all(self) -> tuple[str, ...]:
        """Every destination that is named."""
        rows = (*self.phones.values(), *self.clients.values())
        return tuple(dict.fromkeys((*self.default, *(name for row in rows for name in row.to))))

    def rows(self, facts: Facts) -> tuple[Row, ...]:
        """The rows of an event's numbers; where none has one, the row of its client."""
        phones = [self.phones.get(index_key(phone)) for phone in facts.values("phone")]
        clients = (self.clients.get(fold(client)) for client in facts.values("client"))
        found = [row for row in phones if row] or [row for row in clients if row][:1]
        return tuple(dict.fromkeys(found))

    def of(self, facts: Facts) -> tuple[str, ...]:
        """The destinations that an event goes to."""
        rows = self.rows(facts)
        return tuple(name for row in rows for name in row.to) if rows else self.default

    def why(self, facts: Facts) -> str:
        """Which row decides, in words."""
        rows = self.rows(facts)
        if not rows:
            return f"{self.file} has no row for it"
        lines = " and ".join(str(row.line) for row in rows[:3])
        return f"{self.file} has it in line {lines}"
