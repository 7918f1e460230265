"""What gets onto a list: two people, the right list, nothing too wide."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from tests.hotline.lists.cases import AI, DRAWN, PAGE, held_case, listed, page, seen_picture, waiting_case

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.base.redaction import Sealed
from vigil.editions.model import ListKind
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.assessments.scheme import AiStatus, Realism
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.people import do_set_roles
from vigil.hotline.audit.verify import verify
from vigil.hotline.lists.actions import do_create_list, do_decline, do_list
from vigil.hotline.lists.enumerations import ListingDecision, Signal
from vigil.hotline.lists.models import Decision, ListEntry
from vigil.hotline.lists.placement import kinds_of
from vigil.hotline.lists.proposals import HashProposal, of_media, of_url
from vigil.hotline.lists.queries import entries_covering, entries_of, in_force, media_of
from vigil.hotline.reports.actions import do_take
from vigil.hotline.reports.models import Report
from vigil.match.urls import EntryFlag, Scope

pytestmark = pytest.mark.usefixtures("lists", "clock")

SUFFIX = "co.uk"  # a public suffix of the real world: guards know those only


def test_a_second_person_lists_page_and_pictures(anna: User, lin: User) -> None:
    case = held_case(anna, lin)
    seen_picture(case)
    decision = do_list(lin, case, [page(), *of_media(media_of(case))])
    entries = list(entries_of(case))
    assert [(entry.list.name, entry.signal, entry.algorithm) for entry in entries] == [
        ("urls", "url", ""), ("hashes", "hash", "md5"), ("hashes", "hash", "sha1"), ("hashes", "hash", "sha256"),
        ("hashes", "hash", "pdq"),
    ]  # fmt: skip
    assert (decision.proposed_by, decision.created_by, decision.decision) == ("user:anna", "user:lin", "list")
    case = Report.objects.get(pk=case.pk)
    assert (case.status, case.outcome, case.taken_by) == ("actioned", "actioned_contains", None)
    assert verify().ok


def test_the_reported_address_is_a_proposal(anna: User, lin: User) -> None:
    case = held_case(anna, lin, "HTTP://Gallery.Example:80/room/./7#top")
    url = case.assessments.get().url
    do_list(lin, case, [of_url(url)])
    assert entries_of(case).get().content.open() == PAGE


def test_the_assessor_may_not_list(anna: User, sam: User) -> None:
    case = held_case(sam, sam)
    with pytest.raises(RefusedError) as refusal:
        do_list(sam, case, [page()])
    assert refusal.value.code == "second_person_needed"
    assert not ListEntry.objects.exists()


def test_an_earlier_assessor_may_not_list_either(anna: User, lin: User) -> None:
    """A corrected assessment does not free the one who made the first."""
    from tests.hotline.assessments.test_scheme import FINDING

    from vigil.hotline.access.clock import now
    from vigil.hotline.assessments.actions import do_assess

    case = held_case(anna, lin)
    do_assess(lin, case, FINDING, version=case.version, started_at=now())
    do_set_roles(OPERATOR, anna, [Role.SECOND_REVIEWER])
    case = do_take(anna, Report.objects.get(pk=case.pk))
    with pytest.raises(RefusedError) as refusal:
        do_list(anna, case, [page()])
    assert refusal.value.code == "second_person_needed"


def test_the_database_knows_two_people_too(anna: User, lin: User) -> None:
    decision = listed(anna, lin)
    with pytest.raises(IntegrityError), transaction.atomic():
        Decision.objects.create(
            report=decision.report, assessment=decision.assessment, decision="list", proposed_by="user:lin",
            created_by="user:lin",
        )  # fmt: skip


def test_roles_without_the_right_may_not_list(anna: User, make_user: object, paula: User) -> None:
    case = waiting_case(anna)
    with pytest.raises(RefusedError) as refusal:
        do_list(paula, case, [page()])
    assert refusal.value.code == "not_permitted"


def test_who_does_not_hold_the_case_may_not_list(anna: User, lin: User) -> None:
    with pytest.raises(RefusedError) as refusal:
        do_list(lin, waiting_case(anna), [page()])
    assert refusal.value.code == "case_not_held"


def test_a_concluded_case_is_not_listed_twice(anna: User, lin: User) -> None:
    case = held_case(anna, lin)
    do_list(lin, case, [page()])
    with pytest.raises(RefusedError):
        do_list(lin, case, [page()])
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("signal", list(Signal))
@pytest.mark.parametrize("realism", [each.value for each in Realism])
@pytest.mark.parametrize("ai_status", [each.value for each in AiStatus])
def test_drawn_material_never_enters_lists_of_photographs(signal: Signal, realism: str, ai_status: str) -> None:
    kinds = kinds_of(signal, realism, ai_status)
    if realism == "non_photographic":
        assert not {ListKind.URL, ListKind.HASH_CSAM} & set(kinds)
    else:
        assert not {ListKind.NP_URL, ListKind.HASH_NP} & set(kinds)
    assert (ListKind.HASH_AI in kinds) == (signal is Signal.HASH and ai_status in {"confirmed", "suspected"})


def test_drawn_material_goes_to_its_own_lists(anna: User, lin: User) -> None:
    case = held_case(anna, lin, answers=DRAWN)
    seen_picture(case)
    do_list(lin, case, [page(), *of_media(media_of(case))])
    assert {entry.list.name for entry in entries_of(case)} == {"urls-np", "hashes-np"}
    assert {entry.reason for entry in entries_of(case)} == {"np_criminal"}


def test_ai_material_also_stands_in_the_ai_partition(anna: User, lin: User) -> None:
    case = held_case(anna, lin, answers=AI)
    seen_picture(case)
    do_list(lin, case, of_media(media_of(case)))
    names = [entry.list.name for entry in entries_of(case)]
    assert names.count("hashes") == names.count("hashes-ai") == 4


def test_hashes_of_poor_quality_are_not_listed(anna: User, lin: User) -> None:
    case = held_case(anna, lin)
    media = seen_picture(case, quality=49)
    assert {proposal.algorithm for proposal in of_media([media])} == {"md5", "sha1", "sha256"}
    poor = HashProposal("pdq", Sealed("0f" * 32), quality=49)
    with pytest.raises(InputError) as refusal:
        do_list(lin, case, [poor])
    assert refusal.value.code == "hash_quality"


@pytest.mark.parametrize(
    ("proposal", "code"),
    [
        (page(f"http://{SUFFIX}/", Scope.DOMAIN), "public_suffix"),
        (page(f"http://{SUFFIX}/", Scope.HOST), "public_suffix"),
        (page(f"http://{SUFFIX}/", Scope.PREFIX), "public_suffix"),
        (page("http://gallery.example/room", Scope.PREFIX), "prefix_without_slash"),
        (page("http://192.0.2.7/", Scope.DOMAIN), "scope_and_host"),
        (page("ftp://gallery.example/"), "scheme"),
        (page(flags=EntryFlag.QUERY_SET), "flag_not_offered"),
        (HashProposal("sha256", Sealed("zorblat")), "hash_malformed"),
        (HashProposal("sha256", Sealed("0" * 64)), "hash_constant"),
        (HashProposal("zorblat", Sealed("00")), "hash_unknown_algorithm"),
    ],
)
def test_what_covers_too_much_or_nothing_is_refused(anna: User, sam: User, proposal: object, code: str) -> None:
    case = held_case(anna, sam)
    with pytest.raises((InputError, RefusedError)) as refusal:
        do_list(sam, case, [page(), proposal], wide_scope="It is dedicated.")
    assert refusal.value.code == code
    assert not ListEntry.objects.exists()
    assert "gallery" not in str(refusal.value)


@pytest.mark.parametrize(
    "proposal",
    [
        page("http://gallery.example/", Scope.HOST),
        page("http://gallery.example/", Scope.DOMAIN),
        page("http://192.0.2.7/", Scope.IP),
        page("http://gallery.example/", Scope.PREFIX),
        page(flags=EntryFlag.HOST_APPROVED),
    ],
)
def test_a_whole_host_needs_a_supervisor_and_a_reason(anna: User, lin: User, sam: User, proposal: object) -> None:
    case = held_case(anna, lin)
    with pytest.raises(RefusedError) as refusal:
        do_list(lin, case, [proposal], wide_scope="It is dedicated.")
    assert refusal.value.code == "not_permitted"
    from vigil.hotline.reports.actions import do_release

    do_release(lin, case)
    case = do_take(sam, Report.objects.get(pk=case.pk))
    with pytest.raises(RefusedError) as refusal:
        do_list(sam, case, [proposal], wide_scope="  ")
    assert refusal.value.code == "wide_scope_reason"
    decision = do_list(sam, case, [proposal], wide_scope="It is dedicated.")
    assert decision.entries.count() == 1


def test_the_same_thing_stands_on_a_list_once(anna: User, lin: User) -> None:
    listed(anna, lin)
    decision = listed(anna, lin, "http://gallery.example/room/8", page("http://GALLERY.example:80/room/7"))
    assert decision.entries.count() == 1
    assert ListEntry.objects.count() == 2


def test_nothing_or_too_much_at_once_is_refused(anna: User, lin: User) -> None:
    case = held_case(anna, lin)
    for proposals in ([], [page()] * 601):
        with pytest.raises(InputError):
            do_list(lin, case, proposals)


def test_deciding_against_listing(anna: User, lin: User) -> None:
    case = held_case(anna, lin)
    with pytest.raises(InputError):
        do_decline(lin, case, ListingDecision.DO_NOT_LIST_RISK)
    with pytest.raises(InputError):
        do_decline(lin, case, ListingDecision.LIST)
    decision = do_decline(lin, case, ListingDecision.DO_NOT_LIST_RISK, "quimber")
    assert decision.risk_reason.open() == "quimber"
    assert not ListEntry.objects.exists()
    assert Report.objects.get(pk=case.pk).status == "actioned"


def test_entries_lie_sealed_and_the_log_holds_numbers_only(anna: User, lin: User) -> None:
    decision = listed(anna, lin)
    entry = decision.entries.get()
    with connection.cursor() as cursor:
        cursor.execute("SELECT content, digest FROM lists_listentry")
        stored = "".join(cursor.fetchone())
    assert "gallery" not in stored
    assert "gallery" not in "".join(f"{event.subject}{event.details}" for event in AuditEvent.objects.all())
    assert AuditEvent.objects.get(code="entry.added").subject == f"entry:{entry.number}"
    assert "gallery" not in repr(entry) + str(entry) + repr(page())


def test_expired_entries_are_out(anna: User, lin: User, clock: FixedClock) -> None:
    case = held_case(anna, lin)
    do_list(lin, case, [page()], expires_at=clock.now() + timedelta(hours=1))
    assert in_force(clock.now()).count() == 1
    clock.advance(hours=1)
    assert in_force(clock.now()).count() == 0


@pytest.mark.parametrize(
    ("scope", "listed_as", "covered", "not_covered"),
    [
        (Scope.URL, PAGE, PAGE, "http://gallery.example/room/7?x=1"),
        (Scope.PAGE, PAGE, "http://gallery.example/room/7?x=1", "http://gallery.example/room/8"),
        (Scope.PREFIX, "http://gallery.example/room/", "http://gallery.example/room/7/b?x", "http://gallery.example/roo"),
        (Scope.HOST, "http://gallery.example/", "https://gallery.example/other", "http://www.gallery.example/"),
        (Scope.DOMAIN, "http://gallery.example/", "https://www.gallery.example/other", "http://allery.example/"),
        (Scope.IP, "http://192.0.2.7/", "http://192.0.2.7/a/b", "http://192.0.2.8/"),
    ],
)
def test_finding_the_entries_that_cover_an_address(
    anna: User, sam: User, scope: Scope, listed_as: str, covered: str, not_covered: str
) -> None:
    case = held_case(anna, sam)
    do_list(sam, case, [page(listed_as, scope)], wide_scope="It is dedicated.")
    assert len(entries_covering(covered)) == 1
    assert entries_covering(not_covered) == []
    assert entries_covering("not an address \x00") == []


def test_lists_have_one_name_and_a_kind(make_user: object) -> None:
    with pytest.raises(InputError):
        do_create_list(OPERATOR, "urls", ListKind.URL)
    with pytest.raises(InputError):
        do_create_list(OPERATOR, "No Name", ListKind.URL)
    with pytest.raises(InputError):
        do_create_list(OPERATOR, "far", ListKind.HASH_CSAM, max_distance=99)
