"""The design: small, high in contrast, the same from both sides, and silent."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.core.paginator import Paginator
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.test import RequestFactory
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from vigil.hotline.doors.design.moments import relative
from vigil.hotline.doors.design.stylesheet import FOLDER, TYPES, asset
from vigil.hotline.doors.design.templatetags.design import visible

CSS = (FOLDER / "vigil.css").read_text("utf-8")
SCRIPT = (FOLDER / "vigil.js").read_text("utf-8")
NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TEXT_ON = [
    *[(text, ground) for text in ("ink", "soft", "accent", "accent-strong") for ground in ("paper", "surface", "sunken")],
    ("ink", "accent-soft"), ("soft", "accent-soft"), ("accent", "accent-soft"), ("accent-strong", "accent-soft"),
    ("on-accent", "accent"), ("on-accent", "accent-strong"),
    ("wait", "wait-soft"), ("wait", "paper"), ("wait-soft", "wait"),
    ("done", "done-soft"), ("danger", "danger-soft"), ("danger", "surface"),
]  # fmt: skip
SHAPES_ON = [("edge", "surface"), ("wait-edge", "paper"), ("focus", "paper"), ("focus", "surface"), ("edge", "paper")]


def tokens(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))


def themes() -> dict[str, dict[str, str]]:
    light = tokens(CSS[: CSS.index("@media")])
    dark = tokens(CSS[CSS.index("prefers-color-scheme: dark") : CSS.index("prefers-contrast")])
    return {"light": light, "dark": light | dark}


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("text", "ground"), TEXT_ON)
def test_text_has_a_contrast_of_seven(theme: str, text: str, ground: str) -> None:
    colours = themes()[theme]
    assert contrast(colours[text], colours[ground]) >= 7


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("shape", "ground"), SHAPES_ON)
def test_shapes_have_a_contrast_of_three(theme: str, shape: str, ground: str) -> None:
    colours = themes()[theme]
    assert contrast(colours[shape], colours[ground]) >= 3


def test_the_stylesheet_is_small_and_reaches_nowhere() -> None:
    assert len(CSS.encode()) < 30 * 1024
    assert not re.search(r"url\(|@import|http", CSS)
    assert set(re.findall(r"var\(--([\w-]+)", CSS)) <= set(re.findall(r"--([\w-]+):", CSS))


def test_the_stylesheet_reads_from_both_sides() -> None:
    sided = r"(?:margin|padding|border)-(?:left|right)|text-align: (?:left|right)|float:|(?:^|[ {;])(?:left|right|width|height):"
    bare = re.sub(r"@media \([^)]*\)", "", CSS)
    assert not re.findall(sided, bare)


@pytest.mark.parametrize("wish", ["prefers-color-scheme", "prefers-reduced-motion", "prefers-contrast", "forced-colors", "print"])
def test_the_reader_s_wishes_are_followed(wish: str) -> None:
    assert wish in CSS


def test_the_script_talks_to_nobody() -> None:
    assert not re.search(r"XMLHttpRequest|WebSocket|sendBeacon|import\(|eval\(|innerHTML|document\.cookie|https?:", SCRIPT)
    assert "fetch(" not in SCRIPT
    assert len(SCRIPT.encode()) < 8 * 1024


def test_the_script_of_the_console_asks_its_own_door_only() -> None:
    script = (FOLDER / "console.js").read_text()
    asked = re.findall(r"fetch\((.*)", script)
    # Both are addresses that the page itself wrote.
    assert {each.split(",")[0] for each in asked} == {"part.dataset.watch", "tile.dataset.look"}
    assert all('redirect: "error"' in each for each in asked)


@pytest.mark.parametrize("name", TYPES)
def test_assets_are_served_under_their_digest(public_client: Any, name: str) -> None:
    wanted = asset(name)
    assert wanted is not None
    page = public_client.get(f"/assets/{wanted.digest}/{name}")
    assert page.content == wanted.content
    assert page["Content-Type"] == TYPES[name]
    assert "immutable" in page["Cache-Control"]
    assert public_client.get(f"/assets/000000000000/{name}").status_code == 404


@pytest.mark.parametrize("name", ["README.md", "..", "../stylesheet.py", "vigil.css/"])
def test_no_other_file_is_served(public_client: Any, name: str) -> None:
    assert public_client.get(f"/assets/000000000000/{name}").status_code == 404


def rendered(source: str, **context: Any) -> str:
    return Template("{% load design %}" + source).render(Context(context))


def test_a_status_is_word_and_shape() -> None:
    shown = rendered('{% status_tag "waits" words %}', words="waits <for> you")
    assert shown == '<span class="tag waits">waits &lt;for&gt; you</span>'
    with pytest.raises(TemplateSyntaxError):
        rendered('{% status_tag "zorblat" "x" %}')


def test_a_table_has_a_caption_and_heads() -> None:
    table = rendered('{% table title heads rows "2" %}', title="Reports <b>", heads=["Month", "Number"], rows=[["May", 3]])
    assert "<caption>Reports &lt;b&gt;</caption>" in table
    assert '<th scope="col" class="number">Number</th>' in table
    assert '<th scope="row">May</th><td class="number">3</td>' in table


def test_a_figure_never_goes_without_its_table() -> None:
    figures = {"heads": ["Month", "Number"], "rows": [["May", 3]], "numbers": "2"}
    page = rendered('{% include "design/parts/figure.html" %}', title="Reports", svg="", **figures)
    assert "<figure>" in page
    assert "<table>" in page


def test_pages_keep_the_filters() -> None:
    request = RequestFactory().get("/queue?status=new&page=2")
    page = Paginator(range(30), 10).page(2)
    shown = Template("{% load design %}{% pages page %}").render(RequestContext(request, {"page": page}))
    assert "?status=new&amp;page=1" in shown
    assert "?status=new&amp;page=3" in shown


@pytest.mark.parametrize(
    ("distance", "words"),
    [
        (timedelta(seconds=30), "just now"),
        (timedelta(minutes=5), "in 5 minutes"),
        (timedelta(hours=-1), "1 hour ago"),
        (timedelta(hours=3), "in 3 hours"),
        (timedelta(days=-9), "9 days ago"),
    ],
)
def test_time_in_words(distance: timedelta, words: str) -> None:
    with translation.override("en"):
        assert relative(NOON + distance, NOON) == words


def test_a_moment_says_utc() -> None:
    with translation.override("en"):
        shown = rendered("{% moment then now %}", then=NOON - timedelta(hours=3), now=NOON)
    assert shown == (
        '<time datetime="2026-11-22T09:00:00Z" title="2026-11-22 09:00:00 UTC">22 Nov 2026, 3 hours ago</time>'
    )
    assert rendered("{% moment then %}", then=None) == ""


@given(st.text())
def test_nothing_invisible_gets_through(text: str) -> None:
    shown = visible(text)
    assert not [sign for sign in shown if sign < " " and sign not in "\n\r\t"]
    assert "\u202e" not in shown
