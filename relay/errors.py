"""What can go wrong, told apart by whose fault it is and what to do about it.

RelayError
├── UsageError            the operator's: a wrong option or setting; exit 2
│   └── ConfigError       faults in rules.yaml, lists or templates, all of them at once
├── JournalError          the store could not do what was asked
│   ├── JournalFullError       no room: answer 503, go on delivering, try again later
│   ├── JournalClosedError     the relay has given it back
│   ├── JournalBrokenError     a sync failed: nothing may be acknowledged again; the process ends
│   ├── JournalLockedError     another relay serves this journal
│   └── JournalUnusableError   missing, read-only, damaged, or of a newer relay; exit 2
├── RenderError           a template failed; the built-in message takes its place
├── UnsendableError       a channel cannot write this message; counts as refused
└── IllegalMoveError           a delivery was asked to change in a way its table does not know
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


class RelayError(Exception):
    """Anything that the relay raises on purpose; its text is one clear line for a person."""


class UsageError(RelayError):
    """A wrong option, setting or argument; the command ends with exit code 2."""


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One finding about a file: where it is, what is wrong and what would be right.

    `line` and `column` count from 1; what is said of a file as a whole stands at its beginning.
    The text never holds a value that came from the environment.
    """

    file: str
    line: int
    column: int
    level: Literal["error", "warning"]
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}: {self.level}: {self.message}"


class ConfigError(UsageError):
    """Faults of `rules.yaml`, its lists or its templates; `faults` has every one of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(faults))
        # What keeps the relay from starting is said before what is only probably not meant.
        told = sorted(self.faults, key=lambda fault: fault.level)
        super().__init__("\n".join(str(fault) for fault in told))


class JournalError(RelayError):
    """The journal could not record or read."""


class JournalFullError(JournalError):
    """There is no room to record; it may come back by itself."""


class JournalBusyError(JournalError):
    """Another program holds the journal; it lets go by itself."""


class JournalClosedError(JournalError):
    """The relay has given the journal back; nothing more is recorded by it."""


class JournalBrokenError(JournalError):
    """The disk failed under the journal. What was not acknowledged must not be acknowledged now."""


class JournalLockedError(JournalError):
    """Another process serves this journal."""


class JournalUnusableError(JournalError):
    """The journal cannot be opened: missing folder, no permission, damage, or a newer schema."""


class PartnerApiError(RelayError):
    """360dialog did not give what was asked for; the text never holds the key or a body."""


class RenderError(RelayError):
    """A template could not be turned into a message; the text says which and why."""


class UnsendableError(RelayError):
    """A channel cannot write this message in its own format."""


class IllegalMoveError(RelayError):
    """A delivery was asked for a change that its transition table does not have."""
