"""What a shell completes, by the script that `relay completion` prints."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from relay import cli
from relay.cli import arguments
from relay.cli.completion import INSTALL, _commands
from tests.each import each
from tests.needs import require

COMMANDS = _commands(arguments.build())


def script(shell: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.run(["completion", shell]) == 0
    said = capsys.readouterr()
    assert said.err == ""
    return said.out


@pytest.fixture
def bash(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    path = tmp_path / "relay.bash"
    path.write_text(script("bash", capsys))
    return path


@each(
    ("line", "expected"),
    [
        ("relay expl", ["explain"]),
        ("relay rules re", ["revert"]),
        ("relay serve --log-level d", ["debug"]),
        ("relay --rules other.yaml serve --hol", ["--hold-edits"]),
        ("relay explain channel_l", ["channel_live"]),
        ("relay events --kind channel_li", ["channel_live"]),
        ("relay check --rules ru", []),
        ("relay nonsense --", ["--help", "--version"]),
    ],
)
def test_bash_completes(line: str, expected: list[str], bash: Path) -> None:
    words = line.split()
    program = (
        f"source {bash}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1};"
        ' _relay; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.stdout.split() == expected


@pytest.mark.parametrize("shell", list(INSTALL))
def test_every_command_and_option_is_in_every_script(
    shell: str, capsys: pytest.CaptureFixture[str]
) -> None:
    said = script(shell, capsys)
    for name, (_, options) in COMMANDS.items():
        assert name in said
        for one in options:
            for option in one.names:
                shown = f"-l {option[2:]}" if shell == "fish" and option[:2] == "--" else option
                assert shown.removeprefix("-") in said


@pytest.mark.parametrize("shell", list(INSTALL))
def test_the_shell_itself_finds_no_fault_in_its_script(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    require(None if shutil.which(shell) else f"there is no {shell}")
    (tmp_path / "script").write_text(script(shell, capsys))
    done = subprocess.run([shell, "-n", str(tmp_path / "script")], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
