"""Options, environment and secrets in files."""

from __future__ import annotations

from pathlib import Path

import pytest

from relay.errors import UsageError
from relay.settings import Address, Settings, doubts, from_environment, operators, parse_address
from tests.each import each


def test_an_option_goes_before_its_twin_in_the_environment() -> None:
    settings = from_environment({"RELAY_RULES": "a.yaml"}, {"rules": "b.yaml"})
    assert settings.rules == Path("b.yaml")


def test_what_is_not_set_has_the_default_of_the_contract() -> None:
    settings = from_environment({}, {})
    assert settings.rules == Path("rules.yaml")
    assert settings.templates == Path("message_templates")
    assert settings.journal == "sqlite:///relay.db"
    assert settings.listen == Address("127.0.0.1", 8080)


def test_a_secret_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    settings = from_environment({"RELAY_360DIALOG_SECRET_FILE": str(tmp_path / "secret")}, {})
    assert settings.secret_360dialog == "s3cret"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_byte_order_mark_is_no_part_of_a_secret(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "secret").write_bytes("s3cret-ü\r\n".encode(encoding))
    settings = from_environment({"RELAY_WEBHOOK_TOKEN_FILE": str(tmp_path / "secret")}, {})
    assert settings.webhook_token == "s3cret-ü"


@each(
    ("name", "value", "said"),
    [
        ("RELAY_360DIALOG_SECRET", " ", "is set and empty"),
        ("RELAY_ADMIN_TOKEN", "", "is set and empty"),
        ("RELAY_ADMIN_TOKEN", "Ada: Bob:long-enough-1", "names Ada without a token"),
        ("RELAY_ADMIN_TOKEN", "Ada:short Bob:long-enough-1", "is read as 2 secrets"),
        ("RELAY_WEBHOOK_TOKEN", "Bearer", "no secret behind it"),
        ("RELAY_WEBHOOK_TOKEN", "Bearer long-enough-1 Token", "no secret behind it"),
        ("RELAY_META_APP_SECRET", "correct horse battery", "is read as 3 secrets"),
        ("RELAY_META_VERIFY_TOKEN", "correct horse", "has blanks in it"),
    ],
)
def test_a_secret_that_is_probably_not_meant_is_told_and_not_shown(
    name: str, value: str, said: str
) -> None:
    (doubt,) = doubts(from_environment({name: value}, {}))
    assert doubt.startswith(name)
    assert said in doubt
    assert not any(word in doubt for word in value.split() if word.islower())


@pytest.mark.parametrize(("value", "held"), [("1", True), ("0", False), ("", False)])
def test_the_environment_says_whether_edits_are_held(value: str, held: bool) -> None:
    assert from_environment({"RELAY_HOLD_EDITS": value}, {}).hold_edits is held


@each(
    ("entry", "name", "sent"),
    [
        ("long-enough-1", "admin", ("long-enough-1",)),
        ("ada:long-enough-1", "ada", ("long-enough-1", "ada:long-enough-1")),
        ("Ada.L_2-x:a:b", "Ada.L_2-x", ("a:b", "Ada.L_2-x:a:b")),
        ("2fa:token", "admin", ("2fa:token",)),
        (":token", "admin", (":token",)),
        ("a" * 33 + ":token", "admin", ("a" * 33 + ":token",)),
        ("ada:", "ada", ()),
    ],
)
def test_an_operator_is_named_before_the_first_colon(
    entry: str, name: str, sent: tuple[str, ...]
) -> None:
    (one,) = operators(f" {entry}\n")
    assert (one.name, one.accepted) == (name, tuple(text.encode() for text in sent))


@pytest.mark.parametrize("value", ["s3cret-abc", "Bearer s3cret-abc", "old-secret-1 new-secret-2"])
def test_a_usual_secret_is_no_doubt(value: str) -> None:
    assert doubts(from_environment({"RELAY_WEBHOOK_TOKEN": value}, {})) == []


def test_a_placeholder_of_the_rules_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("xoxb-1")
    settings = from_environment({"SLACK_BOT_TOKEN_FILE": str(tmp_path / "token")}, {})
    assert "SLACK_BOT_TOKEN" in settings.env
    assert settings.env["SLACK_BOT_TOKEN"] == "xoxb-1"


def test_a_secret_file_that_cannot_be_read_is_named_with_its_setting(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"RELAY_ADMIN_TOKEN_FILE: cannot read .*No such file"):
        from_environment({"RELAY_ADMIN_TOKEN_FILE": str(tmp_path / "gone")}, {})


def test_settings_do_not_show_their_secrets() -> None:
    shown = repr(
        from_environment(
            {
                "RELAY_360DIALOG_SECRET": "one-secret",
                "RELAY_WEBHOOK_TOKEN": "two-secret",
                "RELAY_META_APP_SECRET": "three-secret",
                "RELAY_META_VERIFY_TOKEN": "four-secret",
                "RELAY_ADMIN_TOKEN": "five-secret",
            },
            {},
        )
    )
    assert "secret" not in shown.replace("has_webhook_secret", "")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:8080", Address("127.0.0.1", 8080)),
        (":9000", Address("127.0.0.1", 9000)),
        ("9000", Address("127.0.0.1", 9000)),
        ("[::1]:80", Address("::1", 80)),
        ("0.0.0.0:0", Address("0.0.0.0", 0)),
    ],
)
def test_an_address_is_read_as_people_write_it(text: str, address: Address) -> None:
    assert parse_address(text, "RELAY_LISTEN") == address


@pytest.mark.parametrize("text", ["localhost", "a:b", ":70000", "1.2.3.4:-1", ""])
def test_a_wrong_address_names_the_setting(text: str) -> None:
    with pytest.raises(UsageError, match="RELAY_LISTEN"):
        parse_address(text, "RELAY_LISTEN")


def test_blanks_are_no_secret() -> None:
    assert not Settings(secret_360dialog="  ").has_webhook_secret
    assert Settings(webhook_token="x").has_webhook_secret
