"""Exposure is written down, limits and breaks hold, ways out ask for no reason, and nobody reads it as performance."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from vigil.base.clock import FixedClock
from vigil.base.errors import VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.entity import AppendOnlyError
from vigil.hotline.access.models import User
from vigil.hotline.access.permissions import PERMISSIONS, Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.statistics.queries import overview
from vigil.hotline.welfare.actions import (
    check_look,
    do_answer_buddy,
    do_ask_buddy,
    do_begin_look,
    do_come_back,
    do_end_look,
    do_note_severity,
    do_set_policy,
    do_set_preferences,
    do_swap,
    do_take_break,
)
from vigil.hotline.welfare.limits import DEFAULT, Fitness, Ledger, Policy, state_of
from vigil.hotline.welfare.models import BuddyRequest, ExposureEvent, LeadSees, WellbeingCheck
from vigil.hotline.welfare.modes import ViewMode, most_revealing
from vigil.hotline.welfare.queries import days_of, lead_rows, open_buddy_requests, state_for, totals

SHORT = Policy(daily_soft_s=60, daily_limit_s=120, weekly_limit_s=300, break_every_s=40, break_s=300)


@pytest.fixture
def anna(make_user: Callable[..., User], clock: FixedClock) -> User:
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def wendy(make_user: Callable[..., User]) -> User:
    return make_user(Role.WELFARE, username="wendy")


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


def looked(person: User, clock: FixedClock, seconds: int, mode: ViewMode = ViewMode.FULL) -> None:
    look = do_begin_look(person, "media:7", mode)
    clock.advance(seconds=seconds)
    do_end_look(person, look, seconds)


@pytest.mark.parametrize(
    ("ledger", "wanted"),
    [(Ledger(), Fitness.FIT), (Ledger(today_s=60, week_s=60), Fitness.NEAR_LIMIT), (Ledger(since_break_s=40), Fitness.BREAK_DUE),
     (Ledger(today_s=120, week_s=120), Fitness.DAY_OVER), (Ledger(week_s=300), Fitness.WEEK_OVER),
     (Ledger(swapped=True), Fitness.SWAPPED)],
)  # fmt: skip
def test_what_a_ledger_says(ledger: Ledger, wanted: Fitness) -> None:
    state = state_of(SHORT, ledger, now())
    assert state.fitness is wanted and state.refuses == (wanted not in (Fitness.FIT, Fitness.NEAR_LIMIT))


def test_soft_limits_only_say_so() -> None:
    soft = Policy(60, 120, 300, 1000, 300, hard=False)
    assert state_of(soft, Ledger(today_s=500, week_s=500), now()).fitness is Fitness.NEAR_LIMIT


def test_every_look_is_in_the_ledger_and_in_the_log(anna: User, clock: FixedClock) -> None:
    looked(anna, clock, 8, ViewMode.BLUR)
    looked(anna, clock, 12)
    do_note_severity(anna, "media:7", "C")
    found = totals(anna)
    assert (found.looks, found.unblurred_s, found.blurred_s, found.severities) == (2, 12, 8, {"C": 1})
    assert AuditEvent.objects.filter(code="content.looked", actor="user:anna").count() == 2
    assert days_of(anna)[0].totals.looks == 2
    with pytest.raises(AppendOnlyError):
        ExposureEvent.objects.all().delete()


def test_the_end_of_a_look_is_told_once_and_never_exaggerated(
    anna: User, clock: FixedClock, make_user: Callable[..., User]
) -> None:
    look = do_begin_look(anna, "media:7", ViewMode.FULL)
    clock.advance(seconds=5)
    do_end_look(anna, look, 9000)
    do_end_look(anna, look, 1)
    assert totals(anna).unblurred_s == 6
    assert code_of(lambda: do_end_look(make_user(Role.ANALYST), look, 1)) == "look_of_another"
    do_begin_look(anna, "media:8", ViewMode.FULL)
    assert totals(anna).unblurred_s == 36  # a look without an end counts half a minute


def test_breaks_are_enforced(anna: User, wendy: User, clock: FixedClock) -> None:
    do_set_policy(wendy, SHORT)
    looked(anna, clock, 45)
    assert code_of(lambda: do_begin_look(anna, "media:9", ViewMode.BLUR)) == "look_break_due"
    assert do_begin_look(anna, "report:9", ViewMode.FACTS)  # facts stay open
    taken = do_take_break(anna, 1)
    assert taken.enforced and taken.ends_at - now() == timedelta(seconds=300)
    assert code_of(lambda: check_look(anna)) == "look_on_break"
    clock.advance(seconds=301)
    assert check_look(anna).fitness is Fitness.FIT


def test_the_week_counts_what_the_day_does_not(anna: User, wendy: User, clock: FixedClock) -> None:
    """Seven days back, not since Monday and not only today."""
    do_set_policy(wendy, Policy(60, 120, 300, 1000, 300))
    for _ in range(3):
        looked(anna, clock, 101)
        clock.advance(hours=25)
    assert code_of(lambda: check_look(anna)) == "look_week_over"
    assert do_begin_look(anna, "report:9", ViewMode.FACTS)
    clock.advance(days=4)
    assert check_look(anna).fitness is Fitness.FIT


def test_one_look_is_not_longer_than_ten_minutes(anna: User, clock: FixedClock) -> None:
    """More is a page that somebody left open."""
    looked(anna, clock, 3000)
    assert totals(anna).unblurred_s == 600


def test_a_break_that_is_due_is_not_shortened_by_another(anna: User, wendy: User, clock: FixedClock) -> None:
    do_set_policy(wendy, SHORT)
    looked(anna, clock, 45)
    do_take_break(anna)
    clock.advance(seconds=1)
    do_take_break(anna, 1)
    clock.advance(seconds=70)
    assert code_of(lambda: check_look(anna)) == "look_on_break"
    clock.advance(seconds=230)
    assert check_look(anna).fitness is Fitness.FIT


def test_a_minute_now_and_then_is_no_whole_break(anna: User, wendy: User, clock: FixedClock) -> None:
    """Time is counted on over breaks that are shorter than the policy's; one as long as that begins it anew."""
    do_set_policy(wendy, SHORT)
    looked(anna, clock, 35)
    do_take_break(anna, 1)
    assert code_of(lambda: check_look(anna)) == "look_on_break"
    clock.advance(seconds=61)
    looked(anna, clock, 10)
    assert code_of(lambda: check_look(anna)) == "look_break_due"
    do_take_break(anna, 5)
    clock.advance(seconds=301)
    assert check_look(anna).fitness is Fitness.FIT
    looked(anna, clock, 10)
    do_take_break(anna, 5)  # whole, though none was due
    clock.advance(seconds=301)
    looked(anna, clock, 35)
    assert check_look(anna).fitness is not Fitness.BREAK_DUE


@pytest.mark.parametrize("role", [role for role in Role if Permission.CONTENT_REVEAL in PERMISSIONS[role]])
def test_everybody_who_may_look_is_on_the_leads_page(role: Role, wendy: User, make_user: Callable[..., User]) -> None:
    person = make_user(role)
    assert [row.person for row in lead_rows(wendy)] == [person]


def test_near_the_limit_somebody_is_asked_once_and_over_it_nothing_is_shown(anna: User, wendy: User, clock: FixedClock) -> None:
    do_set_policy(wendy, Policy(60, 120, 300, 1000, 300))
    looked(anna, clock, 70)
    looked(anna, clock, 20)
    looked(anna, clock, 40)
    assert WellbeingCheck.objects.filter(analyst=anna).count() == 1
    assert code_of(lambda: check_look(anna)) == "look_day_over"
    clock.advance(hours=23, minutes=50)
    assert code_of(lambda: check_look(anna)) == "look_day_over"  # midnight opens nothing
    clock.advance(minutes=20)
    assert check_look(anna).fitness is Fitness.FIT


def test_swapping_asks_for_no_reason_and_ends_when_one_likes(anna: User) -> None:
    do_swap(anna)
    do_swap(anna)
    assert code_of(lambda: check_look(anna)) == "look_swapped"
    do_come_back(anna)
    assert check_look(anna).fitness is Fitness.FIT


def test_a_buddy_is_asked_for_and_found(anna: User, make_user: Callable[..., User]) -> None:
    ben = make_user(Role.INTAKE, username="ben")
    do_ask_buddy(anna)
    do_ask_buddy(anna)
    [request] = open_buddy_requests(ben)
    assert open_buddy_requests(anna) == []
    assert code_of(lambda: do_answer_buddy(anna, request)) == "buddy_is_another"
    do_answer_buddy(ben, request)
    assert open_buddy_requests(make_user(Role.QA)) == [] and BuddyRequest.objects.get().answered_by == ben


def preferences(anna: User, **changes: Any) -> None:
    chosen: dict[str, Any] = {"greyscale": False, "sketch": False, "blur": 3, "tile_side": 320, "share": False, "opt_outs": []}
    do_set_preferences(anna, **{**chosen, **changes})


def test_preferences_are_checked(anna: User) -> None:
    preferences(anna, greyscale=True, opt_outs=["violence"])
    assert code_of(lambda: preferences(anna, opt_outs=["zorblat"])) == "opt_out_unknown"


def test_the_lead_sees_what_policy_and_person_allow(anna: User, wendy: User, clock: FixedClock) -> None:
    looked(anna, clock, 10)

    def seen() -> Any:
        return next(row.totals for row in lead_rows(wendy) if row.person == anna)

    assert seen() is None  # the default: only what is shared
    preferences(anna, share=True)
    assert seen().unblurred_s == 10
    do_set_policy(wendy, DEFAULT, lead_sees=LeadSees.NOTHING)
    assert seen() is None
    preferences(anna)
    clock.advance(seconds=1)
    do_set_policy(wendy, DEFAULT, lead_sees=LeadSees.AFTER_A_WEEK)
    assert seen().unblurred_s == 0
    clock.advance(days=8)
    assert seen().unblurred_s == 10


def test_the_strictest_role_counts(wendy: User, make_user: Callable[..., User], clock: FixedClock) -> None:
    do_set_policy(wendy, DEFAULT)
    do_set_policy(wendy, SHORT, role=Role.IMAGE_ASSESSOR)
    both = make_user(Role.ANALYST, Role.IMAGE_ASSESSOR)
    looked(both, clock, 45)
    assert state_for(both).fitness is Fitness.BREAK_DUE


def test_impossible_limits_are_refused(wendy: User, anna: User) -> None:
    assert code_of(lambda: do_set_policy(wendy, Policy(100, 50, 300))) == "limits_order"
    assert code_of(lambda: do_set_policy(wendy, Policy(break_s=5))) == "break_length"
    assert code_of(lambda: do_set_policy(anna, SHORT)) == "not_permitted"
    assert code_of(lambda: do_take_break(anna, 500)) == "break_length"


def test_no_page_of_figures_reads_the_ledger(anna: User, clock: FixedClock) -> None:
    looked(anna, clock, 10)
    with CaptureQueriesContext(connection) as queries:
        overview(now())
    assert queries.captured_queries and not any("welfare_" in query["sql"] for query in queries.captured_queries)


def test_those_who_judge_performance_do_not_see_it() -> None:
    assert [role for role in Role if Permission.WELFARE_LEAD in PERMISSIONS[role]] == [Role.WELFARE]


def test_the_most_revealing_mode() -> None:
    assert most_revealing(["facts", "region", "blur"]) == "region" and most_revealing([]) == "hidden"
