"""The mail channel against a fake server, step by step of the conversation."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relay.channels import NO_PACE, Channel, Destination, Pace
from relay.channels.email import EmailChannel
from relay.channels.email.settings import checked_address
from relay.channels.registry import CHANNELS
from relay.outcomes import (
    Ambiguous,
    Outcome,
    OutOfOrder,
    PartlyRefused,
    Proof,
    Refused,
    Scope,
    Sent,
    Transient,
)
from tests.each import each
from tests.fakes.messages import HASTY, LOOPBACK, destination, everything, parcel, post
from tests.fakes.smtp import DROP, STALL, FakeSmtp
from tests.fakes.tls import Authority

PASSWORD = "pass-word-secret"
SERVER = {"host": "mail.example.com", "tls": "starttls", "sender": "Relay <relay@example.com>"}


@pytest.fixture
async def smtp() -> AsyncIterator[FakeSmtp]:
    async with FakeSmtp() as fake:
        yield fake


@pytest.fixture
def channel() -> Channel:
    return EmailChannel(LOOPBACK)


def to(smtp: FakeSmtp, *people: str, tls: str = "none", **account: Any) -> Destination:
    server = {**SERVER, "host": smtp.host, "port": str(smtp.port), "tls": tls, **account}
    return destination("email", {"to": list(people or ("a@example.com",))}, server)


@each(
    "address",
    [
        "", "a", "a@", "@b.de", "a@b@c.de", "a b@c.de", "a@b..de", "a@-b.de", "a@b-.de", ".a@b.de",
        "a.@b.de", "a..b@c.de", '"a b"@c.de', '"a\r\n"@x.de', "a@b.de\r\nRCPT TO:<x@y.de>",
        "a\n@b.de", "a@b.de\n", "<a@b.de>", "a@[127.0.0.1]", "a@b.de,c@d.de", "ü@b.de",
        "a" * 65 + "@b.de", "a@" + "b" * 64 + ".de", "a@" + "b." * 130 + "de", "a\x00@b.de",
    ],
)  # fmt: skip
def test_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):
        checked_address(address)
    with pytest.raises(ValueError):
        CHANNELS["email"].destination(to=address)


@given(st.text(max_size=60))
def test_checked_address_is_safe_to_say(text: str) -> None:
    try:
        address = checked_address(text)
    except ValueError:
        return
    assert address.isascii()
    assert address.isprintable()
    assert not set(address) & set(' <>\\",;:()[]')


def test_domains_are_written_in_ascii() -> None:
    assert checked_address("a@müller.de") == "a@xn--mller-kva.de"


def test_settings_come_as_text_and_recipients_once() -> None:
    made = destination(
        "email",
        {"to": ["A@example.com", "a@EXAMPLE.com"], "cc": ["a@example.com", "b@example.com"]},
        {**SERVER, "port": "2525"},
    )
    assert made.recipients == ("A@example.com", "b@example.com")
    assert made.account == "email:mail.example.com:2525:"


@each(
    "wrong",
    [
        {"tls": None}, {"tls": "yes"}, {"host": "a b"}, {"host": "https://x"}, {"port": "0"},
        {"port": "70000"}, {"sender": "nobody"}, {"sender": "a@b.de\r\nBcc: x@y.de"},
        {"username": "u"}, {"password": "p"}, {"reply_to": "x"}, {"extra": "1"},
        {"hostname": "relay"}, {"hostname": "a b.de"}, {"hostname": "[relay]"},
        {"hostname": "[::1]"}, {"hostname": "[IPv6:127.0.0.1]"}, {"hostname": "a.de\r\nMAIL"},
    ],
)  # fmt: skip
def test_account_is_checked(wrong: dict[str, Any]) -> None:
    settings = {key: value for key, value in {**SERVER, **wrong}.items() if value is not None}
    with pytest.raises(ValueError):
        destination("email", {"to": "a@b.de"}, settings)


@pytest.mark.parametrize(("tls", "port"), [("implicit", 465), ("starttls", 587), ("none", 25)])
def test_port_follows_tls(tls: str, port: int) -> None:
    made = destination("email", {"to": "a@b.de"}, {**SERVER, "tls": tls})
    assert made.account == f"email:mail.example.com:{port}:"


def test_pace_belongs_to_the_server_unless_given() -> None:
    made = destination("email", {"to": "a@b.de"}, SERVER)
    assert (made.pace, made.account_pace) == (NO_PACE, Pace(30, 60, 3))
    made = destination("email", {"to": "a@b.de"}, SERVER, pace=Pace(1, 1))
    assert (made.pace, made.account_pace) == (Pace(1, 1), Pace(1, 1))


async def test_mail_arrives_as_it_was_written(smtp: FakeSmtp, channel: Channel) -> None:
    here = to(smtp, "a@example.com", "b@example.com")
    shape = channel.payload(here, parcel(everything(".\r\n.dots ü")))
    outcome = await channel.send(here, shape)
    assert isinstance(outcome, Sent)
    assert outcome.proof is Proof.POSTED
    assert outcome.reference == {"Message-ID": shape["headers"]["Message-ID"]}
    mail = smtp.mails[0]
    assert mail.recipients == ("a@example.com", "b@example.com")
    assert mail.sender == "relay@example.com"
    plain = mail.message.get_body(("plain",))
    assert plain is not None
    assert plain.get_content().replace("\r\n", "\n") == shape["plain"]
    assert mail.message["Subject"] == shape["headers"]["Subject"]


async def test_only_the_recipients_still_owed_get_it(smtp: FakeSmtp, channel: Channel) -> None:
    here = to(smtp, "a@example.com", "b@example.com")
    shape = channel.payload(here, parcel(recipients=("b@example.com",)))
    await channel.send(here, shape)
    assert smtp.mails[0].recipients == ("b@example.com",)
    assert smtp.mails[0].message["To"] == "a@example.com, b@example.com"


async def test_three_recipients_three_fates(smtp: FakeSmtp, channel: Channel) -> None:
    people = ("fine@example.com", "gone@example.com", "grey@example.com")
    smtp.reply("RCPT", "550 5.1.1 no such person", to="gone@example.com")
    smtp.reply("RCPT", "451 4.7.1 greylisted", to="grey@example.com")
    outcome = await post(channel, to(smtp, *people))
    assert isinstance(outcome, PartlyRefused)
    assert outcome.never == {"gone@example.com": "550 5.1.1 no such person"}
    assert outcome.later == {"grey@example.com": "451 4.7.1 greylisted"}
    assert outcome.reference
    assert smtp.mails[0].recipients == ("fine@example.com",)


async def test_a_destination_whose_recipients_are_all_gone_is_out_of_order(
    smtp: FakeSmtp, channel: Channel
) -> None:
    """The same words for two domains prove nothing where the code names the recipient."""
    smtp.always("RCPT", "550 5.1.1 no such person")
    outcome = await post(channel, to(smtp, "a@b.de", "c@d.de"))
    assert isinstance(outcome, OutOfOrder)
    assert outcome.scope is Scope.TARGET
    assert "a@b.de" in outcome.reason
    assert "c@d.de" in outcome.reason
    assert "correct the address" in outcome.reason
    assert "DATA" not in smtp.commands


@pytest.mark.parametrize(
    "reply",
    [
        "550 5.1.1 <a@b.de>: Recipient address rejected: User unknown in local recipient table",
        "550 5.1.2 <a@b.de>: Recipient address rejected: Domain not found",
        "553 5.1.3 bad address syntax", "550 5.1.6 mailbox has moved", "550 5.2.1 disabled",
        "552 5.2.2 mailbox full", "550 No such user here", "550 user unknown",
        "550 Mailbox unavailable", "550 Requested action not taken: mailbox unavailable",
        "550 5.1.1 <a@b.de>: sender verify failed: relaying to nobody",
    ],
)  # fmt: skip
async def test_refusal_is_the_recipients_however_many_get_it(
    smtp: FakeSmtp, channel: Channel, reply: str
) -> None:
    smtp.always("RCPT", reply)
    for people in (("a@b.de",), ("x@y.de", "z@w.de"), ("b@b.de",)):
        outcome = await post(channel, to(smtp, *people))
        assert isinstance(outcome, OutOfOrder)
        assert outcome.scope is Scope.TARGET


@pytest.mark.parametrize(
    ("reply", "remedy"),
    [
        ("504 5.5.2 <3f9c0d12ab34>: Helo command rejected: need fully-qualified hostname",
         "set hostname"),
        ("450 4.7.1 not final", ""),
        ("554 5.7.1 <ops@example.com>: Relay access denied", "username and password"),
        ("550 relay not permitted", "username and password"),
        ("553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)", "username"),
        ("550 5.7.1 Unable to relay for ops@example.com", "username and password"),
        ("550 5.7.54 SMTP; Unable to relay recipient in non-accepted domain", "username"),
        ("554 5.7.1 <unknown[192.0.2.7]>: Client host rejected: Access denied", "this machine"),
        ("554 5.7.1 Service unavailable; Client host [192.0.2.7] blocked using zen.example.org",
         "blocklist"),
        ("550 Your IP 192.0.2.7 is listed in our RBL", "blocklist"),
        ("550 5.7.606 Access denied, banned sending IP [192.0.2.7]", "blocklist"),
        ("553 5.7.1 <relay@example.com>: Sender address rejected: not owned by user relay",
         "correct sender"),
        ("553 <relay@example.com>: Sender address rejected: not owned by user relay",
         "correct sender"),
        ("550 5.1.8 sender's domain does not exist", "correct sender"),
        ("553 5.1.7 bad address", "correct accounts.email"),
        ("550 5.7.1 Authentication required", "username and password"),
        ("530 5.7.0 Must issue a STARTTLS command first", "correct accounts.email"),
        ("550 5.7.0 Policy", "correct accounts.email"),
        ("550 5.7.1 not here", "correct accounts.email"),
        ("550 5.7.26 unauthenticated mail", "username and password"),
    ],
)  # fmt: skip
async def test_refusal_is_the_accounts(
    smtp: FakeSmtp, channel: Channel, reply: str, remedy: str
) -> None:
    """At once, by what it says, and with what helps; a 4yz asks to come again."""
    smtp.always("RCPT", reply)
    outcome = await post(channel, to(smtp, "ops@example.com"))
    if not remedy:
        assert isinstance(outcome, PartlyRefused)
        return
    assert isinstance(outcome, OutOfOrder)
    assert outcome.scope is Scope.ACCOUNT
    assert remedy in outcome.reason
    assert smtp.mails == []


ODD_REFUSALS = [
    "550 5.5.0 <{0}>: the moon is full (4F2A-{1}-99213)",
    "550 rejected {0}",
    "554 5.7.1 <{0}>: Recipient address rejected: Access denied",
    "550 5.4.1 no",
    "571 go away, {2}",
]


def in_words(reply: str, who: str, number: int) -> str:
    return reply.format(who, number, who.partition("@")[2])


@pytest.mark.parametrize("reply", ODD_REFUSALS)
async def test_the_same_words_for_two_destinations_are_about_the_account(
    smtp: FakeSmtp, channel: Channel, reply: str
) -> None:
    people = ("a@example.com", "b@example.com", "c@example.com")
    for number, who in enumerate(people):
        smtp.always("RCPT", in_words(reply, who, number), to=who)
    outcomes = [await post(channel, to(smtp, who)) for who in people]
    scopes = [getattr(outcome, "scope", None) for outcome in outcomes]
    assert all(isinstance(outcome, OutOfOrder) for outcome in outcomes)
    assert scopes == [Scope.TARGET, Scope.ACCOUNT, Scope.ACCOUNT]


@pytest.mark.parametrize("reply", ODD_REFUSALS)
async def test_the_same_words_for_two_domains_are_about_the_account(
    smtp: FakeSmtp, channel: Channel, reply: str
) -> None:
    people = ("a@example.com", "a@example.org")
    for number, who in enumerate(people):
        smtp.always("RCPT", in_words(reply, who, number), to=who)
    alone = await post(channel, to(smtp, people[0]))
    assert isinstance(alone, OutOfOrder)
    assert alone.scope is Scope.TARGET
    both = await post(EmailChannel(LOOPBACK), to(smtp, *people))
    assert isinstance(both, OutOfOrder)
    assert both.scope is Scope.ACCOUNT


@pytest.mark.parametrize("reply", [*ODD_REFUSALS, "550 5.7.1 no", "550 Relay access denied"])
async def test_who_is_refused_while_others_are_reached_is_to_blame(
    smtp: FakeSmtp, channel: Channel, reply: str
) -> None:
    """In the same mail or in another: one recipient does not stop the mail of all."""
    bad, good = "a@example.com", "b@example.org"
    smtp.always("RCPT", in_words(reply, bad, 0), to=bad)
    assert isinstance(await post(channel, to(smtp, good, bad)), PartlyRefused)
    await post(channel, to(smtp, bad))
    for _ in range(2):
        assert isinstance(await post(channel, to(smtp, good)), Sent)
        outcome = await post(channel, to(smtp, bad))
        assert isinstance(outcome, OutOfOrder)
        assert outcome.scope is Scope.TARGET


@pytest.mark.parametrize("reply", ODD_REFUSALS)
async def test_two_destinations_that_are_wrong_stop_nobody_who_is_reached_meanwhile(
    smtp: FakeSmtp, channel: Channel, reply: str
) -> None:
    """The same words for both are about the account only while nobody is taken."""
    for number, bad in enumerate(("a@example.com", "b@example.com")):
        smtp.always("RCPT", in_words(reply, bad, number), to=bad)
        outcome = await post(channel, to(smtp, bad))
        assert isinstance(outcome, OutOfOrder)
        assert outcome.scope is Scope.TARGET
        assert isinstance(await post(channel, to(smtp, "c@example.org")), Sent)


async def test_a_closed_list_is_not_the_accounts_fault(smtp: FakeSmtp, channel: Channel) -> None:
    smtp.always("RCPT", "550 5.7.1 RESOLVER.RST.AuthRequired; authentication required for group")
    outcome = await post(channel, to(smtp, "all@example.com"))
    assert isinstance(outcome, OutOfOrder)
    assert outcome.scope is Scope.TARGET


@pytest.mark.parametrize("name", ["relay.example.com", "[192.0.2.7]", "[IPv6:2001:db8::1]"])
async def test_the_greeting_has_the_name_of_the_account(
    smtp: FakeSmtp, channel: Channel, name: str
) -> None:
    await post(channel, to(smtp, hostname=name))
    assert smtp.commands[0] == f"EHLO {name}"


async def test_the_greeting_has_a_full_name_or_an_address_of_its_own(
    smtp: FakeSmtp, channel: Channel
) -> None:
    """What servers refuse, a bare name, is never said."""
    await post(channel, to(smtp))
    said = smtp.commands[0].removeprefix("EHLO ")
    assert said == "[127.0.0.1]" or "." in said.strip("[]")


OURS = Scope.ACCOUNT
THEIRS = Scope.TARGET


@pytest.mark.parametrize(
    ("command", "reply", "kind", "scope"),
    [
        ("CONNECT", "421 4.3.2 busy", Transient, OURS), ("CONNECT", "554 no", OutOfOrder, OURS),
        ("CONNECT", DROP, Transient, OURS), ("CONNECT", "garbage", Transient, OURS),
        ("EHLO", "421 4.3.2 busy", Transient, OURS), ("EHLO", DROP, Transient, OURS),
        ("MAIL", "432 4.3.2 thread limit exceeded", Transient, OURS),
        ("MAIL", "451 4.3.0 later", Transient, OURS), ("MAIL", "452 4.3.1 full", Transient, OURS),
        ("MAIL", "530 5.7.57 not authenticated", OutOfOrder, OURS),
        ("MAIL", "550 5.7.60 SendAsDenied", OutOfOrder, OURS),
        ("MAIL", "550 5.1.8 bad sender", OutOfOrder, OURS),
        ("MAIL", "552 5.3.4 too large", Refused, None), ("MAIL", DROP, Transient, OURS),
        ("RCPT", "421 4.3.2 busy", Transient, OURS), ("RCPT", "450 4.2.1 no", PartlyRefused, None),
        ("RCPT", "550 5.7.30 Basic authentication is not supported", OutOfOrder, OURS),
        ("RCPT", "530 5.7.0 authenticate first", OutOfOrder, OURS),
        ("RCPT", "552 too many recipients", PartlyRefused, None), ("RCPT", DROP, Transient, OURS),
        ("DATA", "421 4.3.2 busy", Transient, OURS), ("DATA", "451 4.3.0 later", Transient, THEIRS),
        ("DATA", "554 5.5.1 no", Refused, None), ("DATA", DROP, Transient, OURS),
        ("DOT", "552 5.3.4 too large", Refused, None), ("DOT", "554 5.7.1 spam", Refused, None),
        ("DOT", "554 5.2.2 mailbox full", OutOfOrder, OURS),
        ("DOT", "550 5.7.60 SendAsDenied", OutOfOrder, OURS),
        ("DOT", "451 4.7.1 greylisted", Transient, THEIRS),
        ("DOT", "550 4.7.1 enhanced code wins", Transient, THEIRS),
        ("DOT", "432 4.3.2 thread limit", Transient, OURS), ("DOT", DROP, Ambiguous, THEIRS),
        ("DOT", "garbage", Ambiguous, None), ("DOT", "999 strange", Ambiguous, None),
    ],
)  # fmt: skip
async def test_reply(
    smtp: FakeSmtp,
    channel: Channel,
    command: str,
    reply: str,
    kind: type[Outcome],
    scope: Scope | None,
) -> None:
    smtp.always(command, reply)
    outcome = await post(channel, to(smtp))
    assert type(outcome) is kind, outcome
    if scope is not None:
        assert getattr(outcome, "scope", None) is scope
    assert len(outcome.reason.splitlines()) == 1
    assert len(smtp.mails) == (1 if command == "DOT" else 0)


@pytest.mark.parametrize(
    ("command", "kind"),
    [("CONNECT", Transient), ("MAIL", Transient), ("DATA", Transient), ("DOT", Ambiguous)],
)
async def test_stall_ends_with_the_total_timeout(
    smtp: FakeSmtp, command: str, kind: type[Outcome]
) -> None:
    smtp.always(command, STALL)
    assert type(await post(EmailChannel(HASTY), to(smtp))) is kind


async def test_nothing_listens(channel: Channel) -> None:
    smtp = FakeSmtp()
    await smtp.start()
    here = to(smtp)
    await smtp.stop()
    outcome = await post(channel, here)
    assert isinstance(outcome, Transient)
    assert outcome.scope is Scope.ACCOUNT
    assert "refused" in outcome.reason


async def test_unknown_host_is_transient(channel: Channel) -> None:
    here = destination("email", {"to": "a@b.de"}, {**SERVER, "host": "no-such-host.invalid"})
    outcome = await post(channel, here)
    assert isinstance(outcome, Transient)
    assert "host name" in outcome.reason


async def test_starttls_that_is_not_offered_sends_nothing_in_clear(channel: Channel) -> None:
    async with FakeSmtp(users={"u": PASSWORD}) as smtp:
        outcome = await post(channel, to(smtp, tls="starttls", username="u", password=PASSWORD))
        assert isinstance(outcome, OutOfOrder)
        assert outcome.scope is Scope.ACCOUNT
        assert {line.split()[0] for line in smtp.commands} <= {"EHLO", "QUIT"}


async def test_login_that_is_not_offered(smtp: FakeSmtp, channel: Channel) -> None:
    outcome = await post(channel, to(smtp, username="u", password=PASSWORD))
    assert isinstance(outcome, OutOfOrder)
    assert outcome.scope is Scope.ACCOUNT
    assert smtp.mails == []


@pytest.mark.parametrize("tls", ["implicit", "starttls"])
@pytest.mark.parametrize("fault", ["none", "untrusted", "expired", "wrong name"])
async def test_tls_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls: str, fault: str
) -> None:
    trusted, other = Authority(tmp_path), None
    if fault == "untrusted":
        (tmp_path / "x").mkdir()
        other = Authority(tmp_path / "x")
    names = ["elsewhere.example"] if fault == "wrong name" else ["localhost"]
    context = (other or trusted).server(*names, expired=fault == "expired")
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted.pem))
    async with FakeSmtp(tls=context, implicit=tls == "implicit", users={"u": PASSWORD}) as smtp:
        here = to(smtp, tls=tls, username="u", password=PASSWORD)
        outcome = await post(EmailChannel(LOOPBACK), here)
        if fault == "none":
            assert isinstance(outcome, Sent), outcome
            assert smtp.mails[0].encrypted
            assert smtp.mails[0].user == "u"
        else:
            assert isinstance(outcome, OutOfOrder), outcome
            assert outcome.scope is Scope.ACCOUNT
            assert "certificate" in outcome.reason
            assert smtp.mails == []


async def test_starttls_may_be_out_for_a_while(tmp_path: Path, channel: Channel) -> None:
    async with FakeSmtp(tls=Authority(tmp_path).server()) as smtp:
        smtp.always("STARTTLS", "454 4.7.0 TLS not available")
        outcome = await post(channel, to(smtp, tls="starttls"))
        assert isinstance(outcome, Transient)
        assert outcome.scope is Scope.ACCOUNT


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        ("535 5.7.8 bad credentials", OutOfOrder), ("534 5.7.9 use a token", OutOfOrder),
        ("550 5.7.30 Basic authentication is not supported", OutOfOrder),
        ("454 4.7.0 temporary authentication failure", Transient),
    ],
)  # fmt: skip
async def test_login_refused(channel: Channel, reply: str, kind: type[Outcome]) -> None:
    async with FakeSmtp(users={"u": PASSWORD}) as smtp:
        smtp.always("AUTH", reply)
        outcome = await post(channel, to(smtp, username="u", password=PASSWORD))
        assert type(outcome) is kind
        assert isinstance(outcome, OutOfOrder | Transient)
        assert outcome.scope is Scope.ACCOUNT


async def test_at_most_three_connections_to_one_server(smtp: FakeSmtp, channel: Channel) -> None:
    here = [to(smtp, f"p{number}@example.com") for number in range(12)]
    outcomes = await asyncio.gather(*(post(channel, one) for one in here))
    assert all(isinstance(outcome, Sent) for outcome in outcomes)
    assert smtp.most_open <= 3


async def test_no_secret_is_told(caplog: pytest.LogCaptureFixture, channel: Channel) -> None:
    """Not even when the server repeats the line that it did not understand."""
    caplog.set_level(logging.DEBUG)
    line = base64.b64encode(f"\0u\0{PASSWORD}".encode()).decode()
    async with FakeSmtp(users={"u": PASSWORD}) as smtp:
        here = to(smtp, username="u", password=PASSWORD)
        told = [repr(here)]
        for reply in (f"535 5.7.8 AUTH PLAIN {line}", f"500 what is {PASSWORD}", "535 no"):
            smtp.reply("AUTH", reply)
            told.append(repr(await post(channel, here)))
        smtp.reply("DOT", f"554 5.0.0 {PASSWORD} {line}")
        told.append(repr(await post(channel, here)))
        told.append(repr(channel.payload(here, parcel())))
    text = "\n".join([*told, caplog.text])
    assert PASSWORD not in text
    assert line not in text
