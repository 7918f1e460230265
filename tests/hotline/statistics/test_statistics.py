"""Figures: exact, with their caveat, in a chart and a table that say the same, small cells hidden outside."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.clock import FixedClock
from vigil.editions.model import ListKind
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.lists.actions import do_create_list
from vigil.hotline.partners.actions import do_enrol_node
from vigil.hotline.partners.models import Node
from vigil.hotline.reports.enumerations import Channel
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.statistics import charts
from vigil.hotline.statistics.blocked import blocked_between
from vigil.hotline.statistics.caveats import caveat_of
from vigil.hotline.statistics.cells import THRESHOLD, rounded, shown, shown_all
from vigil.hotline.statistics.classes import WORDS, CountClass
from vigil.hotline.statistics.definitions import REGISTRY
from vigil.hotline.statistics.figures import Figure, described
from vigil.hotline.statistics.models import CountVector
from vigil.hotline.statistics.queries import Overview, overview

FORBIDDEN = re.compile(r"prevented|offender|users?\b|children protected|paedophile|perpetrator", re.IGNORECASE)


def keep(node: Node, hour: datetime, counts: dict[str, int | None], **more: Any) -> CountVector:
    made: dict[str, Any] = {
        "list": "urls", "edition": 1, "revision": 0, "rules": 1, "covered_seconds": 3600, "privacy": "suppress", "k": 10,
        "body_digest": "0", **more,
    }  # fmt: skip
    return CountVector.objects.create(node=node, hour=hour, counts=counts, created_by=node.label, **made)


def by_code(found: Overview) -> dict[str, Figure]:
    return {figure.code: figure for figure in found.figures}


@pytest.fixture
def node(db: None, clock: FixedClock) -> Node:
    made, _ = do_enrol_node(OPERATOR, "n-1")
    do_create_list(OPERATOR, "urls", ListKind.URL)
    return made


def test_every_definition_has_a_figure_and_a_text(node: Node, clock: FixedClock) -> None:
    figures = by_code(overview(clock.now()))
    assert list(figures) == list(REGISTRY)
    assert all(len(figure.definition) > 20 and figure.title for figure in figures.values())


def test_an_empty_hotline_has_a_page_too(db: None, clock: FixedClock) -> None:
    found = overview(clock.now())
    assert "No enforcement node was enrolled" in found.caveat
    assert all(figure.svg.startswith("<svg") for figure in found.figures)


def test_reports_by_day_and_channel(node: Node, clock: FixedClock) -> None:
    for hours, channel in ((1, Channel.WEB_FORM), (2, Channel.WEB_FORM), (26, Channel.POLICE), (24 * 40, Channel.EMAIL)):
        do_submit_report(
            PUBLIC,
            Arrival("http://gallery.example/", channel=channel, received_at=clock.now() - timedelta(hours=hours)),
        )
    figures = by_code(overview(clock.now()))
    days = dict(figures["reports_by_day"].rows)
    assert len(days) == 30
    assert {day: number for day, number in days.items() if number} == {"2026-11-22": 2, "2026-11-21": 1}
    assert figures["reports_by_channel"].rows == (("web form", 2), ("police", 1))


def test_a_report_just_before_midnight_counts_for_its_utc_day(node: Node, clock: FixedClock, settings: Any) -> None:
    settings.TIME_ZONE = "Pacific/Auckland"
    do_submit_report(PUBLIC, Arrival("http://gallery.example/", received_at=datetime(2026, 11, 20, 23, 59, tzinfo=UTC)))
    assert dict(by_code(overview(clock.now()))["reports_by_day"].rows)["2026-11-20"] == 1


def test_requests_not_served_are_pages_and_unstated_only(node: Node, clock: FixedClock) -> None:
    hour = clock.now() - timedelta(hours=3)
    keep(node, hour, {"navigation": 20, "undetermined": 11, "subresource": 500, "test": 40, "canary": 12, "prefetch": 30})
    keep(node, hour - timedelta(days=1), {"navigation": 100})
    found = overview(clock.now())
    figures = by_code(found)
    rows = dict(figures["not_served_by_day"].rows)
    assert (rows["2026-11-22"], rows["2026-11-21"]) == (31, 100)
    assert dict(figures["not_served_by_class"].rows)["parts of pages"] == 500
    headline = {each.label: each.number for each in found.headlines}
    assert headline["requests that matched the list and were not served"] == 131


def test_messages_are_added_up_by_variant(node: Node, clock: FixedClock) -> None:
    hour = clock.now().replace(minute=0, second=0, microsecond=0)
    keep(node, hour, {"unknown": None}, list="*", edition=0, messages={"law.displayed": 30, "law.help_followed": None})
    keep(node, hour, {"unknown": None}, list="*", edition=1, messages={"law.displayed": 12, "help.help_followed": 10})
    found = by_code(overview(clock.now()))["messages_by_variant"]
    assert found.rows == (("law: shown", 42), ("help: help followed", 10))
    assert "not known" in found.definition


def test_only_the_revision_in_force_counts(node: Node, clock: FixedClock) -> None:
    hour = clock.now() - timedelta(hours=3)
    keep(node, hour, {"navigation": 20}, in_force=False)
    keep(node, hour, {"navigation": 25}, revision=1)
    found = blocked_between(clock.now() - timedelta(days=1), clock.now())
    assert found.total == 25


def test_the_caveat_tells_what_the_data_tell(node: Node, clock: FixedClock) -> None:
    start = clock.now()
    clock.advance(hours=10)
    do_enrol_node(OPERATOR, "n-2")
    keep(node, start, {"navigation": 20, "undetermined": None}, covered_seconds=1800)
    keep(node, start, {"navigation": None}, edition=2, covered_seconds=1800, rules=2)
    keep(node, start + timedelta(hours=1), {"navigation": 5}, privacy="laplace", k=0)
    text = caveat_of(blocked_between(start, clock.now() + timedelta(hours=2)))
    assert "1 of 2 enrolled nodes reported; 2 of 14 expected node-hours (14 %)" in text
    assert "counting rules: 1, 2" in text and "rules changed" in text
    assert "2 editions of the list were in force" in text
    assert "2 small cells were not sent as numbers: the total may be too low by up to 18." in text
    assert "1 vectors carry random noise" in text
    assert "not proof of intent" in text


def test_hours_to_come_are_not_expected(node: Node, clock: FixedClock) -> None:
    clock.advance(hours=3)
    found = overview(clock.now())
    assert "0 of 3 expected node-hours" in found.caveat


def test_each_figure_says_what_one_of_it_is(node: Node, clock: FixedClock) -> None:
    units = {code: figure.heads[1] for code, figure in by_code(overview(clock.now())).items()}
    assert units == {
        "reports_by_day": "reports",
        "reports_by_channel": "reports",
        "cases_by_outcome": "reports",
        "entries_by_list": "entries",
        "not_served_by_day": "blocked requests",
        "not_served_by_class": "events",
        "messages_by_variant": "events",
    }


def test_every_figure_of_blocked_requests_carries_the_caveat(node: Node, clock: FixedClock) -> None:
    found = overview(clock.now())
    for figure in found.figures:
        assert (figure.caveat == found.caveat) == figure.code.startswith(("not_served", "messages"))


def test_words_that_are_never_claimed(node: Node, clock: FixedClock) -> None:
    keep(node, clock.now() - timedelta(hours=3), {str(kind): 50 for kind in CountClass})
    for public in (False, True):
        found = overview(clock.now(), public=public)
        spoken = [found.caveat, *(each.label for each in found.headlines)]
        spoken += [text for each in found.figures for text in (each.title, each.definition, each.svg, str(each.rows))]
        assert not FORBIDDEN.search(" ".join(spoken))


def test_all_classes_have_words() -> None:
    assert set(WORDS) == set(CountClass)


# ---- small cells


def test_small_cells_leave_the_house_hidden(node: Node, clock: FixedClock) -> None:
    for channel, number in ((Channel.WEB_FORM, 12), (Channel.POLICE, 3), (Channel.EMAIL, 7)):
        for place in range(number):
            do_submit_report(PUBLIC, Arrival(f"http://gallery.example/{channel}/{place}", channel=channel))
    inside = by_code(overview(clock.now()))["reports_by_channel"]
    assert dict(inside.rows) == {"web form": 12, "police": 3, "email": 7}
    outside = by_code(overview(clock.now(), public=True))["reports_by_channel"]
    assert dict(outside.rows) == {"web form": 12, "police": "<5", "email": "hidden"}
    assert "police: 3" not in outside.svg and "email: 7" not in outside.svg


@given(st.lists(st.integers(0, 30), max_size=8))
def test_a_hidden_cell_cannot_be_had_back_from_a_total(numbers: list[int]) -> None:
    cells = shown_all(numbers, public=True)
    assert not any(isinstance(cell, int) and 0 < cell < THRESHOLD for cell in cells)
    hidden = [number for number, cell in zip(numbers, cells, strict=True) if isinstance(cell, str)]
    if hidden and any(number >= THRESHOLD for number in numbers):
        assert len(hidden) >= 2
    assert shown_all(numbers, public=False) == numbers


@pytest.mark.parametrize(("number", "expected"), [(0, 0), (999, 999), (1234, 1230), (98765, 98800), (4, "<5"), (5, 5)])
def test_numbers_outside_have_three_figures(number: int, expected: object) -> None:
    assert shown(number, public=True) == expected
    assert shown(number, public=False) == number


def test_rounding_keeps_small_numbers() -> None:
    assert [rounded(number) for number in (7, 123, 1235)] == [7, 123, 1240]


# ---- charts


def parse(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def texts(root: ElementTree.Element) -> Iterable[str]:
    return (node.text or "" for node in root.iter("{http://www.w3.org/2000/svg}text"))


def test_a_chart_says_what_it_shows() -> None:
    svg = charts.bars("Reports & more", "web: 3; <police>: 5.", [("web", 3), ("police", 5)], "reports")
    root = parse(svg)
    assert root.attrib["role"] == "img"
    assert "width" not in root.attrib and "viewBox" in root.attrib
    names = [child.tag.rpartition("}")[2] for child in root][:2]
    assert names == ["title", "desc"]
    assert (root[0].text, root[1].text) == ("Reports & more", "web: 3; <police>: 5.")
    assert {"web", "police", "reports"} <= set(texts(root))


def test_a_chart_needs_no_network_script_or_style() -> None:
    svg = charts.columns_by_day("By day", "Some.", [("2026-11-21", 3), ("2026-11-22", 5)], "reports")
    assert not re.search(r"<script|<style|style=|href=|url\(|<image|@import", svg)
    assert "currentColor" in svg


def test_a_chart_starts_at_zero() -> None:
    root = parse(charts.columns_by_day("By day", "Some.", [("2026-11-21", 300), ("2026-11-22", 305)], "reports"))
    assert "0" in set(texts(root))


def test_a_label_stays_a_text() -> None:
    svg = charts.bars("T", "D", [("<script>alert(1)</script>", 1)], "reports")
    parse(svg)
    assert "<script" not in svg


def test_a_chart_is_drawn_once() -> None:
    charts._drawn.cache_clear()
    for _ in range(3):
        charts.bars("T", "D", [("a", 1)], "reports")
    assert charts._drawn.cache_info().misses == 1


def test_figures_in_words() -> None:
    assert described([]) == "No numbers yet."
    assert described([("a", 1), ("b", "<5")]) == "a: 1; b: <5."
    assert described([(str(number), number) for number in range(9)]).startswith("9 values; the largest is 8 (8).")


def test_chart_table_and_words_agree(node: Node, clock: FixedClock) -> None:
    do_submit_report(PUBLIC, Arrival("http://gallery.example/"))
    for figure in overview(clock.now()).figures:
        assert len(figure.heads) == 2
        assert figure.rows or "No numbers yet." in figure.svg
