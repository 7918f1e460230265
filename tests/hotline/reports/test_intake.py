"""From a draft to a report: nothing lost, nothing twice, nothing readable that need not be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.people import OFFICE, PUBLIC, WORKER
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.reports import housekeeping
from vigil.hotline.reports.enumerations import AiNexus, Channel, Outcome, Priority, Status, Theme
from vigil.hotline.reports.intake import (
    Arrival,
    do_answer,
    do_begin_draft,
    do_purge_drafts,
    do_submit_draft,
    do_submit_report,
)
from vigil.hotline.reports.lifecycle import DUPLICATE_RULE
from vigil.hotline.reports.models import Draft, Report, Submission, Url
from vigil.hotline.reports.queries import draft_of, queue
from vigil.hotline.reports.references import read_reference

pytestmark = pytest.mark.django_db
PAGE = "https://gallery.example/room/7"


def arrival(address: str = PAGE, **other: object) -> Arrival:
    return Arrival(address=address, **other)  # type: ignore[arg-type]


def audit(code: str) -> list[AuditEvent]:
    return list(AuditEvent.objects.filter(code=code))


def everything_in_the_database() -> str:
    """All stored values of the room, as the database holds them."""
    rows: list[object] = []
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f'SELECT * FROM "{table}"')
            rows += cursor.fetchall()
    return repr(rows)


def test_a_report_with_its_submission_address_and_audit_row(clock: FixedClock) -> None:
    report = do_submit_report(
        PUBLIC,
        arrival(" Gallery.example/room/7 ", theme=Theme.CSAM, ai_nexus=(AiNexus.AI_GENERATED,), words="zorblat", language="nl"),
    )
    report.refresh_from_db()
    assert read_reference(report.ref) == report.ref
    assert (report.channel, report.status, report.priority, report.language) == (
        Channel.WEB_FORM, Status.NEW, Priority.NORMAL, "nl",
    )  # fmt: skip
    assert report.received_at == clock.now()
    assert report.nexus == [AiNexus.AI_GENERATED]
    assert report.free_text.open() == "zorblat"
    submission = report.submissions.get()
    assert submission.raw.open() == " Gallery.example/room/7 "
    assert submission.url.canonical.open() == "http://gallery.example/room/7"
    assert (submission.url.host, submission.url.tld) == ("gallery.example", "example")
    (event,) = audit("report.received")
    assert event.actor == "system:public"
    assert "zorblat" not in str(event.details)
    assert list(queue()) == [report]


def test_address_and_words_are_not_readable_in_the_database() -> None:
    draft, token = do_begin_draft(PUBLIC)
    do_answer(draft, address=f"{PAGE}?quimber", words="zorblat speaks")
    do_submit_report(PUBLIC, arrival(f"{PAGE}?quimber", words="zorblat speaks"))
    stored = everything_in_the_database()
    for secret in ("room/7", "quimber", "zorblat", token):
        assert secret not in stored


@pytest.mark.parametrize("address", ["the quimber group", "a.example\nb.example", "x\x00y", "magnet:?xt=zorblat", "\u202e"])
def test_an_address_that_cannot_be_read_is_kept_as_it_is(address: str) -> None:
    report = do_submit_report(PUBLIC, arrival(address))
    submission = Submission.objects.get(report=report)
    assert submission.raw.open() == address
    assert submission.url is None
    assert submission.refusal
    assert report.is_open


def test_two_reports_that_cannot_be_read_are_no_duplicates() -> None:
    first, second = (do_submit_report(PUBLIC, arrival("the quimber group")) for _ in range(2))
    assert first.is_open
    assert second.is_open


def test_a_duplicate_counts_on_the_first_and_has_its_own_reference() -> None:
    first = do_submit_report(PUBLIC, arrival())
    second = do_submit_report(PUBLIC, arrival("HTTPS://GALLERY.example:443/room/./7#part"))
    first.refresh_from_db()
    assert second.ref != first.ref
    assert (second.status, second.outcome, second.dedupe_of) == (Status.CLOSED, Outcome.DUPLICATE, first)
    assert (first.repeats, second.duplicate_rule_version) == (1, DUPLICATE_RULE)
    assert list(queue()) == [first]
    assert Url.objects.count() == 1
    assert [event.code for event in audit("report.repeated")] == ["report.repeated"]


def test_enough_repeats_make_it_urgent() -> None:
    first = do_submit_report(PUBLIC, arrival())
    for _ in range(5):
        first.refresh_from_db()
        assert first.priority == Priority.NORMAL
        do_submit_report(PUBLIC, arrival())
    first.refresh_from_db()
    assert (first.priority, first.urgency, first.repeats) == (Priority.URGENT, 1, 5)


def test_a_duplicate_that_says_more_raises_the_first() -> None:
    first = do_submit_report(PUBLIC, arrival())
    do_submit_report(PUBLIC, arrival(theme=Theme.SEXTORTION))
    first.refresh_from_db()
    assert first.priority == Priority.URGENT


@pytest.mark.parametrize(
    ("outcome", "duplicate"),
    [(Outcome.NOT_CRIMINAL, False), (Outcome.NOT_ACCESSIBLE, False), (Outcome.ACTIONED_CONTAINS, True)],
)
def test_what_was_not_actioned_is_looked_at_again(outcome: Outcome, duplicate: bool) -> None:
    first = do_submit_report(PUBLIC, arrival())
    Report.objects.filter(pk=first.pk).update(status=Status.CLOSED, outcome=outcome, is_open=False)
    assert (do_submit_report(PUBLIC, arrival()).dedupe_of == first) is duplicate


def test_a_draft_becomes_one_report_however_often_it_is_sent() -> None:
    draft, token = do_begin_draft(PUBLIC)
    do_answer(draft, address=PAGE, words="zorblat", theme="images")
    first = do_submit_draft(PUBLIC, draft, arrival())
    second = do_submit_draft(PUBLIC, draft, arrival())
    assert first == second
    assert Report.objects.count() == 1
    kept = draft_of(token)
    assert kept is not None
    assert (kept.address.open(), kept.words.open(), kept.theme) == ("", "", "")


def test_a_failure_inside_leaves_nothing_half(monkeypatch: pytest.MonkeyPatch) -> None:
    def power_cut(*arguments: object, **named: object) -> None:
        raise RuntimeError("the lights went out")

    draft, token = do_begin_draft(PUBLIC)
    do_answer(draft, address=PAGE)
    monkeypatch.setattr("vigil.hotline.reports.intake.record_many", power_cut)
    with pytest.raises(RuntimeError):
        do_submit_draft(PUBLIC, draft, arrival())
    assert not Report.objects.exists()
    kept = draft_of(token)
    assert kept is not None
    assert kept.address.open() == PAGE


def test_drafts_end_after_24_hours(clock: FixedClock) -> None:
    draft, token = do_begin_draft(PUBLIC)
    clock.advance(hours=24)
    assert draft_of(token) == draft
    clock.advance(seconds=1)
    assert draft_of(token) is None
    assert do_purge_drafts(WORKER) == 1
    (event,) = audit("draft.purged")
    assert "1" in str(event.details)


def test_a_new_draft_clears_old_ones_away(clock: FixedClock) -> None:
    do_begin_draft(PUBLIC)
    clock.advance(hours=25)
    do_begin_draft(PUBLIC)
    assert Draft.objects.count() == 1


def test_the_worker_clears_all_of_them_away(clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(housekeeping, "close_old_connections", lambda: None)
    for number in range(3):
        Draft.objects.create(token_digest=f"{number}", created_by="system:public")
    Draft.objects.update(created_at=clock.now() - timedelta(hours=30))
    assert housekeeping.tidy() == 3


def test_a_purged_draft_leaves_the_report(clock: FixedClock) -> None:
    draft, _token = do_begin_draft(PUBLIC)
    report = do_submit_draft(PUBLIC, draft, arrival())
    clock.advance(hours=25)
    do_purge_drafts(WORKER)
    report.refresh_from_db()
    assert report.is_open


@pytest.mark.parametrize(("address", "code"), [("  ", "address_missing"), ("x" * 65_537, "too_long")])
def test_what_no_report_can_be_made_of(address: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        do_submit_report(PUBLIC, arrival(address))
    assert caught.value.code == code


def test_only_those_who_may_hand_in_reports() -> None:
    with pytest.raises(RefusedError):
        do_submit_report(OFFICE, arrival())
