"""The HTML part of a mail, drawn with what every reader knows.

Outlook draws with Word's engine: tables, `bgcolor`, widths as attributes, no flex, no grid, no
`max-width` (hence the table in a comment that only it reads). Gmail may drop `<style>`, so all
that matters is inline, and `<style>` only helps dark mode. The text has no colour of its own and
stands on no background, so what a reader inverts stays readable. Nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from relay.channels.fit import Tone, gist, tone
from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Fact,
    Facts,
    Inline,
    Inlines,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
    Text,
)

FONT = "font-family:'Segoe UI',-apple-system,BlinkMacSystemFont,Roboto,Helvetica,Arial,sans-serif"
_MONO = "font-family:Consolas,Menlo,'Courier New',monospace"
_SIZE = "font-size:15px;line-height:22px"
_GREY = "#6f7782"
"""Readable on white and on black (4.5 and 4.6 to 1)."""
_LINE = "#d5d9de"
_EDGE = "#8a919b"
FILLER = "&#847;&zwnj;&nbsp;" * 60
"""Keeps the body out of the inbox's preview, which else fills up with it."""


@dataclass(frozen=True, slots=True)
class _Colours:
    """The bar, and a button that white letters can be read on."""

    bar: str
    button: str


COLOURS = {
    Tone.GOOD: _Colours("#2e9e6b", "#1d7a50"),
    Tone.INFO: _Colours("#3b82c4", "#2563a5"),
    Tone.WARNING: _Colours("#e0a100", "#8a6100"),
    Tone.BAD: _Colours("#d6304a", "#b4233b"),
}


def html(message: Message) -> str:
    """A tidy message as a document."""
    colours = COLOURS[tone(message)]
    rows = [part for block in message.blocks for part in _block(block, colours)]
    if message.footer:
        rows.append(footer(message.footer))
    body = "\n".join(rows)
    return document(
        f"""{_preheader(gist(message))}
<!--[if mso]><table role="presentation" width="640" cellpadding="0" cellspacing="0" border="0"><tr><td><![endif]-->
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0" style="max-width:640px">
<tr><td width="6" bgcolor="{colours.bar}" style="width:6px;background-color:{colours.bar};font-size:1px;line-height:1px">&nbsp;</td>
<td dir="auto" style="padding:2px 0 4px 18px;{FONT};{_SIZE};text-align:start">
<h1 style="margin:0 0 14px;font-size:20px;line-height:27px;font-weight:bold">{_text(message.title)}</h1>
{body}
</td></tr></table>
<!--[if mso]></td></tr></table><![endif]-->""",  # noqa: E501
        message.language,
        message.title,
    )


def document(body: str, language: str, title: str) -> str:
    """A whole document around a body: language, dark mode, and room at the edges."""
    return f"""<!DOCTYPE html>
<html lang="{_text(language)}" xmlns="http://www.w3.org/1999/xhtml"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width,initial-scale=1">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>{_text(title)}</title>
<style>:root{{color-scheme:light dark;supported-color-schemes:light dark}}
@media (prefers-color-scheme:dark){{.fact{{border-color:#3d444d !important}}.quiet{{color:#9198a1 !important}}}}</style>
</head>
<body style="margin:0;padding:16px">
{body}
</body></html>
"""  # noqa: E501


def footer(text: str) -> str:
    """The line that closes every mail, overrides included."""
    return (
        f'<p class="quiet" dir="auto" style="margin:20px 0 0;{FONT};font-size:12px;'
        f'line-height:18px;color:{_GREY}">{_text(text)}</p>'
    )


def _preheader(text: str) -> str:
    """What an inbox shows beside the subject; unseen in the mail itself."""
    if not text:
        return ""
    hidden = "display:none;max-height:0;max-width:0;overflow:hidden;font-size:1px;line-height:1px"
    return f'<div style="{hidden};opacity:0;mso-hide:all">{_text(text)}{FILLER}</div>'


def _block(block: Block, colours: _Colours) -> Iterator[str]:
    match block:
        case Paragraph(inlines=inlines):
            for lines, last in _parts(inlines):
                yield f'<p dir="auto" style="margin:0 0 {12 if last else 6}px">{lines}</p>'
        case Bullets(items=items, ordered=ordered):
            yield _items(items, ordered, top=True)
        case Quote(paragraphs=paragraphs):
            quoted = "<br><br>".join(_inlines(inlines) for inlines in paragraphs)
            yield (
                f'{_table("margin:0 0 12px")}<tr><td width="3" bgcolor="#9ca3af" '
                'style="width:3px;background-color:#9ca3af;font-size:1px">&nbsp;</td>'
                f'<td dir="auto" style="padding:2px 0 2px 12px;{_SIZE}">{quoted}</td></tr></table>'
            )
        case Facts(facts=facts):
            yield _table("margin:2px 0 14px", width="100%")
            yield from (_fact(fact) for fact in facts)
            yield "</table>"
        case Buttons(links=links):
            yield '<p style="margin:0;font-size:6px;line-height:6px">&nbsp;</p>'
            yield from (
                _button(link, colours, filled=not number) for number, link in enumerate(links)
            )
            yield '<div style="clear:both;font-size:1px;line-height:1px">&nbsp;</div>'


def _parts(inlines: Inlines) -> Iterator[tuple[str, bool]]:
    """A paragraph where lines that begin in bold ("Sales: …") stand a little apart."""
    starts = [
        at
        for at, (inline, after) in enumerate(pairwise(inlines))
        if isinstance(inline, Break) and isinstance(after, Text) and after.bold
    ]
    for start, end in pairwise([-1, *starts, len(inlines)]):
        yield _inlines(inlines[start + 1 : end]), end == len(inlines)


def _table(style: str, *, width: str = "") -> str:
    wide = f' width="{width}"' if width else ""
    return (
        f'<table role="presentation"{wide} cellpadding="0" cellspacing="0" border="0" '
        f'style="border-collapse:collapse;{style}">'
    )


def _fact(fact: Fact) -> str:
    cell = f"padding:5px 0;vertical-align:top;font-size:14px;line-height:20px;border-bottom:1px solid {_LINE}"  # noqa: E501
    return (
        f'<tr><td class="fact" width="32%" valign="top" dir="auto" style="{cell};width:32%;'
        f'padding-right:12px"><span class="quiet" style="color:{_GREY}">{_text(fact.label)}</span>'
        f'</td><td class="fact" valign="top" dir="auto" style="{cell};word-break:break-word;'
        f'overflow-wrap:anywhere">{_inlines(fact.value)}</td></tr>'
    )


def _button(link: Link, colours: _Colours, *, filled: bool) -> str:
    """A cell with a colour, since Outlook gives a link neither padding nor background.

    The letters of an outlined one are those of the text around it, light or dark.
    """
    fill = colours.button
    ground = f' bgcolor="{fill}"' if filled else ""
    look = f"background-color:{fill};color:#ffffff" if filled else "color:inherit"
    return (
        f'<table role="presentation" align="left" cellpadding="0" cellspacing="0" border="0" '
        f'style="margin:0 10px 10px 0"><tr><td{ground} style="border:1px solid '
        f'{fill if filled else _EDGE};border-radius:5px;padding:7px 15px"><a '
        f'href="{_text(link.url)}" target="_blank" rel="noopener noreferrer" style="{FONT};'
        f'font-size:14px;line-height:20px;font-weight:bold;text-decoration:none;{look}">'
        f"{_text(link.label)}</a></td></tr></table>"
    )


def _items(items: tuple[Item, ...], ordered: bool, *, top: bool) -> str:
    kind = "ol" if ordered else "ul"
    lines = "".join(
        f'<li dir="auto" style="margin:0 0 4px">{_inlines(item.inlines)}'
        f"{_items(item.items, False, top=False) if item.items else ''}</li>"
        for item in items
    )
    margin = "0 0 12px" if top else "4px 0 0"
    return f'<{kind} style="margin:{margin};padding:0 0 0 22px">{lines}</{kind}>'


def _inlines(inlines: Iterable[Inline]) -> str:
    return "".join(_inline(inline) for inline in inlines)


def _inline(inline: Inline) -> str:
    match inline:
        case Break():
            return "<br>"
        case Link(label=label, url=url):
            return (
                f'<a href="{_text(url)}" target="_blank" rel="noopener noreferrer">'
                f"{_text(label)}</a>"
            )
        case Text(text=text, bold=bold, italic=italic, code=code):
            shown = _text(text)
            if code:
                shown = f'<code style="{_MONO}">{shown}</code>'
            if italic:
                shown = f"<em>{shown}</em>"
            return f"<strong>{shown}</strong>" if bold else shown


def _text(text: str) -> str:
    return escape(text, quote=True)
