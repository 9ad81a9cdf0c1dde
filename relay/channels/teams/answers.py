"""What the answers of a Workflows webhook mean.

202 says that the flow's run was started, not that the card was shown: that is all the proof there
is. A flow that is off, deleted or owned by nobody any more answers 4xx with
`{"error": {"code", "message"}}`; gateways in the manner of the old connectors say 200 and put the
failure into the text.
"""

from __future__ import annotations

import json
import re

from relay.channels.exchange import Answer, rate_limited, redirected, remark
from relay.channels.teams.settings import NEW_LINK
from relay.outcomes import Ambiguous, Outcome, OutOfOrder, Proof, Refused, Sent

WHO = "the Teams workflow"
_SWITCHED_OFF = re.compile(
    "NotEnabled|Disabled|Suspended|NotFound|Stopped|Authori[sz]ation|Forbidden", re.IGNORECASE
)
_WRAPPED = re.compile(r"returned HTTP error (\d{3})", re.IGNORECASE)
_TOO_LARGE = re.compile("TooLarge|SizeExceeded|too large", re.IGNORECASE)
_REMEDIES = {
    401: "its URL is not accepted: copy it again, and let anyone trigger the workflow",
    403: "it does not let this relay in: check that it is on and that anyone may trigger it",
    404: "it is gone: create it again and set its new URL",
    410: "it is gone: create it again and set its new URL",
}


def read(answer: Answer, secrets: tuple[str, ...] = (), *, old: bool = False) -> Outcome:
    """What the answer means; `secrets` are kept out of the reason. `old` is a URL that ends."""
    if (redirect := redirected(WHO, answer)) is not None:
        return redirect
    status = answer.status
    wrapped = _WRAPPED.search(answer.text) if status in (200, 202) else None
    if wrapped is not None:
        status = int(wrapped[1])
    elif status in (200, 202):
        if "webhook message delivery failed" in answer.text.casefold():
            return Ambiguous(_told(answer, secrets))
        return Sent(Proof.ACCEPTED, reason="accepted; Teams does not say whether it was shown")
    told = _told(answer, secrets)
    if status == 429:
        return rate_limited(WHO, answer, f"HTTP {status}")
    if status == 413:
        return Refused(f"{told}: the card is too large")
    if old and status in (401, 404, 410):
        return OutOfOrder(
            f"{told}: its URL is an old one, and Microsoft has been ending these: {NEW_LINK}"
        )
    if status in _REMEDIES:
        return OutOfOrder(f"{told}: {_REMEDIES[status]}")
    if status == 408 or status >= 500 or status < 400:
        return Ambiguous(f"{told}: it may have been posted")
    code, _ = _error(answer)
    if _SWITCHED_OFF.search(code):
        return OutOfOrder(f"{told}: it is off: switch it on")
    if _TOO_LARGE.search(answer.text):
        return Refused(f"{told}: the card is too large")
    if status in (400, 422):
        return Refused(f"{told}: it does not take this card")
    return OutOfOrder(f"{told}: check the workflow and its URL")


def _told(answer: Answer, secrets: tuple[str, ...]) -> str:
    code, message = _error(answer)
    said = remark(f"{code}: {message}".strip(": "), secrets)
    return f"{WHO} answered HTTP {answer.status}" + (f" ({said})" if said else "")


def _error(answer: Answer) -> tuple[str, str]:
    """Code and message of the answer; the text itself where it has none."""
    try:
        shape = json.loads(answer.body)
        error = shape["error"]
        return str(error.get("code", "")), str(error.get("message", ""))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        text = "" if "<" in answer.text else answer.text
        return "", text
