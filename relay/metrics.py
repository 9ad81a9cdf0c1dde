"""What `/metrics` shows, in Prometheus' text format.

Label values come from closed sets (sources, kinds of the catalogue, destinations of `rules.yaml`,
outcomes), never from a webhook's texts: no phone number and no name can become a label.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from relay.deliveries import Delivery, State
from relay.events import Event
from relay.events.catalogue import KINDS
from relay.outcomes import outcome_word

if TYPE_CHECKING:
    from relay.sending import Tried

_KNOWN = frozenset(KINDS)


class Metrics:
    """One registry with everything that the relay counts; each app has its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        r = self.registry
        self.received = Counter(
            "relay_events_received", "Events on disk.", ["source", "kind"], registry=r
        )
        self.ignored = Counter(
            "relay_events_ignored",
            "Items dropped on purpose, such as chats.",
            ["reason"],
            registry=r,
        )
        self.duplicates = Counter("relay_events_duplicate", "Repeats of known events.", registry=r)
        self.quarantined = Counter(
            "relay_events_quarantined", "Bodies or items kept in quarantine.", registry=r
        )
        self.matched = Counter(
            "relay_events_matched", "Events that a rule or the default took.", registry=r
        )
        self.unmatched = Counter("relay_events_unmatched", "Events that nothing took.", registry=r)
        self.delivered = Counter(
            "relay_deliveries_delivered",
            "Messages that a target took.",
            ["destination", "proof"],
            registry=r,
        )
        self.failed = Counter(
            "relay_attempts_failed",
            "Attempts that did not deliver, by reason.",
            ["destination", "reason"],
            registry=r,
        )
        self.dead = Counter(
            "relay_deliveries_dead", "Deliveries given up.", ["destination"], registry=r
        )
        self.template_faults = Counter(
            "relay_template_faults", "Messages replaced by the built-in one.", registry=r
        )
        self.missing_values = Counter(
            "relay_template_missing_values",
            "Values that a template asked for in vain.",
            registry=r,
        )
        self.refused = Counter(
            "relay_webhooks_refused",
            "Webhooks that were not stored, by status.",
            ["status"],
            registry=r,
        )
        self.answer_seconds = Histogram(
            "relay_webhook_seconds",
            "Time from the first byte to the answer.",
            buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=r,
        )
        self.attempt_seconds = Histogram(
            "relay_attempt_seconds",
            "Time of one send.",
            ["channel"],
            buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 30),
            registry=r,
        )
        self.queue = Gauge(
            "relay_queue_deliveries", "Unfinished deliveries.", ["state"], registry=r
        )
        self.queue_age = Gauge(
            "relay_queue_age_seconds", "How long the oldest due delivery has been due.", registry=r
        )
        self.unrouted = Gauge("relay_events_unrouted", "Events not yet routed.", registry=r)
        self.loop_lag = Gauge(
            "relay_loop_lag_seconds",
            "How late the event loop woke a sleeper: the worst of the last minute.",
            registry=r,
        )
        self.loop_faults = Counter(
            "relay_loop_faults", "Unforeseen faults that a loop survived.", registry=r
        )
        self.watch_success = Gauge(
            "relay_watch_last_success_timestamp_seconds",
            "When 360dialog's list of numbers was last read whole.",
            registry=r,
        )
        self.watched_numbers = Gauge(
            "relay_watch_numbers", "Numbers in 360dialog's list.", registry=r
        )
        self.watch_failures = Counter(
            "relay_watch_failures", "Looks at 360dialog's list that failed.", registry=r
        )
        self.rules_ok = Gauge(
            "relay_rules_last_load_successful",
            "0: the file is bad, older rules are live.",
            registry=r,
        )
        self.rules_version = Gauge("relay_rules_version", "The live version.", registry=r)
        self.out_of_order = Gauge(
            "relay_targets_out_of_order",
            "Targets and accounts whose deliveries are parked.",
            registry=r,
        )

        # Which child has which labels is worked out once for each: the sets are small and closed.
        self._received = cache(self.received.labels)
        self._delivered = cache(self.delivered.labels)
        self._attempt_seconds = cache(self.attempt_seconds.labels)

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
