"""What the door says about itself: its routes, those of curation included. A test compares them with what is answered."""

from __future__ import annotations

from typing import Any, Final

# path -> methods and the role of the token; routes below /c/ are answered by the hotline's partner door.
ROUTES: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "/": (("GET",), ""),
    "/status": (("GET",), ""),
    "/status/live": (("GET",), ""),
    "/site-map": (("GET",), ""),
    "/openapi/openapi.json": (("GET",), ""),
    "/h/hash": (("GET", "POST"), "hasher"),
    "/m/lookup": (("GET", "POST"), "matcher"),
    "/m/lookup/batch": (("POST",), "matcher"),
    "/m/raw_lookup": (("GET",), "matcher"),
    "/m/index/status": (("GET",), "matcher"),
    "/m/compare": (("POST",), "matcher"),
    "/c/banks": (("GET", "POST"), "curator"),
    "/c/bank/{bank}": (("GET", "PUT", "DELETE"), "curator"),
    "/c/bank/{bank}/content": (("POST",), "curator"),
    "/c/bank/{bank}/signal": (("POST",), "curator"),
    "/c/bank/{bank}/content/{id}": (("GET", "PUT", "DELETE"), "curator"),
    "/c/exchanges/apis": (("GET",), "curator"),
    "/c/exchanges/api/{api}": (("GET", "POST"), "curator"),
    "/c/exchanges/api/{api}/schema": (("GET",), "curator"),
    "/c/exchanges": (("GET", "POST"), "curator"),
    "/c/exchange/{name}": (("GET", "PUT", "DELETE"), "curator"),
    "/c/exchange/{name}/status": (("GET",), "curator"),
    "/c/signal_type": (("GET",), "curator"),
    "/c/signal_type/{name}": (("PUT",), "curator"),
    "/c/signal_type/index": (("GET",), "curator"),
    "/c/content_type": (("GET",), "curator"),
}
SITE_MAP: Final = tuple(sorted(ROUTES))
TITLE: Final = "Open Media Match API"  # the title that clients of such services look for
PAGE: Final = (
    b"<!doctype html><html lang=en><meta charset=utf-8><title>Open Media Match API</title>"
    b"<h1>Open Media Match API</h1><p>Answered by Vigil. <a href=/openapi/openapi.json>Specification</a>, "
    b"<a href=/site-map>routes</a>.</p>"
)


def document() -> dict[str, Any]:
    """The OpenAPI document."""
    paths = {path: {method.lower(): _operation(path, role) for method in methods} for path, (methods, role) in ROUTES.items()}
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": "1", "description": "See docs/guides/hma.md."},
        "paths": paths,
        "components": {"securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(path: str, role: str) -> dict[str, Any]:
    names = [part[1:-1] for part in path.split("/") if part.startswith("{")]
    operation: dict[str, Any] = {
        "responses": {"200": {"description": "Done."}, "default": {"description": "An error: message and code."}},
        "security": [{"token": []}] if role else [],
    }
    if role:
        operation["description"] = f"For tokens of the role {role}."
    if names:
        operation["parameters"] = [{"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in names]
    return operation
