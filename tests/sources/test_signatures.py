"""Who may post to the relay, and who may not."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.sources.signatures import (
    Proofs,
    admit_360dialog,
    admit_meta,
    parse_secrets,
    parse_tokens,
)
from tests.each import each

BODY = b'{"event": "channel_live"}'
KEYS = Proofs(hmac=(b"new-secret", b"old-secret"))
BOTH = Proofs(hmac=(b"new-secret",), tokens=(b"abc", b"previous"))
TOKENS = Proofs(tokens=(b"abc", "schlüssel".encode()))


def signed(key: bytes = b"new-secret", body: bytes = BODY) -> str:
    return hmac.new(key, body, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "header",
    [
        signed(),
        f"sha256={signed()}",
        f"SHA256={signed().upper()}",
        f"  {signed()}\t",
        signed(b"old-secret"),
    ],
)
def test_a_right_signature_admits_in_every_spelling(header: str) -> None:
    assert admit_360dialog([header], [], BODY, KEYS).admitted
    assert admit_meta([header], BODY, KEYS).admitted


@each(
    "header",
    [
        "",
        "sha256=",
        signed(b"stranger"),
        signed(body=BODY + b" "),
        signed()[:-1],
        signed() + "0",
        " ".join(signed()),
        "sha1=" + signed(),
        "sha256=sha256=" + signed(),
        "\0" * 64,
        "\udcff" * 64,
        "\ud800",
        "０" * 64,
        "a" * 10_000,
    ],
)
def test_a_wrong_signature_refuses_even_with_a_right_token(header: str) -> None:
    verdict = admit_360dialog([header], ["Bearer abc"], BODY, BOTH)
    assert not verdict.admitted
    assert not admit_meta([header], BODY, KEYS).admitted


def test_a_right_token_admits_without_a_signature() -> None:
    for header in ("abc", "Bearer abc", "bearer  abc", "Basic abc", "Token abc", " previous "):
        assert admit_360dialog([], [header], BODY, BOTH).admitted, header


def test_a_token_of_other_bytes_than_ascii_admits() -> None:
    assert admit_360dialog([], ["Bearer schlüssel"], BODY, TOKENS).admitted
    raw = "schlüssel".encode().decode("ascii", "surrogateescape")
    assert admit_360dialog([], [raw], BODY, TOKENS).admitted


@each(
    "header",
    ["", " ", "Bearer", "Basic", "ABC", "abcd", "abc abc abc", "\0", "\ud800", "x" * 10_000],
)
def test_a_wrong_token_refuses(header: str) -> None:
    assert not admit_360dialog([], [header], BODY, BOTH).admitted


def test_without_a_proof_in_the_request_it_is_refused() -> None:
    for proofs in (KEYS, BOTH, TOKENS):
        assert not admit_360dialog([], [], BODY, proofs).admitted
    assert not admit_meta([], BODY, KEYS).admitted


def test_without_a_configured_proof_everything_is_refused() -> None:
    nothing = hmac.new(b"", BODY, hashlib.sha256).hexdigest()
    assert not admit_360dialog([nothing], ["abc"], BODY, Proofs()).admitted
    assert not admit_meta([nothing], BODY, Proofs()).admitted
    assert not admit_meta([signed()], BODY, TOKENS).admitted


def test_a_signature_without_a_configured_key_is_judged_by_the_token() -> None:
    assert admit_360dialog(["whatever"], ["abc"], BODY, TOKENS).admitted
    assert not admit_360dialog(["whatever"], ["wrong"], BODY, TOKENS).admitted
    assert not admit_360dialog(["whatever"], [], BODY, TOKENS).admitted


def test_a_repeated_header_is_refused() -> None:
    assert not admit_360dialog([signed(), signed()], ["abc"], BODY, BOTH).admitted
    assert not admit_360dialog([], ["wrong", "abc"], BODY, BOTH).admitted
    assert not admit_360dialog([], ["abc", "wrong"], BODY, BOTH).admitted
    assert not admit_meta([signed(), signed()], BODY, KEYS).admitted


def test_schemes_in_a_setting_are_no_tokens() -> None:
    tokens = parse_tokens("Basic abc  Bearer def Token ghi")
    assert tokens == (b"abc", b"def", b"ghi")
    for whole in ("Token ghi", "ghi", "Bearer abc"):
        assert admit_360dialog([], [whole], BODY, Proofs(tokens=tokens)).admitted
    for bare in ("Basic", "basic", "Bearer", "Basic Basic", "Token", "token"):
        assert not admit_360dialog([], [bare], BODY, Proofs(tokens=tokens)).admitted


@pytest.mark.parametrize("word", ["token", "secret", "bearer"])
def test_a_token_that_is_a_plain_word_still_admits(word: str) -> None:
    proofs = Proofs(tokens=parse_tokens(word))
    for header in (word, f"Bearer {word}"):
        assert admit_360dialog([], [header], BODY, proofs).admitted
    assert not admit_360dialog([], ["Bearer other"], BODY, proofs).admitted


def test_repeated_and_blank_secrets_count_once() -> None:
    assert parse_secrets(" new  old\nnew ") == (b"new", b"old")


def test_proofs_do_not_show_their_secrets() -> None:
    assert "secret" not in repr(KEYS)
    assert "abc" not in repr(BOTH)


@given(st.lists(st.text(), max_size=2), st.lists(st.text(), max_size=2), st.binary())
def test_no_header_raises_and_no_reason_quotes(
    signatures: list[str], authorizations: list[str], body: bytes
) -> None:
    for proofs in (KEYS, BOTH, TOKENS):
        verdict = admit_360dialog(signatures, authorizations, body, proofs)
        assert not verdict.admitted
        assert "secret" not in verdict.reason.replace("no secret is configured", "")
