"""Secrets that stand in the rules file itself: warned of, and kept by nobody."""

from __future__ import annotations

import pytest

from relay.channels import Outbound
from relay.config import Config, load_text

RULES = """\
version: 1
accounts:
  slack:   # before: xoxb-as-written-1
    token: WRITTEN
  email: {host: mail.example.com, tls: starttls, sender: relay@example.com,
          username: relay, password: WRITTEN}
destinations:
  support: {slack: {channel: "#wa-support"}}
  acme: {slack: {webhook: "https://hooks.slack.com/services/T0/B0/geheim-1"}}
  sales: {teams: {url: 'https://prod-1.westeurope.logic.azure.com/workflows/x?sig=geheim-2'}}
  oncall: {email: {to: [oncall@example.com]}}
rules:
  - {name: all, when: {event: "*"}, send_to: [support, acme, sales, oncall]}
default: {send_to: support}
alarms: {send_to: [support, oncall]}
"""


def loaded(text: str, env: dict[str, str] | None = None) -> Config:
    return load_text(text, "rules.yaml", env=env or {}, strict_env=True, outbound=Outbound())


@pytest.mark.parametrize(
    "written",
    [
        "xoxb-as-written-1",
        "'xoxb-as-written-1'",
        '"xoxb-as-\\x77ritten-1"',
        "|-\n      xoxb-as-written-1",
    ],
)
def test_what_is_kept_has_no_secret_and_reads_as_the_same_rules(written: str) -> None:
    text = RULES.replace("token: WRITTEN", f"token: {written}")
    text = text.replace("WRITTEN", '"${PASSWORD}"')
    config = loaded(text, {"PASSWORD": "from-outside"})
    for secret in ("as-written", "ritten-1", "geheim-1", "geheim-2"):
        assert secret not in config.kept
    assert "${PASSWORD}" in config.kept
    again = loaded(config.kept, {"PASSWORD": "x", **config.withheld})
    assert [one.when for one in again.rules.rules] == [one.when for one in config.rules.rules]
    assert set(again.destinations) == set(config.destinations)
    assert sorted(config.withheld) == [f"SECRET_NOT_KEPT_{n}" for n in (1, 2, 3)]
    assert "xoxb-as-written-1" in config.withheld.values()


def test_each_secret_that_stands_in_the_file_is_a_warning_at_its_place() -> None:
    config = loaded(RULES.replace("WRITTEN", "xoxb-as-written-1"))
    told = {
        (fault.line, fault.message.partition(" and ")[0])
        for fault in config.warnings
        if "is a secret" in fault.message
    }
    assert told == {
        (4, "accounts.slack.token is a secret"),
        (6, "accounts.email.password is a secret"),
        (9, "destinations.acme.slack.webhook is a secret"),
        (10, "destinations.sales.teams.url is a secret"),
    }
    assert "as-written" not in str(config.warnings)


def test_a_file_without_secrets_is_kept_to_the_letter() -> None:
    text = RULES.replace("WRITTEN", '"${TOKEN}"').replace(
        "https://hooks.slack.com/services/T0/B0/geheim-1", "${HOOK}"
    )
    text = text.replace(
        "'https://prod-1.westeurope.logic.azure.com/workflows/x?sig=geheim-2'", '"${TEAMS}"'
    )
    env = {
        "TOKEN": "xoxb-1",
        "HOOK": "https://hooks.slack.com/services/T/B/x",
        "TEAMS": "https://prod-1.westeurope.logic.azure.com/workflows/x?sig=y",
    }
    config = loaded(text, env)
    assert config.kept == text
    assert not [fault for fault in config.warnings if "is a secret" in fault.message]


def test_secrets_of_oauth_are_warned_of_and_not_kept() -> None:
    oauth = "oauth: {tenant: t.example, client_id: app, client_secret: WRITTEN}}"
    text = RULES.replace("password: WRITTEN}", oauth)
    config = loaded(text.replace("token: WRITTEN", "token: xoxb-1").replace("WRITTEN", "geheim-3"))
    assert (6, "accounts.email.oauth.client_secret is a secret") in {
        (fault.line, fault.message.partition(" and ")[0]) for fault in config.warnings
    }
    assert "geheim-3" not in config.kept
    assert "geheim-3" in config.withheld.values()


def test_values_of_oauth_that_the_environment_lacks_are_warnings_in_a_trial() -> None:
    oauth = 'oauth: {token_url: "${WHERE}", client_id: "${APP}", client_secret: "${SECRET}"}}'
    text = RULES.replace("password: WRITTEN}", oauth).replace("WRITTEN", "xoxb-1")
    config = load_text(text, "rules.yaml", env={}, strict_env=False, outbound=Outbound())
    (missing,) = [one.message for one in config.warnings if "variables are not set" in one.message]
    assert "WHERE, APP, SECRET" in missing


def test_secrets_of_a_webhook_are_warned_of_and_not_kept() -> None:
    hook = (
        "  crm: {webhook: {url: 'https://x.example/geheim-4', headers: {X-Key: geheim-5}, "
        "secret: geheim-6-and-more-than-24-bytes}}\nrules:"
    )
    config = loaded(RULES.replace("WRITTEN", "xoxb-1").replace("rules:", hook, 1))
    for key in ("url", "headers", "secret"):
        said = f"destinations.crm.webhook.{key} is a secret"
        assert any(said in fault.message for fault in config.warnings)
    for secret in ("geheim-4", "geheim-5", "geheim-6"):
        assert secret not in config.kept
    assert "geheim-5" in config.withheld.values()
