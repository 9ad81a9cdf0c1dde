"""What the senders' constants mean in words: `TIER_10K` is "10,000 conversations a day".

Pure tables, one module for each language. The constants are those of Meta's webhook reference and
of 360dialog's Partner API, and a few that only public code knows. The words stand inside a
sentence or behind a label, so they begin in lower case where their language does.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from relay.messages.vocabulary import de, en

_TIER = re.compile(r"(tier_)?(\d{1,9})([km]?)")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_BREAKS = re.compile(r"[\s_-]+")
_LONGEST = 100
"""Longer texts are no constants."""


@dataclass(frozen=True, slots=True)
class _Language:
    groups: Mapping[str, Mapping[str, str]]
    anywhere: Mapping[str, str]
    """All groups as one; where they disagree, the first group has the word."""
    a_day: str
    unlimited: str
    not_set: str
    thousands: str


def _key(term: str) -> str:
    """Upper case, lower case and blanks are the same: `Needs Connecting` is `needs_connecting`."""
    return _BREAKS.sub("_", term.strip()).casefold()


def _language(
    groups: Mapping[str, Mapping[str, str]],
    *,
    a_day: str,
    unlimited: str,
    not_set: str,
    thousands: str,
) -> _Language:
    by_group = {
        group: MappingProxyType({_key(term): said for term, said in words.items()})
        for group, words in groups.items()
    }
    anywhere: dict[str, str] = {}
    for words in by_group.values():
        for term, said in words.items():
            anywhere.setdefault(term, said)
    return _Language(
        MappingProxyType(by_group),
        MappingProxyType(anywhere),
        a_day=a_day,
        unlimited=unlimited,
        not_set=not_set,
        thousands=thousands,
    )


_LANGUAGES: Mapping[str, _Language] = MappingProxyType(
    {
        "en": _language(
            en.GROUPS,
            a_day="{} conversations a day",
            unlimited="unlimited conversations",
            not_set="not set yet",
            thousands=",",
        ),
        "de": _language(
            de.GROUPS,
            a_day="{} Konversationen pro Tag",
            unlimited="unbegrenzt viele Konversationen",
            not_set="noch nicht festgelegt",
            thousands=".",
        ),
    }
)

LANGUAGES = tuple(_LANGUAGES)
"""The languages that there are words in."""
TIER = "tier"
"""The group of messaging limits; here bare numbers are limits too, and `-1` is none at all."""
GROUPS = (TIER, *en.GROUPS)
"""What a constant can be about. Some mean different things in different groups."""


def say(term: str, language: str, group: str | None = None) -> str | None:
    """What a constant of the senders means, in words of that language; None where it is unknown.

    The case of the term is free, and `de-AT` is German. Without a group all of them are asked, and
    the most general meaning wins: `PENDING` is "pending", of a template's status "in review".
    """
    words = _LANGUAGES.get(re.split("[-_]", language.strip().casefold(), maxsplit=1)[0])
    if words is None or not 0 < len(term) <= _LONGEST:
        return None
    tier = term.strip().casefold()
    if group == TIER or (group is None and tier.startswith("tier_")):
        return _limit(tier, words)
    if group is None:
        return words.anywhere.get(_key(term))
    return words.groups.get(group, {}).get(_key(term))


def _limit(tier: str, words: _Language) -> str | None:
    match tier.removeprefix("tier_"):
        case "unlimited" | "-1":
            return words.unlimited
        case "not_set":
            return words.not_set
    found = _TIER.fullmatch(tier)
    if found is None or not found[2].isascii():
        return None
    shown = f"{int(found[2]) * _UNITS[found[3]]:,}".replace(",", words.thousands)
    return words.a_day.format(shown)
