"""Guides whose commands are run: what a page shows is what the relay of its story says.

A page of `docs/` tells a story. Its fences that say `console` hold commands and what they print;
`yaml FILE` and `jinja FILE` write a file, and `diff FILE` edits one. A comment `<!-- do: … -->`
makes something happen in the world outside. Ids, moments and spans may differ from run to run; the
rest of what is printed may not. With `RELAY_WRITE_GUIDES=1` the pages are written anew.
"""

from __future__ import annotations

import io
import re
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass

from relay import cli
from relay.control import user

_STEP = re.compile(
    r"^<!-- do: (?P<deed>.*?) -->$|^```(?P<kind>console|yaml|jinja|diff)(?: (?P<file>\S+))?\n"
    r"(?P<text>.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
_ID = re.compile(r"\b([0-9a-f]{8})(?:[0-9a-f]{12})?\b")
"""Whole, or as much of it as commands show."""
_LOOSE = (
    (re.compile(r"\b\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d)?)?"), "TIME"),
    (re.compile(r"\b\d\d? [A-Z][a-z]{2}( \d{4})?,? \d\d:\d\d(:\d\d)?"), "TIME"),
    (re.compile(r"\b(UTC|CES?T)\b"), "ZONE"),
    (re.compile(r"\b\d\d:\d\d(:\d\d)?\b"), "TIME"),
    (re.compile(r"\b\d+(\.\d+)? (ms|s|seconds?|min|minutes?|h|hours?|days?)\b"), "SPAN"),
    (re.compile(r"127\.0\.0\.1:\d+"), "HOST"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r" $", re.MULTILINE), ""),
    (re.compile(r"[─━]{3,}"), "─"),
)
LOGGED = '{"timestamp": '
"""So the log of the relay begins, which is in this process and in life is not."""


@dataclass(frozen=True, slots=True)
class Step:
    """One fence or comment of a page."""

    kind: str
    file: str
    text: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Command:
    """A line behind `$` and what stands below it, up to the next."""

    line: str
    shown: str

    @property
    def whole(self) -> str:
        return f"$ {self.line}\n{self.shown}"


def steps(page: str) -> Iterator[Step]:
    """What a page does, in its order."""
    for found in _STEP.finditer(page):
        kind = found["kind"] or "do"
        text = found["deed"] or found["text"] or ""
        yield Step(kind, found["file"] or "", text, found.start(), found.end())


def commands(fence: str) -> Iterator[Command]:
    """The commands of one fence."""
    for part in re.split(r"^\$ ", fence, flags=re.MULTILINE)[1:]:
        line, _, shown = part.partition("\n")
        yield Command(line, shown)


def edited(text: str, diff: str) -> str:
    """A file after an edit that is told by a few lines of it: " " stays, "-" goes, "+" comes."""
    lines = diff.splitlines()
    old = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "+")
    new = "".join(f"{line[1:]}\n" for line in lines if line[:1] != "-")
    if text.count(old) != 1:
        raise ValueError(f"the file has not once what is to be edited:\n{old}")
    return text.replace(old, new)


class Ids:
    """Which id of this run stands where the page shows another."""

    def __init__(self) -> None:
        self._now: dict[str, str] = {}

    def learn(self, shown: str, said: str) -> None:
        """Take the ids of what was said for those of what is shown, in their order."""
        for old, new in zip(_ids(shown), _ids(said), strict=False):
            self._now.setdefault(old, new)
        for new in _ids(said):
            if new not in self._now.values():
                self._now[new] = new

    def now(self, line: str) -> str:
        """A line of the page with the ids of this run; `@2` is the second one that was said."""
        said = list(dict.fromkeys(self._now.values()))
        line = re.sub(r"@(\d+)\b", lambda found: said[int(found[1]) - 1], line)
        return _ID.sub(lambda found: self._now.get(found[1], found[0]), line)


def _ids(text: str) -> list[str]:
    return list(dict.fromkeys(found[1] for found in _ID.finditer(text)))


def gist(text: str) -> str:
    """What must be the same in every run."""
    names: dict[str, str] = {}
    text = _ID.sub(lambda found: names.setdefault(found[1], f"ID{len(names)}"), text)
    for pattern, stand_in in _LOOSE:
        text = pattern.sub(stand_in, text)
    return text.strip()


def printed(line: str) -> str:
    """What a command says, errors behind the rest, as a pipe shows it, through `grep` if asked."""
    line, _, filtered = line.partition(" | grep -E ")
    wanted = re.compile("".join(shlex.split(filtered)))
    out, errors = io.StringIO(), io.StringIO()
    words = shlex.split(line)
    assert words[0] == "relay", line
    with redirect_stdout(out), redirect_stderr(errors), suppress(SystemExit):
        cli.run(words[1:])
    lines = (out.getvalue() + errors.getvalue()).splitlines()
    seen = [line for line in lines if wanted.search(line) and not line.startswith(LOGGED)]
    return "".join(f"{line.rstrip()}\n" for line in seen).replace(f" {user()} ", " anna ")
