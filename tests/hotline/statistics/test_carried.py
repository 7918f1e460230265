"""What nodes carry from small hours into days and weeks: taken once, checked, added to the figures, said in the caveat."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from tests.hotline.statistics.test_statistics import by_code, keep

from vigil.base.clock import FixedClock
from vigil.base.errors import VigilError
from vigil.editions.model import ListKind
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.actions import do_create_list
from vigil.hotline.partners.actions import do_enrol_node
from vigil.hotline.partners.models import Node
from vigil.hotline.statistics.blocked import blocked_between
from vigil.hotline.statistics.carried import do_take_carried, is_carried
from vigil.hotline.statistics.caveats import caveat_of
from vigil.hotline.statistics.keeping import ConflictError
from vigil.hotline.statistics.models import CarriedCount
from vigil.hotline.statistics.queries import overview


@pytest.fixture
def node(db: None, clock: FixedClock) -> Node:
    made, _ = do_enrol_node(OPERATOR, "n-1")
    do_create_list(OPERATOR, "urls", ListKind.URL)
    return made


def carried(**changes: Any) -> bytes:
    """The day before the clock of the tests, which stands on Sunday, 22 November 2026."""
    made = {
        "v": 1, "rules": 2, "node": "n-1", "list": "urls", "period": "day", "start": "2026-11-21",
        "counts": {"navigation": 70}, "cells": {"navigation": 24}, "k": 10,
    }  # fmt: skip
    return json.dumps({**made, **changes}).encode()


def test_sent_twice_counts_once_and_other_numbers_are_refused(node: Node) -> None:
    assert [do_take_carried(node, carried()) for _ in range(3)] == [True, False, False]
    for number in (80, 80, 90):
        with pytest.raises(ConflictError):
            do_take_carried(node, carried(counts={"navigation": number}))
    assert CarriedCount.objects.get().counts == {"navigation": 70}
    told = AuditEvent.objects.filter(code="counts.conflict", actor="node:n-1")
    assert told.count() == 2, "each other body is told of once, however often it is sent"
    assert all('"hour":"day 2026-11-21"' in each.details for each in told)
    assert do_take_carried(node, carried(start="2026-11-20"))


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"node": "n-2"}, "node_differs"),
        ({"list": "zorblat"}, "list_unknown"),
        ({"start": "2026-11-22"}, "period_implausible"),
        ({"start": "2024-01-01"}, "period_implausible"),
        ({"period": "week", "start": "2026-11-10"}, "period_implausible"),
        ({"period": "week", "start": "2026-11-16"}, "period_implausible"),
        ({"period": "month"}, "vector_wrong"),
        ({"counts": {}, "cells": {}}, "vector_wrong"),
        ({"cells": {}}, "vector_wrong"),
        ({"counts": {"navigation": 71}}, "count_not_suppressed"),
        ({"counts": {"navigation": 210}}, "count_not_suppressed"),
        ({"cells": {"navigation": 2}, "counts": {"navigation": 10}}, "count_not_suppressed"),
        ({"period": "week", "start": "2026-11-09", "cells": {"navigation": 7}}, "count_not_suppressed"),
        ({"counts": {"navigation": -10}}, "vector_wrong"),
        ({"counts": {"zorblat": 10}}, "vector_wrong"),
        ({"k": 1}, "vector_wrong"),
        ({"list": "*"}, "class_without_list"),
        ({"more": 1}, "vector_wrong"),
    ],
)
def test_what_cannot_be_is_refused(node: Node, change: dict[str, Any], code: str) -> None:
    with pytest.raises(VigilError) as refused:
        do_take_carried(node, carried(**change))
    assert refused.value.code == code
    assert not CarriedCount.objects.exists()


@pytest.mark.parametrize(
    ("body", "found"), [(carried(), True), (b'{"hour": 1}', False), (b"[]", False), (b"zorblat", False), (b"[" * 5000, False)]
)
def test_carried_counts_are_told_from_vectors_of_hours(body: bytes, found: bool) -> None:
    assert is_carried(body) is found


def test_days_and_weeks_are_in_the_figures_and_in_the_caveat(node: Node, clock: FixedClock) -> None:
    hour = clock.now().replace(hour=10) - timedelta(days=1)
    keep(node, hour, {"navigation": None, "undetermined": 20})
    for number in range(1, 24):
        keep(node, hour + timedelta(minutes=number), {"navigation": None, "subresource": None})
    do_take_carried(node, carried())
    do_take_carried(node, carried(period="week", start="2026-11-09", counts={"navigation": 20}, cells={"navigation": 7}))
    messages = {"law.displayed": 30}
    do_take_carried(node, carried(list="*", counts={}, messages=messages, cells={"law.displayed": 24}))
    found = blocked_between(clock.now() - timedelta(days=20), clock.now())
    assert (found.total, found.by_day["2026-11-21"], found.carried, found.carried_weeks) == (110, 90, 90, 20)
    assert found.largest_error == 24 * 9 - 90
    text = caveat_of(found)
    assert "90 came as sums of small numbers" in text and "20 of them are known by week only" in text
    shown = overview(clock.now())
    assert dict(by_code(shown)["not_served_by_day"].rows)["2026-11-21"] == 90
    assert dict(by_code(shown)["messages_by_variant"].rows) == {"law: shown": 30}
