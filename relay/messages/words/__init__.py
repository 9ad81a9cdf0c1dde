"""The words of each language: the relay's own phrases, titles of events, the senders' constants.

`TIER_10K` is "10,000 conversations a day". A language is one file here, `de.txt`; what it lacks is
said in English. The constants are those of Meta's webhook reference and of 360dialog's Partner API,
and a few that only public code knows; their words stand inside a sentence or behind a label.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

DEFAULT = "en"
TIER = "tier"
"""The group of messaging limits; here bare numbers are limits too, and `-1` is none at all."""
_OWN = ("titles", "phrases", TIER)
"""Sections that are no groups of constants."""
_FOLDER = Path(__file__).parent
_LIMIT = re.compile(r"(?:tier_)?([0-9]{1,9})([km]?)")
_UNITS = {"": 1, "k": 1_000, "m": 1_000_000}
_BREAKS = re.compile(r"[\s_-]+")
_LONGEST = 100
"""Longer texts are no constants."""
_NEW_KIND = "New kind of event: "


@dataclass(frozen=True, slots=True)
class Words:
    """What one file says, by section."""

    sections: Mapping[str, Mapping[str, str]]
    constants: Mapping[str, Mapping[str, str]]
    """By group and spelling without case."""
    anywhere: Mapping[str, str]
    """All groups as one; where they disagree, the first has the word."""


@cache
def words(language: str) -> Words | None:
    """The words of a language; None where there are none. `de` alone has no country behind it."""
    if not re.fullmatch("[a-z]{2,3}", language):
        return None
    try:
        text = (_FOLDER / f"{language}.txt").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    sections: dict[str, dict[str, str]] = {}
    for line in text.splitlines():
        key, equals, said = line.partition(" = ")
        if line.startswith("["):
            section = sections.setdefault(line[1:].partition("]")[0], {})
        elif equals and not line.startswith("#"):
            section[key] = said
    constants = {
        group: {_key(term): said for term, said in held.items()}
        for group, held in sections.items()
        if group not in _OWN
    }
    anywhere: dict[str, str] = {}
    for held in reversed(constants.values()):
        anywhere |= held
    return Words(sections, constants, anywhere)


def _english() -> Words:
    found = words(DEFAULT)
    assert found is not None  # it is part of the package
    return found


def phrase(key: str, language: str, **values: object) -> str:
    """One of the relay's own phrases; `de-AT` is German, what is not there is English."""
    return _phrase(key, language)(**values)


@lru_cache(maxsize=512)
def _phrase(key: str, language: str) -> Callable[..., str]:
    """What puts the values into a phrase."""
    held = words(language.partition("-")[0]) or _english()
    said = held.sections.get("phrases", {}).get(key) or _english().sections["phrases"][key]
    return said.format


def title(text: str, language: str) -> str:
    """The title of an event, as the catalogue has it, in the language; else as it is."""
    held = words(language.partition("-")[0])
    if held is None or not (titles := held.sections.get("titles")):
        return text
    if text.startswith(_NEW_KIND):
        return phrase("new_kind", language, kind=text.removeprefix(_NEW_KIND))
    return titles.get(text, text)


@lru_cache(maxsize=2048)
def say(term: str, language: str, group: str | None = None) -> str | None:
    """What a constant of the senders means, in words of that language; None where it is unknown.

    The case of the term is free, and `de-AT` is German. Without a group all of them are asked, and
    the most general meaning wins: `PENDING` is "pending", of a template's status "in review".
    """
    held = words(language.strip().casefold().replace("_", "-").partition("-")[0])
    if held is None or not 0 < len(term) <= _LONGEST:
        return None
    tier = term.strip().casefold()
    if group == TIER or (group is None and tier.startswith("tier_")):
        return _limit(tier, held.sections.get(TIER) or _english().sections[TIER])
    known = held.anywhere if group is None else held.constants.get(group, {})
    return known.get(_key(term))


def _key(term: str) -> str:
    """Upper case, lower case and blanks are the same: `Needs Connecting` is `needs_connecting`."""
    return _BREAKS.sub("_", term.strip()).casefold()


def _limit(tier: str, said: Mapping[str, str]) -> str | None:
    match tier.removeprefix("tier_"):
        case "unlimited" | "-1":
            return said["unlimited"]
        case "not_set":
            return said["not_set"]
    found = _LIMIT.fullmatch(tier)
    if found is None:
        return None
    number = f"{int(found[1]) * _UNITS[found[2]]:,}".replace(",", said["thousands"])
    return said["a_day"].format(number)
