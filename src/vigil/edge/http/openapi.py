"""The OpenAPI 3.1 document of the door, made from the route table, the request types and the verdict."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from vigil.edge.http.requests import MatchBody, UrlBody
from vigil.edge.http.routes import PAGE_PREFIX, WARNING_PREFIX, Route
from vigil.edge.http.table import TABLE
from vigil.edge.http.texts import Line, QueryBody, TextBody
from vigil.edge.pages import HELP_PREFIX
from vigil.edge.policy import Action
from vigil.edge.webhooks.settings import Event
from vigil.match.verdict import Outcome

_NUMBER_OR_NULL: Final = {"type": ["integer", "null"]}
_TEXT_OR_NULL: Final = {"type": ["string", "null"]}
_FILES: Final = ("image/*", "video/*", "application/octet-stream")


def document() -> dict[str, Any]:
    """The whole document."""
    paths = {path: _path(path, route) for path, route in TABLE.items()}
    paths[f"{PAGE_PREFIX}/{{language}}"] = {"get": _page("language")}
    paths[f"{WARNING_PREFIX}/{{language}}"] = {"get": _page("language", "The warning on a search.")}
    paths[f"{HELP_PREFIX}/{{message}}/{{place}}"] = paths[HELP_PREFIX]
    return {
        "openapi": "3.1.0",
        "info": {"title": "Vigil edge node", "version": "1", "description": "See docs/reference/edge-api.md."},
        "paths": paths,
        "components": {
            "schemas": {**_request_schemas(), "Verdict": _verdict(), "Verdicts": _verdicts(), "Problem": _problem()},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "webhooks": {event.value: {"post": _notice(event)} for event in Event},
    }


def document_text() -> str:
    """The document as the file in ``docs/reference`` holds it."""
    return json.dumps(document(), indent=1, sort_keys=True) + "\n"


def _path(path: str, route: Route) -> dict[str, Any]:
    described = {
        "/v1/match": {"get": _operation("One signal.", _ref("Verdict"), parameters=("type", "value")), "post": _match()},
        "/v1/url": {"post": _operation("One address, or several.", _either(), body={"application/json": _ref("UrlBody")})},
        "/v1/text": {"post": _operation("The addresses in a text.", _text_answer(), body={"application/json": _ref("TextBody")})},
        "/v1/stream": {
            "post": _operation(
                "Questions and answers as JSON lines.",
                {"type": "string"},
                kind="application/x-ndjson",
                body={"application/x-ndjson": _ref("Line")},
            )
        },
        "/v1/screen/query": {
            "post": _operation(
                "Listed terms in a query, and the message to show.", _screened(), body={"application/json": _ref("QueryBody")}
            )
        },
        "/healthz": {"get": _operation("The process answers.", {"type": "object"})},
        "/readyz": {"get": _ready()},
        "/metrics": {"get": _operation("Prometheus text.", {"type": "string"}, kind="text/plain")},
        PAGE_PREFIX: {"get": _page()},
        WARNING_PREFIX: {"get": _page(summary="The warning on a search.")},
        HELP_PREFIX: {"get": _help()},
        "/gate": {"get": _gate()},
    }[path]
    security: list[dict[str, list[str]]] = [] if route.open else [{"token": []}]
    return {method: {**operation, "security": security} for method, operation in described.items()}


def _operation(
    summary: str,
    schema: dict[str, Any],
    *,
    kind: str = "application/json",
    parameters: tuple[str, ...] = (),
    body: dict[str, Any] | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            "200": _response(summary, schema, kind),
            "default": _response("A problem.", _ref("Problem"), "application/problem+json"),
        },
    }
    if parameters:
        operation["parameters"] = [
            {"name": name, "in": "query", "required": True, "schema": {"type": "string"}} for name in parameters
        ]
    if body is not None:
        operation["requestBody"] = {"required": True, "content": {name: {"schema": schema} for name, schema in body.items()}}
    return operation


def _match() -> dict[str, Any]:
    files = {kind: {"type": "string", "contentEncoding": "binary"} for kind in _FILES}
    operation = _operation("A batch of signals, or one file.", _either(), body={"application/json": _ref("MatchBody"), **files})
    taken = {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}}}
    operation["responses"]["202"] = _response("A file whose verdict comes by a notice.", taken, "application/json")
    operation["parameters"] = [_header("Prefer", "`respond-async`: answer a file later, by a notice.", required=False)]
    return operation


def _notice(event: Event) -> dict[str, Any]:
    """What a node posts to a receiver."""
    entries = {"type": "array", "items": {"type": "integer"}}
    data: dict[str, Any] = {
        Event.MEDIA_VERDICT: {
            "allOf": [
                _ref("Verdict"),
                {"type": "object", "required": ["id"], "properties": {"id": {"type": "string"}, "action": _action()}},
            ]
        },
        Event.EDITION_IN_FORCE: _members({"edition": {"type": "integer"}, "previous": _NUMBER_OR_NULL}),
        Event.ENTRIES_WITHDRAWN: _members({"edition": {"type": "integer"}, "entries": entries, "total": {"type": "integer"}}),
    }[event]
    body = _members({"type": {"const": event.value}, "timestamp": {"type": "string", "format": "date-time"}, "data": data})
    return {
        "summary": {
            Event.MEDIA_VERDICT: "The verdict on a file that was taken with `Prefer: respond-async`.",
            Event.EDITION_IN_FORCE: "Another edition is enforced.",
            Event.ENTRIES_WITHDRAWN: "Entries that answered before and do not any more.",
        }[event],
        "parameters": [_header(f"webhook-{name}", "Standard Webhooks.") for name in ("id", "timestamp", "signature")],
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": {"2XX": {"description": "Taken."}, "410": {"description": "Never to be taken."}},
    }


def _members(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _header(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "description": description, "schema": {"type": "string"}}


def _ready() -> dict[str, Any]:
    operation = _operation("Whether traffic may come, and reasons for concern.", {"type": "object"})
    operation["responses"]["503"] = _response("Not ready.", {"type": "object"}, "application/json")
    return operation


def _help() -> dict[str, Any]:
    parameters = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in ("message", "place")]
    return {
        "summary": "On to a help line, counted by message.",
        "parameters": parameters,
        "responses": {
            "303": {"description": "The address of the help line."},
            "default": _response("A problem.", _ref("Problem"), "application/problem+json"),
        },
        "security": [],
    }


def _page(parameter: str = "", summary: str = "The block page.") -> dict[str, Any]:
    page = {
        "451": _response(summary, {"type": "string"}, "text/html"),
        "403": _response("The same, if so configured.", {"type": "string"}, "text/html"),
    }
    operation: dict[str, Any] = {"summary": summary, "responses": page, "security": []}
    if parameter:
        operation["parameters"] = [{"name": parameter, "in": "path", "required": True, "schema": {"type": "string"}}]
    return operation


def _gate() -> dict[str, Any]:
    operation = _operation("Where enabled: on to the address, or the block page.", {"type": "string"}, parameters=("url",))
    operation["responses"]["302"] = {"description": "Not listed: the address, in canonical form."}
    operation["responses"].update(_page()["responses"])
    del operation["responses"]["200"]
    return operation


def _response(description: str, schema: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"description": description, "content": {kind: {"schema": schema}}}


def _text_answer() -> dict[str, Any]:
    place = {"start": {"type": "integer"}, "end": {"type": "integer"}, "action": _action()}
    found = {"allOf": [_ref("Verdict"), {"type": "object", "required": list(place), "properties": place}]}
    members = {"addresses": {"type": "array", "items": found}, "edition": _NUMBER_OR_NULL}
    return {"type": "object", "required": list(members), "properties": members}


def _screened() -> dict[str, Any]:
    texts = ("message", "language", "direction", "review", "heading", "text", "why")
    message = {
        **{name: {"type": "string"} for name in texts},
        "help": {"type": "array", "items": {"type": "object"}},
        "more_help": _TEXT_OR_NULL,
        "page": _TEXT_OR_NULL,
    }
    more = {"action": _action(), "message": {"type": "object", "required": list(message), "properties": message}}
    return {"allOf": [_ref("Verdict"), {"type": "object", "required": ["action"], "properties": more}]}


def _action() -> dict[str, Any]:
    return {"enum": [action.value for action in Action]}


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _either() -> dict[str, Any]:
    return {"oneOf": [_ref("Verdict"), _ref("Verdicts")]}


def _request_schemas() -> dict[str, Any]:
    bodies = [MatchBody, UrlBody, TextBody, QueryBody, Line]
    _, components = msgspec.json.schema_components(bodies, ref_template="#/components/schemas/{name}")
    return components


def _verdict() -> dict[str, Any]:
    members = {
        "verdict": {"enum": [outcome.value for outcome in Outcome]},
        "list": _TEXT_OR_NULL,
        "entry": _NUMBER_OR_NULL,
        "edition": _NUMBER_OR_NULL,
        "signal": _TEXT_OR_NULL,
        "distance": _NUMBER_OR_NULL,
        "labels": {"type": "array", "items": {"type": "string"}},
    }
    return {"type": "object", "required": list(members), "properties": {**members, "reason": {"type": "string"}}}


def _verdicts() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["verdicts"],
        "properties": {"verdicts": {"type": "array", "items": _ref("Verdict")}},
    }


def _problem() -> dict[str, Any]:
    texts = {name: {"type": "string"} for name in ("type", "title", "code", "where", "mend")}
    required = ["type", "title", "status", "code"]
    return {"type": "object", "required": required, "properties": {**texts, "status": {"type": "integer"}}}
