"""What a request of the API or a command may ask, each body and query checked as a whole.

Unknown keys, wrong types and values that cannot be are refused, and nothing is done: a misspelt
condition would otherwise widen what an operator changes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from relay.deliveries import State
from relay.directory import IMPORTED, SYNCED, Contact
from relay.events import from_iso
from relay.journal import EventState, Filter
from relay.phones import PhonePattern, normalise
from relay.quiet import Conditions as SilenceConditions
from relay.text import one_line
from relay.times import span

ROWS = 100
MOST = 2**63 - 1
"""Of rows, and of an id: what SQLite can count."""
MOST_CONTACTS = 2_000
"""In one request: webhooks are recorded between two of them."""
RETRIED = (State.DEAD, State.PARKED, State.HELD, State.SUPPRESSED)
DISCARDED = (State.PENDING, State.PARKED, State.HELD, State.DEAD)
"""The states of what a person can put back, and give up."""
NOT_GIVEN: Any = None
"""Stands in a field that was not given; `model_fields_set` knows."""
LATELY = timedelta(days=7)
"""Silences that were over in this time are listed with those that are on."""
MOST_TOLD = 5
"""Faults of one request that are told."""


class WrongRequestError(ValueError):
    """A request that cannot be understood as a whole; its text says why, field by field."""


def _phone(text: str) -> str:
    phone = normalise(text)
    if phone is None:
        raise ValueError("write it with its country, like +49 171 3920011")
    return phone


def _numbers(text: str) -> str:
    """A number, or with `*` at its end the beginning of many."""
    if not {"*", "?"} & set(text):
        return _phone(text)
    pattern = PhonePattern.parse(text)
    if pattern.prefix is None:
        raise ValueError("write a whole number, or a beginning such as +49*")
    return f"{pattern.prefix}*"


def _moment(text: object) -> datetime:
    try:
        return from_iso(text) if isinstance(text, str) else _no_moment()
    except (ValueError, OverflowError):
        return _no_moment()


def moment_of(text: str, now: datetime) -> datetime:
    """A moment from `14d`, `2h` or an ISO date. Raises `ValueError` with words for a person."""
    try:
        ago = span(text)
        return from_iso(text) if ago is None else now - ago
    except OverflowError:
        raise ValueError("that is too long ago") from None
    except ValueError:
        raise ValueError(f'"{text}" is no time; write 14d, 2h or 2026-11-23T09:00') from None


def _no_moment() -> datetime:
    raise ValueError("write a time like 2026-11-23T09:00:00Z")


def _since(text: str) -> str:
    moment_of(text, datetime.now(UTC))
    return text


def _line(text: str) -> str:
    line = one_line(text)
    if not line:
        raise ValueError("nothing in it can be seen")
    return line


def _one_of(*states: State) -> AfterValidator:
    def check(state: State) -> State:
        if state not in states:
            raise ValueError(f"only {', '.join(states)}")
        return state

    return AfterValidator(check)


Text = Annotated[str, StringConstraints(min_length=1)]
Word = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    AfterValidator(_line),
]
"""What people are shown again, in a line with others."""
Phone = Annotated[str, AfterValidator(_phone)]
Numbers = Annotated[str, AfterValidator(_numbers)]
Moment = Annotated[
    datetime,
    PlainValidator(_moment),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
Since = Annotated[str, AfterValidator(_since)]
Limit = Annotated[int, Field(ge=1, le=MOST)]


TemplateName = Annotated[
    str,
    StringConstraints(
        max_length=200, pattern=r"^([A-Za-z0-9_-]+/)?[A-Za-z0-9_][A-Za-z0-9_.-]*\.j2$"
    ),
]


class Asked(BaseModel):
    """One body or query. A field that is not given has no value: no null stands for it."""

    model_config = ConfigDict(
        extra="forbid", frozen=True, hide_input_in_errors=True, defer_build=True
    )


class Nothing(Asked):
    """No body and no query."""


class Conditions(Asked):
    """Which events or deliveries; each that is given must hold."""

    kind: Text = NOT_GIVEN
    phone: Numbers = NOT_GIVEN
    client: Text = NOT_GIVEN
    destination: Text = NOT_GIVEN
    since: Moment = NOT_GIVEN

    def filter(self) -> Filter:
        """The conditions that were given."""
        names = self.model_fields_set - {"all"}
        return Filter(**{"limit": ROWS, **{name: getattr(self, name) for name in names}})


class Events(Conditions):
    """`GET /api/events`, `relay events`."""

    state: EventState = NOT_GIVEN
    text: Text = NOT_GIVEN
    before: Text = NOT_GIVEN
    limit: Limit = ROWS


class Deliveries(Conditions):
    """`GET /api/deliveries`, `relay deliveries`."""

    state: State = NOT_GIVEN
    text: Text = NOT_GIVEN
    reason: str = NOT_GIVEN
    before: Text = NOT_GIVEN
    limit: Limit = ROWS


class _Change(Conditions):
    """Which deliveries an operator changes: all that match, or, said by its name, `all`."""

    ids: Annotated[tuple[Text, ...], Field(min_length=1)] = NOT_GIVEN
    reason: str = NOT_GIVEN
    all: bool = False

    @model_validator(mode="after")
    def _never_by_accident(self) -> _Change:
        conditions = self.model_fields_set - {"all"}
        if self.all and conditions:
            raise ValueError(f"all stands alone, not beside {', '.join(sorted(conditions))}")
        if not self.all and not conditions:
            raise ValueError("say which deliveries: ids, a condition such as state, or all")
        return self


class Retry(_Change):
    """Dead and parked ones; suppressed means those that a person discarded."""

    state: Annotated[State, _one_of(*RETRIED)] = NOT_GIVEN


class Discard(_Change):
    """What is not finished."""

    state: Annotated[State, _one_of(*DISCARDED)] = NOT_GIVEN


class Replay(Conditions):
    """Which events are told again: all that match."""

    state: EventState = NOT_GIVEN
    until: Moment = NOT_GIVEN
    ids: Annotated[tuple[Text, ...], Field(min_length=1)] = NOT_GIVEN
    to: Text = NOT_GIVEN
    again: bool = False
    dry_run: bool = False

    @model_validator(mode="after")
    def _never_by_accident(self) -> Replay:
        if not self.model_fields_set - _HOW:
            raise ValueError("say which events: ids, or a condition such as since")
        return self

    def filter(self) -> Filter:
        """The conditions that were given, for as many events as there are."""
        given = {name: getattr(self, name) for name in self.model_fields_set - _HOW}
        return Filter(**given, limit=MOST)


_HOW = frozenset({"to", "again", "dry_run"})


class ReplayOne(Asked):
    """How one event is told again, which the path names."""

    to: Text = NOT_GIVEN
    again: bool = False
    dry_run: bool = False


class Silences(Asked):
    """`GET /api/silences`: those that are on, and those that were over since a moment."""

    since: Moment = NOT_GIVEN


class BeginSilence(Asked):
    """`POST /api/silences`, `relay silence add`."""

    phone: Word = NOT_GIVEN
    client: Word = NOT_GIVEN
    kind: Word = NOT_GIVEN
    topic: Word = NOT_GIVEN
    destination: Word = NOT_GIVEN
    lasting: Text = Field(NOT_GIVEN, alias="for")
    until: Text = NOT_GIVEN
    why: Word
    also_critical: bool = False

    def given(self) -> dict[str, Any]:
        """What `relay.silences.begin` takes; a number in the one spelling that the relay keeps."""
        phone = self.phone and (normalise(self.phone) or self.phone)
        about = SilenceConditions(phone, self.client, self.kind, self.topic, self.destination)
        names = ("lasting", "until", "why", "also_critical")
        return {"about": about, **{name: getattr(self, name) for name in names}}


class Diff(Asked):
    """`POST /api/diff`: what rules and templates would change, by the events that came.

    What is not given is as the files say it.
    """

    rules: Text = NOT_GIVEN
    templates: dict[TemplateName, str] = Field(default_factory=dict)
    against: Annotated[int, Field(ge=1, le=MOST)] = NOT_GIVEN
    since: Since = "14d"
    messages: bool = False


class Quarantine(Asked):
    """`GET /api/quarantine`."""

    since: Moment = NOT_GIVEN
    limit: Limit = ROWS


class Forget(Asked):
    """`POST /api/forget`."""

    phone: Phone
    discard: bool = False


class Directory(Asked):
    """`GET /api/directory`."""

    search: str = ""
    limit: Limit = ROWS


class Taught(Asked):
    """One number of `POST /api/directory`, as `Contact` says it."""

    phone: Phone | None = None
    name: str | None = None
    waba: str | None = None
    waba_360: str | None = None
    client_id: str | None = None
    client_name: str | None = None
    channel: str | None = None
    country: str | None = None
    ended: bool = False


class Teach(Asked):
    """`POST /api/directory`."""

    contacts: Annotated[tuple[Taught, ...], Field(max_length=MOST_CONTACTS)]
    kind: Annotated[str, StringConstraints(pattern=f"^({IMPORTED}|{SYNCED})$")] = IMPORTED

    def told(self) -> list[Contact]:
        return [Contact(**dict(contact)) for contact in self.contacts]


T = TypeVar("T", bound=Asked)


def of_body(model: type[T], body: bytes, mark: str = "") -> T:
    """The JSON of a body; none at all is `{}`. Raises `WrongRequestError`.

    `mark` stands before the name of a field in what is told.
    """
    try:
        return model.model_validate_json(body.strip() or b"{}", strict=True)
    except ValidationError as error:
        raise WrongRequestError("; ".join(_words(error, mark))) from None


def of_texts(model: type[T], texts: Iterable[tuple[str, str]], mark: str = "") -> T:
    """As `of_body`, of a query or of options."""
    given: dict[str, str] = {}
    for name, text in texts:
        if name in given:
            raise WrongRequestError(f"{mark}{name} is given twice")
        given[name] = text
    try:
        return model.model_validate_strings(given)
    except ValidationError as error:
        raise WrongRequestError("; ".join(_words(error, mark))) from None


def _words(error: ValidationError, mark: str = "") -> list[str]:
    """The first faults, without what was given: it may be long, or steer a terminal."""
    found = error.errors(include_url=False, include_input=False)[:MOST_TOLD]
    return [_fault(fault, mark) for fault in found]


def _fault(fault: Mapping[str, Any], mark: str) -> str:
    where = ".".join(str(part) for part in fault["loc"])
    context = fault.get("ctx", {})
    match fault["type"]:
        case "extra_forbidden":
            why = "is not known here"
        case "enum":
            why = f"it is {context['expected']}"
        case "missing":
            why = "is needed"
        case "value_error":
            why = str(context["error"])
        case _:
            why = str(fault["msg"]).removeprefix("Input should be ")
    return f"{mark}{where}: {why}" if where else why
