"""What the answers of a webhook's receiver mean.

Standard Webhooks 1.0 says: 2xx is success, 3xx is a failure, 410 ends it, and `Retry-After` is
obeyed.
"""

from __future__ import annotations

from relay.channels.exchange import Answer, rate_limited, redirected, remark
from relay.outcomes import Ambiguous, Outcome, OutOfOrder, Proof, Refused, Sent

WHO = "the webhook's receiver"
_REMEDIES = {
    401: "it does not know this relay: correct headers or secret",
    403: "it does not let this relay in: correct headers or secret",
    404: "there is nothing at this URL: correct it",
    405: "it takes no POST at this URL: correct it",
    410: "it wants no more messages: set its new URL, or remove the destination",
}


def read(answer: Answer, secrets: tuple[str, ...] = ()) -> Outcome:
    """What the answer means; `secrets` are kept out of the reason."""
    if (redirect := redirected(WHO, answer)) is not None:
        return redirect
    status = answer.status
    if 200 <= status < 300:
        return Sent(Proof.POSTED)
    if status == 429 or (status == 503 and "Retry-After" in answer.headers):
        return rate_limited(WHO, answer)
    said = remark("" if "<" in answer.text else answer.text, secrets)
    told = f"{WHO} answered HTTP {status}" + (f" ({said})" if said else "")
    if status in _REMEDIES:
        return OutOfOrder(f"{told}: {_REMEDIES[status]}")
    if status == 408 or status >= 500 or status < 200:
        return Ambiguous(f"{told}: it may have taken it")
    if status in (400, 413, 415, 422):
        return Refused(f"{told}: it does not take this body")
    return OutOfOrder(f"{told}: check the URL and what it wants")
