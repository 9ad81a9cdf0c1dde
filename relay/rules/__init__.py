"""Who must know: rules compiled once, matched by index, and explained one by one.

All matching rules apply, in order. `stop` ends the list after a match; a rule that sends to nobody
mutes the event and ends the list, earlier choices stand. Rules marked `always` are judged even
after the end. The default applies only where no rule matched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from relay.events import Event
from relay.phones import index_key
from relay.rules.conditions import (
    DATA,
    KEYS,
    All,
    AnyOf,
    Condition,
    Exact,
    Facts,
    Glob,
    Matcher,
    Members,
    Not,
    Regex,
    Test,
    fold,
    text_matcher,
)
from relay.rules.index import Index
from relay.text import shown


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


__all__ = [
    "DATA",
    "KEYS",
    "All",
    "AnyOf",
    "Choice",
    "Condition",
    "Exact",
    "Glob",
    "Match",
    "Matcher",
    "Members",
    "Not",
    "Owners",
    "Regex",
    "Rule",
    "Ruleset",
    "Test",
    "Verdict",
    "text_matcher",
]

LONGEST_REASON = 600
LONGEST_VALUE = 80
LONGEST_WANTED = 200
MOST_VALUES = 3
MOST_PARTS = 5


@dataclass(frozen=True, slots=True)
class Rule:
    """Conditions and where to send."""

    name: str
    when: Condition
    send_to: tuple[str, ...]
    """Names of destinations; empty: tell nobody, or whom `owners` says."""
    stop: bool = False
    always: bool = False
    template: str | None = None
    line: int = 0
    """Where it stands in its file, from 1; 0 where it has none."""
    column: int = 0
    owners: Owners | None = None
    """The list that says where to send; `send_to` is empty then."""

    @property
    def mutes(self) -> bool:
        """Whether it tells nobody, whatever the event."""
        return not self.send_to and self.owners is None

    @property
    def may_tell(self) -> tuple[str, ...]:
        """Every destination that it sends some event to."""
        return self.send_to if self.owners is None else self.owners.all

    def to(self, facts: Facts) -> tuple[str, ...]:
        """Where it sends this event; empty: nobody."""
        return self.send_to if self.owners is None else self.owners.of(facts)

    @property
    def ends(self) -> bool:
        """Whether the rules after it are left unjudged when it matches."""
        return self.stop or self.mutes


@dataclass(frozen=True, slots=True)
class Choice:
    """A destination that is to hear of an event, and the first rule that says so."""

    destination: str
    rule: str | None
    """None: the default."""
    template: str | None


@dataclass(frozen=True, slots=True)
class Match:
    """What the rules say of one event."""

    choices: tuple[Choice, ...]
    """By rule, in order; each destination once."""
    matched: tuple[str, ...]
    """Names of all rules that matched, also those that sent nobody anything new."""
    muted_by: str | None
    """The first matching rule that sends to nobody; of a list that has none for it, too."""
    by_default: bool
    """No rule matched and the choices are the default's."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule says of an event, and why."""

    name: str
    matched: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Ruleset:
    """All rules of a file, in order, and who hears of what none of them takes."""

    rules: tuple[Rule, ...]
    default: tuple[str, ...] = ()
    _index: Index = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_index", Index([rule.when for rule in self.rules]))

    def match(self, event: Event) -> Match:
        """Who must know of an event."""
        facts = Facts(event)
        taken: list[Rule] = []
        ended = False
        for position in self._index.candidates(facts):
            rule = self.rules[position]
            if (not ended or rule.always) and rule.when.holds(facts):
                taken.append(rule)
                ended = ended or rule.ends
        if not taken:
            choices = _unique(Choice(name, None, None) for name in self.default)
            return Match(choices, (), None, by_default=bool(choices))
        choices = _unique(
            Choice(name, rule.name, rule.template) for rule in taken for name in rule.to(facts)
        )
        muted_by = next((rule.name for rule in taken if rule.mutes), None)
        return Match(
            choices,
            matched=tuple(rule.name for rule in taken),
            muted_by=muted_by if choices else muted_by or taken[0].name,
            by_default=False,
        )

    def always_tells(self, event: Event) -> frozenset[str]:
        """The destinations that rules with `always` send an event to."""
        facts = Facts(event)
        matched = (rule for rule in self.rules if rule.always and rule.when.holds(facts))
        return frozenset(name for rule in matched for name in rule.to(facts))

    def is_always(self, name: str | None) -> bool:
        """Whether the rule of that name has `always`."""
        return any(rule.always for rule in self.rules if rule.name == name)

    def explain(self, event: Event) -> tuple[Verdict, ...]:
        """A verdict of every rule, in order, with the first condition that failed."""
        facts = Facts(event)
        verdicts = []
        ended_by: Rule | None = None
        for rule in self.rules:
            if ended_by is not None and not rule.always:
                matched, reason = False, _not_judged(ended_by)
            elif rule.when.holds(facts):
                matched, reason = True, f"matched: {why(rule.when, facts)}"
                if rule.owners is not None:
                    told = ", ".join(rule.to(facts)) or "nobody"
                    reason += f"; {rule.owners.why(facts)}: {told}"
                if ended_by is None and rule.ends:
                    ended_by = rule
            else:
                matched, reason = False, why_not(rule.when, facts)
            verdicts.append(Verdict(rule.name, matched, _cut(reason)))
        return tuple(verdicts)


def _not_judged(ended_by: Rule) -> str:
    did = "muted the event" if ended_by.mutes else "stopped the list"
    return f'not judged: rule "{ended_by.name}" {did}'


def _unique(choices: Iterable[Choice]) -> tuple[Choice, ...]:
    """The first choice of each destination, in order."""
    first: dict[str, Choice] = {}
    for choice in choices:
        first.setdefault(choice.destination, choice)
    return tuple(first.values())


def _cut(reason: str) -> str:
    return reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON] + "…"


def why_not(condition: Condition, facts: Facts) -> str:
    """What a failing condition wants and what the event has instead."""
    match condition:
        case Test(key=key, wanted=wanted):
            return f"{key}: wants {shown(wanted, LONGEST_WANTED)}, {_found(facts.values(key))}"
        case All(parts=parts):
            return next(why_not(part, facts) for part in parts if not part.holds(facts))
        case AnyOf(parts=parts):
            if len(parts) == 1:
                return why_not(parts[0], facts)
            return f"any: none of ({_several(parts, facts)})"
        case Not(part=part):
            return f"not: must not be so, but {why(part, facts)}"


def why(condition: Condition, facts: Facts) -> str:
    """What in the event makes a condition hold."""
    match condition:
        case Test(key=key):
            return f"{key} is {shown(condition.met_by(facts) or '', LONGEST_VALUE)}"
        case All(parts=parts):
            return ", ".join(why(part, facts) for part in parts)
        case AnyOf(parts=parts):
            return next(why(part, facts) for part in parts if part.holds(facts))
        case Not(part=AnyOf(parts=parts)) if len(parts) > 1:
            return f"neither of ({_several(parts, facts)})"
        case Not(part=part):
            return f"not ({why_not(part, facts)})"


def _several(parts: tuple[Condition, ...], facts: Facts) -> str:
    reasons = [why_not(part, facts) for part in parts[:MOST_PARTS]]
    if len(parts) > MOST_PARTS:
        reasons.append(f"and {len(parts) - MOST_PARTS} more")
    return "; ".join(reasons)


def _found(values: tuple[str, ...]) -> str:
    if not values:
        return "the event has none"
    texts = [shown(value, LONGEST_VALUE) or "an empty text" for value in values[:MOST_VALUES]]
    if len(values) > MOST_VALUES:
        texts.append(f"{len(values) - MOST_VALUES} more")
    return f"found {' and '.join(texts)}"
