"""Phone numbers: one spelling for every number, and the patterns that rules compare them with.

A number is a text in E.164 with its plus sign, such as `+491713920011`. Nothing here asks whether
a number is in use: numbers from blocks that no plan knows stay comparable by their digits.
"""

from __future__ import annotations

import importlib
import re
import unicodedata
from dataclasses import dataclass, field
from functools import cache, lru_cache
from typing import Any

from relay.text import shown

FEWEST_DIGITS = 5
MOST_DIGITS = 15
"""ITU-T E.164, section 6: at most 15 digits, country code included."""

_LONGEST_TEXT = 64
_SCHEME = re.compile(r"^(?:tel|whatsapp)\s*:", re.IGNORECASE)
_TRUNK = re.compile(r"(?<=[\d+)])\s*\(\s*0\s*\)")
_DECIMAL = re.compile(r"(\+?\d+)\.(\d+)")
"""One point between bare digits: a separator, or what a spreadsheet made of a number."""
_SEPARATORS = frozenset("./()[]_·•\u2044\u2215")
_WILDCARDS = frozenset("*?")
_PLAIN = re.compile(r"\+?[0-9*?][0-9*? -]*", re.ASCII)
"""How nearly every number comes: nothing in it that needs a closer look."""


@cache
def _library() -> Any:
    """The tables of all countries' plans: loaded with the first number, not with the program."""
    return importlib.import_module("phonenumbers")


def normalise(value: object, region: str | None = None) -> str | None:
    """The number in E.164, or None where the value is no number with a country.

    Texts and whole numbers are taken, the latter also as pandas writes them (`491713920011.0`).
    In texts `+`, `00`, `(0)`, spaces, dashes, dots, `tel:` and invisible characters do not matter,
    and digits of any script count. Bare digits are international. A number with a single leading
    zero is national: it needs `region`, an ISO 3166 alpha-2 code.
    """
    if isinstance(value, float):
        value = int(value) if value.is_integer() else None
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value) if 0 < value < 10**MOST_DIGITS else None
    return _normalise(value, region) if isinstance(value, str) else None


@lru_cache(maxsize=4096)
def _normalise(text: str, region: str | None) -> str | None:
    bare = _bare(text)
    if bare is None or _WILDCARDS & set(bare):
        return None
    plus, digits = _international(bare)
    if not plus and digits.startswith("0"):
        return _from_national(digits, region)
    if digits.startswith("0") or not FEWEST_DIGITS <= len(digits) <= MOST_DIGITS:
        return None
    return _without_trunk_prefix(digits)


def _bare(text: str) -> str | None:
    """Digits, wildcards and at most a leading plus; None if anything else stands in the text."""
    if len(text) > _LONGEST_TEXT:
        return None
    if _PLAIN.fullmatch(text):
        return text.replace(" ", "").replace("-", "")
    text = unicodedata.normalize("NFKC", text)
    text = "".join(char for char in text if unicodedata.category(char) != "Cf").strip()
    if scheme := _SCHEME.match(text):
        # RFC 3966 puts parameters such as ;ext= behind the number.
        text = text[scheme.end() :].partition(";")[0]
    text = _TRUNK.sub("", text)
    if decimal := _DECIMAL.fullmatch(text):
        if int(decimal[2]) == 0:
            text = decimal[1]  # 491713920011.0 is a number that was read as a fraction
        elif len(decimal[2]) <= 2:
            return None
    kept: list[str] = []
    for char in text:
        if char.isspace() or char in _SEPARATORS or unicodedata.category(char) == "Pd":
            continue
        if char in _WILDCARDS or (char == "+" and not kept):
            kept.append(char)
        elif char == "\u2212":  # the minus sign, which is no dash to Unicode
            continue
        elif (digit := unicodedata.digit(char, None)) is not None and char.isdecimal():
            kept.append(str(digit))
        else:
            return None
    return "".join(kept) or None


def _international(bare: str) -> tuple[bool, str]:
    """Whether an international prefix was written, and the text without it."""
    plus = bare.startswith("+")
    rest = bare[1:] if plus else bare
    if rest.startswith("00"):
        return True, rest[2:]
    return plus, rest


def _from_national(digits: str, region: str | None) -> str | None:
    if region is None or len(digits) > MOST_DIGITS:
        return None
    try:
        parsed = _library().parse(digits, region.upper())
    except _library().NumberParseException:
        return None
    number = _e164(parsed)
    return number if FEWEST_DIGITS < len(number) <= MOST_DIGITS + 1 else None


def _without_trunk_prefix(digits: str) -> str:
    """The number without a trunk prefix after its country code, as in `+49 030 …`.

    Digits are only given up where a plausible number comes of it: `+91 0000 …`, which no plan
    knows, stays as it is. Repeated, so that normalising twice is normalising once.
    """
    number = f"+{digits}"
    for _ in range(3):
        parsed = _parsed(number)
        shorter = number if parsed is None else _e164(parsed)
        if shorter == number or len(shorter) <= FEWEST_DIGITS:
            break
        code = f"+{parsed.country_code}"
        one_zero = number == f"{code}0{shorter.removeprefix(code)}"
        if not _library().is_valid_number(parsed) and not (
            one_zero and _library().is_possible_number(parsed) and number[len(code) + 1] != "0"
        ):
            break
        number = shorter
    return number


def _e164(parsed: Any) -> str:
    # What the library writes as E.164, without its search for a format.
    return f"+{parsed.country_code}{_library().national_significant_number(parsed)}"


@lru_cache(maxsize=1024)
def _parsed(e164: str) -> Any:
    try:
        return _library().parse(e164)
    except _library().NumberParseException:
        return None


def aliases(e164: str) -> frozenset[str]:
    """The number with its known twins: the same line that WhatsApp spells in two ways.

    Mexico's 52 and 521, Argentina's 54 and 549, and the ninth digit of Brazilian mobile numbers.
    """
    twin = _twin(e164.removeprefix("+"))
    return frozenset({e164} if twin is None else {e164, f"+{twin}"})


def _twin(digits: str) -> str | None:
    for code, mark in (("52", "1"), ("54", "9")):
        if digits.startswith(code):
            national = digits[2:]
            if len(national) == 10:
                return code + mark + national
            if len(national) == 11 and national[0] == mark:
                return code + national[1:]
            return None
    if digits.startswith("55"):
        area, line = digits[2:4], digits[4:]
        # Eight digits that begin with 2 to 5 are a landline, which never got a ninth digit.
        if len(line) == 8 and line[0] not in "2345":
            return f"55{area}9{line}"
        if len(line) == 9 and line[0] == "9" and line[1] not in "2345":
            return f"55{area}{line[1:]}"
    return None


@lru_cache(maxsize=4096)
def index_key(e164: str) -> str:
    """One key for all aliases of a number: the shortest of them."""
    return min(aliases(e164), key=len)


@lru_cache(maxsize=4096)
def country(e164: str) -> str | None:
    """The ISO 3166 alpha-2 code of the number's country; None where no country owns the prefix.

    A number outside its country's known blocks counts as one of the main country of its code.
    """
    parsed = _parsed(e164)
    if parsed is None:
        return None
    region = _library().region_code_for_number(parsed)
    if region is None:
        region = _library().region_code_for_country_code(parsed.country_code)
    # "001" stands for codes without a country (satellites, freephone), "ZZ" for unknown ones.
    return region if region and region.isalpha() and region != "ZZ" else None


@lru_cache(maxsize=4096)
def display(e164: str) -> str:
    """The number as a person writes it: `+49 171 3920011`."""
    parsed = _parsed(e164)
    if parsed is None:
        return e164
    shown = str(_library().format_number(parsed, _library().PhoneNumberFormat.INTERNATIONAL))
    if re.sub(r"\D", "", shown) == e164.removeprefix("+"):
        return shown
    # The library drops a trunk zero even where it belongs to the number.
    code = f"+{parsed.country_code}"
    return f"{code} {e164.removeprefix(code)}"


@dataclass(frozen=True, slots=True)
class PhonePattern:
    """What a rule says of a number: the number itself, a prefix, or wildcards.

    Made by `parse`. All comparing is by digits, and any alias of a number may match.
    """

    text: str
    """As the rule's author wrote it."""
    exact: frozenset[str] | None
    """The `index_key`s of the one number that is meant; None for a prefix or wildcards."""
    prefix: str | None
    """`+49` for `+49*`: some alias of a matching number begins with it; None otherwise."""
    _regex: re.Pattern[str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, text: str) -> PhonePattern:
        """The pattern that a rule's text means; raises ValueError with what to write instead."""
        bare = _bare(text)
        if bare is None:
            raise ValueError(
                f'"{shown(text, 40)}" is no phone number: write it with its country code, such as '
                '"+49 171 3920011", or as a pattern, such as "+49*"'
            )
        plus, digits = _international(bare)
        if not plus and digits.startswith("0"):
            example = digits.lstrip("0").lstrip("*?") and f"+49 {digits.lstrip('0')}"
            raise ValueError(
                f'"{shown(text, 40)}" is a national number: put the country code in front and drop '
                f'the leading 0, such as "{example or "+49*"}" for Germany'
            )
        if not _WILDCARDS & set(digits):
            return cls._of_number(text)
        return cls._of_wildcards(text, plus, digits)

    @classmethod
    def _of_number(cls, text: str) -> PhonePattern:
        number = normalise(text)
        if number is None:
            raise ValueError(
                f'"{shown(text, 40)}" is no whole phone number: it needs {FEWEST_DIGITS} to '
                f"{MOST_DIGITS} digits with the country code; for all numbers that begin so, add "
                '"*" at the end'
            )
        return cls(text, frozenset({index_key(number)}), None)

    @classmethod
    def _of_wildcards(cls, text: str, plus: bool, digits: str) -> PhonePattern:
        if plus and digits.startswith("0"):
            raise ValueError(
                f'"{shown(text, 40)}" matches no number: no country code begins with 0, write '
                '"+49*"'
            )
        digits = _pattern_without_trunk_prefix(re.sub(r"\*+", "*", digits))
        if len(digits.replace("*", "")) > MOST_DIGITS:
            raise ValueError(
                f'"{shown(text, 40)}" matches no number: numbers have at most {MOST_DIGITS} digits'
            )
        if digits.endswith("*") and not _WILDCARDS & set(digits[:-1]):
            return cls(text, None, f"+{digits[:-1]}")
        regex = "".join({"*": r"\d*", "?": r"\d"}.get(char, char) for char in digits)
        return cls(text, None, None, re.compile(rf"\+{regex}"))

    def matches(self, e164: str) -> bool:
        """Whether the number, or an alias of it, is meant."""
        if self.exact is not None:
            return index_key(e164) in self.exact
        if self.prefix is not None:
            return any(alias.startswith(self.prefix) for alias in aliases(e164))
        regex = self._regex
        return regex is not None and any(regex.fullmatch(alias) for alias in aliases(e164))


def _pattern_without_trunk_prefix(digits: str) -> str:
    """`490171*` as `49171*`, in countries whose trunk prefix is 0.

    As in numbers, a zero before another zero is no trunk prefix.
    """
    head = re.split(r"[*?]", digits, maxsplit=1)[0]
    for length in (1, 2, 3):
        code, rest = head[:length], head[length:]
        if code.isdecimal() and int(code) in _library().COUNTRY_CODE_TO_REGION_CODE:
            region = _library().COUNTRY_CODE_TO_REGION_CODE[int(code)][0]
            metadata = _library().PhoneMetadata.metadata_for_region(region, None)
            trunk = metadata.national_prefix if metadata is not None else None
            if trunk == "0" and re.match("0[1-9]", rest):
                return code + digits[length + 1 :]
            return digits
    return digits
