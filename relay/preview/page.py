"""The page: previews side by side, with a table of contents; one file that loads nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from relay.channels.drawing import drawn
from relay.channels.email import preview as mail
from relay.channels.slack import preview as slack
from relay.channels.teams import preview as teams
from relay.preview import Preview, Written

_DRAW: Mapping[str, Callable[[Mapping[str, Any], str], Markup]] = {
    "slack": slack.draw,
    "teams": teams.draw,
    "email": mail.draw,
}
_TITLES = {"slack": "Slack", "teams": "Microsoft Teams", "email": "E-mail"}
# Styles stand in the page and in the mails; nothing may be loaded, run, framed or posted.
POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)


def page(previews: Sequence[Preview], *, title: str, about: str = "") -> str:
    """The whole document. The same previews give the same page."""
    anchors = _anchors(preview.name for preview in previews)
    return drawn(
        "preview/page.html.j2",
        title=title,
        about=about,
        policy=POLICY,
        titles=_TITLES,
        draw=_draw,
        shown=[(one, anchor, one.made_by) for one, anchor in zip(previews, anchors, strict=True)],
    )


def _draw(one: Preview, written: Written) -> Markup:
    return _DRAW[written.channel](written.payload, f"{one.at:%H:%M}")


def _anchors(names: Iterable[str]) -> list[str]:
    """One for each name, all different."""
    taken: dict[str, int] = {}
    anchors = []
    for name in names:
        bare = re.sub(r"[^a-z0-9]+", "-", name.casefold()).strip("-") or "event"
        taken[bare] = taken.get(bare, 0) + 1
        anchors.append(bare if taken[bare] == 1 else f"{bare}--{taken[bare]}")
    return anchors
