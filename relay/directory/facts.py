"""Facts with their evidence: of each thing that may be known of a subject, the newest word.

Theory of operation: a fact says that a subject has a value for a relation, since some moment. Of
each subject and relation only the newest is kept, so a subject never has more facts than there are
relations, and the order in which facts come does not matter, nor does it when one comes twice.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

T = TypeVar("T")


class Noun(StrEnum):
    """What a fact is about."""

    PHONE = "phone"
    """A number, by the key that all its spellings share."""
    CHANNEL = "channel"
    """360dialog's id of a number (`…CH`)."""
    WABA = "waba"
    """A WhatsApp Business Account, by either of its ids."""
    CLIENT = "client"
    """The partner's client, by its id."""


class Relation(StrEnum):
    """What a fact says of its subject."""

    SPELLING = "spelling"
    """How the senders write a number that can be written in two ways."""
    NAME = "name"
    """The display name of a number, or the name of a client."""
    PHONE = "phone"
    CHANNEL = "channel"
    WABA = "waba"
    CLIENT = "client"
    CLIENT_NAME = "client_name"
    """The client's name, from a sender that does not tell its id."""
    META_ID = "meta_id"
    """Meta's id of an account that is known by 360dialog's."""
    D360_ID = "d360_id"
    """360dialog's id of an account that is known by Meta's."""
    COUNTRY = "country"
    GONE = "gone"
    """The number of a channel was cancelled or removed; the value is empty."""
    LEFT_WABA = "left_waba"
    """The account that a number no longer belongs to, as it was cancelled or removed there."""
    LEFT_CLIENT = "left_client"


_ENDS = frozenset({Relation.GONE, Relation.LEFT_WABA, Relation.LEFT_CLIENT})


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who said something, and when."""

    at: datetime
    """When the sender said it; never later than when it was received."""
    kind: str
    """The event's kind, or `imported`."""
    event_id: str | None = None


class Fact(NamedTuple):
    """A subject has a value."""

    noun: Noun
    subject: str
    relation: Relation
    value: str
    evidence: Evidence
    under: str = ""
    """Of a number's client and channel: the account that was named in the same breath, if any."""

    @property
    def at(self) -> datetime:
        """When it was said."""
        return self.evidence.at

    @property
    def rank(self) -> tuple[datetime, str, str, str, str]:
        """The larger one counts; equal moments are told apart, so that no order matters."""
        said = self.evidence
        return said.at, said.event_id or "", said.kind, self.value, self.under


def newest(*facts: Fact | None) -> Fact | None:
    """The fact that was said last."""
    return max((fact for fact in facts if fact is not None), key=lambda f: f.rank, default=None)


class Facts:
    """What is known; frozen once made."""

    def __init__(self, facts: Iterable[Fact] = ()) -> None:
        self._known: dict[tuple[Noun, str], dict[Relation, Fact]] = {}
        self._conclusions: dict[Hashable, Any] = {}
        for fact in facts:
            known = self._known.setdefault((fact.noun, fact.subject), {})
            before = known.setdefault(fact.relation, fact)
            if before is not fact and before.rank < fact.rank:
                known[fact.relation] = fact

    def __iter__(self) -> Iterator[Fact]:
        return (fact for known in self._known.values() for fact in known.values())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Facts) and self._known == other._known

    __hash__ = None  # type: ignore[assignment]

    def with_more(self, facts: Iterable[Fact]) -> Facts:
        """These facts and further ones."""
        return Facts([*self, *facts])

    def conclude(self, about: Hashable, conclusion: Callable[[], T]) -> T:
        """What follows from these facts, worked out once: they never change."""
        if about not in self._conclusions:
            self._conclusions[about] = conclusion()
        found: T = self._conclusions[about]
        return found

    def get(self, noun: Noun, subject: str | None, relation: Relation) -> Fact | None:
        """The newest word on a relation."""
        known = self._known.get((noun, subject)) if subject is not None else None
        return None if known is None else known.get(relation)

    def tells_end(self, event_id: str | None) -> bool:
        """Whether an event said that a number is gone."""
        ends: frozenset[str | None] = self.conclude("ends", self._ends)
        return event_id in ends

    def _ends(self) -> frozenset[str | None]:
        return frozenset(fact.evidence.event_id for fact in self if fact.relation in _ENDS)

    def numbers(self, accounts: Iterable[str]) -> list[str]:
        """The keys of all numbers that were last said to belong to one of these ids, sorted."""
        found = self.conclude("numbers", self._numbers)
        return sorted(set().union(*(found.get(one, ()) for one in accounts)))

    def _numbers(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for (noun, subject), known in self._known.items():
            if noun is Noun.PHONE and (waba := known.get(Relation.WABA)):
                found.setdefault(waba.value, set()).add(subject)
        return found
