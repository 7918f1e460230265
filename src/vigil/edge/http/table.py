"""All routes of the HTTP door: what is served, what the OpenAPI document is made from and tested against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from vigil.edge.http.later import LATER_ROUTES
from vigil.edge.http.routes import ROUTES, Route
from vigil.edge.http.texts import TEXT_ROUTES

TABLE: Final[Mapping[str, Route]] = {**ROUTES, **TEXT_ROUTES, **LATER_ROUTES}
