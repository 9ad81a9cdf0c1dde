"""A fake Workflows webhook of Microsoft Teams."""

from __future__ import annotations

import json
from typing import Any

from tests.fakes.http import DROP_AFTER, DROP_BEFORE, STALL, FakeHttp, Post, Reply

__all__ = ["DROP_AFTER", "DROP_BEFORE", "STALL", "FakeTeams", "Post", "Reply", "error"]


def error(status: int, code: str = "", message: str = "") -> Reply:
    """An answer in the manner of a flow that does not take the post."""
    return Reply(status, json.dumps({"error": {"code": code, "message": message}}))


class FakeTeams(FakeHttp):
    """Posts have the name of their workflow as key."""

    def url(self, name: str = "flow") -> str:
        """A URL of the usual shape, signature and percent-encoding included."""
        return (
            f"{self.base}/powerautomate/automations/direct/cu/07/workflows/{name}/triggers/manual"
            "/paths/invoke?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0"
            "&sig=a-secret-signature-of-the-fake-flow-0123456"
        )

    def key_of(self, path: str, body: Any) -> str:
        return path.partition("/workflows/")[2].partition("/")[0]

    def usual(self, post: Post) -> Reply:
        return Reply(202)
