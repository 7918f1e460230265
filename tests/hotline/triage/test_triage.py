"""Triage: known, spam, urgent, related; closing by rule, its sample, and taking it back; emergencies; the child desk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.hotline.conftest import DoorClient
from tests.hotline.lists.cases import listed, make_lists, page

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.base.redaction import Sealed
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC, WORKER
from vigil.hotline.access.permissions import SCOPES
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.lists.proposals import HashProposal, Proposal
from vigil.hotline.partners.senders import do_enrol_sender
from vigil.hotline.reports.children import HandOver, do_hand_over, do_read_outcome
from vigil.hotline.reports.enumerations import (
    AgeAssurance,
    AgeRange,
    HashAlgorithm,
    Outcome,
    Priority,
    SourceClass,
    Status,
    Theme,
    Tri,
)  # fmt: skip
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.items import file_item
from vigil.hotline.reports.models import ChildCase, Report
from vigil.hotline.triage.actions import (
    do_check_closing,
    do_pass_on_emergency,
    do_see_emergency,
    do_triage,
    policy_in_force,
)  # fmt: skip
from vigil.hotline.triage.models import AutoClosing, Cluster, ClusterKind, Emergency, Triage
from vigil.hotline.triage.policy import SHIPPED, read_policy
from vigil.hotline.triage.queries import closings_to_check, quality, waiting_for_triage
from vigil.hotline.triage.spam import RULES, Bounds, Facts, score
from vigil.hotline.triage.worker import step
from vigil.match.urls import Scope

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]
PAGE = "https://gallery.example/room/7"
DIGEST = "ab" * 32
BOUNDS = Bounds(5, 8, ("desk.example",))
SPAM = "[url=https://a.example]BUY[/url] only $5 https://b.example https://c.example"


def reported(address: str = PAGE, **more: Any) -> Report:
    return do_submit_report(PUBLIC, Arrival(address, **more))


def sorted_(report: Report, draw: float = 1.0) -> Report:
    do_triage(WORKER, report, lambda: draw)
    report.refresh_from_db()
    return report


# ---- spam


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (Facts(words="x"), "nothing_named"),
        (Facts(words="x", repeated=5), "repeated_words"),
        (Facts(words='see <a href="x">'), "markup_links"),
        (Facts(words="x", hosts=tuple(f"{n}.example" for n in range(8))), "many_addresses"),
        (Facts(words="THIS IS ALL IN CAPITALS HERE"), "shouting"),
        (Facts(hosts=("a.example",)), "no_words_at_all"),
        (Facts(words="x", hosts=("desk.example",)), "own_host"),
        (Facts(words="bcdfghjklmn pqrstvwxzbc"), "gibberish"),
        (Facts(words="50 % off https://a.example https://b.example"), "advertising_shape"),
    ],
)
def test_each_rule_fits_what_it_says(facts: Facts, reason: str) -> None:
    weights = policy_in_force().rules.spam.weights
    assert reason in score(facts, BOUNDS, weights).reasons
    plain = Facts(words="I saw it in the second row of the page", hosts=("a.example",))
    assert score(plain, BOUNDS, weights) == score(plain, BOUNDS, dict.fromkeys(RULES, 0.9)), "nothing fits a plain report"


@given(st.text(max_size=200), st.lists(st.text(max_size=20), max_size=12), st.integers(0, 50))
def test_a_score_is_a_share_and_grows_with_its_reasons(words: str, hosts: list[str], repeated: int) -> None:
    weights = policy_in_force().rules.spam.weights
    found = score(Facts(words=words, hosts=tuple(hosts), repeated=repeated), BOUNDS, weights)
    assert 0 <= found.value < 1
    assert found.value >= max((weights[reason] for reason in found.reasons), default=0)


def test_clear_spam_is_closed_and_can_be_opened_again(make_user: Callable[..., User]) -> None:
    report = sorted_(reported("no address at all", words=SPAM), draw=0.0)
    assert (report.status, report.outcome) == (Status.CLOSED, Outcome.SPAM)
    closing = closings_to_check().get()
    assert set(Triage.objects.get().spam_reasons) >= {"nothing_named", "markup_links", "advertising_shape"}
    do_check_closing(make_user(Role.INTAKE), closing, right=False)
    report.refresh_from_db()
    assert report.status == Status.REOPENED and report.is_open
    assert [(row.kind, row.closed, row.checked, row.wrong) for row in quality()][1] == ("Clear spam", 1, 1, 1)
    assert verify().ok


@pytest.mark.parametrize("more", [{"at_risk": True}, {"theme": Theme.SEXTORTION}, {"source_class": SourceClass.POLICE}])
def test_nothing_urgent_is_ever_closed_as_spam(more: dict[str, Any]) -> None:
    report = sorted_(reported("no address at all", words=SPAM, **more))
    assert report.is_open and report.priority in {Priority.CHILD_AT_RISK, Priority.URGENT}


def test_likely_spam_waits_at_low_priority() -> None:
    report = sorted_(reported("somewhere in the group", words="THIS IS ALL IN CAPITALS HERE"))
    assert (report.is_open, report.status, report.priority) == (True, Status.TRIAGED, Priority.LOW)


def test_the_same_words_again_and_again_are_noticed(clock: FixedClock) -> None:
    words = "please look at this very strange page that I found"
    reports = [sorted_(reported(f"https://h{n}.example/", words=words)) for n in range(6)]
    assert "repeated_words" in Triage.objects.filter(report=reports[-1]).get().spam_reasons
    assert "repeated_words" not in Triage.objects.filter(report=reports[0]).get().spam_reasons
    assert Cluster.objects.get(kind=ClusterKind.CAMPAIGN).members.count() == 6


def test_a_sample_is_drawn_by_chance() -> None:
    for number, draw in enumerate((0.05, 0.2)):
        sorted_(reported(f"no address {number}", words=SPAM), draw)
    assert sorted(AutoClosing.objects.values_list("sampled", flat=True)) == [False, True]


# ---- known


@pytest.fixture
def make_listed(make_user: Callable[..., User]) -> Callable[..., Report]:
    """A case that was actioned, with what is listed for it."""
    make_lists()

    def make(address: str, *more: Proposal) -> Report:
        decision = listed(make_user(Role.ANALYST), make_user(Role.SECOND_REVIEWER, Role.SUPERVISOR), address, *more)
        return Report.objects.get(pk=decision.report_id)

    return make


def test_what_is_not_listed_stays_open() -> None:
    report = sorted_(reported())
    assert (report.is_open, report.status, report.priority) == (True, Status.TRIAGED, Priority.NORMAL)


def test_a_file_that_is_listed_is_closed_on_its_case_without_a_view(
    make_user: Callable[..., User], make_listed: Callable[..., Report]
) -> None:
    case = make_listed("https://first.example/", HashProposal("sha256", Sealed(DIGEST)))
    entry = ListEntry.objects.get(algorithm="sha256")
    report = sorted_(reported("", items=(file_item(HashAlgorithm.SHA256, DIGEST),)), draw=0.0)
    assert (report.outcome, report.dedupe_of, report.duplicate_rule_version) == (Outcome.DUPLICATE, case, "list-1")
    assert Triage.objects.get(report=report).known_files == [entry.number]
    case.refresh_from_db()
    assert case.repeats == 1
    do_check_closing(make_user(Role.SUPERVISOR), closings_to_check().get(), right=False)
    report.refresh_from_db(), case.refresh_from_db()
    assert (report.is_open, report.dedupe_of, case.repeats) == (True, None, 0)


def test_a_page_under_a_listed_folder_is_known_but_not_closed(make_listed: Callable[..., Report]) -> None:
    make_listed("https://gallery.example/room/", page("https://gallery.example/room/", Scope.PREFIX))
    report = sorted_(reported())
    entry = ListEntry.objects.get(scope="prefix")
    assert report.is_open and Triage.objects.get(report=report).known_pages == [entry.number]


def test_a_report_with_something_new_beside_is_not_closed(make_listed: Callable[..., Report]) -> None:
    make_listed("https://first.example/", HashProposal("sha256", Sealed(DIGEST)))
    items = (file_item(HashAlgorithm.SHA256, DIGEST), file_item(HashAlgorithm.SHA256, "cd" * 32))
    report = sorted_(reported("", items=items))
    assert report.is_open and report.priority == Priority.URGENT


# ---- related, emergencies, loop


def test_sites_and_brands_are_clustered_under_neutral_codes() -> None:
    for address in (
        "https://quimber.example/1",
        "https://a.quimber.example/2",
        "https://quimber.example/3",
        "https://quimber.test/",
    ):
        sorted_(reported(address))
    kinds = {cluster.kind: cluster for cluster in Cluster.objects.all()}
    assert set(kinds) == {ClusterKind.SITE_FAMILY, ClusterKind.TLD_HOP}
    assert kinds[ClusterKind.SITE_FAMILY].members.count() == 3 and kinds[ClusterKind.TLD_HOP].members.count() == 4
    assert "quimber" not in repr(list(Cluster.objects.values_list()))


def test_numbered_mirrors_are_one_brand_and_common_names_are_none() -> None:
    for address in (
        "https://zorblat7.example/1",
        "https://m.zorblat-12.test/2",
        "https://zorblat.invalid/3",
        "https://zorblatter.example/4",
        "https://images1.example/5",
        "https://images2.example/6",
        "https://qui1.example/7",
        "https://qui2.example/8",
    ):
        sorted_(reported(address))
    brand = Cluster.objects.get(kind=ClusterKind.BRAND)
    hosts = {member.report.submissions.get().url.host for member in brand.members.all()}
    assert hosts == {"zorblat7.example", "m.zorblat-12.test", "zorblat.invalid"}
    assert not Cluster.objects.exclude(kind=ClusterKind.BRAND).exists()
    assert brand.rule_version == "2" and "zorblat" not in repr(list(Cluster.objects.values_list()))


def test_a_child_at_risk_raises_an_emergency_until_the_police_know(
    make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    report = sorted_(reported(at_risk=True, words="x"))
    person = make_user(Role.INTAKE)
    client = console_client(person)
    emergency = Emergency.objects.get(report=report)
    assert "nobody has taken this up" in client.get("/emergencies/").content.decode()
    assert client.post(f"/emergencies/{emergency.pk}/take/").status_code == 302
    do_see_emergency(person, emergency)
    with pytest.raises(InputError):
        do_pass_on_emergency(person, emergency, " ")
    client.post(f"/emergencies/{emergency.pk}/police/", {"to_whom": "Sergeant Quimber, 17"})
    emergency.refresh_from_db()
    assert emergency.passed_on_to is not None and emergency.passed_on_to.open() == "Sergeant Quimber, 17"
    with pytest.raises(RefusedError):
        do_pass_on_emergency(person, emergency, "again")
    assert [event.code for event in AuditEvent.objects.filter(code__startswith="emergency.")] == [
        "emergency.raised", "emergency.seen", "emergency.passed_on",
    ]  # fmt: skip
    assert "Quimber" not in repr(list(AuditEvent.objects.values_list("details")))


@pytest.mark.django_db(transaction=True)
def test_the_loop_sorts_the_most_urgent_first_and_each_once() -> None:
    import threading

    calm, urgent = reported(), reported("https://other.example/", at_risk=True)
    assert waiting_for_triage(10) == [urgent, calm]
    assert step(threading.Event()) == 2 and step(threading.Event()) == 0


def test_a_case_that_somebody_took_is_left_as_it_is(make_user: Callable[..., User]) -> None:
    from vigil.hotline.reports.actions import do_take

    report = reported("no address at all", words=SPAM)
    do_take(make_user(Role.ANALYST), report)
    assert sorted_(report).status == Status.IN_ASSESSMENT


@pytest.mark.parametrize("change", [b"zorblat = 1\n", b'version = "2"\n'])
def test_a_policy_is_read_strictly(change: bytes) -> None:
    data = SHIPPED.read_bytes()
    with pytest.raises(InputError):
        read_policy(change + data if change.startswith(b"zor") else change, "x")
    assert read_policy(data, str(Path("x"))).rules.spam.hold_at < 1


# ---- the child desk


@pytest.fixture
def child(db: None) -> ChildCase:
    service, _ = do_enrol_sender(OPERATOR, "harbour", "child_service", list(SCOPES))
    items = (file_item(HashAlgorithm.SHA256, DIGEST),)
    return do_hand_over(service, HandOver("k-1", AgeRange.UNDER_13, AgeAssurance.NOT_REQUIRED, Tri.NO, items=items))[0]


def test_childrens_cases_have_their_own_queue_and_permission(
    child: ChildCase, make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    assert child.report is not None
    desk, analyst = console_client(make_user(Role.CHILD_DESK)), console_client(make_user(Role.ANALYST, Role.SUPERVISOR))
    case = f"/cases/{child.report.pk}/"
    assert child.report.ref in desk.get("/children/").content.decode() and desk.get(case).status_code == 200
    assert analyst.get("/children/").status_code == 403 and analyst.get(case).status_code == 403
    for part in ("take/", "show/", "close/", "capture/"):
        assert analyst.post(case + part).status_code == 403
    for view in ("", "open", "concluded"):
        assert child.report.ref not in analyst.get(f"/queue/?view={view}").content.decode()
    assert analyst.post("/queue/next/").headers["Location"] == "/queue/"


def test_the_outcome_goes_back_as_words_for_a_child(
    child: ChildCase, make_user: Callable[..., User], console_client: Callable[..., DoorClient], partner_client: DoorClient
) -> None:
    desk = console_client(make_user(Role.CHILD_DESK))
    desk.post(f"/children/{child.pk}/outcome/", {"outcome": "url_removed"})
    _, token = do_enrol_sender(OPERATOR, "other", "child_service", list(SCOPES))
    other = partner_client.get("/v1/child-cases/k-1", headers={"Authorization": f"Bearer {token}"})
    assert other.status_code == 404, "another service's case"
    child.refresh_from_db()
    assert child.returned_at is None
    assert do_read_outcome(child.service, "k-1").returned_at is not None
    desk.post(f"/children/{child.pk}/outcome/", {"outcome": "referred"})
    child.refresh_from_db()
    assert child.child_outcome == "url_removed", "what a child was told is not changed any more"


def test_the_service_reads_the_words_in_its_language(partner_client: DoorClient) -> None:
    _, token = do_enrol_sender(OPERATOR, "harbour", "child_service", list(SCOPES))
    headers = {"Authorization": f"Bearer {token}"}
    body = {"case_number": "k-0002", "age_range": "13_15", "age_assurance": "confirmed_under_18", "items": [{"sha256": DIGEST}]}
    made = partner_client.post("/v1/child-cases", body, content_type="application/json", headers=headers)
    assert made.status_code == 201 and made.json()["state"] == "received" and made.json()["code"] == ""
    ChildCase.objects.update(child_outcome="already_known")
    told = partner_client.get("/v1/child-cases/k-0002?language=nl", headers=headers).json()
    assert told["outcome"] == "already_known" and told["words"].startswith("Bedankt") and told["state"] == "answered"
    again = partner_client.post("/v1/child-cases", body, content_type="application/json", headers=headers)
    assert again.status_code == 409 and again.json()["code"] == "case_number_taken"
    for wrong in ({"name": "x"}, {"words": "x"}, {"age_range": "7"}, {"case_number": "a b"}):
        answer = partner_client.post("/v1/child-cases", body | wrong, content_type="application/json", headers=headers)
        assert answer.status_code == 422
    failed = body | {"case_number": "k-0003", "age_assurance": "failed"}
    assert partner_client.post("/v1/child-cases", failed, content_type="application/json", headers=headers).status_code == 403
