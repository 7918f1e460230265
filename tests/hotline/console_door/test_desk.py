"""The desk: search by what can be compared, acts on several cases with preview and undo, kept filters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.hotline.console_door.conftest import SECRET_ADDRESS, SECRET_WORDS, Desk

from vigil.base.clock import FixedClock
from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.compartments.actions import do_restrict
from vigil.hotline.compartments.models import Ground
from vigil.hotline.desks.models import BulkRun, KeptFilter
from vigil.hotline.reports.actions import do_set_priority
from vigil.hotline.reports.enumerations import Channel, Priority, SubmissionType
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.items import Item
from vigil.hotline.reports.models import Media, Report
from vigil.hotline.reports.models.capture import Sighting, SightingSource

DIGESTS = {"md5": "a1" * 16, "sha1": "b2" * 20, "sha256": "c3" * 32}


def searched(client: Any, field: str, asked: str) -> tuple[int, str]:
    answer = client.post("/search/", {"field": field, "asked": asked})
    return answer.status_code, answer.content.decode()


class TestSearch:
    @pytest.mark.parametrize(
        ("field", "asked"),
        [("address", SECRET_ADDRESS), ("address", "HTTP://Gallery.Example:80/zorblat/7?quimber=1"), ("host", "gallery.example"),
         ("host", "https://gallery.example/elsewhere"), ("domain", "gallery.example"), ("domain", "http://www.gallery.example/")],
    )  # fmt: skip
    def test_a_case_is_found_by_what_can_be_compared(self, desk: Desk, field: str, asked: str) -> None:
        report, other = desk.reported(), desk.reported("http://elsewhere.example/a")
        status, page = searched(desk.at(desk.anna), field, asked)
        assert status == 200 and report.ref in page and other.ref not in page

    def test_by_reference_and_by_each_digest(self, desk: Desk) -> None:
        report = desk.reported()
        media = Media.objects.create(**DIGESTS, size=3, mime="image/png", created_by="test")
        Sighting.objects.create(media=media, report=report, source=SightingSource.UPLOAD, created_by="test")
        client = desk.at(desk.anna)
        assert report.ref in searched(client, "reference", report.ref.lower().replace("-", " "))[1]
        for value in DIGESTS.values():
            assert report.ref in searched(client, "digest", value.upper())[1]
        assert "No case fits" in searched(client, "digest", "d4" * 32)[1]

    def test_words_are_not_searched_and_nothing_asked_is_kept(self, desk: Desk) -> None:
        desk.reported()
        client = desk.at(desk.anna)
        for asked in (SECRET_WORDS, "quimber"):
            for field in ("reference", "digest", "address"):
                assert "No case fits" in (page := searched(client, field, asked)[1]) or "error-summary" in page
        searched(client, "address", SECRET_ADDRESS)
        events = AuditEvent.objects.filter(code="report.searched")
        assert events.exists() and not any("gallery" in event.details + event.subject for event in events)

    @pytest.mark.parametrize(
        ("field", "asked"),
        [("reference", "nothing of ours"), ("digest", "zz" * 16), ("digest", "abc"), ("address", "\x00"),
         ("address", "no address"),
         ("host", ""), ("other", "x"), ("address", "x" * 5000), ("digest", "'; DROP TABLE reports_report; --")],
    )  # fmt: skip
    def test_what_cannot_be_such_a_thing_comes_back_with_words(self, desk: Desk, field: str, asked: str) -> None:
        status, page = searched(desk.at(desk.anna), field, asked)
        assert status == 422 and "error-summary" in page

    def test_restricted_cases_are_found_by_people_named_only(self, desk: Desk, make_user: Callable[..., User]) -> None:
        report = desk.reported()
        do_restrict(make_user(Role.SUPERVISOR), report.pk, Ground.OTHER, [desk.anna])
        assert report.ref in searched(desk.at(desk.anna), "host", "gallery.example")[1]
        assert report.ref not in searched(desk.at(desk.ben), "host", "gallery.example")[1]


class TestNeedToKnow:
    """What a child reported, and what is restricted, is found and acted on by those only who may know of it."""

    def hidden(self, make_user: Callable[..., User], desk: Desk) -> list[Report]:
        url = Item(SubmissionType.URL, SECRET_ADDRESS)
        child = do_submit_report(PUBLIC, Arrival(channel=Channel.CHILD_SELF_REPORT, items=(url,)))
        restricted = desk.reported("http://gallery.example/other")
        do_restrict(make_user(Role.SUPERVISOR), restricted.pk, Ground.OTHER, [desk.ben])
        return [child, restricted]

    def test_search_and_acts_on_several_leave_them_out(self, desk: Desk, make_user: Callable[..., User]) -> None:
        hidden, seen = self.hidden(make_user, desk), desk.reported()
        client = desk.at(desk.anna)
        wanted = [("host", "gallery.example"), ("address", SECRET_ADDRESS), *(("reference", one.ref) for one in hidden)]
        for field, asked in wanted:
            page = searched(client, field, asked)[1].partition("<main")[2]
            assert not any(f"/cases/{one.pk}/" in page for one in hidden), (field, asked)
        cases = [str(one.pk) for one in [*hidden, seen]]
        page = client.post("/queue/several/", {"order": "priority:low", "case": cases}).content.decode()
        assert seen.ref in page and not any(one.ref in page for one in hidden)
        client.post("/queue/several/do/", {"order": "priority:low", "case": cases})
        assert [Report.objects.get(pk=one.pk).priority for one in [*hidden, seen]] == ["normal", "normal", "low"]
        assert BulkRun.objects.get().left == 0

    def test_the_child_desk_acts_on_its_own(self, desk: Desk, make_user: Callable[..., User]) -> None:
        child = self.hidden(make_user, desk)[0]
        client = desk.at(make_user(Role.CHILD_DESK))
        client.post("/queue/several/do/", {"order": "priority:low", "case": [str(child.pk)]})
        assert Report.objects.get(pk=child.pk).priority == "low"


class TestSeveral:
    def orders(self, desk: Desk, order: str, *cases: Report, path: str = "/queue/several/do/") -> Any:
        return desk.at(desk.anna).post(path, {"order": order, "case": [str(case.pk) for case in cases]})

    def test_a_preview_changes_nothing_and_names_what_would_not_happen(self, desk: Desk) -> None:
        free, closed = desk.reported("http://a.example/1"), desk.reported("http://a.example/2")
        self.orders(desk, "close:spam", closed)
        page = self.orders(desk, "priority:low", free, closed, path="/queue/several/").content.decode()
        assert "1 case would change" in page and "already concluded" in page
        free.refresh_from_db()
        assert free.priority == Priority.NORMAL

    def test_priority_of_several_and_back(self, desk: Desk) -> None:
        cases = [desk.reported(f"http://a.example/{n}") for n in range(3)]
        do_set_priority(desk.anna, cases[0], Priority.URGENT)
        where = self.orders(desk, "priority:low", *cases)["Location"]
        assert set(Report.objects.values_list("priority", flat=True)) == {"low"}
        assert "Take it back" in desk.at(desk.anna).get(where).content.decode()
        desk.at(desk.anna).post(f"{where}undo/")
        assert sorted(Report.objects.values_list("priority", flat=True)) == ["normal", "normal", "urgent"]

    def test_closing_several_and_back(self, desk: Desk) -> None:
        cases = [desk.reported(f"http://a.example/{n}") for n in range(3)]
        where = self.orders(desk, "close:spam", *cases)["Location"]
        assert set(Report.objects.values_list("outcome", "is_open")) == {("spam", False)}
        desk.at(desk.anna).post(f"{where}undo/")
        assert set(Report.objects.values_list("status", "is_open")) == {("reopened", True)}
        codes = set(AuditEvent.objects.values_list("code", flat=True))
        assert {"report.bulk_done", "report.concluded", "report.bulk_undone", "report.reopened"} <= codes

    def test_what_changed_since_is_not_taken_back(self, desk: Desk) -> None:
        cases = [desk.reported(f"http://a.example/{n}") for n in range(2)]
        where = self.orders(desk, "priority:low", *cases)["Location"]
        do_set_priority(desk.anna, Report.objects.get(pk=cases[0].pk), Priority.CHILD_AT_RISK)
        answer = desk.at(desk.anna).post(f"{where}undo/", follow=True)
        assert "1 had changed since" in answer.content.decode()
        assert sorted(Report.objects.values_list("priority", flat=True)) == ["child_at_risk", "normal"]

    def test_taking_back_ends_after_half_an_hour_and_is_ones_own(self, desk: Desk, clock: FixedClock) -> None:
        where = self.orders(desk, "priority:low", desk.reported())["Location"]
        assert desk.at(desk.ben).post(f"{where}undo/").status_code == 403
        clock.advance(minutes=31)
        desk.at(desk.anna).get("/queue/")
        desk.at(desk.anna).post(f"{where}undo/")
        assert Report.objects.get().priority == "low" and BulkRun.objects.get().undone_at is None

    def test_a_case_that_somebody_holds_stays_theirs(self, desk: Desk, make_user: Callable[..., User]) -> None:
        report = desk.reported()
        other = make_user(Role.ANALYST, username="carl")
        desk.at(other).post(f"/cases/{report.pk}/take/")
        self.orders(desk, "close:spam", report)
        report.refresh_from_db()
        assert report.is_open and report.taken_by == other

    @pytest.mark.parametrize(
        "order", ["", "close:actioned_contains", "close:duplicate", "priority:none", "list:all", "release:x", "close:", ":"]
    )
    def test_nothing_that_says_something_about_content(self, desk: Desk, order: str) -> None:
        report = desk.reported()
        assert self.orders(desk, order, report)["Location"] == "/queue/"
        assert not BulkRun.objects.exists() and Report.objects.get().status == "new"

    def test_no_case_or_nonsense_is_refused_in_words(self, desk: Desk) -> None:
        client = desk.at(desk.anna)
        for cases in ([], ["nonsense"], ["1" * 36]):
            page = client.post("/queue/several/", {"order": "priority:low", "case": cases}, follow=True).content.decode()
            assert "Choose 1 to 200 cases" in page or "none of ours" in page


class TestKeptFilters:
    def test_a_filter_is_kept_used_and_forgotten(self, desk: Desk) -> None:
        client = desk.at(desk.anna)
        where = client.post("/queue/filters/keep/", {"name": "Urgent ones", "view": "open", "priority": "urgent"})["Location"]
        assert where == "/queue/?view=open&priority=urgent"
        assert "Urgent ones" in client.get("/queue/").content.decode()
        assert "Urgent ones" not in desk.at(desk.ben).get("/queue/").content.decode()
        client.post("/queue/filters/forget/", {"name": "Urgent ones"})
        assert not KeptFilter.objects.exists()

    def test_only_values_that_the_filter_knows_are_kept(self, desk: Desk) -> None:
        desk.at(desk.anna).post("/queue/filters/keep/", {"name": "x", "view": "evil", "priority": "http://gallery.example/"})
        assert KeptFilter.objects.get().query == {}

    def test_names_and_numbers_have_bounds(self, desk: Desk) -> None:
        client = desk.at(desk.anna)
        for name in ("", " " * 9, "x" * 61):
            client.post("/queue/filters/keep/", {"name": name})
        assert not KeptFilter.objects.exists()
        for number in range(32):
            client.post("/queue/filters/keep/", {"name": f"n{number}"})
        assert KeptFilter.objects.count() == 30
        client.post("/queue/filters/keep/", {"name": "n0", "priority": "low"})
        assert KeptFilter.objects.get(name="n0").query == {"priority": "low"}
