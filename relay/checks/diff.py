"""What an edit changes: recorded events through two plans, as `relay diff` tells it.

Compared is the matching: who is told, by which rule, from which template, and on demand what
people read. Twins, silences and holds are left out. Pure.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass, replace
from enum import StrEnum

from relay.channels import Call, Destination
from relay.events import Event
from relay.pipeline import Plan, called, chosen, compose, owe_choice
from relay.rules import Choice


class Change(StrEnum):
    """What becomes of an event that is not as before; the first that is true."""

    NOBODY = "nobody"
    """It reached somebody, and would reach nobody."""
    ANEW = "anew"
    """It reached nobody, and would reach somebody."""
    ALSO = "also"
    """It would also go elsewhere."""
    NO_LONGER = "no_longer"
    """It would no longer go everywhere where it went."""
    INSTEAD = "instead"
    """It would go elsewhere in the place of where it went."""
    DECIDED = "decided"
    """It would go to the same places, by another rule or under another name."""
    TEMPLATE = "template"
    """It would be written by another template."""
    TEXT = "text"
    """It would read otherwise."""


WORDS = {
    Change.NOBODY: "would reach nobody",
    Change.ANEW: "that reached nobody would go to {new}",
    Change.ALSO: "would also go to {new}",
    Change.NO_LONGER: "would no longer go to {gone}",
    Change.INSTEAD: "would go to {new} instead of {gone}",
    Change.DECIDED: "would be decided otherwise",
    Change.TEMPLATE: "would be written by another template",
    Change.TEXT: "would read otherwise",
}
"""What a change is, as commands and pages say it."""


@dataclass(frozen=True, slots=True)
class Told:
    """One who is told of an event, and what decides it."""

    destination: str
    """Its name; with its address where that name meant another place."""
    rule: str | None
    """None: the default."""
    template: str | None
    """The file that speaks; None: the built-in message."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one version of the rules does with an event."""

    told: tuple[Told, ...]
    muted_by: str | None
    """The rule that tells nobody, if one matched."""


@dataclass(frozen=True, slots=True)
class Read:
    """What a destination reads of an event, before and after."""

    destination: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Difference:
    """Events of one kind and detail that all change alike."""

    change: Change
    gone: tuple[str, ...]
    """The destinations where they would no longer go."""
    new: tuple[str, ...]
    """The destinations where they would go as well, or instead."""
    before: Outcome
    after: Outcome
    count: int
    example: Event
    """The first of them."""
    reads: tuple[Read, ...]
    """What is read otherwise of the example, where texts are compared."""


@dataclass(frozen=True, slots=True)
class Count:
    """How many events change in one way."""

    change: Change
    gone: tuple[str, ...]
    new: tuple[str, ...]
    count: int


@dataclass(frozen=True, slots=True)
class Report:
    """What an edit changes, the most frequent first."""

    events: int
    completed: int
    """Events without facts of their own time, completed from what is known today."""
    differences: tuple[Difference, ...]

    @property
    def different(self) -> int:
        return sum(one.count for one in self.differences)

    @property
    def counts(self) -> tuple[Count, ...]:
        """The differences in sum, whatever the kind and the rule."""
        found: dict[tuple[Change, tuple[str, ...], tuple[str, ...]], int] = {}
        for one in self.differences:
            key = (one.change, one.gone, one.new)
            found[key] = found.get(key, 0) + one.count
        made = (Count(*key, count) for key, count in found.items())
        return tuple(sorted(made, key=lambda one: -one.count))


class Comparison:
    """Two plans, and what they make of the events that are shown to them."""

    def __init__(
        self, before: Plan, after: Plan, *, messages: bool = False, by_name: bool = False
    ) -> None:
        """With `messages` texts are compared too; with `by_name` places by their names alone.

        That is for a version of which some secrets are gone, and with them where they lead.
        """
        self._before = _Side(before, {name: name for name in before.destinations})
        self._after = _Side(after, _places(before.destinations, after.destinations, by_name))
        moved = {name for name, place in self._after.places.items() if place != name}
        for side in (self._before, self._after):
            side.moved = moved & before.destinations.keys() & after.destinations.keys()
        self._messages = messages
        self._events = self._completed = 0
        self._found: dict[object, Difference] = {}
        self._counts: Counter[object] = Counter()

    def take(self, events: Iterable[tuple[Event, bool]]) -> None:
        """Compare further events; with each goes whether its facts are those of its own time."""
        for event, is_of_its_time in events:
            self._events += 1
            self._completed += not is_of_its_time
            self._compare(event)

    def report(self) -> Report:
        """What was found until now."""
        found = (replace(one, count=self._counts[key]) for key, one in self._found.items())
        in_order = sorted(found, key=lambda one: -one.count)
        return Report(self._events, self._completed, tuple(in_order))

    def _compare(self, event: Event) -> None:
        before, was = self._before.decide(event)
        after, now = self._after.decide(event)
        reads = self._reads(event, was, now) if self._messages else ()
        if before == after and was.keys() == now.keys() and not reads:
            return
        key = (event.kind, event.detail, before, after, tuple(one.destination for one in reads))
        self._counts[key] += 1
        if key in self._found:
            return
        gone = tuple(
            self._before.label(was[place].destination) for place in was if place not in now
        )
        new = tuple(self._after.label(now[place].destination) for place in now if place not in was)
        change = _change(before, after, gone, new)
        self._found[key] = Difference(change, gone, new, before, after, 1, event, reads)

    def _reads(
        self, event: Event, was: Mapping[str, Choice], now: Mapping[str, Choice]
    ) -> tuple[Read, ...]:
        """What is read otherwise where the event goes before and after."""
        found = []
        for place, choice in was.items():
            other = now.get(place)
            if other is None or self._before.words(event, choice) == self._after.words(
                event, other
            ):
                continue  # The same words in the same form: nothing is rendered.
            texts = self._before.text(event, choice), self._after.text(event, other)
            if texts[0] != texts[1]:
                found.append(Read(self._after.label(other.destination), *texts))
        return tuple(found)


class _Side:
    """One of the two plans."""

    def __init__(self, plan: Plan, places: Mapping[str, str]) -> None:
        self.plan = plan
        self.places = places
        """By destination: what is equal for the same place before and after."""
        self.moved: Set[str] = frozenset()
        """The names that mean another place before than after."""

    def decide(self, event: Event) -> tuple[Outcome, Mapping[str, Choice]]:
        """What the plan does with an event, and by place what decides it."""
        match = self.plan.ruleset.match(event)
        choices = {self.places[one.destination]: one for one in chosen(match, self.plan)}
        told = tuple(
            Told(
                self.label(one.destination),
                one.rule,
                self.plan.templates.choose(event, one.template, self._at(one).language),
            )
            for one in choices.values()
        )
        return Outcome(told, match.muted_by), choices

    def label(self, name: str) -> str:
        """A destination's name, with its address where the name alone would mislead."""
        return f"{name} ({self.plan.destinations[name].address})" if name in self.moved else name

    def words(self, event: Event, choice: Choice) -> object:
        """Equal where an event must read the same."""
        at = self._at(choice)
        written = self.plan.templates.words(event, choice.template, at.language)
        spoken = (at.language, at.audience, at.channel, self.plan.timezone)
        return (written, choice.rule, choice.template, *spoken, self._called(event, choice))

    def text(self, event: Event, choice: Choice) -> str:
        """What is read, as if it were told when it happened; with the channel's own form."""
        now = event.late_since
        message = compose(owe_choice(event, choice, self.plan, now), event, self.plan, now)
        own = [json.dumps(one, indent=1, ensure_ascii=False) for one in message.native.values()]
        names = ", ".join(call.name for call in self._called(event, choice))
        calling = [f"calls {names}"] if names else []
        return "\n\n".join([message.title, message.text, *calling, *own])

    def _called(self, event: Event, choice: Choice) -> tuple[Call, ...]:
        if not self.plan.mentions and self._at(choice).mention is None:
            return ()
        return called(owe_choice(event, choice, self.plan, event.late_since), event, self.plan)

    def _at(self, choice: Choice) -> Destination:
        return self.plan.destinations[choice.destination]


def _places(
    before: Mapping[str, Destination], after: Mapping[str, Destination], by_name: bool
) -> Mapping[str, str]:
    """Of each destination after, the name before that meant the same place, else one of its own."""

    def same(one: Destination, other: Destination) -> bool:
        if one.channel != other.channel:
            return False
        return by_name or one.target == other.target or one.address == other.address

    renamed = {one.target: name for name, one in before.items() if name not in after}
    places = {}
    for name, place in after.items():
        if name in before:
            places[name] = name if same(before[name], place) else f"{name}\n"
        else:
            places[name] = renamed.pop(place.target, name)
    return places


def _change(before: Outcome, after: Outcome, gone: tuple[str, ...], new: tuple[str, ...]) -> Change:
    if gone or new:
        if not after.told:
            return Change.NOBODY
        if not before.told:
            return Change.ANEW
        if not gone:
            return Change.ALSO
        return Change.INSTEAD if new else Change.NO_LONGER
    if [(one.destination, one.rule) for one in before.told] != [
        (one.destination, one.rule) for one in after.told
    ] or before.muted_by != after.muted_by:
        return Change.DECIDED
    return Change.TEMPLATE if before.told != after.told else Change.TEXT
