"""What Slack's answers mean.

The Web API says `ok: false` inside HTTP 200; webhooks use status codes and a plain word. Codes:
docs.slack.dev, chat.postMessage and "sending messages using incoming webhooks". New codes appear
without notice: an unknown one is a failure that may pass.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from relay.channels.exchange import Answer, rate_limited, redirected, remark
from relay.outcomes import (
    Ambiguous,
    Gone,
    Outcome,
    OutOfOrder,
    Proof,
    Refused,
    Scope,
    Sent,
    Transient,
)

ACCOUNT_FAULTS: Final[Mapping[str, str]] = {
    "invalid_auth": "Slack does not accept the token (or this machine's address): "
    "check the token of accounts.slack",
    "not_authed": "no token reached Slack: set the token of accounts.slack",
    "account_inactive": "the bot or its workspace was deactivated: install the app again",
    "token_revoked": "the token was revoked: install the app again and set the new token",
    "token_expired": "the token has expired: set a new one",
    "not_allowed_token_type": "this kind of token may not post: use a bot token (xoxb-…)",
    "missing_scope": "the bot lacks a permission: give the app the scope chat:write",
    "no_permission": "the workspace does not let this bot post: ask its admins",
    "access_denied": "the workspace does not let this bot post: ask its admins",
    "accesslimited": "access to the workspace is limited: ask its admins",
    "app_access_restricted": "the workspace restricts this app: ask its admins",
    "ekm_access_denied": "the admins have suspended posting (EKM): ask them",
    "enterprise_is_restricted": "the enterprise does not let this method be called",
    "two_factor_setup_required": "the bot's workspace demands two-factor setup",
    "team_not_found": "Slack does not know the workspace of this token",
    "team_access_not_granted": "the token was not granted this workspace: install the app there",
    "method_deprecated": "Slack has retired the way this relay posts: update the relay",
    "deprecated_endpoint": "Slack has retired the way this relay posts: update the relay",
    "unknown_method": "the address in api_url is not Slack's Web API: correct it",
}
CHANNEL_FAULTS: Final[Mapping[str, str]] = {
    "channel_not_found": "Slack does not know the channel, or it is private and the bot is not in "
    "it: invite the bot or correct the name",
    "is_archived": "the channel is archived: unarchive it or name another",
    "not_in_channel": "the bot is not in the channel: invite it",
    "restricted_action": "the workspace does not let the bot post in this channel",
    "restricted_action_read_only_channel": "the channel is read-only for the bot",
    "restricted_action_thread_only_channel": "the channel takes replies only",
    "restricted_action_non_threadable_channel": "the channel takes no threads",
    "restricted_action_thread_locked": "the thread is locked",
    "cannot_reply_to_message": "the thread is gone",
    "messages_tab_disabled": "the person has no messages tab with this bot",
    "is_bot": "a bot cannot get messages from a bot: name a channel",
}
REFUSALS: Final = frozenset(
    {
        "invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long",
        "no_text", "invalid_arguments", "invalid_arg_name", "invalid_array_arg",
        "invalid_charset", "invalid_form_data", "invalid_post_type", "missing_post_type",
        "markdown_text_conflict", "attachment_payload_limit_exceeded", "too_many_attachments",
        "too_many_contact_cards", "metadata_too_large", "invalid_metadata_format",
        "invalid_metadata_schema", "metadata_must_be_sent_from_app", "invalid_attachments",
    }
)  # fmt: skip
GONE: Final[Mapping[str, str]] = {
    "message_not_found": "the message was deleted",
    "cant_update_message": "the message may not be edited",
    "edit_window_closed": "the workspace lets nobody edit messages that old",
    "streaming_state_conflict": "the message may not be edited",
}
"""What `chat.update` says of a message that is not to be edited any more."""
NO_THREAD: Final[Mapping[str, str]] = {
    "thread_not_found": "the thread is gone",
    "message_not_found": "the thread is gone",
    "cannot_reply_to_message": "the thread is gone",
    "restricted_action_thread_locked": "the thread is locked",
    "restricted_action_non_threadable_channel": "the channel takes no threads",
}
RATE_LIMITS: Final = frozenset(("ratelimited", "rate_limited"))
PASSING: Final[Mapping[str, str]] = {
    "message_limit_exceeded": "the workspace has reached its limit of messages",
    "team_added_to_org": "the workspace is being moved into an organisation",
    "org_login_required": "the workspace is being moved into an organisation",
}
UNSURE: Final = frozenset(
    (
        "internal_error",
        "fatal_error",
        "service_unavailable",
        "request_timeout",
        "duplicate_channel_not_found",
        "duplicate_message_not_found",
    )
)

HOOK_REFUSALS: Final = frozenset(("invalid_payload", "no_text", "too_many_attachments"))
HOOK_FAULTS: Final[Mapping[str, str]] = {
    "user_not_found": "the person that the webhook posts to is gone",
    "action_prohibited": "the workspace's admins have restricted this webhook",
    "channel_not_found": "the channel of the webhook is gone",
    "channel_is_archived": "the channel of the webhook is archived: unarchive it",
    "invalid_token": "Slack does not know this webhook: create a new one",
    "no_active_hooks": "the webhook was removed or switched off: create a new one",
    "no_service": "the webhook was removed or switched off: create a new one",
    "no_service_id": "the webhook's URL is not whole: copy it again",
    "no_team": "the webhook's URL is not right, or its workspace is gone",
    "team_disabled": "the webhook's workspace is switched off",
    "posting_to_general_channel_denied": "the webhook may not post to the general channel",
}
_WORD = re.compile(r"[a-z][a-z0-9_]{0,63}")
"""A code; nothing else is repeated, since an answer may hold anything."""
_OK = re.compile(r'\s*\{\s*"ok"\s*:\s*true\b')


def read_api(answer: Answer) -> Outcome:
    """What the Web API's answer means."""
    if answer.status == 429:
        return rate_limited("Slack", answer)
    if (redirect := redirected("Slack", answer, Scope.ACCOUNT)) is not None:
        return redirect
    shape = _shape(answer)
    if shape is None:
        return _unreadable(answer)
    if shape.get("ok") is True:
        if answer.status != 200:
            return Ambiguous(f"Slack said both ok and HTTP {answer.status}")
        reference = {
            key: shape[key] for key in ("channel", "ts") if isinstance(shape.get(key), str)
        }
        return Sent(Proof.POSTED, reference)
    code = shape.get("error")
    if not isinstance(code, str) or not _WORD.fullmatch(code):
        return _unreadable(answer)
    return _read_code(code, answer)


def read_edit(answer: Answer) -> Outcome:
    """What the answer to an edit means."""
    outcome = _gone(answer, GONE) or read_api(answer)
    if isinstance(outcome, Sent):
        return replace(outcome, proof=Proof.EDITED, reason="the first message was edited")
    return outcome


def read_reply(answer: Answer) -> Outcome:
    """What the answer to a message in a thread means."""
    outcome = _gone(answer, NO_THREAD) or read_api(answer)
    return replace(outcome, reason="told in its thread") if isinstance(outcome, Sent) else outcome


def _gone(answer: Answer, codes: Mapping[str, str]) -> Gone | None:
    code = (_shape(answer) or {}).get("error")
    words = codes.get(code) if isinstance(code, str) else None
    return None if words is None else Gone(f"{words} ({code})")


def _read_code(code: str, answer: Answer) -> Outcome:
    if code in RATE_LIMITS:
        return rate_limited("Slack", answer, code)
    if code in ACCOUNT_FAULTS:
        return OutOfOrder(_told(ACCOUNT_FAULTS[code], code), Scope.ACCOUNT)
    if code in CHANNEL_FAULTS:
        return OutOfOrder(_told(CHANNEL_FAULTS[code], code))
    if code in REFUSALS:
        return Refused(f"Slack does not take this message ({code})")
    if code in PASSING:
        return Transient(_told(PASSING[code], code), Scope.ACCOUNT)
    if code in UNSURE or answer.status >= 500:
        return Ambiguous(f"Slack failed while it worked on the message ({code})")
    return Transient(f"Slack answered with a code that the relay does not know ({code})")


def read_hook(answer: Answer) -> Outcome:
    """What an incoming webhook's answer means."""
    who = "the Slack webhook"
    if answer.status == 429:
        return rate_limited(who, answer)
    if (redirect := redirected(who, answer)) is not None:
        return redirect
    said = answer.text.strip()
    word = said if _WORD.fullmatch(said) else ""
    if answer.status == 200:
        if said == "ok" and answer.whole:
            return Sent(Proof.POSTED)
        if not word:
            return Ambiguous(f"{who} answered HTTP 200 with something else than ok")
    if word in RATE_LIMITS:
        return rate_limited(who, answer, word)
    if word in HOOK_REFUSALS:
        return Refused(f"{who} does not take this message ({word})")
    if word in HOOK_FAULTS:
        return OutOfOrder(_told(HOOK_FAULTS[word], word))
    told = f"{who} answered HTTP {answer.status}" + (f" ({word})" if word else "")
    if answer.status == 200 or answer.status >= 500 or answer.status == 408:
        return Ambiguous(f"{told}: it may have been posted")
    if answer.status in (400, 413, 422):
        return Refused(f"{told}: it does not take this message")
    return OutOfOrder(f"{told}: check it, or create a new one")


def _told(words: str, code: str) -> str:
    """The sentence with its code after the first clause."""
    clause, colon, remedy = words.partition(":")
    return f"{clause} ({code}){colon}{remedy}"


def _shape(answer: Answer) -> Mapping[str, Any] | None:
    try:
        shape = json.loads(answer.text)
    except (ValueError, RecursionError):
        # Slack repeats the message in its answer, so a long one is cut: it begins with the verdict.
        if answer.whole or not _OK.match(answer.text):
            return None
        return {"ok": True} | {
            key: found[1]
            for key in ("channel", "ts")
            if (found := re.search(rf'"{key}"\s*:\s*"([A-Za-z0-9.]+)"', answer.text))
        }
    return shape if isinstance(shape, dict) else None


def _unreadable(answer: Answer) -> Outcome:
    if answer.status in (401, 403, 404, 410):
        return OutOfOrder(
            f"Slack's Web API is not there (HTTP {answer.status}): check api_url and the token",
            Scope.ACCOUNT,
        )
    if answer.status == 413:
        return Refused("Slack does not take this message (HTTP 413)")
    said = remark(answer.text, limit=40)
    kind = "an empty answer" if not said else "an answer that is not Slack's"
    return Ambiguous(f"{kind} (HTTP {answer.status}): it may have been posted")
