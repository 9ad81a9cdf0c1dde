"""What no rule is about, where there is no default either."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from relay.events import Source
from relay.events.catalogue import KINDS
from relay.rule_checks.findings import Subject
from relay.rule_checks.profiles import Profiles

MOST_LISTED = 12


def uncovered(each: Iterable[Subject], profiles: Profiles) -> str | None:
    """A sentence that lists the kinds and details that nobody would hear of; None for none."""
    covered = 0
    for subject in each:
        covered |= subject.high
    names = list(_open(covered, profiles))
    if not names:
        return None
    listed = ", ".join(names[:MOST_LISTED])
    if len(names) > MOST_LISTED:
        listed += f" and {len(names) - MOST_LISTED} more"
    return (
        f"no rule can match {listed}, and there is no default: they reach nobody; add "
        "`default: {send_to: NAME}`, or a rule for them (`send_to: none` if that is meant)"
    )


def _open(covered: int, profiles: Profiles) -> Iterator[str]:
    for kind in KINDS.values():
        if kind.source is Source.RELAY:
            continue
        if not profiles.of(kind, None) & covered:
            yield kind.name
            continue
        for detail in kind.details:
            if not profiles.of(kind, detail) & covered:
                yield f"{kind.name}/{detail}"
    if not profiles.unknown_kinds & covered:
        yield "kinds that are new"
