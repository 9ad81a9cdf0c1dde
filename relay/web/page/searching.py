"""What the lists of events and deliveries share: the question in the address, and its pages."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

from relay.events import iso
from relay.journal import SEARCHED, Filter
from relay.web.asked import Asked, moment_of, of_texts
from relay.web.page.visit import Visit

ROWS = 50
COUNTED = 10_000
"""More are told as "more than"."""
SPANS = (("1h", "the last hour"), ("24h", "the last 24 hours"), ("7d", "the last 7 days"))
_HOW = frozenset({"done", "count"})
"""What an address says beside the question: what was done before."""

T = TypeVar("T", bound=Asked)


@dataclass(frozen=True, slots=True)
class Listed:
    """One page of what was found, newest first."""

    found: Sequence[Any]
    count: str
    """`12 events`, `more than 10,000 events`."""
    older: str | None
    """The address of the next page."""
    newest: str | None
    """The address of the first, from a later one."""
    searched: str | None
    """How far a search went that needs to look at every row."""


def asked_in(visit: Visit, model: type[T]) -> T:
    """The question that the address asks. Raises `WrongRequestError` in words for a person."""
    texts = {name: text for name, text in visit.query.items() if name not in _HOW}
    if since := texts.get("since"):
        texts["since"] = iso(moment_of(since, visit.admin.clock()))
    return of_texts(model, texts.items())


def bounded(wanted: Filter, scans: bool) -> Filter:
    """The same for a page; what no index answers looks through the newest rows alone."""
    needs_all = (scans or wanted.text is not None) and wanted.since is None
    return replace(wanted, limit=ROWS, within=SEARCHED if needs_all else None)


def listed(
    visit: Visit,
    wanted: Filter,
    found: Sequence[Any],
    count: int,
    noun: str,
    nouns: str,
    id_of: Callable[[Any], str],
) -> Listed:
    """The page of what was found, which came newest last."""
    newest_first = list(reversed(found))
    query = {name: text for name, text in visit.query.items() if name not in _HOW}
    older = None
    if len(found) == wanted.limit:
        older = address(visit.request.path, {**query, "before": id_of(newest_first[-1])})
    first = {name: text for name, text in query.items() if name != "before"}
    more = count > COUNTED
    words = (
        f"more than {COUNTED:,} {nouns}" if more else f"{count:,} {noun if count == 1 else nouns}"
    )
    searched = f"Looked through the newest {SEARCHED:,}." if wanted.within else None
    newest = address(visit.request.path, first) if wanted.before else None
    return Listed(newest_first, words, older, newest, searched)


async def counted(
    wanted: Filter, found: Sequence[Any], ask: Callable[[Filter], Awaitable[int]]
) -> int:
    """How many there are in all; what the first page holds whole is not searched again."""
    if wanted.before is None and len(found) < wanted.limit:
        return len(found)
    return await ask(counting(wanted))


def counting(wanted: Filter) -> Filter:
    """The question of how many there are in all."""
    return replace(wanted, before=None, limit=COUNTED + 1)


def address(path: str, query: Mapping[str, str]) -> str:
    """A path with a query."""
    return f"{path}?{urlencode(query)}" if query else path
