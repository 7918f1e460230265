"""Charts: a Vega-Lite specification drawn as SVG on this machine, without network, script or fonts from elsewhere.

The drawing carries its title and a description in words; colours come from the page (``currentColor``) and from the
palette of Okabe and Ito, which people with colour-blindness can tell apart. A chart never goes without its table.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from html import escape
from typing import Any, Final

import vl_convert
from django.utils.safestring import SafeString

SCHEMA: Final = "https://vega.github.io/schema/vega-lite/v5.json"
BLUE: Final = "#0072B2"  # Okabe and Ito, Color Universal Design, 2008
WIDTH: Final = 560
HEIGHT: Final = 200
FONT: Final = "system-ui, sans-serif"
_OPENING: Final = re.compile(r"<svg\b[^>]*>")
_SIZE: Final = re.compile(r'\s(?:width|height)="[0-9.]+"')

Values = Sequence[tuple[str, int]]


def columns_by_day(title: str, description: str, values: Values, unit: str) -> SafeString:
    """Columns over days; ``values`` are (date as 2026-11-22, number). The axis starts at zero."""
    x = {
        "field": "label", "type": "temporal", "timeUnit": "utcyearmonthdate", "title": None,
        "axis": {"format": "%d %b", "labelOverlap": True, "tickCount": 8},
    }  # fmt: skip
    y = {"field": "number", "type": "quantitative", "title": unit, "axis": {"tickMinStep": 1, "format": ",d"}}
    return draw(title, description, _specification(values, x, y, HEIGHT))


def bars(title: str, description: str, values: Values, unit: str) -> SafeString:
    """Horizontal bars in the order given, with direct labels."""
    y = {"field": "label", "type": "nominal", "sort": None, "title": None, "axis": {"labelLimit": 220}}
    x = {"field": "number", "type": "quantitative", "title": unit, "axis": {"tickMinStep": 1, "format": ",d"}}
    return draw(title, description, _specification(values, x, y, max(60, 26 * len(values))))


def _specification(values: Values, x: dict[str, Any], y: dict[str, Any], height: int) -> dict[str, Any]:
    ink = "currentColor"
    axis = {"labelColor": ink, "titleColor": ink, "tickColor": ink, "domainColor": ink, "gridColor": ink, "gridOpacity": 0.15}
    return {
        "$schema": SCHEMA,
        "width": WIDTH,
        "height": height,
        "background": None,
        "config": {
            "font": FONT,
            "axis": {**axis, "labelFontSize": 12, "titleFontSize": 12},
            "view": {"stroke": None},
        },
        "data": {"values": [{"label": label, "number": number} for label, number in values]},
        "mark": {"type": "bar", "color": BLUE, "aria": False},  # the drawing is one image; its parts have no roles
        "encoding": {"x": x, "y": y},
    }


def draw(title: str, description: str, specification: dict[str, Any]) -> SafeString:
    """The chart as an SVG element with role ``img``, ``title`` and ``desc``."""
    return _drawn(title, description, json.dumps(specification, sort_keys=True))


@lru_cache(maxsize=64)
def _drawn(title: str, description: str, specification: str) -> SafeString:
    svg = vl_convert.vegalite_to_svg(specification, allowed_base_urls=[])
    words = f"<title>{escape(title)}</title><desc>{escape(description)}</desc>"
    opening = _OPENING.match(svg)
    if opening is None:
        raise RuntimeError("the drawing is no SVG")
    sized = _SIZE.sub("", opening[0]).replace("<svg", '<svg role="img"', 1)
    return SafeString(sized + words + svg[opening.end() :])
