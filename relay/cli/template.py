"""`relay template copy NAME`: a shipped template to edit."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping

from relay import starter
from relay.cli.init import write_new
from relay.cli.output import clean
from relay.config.nodes import unknown
from relay.errors import UsageError
from relay.events import Topic
from relay.settings import Settings

END, BODY = ".md.j2", ".json.j2"
_WIDE = ("default", *Topic)


async def run(options: Namespace, settings: Settings) -> int:
    """Write shipped templates into the folder; overwrite nothing. 1 if one is there already."""
    shipped = starter.templates()
    files = [_file(name, shipped) for name in options.names]
    left = False
    for file in files:
        path = settings.templates / file
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            new = write_new(path, shipped[file])
        except OSError as error:
            reason = error.strerror or "unknown reason"
            raise UsageError(f"cannot write {clean(str(path))}: {reason}") from None
        print(f"{'wrote' if new else 'left alone, as it is there already:'} {clean(str(path))}")
        if new and file.removesuffix(END).rpartition("/")[2] in _WIDE:
            print("it speaks for all that your folder has no closer template for, shipped or not")
        left = left or not new
    return int(left)


def _file(name: str, shipped: Mapping[str, str]) -> str:
    """The file of a name, however its case is. Raises `UsageError`."""
    names = {file.removesuffix(END).removesuffix(BODY): file for file in shipped}
    folded = {bare.casefold(): file for bare, file in names.items()}
    wanted = name.removesuffix(END).removesuffix(BODY)
    # A detail stands behind a dot in a file's name, and behind a slash everywhere else.
    for spelt in (wanted, wanted.replace("/", ".", 1)):
        if spelt.casefold() in folded:
            return folded[spelt.casefold()]
    raise UsageError(unknown("template", name, list(names)))
