"""What an editor says of each key of `rules.yaml`, and what it offers to write there.

The keys themselves stand where the file is read; a test holds these words against them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

ABOUT: Mapping[str, str] = {
    "": "Who must know of what. `relay check` finds what is wrong with it.",
    "version": "Of this language: 1.",
    "timezone": "Of the times in messages: the name of an IANA zone.",
    "language": "Of the messages of all destinations that name none: a code such as de or pt-BR.",
    "accounts": "What destinations share: one account for each transport.",
    "destinations": "Named places, each with one transport.",
    "phones": "Named lists of numbers, for `phone` in rules.",
    "clients": "Named lists of clients, by id or name, for `client` in rules.",
    "rules": "All rules that match apply, in order.",
    "default": "Who hears of events that no rule matched.",
    "alarms": "Who hears of the relay's own troubles; best by two transports.",
    "watch": "What the relay asks for by itself, and who hears that it is alive.",
    "watch.quality": "How often 360dialog is asked for rating, limit and status of each number.",
    "watch.no_events": "An alarm when a source that used to speak says nothing for so long.",
    "watch.heartbeat": "A URL that is called each minute while all is well; from the environment.",
    "tests": "What must come of an event: run by `relay check`, at start and at reload.",
    "privacy": "What is kept although it is private.",
    "privacy.keep": "`contact_info`: how to reach clients; else only country and language.",
    "send_to": "Names of destinations; `none` tells nobody and ends the list.",
    # Accounts
    "accounts.slack": "A workspace, by the token of its bot.",
    "accounts.slack.token": "Of a bot with the scope chat:write; from the environment.",
    "accounts.slack.api_url": "Where Slack's Web API stands, for a gateway or a test server.",
    "accounts.email": "A submission server and the sender.",
    "accounts.email.host": "The server's name, without a port.",
    "accounts.email.port": "Without it 465 for implicit, 587 for starttls, 25 for none.",
    "accounts.email.tls": "How the connection is encrypted.",
    "accounts.email.sender": "An address, alone or with a name before it.",
    "accounts.email.username": "Together with a password, or not at all.",
    "accounts.email.password": "From the environment.",
    "accounts.email.reply_to": "Where answers go, if not to the sender.",
    "accounts.email.hostname": "The relay's full name in the greeting; else the machine's.",
    # Destinations
    "destination": "A place: one transport, and what holds for this place alone.",
    "destination.slack": "A channel that the bot posts to, or an incoming webhook.",
    "destination.slack.channel": "Its name, quoted, or its id (C… or G…).",
    "destination.slack.webhook": "The URL of an incoming webhook; from the environment.",
    "destination.email": "The people who get the mail.",
    "destination.email.to": "Mail addresses.",
    "destination.email.cc": "Mail addresses that get a copy.",
    "destination.teams": 'A workflow: "When a Teams webhook request is received".',
    "destination.teams.url": "The URL of the workflow; from the environment.",
    # Lists
    "list.file": "A file beside this one: one value to a line, or CSV with a header.",
    # Rules
    "rule": "Conditions, and where to send what meets them.",
    "rule.name": "Explanations, footers and the journal name the rule by it.",
    "rule.when": 'Which events: keys are joined by "and", a list is "or".',
    "rule.send_to": "Names of destinations; `none` tells nobody and ends the list.",
    "rule.stop": "true: the rules below are not judged after a match.",
    "rule.always": "true: judged even if a rule above stopped the list or told nobody.",
    "rule.template": "The name of a template; without it, it is found by the kind of the event.",
    # Conditions
    "when.event": 'The kind of the event; `event: "*"` is everything.',
    "when.detail": "What happened in detail, as the sender spells it.",
    "when.topic": "What it is about.",
    "when.severity": "How much the subject matters.",
    "when.direction": "Which way it went.",
    "when.source": "Who reported it: 360dialog's Partner API, or Meta's envelope.",
    "when.phone": "Numbers with their country, prefixes such as +49*, or the name of a list.",
    "when.client": "The id (…CL) or name of a client, or the name of a list.",
    "when.waba": "The id of a WhatsApp Business account, Meta's or 360dialog's.",
    "when.country": "Of the client, else of the number: two letters.",
    "when.any": "Alternatives: one of these maps of conditions must hold.",
    "when.not": "Conditions that must not hold; of a list, none may hold.",
    "when.data": "A value of the event's own data, by its path.",
    "when.regex": "A regular expression of RE2.",
    # Tests
    "test": "An event, and what is expected of it.",
    "test.name": "What a failure is called by.",
    "test.event": "A bundled sample: KIND or KIND/DETAIL.",
    "test.file": "A webhook body in a file beside this one.",
    "test.with": "What is changed in the event before it is routed.",
    "test.expect": "The destinations that must hear of it, in any order; `none` for nobody.",
    "test.text": "Texts that each of the messages must show.",
    "test.rule": "A rule that must match.",
    "test.with.phone": "The number.",
    "test.with.phone_name": "The display name of the number.",
    "test.with.client": "The id of the client.",
    "test.with.client_name": "The name of the client.",
    "test.with.country": "The country: two letters.",
    "test.with.waba": "The id of the WhatsApp Business account.",
    "test.with.detail": "The detail, as the sender spells it.",
    "test.with.data": "A value of the event's own data, by its path.",
}
"""By the place of the key."""

EXAMPLES: Mapping[str, tuple[Any, ...]] = {
    "timezone": ("Europe/Berlin", "America/Sao_Paulo", "UTC"),
    "send_to": ("support", ["oncall", "support"], "none"),
    "rule.send_to": ("support", ["oncall", "support"], "none"),
    "accounts.slack.token": ("${SLACK_BOT_TOKEN}",),
    "accounts.email.host": ("smtp.example.com",),
    "accounts.email.sender": ("Relay <relay@example.com>",),
    "accounts.email.password": ("${SMTP_PASSWORD}",),
    "destination.slack.channel": ("#wa-support",),
    "destination.slack.webhook": ("${SUPPORT_HOOK_URL}",),
    "destination.teams.url": ("${TEAMS_SALES_URL}",),
    "destination.email.to": (["oncall@example.com"],),
    "list.file": ("north.csv",),
    "rule.when": ({"event": "*"}, {"topic": "quality", "direction": "worse"}),
    "rule.template": ("welcome",),
    "when.phone": ("+49 151 2345678", "+49*", "vip"),
    "when.client": ("acme01CL",),
    "when.country": ("DE", "BR"),
    "when.any": ([{"topic": "ban"}, {"severity": "critical"}],),
    "when.not": ({"direction": "better"},),
    "when.regex": ("^promo_[0-9]+$",),
    "test.expect": ("support", ["oncall", "support"], "none"),
    "test.with.phone": ("+49 171 3920011",),
}
"""What could stand there."""

DEFAULTS: Mapping[str, Any] = {
    "timezone": "UTC",
    "language": "en",
    "rule.stop": False,
    "rule.always": False,
}
"""What holds where the key is missing. Those of accounts and destinations are their models'."""
