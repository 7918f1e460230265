"""The queue of a full desk is read from an index until the page is full, not whole; and an arrival writes no index twice."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from vigil.hotline.access.rows import insert_values, update
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports.models import Hash, IdempotencyKey, Media, Report, Submission, Url
from vigil.hotline.reports.queries import waiting

pytestmark = pytest.mark.django_db
CASES, EACH_OPEN = 4000, 50
START = datetime(2026, 3, 4, tzinfo=UTC)


def fill() -> None:
    """Closed cases, and every fiftieth an open one."""
    same: dict[str, Any] = {"channel": "web_form", "source_class": "public", "created_by": "system:public", "created_at": START}
    rows = []
    for number in range(CASES):
        at, open_ = START + timedelta(seconds=number), number % EACH_OPEN == 0
        standing = ("new", "", None) if open_ else ("closed", "not_criminal", at)
        row = dict(zip(("status", "outcome", "concluded_at"), standing, strict=True))
        rows.append(same | row | {"ref": f"q{number}", "received_at": at, "is_open": open_})
    insert_values(Report, rows)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")


def plan(limit: int) -> str:
    """What the database intends to do for one page of the queue."""
    return waiting()[:limit].explain(**({"format": "json"} if connection.vendor == "postgresql" else {}))


def expected(node: dict[str, Any]) -> float:
    """How many rows of the reports the planner expects."""
    if node.get("Relation Name") == "reports_report":
        return float(node["Plan Rows"])
    return max((expected(each) for each in node.get("Plans", [])), default=0.0)


def test_the_planner_knows_how_many_cases_wait() -> None:
    fill()
    text = plan(10)
    if connection.vendor == "postgresql":
        waiting_ones = CASES // EACH_OPEN
        assert waiting_ones / 4 < expected(json.loads(text)[0]["Plan"]) < waiting_ones * 4
    else:
        assert "USING INDEX reports_" in text


def test_the_queue_comes_in_the_order_of_the_index() -> None:
    fill()
    found = list(waiting()[:10])
    assert [row.ref for row in found] == [f"q{number * EACH_OPEN}" for number in range(10)]
    assert waiting().count() == CASES // EACH_OPEN


@pytest.mark.parametrize("model", [Url, Report, Submission, IdempotencyKey, Media, Hash, AuditEvent])
def test_no_index_of_what_arrives_begins_another(model: type[Any]) -> None:
    """Each one is written for each report; what a longer index or a rule of uniqueness answers needs none of its own."""
    table = model._meta.db_table
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, table)
    columns = {
        name: tuple(each["columns"]) for name, each in found.items()
        if each["columns"] and (each["index"] or each["unique"] or each["primary_key"])
    }  # fmt: skip
    begun = {
        (one, other) for one, first in columns.items() for other, second in columns.items()
        if one != other and second[: len(first)] == first
    }  # fmt: skip
    assert columns
    assert begun == set()


@pytest.mark.parametrize("question", [{"registrable_domain": "brand.example"}, {"registrable_domain__startswith": "brand."}])
def test_a_domain_and_its_beginning_are_found_by_one_index(question: dict[str, str]) -> None:
    found = Url.objects.filter(**question)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
        assert "reports_url_of_domain" in found.explain()
    elif "registrable_domain" in question:  # SQLite reads no index for LIKE with an escape
        assert "reports_url_of_domain" in found.explain()
    assert not found.exists()


def test_a_report_that_is_counted_on_is_found_by_its_key() -> None:
    """Two of four thousand are changed without reading the others."""
    fill()
    few = list(Report.objects.order_by("ref")[:2])
    for each in few:
        each.repeats = 7
    with CaptureQueriesContext(connection) as queries:
        update(few, "repeats")
    assert Report.objects.filter(repeats=7).count() == 2
    how = "EXPLAIN" if connection.vendor == "postgresql" else "EXPLAIN QUERY PLAN"
    with connection.cursor() as cursor:
        cursor.execute(f"{how} {queries[-1]['sql']}".replace("%", "%%"))
        plan = str(cursor.fetchall())
    assert "Seq Scan on reports_report" not in plan
    assert "SCAN reports_report" not in plan
    assert "reports_report" in plan
