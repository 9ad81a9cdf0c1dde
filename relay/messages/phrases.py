"""The relay's own words in messages: signs in titles, the footer, the built-in message.

English and German are complete; other languages get the English words. Titles of events are in
`relay.messages.titles`.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from relay.messages.languages import DEFAULT
from relay.messages.titles import GERMAN

_ENGLISH = {
    "test": "test",
    "replay": "replay",
    "meta_test": "Meta's Test button",
    "late": "late: {span}",
    "minutes": "{count} min",
    "hours": "{count} h",
    "days": "{count} d",
    "received": "received {at}",
    "by_rule": "rule “{rule}”",
    "by_default": "by default: no rule matched",
    "by_alarm": "alarm of the relay",
    "by_test": "a test of {destination}",
    "by_template_test": "a test of a template",
    "by_replay": "a replay",
    "by": "by {cause}",
    "plain": "This is the plain message: {reason}",
    "override": "This is the usual form of the message: {reason}",
    "missing": "[missing: {name}]",
    "account": "account {id}",
    "client": "Client",
    "name": "Name",
    "number": "Number",
    "account_id": "Account",
    "event": "Event",
    "fields": "Fields",
    "nameless": "without a name",
    "new_kind": "New kind of event: {kind}",
}
_GERMAN = {
    "test": "Test",
    "replay": "Wiederholung",
    "meta_test": "Test-Schaltfläche von Meta",
    "late": "verspätet: {span}",
    "minutes": "{count} Min.",
    "hours": "{count} Std.",
    "days": "{count} T.",
    "received": "empfangen {at}",
    "by_rule": "Regel „{rule}“",
    "by_default": "Vorgabe: keine Regel traf zu",
    "by_alarm": "Alarm des Relays",
    "by_test": "ein Test von {destination}",
    "by_template_test": "ein Test einer Vorlage",
    "by_replay": "eine Wiederholung",
    "by": "durch {cause}",
    "plain": "Dies ist die einfache Nachricht: {reason}",
    "override": "Dies ist die übliche Form der Nachricht: {reason}",
    "missing": "[fehlt: {name}]",
    "account": "Konto {id}",
    "client": "Kunde",
    "name": "Name",
    "number": "Nummer",
    "account_id": "Konto",
    "event": "Ereignis",
    "fields": "Felder",
    "nameless": "ohne Namen",
    "new_kind": "Neue Art von Ereignis: {kind}",
}
PHRASES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"en": MappingProxyType(_ENGLISH), "de": MappingProxyType(_GERMAN)}
)
"""By language and key; every language has every key."""

_NEW_KIND = "New kind of event: "


def phrase(key: str, language: str, **values: object) -> str:
    """One of the relay's own phrases; `de-AT` is German, what is not there is English."""
    words = PHRASES.get(language.partition("-")[0], PHRASES[DEFAULT])
    return words[key].format(**values)


def title(text: str, language: str) -> str:
    """The title of an event, as the catalogue has it, in the language; else as it is."""
    if language.partition("-")[0] != "de":
        return text
    if text.startswith(_NEW_KIND):
        return phrase("new_kind", language, kind=text.removeprefix(_NEW_KIND))
    return GERMAN.get(text, text)
