"""A fake Slack: the Web API's `chat.postMessage` and incoming webhooks."""

from __future__ import annotations

import json
from typing import Any
from zlib import crc32

from tests.fakes.http import DROP_AFTER, DROP_BEFORE, STALL, FakeHttp, Post, Reply

__all__ = ["DROP_AFTER", "DROP_BEFORE", "STALL", "FakeSlack", "Post", "Reply", "error", "word"]


def error(code: str, status: int = 200, **headers: str) -> Reply:
    """An answer of the Web API with an error code; headers by keyword, `_` for `-`."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"ok": False, "error": code}), named)


def word(text: str, status: int) -> Reply:
    """An answer of an incoming webhook."""
    return Reply(status, text, content_type="text/plain")


class FakeSlack(FakeHttp):
    """Posts have the channel as their key, those of a webhook its name."""

    @property
    def api_url(self) -> str:
        return f"{self.base}/api/"

    def webhook_url(self, name: str = "hook") -> str:
        return f"{self.base}/services/T000/B000/{name}"

    def key_of(self, path: str, body: Any) -> str:
        if path.startswith("/services/"):
            return path.rpartition("/")[2]
        return str(body.get("channel", "")) if isinstance(body, dict) else ""

    def usual(self, post: Post) -> Reply:
        if post.path.startswith("/services/"):
            return word("ok", 200)
        if not post.path.startswith("/api/chat.postMessage"):
            return error("unknown_method")
        number = len(self.posts)
        answer = {
            "ok": True,
            "channel": f"C{crc32(post.key.encode()) % 10**8:08d}",
            "ts": f"1700000000.{number:06d}",
            "message": {"text": post.json.get("text", "")},
        }
        return Reply(200, json.dumps(answer))
