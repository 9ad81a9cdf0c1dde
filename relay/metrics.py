"""What `/metrics` shows, in Prometheus' text format.

Label values come from closed sets (sources, kinds of the catalogue, destinations of `rules.yaml`,
outcomes), never from a webhook's texts: no phone number and no name can become a label.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache, partial
from typing import TYPE_CHECKING

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

from relay.deliveries import Delivery, State
from relay.events import Event
from relay.events.catalogue import KINDS
from relay.outcomes import outcome_word

if TYPE_CHECKING:
    from relay.sending import Tried

REFUSALS = ("400", "401", "404", "408", "413", "415", "503")
"""The statuses with which a webhook may be refused."""
_KNOWN = frozenset(KINDS)


class Metrics:
    """One registry with everything that the relay counts; each app has its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        count = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        seconds = partial(Histogram, registry=self.registry)

        self.received = count("relay_events_received", "Events on disk.", ["source", "kind"])
        self.ignored = count(
            "relay_events_ignored", "Items dropped on purpose, such as chats.", ["reason"]
        )
        self.duplicates = count("relay_events_duplicate", "Repeats of known events.")
        self.quarantined = count("relay_events_quarantined", "Bodies or items kept in quarantine.")
        self.matched = count("relay_events_matched", "Events that a rule or the default took.")
        self.unmatched = count("relay_events_unmatched", "Events that nothing took.")
        self.unrouted = gauge("relay_events_unrouted", "Events not yet routed.")
        self.refused = count(
            "relay_webhooks_refused", "Webhooks that were not stored, by status.", ["status"]
        )
        self.answer_seconds = seconds(
            "relay_webhook_seconds",
            "Time from the first byte to the answer.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
        )

        took = "Messages that a target took."
        self.delivered = count("relay_deliveries_delivered", took, ["destination", "proof"])
        failed = "Attempts that did not deliver, by reason."
        self.failed = count("relay_attempts_failed", failed, ["destination", "reason"])
        self.dead = count("relay_deliveries_dead", "Deliveries given up.", ["destination"])
        self.attempt_seconds = seconds(
            "relay_attempt_seconds",
            "Time of one send.",
            ["channel"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30),
        )
        self.queue = gauge("relay_queue_deliveries", "Unfinished deliveries.", ["state"])
        self.queue_age = gauge(
            "relay_queue_age_seconds", "How long the oldest due delivery has been due."
        )
        self.out_of_order = gauge(
            "relay_targets_out_of_order", "Targets and accounts whose deliveries are parked."
        )
        self.failing = gauge(
            "relay_destinations_failing",
            "Destinations whose target has just failed several times in a row.",
        )
        self.template_faults = count(
            "relay_template_faults", "Messages replaced by the built-in one."
        )
        self.missing_values = count(
            "relay_template_missing_values", "Values that a template asked for in vain."
        )

        self.loop_lag = gauge(
            "relay_loop_lag_seconds",
            "How late the event loop woke a sleeper: the worst of the last minute.",
        )
        self.loop_faults = count("relay_loop_faults", "Unforeseen faults that a loop survived.")
        self.rules_ok = gauge(
            "relay_rules_last_load_successful", "0: the file is bad, older rules are live."
        )
        self.rules_version = gauge("relay_rules_version", "The live version.")
        self.watch_success = gauge(
            "relay_watch_last_success_timestamp_seconds",
            "When 360dialog's list of numbers was last read whole.",
        )
        self.watched_numbers = gauge("relay_watch_numbers", "Numbers in 360dialog's list.")
        self.watch_failures = count(
            "relay_watch_failures", "Looks at 360dialog's list that failed."
        )

        # What an alert waits for is there before the first of it: an increase needs a value before.
        for status in REFUSALS:
            self.refused.labels(status)
        ProcessCollector(registry=self.registry)
        # Which child has which labels is worked out once for each: the sets are small and closed.
        self._received = cache(self.received.labels)
        self._delivered = cache(self.delivered.labels)
        self._attempt_seconds = cache(self.attempt_seconds.labels)

    def expect(self, destinations: Iterable[str]) -> None:
        """These may be delivered to from now on."""
        for name in destinations:
            self.dead.labels(name)

    def took(self, event: Event) -> None:
        """An event is on disk."""
        kind = event.kind if event.kind in _KNOWN else "other"
        self._received(event.source, kind).inc()

    def routed(self, matched: bool) -> None:
        (self.matched if matched else self.unmatched).inc()

    def settled(self, tried: Tried, after: Delivery) -> None:
        """The one place where every outcome of an attempt is counted."""
        self._attempt_seconds(after.channel).observe(tried.duration_ms / 1000)
        if (message := tried.message) is not None:
            if message.fault:
                self.template_faults.inc()
            if message.missing:
                self.missing_values.inc(len(message.missing))
        if after.state is State.DELIVERED:
            proof = after.proof or "unknown"
            self._delivered(after.destination, proof).inc()
            return
        self.failed.labels(after.destination, outcome_word(tried.outcome)).inc()
        if after.state is State.DEAD:
            self.dead.labels(after.destination).inc()

    def text(self) -> bytes:
        """The exposition."""
        return generate_latest(self.registry)
