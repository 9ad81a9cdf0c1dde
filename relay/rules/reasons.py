"""Why a condition holds or fails, in words."""

from __future__ import annotations

from relay.rules.conditions import All, AnyOf, Condition, Facts, Not, Test
from relay.text import shown

LONGEST_VALUE = 80
LONGEST_WANTED = 200
MOST_VALUES = 3
MOST_PARTS = 5


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
