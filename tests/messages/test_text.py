"""Text on its way out: cleaned, and cut where everybody sees it, between two signs."""

from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.text import boundary, clean, cut, one_line, printable, safe_url, shown, units
from tests.each import each
from tests.fakes.messages import HOSTILE

ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=400)
SIGNS = [
    "x", "ä", "漢", "🇩🇪", "🇫🇷", "👩‍👩‍👧‍👦", "❤️‍🔥", "👍🏽", "1️⃣",
    "🏴\U000e0067\U000e0062\U000e007f", "e\u0301",
    "o\u0308\u0304", "각", "\u1100\u1161\u11a8", "क्षि", "ก็", "\r\n", "🏳️‍🌈", "\u0646\u0650",
]  # fmt: skip
"""Each is one sign to whoever reads it (Unicode, UAX 29)."""


@given(ANY)
def test_clean_text_has_nothing_that_deceives_and_is_clean_at_once(text: str) -> None:
    kept = clean(text)
    kept.encode()
    bad = {c for c in kept if unicodedata.category(c) in ("Cc", "Cs", "Co", "Zl", "Zp")}
    assert bad <= {"\n", "\t"}
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff\u034f\u3164]", kept)
    assert clean(kept) == kept


@given(ANY)
def test_text_without_anything_odd_is_left_alone(text: str) -> None:
    """What a name is made of stays: letters of all scripts, digits, signs, spaces."""
    plain = "".join(c for c in text if unicodedata.category(c)[0] in "LNPS" and c not in "ㅤﾠᅟᅠ")
    assert clean(plain) == plain


@each(
    ("raw", "kept"),
    [
        ("a\tb\nc", "a\tb\nc"), ("a\r\nb\rc\u2028d\u2029e\x85f\vg", "a\nb\nc\nd\ne\nf\ng"),
        ("a\x00b\x07c\x1b[31m\x7f", "abc[31m"), (HOSTILE["surrogate"], "half  and "),
        ("\ue000a\U000f0000b", "ab"), ("a\u202eb\u2066c\u2069\u200e", "abc"),
        ("a\u200bb\u2060c\ufeff\u00ad\u200c", "abc"), ("a\u200db\ufe0f", "ab"),
        ("👩\u200d💻", "👩\u200d💻"), ("👩\u200d", "👩"), ("1\ufe0f\u20e3", "1\ufe0f\u20e3"),
        ("tag\U000e0041\U000e007f", "tag"), ("z" + "\u0301" * 500, "z" + "\u0301" * 4),
        ("می\u200cخواهم", "می\u200cخواهم"), ("ක\u0dca\u200dෂ", "ක\u0dca\u200dෂ"), ("ක\u200d", "ක"),
    ],
)  # fmt: skip
def test_what_cleaning_takes_away(raw: str, kept: str) -> None:
    assert clean(raw) == kept


@given(ANY)
def test_one_line_is_one_line(text: str) -> None:
    line = one_line(text)
    assert len(line.splitlines()) <= 1
    assert line == " ".join(line.split())


@given(ANY, st.integers(0, 300), st.sampled_from(["en", "de", "de-AT", "ja"]))
def test_cut_keeps_the_limit_and_says_in_the_language_how_much_is_gone(
    text: str, limit: int, language: str
) -> None:
    short = cut(text, limit, language)
    assert units(short) <= limit
    assert cut(short, limit, language) == short
    if short != text and limit > 40:
        note = r"… \(gekürzt um (\d+) Zeichen\)$" if "de" in language else r"… \(cut, (\d+) more\)$"
        lost = re.search(note, short)
        assert lost
        assert int(lost[1]) + len(short) - len(lost[0]) == len(text)


def test_large_counts_are_written_as_the_reader_does() -> None:
    assert cut("x" * 5_000, 100).endswith("… (cut, 4,919 more)")
    assert cut("x" * 5_000, 100, "de").endswith("… (gekürzt um 4.928 Zeichen)")


@given(st.lists(st.sampled_from(SIGNS), min_size=1, max_size=40), st.data())
def test_nothing_that_is_one_sign_is_cut_inside(signs: list[str], data: st.DataObject) -> None:
    text = "".join(signs)
    ends = {0}
    for number in range(len(signs)):
        ends.add(len("".join(signs[: number + 1])))
    index = data.draw(st.integers(0, len(text)))
    assert boundary(text, index) == max(end for end in ends if end <= index)


@each("sign", [*SIGNS, "🇩🇪🇫🇷"])
def test_a_long_row_of_signs_is_cut_between_two(sign: str) -> None:
    kept = re.sub(r"… \(cut, .*", "", cut(sign * 3_000, 1_000))
    assert kept
    assert len(kept) % len(sign) == 0 or sign == "🇩🇪🇫🇷"


@given(ANY, st.integers(1, 80))
def test_what_is_quoted_is_short_printable_and_on_one_line(text: str, longest: int) -> None:
    said = shown(text, longest)
    assert len(said) <= longest + 1
    assert said.isprintable()
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)


@each(
    "url",
    [
        "javascript:alert(1)", "data:text/html,x", "//evil.example", "https://", "http:/x", "x",
        "https://a b", "https://a\n.example", "https://x.example/<script>", 'https://x.example/"',
        "https://x.example/|y", "file:///etc/passwd", " https://x.example", "https://[x",
        "https://x.example/\u202eabc", "https://x.example/" + "a" * 3000, "mailto:a@b",
    ],
)  # fmt: skip
def test_url_is_not_given_to_click(url: str) -> None:
    assert safe_url(url) is None


@pytest.mark.parametrize("url", ["https://x.example/a?b=1&c=%20#d", "http://x.example:8080/"])
def test_url_is_given_as_it_is(url: str) -> None:
    assert safe_url(url) == url
