"""The OpenAPI document of the reporting interface, made from the types that read it. A test keeps the printed copy equal."""

from __future__ import annotations

import json
from typing import Any, Final

import msgspec

from vigil import __version__
from vigil.base.limits import BATCH_ITEMS, JSON_BODY_BYTES
from vigil.hotline.access.permissions import SCOPES
from vigil.hotline.doors.partner.wire import ChildBody, ReportBody

KEY: Final = {
    "name": "Idempotency-Key", "in": "header", "required": False,
    "description": "The same key with the same body gives the same answer again for seven days; with another body it is refused.",
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._:-]{1,100}$"},
}  # fmt: skip
RESULT: Final = {
    "type": "object",
    "properties": {
        "line": {"type": "integer", "minimum": 1},
        "ref": {"type": "string"},
        "duplicate": {"type": "boolean"},
        "code": {"type": "string"},
        "where": {"type": "string"},
    },
    "required": ["line"],
}
STATES: Final = {"type": "string", "enum": ["received", "in_hand", "closed"]}


def document() -> dict[str, Any]:
    """The whole document."""
    (report, child), components = msgspec.json.schema_components(
        [ReportBody, ChildBody], ref_template="#/components/schemas/{name}"
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vigil reporting interface",
            "version": __version__,
            "description": "Reports from partners. A refusal is a problem document (RFC 9457) with a stable code.",
        },
        "security": [{"sender": []}],
        "paths": {
            "/v1/reports": {"post": _one(report)},
            "/v1/reports/bulk": {"post": _bulk()},
            "/v1/reports/{ref}": {"get": _state()},
            "/v1/child-cases": {"post": _hand_over(child)},
            "/v1/child-cases/{case_number}": {"get": _outcome()},
        },
        "components": {
            "schemas": {**components, "Problem": _problem()},
            "securitySchemes": {"sender": {"type": "http", "scheme": "bearer", "description": f"Scopes: {', '.join(SCOPES)}."}},
        },
    }


def document_text() -> str:
    """The document as the file ``docs/reference/partner-openapi.json``."""
    return json.dumps(document(), indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _one(schema: dict[str, Any]) -> dict[str, Any]:
    receipt = {"ref": {"type": "string"}, "duplicate": {"type": "boolean"}, "state": STATES}
    return {
        "operationId": "report",
        "summary": "Hand in one report. Scope: report.send.",
        "parameters": [KEY],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "201": _json("Taken in.", receipt),
            "200": _json("Taken in before under this key; header Idempotent-Replay: true.", receipt),
            **_problems(400, 401, 403, 409, 413, 415, 422),
        },
    }


def _bulk() -> dict[str, Any]:
    answer = {
        "accepted": {"type": "integer"},
        "duplicates": {"type": "integer"},
        "refused": {"type": "integer"},
        "results": {"type": "array", "items": RESULT},
    }
    return {
        "operationId": "reports",
        "summary": "Hand in many reports. Scope: report.bulk.",
        "description": f"At most {BATCH_ITEMS.value} lines and {JSON_BODY_BYTES.value} bytes. A JSON line is a ReportBody; the "
        "head of a CSV table names its fields, and ai_nexus holds values separated by blanks. Good lines are kept, whatever the "
        "others hold.",
        "parameters": [KEY],
        "requestBody": {
            "required": True,
            "content": {name: {"schema": {"type": "string"}} for name in ("application/x-ndjson", "text/csv")},
        },
        "responses": {"200": _json("One result for each line.", answer), **_problems(400, 401, 403, 409, 413, 415, 422)},
    }


def _state() -> dict[str, Any]:
    answer = {"ref": {"type": "string"}, "state": STATES, "partner_ref": {"type": "string"}}
    return {
        "operationId": "report_state",
        "summary": "What became of one of one's own reports. Scope: report.status.",
        "parameters": [_in_path("ref")],
        "responses": {"200": _json("Its state.", answer), **_problems(401, 403, 404)},
    }


def _hand_over(schema: dict[str, Any]) -> dict[str, Any]:
    answer = {
        "case_number": {"type": "string"},
        "state": {"type": "string", "enum": ["waiting", "received"]},
        "code": {"type": "string", "description": "With it the child enters our page; empty where items were handed over."},
        "code_until": {"type": "string"},
    }
    return {
        "operationId": "child_case",
        "summary": "Hand over the case of a child. Scope: child.hand_over.",
        "parameters": [KEY],
        "requestBody": {"required": True, "content": {"application/json": {"schema": schema}}},
        "responses": {
            "201": _json("Opened.", answer),
            "200": _json("Opened before under this key.", answer),
            **_problems(400, 401, 403, 409, 413, 415, 422),
        },
    }


def _outcome() -> dict[str, Any]:
    answer = {name: {"type": "string"} for name in ("case_number", "state", "outcome", "language", "words")}
    return {
        "operationId": "child_outcome",
        "summary": "What the child may be told. Scope: child.outcomes.",
        "parameters": [
            _in_path("case_number"),
            {"name": "language", "in": "query", "required": False, "schema": {"type": "string"}},
        ],
        "responses": {"200": _json("State, outcome and words.", answer), **_problems(401, 403, 404)},
    }


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _json(text: str, properties: dict[str, Any]) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": sorted(properties)}
    return {"description": text, "content": {"application/json": {"schema": schema}}}


def _problems(*statuses: int) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {str(status): {"description": "Refused; the code says why.", "content": content} for status in statuses}


def _problem() -> dict[str, Any]:
    texts = {name: {"type": "string"} for name in ("type", "title", "code", "where", "mend")}
    properties = {**texts, "status": {"type": "integer"}}
    return {"type": "object", "properties": properties, "required": ["code", "status", "title", "type"]}
