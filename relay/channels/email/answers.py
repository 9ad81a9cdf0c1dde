"""What the replies of a mail server mean, by the step of the conversation.

4yz asks to come again, 5yz is final (RFC 5321), and the enhanced code (RFC 3463) is preferred to
the basic one. Some 5yz are cured by the operator, not by giving up: wrong credentials, a sender
that may not send, a full mailbox of the sender's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from enum import IntEnum

from relay.channels.texts import remark
from relay.deliveries import Ambiguous, Outcome, OutOfOrder, Refused, Scope, Transient


class Step(IntEnum):
    """How far a conversation has come."""

    CONNECT = 0
    GREETING = 1
    TLS = 2
    LOGIN = 3
    SENDER = 4
    RECIPIENT = 5
    DATA = 6
    SENT = 7
    """The final dot is written: from here on silence is ambiguous."""


_DOING = {
    Step.CONNECT: "does not take connections",
    Step.GREETING: "does not take our greeting",
    Step.TLS: "does not start TLS",
    Step.LOGIN: "does not take the login",
    Step.SENDER: "does not take the sender",
    Step.RECIPIENT: "does not take a recipient",
    Step.DATA: "does not take the mail",
    Step.SENT: "does not take the mail",
}
_ENHANCED = re.compile(r"\s*([245])\.(\d{1,3}\.\d{1,3})\b")
_CREDENTIALS = frozenset({530, 534, 535, 538})
_ACCOUNT = frozenset({"7.8", "7.9", "7.30", "7.57", "7.60", "7.64", "7.139"})
"""Authentication refused or too weak, basic authentication switched off, client not
authenticated, SendAsDenied, no tenant (Microsoft), authentication unsuccessful."""
_WHOLE_SERVER = frozenset({421, 432, 454})
"""Closing, too many connections, authentication not available now."""


def lasting(code: int, text: str) -> bool:
    """Whether a refusal is final: the class of the enhanced code, else of the basic one."""
    found = _ENHANCED.match(text)
    return (found[1] if found else str(code)[:1]) == "5"


def account_fault(step: Step, code: int, text: str) -> bool:
    """Whether a final refusal is about who sends, not about this mail or its readers."""
    found = _ENHANCED.match(text)
    detail = found[2] if found else ""
    if code in _CREDENTIALS or detail in _ACCOUNT:
        return True
    match step:
        case Step.RECIPIENT:
            return False
        case Step.SENDER:
            return code != 552 and not detail.startswith(("3.", "6."))
        case Step.DATA | Step.SENT:
            return code == 554 and detail == "2.2"
    return True


def refusal(step: Step, code: int, text: str, secrets: Iterable[str] = ()) -> Outcome:
    """The outcome of a reply that ends the conversation."""
    told = f"the mail server {_DOING[step]} ({reply(code, text, secrets)})"
    if not 400 <= code < 600:
        if step is Step.SENT:
            return Ambiguous(f"{told}: it may have been taken")
        return Transient(told, Scope.ACCOUNT)
    if not lasting(code, text):
        about_mail = step >= Step.DATA and code not in _WHOLE_SERVER
        return Transient(told, Scope.TARGET if about_mail else Scope.ACCOUNT)
    if account_fault(step, code, text):
        return OutOfOrder(f"{told}: correct accounts.email", Scope.ACCOUNT)
    return Refused(told)


def ends_all(code: int, text: str) -> bool:
    """Whether a refused recipient means that no other need be tried."""
    if not 400 <= code < 600 or code in _WHOLE_SERVER:
        return True
    return lasting(code, text) and account_fault(Step.RECIPIENT, code, text)


def never(code: int, text: str) -> bool:
    """Whether a recipient is refused for good.

    A bare 552 is the old spelling of "too many recipients", to be read as 452 (RFC 5321,
    4.5.3.1.10).
    """
    return lasting(code, text) and not (code == 552 and not _ENHANCED.match(text))


def reply(code: int, text: str, secrets: Iterable[str] = ()) -> str:
    """A reply as a reason shows it."""
    return f"{code} {remark(text, secrets, 160)}".strip()
