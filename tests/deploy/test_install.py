"""What is built from the checkout works outside of it, with nothing but what it says it needs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tomllib
from importlib.metadata import Distribution, distribution
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from relay import __version__
from tests.needs import ROOT

pytestmark = pytest.mark.slow
PIP = (sys.executable, "-m", "pip", "-q", "--disable-pip-version-check", "--no-input")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package, built from a copy so that a build of before leaves nothing in it."""
    copy = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md", "rules.yaml"):
        shutil.copy(ROOT / name, copy)
    for name in ("relay", "message_templates"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=ignored)
    offline = ("--no-deps", "--no-index", "--no-build-isolation")
    subprocess.run([*PIP, "wheel", *offline, "-w", str(copy / "dist"), str(copy)], check=True)
    (built,) = (copy / "dist").iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The `relay` of a new environment that has the wheel and the packages that it asks for."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = str(folder / "bin" / "python")
    alone = ("--no-deps", "--no-index")
    subprocess.run([*PIP, "--python", python, "install", *alone, str(wheel)], check=True)
    (site,) = (folder / "lib").glob("python*/site-packages")
    for needed in _needed_by(Distribution.at(next(site.glob("relay_360-*.dist-info")))):
        for top in {file.parts[0] for file in needed.files or ()} - {"..", "__pycache__"}:
            if not (site / top).exists():
                (site / top).symlink_to(str(needed.locate_file(top)))
    return folder / "bin" / "relay"


def _needed_by(package: Distribution) -> list[Distribution]:
    """What a package asks for, and what that asks for, as this environment has it."""
    found: dict[str, Distribution] = {}
    asked = [(package, "")]
    while asked:
        one, extra = asked.pop()
        for line in one.requires or ():
            need = Requirement(line)
            if need.marker and not need.marker.evaluate({"extra": extra}):
                continue
            name = canonicalize_name(need.name)
            if name not in found:
                found[name] = distribution(name)
                asked += [(found[name], more) for more in ("", *need.extras)]
    return list(found.values())


def test_the_demo_runs_from_an_installed_wheel(installed: Path, tmp_path: Path) -> None:
    ran = subprocess.run(
        [str(installed), "demo", "--once"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "COLUMNS": "100"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert "Number is live" in ran.stdout
    assert str(ROOT) not in ran.stdout + ran.stderr


def test_a_folder_of_ones_own_begins_and_is_checked_from_an_installed_wheel(
    installed: Path, tmp_path: Path
) -> None:
    for words in (["init"], ["check"]):
        ran = subprocess.run(
            [str(installed), *words], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stdout + ran.stderr


def test_the_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    packed = set(ZipFile(wheel).namelist())
    ours = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "relay").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    # What the starter has by links to the top of the checkout.
    ours |= {
        f"relay/starter/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / "message_templates").rglob("*.j2")
    }
    assert ours - packed == set()


def locked(file: str) -> set[str]:
    text = (ROOT / file).read_text(encoding="utf-8")
    return {canonicalize_name(name) for name in re.findall(r"^([\w.-]+)==", text, re.MULTILINE)}


def test_the_locks_hold_what_the_package_asks_for() -> None:
    extras = PROJECT["optional-dependencies"]
    for file, names in (
        ("requirements.lock", ["build"]),
        ("requirements-dev.lock", ["build", "dev"]),
        ("deploy/requirements.lock", ["build", "otel", "postgres"]),
    ):
        asked = [*PROJECT["dependencies"], *(line for name in names for line in extras[name])]
        assert {canonicalize_name(Requirement(line).name) for line in asked} <= locked(file), file


def test_the_dev_environment_has_every_extra() -> None:
    extras = PROJECT["optional-dependencies"]
    assert {line for name in ("otel", "postgres") for line in extras[name]} <= set(extras["dev"])


def test_a_journal_in_postgresql_without_its_extra_is_one_clear_line(
    installed: Path, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [str(installed), "events", "--journal", "postgresql://relay:secret-word@localhost/relay"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (2, "")
    assert re.fullmatch(
        r"relay: a journal in PostgreSQL needs \w+: install relay-360\[postgres\]\n", ran.stderr
    )


def test_the_package_says_what_it_is() -> None:
    assert PROJECT["version"] == __version__
    assert set(PROJECT) >= {"authors", "classifiers", "keywords", "readme", "requires-python"}
    assert "Programming Language :: Python :: 3.13" in PROJECT["classifiers"]
