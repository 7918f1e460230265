"""Prepared questions give what Django gives, on either database; the slow obvious way stands beside each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext

from vigil.hotline.access.models import User
from vigil.hotline.access.prepared import OTHER_ID, SAMPLE_ID, SAMPLE_MOMENT, NoPlaceError, Prepared, loaded
from vigil.hotline.access.roles import Role
from vigil.hotline.partners.sources.models import ImportedFingerprint
from vigil.hotline.reports.enumerations import AiNexus, Channel
from vigil.hotline.reports.models import Report, Submission

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 4, 5, 6, 7, 890123, tzinfo=UTC)
WORDS = "the quimber group told me"


def report(ref: str, **more: Any) -> Report:
    given = {"channel": Channel.PARTNER_API, "source_class": "public", "received_at": AT, "created_by": "x"}
    return Report.objects.create(ref=ref, **{**given, **more})


def everything(row: Report) -> dict[str, Any]:
    values = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    return {name: value.open() if hasattr(value, "open") else value for name, value in values.items()}


def test_a_row_has_all_that_djangos_has_and_the_rows_it_names(make_user: Callable[..., User]) -> None:
    anna = make_user(Role.ANALYST, username="anna")
    report("held", free_text=WORDS, taken_by=anna, taken_at=AT, ai_nexus=[next(iter(AiNexus)).value])
    report("free")
    found = Prepared(Report, lambda ref: Report.objects.filter(ref=ref).select_related("taken_by", "dedupe_of"), "a reference")
    for ref in ("held", "free"):
        asked, plain = found.all(ref)[0], Report.objects.get(ref=ref)
        assert everything(asked) == everything(plain) and asked == plain and not asked._state.adding
        with CaptureQueriesContext(connection) as queries:
            assert asked.taken_by == (anna if ref == "held" else None) and asked.dedupe_of is None
        assert len(queries) == 0
    assert found.all("gone") == [] and found.first("gone") is None and not found.exists("gone") and found.exists("held")


@pytest.mark.parametrize("number", range(6))
def test_a_list_of_any_length(number: int) -> None:
    rows = [report(f"r{place}") for place in range(5)]
    by_ref = Prepared(Report, lambda refs: Report.objects.filter(ref__in=refs).order_by("ref"), ["a reference"])
    by_id = Prepared(Report, lambda keys: Report.objects.filter(pk__in=keys).order_by("ref"), [SAMPLE_ID])
    wanted = rows[:number]
    assert by_ref.all([row.ref for row in wanted]) == by_id.all([row.pk for row in wanted]) == wanted


def test_an_empty_list_beside_another_condition() -> None:
    one = report("one")
    report("two")
    either = Prepared(
        Report, lambda key, refs: Report.objects.filter(Q(pk=key) | Q(ref__in=refs)).order_by("ref"), SAMPLE_ID, ["a reference"]
    )
    assert either.all(one.pk, []) == [one]
    assert [row.ref for row in either.all(one.pk, ["two", "three"])] == ["one", "two"]


def test_moments_numbers_and_bytes_are_given_as_the_database_wants_them() -> None:
    early, late = report("early"), report("late", received_at=AT + timedelta(days=1), repeats=7)
    since = Prepared(Report, lambda moment: Report.objects.filter(received_at__gt=moment), SAMPLE_MOMENT)
    assert since.all(AT) == [late] and since.first(AT - timedelta(days=1)) in (early, late)
    repeated = Prepared(Report, lambda number: Report.objects.filter(repeats=number), 4711)
    assert repeated.all(7) == [late] and repeated.all(0) == [early]
    digests = Prepared(
        ImportedFingerprint, lambda digests: ImportedFingerprint.objects.filter(digest__in=digests), [b"a digest of sixt"]
    )
    assert digests.all([b"1" * 16, b"2" * 16, b"3" * 16]) == []


def test_tuples_come_in_their_order_and_each_once() -> None:
    for ref, language in (("a", "nl"), ("b", "nl"), ("c", "de")):
        report(ref, language=language)
    spoken = Prepared(
        Report,
        lambda channel: (
            Report.objects.filter(channel=channel).values_list("language", "channel").distinct().order_by("-language")
        ),
        "a channel",
    )
    assert spoken.tuples("partner_api") == [("nl", "partner_api"), ("de", "partner_api")]


def test_the_text_is_made_once() -> None:
    made: list[int] = []

    def build(ref: str) -> Any:
        made.append(1)
        return Report.objects.filter(ref=ref)

    report("one")
    found = Prepared(Report, build, "a reference")
    assert [found.exists(ref) for ref in ("one", "two", "one")] == [True, False, True]
    assert len(made) == 1


def test_a_sample_without_a_place_is_a_mistake_in_the_code() -> None:
    lost = Prepared(Report, lambda key, other: Report.objects.filter(pk=key), SAMPLE_ID, OTHER_ID)
    one = report("one")
    with pytest.raises(NoPlaceError):
        lost.all(one.pk, one.pk)
    some = Prepared(Report, lambda key, other: Report.objects.filter(pk=key), SAMPLE_ID, OTHER_ID, some=True)
    assert some.all(one.pk, SAMPLE_ID) == [one]


def test_related_rows_that_were_read_already_are_not_asked_for() -> None:
    one = report("one")
    rows = [Submission.objects.create(report=one, type="url", raw=WORDS, order=place, created_by="x") for place in (1, 2)]
    loaded(one, "submissions", rows[:1])
    with CaptureQueriesContext(connection) as queries:
        assert list(one.submissions.all()) == rows[:1]
    assert len(queries) == 0
    assert list(one.submissions.filter(order=2)) in ([], rows[1:])  # never somebody else's
