"""Agreement beyond chance against published examples, policies as data, calibration by drawn shapes."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.errors import InputError, VigilError
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.reviews.actions import do_answer_calibration, do_make_calibration, do_propose_policy, drawn
from vigil.hotline.reviews.calibration import drawing, item
from vigil.hotline.reviews.kappa import cohen, fleiss
from vigil.hotline.reviews.models import CalibrationAnswer
from vigil.hotline.reviews.policy import NONE, Risk, Situation, plan_for, read, report_on, situations
from vigil.hotline.reviews.queries import calibration_agreement, policy_in_force, recommended
from vigil.hotline.schemes.actions import do_put_in_force

# Rows: subjects; columns: how many of 14 raters chose each of five categories (see PROVENANCE.md).
FLEISS_1971 = [(0, 0, 0, 0, 14), (0, 2, 6, 4, 2), (0, 0, 3, 5, 6), (0, 3, 9, 2, 0), (2, 2, 8, 1, 1),
               (7, 7, 0, 0, 0), (3, 2, 6, 3, 0), (2, 5, 3, 2, 2), (6, 5, 2, 1, 0), (0, 2, 2, 3, 7)]  # fmt: skip


def test_fleiss_as_published() -> None:
    ratings = [[str(category) for category, count in enumerate(row) for _ in range(count)] for row in FLEISS_1971]
    found = fleiss(ratings)
    assert found.kappa is not None
    assert round(found.kappa, 3) == 0.210 and round(found.observed, 3) == 0.378 and found.subjects == 10


@pytest.mark.parametrize(
    ("table", "kappa"), [((20, 5, 10, 15), 0.4), ((45, 15, 25, 15), 0.1304), ((25, 35, 5, 35), 0.2593)]
)
def test_cohen_as_published(table: tuple[int, int, int, int], kappa: float) -> None:
    kinds = [("yes", "yes"), ("yes", "no"), ("no", "yes"), ("no", "no")]
    found = cohen([pair for pair, count in zip(kinds, table, strict=True) for _ in range(count)])
    assert found.kappa is not None and round(found.kappa, 4) == kappa


def test_the_ends_of_the_scale() -> None:
    assert cohen([("a", "a"), ("b", "b")]).kappa == 1.0
    assert cohen([("a", "b"), ("b", "a")]).kappa == -1.0
    assert cohen([("a", "a"), ("a", "a")]).kappa is None and fleiss([["a", "a"], ["a", "a"]]).kappa is None


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abc")), min_size=1, max_size=30))
def test_cohen_is_the_same_both_ways_and_within_its_range(pairs: list[tuple[str, str]]) -> None:
    found, turned = cohen(pairs), cohen([(second, first) for first, second in pairs])
    assert found.kappa == pytest.approx(turned.kappa) if found.kappa is not None else turned.kappa is None
    assert found.kappa is None or -1.0 <= found.kappa <= 1.0 + 1e-12


def test_the_order_of_raters_does_not_matter_to_fleiss() -> None:
    rows = [["a", "b", "a"], ["b", "b", "b"], ["a", "c", "c"]]
    values = {round(fleiss([[row[place] for place in order] for row in rows]).kappa or 0, 12) for order in permutations(range(3))}
    assert len(values) == 1


@pytest.mark.parametrize("ratings", [[], [["a"]], [["a", "b"], ["a"]]])
def test_what_cannot_be_compared_is_refused(ratings: list[list[str]]) -> None:
    with pytest.raises(InputError):
        fleiss(ratings)


# ---- policies


def test_without_a_policy_one_look_is_enough() -> None:
    assert all(plan_for(NONE, situation, 0.0).stages == () for situation in situations())


def test_the_recommended_policy() -> None:
    policy = recommended()
    assert plan_for(policy, Situation("media", "B", True), 0.99).stages == ("second", "third")
    new_host = Situation("url", "actioned_contains", True, risks=frozenset({Risk.NEW_HOST}))
    assert plan_for(policy, new_host, 0.99).stages == ("second",)
    assert plan_for(policy, Situation("url", "actioned_contains", True), 0.99).stages == ()
    assert plan_for(policy, Situation("url", "actioned_contains", True), 0.09).stages == ("qa",)
    assert plan_for(policy, Situation("url", "not_criminal", False), 0.05).stages == ()
    assert plan_for(policy, Situation("url", "not_criminal", False), 0.049).stages == ("qa",)
    assert plan_for(policy, Situation("url", "not_criminal", False, "new"), 0.99).stages == ("second",)


def test_samples_have_their_rate() -> None:
    policy = read({"version": "1", "rules": [{"subject_kind": "url", "stages": ["qa"], "sample_rate": 0.2, "why": "sample"}]})
    situation = Situation("url", "spam", False)
    hits = sum(bool(plan_for(policy, situation, step / 1000).stages) for step in range(1000))
    assert hits == 200 and all(0.0 <= drawn() < 1.0 for _ in range(100))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b'{"version": "1", "rules": [{"subject_kind": "zorblat", "stages": ["qa"], "why": "x"}]}',
     b'{"version": "1", "rules": [{"subject_kind": "url", "stages": [], "why": "x"}]}',
     b'{"version": "1", "rules": [{"subject_kind": "url", "stages": ["third"], "why": "x"}]}',
     b'{"version": "1", "rules": [{"subject_kind": "url", "stages": ["qa"], "sample_rate": 2, "why": "x"}]}'],
)  # fmt: skip
def test_what_is_no_policy_is_refused(data: bytes) -> None:
    with pytest.raises(InputError):
        read(data)


def test_a_policy_is_changed_by_two_people(make_user: Callable[..., User]) -> None:
    owner = make_user(Role.SCHEME_OWNER)
    row, request = do_propose_policy(owner, recommended(), "as published practice")
    assert policy_in_force() == NONE and row.test_report["changed"] > 0
    do_approve(make_user(Role.SUPERVISOR), request)
    do_put_in_force(owner, row)
    assert policy_in_force() == recommended()
    assert report_on(recommended(), policy_in_force())["changed"] == 0
    assert json.loads(json.dumps(row.rules))["version"] == "recommended-1"


# ---- calibration


def test_drawings_are_drawn_from_their_seed() -> None:
    assert drawing(7) == drawing(7) and drawing(7) != drawing(8)
    assert drawing(7).startswith(b"\x89PNG") and item(7).key.keys() == {"kind", "number", "largest_at"}


def test_answers_are_compared_with_the_key_and_with_each_other(make_user: Callable[..., User]) -> None:
    qa, anna, ben = make_user(Role.QA), make_user(Role.ANALYST), make_user(Role.SECOND_REVIEWER)
    chosen = do_make_calibration(qa, "November")
    for seed in chosen.seeds:
        key = item(seed).key
        do_answer_calibration(anna, chosen, seed, key)
        do_answer_calibration(ben, chosen, seed, {**key, "number": "5"})
    found = calibration_agreement(chosen)
    with_key, together = found["kind"]
    assert with_key is not None and with_key.observed == 1.0 and together is not None and together.observed == 1.0
    assert found["number"][0] is not None and found["number"][0].observed < 1.0
    with pytest.raises(VigilError):
        do_answer_calibration(anna, chosen, chosen.seeds[0], item(chosen.seeds[0]).key)
    assert CalibrationAnswer.objects.count() == 24
