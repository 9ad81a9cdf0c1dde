"""The commands and their options."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from relay import __version__

COMMON = argparse.SUPPRESS
CHANNELS = ("slack", "teams", "email", "webhook")
"""Those of `relay.preview`, which is not imported to say so; a test holds them together."""
LONGEST_COUNT = 19
"""Digits; SQLite counts to 2^63."""


class WrongUse(Exception):  # noqa: N818
    """An option or argument that there is not; its text is one clear line."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are one clear line."""

    def error(self, message: str) -> None:  # type: ignore[override]
        raise WrongUse(f"{message}; see `{self.prog} --help`")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            command = isinstance(action, argparse._SubParsersAction)
            what = next(iter(action.option_strings), "command" if command else action.dest)
            self.error(_unknown(what, str(value), list(action.choices)))

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """The same, with a word of help for an option that this command does not have."""
        found, beyond = super().parse_known_args(args, namespace)
        for word in beyond:
            option = word.partition("=")[0]
            if option.startswith("--"):
                self.error(_unknown("option", option, _long(self)))
        return found, beyond


def _long(parser: argparse.ArgumentParser) -> list[str]:
    return [option for option in parser._option_string_actions if option.startswith("--")]


def _unknown(what: str, word: str, known: Sequence[str]) -> str:
    from relay.text import nearest  # only whoever errs pays for it

    near = nearest(word, known)
    hint = f'did you mean "{near}"?' if near else f"there are {', '.join(known)}"
    return f'unknown {what} "{word}": {hint}'


def build() -> Parser:
    """The whole command line."""
    common = _places()
    parser = Parser(
        prog="relay",
        parents=[common],
        description="Tells the right people what 360dialog and Meta report about accounts.",
        epilog="Exit codes: 0 done, 1 the answer is no, 2 wrong use or cannot start.",
    )
    parser.add_argument("--version", action="version", version=f"relay {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(name: str, summary: str, *parents: Parser, places: Parser = common) -> Parser:
        command: Parser = commands.add_parser(
            name,
            parents=[places, *parents],
            help=summary,
            description=summary[0].upper() + summary[1:] + ".",
        )
        return command

    as_json = Parser(add_help=False)
    as_json.add_argument("--json", action="store_true", help="machine-readable output")
    which = _conditions()
    filters = Parser(add_help=False, parents=[which])
    filters.add_argument("--limit", metavar="N", type=_count, help="at most so many, the newest")

    demo = add("demo", "the whole service in sandbox mode, fed with sample events")
    demo.add_argument("--once", action="store_true", help="end after the samples")
    serve = add("serve", "take webhooks and deliver")
    serve.add_argument("--sandbox", action="store_true", help="keep messages, send nothing")
    serve.add_argument("--insecure", action="store_true", help="start without any webhook secret")
    serve.add_argument(
        "--hold-edits",
        action="store_true",
        help="RELAY_HOLD_EDITS=1: saved rules and templates wait for relay publish",
    )
    serve.add_argument("--log-level", default="info", choices=["debug", "info", "warning"])
    whole = _places(nargs="?", const="", help="RELAY_JOURNAL; given, every page of it is read")
    check = add("check", "find faults in rules and templates", as_json, places=whole)
    check.add_argument("--strict", action="store_true", help="warnings count as errors")
    explain = add("explain", "say who would be told of an event, and why", as_json)
    explain.add_argument(
        "what",
        metavar="FILE.json|EVENT_ID|DELIVERY_ID|KIND[/DETAIL]",
        help="a webhook body (- reads standard input), a recorded event, one of its deliveries,"
        " or a bundled sample",
    )
    explain.add_argument(
        "--now",
        action="store_true",
        help="of a recorded event: also what today's files would make of it",
    )
    preview = add("preview", "write a page that shows messages as each channel draws them")
    preview.add_argument(
        "what",
        metavar="KIND[/DETAIL]|all",
        nargs="?",
        help="the samples of a kind, or one of them; without it, the whole catalogue",
    )
    preview.add_argument(
        "--channel", metavar="C", action="append", choices=CHANNELS, help="this channel alone"
    )
    preview.add_argument("--language", metavar="L", default="en", help="of the texts (en)")
    preview.add_argument(
        "--template", metavar="NAME", help="as if a rule named this one, or a webhook"
    )
    preview.add_argument("--open", action="store_true", help="show the page in a browser")
    preview.add_argument(
        "--out", metavar="FILE", help="where to write it (relay-preview.html); - is the output"
    )
    routes = add("routes", "show who gets what", as_json)
    routes.add_argument("--phone", metavar="P", help="as for an event of this number")
    routes.add_argument("--client", metavar="C", help="as for an event of this client")
    diff = add("diff", "show what an edit would change, by the events that came", as_json)
    diff.add_argument(
        "new",
        metavar="NEW_RULES|VERSION",
        nargs="?",
        help="a file of rules, a folder with rules and templates, or a version (today's files)",
    )
    diff.add_argument(
        "--against", metavar="VERSION", type=_count, help="with which version (the live one)"
    )
    diff.add_argument(
        "--since",
        metavar="T",
        default="14d",
        help="by what came since 2h, 90d or 2026-11-23[T09:00] (14d)",
    )
    diff.add_argument(
        "--payloads", metavar="FOLDER", help="by the webhooks in a folder, for CI: *.json"
    )
    diff.add_argument(
        "--messages", action="store_true", help="compare what people read, too, and show it"
    )
    add("kinds", "list every kind of event", as_json)
    add("status", "say on one screen whether anything is wrong", as_json)
    for name, summary in (
        ("events", "list recorded events"),
        ("deliveries", "list deliveries and what the targets answered"),
    ):
        listed = add(name, summary, as_json, filters)
        listed.add_argument(
            "text", metavar="TEXT", nargs="?", help="part of a number, a name, an id or a reason"
        )
        if name == "deliveries":
            listed.add_argument("--by", choices=["reason"], help="how many there are of each")
    for name, summary in (
        ("retry", "put dead or parked deliveries back, and discarded ones by their ids"),
        ("discard", "give deliveries up"),
    ):
        change = add(name, summary, which)
        change.add_argument("ids", metavar="DELIVERY_ID", nargs="*", help="which ones")
        change.add_argument("--all", action="store_true", help="every one, after a question")
        change.add_argument("--yes", action="store_true", help="do not ask")
    again = add("replay", "tell recorded events again, by the rules of today", which, as_json)
    again.add_argument("ids", metavar="EVENT_ID", nargs="*", help="which ones")
    again.add_argument("--until", metavar="T", help="before 2h ago, or before 2026-11-23T09:00")
    again.add_argument("--to", metavar="DESTINATION", help="to this one, whatever the rules say")
    again.add_argument("--again", action="store_true", help="also to who was told already")
    again.add_argument("--dry-run", action="store_true", help="show what would be told")
    again.add_argument("--yes", action="store_true", help="do not ask, however many")
    silence = add("silence", "tell nobody of something for a while", as_json)
    silence.add_argument(
        "action", choices=["add", "list", "end"], help="begin one, show them, end one"
    )
    silence.add_argument("id", metavar="ID", nargs="?", help="end: which one")
    about = silence.add_argument_group("add: what nobody is told of, at least one of them")
    about.add_argument("--phone", metavar="P", help="in any spelling, or +49*")
    about.add_argument("--client", metavar="C", help="id or name")
    about.add_argument("--kind", metavar="K")
    about.add_argument("--topic", metavar="T", help="quality, template, …")
    about.add_argument("--destination", metavar="D", help="tell this one nothing")
    how = silence.add_argument_group("add: for how long, and why")
    how.add_argument("--for", dest="lasting", metavar="SPAN", help="30m, 2h, 3 days")
    how.add_argument(
        "--until", metavar="T", help="18:00, Monday or 2026-11-29T09:00, in the rules' zone"
    )
    how.add_argument("--why", metavar="TEXT", help="for whoever wonders")
    how.add_argument("--also-critical", action="store_true", help="critical events, too")
    reconcile = add("reconcile", "prove that nothing is missing, day by day", as_json)
    reconcile.add_argument("--since", metavar="T", help="from the day of 14d, or of 2026-11-23, on")
    backup = add("backup", "copy the journal, also while a relay serves it", as_json)
    backup.add_argument("file", metavar="FILE", help="where to; one file for its owner alone")
    backup.add_argument("--force", action="store_true", help="replace a file that is there")
    migrate = add("migrate", "move the journal from its file to PostgreSQL", as_json)
    migrate.add_argument("source", metavar="FROM", help="sqlite:///FILE, which no relay serves")
    migrate.add_argument("target", metavar="TO", help="postgresql://USER@HOST/DATABASE, empty")
    forget = add("forget", "erase the personal data of a number for good", as_json)
    forget.add_argument("--phone", metavar="P", required=True, help="with its country")
    forget.add_argument("--yes", action="store_true", help="ask nothing, also on a terminal")
    forget.add_argument(
        "--discard", action="store_true", help="give up the unfinished deliveries of its events"
    )
    quarantine = add("quarantine", "list what could not be read; with an id, show one", as_json)
    quarantine.add_argument("id", metavar="ID", nargs="?", help="show its body, on record")
    quarantine.add_argument("--since", metavar="T", help="14d, 2h, 30m, or 2026-11-23[T09:00]")
    quarantine.add_argument("--limit", metavar="N", type=_count, help="at most so many, the newest")
    add("publish", "make an edit live that serve --hold-edits holds back")
    versions = add("rules", "show the versions of the rules that were live", as_json)
    versions.add_argument(
        "action", choices=["log", "show", "revert"], help="list them, print one, go back to one"
    )
    versions.add_argument(
        "version", metavar="N", type=_count, nargs="?", help="which one (show: the newest)"
    )
    versions.add_argument("--limit", metavar="N", type=_count, help="list at most so many")
    versions.add_argument("--yes", action="store_true", help="do not ask before going back")
    directory = add("directory", "list, search and fill the directory of who is who", as_json)
    directory.add_argument(
        "what",
        metavar="SEARCH|import FILE.csv|sync",
        nargs="*",
        help="part of a number, name or id; or what to fill it from: a list, 360dialog's API",
    )
    directory.add_argument("--limit", metavar="N", type=_count, help="at most so many numbers")
    schema = add("schema", "print the JSON Schema of the rules file, for editors")
    schema.add_argument(
        "--sql",
        action="store_true",
        help="instead what makes the tables in PostgreSQL, for its administrator",
    )
    init = add("init", "write rules to begin with, and overwrite nothing")
    init.add_argument("folder", metavar="FOLDER", nargs="?", default=".", help="where to (here)")
    template = add("template", "fetch a template that the relay ships, to edit it")
    template.add_argument("action", choices=["copy"], help="into the folder of templates")
    template.add_argument(
        "names", metavar="NAME", nargs="+", help="channel_live, de/channel_live, KIND/DETAIL"
    )
    completion = add("completion", "print a script that lets a shell complete commands")
    completion.add_argument("shell", choices=["bash", "zsh", "fish"])
    connect = add("connect", "show or register the webhook URL at 360dialog's Partner API", as_json)
    connect.add_argument(
        "--url", metavar="URL", help="register this one: https://YOUR.HOST/webhooks/360dialog"
    )
    connect.add_argument("--yes", action="store_true", help="do not ask before it is replaced")
    watch = add("watch", "look at 360dialog's list of numbers now, as the relay does by itself")
    watch.add_argument("what", choices=["once"], help="one look")
    watch.add_argument("--dry-run", action="store_true", help="show what changed, record nothing")
    watch.add_argument("--json", action="store_true", help="machine-readable output")
    test = add("send-test", "send one message marked as a test and show the answer")
    test.add_argument("destination", metavar="DESTINATION")
    test.add_argument(
        "--event", metavar="KIND[/DETAIL]", default="channel_live", help="the sample to send"
    )
    return parser


def _places(**journal: Any) -> Parser:
    """Where things are; `journal` says more of its option, which may stand without a URL then."""
    places = Parser(add_help=False, argument_default=COMMON)
    group = places.add_argument_group("where things are (each has a twin in the environment)")
    group.add_argument("--rules", metavar="FILE", help="RELAY_RULES (rules.yaml)")
    group.add_argument("--templates", metavar="FOLDER", help="RELAY_TEMPLATES (message_templates)")
    default: dict[str, Any] = {"metavar": "URL", "help": "RELAY_JOURNAL (sqlite:///relay.db)"}
    group.add_argument("--journal", **{**default, **journal})
    group.add_argument("--listen", metavar="HOST:PORT", help="RELAY_LISTEN (127.0.0.1:8080)")
    group.add_argument(
        "--admin-listen",
        metavar="HOST:PORT",
        help="RELAY_ADMIN_LISTEN: API and metrics (the same as --listen)",
    )
    return places


def _conditions() -> Parser:
    which = Parser(add_help=False)
    group = which.add_argument_group("which ones")
    group.add_argument("--state", metavar="S")
    group.add_argument("--kind", metavar="K")
    group.add_argument("--phone", metavar="P")
    group.add_argument("--client", metavar="C", help="id or name")
    group.add_argument("--destination", metavar="D")
    group.add_argument("--since", metavar="T", help="14d, 2h, 30m, or 2026-11-23[T09:00]")
    return which


def _count(text: str) -> int:
    """A whole number that the journal can count with."""
    if not (text.isascii() and text.isdecimal() and len(text) < LONGEST_COUNT and int(text)):
        raise argparse.ArgumentTypeError("write a whole number from 1 on")
    return int(text)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The parsed command line. Raises `WrongUse`."""
    return build().parse_args(arguments)
