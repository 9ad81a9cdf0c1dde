"""A token endpoint that gives numbered tokens, each good at a mail server until the next."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.http import FakeHttp, Post, Reply
from tests.fakes.smtp import FakeSmtp

TOKEN = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.payload-of-the-fake-endpoint." + "s" * 400 + "-{}"
"""As long as Microsoft's, nearly."""


class FakeTokens(FakeHttp):
    """What it gives is what `smtp` takes from `user`."""

    def __init__(self, smtp: FakeSmtp, user: str, lifetime: object = 3600) -> None:
        super().__init__()
        self.lifetime = lifetime
        self._smtp = smtp
        self._user = user
        self._given = 0

    @property
    def url(self) -> str:
        """Of the endpoint."""
        return f"{self.base}/token"

    def key_of(self, path: str, body: Any) -> str:
        return path

    def usual(self, post: Post) -> Reply:
        self._given += 1
        token = TOKEN.format(self._given)
        self._smtp.tokens = {self._user: token}
        said = {"token_type": "Bearer", "access_token": token, "expires_in": self.lifetime}
        return Reply(body=json.dumps(said))


def refusal(error: str, words: str = "", status: int = 400) -> Reply:
    """An answer in the manner of RFC 6749, 5.2."""
    return Reply(status, json.dumps({"error": error, "error_description": words}))
