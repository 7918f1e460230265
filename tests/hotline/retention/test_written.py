"""What staff wrote down, sealed, has an end: reasons of approvals and of elevated sessions, contacts at partners."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from tests.hotline.assessments.test_scheme import FINDING
from tests.hotline.conftest import DoorClient
from tests.hotline.lists.cases import make_lists, page
from tests.hotline.retention.test_inventory import CLASSES, is_sealed

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import Elevation, ElevationPurpose, User
from vigil.hotline.access.people import PUBLIC, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve, do_request, do_show_reason, spend
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.assessments.actions import do_assess
from vigil.hotline.audit.elevation import do_elevate
from vigil.hotline.audit.elevation import do_show_reason as do_show_elevation
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.holds.actions import do_set_hold
from vigil.hotline.holds.enumerations import HoldKind
from vigil.hotline.holds.models import Hold
from vigil.hotline.lists.actions import do_list
from vigil.hotline.partners.agreements import (
    Terms,
    do_approve_agreement,
    do_end_agreement,
    do_propose_agreement,
    do_propose_partner,
    do_show_people,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Agreement, Partner
from vigil.hotline.reports.actions import do_take
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report, ReporterContact
from vigil.hotline.retention.actions import do_place_hold, do_run_retention, kept_under, proof_of
from vigil.hotline.retention.classes import fixed
from vigil.hotline.retention.models import Disposal, LegalHold
from vigil.hotline.retention.queries import gone_from
from vigil.hotline.retention.written import TO_CASE, cases_named
from vigil.hotline.vault.models import EvidenceKind, EvidenceObject

pytestmark = pytest.mark.django_db
WRITTEN = ("approval_reason", "elevation_reason", "partner_contact")
OPEN_ENDED = {"lists.Decision", "vault.EvidenceObject", "vault.CustodyEvent"}
"""Sealed texts that stay with what they explain: why something is listed; where evidence came from and who had it."""
WHY = "The reporter Quimber asked for an answer"


def results() -> dict[str, tuple[int, int]]:
    """(gone, held) of the classes of this room that have anything past its time."""
    found = {each.data_class: (each.number, each.held) for each in do_run_retention(WORKER)}
    return {name: found[name] for name in WRITTEN if found[name] != (0, 0)}


def asked_for(make_user: Callable[..., User], report: Report) -> ApprovalRequest:
    contact = ReporterContact.objects.get(report=report)
    return do_request(make_user(Role.INTAKE), TwoPersonAct.REPORTER_IDENTITY_RELEASE, contact, WHY)


@pytest.fixture
def report(clock: FixedClock) -> Report:
    return do_submit_report(PUBLIC, Arrival("https://gallery.example/", contact="quimber@post.example"))


def agreed(make_user: Callable[..., User], clock: FixedClock, days: int = 30) -> Agreement:
    publisher, supervisor = make_user(Role.LIST_PUBLISHER), make_user(Role.SUPERVISOR)
    partner = do_propose_partner(publisher, "Zorblat Networks", next(iter(PartnerKind)))
    terms = Terms("Z-1", ("url",), clock.now(), clock.now() + timedelta(days=days), "Quimber Grelm, quimber@post.example")
    return do_approve_agreement(supervisor, do_propose_agreement(publisher, partner, terms))


def test_every_sealed_text_about_people_has_an_end() -> None:
    """A table with a sealed text that only falls under classes which every policy keeps is named here, or fails."""
    kept = {
        name for name, classes in CLASSES.items() if is_sealed(apps.get_model(name)) and set(classes) <= fixed()
    }  # fmt: skip
    assert kept == OPEN_ENDED


def test_a_reason_of_an_approval_goes_and_the_act_stays(
    clock: FixedClock, make_user: Callable[..., User], report: Report, console_client: Callable[..., DoorClient]
) -> None:
    request = asked_for(make_user, report)
    lead = make_user(Role.DATA_PROTECTION)
    do_approve(lead, request)
    spend(User.objects.get(username=request.created_by.partition(":")[2]), TwoPersonAct.REPORTER_IDENTITY_RELEASE,
          ReporterContact.objects.get())  # fmt: skip
    clock.advance(days=731)
    assert results() == {}, "the period begins when the request's time is over"
    clock.advance(seconds=1)
    assert results() == {"approval_reason": (1, 0)} and results() == {}
    request.refresh_from_db()
    assert request.reason is None and request.result == "approved" and request.spent_by and request.decided_by == lead.label
    proof = Disposal.objects.get(data_class="approval_reason")
    assert proof.proof == proof_of([request.pk]) and proof.policy_version == "2026-11-3"
    assert proof.proof in AuditEvent.objects.filter(code="retention.disposed").latest("seq").details and verify().ok
    with pytest.raises(RefusedError, match="not kept"):
        do_show_reason(lead, request)
    client, path = console_client(lead), f"/second-person/{request.pk}/"
    shown = client.get(path).content.decode()
    assert "was disposed of when its time was over" in shown and "Show the reason" not in shown
    assert "not kept any more" in client.post(path + "reason/", follow=True).content.decode()


def test_a_reason_of_an_elevated_session_goes_and_the_session_stays(
    clock: FixedClock, make_user: Callable[..., User], report: Report, console_client: Callable[..., DoorClient]
) -> None:
    sam, auditor = make_user(Role.SUPERVISOR, username="sam"), make_user(Role.AUDITOR)
    session = do_elevate(sam, ElevationPurpose.OVERSIGHT, WHY, f"report:{report.pk}")
    clock.advance(days=730, minutes=30)
    assert results() == {}
    clock.advance(seconds=1)
    assert results() == {"elevation_reason": (1, 0)}
    session.refresh_from_db()
    assert session.reason is None and session.subject == f"report:{report.pk}" and session.purpose == "oversight"
    with pytest.raises(RefusedError, match="not kept"):
        do_show_elevation(auditor, session)
    client = console_client(auditor)
    shown = client.get("/elevated/sessions/").content.decode()
    assert "not kept any more" in shown and "Sam" in shown.title()
    assert "not kept any more" in client.post(f"/elevated/sessions/{session.pk}/reason/", follow=True).content.decode()


@pytest.mark.parametrize("how", ["over", "ended", "refused"])
def test_contacts_at_a_partner_go_a_year_after_the_agreement(
    clock: FixedClock, make_user: Callable[..., User], console_client: Callable[..., DoorClient], how: str
) -> None:
    agreement = agreed(make_user, clock, days=30 if how == "over" else 700)
    standing = agreed(make_user, clock, days=1000)
    if how == "refused":
        Agreement.objects.filter(pk=agreement.pk).update(approved_at=None, approved_by="")
    clock.advance(days=30)
    publisher = make_user(Role.LIST_PUBLISHER)
    if how != "over":
        do_end_agreement(publisher, agreement)
    clock.advance(days=365)
    assert results() == {} and gone_from(agreement.partner) == ()
    clock.advance(seconds=1)
    assert results() == {"partner_contact": (1, 0)} and gone_from(agreement.partner) == ("contacts",)
    agreement.refresh_from_db(), standing.refresh_from_db()
    assert agreement.people is None and agreement.lists == ["url"] and agreement.reference == "Z-1"
    assert standing.people is not None
    with pytest.raises(RefusedError, match="not kept"):
        do_show_people(publisher, agreement)
    client = console_client(publisher)
    shown = client.get(f"/partners/{agreement.partner_id}/").content.decode()
    assert "not kept any more" in shown and "quimber" not in shown.lower()


# ---- legal holds


def subjects(make_user: Callable[..., User], clock: FixedClock, report: Report) -> dict[str, Any]:
    """One row of each kind that a second person may be asked about, of one case."""
    make_lists()
    anna, held = make_user(Role.ANALYST), Report.objects.get(pk=report.pk)
    do_assess(anna, do_take(anna, held), FINDING, version=held.version + 1, started_at=clock.now())
    ben = make_user(Role.SECOND_REVIEWER)
    entry = do_list(ben, do_take(ben, Report.objects.get(pk=report.pk)), [page("https://gallery.example/")]).entries.get()
    lia = make_user(Role.POLICE_LIAISON)
    hold = do_set_hold(
        lia, report, HoldKind.DECONFLICTION, owner=lia, agency="Police of Quimber", reason_code="ongoing",
        expires_at=clock.now() + timedelta(days=7),
    )  # fmt: skip
    legal = LegalHold.objects.create(report=report, reason="x", released_at=clock.now(), released_by="x", created_by="x")
    evidence = EvidenceObject.objects.create(
        case=report.pk, kind=next(iter(EvidenceKind)).value, sha256="0" * 64, size=1, wrapped_key="k", key_id="k",
        retention_until=clock.now(), created_by="x",
    )  # fmt: skip
    return {"report": report, "reportercontact": ReporterContact.objects.get(report=report), "hold": hold, "legalhold": legal,
            "evidenceobject": evidence, "entry": entry}  # fmt: skip


@pytest.mark.parametrize("kind", TO_CASE)
def test_a_legal_hold_on_the_case_keeps_the_reasons_that_are_about_it(
    clock: FixedClock, make_user: Callable[..., User], report: Report, kind: str
) -> None:
    """By whatever leads to the case: itself, its reporter's contact, a hold on it, evidence of it, an entry that rests on it."""
    other = do_submit_report(PUBLIC, Arrival("https://other.example/", contact="zorblat@post.example"))
    about = subjects(make_user, clock, report)[kind]
    request = ApprovalRequest.objects.create(
        act=TwoPersonAct.HOLD_RELEASE.value, subject=f"{kind}:{about.pk}", reason=WHY, expires_at=clock.now(), created_by="x"
    )
    elsewhere = asked_for(make_user, other)
    sam = make_user(Role.SUPERVISOR)
    do_elevate(sam, ElevationPurpose.OVERSIGHT, WHY, f"report:{report.pk}")
    do_elevate(sam, ElevationPurpose.OVERSIGHT, WHY)
    hold = do_place_hold(make_user(Role.DATA_PROTECTION), report, "Court of Quimber, 17")
    clock.advance(days=732)
    assert results() == {"approval_reason": (1, 1), "elevation_reason": (1, 1)}
    request.refresh_from_db(), elsewhere.refresh_from_db()
    assert request.reason is not None and elsewhere.reason is None
    LegalHold.objects.filter(pk=hold.pk).update(released_at=clock.now(), released_by="x")
    assert results() == {"approval_reason": (1, 0), "elevation_reason": (1, 0)}


def test_a_hold_of_police_or_law_keeps_them_too(clock: FixedClock, make_user: Callable[..., User], report: Report) -> None:
    asked_for(make_user, report)
    lia = make_user(Role.POLICE_LIAISON)
    do_set_hold(
        lia, report, HoldKind.LEGAL_HOLD, owner=lia, agency="Court of Quimber", reason_code="court",
        expires_at=clock.now() + timedelta(days=7),
    )  # fmt: skip
    clock.advance(days=732)
    assert results() == {"approval_reason": (0, 1)} and Hold.objects.get().overdue


def test_subjects_of_no_case_are_about_none(clock: FixedClock) -> None:
    unknown = "018f0000-0000-7000-8000-000000000000"
    assert cases_named([f"schememapping:{unknown}", f"report:{unknown}", "edition:12", ""]) == {}


def test_contacts_at_a_partner_are_held_by_its_code_and_released_by_two(
    clock: FixedClock, make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    agreement = agreed(make_user, clock)
    partner = Partner.objects.get()
    lead = make_user(Role.DATA_PROTECTION)
    place = {"reference": f" {partner.code.upper()} ", "reason": "Court of Quimber, 17"}
    client = console_client(lead)
    assert "The hold is in force" in client.post("/retention/holds/", place, follow=True).content.decode()
    assert "in force for this already" in client.post("/retention/holds/", place, follow=True).content.decode()
    assert "Zorblat Networks" in client.get("/retention/").content.decode()
    clock.advance(days=396)
    assert results() == {"partner_contact": (0, 1)}
    client, hold = console_client(lead), LegalHold.objects.get()
    client.post(f"/retention/holds/{hold.pk}/release/", {"reason": "It is over"})
    client.post(f"/retention/holds/{hold.pk}/release/")
    assert results() == {"partner_contact": (0, 1)}, "asked for, not approved"
    do_approve(make_user(Role.SUPERVISOR), ApprovalRequest.objects.get())
    client = console_client(lead)  # the purge took the session, whose time was over
    assert "is released" in client.post(f"/retention/holds/{hold.pk}/release/", follow=True).content.decode()
    assert results() == {"partner_contact": (1, 0)}
    agreement.refresh_from_db(), hold.refresh_from_db()
    assert agreement.people is None and hold.reason is not None and hold.reason.open() == "", "why it was held goes too"
    assert {event.subject for event in AuditEvent.objects.filter(code__startswith="legal_hold.")} == {f"partner:{partner.pk}"}
    with pytest.raises(InputError, match="no partner"):
        kept_under("p-nobody")


def test_a_rehearsal_counts_all_that_is_held(clock: FixedClock, make_user: Callable[..., User], monkeypatch: Any) -> None:
    """Also beyond the first batch, and what is held never hides what is not."""
    monkeypatch.setattr("vigil.hotline.retention.actions.BATCH", 2)
    reports = [do_submit_report(PUBLIC, Arrival(f"https://h{n}.example/", contact="x@post.example")) for n in range(7)]
    lead = make_user(Role.DATA_PROTECTION)
    for number, each in enumerate(reports):
        asked_for(make_user, each)
        if number % 2:
            do_place_hold(lead, each, "Court of Quimber")
    clock.advance(days=732)
    rehearsed = {each.data_class: (each.number, each.held) for each in do_run_retention(WORKER, rehearse=True)}
    assert rehearsed["approval_reason"] == (4, 3) and Elevation.objects.count() == 0
    assert results() == {"approval_reason": (4, 3)}
    assert ApprovalRequest.objects.filter(reason__isnull=True).count() == 4
