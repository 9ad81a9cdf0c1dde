"""`relay send-test`: one message marked as a test, and the target's answer in words."""

from __future__ import annotations

import secrets
from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime

from relay import reload, samples
from relay.channels.registry import open_channels
from relay.cli.output import clean, console, panel
from relay.deliveries import Cause
from relay.errors import RelayError, UsageError
from relay.events import event_id
from relay.outcomes import Proof, Sent, outcome_word
from relay.pipeline import compose, owe, write
from relay.settings import Settings
from relay.text import nearest

_PROOFS = {
    Proof.POSTED: "it was posted",
    Proof.ACCEPTED: "it was accepted; Teams does not say whether it was shown",
    Proof.SANDBOX: "it was kept",
}


async def run(options: Namespace, settings: Settings) -> int:
    """Send a sample to one destination; 1 if the target did not take it."""
    plan = reload.show(settings, strict_env=True).plan
    destination = plan.destinations.get(options.destination)
    if destination is None:
        near = nearest(options.destination, plan.destinations)
        hint = f"did you mean {near}?" if near else f"there are {', '.join(plan.destinations)}"
        raise UsageError(f'unknown destination "{clean(options.destination)}": {hint}')
    now = datetime.now(UTC)
    try:
        event = samples.event(options.event, now)
    except RelayError as error:
        raise UsageError(f"{error}; the samples: {', '.join(samples.names()[:5])}, …") from None
    # Another id each time, so that no target takes a second test for a repeat of the first.
    event = replace(event, id=event_id(secrets.token_hex()), occurred_at=None)
    delivery = owe(event, destination, cause=Cause.TEST, now=now, version=plan.version)
    message = compose(delivery, event, plan, now)
    channels = open_channels(reload.outbound(settings))
    channel = channels[destination.channel]
    try:
        payload = write(delivery, event, destination, channel, message, now)
        outcome = await channel.send(destination, payload)
    finally:
        for opened in channels.values():
            await opened.close()
    out = console()
    out.print(panel(message, f"{destination.channel}: {destination.name}"))
    if isinstance(outcome, Sent):
        print(f"{destination.name}: {_PROOFS[outcome.proof]}")
        return 0
    print(f"{destination.name}: {outcome_word(outcome)}: {clean(outcome.reason)}")
    return 1
