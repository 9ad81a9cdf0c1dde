"""Phone numbers: every spelling is one number, and patterns compare by digits."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.phones import PhonePattern, aliases, country, display, index_key, normalise
from tests.each import each

NUMBER = "+491713920011"
INTERNATIONAL = st.from_regex(r"[1-9][0-9]{6,14}", fullmatch=True) | st.from_regex(
    r"(49|54|55|52|91|44|39|7|81|225)0{0,2}[1-9][0-9]{4,9}", fullmatch=True
)


@each(
    "spelling",
    [
        "491713920011",
        491713920011,
        "+49 171 3920011",
        "0049 171 392-0011",
        "+49 (0)171 392 0011",
        "(+49)(0)171/3920011",
        "+49.171.3920011",
        "+490171 3920011",
        "tel:+49-171-3920011;phone-context=x",
        "\u202a+49 171\u00a03920011\u202c",
        "＋４９ １７１ ３９２００１１",
        "\t+49\u2011171\u20123920011\n",
        491713920011.0,
        "491713920011.0",
        " +491713920011.00 ",
        "00491713920011.000",
        "４９１７１３９２００１１．０",
    ],
)
def test_spellings_of_one_number_are_equal(spelling: object) -> None:
    assert normalise(spelling) == NUMBER


@each(
    "nonsense",
    [
        None,
        True,
        0,
        -491713920011,
        10**15,
        pytest.param(10**5000, id="huge"),
        4.9,
        [NUMBER],
        {},
        "",
        "+",
        "support",
        "+49 171 FLOWERS",
        "0171 3920011",
        "(0)171 3920011",
        "1234",
        "1" * 16,
        "1" * 100_000,
        "+49*",
        "49+171",
        "000491713920011",
        "491713920011.5",
        "+4917139200.11",
        "49171392001.10",
        491713920011.5,
        float("inf"),
        4.91713920011e300,
    ],
)
def test_what_is_no_international_number_is_none(nonsense: object) -> None:
    assert normalise(nonsense) is None


def test_a_national_number_needs_a_region() -> None:
    assert normalise("0171 3920011", "de") == NUMBER
    assert normalise("0171 3920011", "??") is None


@pytest.mark.parametrize("number", ["+910000000011", "+999123456", "+15550783881"])
def test_numbers_that_no_plan_knows_keep_their_digits(number: str) -> None:
    assert normalise(number) == number
    assert "".join(filter(str.isdigit, display(number))) == number[1:]


def test_a_zero_in_brackets_is_never_part_of_the_number() -> None:
    assert normalise("+999 (0)123456") == "+999123456"
    assert normalise("+91 (0)0000000011") == "+910000000011"
    assert PhonePattern.parse("+999 (0)12*").prefix == "+99912"


def test_italian_numbers_keep_their_leading_zero() -> None:
    assert normalise("+39 06 1234567") == "+39061234567"


@given(INTERNATIONAL)
def test_normalising_twice_is_normalising_once(digits: str) -> None:
    number = normalise(digits)
    assert number is not None
    assert normalise(number) == number


@given(INTERNATIONAL, st.integers(1, 9), st.sampled_from(["", "+", "00"]))
def test_a_number_that_was_read_as_a_fraction_is_never_another_number(
    digits: str, zeros: int, plus: str
) -> None:
    number = normalise(f"{plus}{digits}")
    assert normalise(f"{plus}{digits}.{'0' * zeros}") == number
    assert PhonePattern.parse(f"{digits}.0").exact == PhonePattern.parse(digits).exact
    for cents in ("1", "50", "05", "99"):
        assert normalise(f"{plus}{digits}.{cents}") is None
        with pytest.raises(ValueError, match="is no phone number"):
            PhonePattern.parse(f"{plus}{digits}.{cents}")


@pytest.mark.parametrize(
    "text", ["+33.6.12.34.56.78", "+33.612345678", "33.6.12345678", "33.612.345.678"]
)
def test_points_between_the_groups_of_a_number_part_them(text: str) -> None:
    assert normalise(text) == "+33612345678"


@given(st.text())
def test_any_text_is_a_number_or_none(text: str) -> None:
    number = normalise(text)
    assert number is None or (number[0] == "+" and number[1:].isascii() and number[1:].isdigit())


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("+525512345678", "+5215512345678"),
        ("+541123456789", "+5491123456789"),
        ("+552799049879", "+5527999049879"),
    ],
)
def test_twins_are_aliases_of_each_other_and_share_a_key(one: str, other: str) -> None:
    assert aliases(one) == aliases(other) == {one, other}
    assert index_key(one) == index_key(other)


@pytest.mark.parametrize("number", [NUMBER, "+551133334444", "+52551234567", "+54112345"])
def test_other_numbers_have_no_twin(number: str) -> None:
    assert aliases(number) == {number}


@given(INTERNATIONAL)
def test_all_aliases_have_one_key(digits: str) -> None:
    number = f"+{digits}"
    assert {index_key(alias) for alias in aliases(number)} == {index_key(number)}


def test_country_is_that_of_the_number() -> None:
    assert country(NUMBER) == "DE"
    assert country("+910000000011") == "IN"
    assert country("+80012345678") is None
    assert country("+999123456") is None


def test_display_is_the_international_form() -> None:
    assert display(NUMBER) == "+49 171 3920011"


@each(
    ("pattern", "number", "met"),
    [
        ("+49*", NUMBER, True),
        ("0049*", NUMBER, True),
        ("49*", NUMBER, True),
        ("+490171*", NUMBER, True),
        ("+49 (0)171*", NUMBER, True),
        ("+491713920011", NUMBER, True),
        ("0049 (0)171 3920011", NUMBER, True),
        ("*0011", NUMBER, True),
        ("+49 171 39200??", NUMBER, True),
        ("+49*11", NUMBER, True),
        ("*", NUMBER, True),
        ("+44*", NUMBER, False),
        ("+49 171 392001?", "+4917139200111", False),
        ("+49171392001", NUMBER, False),
        ("*001", NUMBER, False),
        ("+521*", "+525512345678", True),
        ("+52 55*", "+5215512345678", True),
        ("+5215512345678", "+525512345678", True),
        ("+525512345678", "+5215512345678", True),
        ("+55 27 99904 9879", "+552799049879", True),
        ("*12345678", "+5215512345678", True),
        ("+39 06*", "+39061234567", True),
        ("+910000*", "+910000000011", True),
        ("+910000*", "+910001000011", False),
    ],
)
def test_patterns_compare_by_digits_and_aliases(pattern: str, number: str, met: bool) -> None:
    assert PhonePattern.parse(pattern).matches(number) is met


def test_each_pattern_says_how_it_can_be_indexed() -> None:
    assert PhonePattern.parse("+49*").prefix == "+49"
    assert PhonePattern.parse("+49*").exact is None
    assert PhonePattern.parse("+52 1 5512345678").exact == frozenset({index_key("+525512345678")})
    assert PhonePattern.parse("*11").prefix is None
    assert PhonePattern.parse("*11").exact is None


@each(
    ("text", "remedy"),
    [
        ("0171 3920011", "country code"),
        ("0171*", "country code"),
        ("(0)30*", "country code"),
        ("vip", "country code"),
        ("+49 CALL ME", "country code"),
        ("+49", '"*"'),
        ("112", '"*"'),
        ("1" * 16, "15 digits"),
        ("?" * 16, "15 digits"),
        ("+0*", "no country code begins with 0"),
        ("", "country code"),
    ],
)
def test_a_faulty_pattern_says_what_to_write(text: str, remedy: str) -> None:
    with pytest.raises(ValueError, match="number") as caught:
        PhonePattern.parse(text)
    assert remedy in str(caught.value)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=40) | st.text("0123456789+*?() -", max_size=20), INTERNATIONAL)
def test_any_pattern_is_refused_or_matches_without_a_fault(text: str, digits: str) -> None:
    try:
        pattern = PhonePattern.parse(text)
    except ValueError:
        return
    number = f"+{digits}"
    assert {pattern.matches(alias) for alias in aliases(number)} == {pattern.matches(number)}


@given(st.from_regex(r"(49|54|55|52|91|44|7|81)[1-9][0-9]{5,9}", fullmatch=True))
def test_every_number_matches_itself_as_a_pattern(digits: str) -> None:
    number = normalise(digits)
    assert number is not None
    assert PhonePattern.parse(number).matches(number)
    assert PhonePattern.parse(f"{number[:5]}*").matches(number)
