"""A fake Slack: `chat.postMessage` and `chat.update` of its Web API, threads, and webhooks."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
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


@dataclass(slots=True)
class Shown:
    """A message as the channel shows it now."""

    title: str
    body: str
    edits: int = 0
    replies: list[Shown] = field(default_factory=list)
    broadcast: bool = False
    """An answer in a thread that the channel shows, too."""


def _texts(node: Any) -> Iterator[str]:
    """The texts of blocks, in order."""
    if isinstance(node, dict):
        if isinstance(node.get("text"), str):
            yield node["text"]
        node = list(node.values())
    for one in node if isinstance(node, list) else ():
        yield from _texts(one)


class FakeSlack(FakeHttp):
    """Posts have the channel as their key, those of a webhook its name."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(tls)
        self.channels: dict[str, dict[str, Shown]] = {}
        """By the channel's name: what stands in it, by `ts`."""
        self._names: dict[str, str] = {}

    @property
    def api_url(self) -> str:
        return f"{self.base}/api/"

    def webhook_url(self, name: str = "hook") -> str:
        return f"{self.base}/services/T000/B000/{name}"

    def key_of(self, path: str, body: Any) -> str:
        if path.startswith("/services/"):
            return path.rpartition("/")[2]
        named = str(body.get("channel", "")) if isinstance(body, dict) else ""
        return self._names.get(named, named)

    def delete(self, channel: str) -> None:
        """Somebody deletes every message of a channel."""
        self.channels[channel] = {}

    def usual(self, post: Post) -> Reply:
        if post.path.startswith("/services/"):
            return word("ok", 200)
        held = self.channels.setdefault(post.key, {})
        name = f"C{crc32(post.key.encode()) % 10**8:08d}"
        self._names[name] = post.key
        title = str(post.json.get("text", "")).partition("\n")[0]
        shown = Shown(title, "\n".join(_texts(post.json.get("attachments"))))
        ts = f"1700000000.{len(self.posts):06d}"
        if post.path.startswith("/api/chat.update"):
            ts = post.json["ts"]
            if post.json["channel"] != name:
                return error("channel_not_found")
            if ts not in held:
                return error("message_not_found")
            held[ts].title, held[ts].body = shown.title, shown.body
            held[ts].edits += 1
        elif not post.path.startswith("/api/chat.postMessage"):
            return error("unknown_method")
        elif (thread := post.json.get("thread_ts")) is not None:
            if thread not in held:
                return error("thread_not_found")
            shown.broadcast = bool(post.json.get("reply_broadcast"))
            held[thread].replies.append(shown)
        else:
            held[ts] = shown
        answer = {"ok": True, "channel": name, "ts": ts, "message": {"text": title}}
        return Reply(200, json.dumps(answer))
