"""Files are graded apart from the page and roll up to it; planned looks are blind; looks that differ are adjudicated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.hotline.assessments.test_scheme import FINDING, NOTHING
from tests.hotline.reports.test_captures import drawn

from vigil.base.clock import FixedClock
from vigil.base.errors import VigilError
from vigil.editions.model import ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.assessments.actions import do_assess, do_take_next_fit
from vigil.hotline.assessments.files import grades_of, rolled_up, severity_of
from vigil.hotline.assessments.grades import Child, labels_of, problems_of
from vigil.hotline.assessments.grading import do_grade, do_recompute
from vigil.hotline.assessments.models import Assessment, LabelApplied, LegalityResult, MediaAssessment
from vigil.hotline.assessments.quality import agreement
from vigil.hotline.assessments.queries import in_force
from vigil.hotline.assessments.reviewing import review_of, review_of_file
from vigil.hotline.assessments.rollup import Graded, roll_up
from vigil.hotline.lists.actions import check_decide, do_create_list, do_list
from vigil.hotline.lists.proposals import of_media
from vigil.hotline.reports.actions import do_reopen, do_take
from vigil.hotline.reports.captures import do_hash_file
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Media, Report
from vigil.hotline.reviews.actions import do_propose_policy
from vigil.hotline.schemes.actions import do_import_labels, do_propose_mapping, do_put_in_force
from vigil.hotline.welfare.actions import do_set_preferences, do_swap
from vigil.hotline.welfare.modes import ViewMode
from vigil.hotline.welfare.queries import totals
from vigil.media import hash_image

GRADE: dict[str, Any] = {
    "activity": ["exhibition"], "animal": "no", "sadism": "no", "self_generated": "unclear", "new_or_known": "new",
    "confidence": "high", "realism": "photographic", "ai_status": "none_seen", "real_child_link": "likely_real",
}  # fmt: skip
CHILD = Child("7-10", "yes", "prepubescent", "girl")


@pytest.fixture
def anna(make_user: Callable[..., User], clock: FixedClock) -> User:
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def ben(make_user: Callable[..., User]) -> User:
    return make_user(Role.SECOND_REVIEWER, username="ben")


@pytest.fixture
def sue(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sue")


@pytest.fixture
def case(anna: User) -> Report:
    return do_take(anna, do_submit_report(PUBLIC, Arrival("http://gallery.example/room/7")))


@pytest.fixture
def policy(make_user: Callable[..., User], clock: FixedClock) -> Callable[..., None]:
    """Puts a review policy in force."""

    def put(*rules: dict[str, Any]) -> None:
        row, request = do_propose_policy(make_user(Role.SCHEME_OWNER), data(rules), "a try")
        do_approve(make_user(Role.SUPERVISOR), request)
        do_put_in_force(User.objects.get(username=row.created_by.removeprefix("user:")), row)

    return put


def data(rules: Any) -> Any:
    import msgspec

    return msgspec.json.encode({"version": "1", "rules": list(rules)})


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


def file_of(person: User, case: Report, seed: int = 1) -> Media:
    return do_hash_file(person, case, drawn(seed), hash_image)


def grade(person: User, case: Report, media: Media, children: Any = (CHILD,), **changes: Any) -> MediaAssessment:
    known = MediaAssessment.objects.filter(media=media).count()
    return do_grade(person, case, media, {**GRADE, **changes}, children, known=known, started_at=now())


def assess(person: User, case: Report, answers: dict[str, Any] = FINDING) -> Assessment:
    fresh = Report.objects.get(pk=case.pk)
    if fresh.taken_by_id != person.pk:
        fresh = do_take(person, fresh)
    return do_assess(person, fresh, answers, version=fresh.version, started_at=now())


def status(case: Report) -> str:
    return Report.objects.get(pk=case.pk).status


# ---- files


def test_a_file_is_graded_with_its_children_and_every_axis(anna: User, case: Report) -> None:
    made = grade(anna, case, file_of(anna, case), [CHILD, Child("14-15", "no", "pubescent", "boy")])
    assert [child.child_no for child in made.depictions.all()] == [1, 2]
    found = {row.axis: row.value for row in LegalityResult.objects.filter(assessment=made)}
    assert found == {
        "uk_severity": "C", "interpol_baseline": "meets", "us_industry": "A2", "iccam": "baseline", "xarf_csam": "baseline",
    }  # fmt: skip
    assert "activity=exhibition" in LegalityResult.objects.get(axis="uk_severity").explanation
    assert set(LabelApplied.objects.values_list("label_id", flat=True)) == {"activity=exhibition", "animal=no", "sadism=no"}


def test_the_two_streams_are_kept_apart(anna: User, case: Report) -> None:
    grade(anna, case, file_of(anna, case))
    assert not Assessment.objects.exists() and status(case) == "in_assessment"


def test_the_page_rolls_up_the_youngest_and_the_most_severe_with_their_sources(anna: User, case: Report) -> None:
    old, young = file_of(anna, case, 1), file_of(anna, case, 2)
    grade(anna, case, old, [Child("14-15", "no", "pubescent", "boy")], activity=["penetrative"])
    grade(anna, case, young, [Child("3-6", "yes", "prepubescent", "girl")])
    made = assess(anna, case, {**FINDING, "severity": "C", "age_youngest": "16-17", "sex": "unidentified"})
    assert (made.severity, made.age_youngest, made.sex, made.roll_up_source) == ("A", "3-6", "both", "computed")
    assert made.roll_up_from == {"severity": old.label, "age_youngest": young.label, "files": 2, "undetermined": 0}


def test_without_graded_files_the_assessor_chooses(anna: User, case: Report) -> None:
    file_of(anna, case)
    assert assess(anna, case).roll_up_source == "manual_roll_up"


def test_the_roll_up_in_numbers() -> None:
    assert roll_up([]) is None
    unclear, mild = Graded("a", "undetermined", (), ()), Graded("c", "none", ("adult",), ())
    found = roll_up([unclear, Graded("b", "C", ("16-17",), ("boy",)), mild])
    assert found is not None
    assert (found.severity, found.severity_from, found.age_youngest, found.age_from) == ("C", "b", "16-17", "b")
    assert (found.sex, found.undetermined) == ("boys", 1)


@pytest.mark.parametrize(
    ("answers", "children", "field"),
    [({"activity": []}, [CHILD], "activity"), ({"activity": ["zorblat"]}, [CHILD], "activity"),
     ({"animal": ""}, [CHILD], "animal"),
     ({"activity": ["exhibition", "no_activity"]}, [CHILD], "activity"), ({}, [], "children"),
     ({"ai_status": "suspected"}, [CHILD], "ai_basis"), ({"ai_basis": ["declared"]}, [CHILD], "ai_basis"),
     ({}, [Child("3-6", "no", "prepubescent", "girl")], "children"),
     ({}, [Child("16-17", "yes", "pubescent", "girl")], "children"),
     ({}, [Child("", "yes", "pubescent", "girl")], "children"), ({}, [CHILD] * 13, "children")],
)  # fmt: skip
def test_answers_that_do_not_fit(answers: dict[str, Any], children: list[Child], field: str) -> None:
    assert field in {problem.field for problem in problems_of({**GRADE, **answers}, children)}


def test_the_band_that_straddles_thirteen_decides_nothing() -> None:
    for under, wanted in (("yes", {"yes"}), ("no", {"no"}), ("unknown", set())):
        child = Child("11-13", under, "pubescent", "boy")
        assert not problems_of(GRADE, [child]) and labels_of(GRADE, [child])["appears_under_13"] == wanted
    unsure = [Child("16-17", "no", "pubescent", "girl"), Child("indeterminate", "unknown", "indeterminate", "unidentified")]
    labels = labels_of(GRADE, unsure)
    assert labels["maturity"] == frozenset() and labels["appears_under_13"] == frozenset()


def test_two_people_grading_the_same_file_see_the_conflict(anna: User, case: Report) -> None:
    media = file_of(anna, case)
    grade(anna, case, media)
    late = {"known": 0, "started_at": now()}
    assert code_of(lambda: do_grade(anna, case, media, GRADE, [CHILD], **late)) == "file_changed"
    assert grade(anna, case, media, sadism="yes").supersedes is not None and severity_of(grades_of(case)[0]) == "A"


def test_only_who_holds_the_case_and_only_its_files(anna: User, ben: User, case: Report) -> None:
    media = file_of(anna, case)
    other = do_take(ben, do_submit_report(PUBLIC, Arrival("http://other.example/")))
    assert code_of(lambda: grade(ben, case, media)) == "case_not_held"
    assert code_of(lambda: grade(ben, other, media)) == "file_elsewhere"


def test_imported_labels_are_applied_and_read_by_mappings(
    anna: User, ben: User, case: Report, make_user: Callable[..., User]
) -> None:
    owner = make_user(Role.SCHEME_OWNER)
    do_import_labels(owner, "quimber", "1", b"label_id,section\nq1,categorisation\nq2,categorisation\n")
    rules = b"""{"axis": "national_law", "version": "1", "values": ["illegal", "not_illegal", "undetermined"],
        "inputs": {"label:quimber": ["q1", "q2"]}, "cases": [{"value": "illegal", "any": ["label:quimber=q1"]}],
        "otherwise": "not_illegal", "examples": [{"labels": {"label:quimber": ["q1"]}, "value": "illegal"},
        {"labels": {"label:quimber": ["q2"]}, "value": "not_illegal"}, {"labels": {}, "value": "undetermined"}]}"""
    media = file_of(anna, case)
    made = do_grade(anna, case, media, GRADE, [CHILD], known=0, started_at=now(), imported=[("quimber", "1", "q1")])
    row, request = do_propose_mapping(owner, rules, "our law")
    do_approve(ben, request)
    do_put_in_force(owner, row)
    assert do_recompute(owner, "national_law") == 1 and do_recompute(owner, "national_law") == 0
    assert LegalityResult.objects.get(assessment=made, axis="national_law").value == "illegal"
    wrong = {"known": 1, "started_at": now(), "imported": [("quimber", "1", "q9")]}
    assert code_of(lambda: do_grade(anna, case, media, GRADE, [CHILD], **wrong)) == "label_unknown"


def test_severities_are_in_the_ledger(anna: User, case: Report) -> None:
    grade(anna, case, file_of(anna, case))
    assess(anna, case)
    assert totals(anna).severities == {"C": 2}


def test_what_was_seen_is_not_written_down_as_less(anna: User, case: Report) -> None:
    from vigil.hotline.welfare.actions import do_begin_look

    media = file_of(anna, case)
    do_begin_look(anna, media, ViewMode.REGION)
    assert grade(anna, case, media).view_mode_max == "region"
    assert assess(anna, case, {**FINDING, "view_mode_max": "facts"}).view_mode_max == "region"


def test_opted_out_material_is_routed_elsewhere(anna: User, ben: User, case: Report) -> None:
    grade(anna, case, file_of(anna, case), violence="yes")
    from vigil.hotline.reports.actions import do_release

    do_release(anna, Report.objects.get(pk=case.pk))
    do_set_preferences(ben, greyscale=False, sketch=False, blur=3, tile_side=320, share=False, opt_outs=["violence"])
    assert do_take_next_fit(ben) is None
    taken = do_take_next_fit(anna)
    assert taken is not None and taken.pk == case.pk
    do_swap(ben)
    assert code_of(lambda: do_take_next_fit(ben)) == "look_swapped"


# ---- second looks


TWICE = {"subject_kind": "url", "stages": ["second"], "why": "all"}
THRICE = {"subject_kind": "url", "stages": ["second", "third"], "why": "all"}


def test_a_planned_look_is_blind_and_stands_beside_the_first(policy: Any, anna: User, ben: User, sue: User, case: Report) -> None:
    policy(TWICE)
    assess(anna, case)
    review = review_of(case)
    assert review.pending == "second" and review.hidden_from("user:ben") and not review.hidden_from("user:anna")
    do_take(sue, Report.objects.get(pk=case.pk))
    assert code_of(lambda: check_decide(sue, Report.objects.get(pk=case.pk))) == "review_pending"
    from vigil.hotline.reports.actions import do_release

    do_release(sue, Report.objects.get(pk=case.pk))
    second = assess(ben, case)
    assert (second.stage, second.blind, second.supersedes) == ("second", True, None)
    assert not review_of(case).open and status(case) == "second_review"
    fresh = do_take(sue, Report.objects.get(pk=case.pk))
    assert check_decide(sue, fresh) == second


def test_who_looked_first_does_not_look_second(policy: Any, anna: User, case: Report) -> None:
    policy(TWICE)
    first = assess(anna, case)
    again = assess(anna, case, {**FINDING, "setting": "outdoor"})
    assert (again.stage, again.supersedes) == ("first", first) and review_of(case).pending == "second"


def test_three_blind_looks(policy: Any, anna: User, ben: User, sue: User, case: Report) -> None:
    policy(THRICE)
    for person, pending in ((anna, "second"), (ben, "third"), (sue, "")):
        assess(person, case)
        assert review_of(case).pending == pending
    assert status(case) == "second_review"
    assert {each.looks for each in agreement()} == {3}, "three looks are measured as three, and not once more as two"


def test_looks_that_differ_are_adjudicated_by_a_third_person(
    policy: Any, anna: User, ben: User, sue: User, case: Report, make_user: Callable[..., User]
) -> None:
    policy(TWICE)
    assess(anna, case)
    assess(ben, case, {**FINDING, "severity": "A"})
    assert status(case) == "adjudication" and review_of(case).disagree
    assert code_of(lambda: assess(ben, case)) == "second_person_needed"
    from vigil.hotline.reports.actions import do_release

    do_release(ben, Report.objects.get(pk=case.pk))
    made = assess(sue, case, {**FINDING, "severity": "A"})
    assert made.stage == "adjudication" and not made.blind and not review_of(case).open
    assert status(case) == "second_review" and in_force(case) == made
    decider = make_user(Role.SUPERVISOR)
    fresh = do_take(decider, Report.objects.get(pk=case.pk))
    assert check_decide(decider, fresh) == made


def test_nothing_found_is_seconded_before_it_closes(policy: Any, anna: User, ben: User, case: Report) -> None:
    policy({**TWICE, "outcomes": ["nothing_found"]})
    assess(anna, case, NOTHING)
    assert status(case) == "second_review"
    assess(ben, case, NOTHING)
    assert status(case) == "closed"


def test_one_found_and_one_found_nothing(policy: Any, anna: User, ben: User, case: Report) -> None:
    policy(TWICE)
    assess(anna, case, NOTHING)
    assess(ben, case)
    assert status(case) == "adjudication"


def test_a_reopened_case_begins_a_new_round(policy: Any, anna: User, ben: User, case: Report, clock: FixedClock) -> None:
    policy(TWICE)
    assess(anna, case, NOTHING)
    assess(ben, case, NOTHING)
    clock.advance(minutes=1)
    do_reopen(anna, Report.objects.get(pk=case.pk))
    clock.advance(minutes=1)
    assess(ben, case, NOTHING)
    assert review_of(case).pending == "second" and status(case) == "second_review"


def test_files_have_looks_of_their_own_before_their_hashes_are_listed(
    policy: Any, anna: User, ben: User, sue: User, case: Report, make_user: Callable[..., User]
) -> None:
    policy({"subject_kind": "media", "outcomes": ["found"], "stages": ["second", "third"], "why": "hashes"})
    do_create_list(OPERATOR, "hashes", ListKind.HASH_CSAM)
    media = file_of(anna, case)
    grade(anna, case, media)
    assert review_of_file(media).pending == "second"
    assess(anna, case)
    decider = make_user(Role.SUPERVISOR)

    def listing() -> object:
        return do_list(decider, Report.objects.get(pk=case.pk), of_media([media]))

    with held(decider, case):
        assert code_of(listing) == "review_pending"
    with held(ben, case):
        grade(ben, case, media)
    with held(sue, case):
        assert grade(sue, case, media, activity=["other_indecent"]).blind
    assert review_of_file(media).disagree
    with held(decider, case):
        assert code_of(listing) == "review_disagrees"
    with held(make_user(Role.SECOND_REVIEWER), case) as judge:
        assert grade(judge, case, media).stage == "adjudication"
    with held(decider, case):
        assert listing()


@contextmanager
def held(person: User, case: Report) -> Iterator[User]:
    """The case in somebody's hands for a while."""
    from vigil.hotline.reports.actions import do_release

    do_take(person, Report.objects.get(pk=case.pk))
    yield person
    fresh = Report.objects.get(pk=case.pk)
    if fresh.taken_by_id == person.pk:
        do_release(person, fresh)


def test_no_roll_up_without_grades(anna: User, case: Report) -> None:
    assert rolled_up(case) is None
