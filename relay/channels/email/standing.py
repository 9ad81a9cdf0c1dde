"""Whose fault it is that a mail server takes no recipient: the recipients' or our account's.

Some refusals say it themselves. Of the others one recipient proves nothing: what recipients who
have nothing in common but our account are told in the same words is about the account. And an
account by which others are reached is not to blame for one who is not. Kept in memory, since it
is only evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from relay.channels.email.answers import says_ours, says_policy, says_theirs, wording

_SOON = 900.0
"""Seconds for which a recipient that was taken speaks for the account."""
_MOST = 1_000
"""Different refusals that are remembered: a mail server may write what it likes into them."""


class Standing:
    """What the recipients of one account were lately told."""

    def __init__(self) -> None:
        self._taken: dict[str, float] = {}
        """When each recipient was last taken."""
        self._told: dict[str, set[tuple[str, str]]] = {}
        """By refusal: the targets and domains that got it since a recipient was taken."""
        self._acquitted: set[tuple[str, str]] = set()
        """Refusals of targets while the account worked for others."""

    def taken(self, target: str, recipients: Iterable[str], at: float) -> None:
        """The server took these recipients of a target; `at` in seconds, as in `to_blame`."""
        self._taken |= dict.fromkeys(recipients, at)
        for words, whom in self._told.items():
            self._acquitted |= {(words, other) for other, _ in whom}
        self._acquitted = {pair for pair in self._acquitted if pair[1] != target}
        self._told.clear()

    def to_blame(
        self, target: str, refused: Mapping[str, tuple[int, str]], at: float
    ) -> tuple[int, str] | None:
        """The refusal that shows our account at fault; None where it may be the recipients'.

        `refused` are all recipients that were named, each with a final refusal.
        """
        if len(self._told) + len(self._acquitted) > _MOST:
            self._told.clear()
            self._acquitted.clear()
        works = any(at - then < _SOON for who, then in self._taken.items() if who not in refused)
        found = None
        for who, (code, text) in refused.items():
            if not (ours := says_ours(text)) and says_theirs(text):
                continue
            words = wording(code, text, who)
            whom = self._told.setdefault(words, set())
            whom.add((target, who.rpartition("@")[2].casefold()))
            if (
                (ours and (words, target) not in self._acquitted)
                or (says_policy(text) and not works)
                or any(len(set(shared)) > 1 for shared in zip(*whom, strict=True))
            ):
                found = found or (code, text)
        return found
