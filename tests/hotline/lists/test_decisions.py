"""Decisions of two people and steps of an appeal: emergency listing, interim delisting, standing, the view of the police."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.hotline.assessments.test_scheme import FINDING

from vigil.base.clock import FixedClock
from vigil.base.errors import VigilError
from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.assessments.actions import do_assess
from vigil.hotline.lists.actions import do_ask_emergency, do_create_list, do_emergency_list, do_list
from vigil.hotline.lists.appeals import (
    do_decide_appeal,
    do_file_appeal,
    do_interim_delist,
    do_lay_before_police,
    do_note_police_view,
    do_set_standing,
    do_tell,
)
from vigil.hotline.lists.enumerations import AppealOutcome, PoliceView
from vigil.hotline.lists.models import Appeal, ListEntry
from vigil.hotline.lists.outcomes import outcomes_for
from vigil.hotline.lists.proposals import of_url
from vigil.hotline.lists.queries import in_force
from vigil.hotline.management.upkeep import once
from vigil.hotline.reports.actions import do_take
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report
from vigil.match.urls import Scope

ADDRESS = "http://gallery.example/zorblat/7"
pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def sue(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sue")


@pytest.fixture
def case(anna: User) -> Report:
    do_create_list(OPERATOR, "urls", ListKind.URL)
    report = do_take(anna, do_submit_report(PUBLIC, Arrival(ADDRESS)))
    do_assess(anna, report, FINDING, version=report.version, started_at=now())
    return Report.objects.get(pk=report.pk)


@pytest.fixture
def listed(case: Report, sue: User) -> ListEntry:
    do_list(sue, do_take(sue, case), [proposal(case)])
    return ListEntry.objects.get()


def proposal(case: Report, scope: Scope = Scope.URL) -> object:
    url = case.submissions.get().url
    return of_url(url, scope)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


class TestEmergency:
    def test_two_people_list_out_of_turn_for_a_day(
        self, case: Report, anna: User, sue: User, make_user: Callable[..., User], clock: FixedClock
    ) -> None:
        pia = make_user(Role.LIST_PUBLISHER)
        assert code_of(lambda: do_emergency_list(pia, case, [proposal(case)])) == "approval_missing"
        do_approve(sue, do_ask_emergency(pia, case, "a child is at risk"))
        do_emergency_list(pia, case, [proposal(case)])
        assert in_force(now()).count() == 1 and Report.objects.get(pk=case.pk).status == "second_review"
        clock.advance(hours=25)
        assert in_force(now()).count() == 0

    def test_the_usual_decision_confirms_it(
        self, case: Report, sue: User, make_user: Callable[..., User], clock: FixedClock
    ) -> None:
        pia = make_user(Role.LIST_PUBLISHER)
        do_approve(sue, do_ask_emergency(pia, case, "a child is at risk"))
        do_emergency_list(pia, case, [proposal(case)])
        do_list(sue, do_take(sue, Report.objects.get(pk=case.pk)), [proposal(case)])
        clock.advance(hours=25)
        assert in_force(now()).count() == 1

    def test_nobody_approves_what_they_assessed(self, case: Report, make_user: Callable[..., User]) -> None:
        both = make_user(Role.SUPERVISOR, username="both")
        fresh = do_take(both, case)
        do_assess(both, fresh, FINDING, version=fresh.version, started_at=now())
        request = do_ask_emergency(make_user(Role.LIST_PUBLISHER), case, "a child is at risk")
        assert code_of(lambda: do_approve(both, request)) == "second_person_needed"

    def test_no_whole_host_in_an_emergency(self, case: Report, sue: User, make_user: Callable[..., User]) -> None:
        pia = make_user(Role.LIST_PUBLISHER)
        do_approve(sue, do_ask_emergency(pia, case, "a child is at risk"))
        assert code_of(lambda: do_emergency_list(pia, case, [proposal(case, Scope.HOST)])) == "emergency_too_wide"


class TestAppeal:
    def test_off_while_it_runs_and_back_when_it_is_not_upheld(
        self, listed: ListEntry, sue: User, make_user: Callable[..., User]
    ) -> None:
        appeal, judge = do_file_appeal(address=ADDRESS), make_user(Role.SECOND_REVIEWER)
        do_interim_delist(sue, appeal)  # by who listed it: a wrong block is a harm
        assert ListEntry.objects.get().tombstone
        assert code_of(lambda: do_interim_delist(sue, Appeal.objects.get())) == "interim_already"
        do_decide_appeal(judge, appeal, AppealOutcome.NOT_UPHELD)
        back = ListEntry.objects.get(tombstone=False)
        assert back.number != listed.number and back.content.open() == listed.content.open()
        assert set(Appeal.objects.get().entries.all()) == {listed, back}

    def test_off_for_good_when_it_is_upheld(self, listed: ListEntry, sue: User, make_user: Callable[..., User]) -> None:
        appeal, judge = do_file_appeal(address=ADDRESS), make_user(Role.SECOND_REVIEWER)
        do_interim_delist(sue, appeal)
        assert code_of(lambda: do_decide_appeal(sue, appeal, AppealOutcome.UPHELD)) == "second_person_needed"
        do_decide_appeal(judge, appeal, AppealOutcome.UPHELD)
        assert not ListEntry.objects.filter(tombstone=False).exists()
        assert do_tell(judge, appeal).told_at == now()

    def test_before_the_police_whose_view_is_final_and_told_to_the_board(
        self, listed: ListEntry, make_user: Callable[..., User]
    ) -> None:
        appeal, judge, lia = do_file_appeal(address=ADDRESS), make_user(Role.SECOND_REVIEWER), make_user(Role.POLICE_LIAISON)
        do_decide_appeal(judge, appeal, AppealOutcome.NOT_UPHELD)
        do_lay_before_police(judge, appeal)
        assert code_of(lambda: do_decide_appeal(judge, appeal, AppealOutcome.UPHELD)) == "police_view_awaited"
        do_note_police_view(lia, appeal, PoliceView.NOT_CRIMINAL)
        decided = do_decide_appeal(judge, appeal, AppealOutcome.UPHELD)
        assert (decided.police_view, decided.board_informed_at) == ("not_criminal", now())
        assert not ListEntry.objects.filter(tombstone=False).exists()

    @pytest.mark.parametrize(
        ("view", "outcome", "told"),
        [(PoliceView.CRIMINAL, AppealOutcome.UPHELD, None), (PoliceView.CRIMINAL, AppealOutcome.PARTLY_UPHELD, None),
         (PoliceView.NOT_CRIMINAL, AppealOutcome.NOT_UPHELD, None),
         (PoliceView.NOT_CRIMINAL, AppealOutcome.UPHELD, PoliceView.CRIMINAL)],
    )  # fmt: skip
    def test_nobody_decides_against_the_view_of_the_police(
        self, listed: ListEntry, make_user: Callable[..., User], view: PoliceView, outcome: AppealOutcome, told: PoliceView | None
    ) -> None:
        appeal, judge, lia = do_file_appeal(address=ADDRESS), make_user(Role.SECOND_REVIEWER), make_user(Role.POLICE_LIAISON)
        do_lay_before_police(judge, appeal)
        do_note_police_view(lia, appeal, view)

        def decide() -> Appeal:
            return do_decide_appeal(judge, appeal, outcome, withdraw=[listed], police_view=told)

        assert code_of(decide) == "police_view_final"
        assert Appeal.objects.get().is_open and ListEntry.objects.get().tombstone is False

    def test_nobody_is_told_an_outcome_that_is_not_there_and_a_granted_appeal_goes_no_further(
        self, listed: ListEntry, make_user: Callable[..., User]
    ) -> None:
        appeal, judge = do_file_appeal(address=ADDRESS), make_user(Role.SECOND_REVIEWER)
        assert code_of(lambda: do_tell(judge, appeal)) == "appeal_open" and Appeal.objects.get().told_at is None
        do_decide_appeal(judge, appeal, AppealOutcome.UPHELD)
        assert code_of(lambda: do_lay_before_police(judge, appeal)) == "appeal_granted"
        assert not Appeal.objects.get().is_open

    def test_without_standing_nothing_else_is_decided_and_not_by_who_listed(
        self, listed: ListEntry, sue: User, make_user: Callable[..., User]
    ) -> None:
        appeal, judge = do_file_appeal(address=ADDRESS), make_user(Role.SECOND_REVIEWER)
        do_interim_delist(sue, appeal)
        assert code_of(lambda: do_set_standing(sue, appeal, accepted=False)) == "second_person_needed"
        do_set_standing(judge, appeal, accepted=False)
        for outcome in (AppealOutcome.UPHELD, AppealOutcome.NOT_UPHELD, AppealOutcome.REFERRED_TO_POLICE):
            assert code_of(lambda outcome=outcome: do_decide_appeal(judge, appeal, outcome)) == "standing_refused"  # type: ignore[misc]
        do_decide_appeal(judge, appeal, AppealOutcome.NO_STANDING)
        assert ListEntry.objects.filter(tombstone=False).count() == 1, "what was off while it ran is back"

    def test_a_notice_can_be_named_and_standing_is_decided(self, case: Report, sue: User) -> None:
        appeal = do_file_appeal(notice_serial="N-2026-7", reasons="x")
        assert Appeal.objects.get().notice_serial == "N-2026-7"
        assert do_set_standing(sue, appeal, accepted=False).standing_accepted is False
        assert code_of(lambda: do_file_appeal(notice_serial="no such <number>")) == "notice_serial_malformed"
        assert code_of(lambda: do_interim_delist(sue, appeal)) == "entry_not_named"


def test_good_news_reach_who_assessed(listed: ListEntry, anna: User, sue: User) -> None:
    [news] = outcomes_for(anna)
    assert news.what.startswith("Listed") and news.ref == listed.decision.report.ref
    assert outcomes_for(sue) == []


def test_upkeep_has_nothing_to_do_on_an_empty_desk(db: None) -> None:
    once()
