"""Casework at the console: the queue, a case, revealing, assessing, deciding; and what bad input gets."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from cryptography.fernet import Fernet
from django.core.files.uploadedfile import SimpleUploadedFile
from tests.hotline.console_door.conftest import SECRET_ADDRESS, SECRET_WORDS, Desk, form_of
from tests.hotline.reports.test_captures import drawn

from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.doors.console.limits import FILE_BYTES, FRAME_BYTES
from vigil.hotline.lists.models import Decision, ListEntry
from vigil.hotline.management.serving import arguments_of
from vigil.hotline.reports.captures import do_allow_captures, do_hash_file
from vigil.hotline.reports.models import Capture, Media, Report
from vigil.hotline.settings.config import Capture as CaptureTable
from vigil.media import hash_image

CONFIDENTIAL = ("zorblat", "gallery.example", SECRET_WORDS)


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def says_nothing(answer: Any) -> bool:
    return not any(word in text_of(answer) for word in CONFIDENTIAL)


class TestQueue:
    def test_an_empty_queue_is_a_break(self, desk: Desk) -> None:
        assert "Take a break" in text_of(desk.at(desk.anna).get("/queue/"))

    def test_the_queue_shows_references_and_nothing_confidential(self, desk: Desk) -> None:
        report = desk.reported()
        answer = desk.at(desk.anna).get("/queue/")
        assert report.ref in text_of(answer) and says_nothing(answer)

    def test_filters_and_counts(self, desk: Desk) -> None:
        desk.reported()
        client = desk.at(desk.anna)
        assert client.get("/queue/?priority=urgent").context["page"].paginator.count == 0
        assert client.get("/queue/?view=open&status=new").context["page"].paginator.count == 1
        assert client.get("/queue/?view=zorblat&page=zorblat").context["page"].paginator.count == 1
        rail = {line["text"]: line["count"] for _, lines in client.get("/").context["rail"] for line in lines}
        assert (rail["Queue"], rail["In my hands"]) == (1, 0)

    def test_the_rail_offers_what_one_may(self, desk: Desk, make_user: Callable[..., User]) -> None:
        def rooms(user: User) -> set[str]:
            return {line["text"] for _, lines in desk.at(user).get("/").context["rail"] for line in lines}

        assert rooms(make_user(Role.SYSADMIN)) == {"Overview", "Sources"}
        assert rooms(make_user(Role.AUDITOR)) == {
                "Overview", "Entries", "Appeals", "Second person", "Schemes", "Statistics", "Elevated sessions", "Audit log",
                "Held and guarded", "Proposals", "Lists", "Allow list", "Sources", "Partners", "Alarms",
            }
        assert "Publish" in rooms(make_user(Role.LIST_PUBLISHER)) and "Publish" not in rooms(desk.anna)

    def test_two_people_never_take_the_same_case(self, desk: Desk) -> None:
        first, second = desk.reported(), desk.reported("http://other.example/")
        for user in (desk.anna, desk.ben):
            desk.at(user).post("/queue/next/")
        holders = {Report.objects.get(pk=row.pk).taken_by for row in (first, second)}
        assert holders == {desk.anna, desk.ben}
        assert "Nothing waits" in text_of(desk.at(desk.anna).post("/queue/next/", follow=True))


class TestCase:
    def test_take_and_give_back(self, desk: Desk) -> None:
        report, client = desk.reported(), desk.at(desk.anna)
        assert "You hold it" in text_of(client.post(f"/cases/{report.pk}/take/", follow=True))
        assert "Somebody else holds" in text_of(desk.at(desk.ben).post(f"/cases/{report.pk}/take/", follow=True))
        assert "free again" in text_of(client.post(f"/cases/{report.pk}/release/", follow=True))

    def test_nothing_is_shown_before_it_is_asked_for(self, desk: Desk) -> None:
        report = desk.taken()
        assert says_nothing(desk.at(desk.anna).get(f"/cases/{report.pk}/"))

    @pytest.mark.parametrize(("what", "shown"), [("address", SECRET_ADDRESS), ("words", SECRET_WORDS)])
    def test_showing_is_logged_and_lasts_for_one_answer(self, desk: Desk, what: str, shown: str) -> None:
        report, client = desk.taken(), desk.at(desk.anna)
        answer = client.post(f"/cases/{report.pk}/show/", {"what": what})
        assert shown in text_of(answer) and answer["Cache-Control"] == "no-store"
        assert AuditEvent.objects.filter(code="content.revealed", actor="user:anna").count() == 1
        assert says_nothing(client.get(f"/cases/{report.pk}/"))
        title = text_of(answer).partition("<title>")[2].partition("</title>")[0]
        assert title.startswith(f"Case {report.ref}") and "zorblat" not in title

    def test_only_some_may_see_it(self, desk: Desk, make_user: Callable[..., User]) -> None:
        report = desk.reported()
        assert desk.at(make_user(Role.INTAKE)).post(f"/cases/{report.pk}/show/", {"what": "address"}).status_code == 403
        answer = desk.at(desk.anna).post(f"/cases/{report.pk}/show/", {"what": "everything"}, follow=True)
        assert "nothing of that kind" in text_of(answer)

    def test_priority_and_closing_at_the_front_desk(self, desk: Desk, make_user: Callable[..., User]) -> None:
        report, client = desk.reported(), desk.at(make_user(Role.INTAKE))
        assert client.post(f"/cases/{report.pk}/priority/", {"priority": "child_at_risk"}).status_code == 302
        client.post(f"/cases/{report.pk}/take/")
        answer = client.post(f"/cases/{report.pk}/close/", {"outcome": "actioned_contains"}, follow=True)
        assert "Nothing was changed" in text_of(answer)
        client.post(f"/cases/{report.pk}/close/", {"outcome": "spam"})
        report.refresh_from_db()
        assert (report.priority, report.status, report.outcome) == ("child_at_risk", "closed", "spam")
        client.post(f"/cases/{report.pk}/reopen/")
        assert Report.objects.get(pk=report.pk).status == "reopened"

    def test_a_duplicate_leads_to_the_first(self, desk: Desk) -> None:
        first, again = desk.reported(), desk.reported()
        client = desk.at(desk.anna)
        assert again.ref in text_of(client.get(f"/cases/{first.pk}/"))
        assert f"case {first.ref}" in text_of(client.get(f"/cases/{again.pk}/"))

    def test_a_hostile_report_is_shown_as_text(self, desk: Desk) -> None:
        report = desk.taken('javascript:alert("1")//<script>alert(1)</script>\u202e')
        answer = text_of(desk.at(desk.anna).post(f"/cases/{report.pk}/show/", {"what": "address"}))
        assert "<script>alert" not in answer and "&lt;script&gt;" in answer and "href=\"javascript" not in answer


class TestAssessment:
    def test_a_finding_is_saved_and_waits(self, desk: Desk) -> None:
        report, client = desk.taken(), desk.at(desk.anna)
        answer = client.post(f"/cases/{report.pk}/assessment/", form_of(report, notes="quimber"), follow=True)
        assert "waits for a second person" in text_of(answer) and Assessment.objects.get().severity == "B"
        assert "quimber" not in text_of(answer)
        assert "quimber" in text_of(client.post(f"/cases/{report.pk}/show/", {"what": "notes"}))

    def test_answers_of_a_finding_do_not_count_without_one(self, desk: Desk) -> None:
        report = desk.taken()
        desk.at(desk.anna).post(f"/cases/{report.pk}/assessment/", form_of(report, outcome="not_criminal"))
        assert Assessment.objects.get().severity == "" and Report.objects.get(pk=report.pk).outcome == "not_criminal"

    @pytest.mark.parametrize(
        ("changes", "marked"),
        [({"severity": ""}, "severity"), ({"severity": "D"}, "severity"), ({"outcome": ""}, "outcome"),
         ({"outcome": "duplicate"}, "outcome"), ({"zorblat": "1"}, "__all__"), ({"notes": "x" * 10_001}, "notes"),
         ({"notes": "a\x00b"}, "notes"), ({"ai_status": "suspected"}, "ai_basis"), ({"version": "x"}, "version"),
         ({"started_at": "yesterday"}, "started_at"), ({"version": ""}, "version"), ({"version": str(10**30)}, "version")],
    )  # fmt: skip
    def test_what_does_not_fit_comes_back_whole(self, desk: Desk, changes: dict[str, Any], marked: str) -> None:
        report, client = desk.taken(), desk.at(desk.anna)
        form = form_of(report, **{"notes": "quimber", **changes})
        answer = client.post(f"/cases/{report.pk}/assessment/", form)
        if answer.status_code == 409:
            assert marked == "version"
            return
        assert answer.status_code == 422 and marked in answer.context["assessment_form"].errors
        assert answer.context["assessment_form"]["rationale_code"].value() == "seen_at_source"
        assert not Assessment.objects.exists()

    def test_text_that_is_not_utf_8(self, desk: Desk) -> None:
        report = desk.taken()
        body = urlencode(form_of(report, notes="")).replace("notes=&", "notes=%ff%fe&")
        answer = desk.at(desk.anna).post(
            f"/cases/{report.pk}/assessment/", body, content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 422 and "could not be read" in text_of(answer)

    def test_a_huge_form_is_refused_in_words(self, desk: Desk) -> None:
        report = desk.taken()
        answer = desk.at(desk.anna).post(
            f"/cases/{report.pk}/assessment/", "notes=" + "x" * 400_000, content_type="application/x-www-form-urlencoded"
        )
        assert answer.status_code == 413 and "Nothing was saved" in text_of(answer)

    def test_the_later_of_two_sees_the_conflict_and_keeps_the_answers(self, desk: Desk) -> None:
        report, client = desk.taken(), desk.at(desk.anna)
        stale = form_of(report, severity="A", notes="quimber")
        client.post(f"/cases/{report.pk}/assessment/", form_of(report))
        client.post(f"/cases/{report.pk}/take/")
        answer = client.post(f"/cases/{report.pk}/assessment/", stale)
        form = answer.context["assessment_form"]
        assert answer.status_code == 409 and "Somebody was there before you" in text_of(answer)
        assert form["severity"].value() == "A" and form["notes"].value() == "quimber"
        again = client.post(f"/cases/{report.pk}/assessment/", {**stale, "version": form["version"].value()})
        assert again.status_code == 302 and Assessment.objects.count() == 2

    def test_whose_case_went_to_somebody_else_keeps_the_answers(self, desk: Desk) -> None:
        report, client = desk.taken(), desk.at(desk.anna)
        form = form_of(report, severity="A")
        client.post(f"/cases/{report.pk}/release/")
        desk.at(desk.ben).post(f"/cases/{report.pk}/take/")
        answer = client.post(f"/cases/{report.pk}/assessment/", form)
        assert answer.status_code == 409 and answer.context["assessment_form"]["severity"].value() == "A"


class TestListing:
    def page(self, report: Report) -> str:
        return f"/cases/{report.pk}/listing/"

    def form(self, report: Report, **changes: Any) -> dict[str, Any]:
        report.refresh_from_db()
        return {"version": report.version, "decision": "list", "scope": "url", **changes}

    def test_who_assessed_never_decides(self, desk: Desk, make_user: Callable[..., User]) -> None:
        both = make_user(Role.ANALYST, Role.SECOND_REVIEWER)
        report, client = desk.reported(), desk.at(both)
        client.post(f"/cases/{report.pk}/take/")
        client.post(f"/cases/{report.pk}/assessment/", form_of(report))
        client.post(f"/cases/{report.pk}/take/")
        assert "listing_form" not in client.get(f"/cases/{report.pk}/").context
        answer = client.post(self.page(report), self.form(report))
        assert answer.status_code == 409 and "second person" in text_of(answer) and not ListEntry.objects.exists()

    def test_address_and_pictures_are_listed(self, desk: Desk) -> None:
        report = desk.assessed()
        media = do_hash_file(desk.anna, report, drawn(1), hash_image)
        client = desk.at(desk.ben)
        client.post(f"/cases/{report.pk}/take/")
        answer = client.post(self.page(report), self.form(report, pictures=[str(media.pk)]), follow=True)
        assert "5 new entries" in text_of(answer) and Report.objects.get(pk=report.pk).status == "actioned"
        known = text_of(client.get(f"/cases/{report.pk}/"))
        assert "listed already" in known and "exact" in known

    def test_each_scope_says_what_it_would_match(self, desk: Desk) -> None:
        report = desk.waiting_for_ben()
        answer = text_of(desk.at(desk.ben).post(f"/cases/{report.pk}/show/", {"what": "address"}))
        for shape in ("gallery.example/zorblat/7?quimber=1", "gallery.example/zorblat/7?…", "gallery.example/zorblat/…"):
            assert shape in answer
        assert "gallery.example/…" not in answer, "a whole host is offered to supervisors only"

    def test_a_supervisor_lists_a_folder_or_a_host_with_a_reason(self, desk: Desk, make_user: Callable[..., User]) -> None:
        sam = make_user(Role.SUPERVISOR, username="sam")
        for number, (scope, more) in enumerate([("prefix-0", {}), ("host", {"wide_scope": "dedicated"})]):
            report = desk.assessed(f"http://site{number}.example/zorblat/7")
            client = desk.at(sam)
            client.post(f"/cases/{report.pk}/take/")
            assert client.post(self.page(report), self.form(report, scope=scope, **more)).status_code == 302
        assert list(ListEntry.objects.values_list("scope", flat=True)) == ["prefix", "host"]

    @pytest.mark.parametrize(
        ("changes", "status"),
        [({"decision": ""}, 422), ({"scope": ""}, 422), ({"scope": "host"}, 422), ({"scope": "zorblat"}, 422),
         ({"decision": "do_not_list_risk"}, 422), ({"decision": "delist"}, 422), ({"version": "1"}, 409),
         ({"pictures": "zorblat"}, 422), ({"more": "1"}, 422)],
    )  # fmt: skip
    def test_what_does_not_fit_changes_nothing(self, desk: Desk, changes: dict[str, str], status: int) -> None:
        report = desk.waiting_for_ben()
        assert desk.at(desk.ben).post(self.page(report), self.form(report, **changes)).status_code == status
        assert not Decision.objects.exists()

    def test_deciding_against_listing_is_a_decision(self, desk: Desk) -> None:
        report = desk.waiting_for_ben()
        form = self.form(report, decision="do_not_list_risk", risk_reason="quimber")
        answer = desk.at(desk.ben).post(self.page(report), form, follow=True)
        assert "not listed" in text_of(answer) and Decision.objects.get().decision == "do_not_list_risk"
        assert not ListEntry.objects.exists()


class TestPictures:
    def test_a_picture_is_hashed_and_dropped(self, desk: Desk) -> None:
        report = desk.taken()
        picture = SimpleUploadedFile("zorblat-name.png", drawn(1), "image/png")
        answer = desk.at(desk.anna).post(f"/cases/{report.pk}/file/", {"picture": picture}, follow=True)
        assert "hashed and dropped" in text_of(answer) and "zorblat-name" not in text_of(answer)
        assert Media.objects.get().width == 96

    @pytest.mark.parametrize("content", [b"", b"x" * (FILE_BYTES.value + 200_000), b"no picture"], ids=["empty", "huge", "text"])
    def test_what_is_no_picture_is_said_to_be_so(self, desk: Desk, content: bytes) -> None:
        report = desk.taken()
        picture = SimpleUploadedFile("x.png", content, "image/png")
        answer = desk.at(desk.anna).post(f"/cases/{report.pk}/file/", {"picture": picture}, follow=True)
        assert answer.status_code == 200
        assert "No picture came" in text_of(answer) or Media.objects.get().unhashable == "not_an_image"

    def test_what_is_handed_in_never_touches_the_disk(self) -> None:
        told = arguments_of("console")
        assert told["inbuf_overflow"] > told["max_request_body_size"] > FILE_BYTES.value
        assert told["max_request_body_size"] > FILE_BYTES.value + FRAME_BYTES.value

    def test_files_are_read_nowhere_else_and_forged_ones_not_at_all(self, desk: Desk, console_client: Callable[..., Any]) -> None:
        report = desk.taken()
        picture = SimpleUploadedFile("x.png", drawn(1), "image/png")
        client = console_client(desk.anna, enforce_csrf_checks=True)
        assert client.post(f"/cases/{report.pk}/file/", {"picture": picture}).status_code == 403
        assert desk.open_door().post(f"/cases/{report.pk}/file/", {"picture": picture}).status_code == 302
        assert not Media.objects.exists()

    def test_captures_are_offered_only_where_they_are_on(self, desk: Desk, settings: Any) -> None:
        report, client = desk.taken(), desk.at(desk.anna)
        assert "Captures are off" in text_of(client.get(f"/cases/{report.pk}/"))
        assert "Captures are off" in text_of(client.post(f"/cases/{report.pk}/capture/", follow=True))
        do_allow_captures(OPERATOR, "Permit 7 of the authority of Quimber")
        table = CaptureTable(proxy="http://127.0.0.1:9")
        client.overrides["CONFIG"] = msgspec.structs.replace(settings.CONFIG, capture=table)
        assert "is asked for" in text_of(client.post(f"/cases/{report.pk}/capture/", follow=True))
        assert client.get(f"/cases/{report.pk}/capture/state/").json() == {"state": "requested"}
        assert Capture.objects.count() == 1


def test_nothing_confidential_in_titles_addresses_or_logs(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    report = desk.taken()
    client = desk.at(desk.anna)
    with caplog.at_level(logging.DEBUG):
        for answer in (
            client.get(f"/cases/{report.pk}/"),
            client.post(f"/cases/{report.pk}/show/", {"what": "address"}),
            client.post(f"/cases/{report.pk}/assessment/", form_of(report, severity="")),
            client.get("/queue/"),
        ):
            assert "zorblat" not in answer.request["PATH_INFO"]
    assert not any(word in record.getMessage() for record in caplog.records for word in CONFIDENTIAL if "SQL" not in record.name)


def test_what_is_not_there(desk: Desk, make_user: Callable[..., User]) -> None:
    client = desk.at(make_user(Role.SUPERVISOR, Role.LIST_PUBLISHER))
    nothing = "00000000-0000-7000-8000-000000000000"
    for path in (f"cases/{nothing}", "entries/1", "entries/999999999999999999999", f"publish/{nothing}", f"appeals/{nothing}"):
        assert client.get(f"/{path}/").status_code == 404


def test_a_seal_that_cannot_be_opened_is_no_broken_page(desk: Desk) -> None:
    report = desk.taken()
    client = desk.at(desk.anna)
    client.overrides["SEAL_KEYS"] = (Fernet.generate_key().decode(),)
    answer = client.get(f"/cases/{report.pk}/")
    assert answer.status_code == 503 and says_nothing(answer)
