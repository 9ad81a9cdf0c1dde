"""What Slack and Teams do with each text of their JSON, and how values are kept from it.

`PLAIN` texts are shown as they are; `PARSED` ones are mrkdwn or a card's Markdown, where values
are escaped; an `ADDRESS` must lead to http(s); `FIXED` ones decide what an element is or whom it
names, so no value may stand there. A text of which nothing is known here counts as parsed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, Protocol


class Part(Enum):
    """What becomes of a text in its place."""

    PLAIN = "plain"
    PARSED = "parsed"
    ADDRESS = "address"
    FIXED = "fixed"


class Dialect(Protocol):
    """One channel's way with texts in JSON."""

    def __hash__(self) -> int: ...

    def part(self, node: Mapping[str, Any], key: str) -> Part:
        """What becomes of the text under that key of an object."""
        ...

    def escaped(self, value: str) -> str:
        """The value as a parsed text shows it as it is."""
        ...

    def misuse(self, marked: str) -> str | None:
        """What is wrong with where values stand in a parsed text; None where nothing is."""
        ...

    def finished(self, node: dict[str, Any], *, held: bool) -> dict[str, Any]:
        """The object with what it needs where it holds values."""
        ...


_MARK = "[\U000f0000-\U000ffffd]"
_FIXED_HOST = "https?://[^/?#\\s@<>|()\U000f0000-\U000ffffd]+[/?#]"


class _Slack:
    """Block Kit. mrkdwn knows three escapes and resolves what stands in <…>
    (docs.slack.dev/messaging/formatting-message-text); `verbatim` keeps bare names and addresses
    from becoming links. Asterisks and the like of a value can still make its own words bold:
    there is no escape for them, `plain_text` and rich text show them as they are.
    """

    _FIXED = frozenset(
        {
            *("type", "verbatim", "mrkdwn_in", "parse", "action_id", "block_id", "user_id"),
            *("usergroup_id", "channel_id", "range", "team_id", "unicode", "language"),
        }
    )
    _ADDRESSES = frozenset(
        {
            *("url", "image_url", "thumb_url", "video_url", "thumbnail_url", "title_url"),
            *("provider_icon_url", "title_link", "author_link", "author_icon", "footer_icon"),
            *("from_url", "original_url"),
        }
    )
    _PLAIN_TYPES = frozenset({"plain_text", "text", "raw_text", "link"})
    _PLAIN = frozenset({"alt_text", "value", "color"})
    _IN_ANGLES = re.compile(f"<(?!{_FIXED_HOST})[^<>]*{_MARK}")

    def part(self, node: Mapping[str, Any], key: str) -> Part:
        if key in self._FIXED or (node.get("type") == "emoji" and key == "name"):
            return Part.FIXED
        if key in self._ADDRESSES:
            return Part.ADDRESS
        if key in self._PLAIN or (key == "text" and node.get("type") in self._PLAIN_TYPES):
            return Part.PLAIN
        return Part.PARSED

    def escaped(self, value: str) -> str:
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")

    def misuse(self, marked: str) -> str | None:
        if self._IN_ANGLES.search(marked):
            return "a value inside <…> could name anybody: begin with <https:// and a fixed host"
        return None

    def finished(self, node: dict[str, Any], *, held: bool) -> dict[str, Any]:
        return node | {"verbatim": True} if held and node.get("type") == "mrkdwn" else node


class _Teams:
    """Adaptive Cards. `TextBlock` and `Fact` parse Markdown, in which a backslash makes a sign
    plain, and replace {{DATE(…)}}; `TextRun` parses nothing.
    """

    _FIXED = frozenset(
        {
            *("type", "$schema", "version", "id", "verb", "style", "requires", "mri", "entities"),
            *("method", "lang", "targetElements"),
        }
    )
    _ADDRESSES = frozenset({"url", "iconUrl", "backgroundImage", "poster", "altUrl"})
    _PLAIN = frozenset({"altText", "fallbackText", "speak", "summary", "tooltip"})
    _SIGNS = re.compile(r"[\\`*_~\[\]<>#|!&]|(?<=\{)\{")
    _LINE_START = re.compile(r"(?m)^[ \t\u00a0]*(?:(\d{1,9})(?=[.)])|(?=[-+=]))")
    _INDENT = re.compile(r"(?m)^[ \t]{2,}")
    _IN_LINK = re.compile(rf"\]\((?!{_FIXED_HOST})[^()]*{_MARK}")

    def part(self, node: Mapping[str, Any], key: str) -> Part:
        if key in self._FIXED:
            return Part.FIXED
        if key in self._ADDRESSES:
            return Part.ADDRESS
        kind = str(node.get("type", ""))
        if key in self._PLAIN or (key == "text" and kind == "TextRun"):
            return Part.PLAIN
        if key == "title" and kind.startswith("Action."):
            return Part.PLAIN
        return Part.PARSED

    def escaped(self, value: str) -> str:
        signs = self._SIGNS.sub(lambda found: f"\\{found[0]}", self._INDENT.sub(" ", value))
        return self._LINE_START.sub(lambda found: f"{found[1] or ''}\\", signs)

    def misuse(self, marked: str) -> str | None:
        if self._IN_LINK.search(marked):
            return "the address of a link begins with https:// and a fixed host"
        return None

    def finished(self, node: dict[str, Any], *, held: bool) -> dict[str, Any]:  # noqa: ARG002
        return node


SLACK: Dialect = _Slack()
TEAMS: Dialect = _Teams()
