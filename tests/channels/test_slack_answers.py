"""Every code of Slack's has its meaning."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.channels.exchange import Answer
from relay.channels.slack.answers import read_api, read_hook
from relay.outcomes import (
    Ambiguous,
    Outcome,
    OutOfOrder,
    Proof,
    RateLimited,
    Refused,
    Scope,
    Sent,
    Transient,
)
from tests.each import each

ACCOUNT = [
    "invalid_auth",
    "not_authed",
    "account_inactive",
    "token_revoked",
    "token_expired",
    "not_allowed_token_type",
    "missing_scope",
    "no_permission",
    "access_denied",
    "accesslimited",
    "app_access_restricted",
    "ekm_access_denied",
    "enterprise_is_restricted",
    "two_factor_setup_required",
    "team_not_found",
    "team_access_not_granted",
    "method_deprecated",
    "deprecated_endpoint",
    "unknown_method",
]
TARGET = [
    "channel_not_found",
    "is_archived",
    "not_in_channel",
    "restricted_action",
    "restricted_action_read_only_channel",
    "restricted_action_thread_only_channel",
    "messages_tab_disabled",
    "is_bot",
]
REFUSED = [
    "invalid_blocks",
    "invalid_blocks_format",
    "msg_blocks_too_long",
    "msg_too_long",
    "no_text",
    "invalid_arguments",
    "invalid_arg_name",
    "invalid_array_arg",
    "invalid_charset",
    "invalid_form_data",
    "invalid_post_type",
    "missing_post_type",
    "markdown_text_conflict",
    "attachment_payload_limit_exceeded",
    "too_many_attachments",
    "too_many_contact_cards",
    "metadata_too_large",
    "invalid_metadata_format",
    "invalid_metadata_schema",
    "metadata_must_be_sent_from_app",
]
UNSURE = ["internal_error", "fatal_error", "service_unavailable", "request_timeout"]
PASSING = ["message_limit_exceeded", "team_added_to_org", "org_login_required", "brand_new_code"]


def answer(
    body: object, status: int = 200, headers: dict[str, str] | None = None, whole: bool = True
) -> Answer:
    raw = body if isinstance(body, str) else json.dumps(body)
    return Answer(status, headers or {}, raw.encode(), whole)


def said(code: str, status: int = 200) -> Outcome:
    return read_api(answer({"ok": False, "error": code}, status))


@each("code", ACCOUNT)
def test_fault_of_the_account(code: str) -> None:
    outcome = said(code)
    assert isinstance(outcome, OutOfOrder)
    assert outcome.scope is Scope.ACCOUNT
    assert f"({code})" in outcome.reason
    assert "\n" not in outcome.reason


@each("code", TARGET)
def test_fault_of_the_channel(code: str) -> None:
    outcome = said(code)
    assert isinstance(outcome, OutOfOrder)
    assert outcome.scope is Scope.TARGET
    assert f"({code})" in outcome.reason


@each("code", REFUSED)
def test_refusal_of_the_message(code: str) -> None:
    assert isinstance(said(code), Refused)


@pytest.mark.parametrize("code", UNSURE)
def test_failure_in_the_middle_is_ambiguous(code: str) -> None:
    assert isinstance(said(code), Ambiguous)


@pytest.mark.parametrize("code", PASSING)
def test_passing_and_unknown_codes_are_transient(code: str) -> None:
    assert isinstance(said(code), Transient)


@pytest.mark.parametrize("code", ["ratelimited", "rate_limited"])
def test_rate_limit_by_code(code: str) -> None:
    outcome = read_api(answer({"ok": False, "error": code}, headers={"Retry-After": "30"}))
    assert isinstance(outcome, RateLimited)
    assert outcome.retry_after == 30
    assert outcome.scope is Scope.TARGET


@each(
    ("status", "body", "kind"),
    [
        (429, "", RateLimited), (429, "<html>", RateLimited),
        (200, "<html>ok</html>", Ambiguous), (200, "[]", Ambiguous), (200, "ok", Ambiguous),
        (200, "", Ambiguous), (200, "null", Ambiguous), (200, "{", Ambiguous),
        (200, '{"ok": "true"}', Ambiguous), (200, '{"ok": false}', Ambiguous),
        (200, '{"ok": false, "error": ["x"]}', Ambiguous),
        (200, '{"ok": false, "error": "a\\nb"}', Ambiguous), (200, "[" * 100_000, Ambiguous),
        (500, "", Ambiguous), (502, "<html>", Ambiguous), (503, "{}", Ambiguous),
        (504, '{"ok": false, "error": "whatever"}', Ambiguous),
        (500, '{"ok": true}', Ambiguous),
        (301, "", OutOfOrder), (302, '{"ok": true}', OutOfOrder), (307, "", OutOfOrder),
        (404, "not here", OutOfOrder), (401, "", OutOfOrder), (413, "", Refused),
        (200, '{"ok": true, "channel": "C1", "ts": "1.2"}', Sent),
    ],
)  # fmt: skip
def test_odd_answers_of_the_web_api(status: int, body: str, kind: type[Outcome]) -> None:
    assert type(read_api(answer(body, status))) is kind


def test_success_names_channel_and_ts() -> None:
    outcome = read_api(answer({"ok": True, "channel": "C1", "ts": "1.2", "message": {"ts": "9"}}))
    assert outcome == Sent(Proof.POSTED, {"channel": "C1", "ts": "1.2"})


def test_success_that_was_cut_is_success() -> None:
    """Slack repeats the message in its answer: a long one must not be sent twice for it."""
    outcome = read_api(answer('{"ok":true,"channel":"C1","ts":"1.2","message":{"x', whole=False))
    assert outcome == Sent(Proof.POSTED, {"channel": "C1", "ts": "1.2"})


@each(
    ("status", "body", "kind"),
    [
        (200, "ok", Sent), (200, "ok\n", Sent), (200, "<html>", Ambiguous), (200, "", Ambiguous),
        (400, "invalid_payload", Refused), (400, "no_text", Refused),
        (400, "too_many_attachments", Refused), (400, "something", Refused),
        (400, "user_not_found", OutOfOrder), (403, "action_prohibited", OutOfOrder),
        (403, "invalid_token", OutOfOrder), (404, "channel_not_found", OutOfOrder),
        (404, "no_active_hooks", OutOfOrder), (404, "no_service", OutOfOrder),
        (404, "no_service_id", OutOfOrder), (404, "no_team", OutOfOrder),
        (410, "channel_is_archived", OutOfOrder), (403, "team_disabled", OutOfOrder),
        (403, "posting_to_general_channel_denied", OutOfOrder), (404, "<html>", OutOfOrder),
        (200, "no_service", OutOfOrder), (500, "rollup_error", Ambiguous), (503, "", Ambiguous),
        (408, "", Ambiguous), (429, "", RateLimited), (400, "rate_limited", RateLimited),
        (302, "ok", OutOfOrder), (418, "teapot", OutOfOrder),
    ],
)  # fmt: skip
def test_answers_of_a_webhook(status: int, body: str, kind: type[Outcome]) -> None:
    outcome = read_hook(answer(body, status))
    assert type(outcome) is kind
    assert getattr(outcome, "scope", Scope.TARGET) is Scope.TARGET


def test_ok_that_broke_off_proves_nothing() -> None:
    assert isinstance(read_hook(answer("ok", whole=False)), Ambiguous)


@given(st.integers(200, 599), st.binary(max_size=200), st.booleans())
def test_every_answer_has_one_line_of_meaning(status: int, body: bytes, whole: bool) -> None:
    for read in (read_api, read_hook):
        outcome = read(Answer(status, {}, body, whole))
        assert outcome.reason
        assert len(outcome.reason.splitlines()) == 1
