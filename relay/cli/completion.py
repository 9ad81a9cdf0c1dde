"""`relay completion SHELL`: a script by which a shell completes commands, options and kinds."""

from __future__ import annotations

import argparse
import re
import sys
from argparse import Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from relay import samples
from relay.cli import arguments
from relay.events.catalogue import KINDS
from relay.settings import Settings

INSTALL = {
    "bash": "relay completion bash > ~/.local/share/bash-completion/completions/relay",
    "zsh": 'relay completion zsh > "${fpath[1]}/_relay"',
    "fish": "relay completion fish > ~/.config/fish/completions/relay.fish",
}


@dataclass(frozen=True, slots=True)
class Option:
    """One option, or a place for words without one."""

    names: tuple[str, ...]
    """Empty: the word stands by itself."""
    about: str
    takes: bool
    """Whether a value follows."""
    values: tuple[str, ...]
    """The values that there are; empty: any, perhaps a file."""


async def run(options: Namespace, settings: Settings) -> int:  # noqa: ARG001
    """Print the script; on a terminal also say where it belongs."""
    parser = arguments.build()
    print({"bash": _bash, "zsh": _zsh, "fish": _fish}[options.shell](_commands(parser)))
    if sys.stdout.isatty():
        print(f"install it by: {INSTALL[options.shell]}", file=sys.stderr)
    return 0


Commands = Mapping[str, tuple[str, tuple[Option, ...]]]
"""By name, what each does and takes."""


def _commands(parser: argparse.ArgumentParser) -> Commands:
    (group,) = [one for one in parser._actions if isinstance(one, argparse._SubParsersAction)]
    about = {one.dest: one.help or "" for one in group._choices_actions}
    return {
        name: (about[name], tuple(map(_option, command._actions)))
        for name, command in group.choices.items()
    }


def _option(action: argparse.Action) -> Option:
    return Option(
        tuple(action.option_strings), action.help or "", action.nargs != 0, tuple(_values(action))
    )


def _values(action: argparse.Action) -> Iterator[str]:
    if action.choices is not None:
        yield from map(str, action.choices)
    elif action.dest == "kind":
        yield from KINDS
    elif isinstance(action.metavar, str) and "KIND" in action.metavar:
        yield from samples.names()


def _words(options: Sequence[Option]) -> str:
    """Everything that may stand in a place where no value is expected."""
    found = [word for one in options for word in one.names or one.values]
    return " ".join(found)


def _bash(commands: Commands) -> str:
    valued: dict[str, str] = {}
    for name, (_, options) in commands.items():
        for one in options:
            for option in one.names if one.takes else ():
                valued[f"{name}:{option}"] = " ".join(one.values)
    return "\n".join(
        (
            "_relay() {",
            "    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}",
            "    local command= known one",
            '    for one in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
            f"        case $one in {'|'.join(commands)}) command=$one; break;; esac",
            "    done",
            "    case $command:$before in",
            *(f'        {place}) known="{values}";;' for place, values in valued.items()),
            "        *) case $command in",
            f'            "") known="{" ".join(commands)} --help --version";;',
            *(
                f'            {name}) known="{_words(options)}";;'
                for name, (_, options) in commands.items()
            ),
            "        esac;;",
            "    esac",
            '    COMPREPLY=($(compgen -W "$known" -- "$word"))',
            "}",
            "complete -o default -F _relay relay",
        )
    )


def _zsh(commands: Commands) -> str:
    return "\n".join(
        (
            "#compdef relay",
            "_relay() {",
            "    local state line",
            "    local -a commands",
            "    commands=(",
            *(f"        {_quoted(f'{name}:{about}')}" for name, (about, _) in commands.items()),
            "    )",
            "    _arguments -C '1:command:->command' '*::argument:->argument'",
            "    case $state in",
            "        command) _describe command commands;;",
            "        argument) case $words[1] in",
            *(
                f"            {name}) _arguments {' '.join(_zsh_specs(options))};;"
                for name, (_, options) in commands.items()
            ),
            "        esac;;",
            "    esac",
            "}",
            '_relay "$@"',
        )
    )


def _zsh_specs(options: Sequence[Option]) -> Iterator[str]:
    words = [one for one in options if not one.names]
    for one in options:
        about = re.sub(r"([\[\]:\\])", r"\\\1", one.about)
        for name in one.names:
            yield _quoted(f"{name}[{about}]" + (f":value:{_zsh_values(one)}" if one.takes else ""))
    for place, one in enumerate(words, start=1):
        yield _quoted(f"{'*' if one is words[-1] else place}:word:{_zsh_values(one)}")


def _zsh_values(option: Option) -> str:
    return f"({' '.join(option.values)})" if option.values else "_files"


def _fish(commands: Commands) -> str:
    lines = ["complete -c relay -f"]
    for name, (about, options) in commands.items():
        lines.append(f"complete -c relay -n __fish_use_subcommand -a {name} -d {_quoted(about)}")
        inside = f"complete -c relay -n '__fish_seen_subcommand_from {name}'"
        for one in options:
            values = f" -a {_quoted(' '.join(one.values))}" if one.values else ""
            if not one.names:
                lines.append(f"{inside}{values or ' -F'}")
                continue
            shapes = " ".join(
                f"-l {word[2:]}" if word.startswith("--") else f"-s {word[1:]}"
                for word in one.names
            )
            value = f" -r{values or ' -F'}" if one.takes else ""
            lines.append(f"{inside} {shapes}{value} -d {_quoted(one.about)}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    """In single quotes, as these shells all read them."""
    return "'" + text.replace("'", "'\\''") + "'"
