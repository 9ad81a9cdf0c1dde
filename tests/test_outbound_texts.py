"""Text on its way out: cleaned, cut where everybody sees it, and never a secret."""

from __future__ import annotations

import base64
import re
import unicodedata
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.channels.exchange import retry_after
from relay.channels.fitting import fit
from relay.channels.texts import clean, cut, one_line, remark, safe_url, units, url_secrets
from relay.messages import Text
from tests.fakes.messages import HOSTILE, everything, strings

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=400)


@given(ANY)
def test_clean_text_has_no_controls_and_can_be_encoded(text: str) -> None:
    kept = clean(text)
    kept.encode()
    bad = [c for c in kept if unicodedata.category(c) in ("Cc", "Cs", "Zl", "Zp")]
    assert set(bad) <= {"\n", "\t"}
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\ufeff]", kept)
    assert clean(kept) == kept


def test_half_a_character_is_replaced() -> None:
    assert clean(HOSTILE["surrogate"]) == "half \ufffd and \ufffd"


@given(ANY)
def test_one_line_is_one_line(text: str) -> None:
    assert len(one_line(text).splitlines()) <= 1


@given(ANY, st.integers(0, 300))
def test_cut_keeps_the_limit_and_says_how_much_is_gone(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert units(short) <= limit
    if short != text and limit > 40:
        lost = re.search(r"… \(cut, (\d+) characters? more\)$", short)
        assert lost
        assert int(lost[1]) + len(short) - len(lost[0]) == len(text)


def test_cut_does_not_part_a_family() -> None:
    family = "👩‍👩‍👧‍👦"
    short = cut("x" * 30 + family + "y" * 60, 66)
    assert short.startswith("x" * 30 + "… (cut")


@pytest.mark.parametrize(
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


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("30", 30), ("1.5", 2), (" 7 ", 7), ("0", 0), ("-1", None), ("99999999", 99999999),
        ("Mon, 23 Nov 2026 09:01:00 GMT", 60), ("Mon, 23 Nov 2026 08:00:00 GMT", 0),
        ("Mon, 23 Nov 2026 09:01:00", 60), (None, None), ("", None), ("soon", None), ("nan", None),
        ("inf", None), ("1e999", None), ("Mon, 99 Foo 2026", None), ("9" * 5000, None),
    ],
)  # fmt: skip
def test_retry_after(value: str | None, seconds: float | None) -> None:
    assert retry_after(value, NOW) == seconds


@given(st.text(max_size=120))
def test_retry_after_reads_anything(value: str) -> None:
    found = retry_after(value, NOW)
    assert found is None or found >= 0


def test_remark_hides_secrets_in_every_spelling() -> None:
    secret = "p%40ss/word+1"
    encoded = base64.b64encode(b"\0user\0" + secret.encode()).decode()
    said = remark(f"bad {secret} {encoded}\r\nx p@ss/word+1", (secret, f"\0user\0{secret}"))
    assert said == "bad [secret] [secret] x [secret]"


def test_webhook_url_has_secret_parts() -> None:
    url = "https://h.example/workflows/abcdef0123/invoke?sp=%2Fx&sig=Zm9vYmFy-long"
    assert remark("see abcdef0123 and Zm9vYmFy-long", url_secrets(url)) == (
        "see [secret] and [secret]"
    )


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("room", [100, 5_000])
def test_fitted_message_is_clean_and_short(name: str, room: int) -> None:
    fitted = fit(everything(HOSTILE[name]), room=room, each=3_000, most=20)
    assert len(fitted.blocks) <= 20
    assert len(fitted.text) < room + 2_500 + 2 * len(fitted.footer)
    for text in strings([fitted.title, fitted.footer, fitted.text]):
        assert clean(text) == text
    assert "\n" not in fitted.title + fitted.footer


def test_fitting_leaves_a_short_message_alone() -> None:
    usual = everything("value")
    fitted = fit(usual, room=5_000, each=3_000, most=50)
    assert fitted.blocks[0] == usual.blocks[0]
    assert Text("value", italic=True) in fitted.blocks[1].inlines  # type: ignore[union-attr]
