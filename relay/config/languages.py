"""`language`: of all destinations, or of one."""

from __future__ import annotations

from relay.config.findings import quoted
from relay.config.form import Form
from relay.config.nodes import Entry, Scalar
from relay.messages.languages import canonical, meant

_EXAMPLES = "de, en or pt-BR"


def read_language(form: Form, entry: Entry | None, otherwise: str) -> str:
    """The code that a file names; `otherwise` where it names none or one that does not exist."""
    filled = form.filled(entry.value, "language") if entry is not None else None
    if entry is None or filled is None or filled.missing:
        return otherwise
    found = canonical(filled.text)
    if found is not None:
        return found
    assert isinstance(entry.value, Scalar)  # what is filled is a text
    word = entry.value.text
    near = meant(word)
    remedy = f'did you mean "{near}"?' if near else f"write a code such as {_EXAMPLES}"
    form.error(entry.value, f"unknown language {quoted(word)}: {remedy}")
    return otherwise
