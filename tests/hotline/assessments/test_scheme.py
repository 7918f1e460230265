"""The scheme is whole, its values are those of the data model, and every mirror agrees with it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.hotline.assessments import scheme
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.assessments.rules import problems_of
from vigil.hotline.reports.enumerations import Outcome

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "analyst.md"

# The published enumerations of the data model, section 5: a value may be added in a new scheme version, never renamed.
VALUES = {
    "content_role": "contains links advertises encourages",
    "site_type": "image_host image_store cyberlocker forum website_dedicated website_other social chat_messaging "
    "video_channel blog search_transient link_list web_archive newsgroup p2p generative_ai_service app_store other",
    "severity": "A B C none undetermined",
    "age_youngest": "0-2 3-6 7-10 11-13 14-15 16-17 adult indeterminate",
    "sex": "girls boys both unidentified",
    "self_generated": "yes_coerced yes_shared_on no unclear",
    "realism": "photographic pseudo_photograph non_photographic",
    "ai_status": "confirmed suspected none_seen unknown",
    "ai_basis": "declared watermark provenance_metadata artefact source_context known_original",
    "ai_manner": "fully_generated altered_real_image face_replaced known_victim_likeness unknown",
    "real_child_link": "known_victim likely_real none_found unknown",
    "setting": "domestic outdoor institution vehicle studio other unknown",
    "confidence": "high medium low",
    "view_mode_max": "hidden hash_only facts sketch blur region greyscale full",
}

FINDING = {
    "outcome": "actioned_contains",
    "confidence": "high",
    "rationale_code": "seen_at_source",
    "view_mode_max": "facts",
    "site_type": "image_host",
    "content_role": "contains",
    "severity": "B",
    "age_youngest": "7-10",
    "sex": "girls",
    "self_generated": "no",
    "realism": "photographic",
    "ai_status": "none_seen",
    "real_child_link": "unknown",
}
NOTHING = {"outcome": "not_criminal", "confidence": "high", "rationale_code": "nothing_found", "view_mode_max": "facts"}


@pytest.mark.parametrize("name", sorted(VALUES))
def test_values_are_those_of_the_data_model(name: str) -> None:
    assert [value for value, _ in scheme.BY_NAME[name].choices] == VALUES[name].split()


def test_every_outcome_but_duplicate_can_be_found() -> None:
    assert set(scheme.OUTCOMES) == set(Outcome) - {Outcome.DUPLICATE}


@pytest.mark.parametrize("question", scheme.QUESTIONS, ids=lambda question: question.name)
def test_the_database_knows_the_same_values(question: scheme.Question) -> None:
    field = Assessment._meta.get_field(question.name)
    if not question.many:
        assert tuple(field.choices or ()) == question.choices
        assert max(map(len, question.values)) <= (field.max_length or 0)


@pytest.mark.parametrize("question", scheme.QUESTIONS, ids=lambda question: question.name)
def test_the_guide_names_every_question_and_answer(question: scheme.Question) -> None:
    guide = GUIDE.read_text()
    assert f"**{question.label}**" in guide
    for value, words in question.choices:
        assert f"{words} (`{value}`)" in guide


def test_a_whole_finding_is_an_assessment() -> None:
    assert problems_of(FINDING) == []
    assert problems_of(NOTHING) == []


def codes(**changes: object) -> set[tuple[str, str]]:
    return {(problem.field, problem.code) for problem in problems_of({**FINDING, **changes})}


@pytest.mark.parametrize("name", [name for name, question in scheme.BY_NAME.items() if question.required])
def test_a_finding_needs_each_of_its_answers(name: str) -> None:
    assert (name, "answer_missing") in codes(**{name: ""})


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"content_role": "links"}, ("content_role", "role_disagrees")),
        ({"outcome": "actioned_links"}, ("content_role", "role_disagrees")),
        ({"realism": "non_photographic"}, ("realism", "realism_disagrees")),
        ({"outcome": "non_photographic"}, ("realism", "realism_disagrees")),
        ({"age_youngest": "adult"}, ("age_youngest", "youngest_is_adult")),
        ({"severity": "none"}, ("severity", "severity_none")),
        ({"ai_status": "suspected"}, ("ai_basis", "basis_missing")),
        ({"ai_basis": ["watermark"]}, ("ai_basis", "answer_out_of_place")),
        ({"ai_manner": "unknown"}, ("ai_manner", "answer_out_of_place")),
        ({"severity": "D"}, ("severity", "value_unknown")),
        ({"ai_basis": ["zorblat"]}, ("ai_basis", "value_unknown")),
        ({"outcome": "duplicate"}, ("outcome", "value_unknown")),
    ],
)
def test_answers_that_do_not_fit(changes: dict[str, object], expected: tuple[str, str]) -> None:
    assert expected in codes(**changes)


def test_answers_that_fit() -> None:
    assert codes(ai_status="confirmed", ai_basis=["watermark"], ai_manner="fully_generated") == set()
    assert codes(outcome="actioned_links", content_role="links", severity="none", age_youngest="indeterminate") == set()
    assert codes(outcome="non_photographic", realism="non_photographic") == set()


def test_nothing_found_takes_no_finding() -> None:
    problems = {problem.field for problem in problems_of({**FINDING, "outcome": "not_criminal"})}
    assert problems == {question.name for question in scheme.QUESTIONS if question.finding} - {
        "site_type", "setting", "ai_basis", "ai_manner"
    }  # fmt: skip
    assert problems_of({**NOTHING, "site_type": "forum"}) == []


ANSWERS = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(sorted(question.values)), unique=True, max_size=2)
        if question.many
        else st.sampled_from([*sorted(question.values), "", "zorblat"])
        for name, question in scheme.BY_NAME.items()
    },
)


@given(ANSWERS)
def test_any_answers_are_judged_and_problems_name_questions(answers: dict[str, object]) -> None:
    problems = problems_of(answers)
    assert {problem.field for problem in problems} <= set(scheme.BY_NAME)
    if not problems and answers.get("outcome") in scheme.FOUND:
        assert all(answers.get(name) for name, question in scheme.BY_NAME.items() if question.required)
