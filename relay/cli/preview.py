"""`relay preview`: how the messages of an event look in each channel, as a page."""

from __future__ import annotations

import sys
import webbrowser
from argparse import Namespace
from pathlib import Path
from zoneinfo import ZoneInfo

from relay import reload, samples
from relay.cli.output import clean
from relay.errors import UsageError
from relay.messages.languages import canonical, meant
from relay.messages.templates import Templates
from relay.preview import FOR_PEOPLE, events, page, preview
from relay.settings import Settings

FILE = "relay-preview.html"
"""In the current folder: the same name each time, so that a browser can reload it."""
CATALOGUE = "The catalogue of events"
ABOUT = (
    "Drawn from what would be sent, for the bundled samples and made-up destinations. "
    "Clients differ in details; the words, their order and their styles are what people get."
)
_UTC = ZoneInfo("UTC")


async def run(options: Namespace, settings: Settings) -> int:
    """Write the page and say where it is; no rules, no journal and no network are needed."""
    everything = options.what in (None, "all")
    names = samples.names() if everything else samples.matching(options.what)
    language = _language(options.language)
    templates = Templates.load(settings.templates, behind=Templates.shipped())
    timezone = _timezone(settings)
    is_body = options.template and templates.body(options.template, language)
    channels = options.channel or (("webhook",) if is_body else FOR_PEOPLE)
    previews = [
        preview(
            name,
            event,
            templates,
            timezone,
            channels=channels,
            language=language,
            template=options.template,
        )
        for name in names
        for event in events(name)
    ]
    title = CATALOGUE if everything else f"Preview: {options.what}"
    document = page(previews, title=title, about=ABOUT)
    if options.out == "-":
        sys.stdout.flush()
        sys.stdout.buffer.write(document.encode())  # As the page itself says.
        return 0
    path = Path(options.out or FILE)
    _write(path, document)
    print(path)
    if options.open:
        _open(path)
    return 0


def _write(path: Path, document: str) -> None:
    try:
        path.write_text(document, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UsageError(f"cannot write {path}: {error.strerror}; --out says where to") from None


def _open(path: Path) -> None:
    if not webbrowser.open(path.resolve().as_uri()):
        raise UsageError(f"found no browser: open {path} yourself")


def _language(word: str) -> str:
    code = canonical(word)
    if code is None:
        near = meant(word)
        hint = f'did you mean "{near}"?' if near else "give a code such as en, de or pt-BR"
        raise UsageError(f'--language: "{clean(word[:80])}" is no language: {hint}')
    return code


def _timezone(settings: Settings) -> ZoneInfo:
    """The one of the rules where they can be loaded; a preview needs none."""
    try:
        return reload.show(settings).plan.timezone
    except UsageError:
        return _UTC
