"""Migrations with data in the tables: rows written before are the same after, and what was refused before is refused after."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from django.db.migrations.executor import MigrationExecutor
from tests.hotline.lists.cases import seen_picture

from vigil.base.clock import FixedClock
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.partners.senders import do_enrol_sender
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Hash, IdempotencyKey, Media, Report, Submission, Url

pytestmark = pytest.mark.django_db(transaction=True)
BEFORE = [("reports", "0010_status_and_openness"), ("audit", "0002_audittreehead")]
AFTER = [("reports", "0011_one_index_a_text"), ("audit", "0003_one_index_a_text")]
TOUCHED = [Hash, IdempotencyKey, Media, Report, Submission, Url, AuditEvent]
ONLY_AFTER = {
    Media: {"reports_media_md5", "reports_media_sha1", "reports_media_once"},
    Submission: {"reports_submission_of_file"},
    Url: {"reports_url_of_host", "reports_url_of_domain", "reports_url_once"},
    Report: {"reports_ref_once"},
    AuditEvent: {"audit_event_code", "audit_event_subject"},
}


def indexes_of(model: type[models.Model]) -> set[str]:
    """The names of the indexes and constraints that the database has for a table."""
    with connection.cursor() as cursor:
        return set(connection.introspection.get_constraints(cursor, model._meta.db_table))


def stored(model: type[models.Model]) -> list[tuple[Any, ...]]:
    """All rows of a table as the database keeps them, sealed columns too."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT * FROM {model._meta.db_table} ORDER BY 1")
        names = [column[0] for column in cursor.description]
        return sorted(tuple(sorted(zip(names, map(str, row), strict=True))) for row in cursor.fetchall())


def furnish() -> Report:
    """A row in each table that the migrations touch."""
    report = do_submit_report(PUBLIC, Arrival("https://gallery.example/room/7", words="zorblat"))
    do_submit_report(PUBLIC, Arrival("https://gallery.example/room/7"))
    seen_picture(report)
    sender, _ = do_enrol_sender(OPERATOR, "quimber", "member", ["report.send"])
    IdempotencyKey.objects.create(sender=sender, key="k-1", body_sha256="", answer={}, created_by="x")
    return report


@pytest.fixture
def at_the_end(transactional_db: None) -> Iterator[None]:
    """Whatever happens, the tables are as they should be for the tests that come after."""
    yield
    if not ONLY_AFTER[Report] <= indexes_of(Report):
        MigrationExecutor(connection).migrate(AFTER)


def test_one_index_a_text(at_the_end: None, clock: FixedClock) -> None:
    """Back to the release of before, with rows; a report that it takes in; and forward again: no row is lost or changed."""
    report = furnish()
    old = {model: stored(model) for model in TOUCHED}
    assert all(old.values()), "each table has a row"
    MigrationExecutor(connection).migrate(BEFORE)
    assert {model: stored(model) for model in TOUCHED} == old
    assert not any(names & indexes_of(model) for model, names in ONLY_AFTER.items())
    do_submit_report(PUBLIC, Arrival("https://gallery.example/room/8", words="quimber"))
    old = {model: stored(model) for model in TOUCHED}
    MigrationExecutor(connection).migrate(AFTER)
    assert {model: stored(model) for model in TOUCHED} == old
    assert all(names <= indexes_of(model) for model, names in ONLY_AFTER.items())
    assert verify().ok and verify().events == AuditEvent.objects.count()
    again = Report.objects.get(pk=report.pk)
    assert again.free_text.open() == "zorblat" and Report.objects.filter(dedupe_of=again).count() == 1
    for model, column in ((Report, "ref"), (Media, "sha256"), (Url, "url_digest")):
        twin = model.objects.order_by("pk")[0]
        twin.pk, twin._state.adding = model().pk, True
        with pytest.raises(IntegrityError, match=column), transaction.atomic():
            models.Model.save(twin, force_insert=True)
    do_submit_report(PUBLIC, Arrival("https://gallery.example/room/8"))
    assert Url.objects.count() == 2, "an address of before is found by its digest"
