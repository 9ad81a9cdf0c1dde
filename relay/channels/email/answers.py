"""What the replies of a mail server mean, by the step of the conversation.

4yz asks to come again, 5yz is final (RFC 5321), and the enhanced code (RFC 3463) is preferred to
the basic one. Some 5yz are cured by the operator, not by giving up: wrong credentials, a sender
that may not send, a full mailbox of the sender's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from enum import IntEnum

from relay.channels.exchange import remark
from relay.outcomes import Ambiguous, Outcome, OutOfOrder, Refused, Scope, Transient


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
_ACCOUNT = frozenset({"7.8", "7.9", "7.30", "7.57", "7.60", "7.64", "7.139"}) | {
    f"7.{number}" for number in range(20, 28)
}
"""Authentication refused or too weak, basic authentication switched off, client not
authenticated, SendAsDenied, no tenant (Microsoft), authentication unsuccessful; DKIM, SPF, reverse
name, DMARC (RFC 7372) and a sender that takes no mail (RFC 7505)."""
_WHOLE_SERVER = frozenset({421, 432, 454})
"""Closing, too many connections, authentication not available now."""
_SENDER_DETAILS = frozenset({"1.7", "1.8"})
"""The sender's address is malformed, or its domain is."""
_POLICY = frozenset({"7.0", "7.1"})
"""Some rule forbids it: as a rule one about who sends, now and then one of a closed list."""
_READER_DETAILS = re.compile(r"1\.[1236]|2\.\d+")
"""The recipient's address or mailbox: wrong, moved, disabled, full."""
_READER = re.compile(
    r"recipient|\b(user|mailbox|account|address|person|member|alias)s?\b.{0,40}\b(unknown|not|does"
    r"|inactive|disabled|full|unavailable|invalid|rejected)\b"
    r"|\b(no such|unknown|invalid|bad|not|over)\b.{0,12}"
    r"\b(user|mailbox|account|address|person|member|alias|quota)\b|\bgroup\b|\blist\b",
    re.IGNORECASE,
)
_CLOSED = re.compile(
    r"recipient address rejected|resolver\.rst|\bgroup\b|\bthis (mailbox|list|recipient)\b"
    r"|distribution list",
    re.IGNORECASE,
)
"""A recipient that takes mail from few; it may well speak of the sender."""
OAUTH = "log in by oauth of accounts.email instead of a password"
_SWITCHED_OFF = (
    r"SmtpClientAuthentication",
    "let an admin of Microsoft 365 switch on authenticated SMTP for the mailbox",
)
_MAILBOX = (
    "username must be the mailbox that the token is for (Microsoft 365: grant the application "
    "SMTP.SendAsApp and give its service principal the mailbox; Google: the scope "
    "https://mail.google.com/)"
)
_REMEDIES = tuple(
    (re.compile(pattern, re.IGNORECASE), words)
    for pattern, words in (
        _SWITCHED_OFF,
        (r"\b5\.7\.30\b|\bbasic auth|\bapplication-specific password", OAUTH),
        (
            r"\b[eh][eh]lo\b|fully[- ]qualified host|invalid hostname",
            "set hostname of accounts.email to a full name that the server takes",
        ),
        (
            r"\brelaying\b|\brcpthosts\b|\brelay (access|denied|is|was|not)\b"
            r"|\b(to|not|no|cannot) relay\b",
            "the server passes on mail for those only whom it knows: give username and password "
            "of accounts.email, or let its admin admit this machine",
        ),
        (
            r"authenticat|\b(authori[sz]ation|log ?in) (is )?required|must log ?in|\bsmtp auth\b"
            r"|not logged in|\bpop before",
            "give username and password of accounts.email, or correct them",
        ),
        (
            r"(block|black|deny) ?list|\b(dns|r)bls?\b|\bblocked (using|by|at|via)\b"
            r"|\bspamhaus|\bspamcop|\breputation\b|\blisted (at|by|in|on)\b|\bbanned send",
            "the address of this machine is on a blocklist: have it taken off, or send by "
            "another server of accounts.email",
        ),
        (
            r"\bsender\b|\bsend ?as|not owned by|\b(spf|dmarc|dkim)\b|\bmail from\b",
            "correct sender of accounts.email, or let username send for it",
        ),
        (
            r"\bclient (host|was|is|address)\b|\b(ip|ptr|rdns)\b|reverse (dns|host|lookup)"
            r"|\b(your|sending|connecting) (host|server|mta|address|network)\b",
            "the server refuses this machine: let its admin admit it, or give username and "
            "password of accounts.email",
        ),
    )
)
"""What a refusal about the sender says (Postfix, Exim, Sendmail, Exchange), and what helps."""
_ADDRESS = re.compile(r"<[^<>]*>|[^\s<>@]+@[^\s<>@]+")
_SERIAL = re.compile(r"\b(?=[\w.:-]*\d)[\w.:-]{8,}")
_SOON = 900.0
"""Seconds for which a recipient that was taken speaks for the account."""
_MOST = 1_000
"""Different refusals that are remembered: a mail server may write what it likes into them."""


def lasting(code: int, text: str) -> bool:
    """Whether a refusal is final: the class of the enhanced code, else of the basic one."""
    found = _ENHANCED.match(text)
    return (found[1] if found else str(code)[:1]) == "5"


def account_fault(step: Step, code: int, text: str) -> bool:
    """Whether a final refusal is surely about who sends, not about this mail or its readers."""
    detail = _detail(text)
    if code in _CREDENTIALS or detail in _ACCOUNT:
        return True
    match step:
        case Step.RECIPIENT:
            return False
        case Step.SENDER:
            return code != 552 and not detail.startswith(("3.", "6."))
        case Step.DATA:
            return (code == 554 and detail == "2.2") or _says_ours(text)
        case Step.SENT:  # what the mail says may have to do with it
            return code == 554 and detail == "2.2"
    return True


def _says_ours(text: str) -> bool:
    """Whether a final refusal of a recipient says that it is about who sends."""
    detail = _detail(text)
    if detail in _SENDER_DETAILS:
        return True
    bare = _ADDRESS.sub("", text)
    spoken = any(pattern.search(bare) for pattern, _ in _REMEDIES)
    return spoken and not _READER_DETAILS.fullmatch(detail) and not _CLOSED.search(bare)


def _says_policy(text: str) -> bool:
    """Whether a final refusal of a recipient names a rule, and not the recipient."""
    return _detail(text) in _POLICY and not _READER.search(_ADDRESS.sub("", text))


def _says_theirs(text: str) -> bool:
    """Whether a final refusal of a recipient says that it is about that recipient."""
    detail = _detail(text)
    bare = _ADDRESS.sub("", text)
    return bool(_READER_DETAILS.fullmatch(detail) or (not detail and _READER.search(bare)))


def _wording(code: int, text: str, recipient: str) -> str:
    """A refusal without addresses and serial numbers, to compare it by."""
    bare = _SERIAL.sub("", _ADDRESS.sub("", text.casefold()))
    for part in recipient.casefold().rpartition("@")[::2]:
        bare = re.sub(rf"(?<!\w){re.escape(part)}(?!\w)", "", bare)
    return f"{code} {' '.join(bare.split())}"


def remedy(text: str) -> str:
    """What an operator can do about a refusal of the account."""
    bare = _ADDRESS.sub("", text)
    return next(
        (words for known, words in _REMEDIES if known.search(bare)), "correct accounts.email"
    )


def _detail(text: str) -> str:
    found = _ENHANCED.match(text)
    return found[2] if found else ""


def _token_remedy(text: str) -> str:
    """What helps where a token was refused that is good for its endpoint."""
    known, words = _SWITCHED_OFF
    return words if re.search(known, text, re.IGNORECASE) else _MAILBOX


def refusal(
    step: Step, code: int, text: str, secrets: Iterable[str] = (), *, by_token: bool = False
) -> Outcome:
    """The outcome of a reply that ends the conversation; `by_token`: a login by XOAUTH2."""
    told = f"the mail server {_DOING[step]} ({reply(code, text, secrets)})"
    if not 400 <= code < 600:
        if step is Step.SENT:
            return Ambiguous(f"{told}: it may have been taken")
        return Transient(told, Scope.ACCOUNT)
    if not lasting(code, text):
        about_mail = step >= Step.DATA and code not in _WHOLE_SERVER
        return Transient(told, Scope.TARGET if about_mail else Scope.ACCOUNT)
    if account_fault(step, code, text):
        helps = _token_remedy(text) if by_token else remedy(text)
        return OutOfOrder(f"{told}: {helps}", Scope.ACCOUNT)
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


class Standing:
    """What the recipients of one account were lately told: whose fault it is that none is taken.

    Some refusals say it themselves. Of the others one recipient proves nothing: what recipients who
    have nothing in common but our account are told in the same words is about the account. And an
    account by which others are reached is not to blame for one who is not. Kept in memory, since it
    is only evidence.
    """

    def __init__(self) -> None:
        self._taken: dict[str, float] = {}
        """When each recipient was last taken."""
        self._told: dict[str, set[tuple[str, str]]] = {}
        """By refusal: the targets and domains that got it since a recipient was taken."""
        self._acquitted: set[tuple[str, str]] = set()
        """Refusals of targets while the account worked for others."""

    def taken(self, target: str, recipients: Iterable[str], at: float) -> None:
        """The server took these recipients of a target; `at` in seconds, as in `to_blame`."""
        self._taken |= dict.fromkeys(recipients, at)
        for words, whom in self._told.items():
            self._acquitted |= {(words, other) for other, _ in whom}
        self._acquitted = {pair for pair in self._acquitted if pair[1] != target}
        self._told.clear()

    def to_blame(
        self, target: str, refused: Mapping[str, tuple[int, str]], at: float
    ) -> tuple[int, str] | None:
        """The refusal that shows our account at fault; None where it may be the recipients'.

        `refused` are all recipients that were named, each with a final refusal.
        """
        if len(self._told) + len(self._acquitted) > _MOST:
            self._told.clear()
            self._acquitted.clear()
        works = any(at - then < _SOON for who, then in self._taken.items() if who not in refused)
        found = None
        for who, (code, text) in refused.items():
            if not (ours := _says_ours(text)) and _says_theirs(text):
                continue
            words = _wording(code, text, who)
            whom = self._told.setdefault(words, set())
            whom.add((target, who.rpartition("@")[2].casefold()))
            if (
                (ours and (words, target) not in self._acquitted)
                or (_says_policy(text) and not works)
                or any(len(set(shared)) > 1 for shared in zip(*whom, strict=True))
            ):
                found = found or (code, text)
        return found
