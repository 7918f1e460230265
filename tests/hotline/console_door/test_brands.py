"""What people say about names that look alike: shown on both cases, kept for cases to come, taken back; need to know holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.hotline.console_door.conftest import Desk
from tests.hotline.console_door.test_sorted_case import sorted_, text_of

from vigil.base.errors import RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.compartments.actions import do_restrict
from vigil.hotline.compartments.models import Ground
from vigil.hotline.reports.enumerations import Channel
from vigil.hotline.reports.models import Report
from vigil.hotline.triage.answering import do_answer_likeness, do_take_back, likenesses_of
from vigil.hotline.triage.models import BrandAnswer, Likeness

pytestmark = pytest.mark.django_db
QUIMBER, LIKE_IT = "https://quimber.example/x", "https://www2-quimber.test/x"


def page(desk: Desk, report: Report, user: User | None = None) -> str:
    return text_of(desk.at(user or desk.anna).get(f"/cases/{report.pk}/"))


def say(desk: Desk, report: Report, answer: str, user: User | None = None, likeness: Likeness | None = None) -> Any:
    found = likeness or Likeness.objects.order_by("created_at").first()
    assert found is not None
    path = f"/cases/{report.pk}/brands/{found.pk}/"
    return desk.at(user or desk.anna).post(path, {"answer": answer}, follow=True)


def state_of(report: Report) -> list[str]:
    return [each.state for each in likenesses_of(report, Report.objects.exclude(pk=report.pk))]


def test_one_brand_is_said_once_and_shown_on_both_cases_and_on_those_to_come(desk: Desk) -> None:
    first, second = sorted_(QUIMBER), sorted_(LIKE_IT)
    shown = page(desk, first)
    assert "Perhaps the same brand" in shown and "One brand" in shown and "quimber" not in shown
    answer = text_of(say(desk, first, "same"))
    assert "Noted as one brand" in answer and "Perhaps the same brand" not in answer and "quimber" not in answer
    for one, other in ((first, second), (second, first)):
        shown = page(desk, one)
        assert "Same brand" in shown and other.ref in shown and "said anna" in shown and "Perhaps the same brand" not in shown
    events = AuditEvent.objects.filter(code="brand.answered")
    assert {event.subject for event in events} == {f"report:{first.pk}", f"report:{second.pk}"}
    assert all('"same":true' in event.details.replace(" ", "") for event in events)
    assert "quimber" not in repr(list(AuditEvent.objects.values_list())) and verify().ok
    third = sorted_("https://quimber.example/another")
    assert set(state_of(third)) == {"same"}, "nobody is asked about the same two names again"
    assert Report.objects.filter(is_open=True).count() == 3, "nothing is closed"


def test_names_that_are_not_one_brand_are_not_proposed_again(desk: Desk) -> None:
    first, second = sorted_(QUIMBER), sorted_(LIKE_IT)
    say(desk, second, "apart")
    shown = page(desk, first)
    assert "Perhaps the same brand" not in shown and "Not the same brand" in shown
    sorted_("https://www2-quimber.test/later")
    assert Likeness.objects.count() == 1
    sorted_("https://quimb3r.invalid/")  # another name: asked anew, about both
    assert sorted(state_of(first)) == ["apart", "open"]


def test_an_answer_is_taken_back_and_given_anew(desk: Desk, make_user: Callable[..., User]) -> None:
    first, _ = sorted_(QUIMBER), sorted_(LIKE_IT)
    say(desk, first, "same")
    sam = make_user(Role.SUPERVISOR, username="sam")
    assert "it is a proposal again" in text_of(say(desk, first, "back", sam))
    assert state_of(first) == ["open"]
    answer = BrandAnswer.objects.get()
    assert answer.withdrawn_by == sam.label and answer.withdrawn_at is not None
    say(desk, first, "apart", sam)
    assert state_of(first) == ["apart"] and BrandAnswer.objects.count() == 2
    assert AuditEvent.objects.filter(code="brand.taken_back").count() == 2
    sorted_("https://www2-quimber.test/later")
    say(desk, first, "back", sam)
    sorted_("https://www2-quimber.test/later/still")
    assert Likeness.objects.count() == 2, "what was taken back is proposed again"


def test_the_second_answer_meets_the_first(desk: Desk, make_user: Callable[..., User]) -> None:
    sorted_(QUIMBER), sorted_(LIKE_IT)
    likeness = Likeness.objects.get()
    with pytest.raises(RefusedError, match="Nobody has answered"):
        do_take_back(desk.anna, likeness)
    do_answer_likeness(desk.anna, likeness, same=True)
    with pytest.raises(RefusedError, match="answered this already"):
        do_answer_likeness(make_user(Role.INTAKE), likeness, same=False)
    assert "answered this already" in text_of(say(desk, likeness.report, "apart"))
    assert BrandAnswer.objects.get().same
    assert AuditEvent.objects.filter(code="brand.answered").count() == 2


def test_who_may_not_meet_one_of_the_cases_answers_nothing(desk: Desk, make_user: Callable[..., User]) -> None:
    first, second = sorted_(QUIMBER), sorted_(LIKE_IT)
    likeness, sam = Likeness.objects.get(), make_user(Role.SUPERVISOR, username="sam")
    other_case = sorted_("https://elsewhere.example/")
    assert say(desk, other_case, "same").status_code == 404, "only from the page of one of the two"
    assert say(desk, first, "same", make_user(Role.NOTICES)).status_code == 403
    assert "One brand" not in page(desk, first, make_user(Role.POLICE_LIAISON))
    do_restrict(sam, second.pk, next(iter(Ground)), [sam])
    assert "not open to you" in text_of(say(desk, first, "same"))
    with pytest.raises(RefusedError):
        do_take_back(desk.anna, likeness)
    assert not BrandAnswer.objects.exists()
    do_answer_likeness(sam, likeness, same=True)
    assert second.ref not in page(desk, first) and second.ref in page(desk, first, sam)


def test_a_childs_case_is_answered_by_its_desk_alone(desk: Desk, make_user: Callable[..., User]) -> None:
    first, child = sorted_(QUIMBER), sorted_(LIKE_IT)
    Report.objects.filter(pk=child.pk).update(channel=Channel.CHILD_SELF_REPORT)
    assert "not open to you" in text_of(say(desk, first, "same"))
    say(desk, first, "same", make_user(Role.CHILD_DESK))
    assert BrandAnswer.objects.get().same


def test_a_plural_is_said_to_be_one(desk: Desk) -> None:
    first, _ = sorted_(QUIMBER), sorted_("https://quimbers.test/")
    assert "in the plural: often another site" in page(desk, first)


def test_answering_by_keyboard_is_offered_for_the_first(desk: Desk) -> None:
    first, *_ = (sorted_(address) for address in (QUIMBER, LIKE_IT, "https://quimb3r.invalid/"))
    shown = page(desk, first)
    assert shown.count('data-key="b"') == shown.count('data-key="n"') == 1 and shown.count("Not one brand") == 2
