"""Who may post: the proofs of a webhook, judged over its raw bytes.

A wrong signature always refuses; a missing one may be made up for by a static header, because
360dialog signs Partner webhooks only and lets every webhook carry a header of one's own.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

_SIGNATURE = re.compile(rb"\s*(?:sha256=)?([0-9a-f]{64})\s*", re.IGNORECASE)
SCHEMES = frozenset(
    {"apikey", "api-key", "basic", "bearer", "digest", "hmac", "key", "negotiate", "oauth", "token"}
)
"""Words that stand before the secret in an `Authorization` header; none of them is one there."""


@dataclass(frozen=True, slots=True)
class Proofs:
    """The secrets of one route; several of a sort while they are rotated."""

    hmac: tuple[bytes, ...] = field(default=(), repr=False)
    """Keys of signatures; see `parse_secrets`."""
    tokens: tuple[bytes, ...] = field(default=(), repr=False)
    """Values of the `Authorization` header without their scheme; see `parse_tokens`."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a webhook is let in; the reason names no secret and nothing that was sent."""

    admitted: bool
    reason: str


def parse_secrets(text: str) -> tuple[bytes, ...]:
    """The keys in a setting: one or more, separated by blanks."""
    return tuple(dict.fromkeys(_bytes(word) for word in text.split()))


def parse_tokens(text: str) -> tuple[bytes, ...]:
    """The same of header values: in `Basic abc` the first word is a scheme and no token."""
    words = text.split()
    schemes = {place for place, word in enumerate(words[:-1]) if word.lower() in SCHEMES}
    return parse_secrets(" ".join(w for place, w in enumerate(words) if place not in schemes))


def admit_360dialog(
    signatures: Sequence[str], authorizations: Sequence[str], body: bytes, secrets: Proofs
) -> Verdict:
    """Judge a webhook of 360dialog.

    `signatures` are the values of every `x-360dialog-signature` header, `authorizations` those of
    every `Authorization` header. Encoding: hexadecimal, bare or behind `sha256=`; 360dialog's
    documentation names HMAC-SHA256 of the body with the platform secret and no encoding.
    """
    if not secrets.hmac and not secrets.tokens:
        return Verdict(False, "no secret is configured for this route")
    if len(signatures) > 1:
        return Verdict(False, "more than one signature header")
    if signatures and secrets.hmac:
        return _judge_signature(signatures[0], body, secrets.hmac)
    if not secrets.tokens:
        return Verdict(False, "no signature header")
    return _judge_authorization(authorizations, secrets.tokens)


def admit_meta(signatures: Sequence[str], body: bytes, secrets: Proofs) -> Verdict:
    """Judge a webhook that comes from Meta itself, by every `X-Hub-Signature-256` header."""
    if not secrets.hmac:
        return Verdict(False, "no secret is configured for this route")
    if len(signatures) != 1:
        found = "more than one" if signatures else "no"
        return Verdict(False, f"{found} signature header")
    return _judge_signature(signatures[0], body, secrets.hmac)


def _judge_signature(header: str, body: bytes, keys: Sequence[bytes]) -> Verdict:
    written = _SIGNATURE.fullmatch(_bytes(header))
    if written is None:
        return Verdict(False, "the signature header is not a hexadecimal SHA-256 signature")
    given = bytes.fromhex(written[1].decode("ascii"))
    # All keys are tried, so that time does not tell which of them is right.
    right = [
        hmac.compare_digest(given, hmac.new(key, body, hashlib.sha256).digest()) for key in keys
    ]
    if any(right):
        return Verdict(True, "the signature is right")
    return Verdict(False, "the signature is wrong")


def _judge_authorization(headers: Sequence[str], tokens: Sequence[bytes]) -> Verdict:
    if not headers:
        return Verdict(False, "neither a signature nor an Authorization header")
    if len(headers) > 1:
        return Verdict(False, "more than one Authorization header")
    words = _bytes(headers[0]).split()
    if len(words) not in (1, 2):
        return Verdict(False, "the Authorization header is wrong")
    given = words[-1]
    right = [hmac.compare_digest(given, token) for token in tokens]
    if any(right):
        return Verdict(True, "the Authorization header is right")
    return Verdict(False, "the Authorization header is wrong")


def _bytes(header: str) -> bytes:
    """The bytes of a header, whatever it holds: servers escape bytes that are no UTF-8."""
    try:
        return header.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return header.encode("utf-8", "surrogatepass")
