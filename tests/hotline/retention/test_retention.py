"""Retention: periods as data, the purge with its proof, holds that stop it, the contact that two people open, the export."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.hotline.conftest import DoorClient

from vigil.base.clock import FixedClock, text_of
from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.access.sealing import SealedTextField
from vigil.hotline.approvals.actions import do_approve, do_request
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.holds.actions import do_set_hold
from vigil.hotline.holds.enumerations import HoldKind, HoldScope
from vigil.hotline.lists.appeals import do_file_appeal
from vigil.hotline.management import upkeep
from vigil.hotline.partners.senders import do_enrol_sender
from vigil.hotline.reports.enumerations import AgeAssurance, AgeRange, Outcome, Status
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import ChildCase, IdempotencyKey, Report, ReporterContact, Url
from vigil.hotline.reports.notes import access_notes
from vigil.hotline.retention.actions import do_place_hold, do_run_retention, policy_in_force, proof_of
from vigil.hotline.retention.classes import known
from vigil.hotline.retention.contacts import do_open_contact
from vigil.hotline.retention.models import Disposal, LegalHold
from vigil.hotline.retention.policy import SHIPPED, read_policy
from vigil.hotline.retention.subjects import do_export_subject
from vigil.hotline.settings.config import Vault
from vigil.hotline.vault.actions import do_put
from vigil.hotline.vault.models import EvidenceKind, EvidenceObject

pytestmark = pytest.mark.django_db


def concluded(clock: FixedClock, outcome: Outcome, address: str = "https://gallery.example/room/7", **more: Any) -> Report:
    report = do_submit_report(PUBLIC, Arrival(address, words="zorblat", **more))
    status = Status.ACTIONED if outcome.value.startswith("actioned") else Status.CLOSED
    Report.objects.filter(pk=report.pk).update(status=status, outcome=outcome, is_open=False, concluded_at=clock.now())
    report.refresh_from_db()
    return report


def purged() -> dict[str, int]:
    return {each.data_class: each.number for each in do_run_retention(WORKER) if each.number}


@pytest.mark.parametrize(
    ("outcome", "days", "data_class"),
    [
        (Outcome.SPAM, 30, "spam_report"),
        (Outcome.NOT_CRIMINAL, 90, "not_actioned_report"),
        (Outcome.ACTIONED_CONTAINS, 2190, "actioned_report"),
    ],
)
def test_each_class_goes_after_its_period_and_not_before(clock: FixedClock, outcome: Outcome, days: int, data_class: str) -> None:
    report = concluded(clock, outcome)
    clock.advance(days=days)
    assert purged() == {}
    clock.advance(seconds=1)
    assert purged() == {data_class: 1} and purged() == {}
    report.refresh_from_db()
    url = Url.objects.get()
    assert report.free_text is None and report.reduced_at == clock.now()
    assert report.submissions.get().raw.open() == "" and url.canonical.open() == "" and url.url_digest != ""
    proof = Disposal.objects.get()
    assert (proof.number, proof.proof) == (1, hashlib.sha256(f"{report.pk}\n".encode()).hexdigest())
    event = AuditEvent.objects.get(code="retention.disposed")
    assert proof.proof in event.details and policy_in_force().rules.version in event.details
    assert verify().ok


def test_an_address_stays_while_a_report_needs_it(clock: FixedClock) -> None:
    concluded(clock, Outcome.SPAM)
    clock.advance(days=29)
    do_submit_report(PUBLIC, Arrival("https://gallery.example/room/7"))
    clock.advance(days=2)
    assert purged() == {"spam_report": 1}
    assert Url.objects.get().canonical.open() != ""


def test_a_rehearsal_changes_nothing(clock: FixedClock) -> None:
    concluded(clock, Outcome.SPAM)
    clock.advance(days=31)
    assert [each.number for each in do_run_retention(WORKER, rehearse=True) if each.number] == [1]
    assert not Disposal.objects.exists() and purged() == {"spam_report": 1}


def test_a_contact_goes_30_days_after_the_case_and_at_the_latest_after_a_year(clock: FixedClock) -> None:
    concluded(clock, Outcome.NOT_CRIMINAL, contact="quimber@post.example")
    do_submit_report(PUBLIC, Arrival("https://other.example/", contact="zorblat@post.example"))
    clock.advance(days=31)
    assert purged() == {"reporter_contact": 1}
    clock.advance(days=340)
    assert purged()["reporter_contact"] == 1
    assert all(row.fields is None and row.purged_at is not None for row in ReporterContact.objects.all())


def test_keys_and_batches_beyond_one_transaction(clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("vigil.hotline.retention.actions.BATCH", 2)
    sender, _ = do_enrol_sender(OPERATOR, "quimber", "member", ["report.send"])
    rows = [IdempotencyKey(sender=sender, key=str(n), body_sha256="", answer={}, created_by="x") for n in range(5)]
    keys = [row.pk for row in IdempotencyKey.objects.bulk_create(rows)]
    clock.advance(days=8)
    assert purged() == {"idempotency_key": 5}
    assert sorted(Disposal.objects.values_list("number", flat=True)) == [1, 2, 2]
    assert proof_of(keys) == proof_of(reversed(keys)), "the order does not matter"


def test_a_failure_in_between_leaves_the_rows(clock: FixedClock, monkeypatch: pytest.MonkeyPatch) -> None:
    report = concluded(clock, Outcome.SPAM)
    clock.advance(days=31)

    def power_cut(*arguments: object, **named: object) -> None:
        raise RuntimeError("the lights went out")

    monkeypatch.setattr("vigil.hotline.retention.actions.record", power_cut)
    with pytest.raises(RuntimeError):
        do_run_retention(WORKER)
    report.refresh_from_db()
    assert report.free_text is not None and not Disposal.objects.exists()


# ---- holds, contact, export


def test_a_legal_hold_keeps_a_case_until_two_people_release_it(
    clock: FixedClock, make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    report, other = concluded(clock, Outcome.SPAM), concluded(clock, Outcome.SPAM, "https://other.example/")
    lead, second = make_user(Role.DATA_PROTECTION), make_user(Role.SUPERVISOR)
    client = console_client(lead)
    client.post("/retention/holds/", {"reference": report.ref, "reason": "Court of Quimber, 17"})
    hold = LegalHold.objects.get()
    with pytest.raises(RefusedError):
        do_place_hold(lead, report, "again")
    clock.advance(days=31)
    results = {each.data_class: each for each in do_run_retention(WORKER)}
    assert (results["spam_report"].number, results["spam_report"].held) == (1, 1)
    other.refresh_from_db(), report.refresh_from_db()
    assert other.reduced_at is not None and report.reduced_at is None
    release = f"/retention/holds/{hold.pk}/release/"
    client = console_client(lead)  # the session of a month ago has ended
    client.post(release, {"reason": "The case is over"})
    client.post(release)
    hold.refresh_from_db()
    assert hold.released_at is None, "asked for, not approved"
    do_approve(second, ApprovalRequest.objects.get())
    client.post(release)
    hold.refresh_from_db()
    assert hold.released_at is not None and purged()["spam_report"] == 1
    assert "Court" not in repr(list(AuditEvent.objects.values_list("details")))


@pytest.mark.parametrize("scope", HoldScope)
def test_a_hold_of_the_law_keeps_a_case_and_its_evidence_too(
    clock: FixedClock, make_user: Callable[..., User], settings: Any, tmp_path: Path, scope: HoldScope
) -> None:
    """Whichever room a hold was set in, the purge and the keeper of the vault ask one question."""
    keys = tmp_path / "vault.key"
    keys.write_text(f"k1 {'22' * 32}\n")
    keys.chmod(0o600)
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, vault=Vault(str(tmp_path / "sealed"), str(keys), "Permit 7", 30))
    held, other = concluded(clock, Outcome.SPAM), concluded(clock, Outcome.SPAM, "https://other.example/")
    beside = concluded(clock, Outcome.SPAM, "https://gallery.example/another")
    for report in (held, other, beside):
        do_put(WORKER, report.pk, EvidenceKind.WARC, str(report.pk).encode())
    lia = make_user(Role.POLICE_LIAISON)
    do_set_hold(
        lia, held, HoldKind.LEGAL_HOLD, owner=lia, agency="Court of Quimber", reason_code="court", scope=scope,
        expires_at=clock.now() + timedelta(days=7),
    )  # fmt: skip
    clock.advance(days=31)
    kept = {held.pk, beside.pk} if scope is HoldScope.HOST else {held.pk}
    assert purged() == {"spam_report": 3 - len(kept)}
    upkeep.once()
    assert set(EvidenceObject.objects.filter(disposed_at=None).values_list("case", flat=True)) == kept
    assert set(Report.objects.filter(reduced_at=None).values_list("pk", flat=True)) == kept


def test_two_people_open_a_contact_and_each_time_anew(
    clock: FixedClock, make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    report = do_submit_report(PUBLIC, Arrival("https://gallery.example/", contact="quimber@post.example"))
    asks, approves = make_user(Role.INTAKE), make_user(Role.DATA_PROTECTION)
    client, page = console_client(asks), f"/cases/{report.pk}/contact/"
    assert "quimber" not in client.get(page).content.decode()
    client.post(page + "open/", {"reason": "The reporter asked for an answer"})
    assert "quimber" not in client.post(page + "open/", follow=True).content.decode()
    do_approve(approves, ApprovalRequest.objects.get())
    assert "quimber@post.example" in client.post(page + "open/").content.decode()
    assert "quimber" not in client.post(page + "open/", {"reason": "x"}, follow=True).content.decode()
    assert AuditEvent.objects.filter(code="reporter_contact.released").count() == 1
    assert "quimber" not in repr(list(AuditEvent.objects.values_list()))


def test_what_is_held_about_a_reporter_is_exported_for_them(
    clock: FixedClock, make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    report = do_submit_report(PUBLIC, Arrival("https://gallery.example/", words="zorblat", contact="quimber@post.example"))
    lead = make_user(Role.DATA_PROTECTION)
    answer = console_client(lead).post(
        "/retention/export/", {"reference": report.ref.lower(), "purpose": "Request of 22 November"}
    )
    held = answer.json()
    assert held["words"] == "zorblat" and held["handed_over"] == [{"kind": "url", "as_received": "https://gallery.example/"}]
    assert "quimber" not in answer.content.decode(), "the contact is named, not opened"
    event = AuditEvent.objects.get(code="subject.exported")
    assert event.purpose == "Request of 22 November"
    for person, reference, purpose in ((lead, report.ref, " "), (lead, "nonsense", "x")):
        with pytest.raises(InputError):
            do_export_subject(person, reference, purpose)
    with pytest.raises(RefusedError):
        do_export_subject(make_user(Role.SUPERVISOR), report.ref, "x")


def test_an_export_leaves_out_nothing_that_the_reporter_gave(clock: FixedClock, make_user: Callable[..., User]) -> None:
    """Every sealed column of the report is told; a new one fails here until it is, too."""
    arrival = Arrival(
        "https://gallery.example/", words="zorblat", contact="quimber@post.example",
        access_notes=access_notes("https://way.example/", "third link"),
    )  # fmt: skip
    report = do_submit_report(PUBLIC, arrival)
    lead, asks = make_user(Role.DATA_PROTECTION), make_user(Role.INTAKE)
    contact = ReporterContact.objects.get()
    do_approve(lead, do_request(asks, TwoPersonAct.REPORTER_IDENTITY_RELEASE, contact, "They asked for an answer"))
    clock.advance(hours=1)
    do_open_contact(asks, contact)
    held = do_export_subject(lead, report.ref, "Request of 22 November")
    assert held["way_to_the_page"] == {"referrer": "https://way.example/", "steps": "third link"}
    assert held["contact_was_opened_at"] == [text_of(clock.now())] and held["stands_at"] == "received"
    told = json.dumps(held)
    given = [field for field in Report._meta.concrete_fields if isinstance(field, SealedTextField)]
    assert {field.name for field in given} == {"free_text", "access_notes"}
    assert "zorblat" in told and "third link" in told and "quimber" not in told
    assert "child" not in held


def test_what_is_held_about_an_appellant_is_exported_for_them(clock: FixedClock, make_user: Callable[..., User]) -> None:
    given = {"address": "https://gallery.example/", "reasons": "zorblat", "standing": "my site", "contact": "q@post.example"}
    appeal = do_file_appeal(PUBLIC, **given, notice_serial="N-7", block_reference="B 8")
    lead = make_user(Role.DATA_PROTECTION)
    held = do_export_subject(lead, appeal.ref.lower(), "Request of 22 November")
    assert {*given.values(), "N-7", "B 8"} <= {text for text in held.values() if isinstance(text, str)}
    assert AuditEvent.objects.get(code="subject.exported").subject == f"appeal:{appeal.pk}"
    assert "post.example" not in repr(list(AuditEvent.objects.values_list()))


def test_an_export_tells_what_the_service_said_about_a_child(clock: FixedClock, make_user: Callable[..., User]) -> None:
    service, _ = do_enrol_sender(OPERATOR, "helpline", "child_service", ["child.hand_over"])
    report = do_submit_report(PUBLIC, Arrival("https://gallery.example/"))
    ChildCase.objects.create(
        report=report, service=service, case_number="Q-7", age_range_claimed=next(iter(AgeRange)).value,
        age_assurance=next(iter(AgeAssurance)).value, created_by="x",
    )  # fmt: skip
    held = do_export_subject(make_user(Role.DATA_PROTECTION), report.ref, "Request of the service")
    assert held["child"]["number_of_the_service"] == "Q-7" and held["child"]["age_said"] == next(iter(AgeRange)).value


@pytest.mark.parametrize("change", ["twice", "unknown", "negative"])
def test_a_policy_has_one_rule_for_each_class(change: str) -> None:
    text = SHIPPED.read_text()
    wrong = {
        "twice": text + "[[rules]]" + text.split("[[rules]]", 2)[1],
        "unknown": text.replace("child_case", "something_else"),
        "negative": text.replace("days = 30", "days = -1"),
    }[change]
    with pytest.raises(InputError):
        read_policy(wrong.encode(), "x", frozenset(known()))
    whole = read_policy(text.encode(), "x", frozenset(known()))
    assert len(whole.rules.rules) == len(known()) and whole.missing == ()
