"""Every file in `tests/rules` has one fault, told in its first line: `# LINE:COLUMN message`."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from relay.channels import Outbound
from relay.config import load
from relay.errors import ConfigError

CORPUS = sorted((Path(__file__).parent / "rules").glob("*.yaml"))


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) >= 60


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_the_one_fault_is_found_at_its_place(path: Path) -> None:
    first = path.read_text("utf-8").partition("\n")[0]
    expected = re.fullmatch(r"# (\d+):(\d+) (.+)", first)
    assert expected is not None
    with pytest.raises(ConfigError) as caught:
        load(path, env={}, strict_env=True, outbound=Outbound(), templates=["welcome.md.j2"])
    errors = [fault for fault in caught.value.faults if fault.level == "error"]
    assert [(fault.line, fault.column, fault.message) for fault in errors] == [
        (int(expected[1]), int(expected[2]), expected[3])
    ]
    assert str(errors[0]).startswith(f"{path}:{expected[1]}:{expected[2]}: error: ")
