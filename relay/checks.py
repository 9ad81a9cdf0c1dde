"""Everything that `relay check` knows beyond what loading finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from relay import samples
from relay.deliveries import Cause
from relay.errors import Fault
from relay.events import Event
from relay.messages.templates import Context
from relay.pipeline import Plan
from relay.sources.reading import read

SUFFIX = ".md.j2"
FALLBACK_SAMPLE = "channel_live"


def check(plan: Plan, folder: str) -> tuple[Fault, ...]:
    """What is wrong with a plan that could be loaded; `folder` names its templates' place."""
    return tuple(sorted(_render_each(plan, folder)))


def sample(name: str, now: datetime) -> Event:
    """A bundled sample as an event. Raises `RelayError` for an unknown name."""
    return read(samples.fresh(name, now), received_at=now).arrivals[0].event


def _render_each(plan: Plan, folder: str) -> Iterator[Fault]:
    """Every template rendered once, with a sample of what it is for."""
    now = datetime.now(UTC)
    wanted = {name: _samples_for(name) for name in plan.templates.names}
    for name, sample_name in wanted.items():
        event = sample(sample_name, now)
        context = Context(
            rule="check",
            template=name,
            timezone=plan.timezone,
            now=event.late_since,
            cause=Cause.RULE.value,
            destination=None,
        )
        message = plan.templates.render(event, context=context)
        place = f"{folder}/{name}{SUFFIX}"
        if message.fault:
            yield Fault(place, 1, 1, "error", f"rendered with {sample_name}: {message.fault}")
        for missing in dict.fromkeys(message.missing):
            yield Fault(
                place,
                1,
                1,
                "warning",
                f"{sample_name} has no {missing}; it will show as [missing: {missing}]",
            )


def _samples_for(template: str) -> str:
    """The name of a sample that this template is for."""
    stem = template.lower()
    by_kind = {name.lower().replace("/", "."): name for name in samples.names()}
    if stem in by_kind:
        return by_kind[stem]
    now = datetime.now(UTC)
    for name in samples.names():
        if name.partition("/")[0].lower() == stem:
            return name
    for name in samples.names():
        if sample(name, now).topic.value == stem:
            return name
    return FALLBACK_SAMPLE
