"""A message as a mail: headers, a plain part and an HTML part that loads nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from html import escape
from typing import Any

from relay.channels import Parcel
from relay.channels.email_settings import EmailDestination
from relay.channels.fitting import Tone, fit, tone
from relay.channels.texts import cut, one_line
from relay.messages import (
    Block,
    Break,
    Bullets,
    Buttons,
    Facts,
    Inline,
    Item,
    Link,
    Message,
    Paragraph,
    Quote,
    Text,
)

SUBJECT = 200
"""Characters of a subject; readers show fewer, gateways refuse lines beyond 998 bytes."""
_ROOM = 60_000
_EACH = 20_000
_MOST_BLOCKS = 200
_LONGEST_DOMAIN = 40
COLOURS = {
    Tone.GOOD: "#2e8b57",
    Tone.INFO: "#6b7280",
    Tone.WARNING: "#d99a00",
    Tone.BAD: "#cc2936",
}
_FONT = "font-family:-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif"
_MONO = "font-family:Consolas,Menlo,monospace"


def write(parcel: Parcel, destination: EmailDestination) -> dict[str, Any]:
    """What is sent, as JSON-ready values: `headers`, `recipients`, `plain`, `html`."""
    fitted = fit(parcel.message, room=_ROOM, each=_EACH, most=_MOST_BLOCKS)
    return {
        "headers": _headers(parcel, destination),
        "recipients": list(parcel.recipients or destination.recipients),
        "plain": f"{fitted.title}\n\n{fitted.text}\n",
        "html": _html(fitted),
    }


def compose(payload: Mapping[str, Any]) -> bytes:
    """The mail of a payload, ready for DATA: ASCII, CRLF; the same payload gives the same bytes."""
    mail = EmailMessage(policy=SMTP)
    for name, value in payload["headers"].items():
        mail[name] = value
    mail.set_content(payload["plain"], charset="utf-8", cte="quoted-printable")
    mail.add_alternative(payload["html"], subtype="html", charset="utf-8", cte="quoted-printable")
    mail.set_boundary(f"=_{hashlib.sha256(mail['Message-ID'].encode()).hexdigest()[:32]}")
    return mail.as_bytes()


def message_id(delivery_id: str, sender: str) -> str:
    """The same for every attempt of a delivery, so that who gets it twice can tell."""
    return f"<{delivery_id}@{_domain(sender)}>"


def _domain(sender: str) -> str:
    """The sender's domain; a very long one is replaced, since a folded id is a broken id."""
    domain = sender.rpartition("@")[2].casefold()
    return domain if len(domain) <= _LONGEST_DOMAIN else domain[-_LONGEST_DOMAIN:].lstrip(".-")


def _headers(parcel: Parcel, destination: EmailDestination) -> dict[str, str]:
    sender = Address(display_name=destination.sender_name, addr_spec=destination.sender)
    headers = {"From": str(sender), "To": ", ".join(destination.to)}
    if destination.cc:
        headers["Cc"] = ", ".join(destination.cc)
    if destination.reply_to:
        headers["Reply-To"] = destination.reply_to
    headers |= {
        "Subject": cut(one_line(parcel.message.title) or "(no title)", SUBJECT),
        "Date": format_datetime(parcel.at),
        "Message-ID": message_id(parcel.delivery_id, destination.sender),
        "Auto-Submitted": "auto-generated",  # RFC 3834: nobody's holiday notice answers it
        "X-Auto-Response-Suppress": "All",  # the same for Exchange
    }
    if parcel.thread:
        # A root that no mail has: readers thread by it, and no mail need be the first.
        topic = hashlib.sha256(parcel.thread.encode("utf-8", "replace")).hexdigest()[:20]
        root = f"<thread-{topic}@{_domain(destination.sender)}>"
        headers |= {"In-Reply-To": root, "References": root}
    return headers


def _html(message: Message) -> str:
    colour = COLOURS[tone(message)]
    body = "\n".join(line for block in message.blocks for line in _block(block, colour))
    footer = (
        f'<p dir="auto" style="margin:20px 0 0;font-size:12px;opacity:.7">'
        f"{_text(message.footer)}</p>"
        if message.footer
        else ""
    )
    # No backgrounds and no text colours: what a reader inverts in dark mode stays readable.
    return f"""<!DOCTYPE html>
<html><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><meta name="supported-color-schemes" content="light dark">
<title>{_text(message.title)}</title></head>
<body style="margin:0;padding:16px">
<div style="max-width:640px;border-left:5px solid {colour};padding:4px 0 4px 16px;{_FONT};font-size:15px;line-height:1.5">
<h1 dir="auto" style="margin:0 0 14px;font-size:19px;line-height:1.3">{_text(message.title)}</h1>
{body}
{footer}
</div>
</body></html>
"""  # noqa: E501


def _block(block: Block, colour: str) -> Iterator[str]:
    match block:
        case Paragraph(inlines=inlines):
            yield f'<p dir="auto" style="margin:0 0 12px">{_inlines(inlines)}</p>'
        case Bullets(items=items, ordered=ordered):
            yield _items(items, ordered)
        case Quote(paragraphs=paragraphs):
            quoted = "<br><br>".join(_inlines(inlines) for inlines in paragraphs)
            yield (
                '<blockquote dir="auto" style="margin:0 0 12px;padding:2px 0 2px 12px;'
                f'border-left:3px solid #9ca3af">{quoted}</blockquote>'
            )
        case Facts(facts=facts):
            yield '<table role="presentation" style="border-collapse:collapse;margin:0 0 12px">'
            for fact in facts:
                yield (
                    '<tr><th align="left" dir="auto" style="padding:3px 16px 3px 0;'
                    f'vertical-align:top;font-size:15px">{_text(fact.label)}</th>'
                    '<td dir="auto" style="padding:3px 0;vertical-align:top;font-size:15px;'
                    f'word-break:break-word">{_inlines(fact.value)}</td></tr>'
                )
            yield "</table>"
        case Buttons(links=links):
            yield '<p style="margin:16px 0 12px">'
            for link in links:
                yield (
                    f'<a href="{_text(link.url)}" rel="noopener noreferrer" style="display:'
                    "inline-block;margin:0 8px 8px 0;padding:8px 14px;border-radius:4px;"
                    f'border:1px solid {colour};text-decoration:none">{_text(link.label)}</a>'
                )
            yield "</p>"


def _items(items: tuple[Item, ...], ordered: bool) -> str:
    kind = "ol" if ordered else "ul"
    lines = "".join(
        f'<li dir="auto">{_inlines(item.inlines)}'
        f"{_items(item.items, False) if item.items else ''}</li>"
        for item in items
    )
    return f'<{kind} style="margin:0 0 12px;padding-left:22px">{lines}</{kind}>'


def _inlines(inlines: Iterable[Inline]) -> str:
    return "".join(_inline(inline) for inline in inlines)


def _inline(inline: Inline) -> str:
    match inline:
        case Break():
            return "<br>"
        case Link(label=label, url=url):
            return f'<a href="{_text(url)}" rel="noopener noreferrer">{_text(label)}</a>'
        case Text(text=text, bold=bold, italic=italic, code=code):
            shown = _text(text)
            if code:
                shown = f'<code style="{_MONO}">{shown}</code>'
            if italic:
                shown = f"<em>{shown}</em>"
            return f"<strong>{shown}</strong>" if bold else shown


def _text(text: str) -> str:
    return escape(text, quote=True)
