"""What a target said, fit to be told: without our secrets."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from urllib.parse import quote, unquote, urlsplit

from relay.text import one_line


def remark(text: str, secrets: Iterable[str] = (), limit: int = 200) -> str:
    """What a target said, fit for a reason: one short line, our secrets taken out.

    Secrets are found as they are, percent-encoded or not, and in base64 (a mail server may echo
    the line it did not understand).
    """
    said = one_line(text[: 8 * limit])
    spellings = {
        spelling
        for secret in secrets
        for spelling in (
            secret,
            quote(secret, safe=""),
            unquote(secret),
            base64.b64encode(secret.encode()).decode(),
            base64.urlsafe_b64encode(secret.encode()).decode(),
        )
        if len(spelling) > 2
    }
    for spelling in sorted(spellings, key=len, reverse=True):
        said = re.sub(re.escape(spelling), "[secret]", said, flags=re.IGNORECASE)
    return one_line(said, limit)


def url_secrets(url: str) -> tuple[str, ...]:
    """What of a webhook's URL is secret: all of it that is long, since any part may be."""
    parts = urlsplit(url)
    pieces = re.split(r"[/?&=]", f"{parts.path}?{parts.query}")
    return (url, *(piece for piece in pieces if len(piece) >= 8))
