"""Facts with their evidence, and the one way in which they are put together.

Theory of operation: a fact says that a subject had a relation to an object at some moment, or
that the relation ended then. Of each (subject, relation, object) only the newest saying and the
newest end are kept, and the current object of a relation is the one that was said last. So the
order in which facts come does not matter, nor does it when one comes twice. What was superseded
stays, because the end of a newer relation must not bring an older one back.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, TypeVar

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
    """The number of a channel was cancelled or removed; the object is empty."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Who said something, and when."""

    at: datetime
    """When the sender said it; never later than when it was received."""
    kind: str
    """The event's kind, or `imported`."""
    event_id: str | None = None

    @property
    def rank(self) -> tuple[datetime, str, str]:
        """The larger one counts; equal moments are told apart, so that no order matters."""
        return self.at, self.event_id or "", self.kind


@dataclass(frozen=True, slots=True)
class Fact:
    """A subject had a relation to an object, or had it no longer."""

    noun: Noun
    subject: str
    relation: Relation
    object: str
    evidence: Evidence
    ends: bool = False


@dataclass(frozen=True, slots=True)
class Tie:
    """What is known of one subject, relation and object."""

    object: str
    said: Evidence | None = None
    ended: Evidence | None = None

    def joined(self, fact: Fact) -> Tie:
        """With one more fact of the same subject, relation and object."""
        if fact.ends:
            return Tie(self.object, self.said, newest(self.ended, fact.evidence))
        return Tie(self.object, newest(self.said, fact.evidence), self.ended)

    def ended_after(self, ignoring: str | None) -> Evidence | None:
        """The end of what was said, unless it was said again later.

        The end that the event `ignoring` itself tells does not count: it is still about it.
        """
        ended = self.ended
        if ended is None or (ignoring is not None and ended.event_id == ignoring):
            return None
        return ended if self.said is None or ended.at >= self.said.at else None


def newest(one: Evidence | None, other: Evidence | None) -> Evidence | None:
    """The evidence that counts."""
    if one is None or other is None:
        return one or other
    return max(one, other, key=lambda evidence: evidence.rank)


_Ties = dict[tuple[Noun, str], dict[Relation, dict[str, Tie]]]


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known; frozen once made."""

    _ties: _Ties = field(default_factory=dict)
    _phones: Mapping[str, frozenset[str]] = field(init=False, repr=False, compare=False)
    _conclusions: dict[Hashable, Any] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        found: dict[str, set[str]] = {}
        for (noun, subject), relations in self._ties.items():
            if noun is Noun.PHONE:
                for waba in relations.get(Relation.WABA, ()):
                    found.setdefault(waba, set()).add(subject)
        phones = {waba: frozenset(keys) for waba, keys in found.items()}
        object.__setattr__(self, "_phones", phones)

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Facts:
        """The facts put together; their order does not matter."""
        ties: _Ties = {}
        for fact in facts:
            objects = ties.setdefault((fact.noun, fact.subject), {}).setdefault(fact.relation, {})
            tie = objects.get(fact.object) or Tie(fact.object)
            objects[fact.object] = tie.joined(fact)
        return cls(ties)

    def with_more(self, facts: Iterable[Fact]) -> Facts:
        """These facts and further ones."""
        return Facts.of([*self, *facts])

    def __iter__(self) -> Iterator[Fact]:
        """Facts that, put together, make these again."""
        for (noun, subject), relations in self._ties.items():
            for relation, objects in relations.items():
                for tie in objects.values():
                    if tie.said is not None:
                        yield Fact(noun, subject, relation, tie.object, tie.said)
                    if tie.ended is not None:
                        yield Fact(noun, subject, relation, tie.object, tie.ended, ends=True)

    def conclude(self, about: Hashable, conclusion: Callable[[], T]) -> T:
        """What follows from these facts, worked out once: they never change."""
        if about not in self._conclusions:
            self._conclusions[about] = conclusion()
        found: T = self._conclusions[about]
        return found

    def enders(self) -> frozenset[str | None]:
        """The ids of the events that told of an end."""

        def found() -> frozenset[str | None]:
            return frozenset(
                fact.evidence.event_id
                for fact in self
                if fact.ends or fact.relation is Relation.GONE
            )

        return self.conclude("enders", found)

    def subjects(self, noun: Noun) -> tuple[str, ...]:
        """All subjects of a noun, sorted."""
        return tuple(sorted(subject for found, subject in self._ties if found is noun))

    def ever_of(self, waba: str) -> frozenset[str]:
        """The keys of all numbers that were ever said to belong to an account."""
        return self._phones.get(waba, frozenset())

    def ties(self, noun: Noun, subject: str | None, relation: Relation) -> Mapping[str, Tie]:
        """What is known of a relation, by object."""
        if subject is None:
            return {}
        return self._ties.get((noun, subject), {}).get(relation, {})

    def last(self, noun: Noun, subject: str | None, relation: Relation) -> Tie | None:
        """The object that was said last, whether or not it ended since."""
        said = [tie for tie in self.ties(noun, subject, relation).values() if tie.said is not None]
        return max(said, key=_rank, default=None)


def _rank(tie: Tie) -> tuple[tuple[datetime, str, str], str]:
    assert tie.said is not None  # only ties that were said are ranked
    return tie.said.rank, tie.object
