"""What triage found, on the case page: reasons, clusters, a contact; nothing of cases that a person may not meet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.hotline.console_door.conftest import Desk

from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.compartments.actions import do_restrict
from vigil.hotline.compartments.models import Ground
from vigil.hotline.reports.enumerations import Channel
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report
from vigil.hotline.triage.actions import do_triage
from vigil.hotline.triage.models import Cluster

pytestmark = pytest.mark.django_db


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def sorted_(address: str, **arrival: Any) -> Report:
    report = do_submit_report(PUBLIC, Arrival(address, **arrival))
    do_triage(WORKER, report, lambda: 1.0)
    report.refresh_from_db()
    return report


def test_reasons_and_score_are_said_and_what_was_not_sorted_yet(desk: Desk) -> None:
    loud = sorted_("http://one.example/a", words="ZORBLAT QUIMBER GRELM PANDOR TRISKEL VORLUND")
    shown = text_of(desk.at(desk.anna).get(f"/cases/{loud.pk}/"))
    assert "Its words are almost all in capitals." in shown and "spam score 0.30" in shown and "ZORBLAT" not in shown
    fresh = desk.reported("http://two.example/b")
    assert "not yet" in text_of(desk.at(desk.anna).get(f"/cases/{fresh.pk}/"))


def test_clusters_lead_to_the_other_cases_that_a_person_may_meet(desk: Desk, make_user: Callable[..., User]) -> None:
    first, second, third, child = (sorted_(f"https://quimber.example/{n}") for n in range(4))
    code = Cluster.objects.get().label_code
    sam = make_user(Role.SUPERVISOR, username="sam")
    do_restrict(sam, third.pk, next(iter(Ground)), [sam])
    Report.objects.filter(pk=child.pk).update(channel=Channel.CHILD_SELF_REPORT)
    shown = text_of(desk.at(desk.anna).get(f"/cases/{first.pk}/"))
    assert code in shown and "Same site" in shown and second.ref in shown and "quimber" not in shown
    assert third.ref not in shown and child.ref not in shown
    shown = text_of(desk.at(make_user(Role.CHILD_DESK, username="cleo")).get(f"/cases/{first.pk}/"))
    assert child.ref in shown and third.ref not in shown


def test_a_contact_is_pointed_to_for_those_who_may_ask_for_it(desk: Desk, make_user: Callable[..., User]) -> None:
    with_one, without = (
        sorted_(f"http://{n}.example/", contact=contact) for n, contact in enumerate(("quimber@post.example", ""))
    )
    sam = desk.at(make_user(Role.SUPERVISOR, username="sam"))
    shown = text_of(sam.get(f"/cases/{with_one.pk}/"))
    assert f"/cases/{with_one.pk}/contact/" in shown and "two people open it" in shown and "quimber" not in shown
    assert "contact/" not in text_of(sam.get(f"/cases/{without.pk}/"))
    assert "contact/" not in text_of(desk.at(desk.anna).get(f"/cases/{with_one.pk}/"))


def test_duplicates_that_a_person_may_not_meet_are_not_named(desk: Desk, make_user: Callable[..., User]) -> None:
    first, open_one, restricted, child = (do_submit_report(PUBLIC, Arrival("https://same.example/")) for _ in range(4))
    sam = make_user(Role.SUPERVISOR, username="sam")
    do_restrict(sam, restricted.pk, next(iter(Ground)), [sam])
    Report.objects.filter(pk=child.pk).update(channel=Channel.CHILD_SELF_REPORT)
    shown = text_of(desk.at(desk.anna).get(f"/cases/{first.pk}/"))
    assert open_one.ref in shown
    assert restricted.ref not in shown and child.ref not in shown
    assert restricted.ref in text_of(desk.at(sam).get(f"/cases/{first.pk}/"))
    shown = text_of(desk.at(make_user(Role.CHILD_DESK, username="cleo")).get(f"/cases/{first.pk}/"))
    assert child.ref in shown and restricted.ref not in shown
    do_restrict(sam, first.pk, next(iter(Ground)), [sam])
    shown = text_of(desk.at(desk.anna).get(f"/cases/{open_one.pk}/"))
    assert "a case that is not open to you" in shown and first.ref not in shown
    assert first.ref in text_of(desk.at(sam).get(f"/cases/{open_one.pk}/"))


def test_names_that_look_like_one_brand_are_proposed_with_the_reason(desk: Desk, make_user: Callable[..., User]) -> None:
    addresses = ("quimber.example", "www2-quimber.test", "quimb3r.invalid", "qiumber.example", "timber.example")
    first, around, digits, slip, other = (sorted_(f"https://{host}/x") for host in addresses)
    assert not Cluster.objects.exists()
    shown = text_of(desk.at(desk.anna).get(f"/cases/{first.pk}/"))
    assert "Perhaps the same brand" in shown and "quimber" not in shown
    for case, why in (
        (around, "with words or numbers around it"),
        (digits, "digits in place of letters"),
        (slip, "almost alike"),
    ):
        assert case.ref in shown and why in shown
        assert first.ref in text_of(desk.at(desk.anna).get(f"/cases/{case.pk}/"))
    assert other.ref not in shown
    assert all(row.is_open for row in Report.objects.all())
    sam = make_user(Role.SUPERVISOR, username="sam")
    do_restrict(sam, around.pk, next(iter(Ground)), [sam])
    assert around.ref not in text_of(desk.at(desk.anna).get(f"/cases/{first.pk}/"))
