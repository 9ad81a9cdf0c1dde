"""The language of `rules.yaml` as a JSON Schema (draft 7), for editors.

Keys come from the modules that read them, words from the catalogue, accounts and destinations from
the channels' models. It never refuses what the relay takes: texts may look like numbers or truth
values to an editor, and any value may hold a `${NAME}`. What depends on other places of the file
(names of destinations, rules and lists) is left to `relay check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from relay import samples
from relay.channels.registry import CHANNELS
from relay.config.destinations import BESIDE, LANGUAGE, NOBODY
from relay.config.form import model_in
from relay.config.loading import KEEPABLE, KEYS, VERSION
from relay.config.mentions import MENTION
from relay.config.owners import OWNER_KEYS
from relay.config.rule_list import OVERRIDES, RULE_KEYS, TEST_KEYS
from relay.config.schema_texts import ABOUT, DEFAULTS, EXAMPLES
from relay.events import Direction, Severity, Source, Topic
from relay.events.catalogue import KINDS
from relay.rules import KEYS as CONDITIONS

Json = dict[str, Any]

_TEXT: Json = {"type": ["string", "number", "boolean"], "pattern": "\\S"}
"""A text that is not empty; an editor takes `+49…` and `1_000` for numbers, `true` for a flag."""
_ANY_TEXT: Json = {"type": ["string", "number", "boolean"]}
_FILLED: Json = {"type": "string", "pattern": "\\$\\{"}
_LOOSE = "[*?A-Z]|\\$\\{|^relay"
"""Wildcards, another case, a placeholder: nothing that an enumeration could judge. The relay's own
words are allowed and not suggested, since its events are outside the rules."""
_DATA = "^data\\.[^.]+(\\.[^.]+)*$"
_SPAN = r"^\s*([0-9][0-9a-zA-Z., ]*|[nN][oO][nN][eE])\s*$|\$\{"


def rules_schema() -> Json:
    """The schema, as JSON-ready values."""
    keys = _keys()
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": f"urn:relay-360:rules:{VERSION}",
        "title": "Rules of the relay",
        "description": ABOUT[""],
        **_map("", {key: keys[key] for key in KEYS}, required=_REQUIRED),
        "definitions": {"rule": _rule(), "when": _when(), "destination": _destination()},
    }


_REQUIRED = ("version", "destinations", "rules")


def _keys() -> dict[str, Json]:
    """What stands under each key of the first level."""
    span = {"type": "string", "pattern": _SPAN}
    send_to = _map("", {"send_to": _send_to()}, required=["send_to"])
    return {
        "version": {"anyOf": [{"const": int(VERSION)}, {"const": VERSION}, _FILLED]},
        "timezone": _TEXT,
        "language": dict(LANGUAGE),
        "accounts": _map("accounts", _of_models("accounts", "account")),
        "destinations": {
            "type": "object",
            "minProperties": 1,
            "propertyNames": {"not": {"pattern": "^[nN][oO][nN][eE]$"}, "maxLength": 80},
            "additionalProperties": {"$ref": "#/definitions/destination"},
        },
        "phones": _lists(),
        "clients": _lists(),
        "rules": {"type": "array", "minItems": 1, "items": {"$ref": "#/definitions/rule"}},
        "default": send_to,
        "alarms": send_to,
        "watch": _map("watch", {"quality": span, "no_events": span, "heartbeat": _TEXT}),
        "tests": {"type": "array", "items": _test()},
        "privacy": _map("privacy", {"keep": _some(_suggested(KEEPABLE, _FILLED))}),
    }


def _map(place: str, properties: Mapping[str, Json], required: Iterable[str] = ()) -> Json:
    """A map of these keys alone; what stands below `place` is said of each of them."""
    prefix = f"{place}." if place else ""
    told = {name: _told(f"{prefix}{name}", shape) for name, shape in properties.items()}
    needed = {"required": list(required)} if required else {}
    return {"type": "object", "properties": told, **needed, "additionalProperties": False}


def _told(place: str, shape: Json) -> Json:
    """The same with description, examples and default, as far as there are any."""
    said: Json = {}
    if place in ABOUT:
        said["description"] = ABOUT[place]
    if place in EXAMPLES:
        said["examples"] = list(EXAMPLES[place])
    if place in DEFAULTS:
        said["default"] = DEFAULTS[place]
    return {**shape, **said}


def _some(shape: Json) -> Json:
    """One value, or a list of them that is not empty."""
    return {"anyOf": [shape, {"type": "array", "items": shape, "minItems": 1}]}


def _suggested(words: Iterable[str], otherwise: Json) -> Json:
    return {"anyOf": [{"enum": list(words)}, otherwise]}


def _flag() -> Json:
    return {"anyOf": [{"type": "boolean"}, {"type": "string", "pattern": "^(true|false)$|\\$\\{"}]}


def _send_to() -> Json:
    return _some(_suggested([NOBODY], _TEXT))


def _lists() -> Json:
    from_file = _map("list", {"file": _TEXT}, required=["file"])
    either = {"anyOf": [*_some(_TEXT)["anyOf"], from_file]}
    return {"type": "object", "additionalProperties": either}


def _destination() -> Json:
    transports = _of_models("destination", "destination")
    shapes = transports | {name: dict(key.shape) for name, key in BESIDE.items()}
    one = [{"required": [name]} for name in transports]
    return {"description": ABOUT["destination"], **_map("destination", shapes), "oneOf": one}


def _of_models(place: str, field: str) -> dict[str, Json]:
    """The maps of all transports that have a model of accounts, or of destinations."""
    models: dict[str, type[BaseModel] | None] = {
        name: getattr(kind, field) for name, kind in CHANNELS.items()
    }
    return {
        name: _of_model(f"{place}.{name}", model)
        for name, model in models.items()
        if model is not None
    }


def _of_model(place: str, model: type[BaseModel]) -> Json:
    said = model.model_json_schema()
    shapes: dict[str, Json] = {}
    for name, shape in said["properties"].items():
        inner = model_in(model.model_fields[name].annotation)
        shapes[name] = _of_model(f"{place}.{name}", inner) if inner else _as_written(shape)
    return _map(place, shapes, said.get("required", ()))


def _as_written(shape: Json) -> Json:
    """What pydantic says of a value, as a file may spell it: any value may come as text."""
    if "anyOf" in shape:
        (one,) = [each for each in shape["anyOf"] if each.get("type") != "null"]
        made = _as_written(one)
    elif "enum" in shape:
        made = _suggested(shape["enum"], _FILLED)
    elif shape["type"] == "array":
        item = _as_written(shape["items"])
        least = {key: shape[key] for key in ("minItems",) if key in shape}
        made = {"anyOf": [item, {"type": "array", "items": item, **least}]}
    elif shape["type"] == "object":
        made = {"type": "object", "additionalProperties": _ANY_TEXT}
    elif shape["type"] == "integer":
        limits = {key: shape[key] for key in ("minimum", "maximum") if key in shape}
        digits = {"type": "string", "pattern": "^\\s*[+]?[0-9]+\\s*$|\\$\\{"}
        made = {"anyOf": [{"type": "integer", **limits}, digits]}
    else:
        made = _ANY_TEXT
    default = {"default": shape["default"]} if shape.get("default") is not None else {}
    return {**default, **made}


def _rule() -> Json:
    shaped: Mapping[str, Json] = {"list": _TEXT, "column": _TEXT, "default": _send_to()}
    owners = _map("owners", {key: shaped[key] for key in OWNER_KEYS}, OWNER_KEYS)
    shapes: Mapping[str, Json] = {
        "name": _TEXT,
        "when": {"$ref": "#/definitions/when"},
        "send_to": {"anyOf": [*_send_to()["anyOf"], owners]},
        "stop": _flag(),
        "always": _flag(),
        "template": {"type": ["string", "number", "boolean"], "pattern": "^[^./\\\\][^/\\\\]*$"},
        "mention": dict(MENTION),
    }
    made = _map("rule", {key: shapes[key] for key in RULE_KEYS}, ["name", "when", "send_to"])
    return {"description": ABOUT["rule"], **made}


def _when() -> Json:
    when = {"$ref": "#/definitions/when"}
    alternatives = {"type": "array", "items": when, "minItems": 1}
    made = _map(
        "when",
        {key: _condition(key) for key in CONDITIONS}
        | {"any": alternatives, "not": {"anyOf": [when, alternatives]}},
    )
    data = {"description": ABOUT["when.data"], **_condition("")}
    about = {"description": ABOUT["rule.when"]}
    return {**about, "minProperties": 1, **made, "patternProperties": {_DATA: data}}


def _condition(key: str) -> Json:
    regex = _map("when", {"regex": _TEXT}, required=["regex"])
    shapes = [*_words(key)["anyOf"], regex] if _words(key) else [_TEXT, regex]
    return _some({"anyOf": shapes})


def _words(key: str) -> Json:
    """The suggestions for the values of a condition; empty where there are none."""
    loose: Json = {"type": "string", "pattern": _LOOSE}
    words: Mapping[str, tuple[Iterable[str], Json]] = {
        "event": ([k.name for k in KINDS.values() if k.source is not Source.RELAY] + ["*"], loose),
        # A detail that nobody has seen yet is allowed: `relay check` warns of it.
        "detail": (sorted({one for kind in KINDS.values() for one in kind.details}), _TEXT),
        "topic": ([one.value for one in Topic], loose),
        "severity": ([one.value for one in Severity], loose),
        "direction": ([one.value for one in Direction], loose),
        "source": ([one.value for one in Source if one is not Source.RELAY], loose),
    }
    return _suggested(*words[key]) if key in words else {}


def _test() -> Json:
    overrides = _map("test.with", dict.fromkeys(OVERRIDES, _TEXT))
    overrides["patternProperties"] = {
        "^data\\..+$": {"description": ABOUT["test.with.data"], **_TEXT}
    }
    shapes: Mapping[str, Json] = {
        "name": _TEXT,
        "event": _suggested(samples.names(), _TEXT),
        "file": _TEXT,
        "with": overrides,
        "expect": _send_to(),
        "text": _some(_TEXT),
        "rule": _TEXT,
    }
    made = _map("test", {key: shapes[key] for key in TEST_KEYS}, ["name"])
    either = [{"required": [key]} for key in ("event", "file")]
    asked = [{"required": [key]} for key in ("expect", "text", "rule")]
    return {"description": ABOUT["test"], **made, "oneOf": either, "anyOf": asked}
