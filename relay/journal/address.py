"""Where a journal stands, read from its address; needs no engine."""

from __future__ import annotations

from pathlib import Path

from relay.errors import JournalUnusableError

SETTING = "RELAY_JOURNAL or --journal"


def journal_path(url: str) -> Path:
    """The file that `sqlite:///relay.db` or `sqlite:////var/lib/relay.db` names, links followed.

    So what stands beside it (lock, socket, reserve) is the same for whoever names it otherwise.
    The address itself is never repeated: one of another engine may hold a password.
    """
    scheme, _, rest = url.partition("://")
    if scheme != "sqlite" or not rest.startswith("/") or len(rest) == 1 or "\0" in rest:
        raise JournalUnusableError(
            f"the journal must be given as sqlite:///FILE or sqlite:////FOLDER/FILE ({SETTING})"
        )
    try:
        return Path(rest[1:]).resolve()
    except (OSError, RuntimeError):  # A name that is too long, or links in a circle.
        raise JournalUnusableError(f"the journal's name leads nowhere ({SETTING})") from None
