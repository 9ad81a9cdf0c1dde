"""`mention` of destinations and rules: whom it takes, and what is said of everything else."""

from __future__ import annotations

from relay.channels import Call, Mention
from relay.events import Severity
from tests.config.test_config import config, faults
from tests.each import each

FILE = """\
version: 1
accounts:
  slack: {{token: xoxb-of-the-tests}}
  email: {{host: h.example.com, tls: none, sender: relay@example.com}}
destinations:
  support: {{slack: {{channel: "#support"}}{slack}}}
  flow: {{teams: {{url: "https://x.environment.api.powerplatform.com/y"}}{teams}}}
  mail: {{email: {{to: [a@example.com]}}{email}}}
  crm: {{webhook: {{url: "https://crm.example.com/x"}}{webhook}}}
rules:
  - name: one
    when: {{event: "*"}}
    send_to: {to}
{rule}
default: {{send_to: [support, flow, mail, crm]}}
alarms: {{send_to: [support, mail]}}
"""
GUID = "0f8fad5b-d9cb-469f-a165-70867728950e"


def file(*, to: str = "[support, mail]", rule: str = "", **beside: str) -> str:
    keys = dict.fromkeys(("slack", "teams", "email", "webhook"), "")
    said = {channel: f", mention: {value}" for channel, value in beside.items()}
    return FILE.format(to=to, rule=f"    mention: {rule}" if rule else "", **keys | said)


HERE, ANNA = Call("slack", "here", "@here"), Call("teams", "anna@example.com", "Anna Meier")


@each(
    "channel, value, expected",
    [
        ("slack", "here", Mention((HERE,))),
        ("slack", '"@here"', Mention((HERE,))),
        (
            "slack",
            "[here, U012AB3CD, W012AB3CD, S012AB3CD]",
            Mention(
                (
                    HERE,
                    *(Call("slack", f"{sign}012AB3CD", f"@{sign}012AB3CD") for sign in "UWS"),
                )
            ),
        ),
        ("slack", "{who: here, for: Warning}", Mention((HERE,), Severity.WARNING)),
        ("slack", "{who: here}", Mention((HERE,), Severity.CRITICAL)),
        ("slack", '"${WHO}"', Mention((HERE,))),
        ("teams", "Anna Meier <anna@example.com>", Mention((ANNA,))),
        ("teams", GUID, Mention((Call("teams", GUID, GUID),))),
    ],
)
def test_a_destination_calls(channel: str, value: str, expected: Mention) -> None:
    places = config(file(**{channel: value}), {"WHO": "here"}).destinations
    assert places["support" if channel == "slack" else "flow"].mention == expected


def test_who_is_called_is_no_other_place() -> None:
    before, after = (config(text).destinations["support"] for text in (file(), file(slack="here")))
    assert (before.target, before.fingerprint) == (after.target, after.fingerprint)


def test_a_rule_calls_where_it_can() -> None:
    named = config(file(rule="here")).mentions
    assert named == {"one": Mention((HERE,))}


def test_what_the_environment_does_not_have_calls_nobody_in_a_trial() -> None:
    assert config(file(slack='"${WHO}"'), strict=False).destinations["support"].mention is None


BY_MAIL = '"@here" can be called in slack alone, and this destination sends to '


@each(
    "said, line, words",
    [
        ({"email": "here"}, 8, f"{BY_MAIL}email: take it out"),
        ({"webhook": "here"}, 9, f"{BY_MAIL}webhook: take it out"),
        ({"teams": "here"}, 7, f"{BY_MAIL}teams: take it out"),
        ({"slack": "anna@example.com"}, 6, '"anna@example.com" can be called in teams alone'),
        ({"slack": "oncall"}, 6, '"oncall" can be called nowhere: write here, channel, the id'),
        ({"slack": '"<!here>"'}, 6, "can be called nowhere"),
        ({"slack": "[]"}, 6, "mention is an empty list"),
        ({"slack": ""}, 6, "mention has no value"),
        ({"slack": "[[here]]"}, 6, "mention must be a text, not a list"),
        ({"slack": "{for: warning}"}, 6, "mention has no `who`: name whom to call"),
        ({"slack": "{who: here, fro: info}"}, 6, 'unknown key "fro": did you mean "for"?'),
        ({"slack": "{who: here, for: grave}"}, 6, 'unknown severity "grave"'),
        ({"slack": f"[{', '.join(f'U012AB3C{n}' for n in range(6))}]"}, 6, "at most 5 can be"),
        ({"rule": "here", "to": "[mail, crm]"}, 14, "this rule sends to email and webhook"),
        ({"rule": "here", "to": "none"}, 14, "this rule sends to nobody"),
        ({"rule": "[here, anna@example.com]"}, 14, '"anna@example.com" can be called in teams'),
    ],
)
def test_what_cannot_be_called_is_said_at_its_line(
    said: dict[str, str], line: int, words: str
) -> None:
    found = [fault for fault in faults(file(**said)) if fault.level == "error"]
    assert [fault.line for fault in found] == [line]
    assert words in found[0].message


@each("to", ["[suport]", "[support, suport]"])
def test_an_unknown_destination_is_the_only_fault_of_its_rule(to: str) -> None:
    (fault,) = (one for one in faults(file(rule="here", to=to)) if one.level == "error")
    assert "unknown destination" in fault.message


@each("where", [{"slack": "here, for: warning"}, {"rule": "here\n    for: warning"}])
def test_a_for_beside_the_mention_is_told_its_place(where: dict[str, str]) -> None:
    (fault,) = (one for one in faults(file(**where)) if one.level == "error")
    assert fault.message == 'unknown key "for": did you mean "mention: {who: …, for: …}"?'
