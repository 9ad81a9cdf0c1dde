"""The description of the API, made from what it is asked and what it answers (OpenAPI 3.1)."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic.json_schema import models_json_schema

from relay import __version__
from relay.web import answers, asked, diffed

if TYPE_CHECKING:
    from relay.web.api import Route

_REFUSALS = {
    400: "It cannot be understood, and nothing was done.",
    401: "It needs an admin token as a bearer.",
    404: "There is none with this id.",
    409: "Its state does not allow that.",
    413: "The body is too large.",
    422: "It cannot be done as things are.",
    502: "360dialog cannot be asked.",
    503: "The journal cannot be asked now.",
}
_ALWAYS = (400, 401, 413, 503)
_REFERENCE = "#/components/schemas/{model}"
_ABOUT = """\
What came, what became of it, and putting things right. Events are never changed; what a person
changes is recorded with the name that stands before the token in `RELAY_ADMIN_TOKEN`. A page of the
relay may ask with its cookie, and for changes with the header `X-Form-Token`."""


def described(routes: Iterable[Route]) -> dict[str, Any]:
    """The whole document."""
    table = list(routes)
    models: dict[type[Any], Any] = {answers.Error: None}
    models |= {_model(route.answer): None for route in table}
    models |= {route.asked: None for route in table if route.asked is not asked.Nothing}
    chosen = [(model, "validation") for model in models]
    named, definitions = models_json_schema(chosen, ref_template=_REFERENCE)  # type: ignore[arg-type]
    schemas = {name: _without_unset(schema) for name, schema in definitions["$defs"].items()}
    queries = [route.asked.__name__ for route in table if route.method == "GET"]
    names = {model: schema["$ref"].rpartition("/")[2] for (model, _), schema in named.items()}
    paths: dict[str, dict[str, Any]] = {}
    for route in table:
        path, parameters = _path(route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(
            route, parameters, schemas, names
        )
    return {
        "openapi": "3.1.0",
        "info": {"title": "relay", "version": __version__, "description": _ABOUT},
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "schemas": {name: one for name, one in schemas.items() if name not in queries},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "relay_session"},
            },
        },
    }


def _model(name: str) -> type[Any]:
    model: type[Any] = getattr(answers, name, None) or getattr(diffed, name)
    return model


def _operation(
    route: Route,
    parameters: list[dict[str, Any]],
    schemas: Mapping[str, Any],
    names: Mapping[type[Any], str],
) -> dict[str, Any]:
    said = inspect.getdoc(route.handler) or ""
    first, _, _ = said.partition("\n")
    parameters = list(parameters)
    operation: dict[str, Any] = {
        "operationId": getattr(route.handler, "__name__", "").strip("_"),
        "summary": first.rstrip("."),
        "responses": _responses(route, names),
    }
    if route.asked is not asked.Nothing:
        name = names[route.asked]
        if route.method == "GET":
            parameters += _in_query(schemas[name])
        else:
            needed = bool(schemas[name].get("required"))
            operation["requestBody"] = {"required": needed, "content": _json(name)}
    if parameters:
        operation["parameters"] = parameters
    return operation


def _responses(route: Route, names: Mapping[type[Any], str]) -> dict[str, Any]:
    found = {"200": {"description": "Done.", "content": _json(route.answer)}}
    for status in sorted({*_ALWAYS, *route.refusals}):
        shape = names[answers.Error]
        if status == 422 and route.answer == "Loaded":
            shape = "Loaded"
        found[str(status)] = {"description": _REFUSALS[status], "content": _json(shape)}
    return found


def _json(name: str) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=name)}}}


def _in_query(schema: Mapping[str, Any]) -> list[dict[str, Any]]:
    required = schema.get("required", ())
    return [
        {"name": name, "in": "query", "required": name in required, "schema": field}
        for name, field in schema["properties"].items()
    ]


def _path(path: str) -> tuple[str, list[dict[str, Any]]]:
    """A path without its patterns, and what stands in its braces."""
    parameters = []
    for name, pattern in re.findall(r"{(\w+)(?::((?:[^{}]|{[^{}]*})*))?}", path):
        schema = {"type": "string", "minLength": 1}
        if pattern:
            schema |= {"pattern": f"^{pattern}$"}
        parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
    return re.sub(r"{(\w+):(?:[^{}]|{[^{}]*})*}", r"{\1}", path), parameters


def _without_unset(value: Any) -> Any:
    """A schema in which no null stands for what is not given."""
    if isinstance(value, dict):
        return {
            key: _without_unset(item)
            for key, item in value.items()
            if not (key == "default" and item is None)
            and not (key == "title" and isinstance(item, str))
        }
    if isinstance(value, list):
        return [_without_unset(item) for item in value]
    return value
