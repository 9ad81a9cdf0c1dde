"""Text on its way out: cleaned, cut where everybody sees it, and never a secret."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from relay.channels.exchange import remark, retry_after, url_secrets
from relay.channels.fit import fit
from relay.messages import Text
from relay.text import clean
from tests.each import each
from tests.fakes.messages import HOSTILE, everything, strings

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ANY = st.text(st.characters(codec=None, exclude_categories=()), max_size=400)


@each(
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


@each("name", HOSTILE)
@each("room", [100, 5_000])
def test_fitted_message_is_clean_and_short(name: str, room: int) -> None:
    fitted = fit(everything(HOSTILE[name]), room=room, each=3_000, most=20).message
    assert len(fitted.blocks) <= 20
    assert len(fitted.text) < room + 2_500 + 2 * len(fitted.footer)
    for text in strings([fitted.title, fitted.footer, fitted.text]):
        assert clean(text) == text
    assert "\n" not in fitted.title + fitted.footer


def test_fitting_leaves_a_short_message_alone() -> None:
    usual = everything("value")
    fitted = fit(usual, room=5_000, each=3_000, most=50).message
    assert fitted.blocks[0] == usual.blocks[0]
    assert Text("value", italic=True) in fitted.blocks[1].inlines  # type: ignore[union-attr]
