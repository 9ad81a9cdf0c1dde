"""What a new folder begins with: the rules and templates that stand at the top of the checkout.

In a checkout they are links, so there is one copy; in a built package they are files.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from importlib.resources import files
from importlib.resources.abc import Traversable

from relay.errors import UsageError

RULES = "rules.yaml"
TEMPLATES = "message_templates"


TESTED = "0bba457e1f3fb271dd90213600e9d658ff86b2de955af8cbd9c6b6c1357bfaba"
"""The digest of the templates with which the relay's own tests passed."""


def contents() -> Mapping[str, str]:
    """The texts by their paths in the new folder, the rules first.

    Raises `UsageError` where the package was built without them.
    """
    root = files(__name__)
    try:
        texts = {RULES: (root / RULES).read_text(encoding="utf-8")}
        texts.update(_below(root / TEMPLATES, TEMPLATES))
    except OSError:
        raise UsageError(
            "this installation came without rules and templates to begin with"
        ) from None
    return texts


def digest(texts: Mapping[str, str]) -> str:
    """What is the same only for the same names and texts."""
    whole = sha256()
    for name, text in sorted(texts.items()):
        whole.update(f"{name}\0{text}\0".encode(errors="surrogatepass"))
    return whole.hexdigest()


def templates() -> Mapping[str, str]:
    """The shipped templates by their paths in their folder; none where the package has none."""
    above = f"{TEMPLATES}/"
    try:
        found = contents()
    except UsageError:
        return {}
    return {
        path.removeprefix(above): text for path, text in found.items() if path.startswith(above)
    }


def _below(folder: Traversable, path: str) -> Iterator[tuple[str, str]]:
    for item in sorted(folder.iterdir(), key=lambda item: item.name):
        below = f"{path}/{item.name}"
        if item.is_dir():
            yield from _below(item, below)
        elif item.name.endswith(".j2"):
            yield below, item.read_text(encoding="utf-8")
