"""What `POST /api/diff` answers, as models; see `relay.web.answers`."""

from __future__ import annotations

from relay.web.answers import Answer


class Chosen(Answer):
    destination: str
    rule: str | None
    template: str | None


class Outcome(Answer):
    muted_by: str | None
    deliveries: list[Chosen]


class Reads(Answer):
    destination: str
    before: str
    after: str


class DiffCount(Answer):
    change: str
    gone: list[str]
    new: list[str]
    events: int


class Difference(Answer):
    """What alike events would change, with one of them."""

    change: str
    events: int
    kind: str
    detail: str | None
    example: str
    file: str | None
    gone: list[str]
    new: list[str]
    before: Outcome
    after: Outcome
    messages: list[Reads]


class DiffSide(Answer):
    version: int | None
    rules: str | None


class Diffed(Answer):
    """What an edit would change, by the events that came."""

    before: DiffSide
    after: DiffSide
    since: str | None
    payloads: str | None
    events: int
    same: int
    different: int
    completed_today: int
    counts: list[DiffCount]
    differences: list[Difference]
    unreadable: list[dict[str, str]]
