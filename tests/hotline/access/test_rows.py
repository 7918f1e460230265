"""Many rows in one statement are what Django would have written one by one."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from vigil.hotline.access.rows import (
    insert,
    insert_or_advance,
    insert_unless_there,
    insert_values,
    insert_with,
    made,
    update,
)
from vigil.hotline.reports.enumerations import Channel, Priority, SourceClass
from vigil.hotline.reports.models import Report, Submission, Url

pytestmark = pytest.mark.django_db
AT = datetime(2026, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
WORDS = "quimber \" ' \\ \N{RIGHT-TO-LEFT OVERRIDE} \N{PARTY POPPER}\n%s {minor-marker}"


def report(ref: str, **more: Any) -> Report:
    given: dict[str, Any] = {
        "ref": ref, "channel": Channel.PARTNER_API, "source_class": SourceClass.PUBLIC, "received_at": AT,
        "ai_nexus": ["generated", WORDS], "free_text": WORDS, "partner_ref": "a\\b'c\"%s", "created_by": "system:public",
    }  # fmt: skip
    return Report(**(given | more))


def url(digest: str) -> Url:
    return Url(
        canonical=f"https://{digest}.example/", raw=WORDS, url_digest=digest, canon="c", scheme="https", host=f"{digest}.example",
        registrable_domain=f"{digest}.example", first_seen=AT, last_seen=AT, created_by="system:public",
    )  # fmt: skip


def plain(row: Report) -> dict[str, Any]:
    """All values of a row but its own name and id, opened."""
    values = {field.attname: getattr(row, field.attname) for field in Report._meta.concrete_fields}
    opened = {name: value.open() if hasattr(value, "open") else value for name, value in values.items()}
    return {name: value for name, value in opened.items() if name not in {"id", "ref"}}


def test_rows_are_those_that_django_writes() -> None:
    one, other = report("one", created_at=AT), report("other", created_at=AT)
    one.save(force_insert=True)
    insert([other])
    assert plain(Report.objects.get(ref="other")) == plain(Report.objects.get(ref="one"))
    assert not other._state.adding


def test_a_row_that_is_made_is_the_one_that_the_constructor_makes() -> None:
    given = {"ref": "one", "channel": Channel.PARTNER_API, "source_class": SourceClass.PUBLIC, "received_at": AT,
             "free_text": WORDS, "created_at": AT, "created_by": "system:public"}  # fmt: skip
    one, other = made(Report, given), Report(**given)
    assert plain(one) == plain(other) and one._state.adding
    one.save(force_insert=True)
    assert plain(Report.objects.get()) == plain(other)


def test_rows_go_in_with_those_that_name_them() -> None:
    first = report("first")
    named = {"report_id": first.pk, "type": "url", "raw": WORDS, "order": 1, "created_by": "x"}
    insert_with([first], (Submission, [named]), (Url, []))
    assert Report.objects.get().submissions.get().raw.open() == WORDS
    assert not first._state.adding


def test_rows_may_name_each_other() -> None:
    first = report("first")
    insert([report("second", dedupe_of=first, status="closed", outcome="duplicate", is_open=False, concluded_at=AT), first])
    assert Report.objects.get(ref="second").dedupe_of == first


def test_rows_that_are_there_stay_as_they_are() -> None:
    there = url("there")
    insert([there])
    new, again = url("new"), url("there")
    assert insert_unless_there([new, again]) == {new.pk}
    assert set(Url.objects.values_list("pk", flat=True)) == {there.pk, new.pk}


def test_only_the_named_fields_are_saved() -> None:
    rows = [report(f"r{number}") for number in range(3)]
    insert(rows)
    for row in rows[:2]:
        row.repeats, row.priority, row.urgency, row.language = 7, Priority.URGENT, 1, "nl"
    update(rows[:2], "repeats", "priority", "urgency")
    found = Report.objects.order_by("ref").values_list("repeats", "priority", "language")
    assert list(found) == [(7, "urgent", ""), (7, "urgent", ""), (0, "normal", "")]


def test_nothing_is_nothing() -> None:
    insert([])
    update([], "repeats")
    assert insert_unless_there([]) == set()


def test_values_are_written_as_rows_are() -> None:
    one = report("one", created_at=AT)
    insert([one])
    values = {field.attname: getattr(one, field.attname) for field in Report._meta.concrete_fields}
    given = {name: value for name, value in values.items() if name not in {"id", "priority", "urgency", "repeats"}}
    insert_values(Report, [given | {"ref": "other"}])
    assert plain(Report.objects.get(ref="other")) == plain(one)
    insert_values(Report, [])
    with pytest.raises(TypeError):
        insert_values(Report, [given | {"ref": "third", "zorblat": None}])


def values_of(digest: str, at: datetime) -> dict[str, Any]:
    row = url(digest)
    return {field.attname: getattr(row, field.attname) for field in Url._meta.concrete_fields} | {"last_seen": at}


def test_what_is_there_moves_on_and_never_back() -> None:
    there = [url("a"), url("b")]
    insert(there)
    later, earlier = AT + timedelta(days=1), AT - timedelta(days=1)
    given = [values_of("a", later), values_of("b", earlier), values_of("c", AT)]
    found = insert_or_advance(Url, given, "url_digest", "last_seen")
    assert found == {"a": there[0].pk, "b": there[1].pk, "c": given[2]["id"]}
    assert dict(Url.objects.values_list("url_digest", "last_seen")) == {"a": later, "b": AT, "c": AT}
    assert {row.first_seen for row in Url.objects.all()} == {AT}
    assert insert_or_advance(Url, [], "url_digest", "last_seen") == {}
