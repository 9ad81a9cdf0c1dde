"""Slack: the settings of a workspace and of the channels and webhooks that are posted to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Annotated, Self

from pydantic import SecretStr, field_validator, model_validator

from relay.channels import Call, Destination, Outbound, Pace
from relay.channels.settings import A_URL, Settings, checked_url, fingerprint, short_hash, split_url
from relay.incidents import Updates

API_URL = "https://slack.com/api/"
PACE = Pace(count=1, seconds=1, burst=3)
"""One message a second for each channel, short bursts tolerated (docs.slack.dev, rate limits)."""

_CHANNEL_ID = re.compile(r"[CGD][A-Z0-9]{6,}")
_CALLABLE = re.compile(r"here|channel|[USW][A-Z0-9]{7,20}")
"""Those who are there now, the whole channel, the id of a user (U…, W…) or of a group (S…)."""
_ODD_SIGN = re.compile(r"[!-,./:-@\[-^`{-~]")


class SlackAccount(Settings):
    """A workspace, by the token of its bot."""

    token: SecretStr
    api_url: Annotated[str, A_URL] = API_URL
    """Where the Web API stands: another one for a gateway, GovSlack or a test server."""

    @field_validator("token")
    @classmethod
    def _token_is_usable(cls, token: SecretStr) -> SecretStr:
        text = token.get_secret_value()
        if not text or not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("the token is empty or holds characters that no token has")
        return token


class SlackSettings(Settings):
    """A channel that the bot posts to, or an incoming webhook; exactly one of them."""

    channel: str | None = None
    """`#name` or an id (`C…`, `G…`)."""
    webhook: Annotated[SecretStr | None, A_URL] = None

    @field_validator("channel")
    @classmethod
    def _channel_is_one(cls, channel: str | None) -> str | None:
        if channel is not None and not re.fullmatch(r"#?[^\s#,<>@\x00-\x1f\x7f]{1,80}", channel):
            raise ValueError('channel must be a name such as "#wa-support" or an id (C… or G…)')
        return channel

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.channel is None) == (self.webhook is None):
            raise ValueError("give either channel (posted by the bot) or webhook, not both")
        return self


@dataclass(frozen=True, slots=True)
class SlackDestination(Destination):
    """Where to post, and by what."""

    token: SecretStr | None = None
    api_url: str = API_URL
    to: str = ""
    """The channel as the rules file spells it; empty for a webhook."""
    webhook: SecretStr | None = None

    @property
    def address(self) -> str:
        """The channel, whatever the token; of a webhook its lane."""
        return self.to or self.target


def account_needed(settings: SlackSettings) -> bool:
    """A webhook is its own account."""
    return settings.webhook is None


def doubts(settings: SlackSettings) -> tuple[str, ...]:
    """What is probably wrong about these settings."""
    if settings.channel is not None and (doubt := _doubt_of_name(settings.channel)):
        return (doubt,)
    hook = settings.webhook.get_secret_value() if settings.webhook else ""
    if split_url(hook).path.startswith("/triggers/"):
        return (
            "the Slack webhook starts a workflow (/triggers/): it takes 10 messages a minute and "
            "does not show them as they are; create an incoming webhook (/services/)",
        )
    return ()


def _doubt_of_name(channel: str) -> str | None:
    """Why no channel of Slack can be called so.

    Names hold lower-case letters, digits, hyphens and underscores (Slack's help, "Guidelines for
    channel names"); letters of other scripts count as letters.
    """
    name = channel.removeprefix("#")
    if _CHANNEL_ID.fullmatch(name):
        return None
    if name != name.lower():
        return (
            "no Slack channel has capital letters in its name: write it in lower case, or give the "
            "channel's id (C… or G…)"
        )
    if odd := _ODD_SIGN.search(name):
        return (
            f'no Slack channel has "{odd[0]}" in its name: names hold letters, digits, hyphens and '
            "underscores"
        )
    return None


def call(word: str) -> Call | None:
    """Whom a word of `mention` calls in Slack, if anybody."""
    found = _CALLABLE.fullmatch(word.removeprefix("@"))
    return Call("slack", found[0], f"@{found[0]}") if found else None


def build(
    name: str,
    settings: SlackSettings,
    account: SlackAccount | None,
    pace: Pace | None,
    outbound: Outbound,
) -> SlackDestination:
    """The destination of these settings; raises ValueError where they cannot be used."""
    if settings.webhook is not None:
        hook = settings.webhook.get_secret_value()
        checked_url(hook, "the Slack webhook", outbound)
        key = f"slack-hook:{short_hash(hook)}"
        return SlackDestination(
            name,
            "slack",
            target=key,
            account=key,
            pace=pace or PACE,
            fingerprint=fingerprint(outbound.key, settings),
            webhook=settings.webhook,
        )
    if account is None or settings.channel is None:
        raise ValueError("a Slack channel needs accounts.slack with the token of a bot")
    api_url = checked_url(account.api_url, "api_url of the Slack account", outbound)
    key = f"slack:{short_hash(account.token.get_secret_value() + ' ' + api_url.rstrip('/'))}"
    return SlackDestination(
        name,
        "slack",
        target=f"{key}:{settings.channel.lstrip('#').casefold()}",
        account=key,
        pace=pace or PACE,
        fingerprint=fingerprint(outbound.key, settings, account),
        token=account.token,
        api_url=api_url,
        to=settings.channel,
        updates=Updates.EDIT,
    )
