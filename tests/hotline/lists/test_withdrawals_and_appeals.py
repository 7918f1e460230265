"""Taking entries off: at once and reviewed; or after an appeal, decided by somebody who took no part."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.hotline.lists.cases import PAGE, held_case, listed, page, seen_picture

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.actions import do_list
from vigil.hotline.lists.appeals import do_decide_appeal, do_file_appeal, do_name_entry
from vigil.hotline.lists.enumerations import AppealOutcome, AppellantType, PoliceView, RemovedReason
from vigil.hotline.lists.models import Appeal, ListEntry
from vigil.hotline.lists.proposals import of_media
from vigil.hotline.lists.queries import (
    appeal_by_reference,
    decided_appeals,
    entries_of,
    in_force,
    media_of,
    open_appeals,
    reviews_due,
)
from vigil.hotline.lists.withdrawals import do_review_withdrawal, do_withdraw_entry
from vigil.hotline.reports.references import read_reference

pytestmark = pytest.mark.usefixtures("lists")


@pytest.fixture
def entry(anna: User, lin: User) -> ListEntry:
    return listed(anna, lin).entries.get()


def test_one_person_withdraws_at_once(entry: ListEntry, paula: User, clock: object) -> None:
    gone = do_withdraw_entry(paula, entry, RemovedReason.ERROR)
    assert (gone.tombstone, gone.review_due, gone.removed_by, gone.removed_reason) == (True, True, "user:paula", "error")
    assert not in_force(gone.removed_at).exists()
    event = AuditEvent.objects.get(code="entry.withdrawn")
    assert (event.subject, event.details) == (f"entry:{entry.number}", '{"list":"urls","reason":"error"}')


def test_another_one_reviews_it(entry: ListEntry, sam: User, make_user: Callable[..., User]) -> None:
    do_withdraw_entry(sam, entry, RemovedReason.RISK)
    assert reviews_due().get() == entry
    with pytest.raises(RefusedError) as refusal:
        do_review_withdrawal(sam, entry)
    assert refusal.value.code == "second_person_needed"
    other = make_user(Role.SUPERVISOR)
    assert do_review_withdrawal(other, entry).reviewed_by == other.label
    assert not reviews_due().exists()
    with pytest.raises(RefusedError):
        do_review_withdrawal(other, entry)


def test_an_entry_is_withdrawn_once(entry: ListEntry, paula: User) -> None:
    do_withdraw_entry(paula, entry, RemovedReason.ERROR)
    with pytest.raises(RefusedError) as refusal:
        do_withdraw_entry(paula, entry, RemovedReason.RISK)
    assert refusal.value.code == "entry_withdrawn"


def test_only_some_may_withdraw(entry: ListEntry, anna: User) -> None:
    for person in (anna, PUBLIC, OFFICE):
        with pytest.raises(RefusedError):
            do_withdraw_entry(person, entry, RemovedReason.ERROR)
    assert not ListEntry.objects.get(pk=entry.pk).tombstone


def test_a_withdrawn_page_can_be_listed_anew_under_another_number(
    entry: ListEntry, anna: User, lin: User, paula: User
) -> None:
    do_withdraw_entry(paula, entry, RemovedReason.MOVED)
    again = listed(anna, lin, "http://gallery.example/room/8", page(PAGE))
    assert again.entries.count() == 2
    assert all(each.number > entry.number for each in again.entries.all())


def test_an_appeal_meets_its_entries(entry: ListEntry) -> None:
    appeal = do_file_appeal(
        address=" GALLERY.example/room/./7 ", appellant_type=AppellantType.HOST, reasons="quimber", standing="our server",
        contact="desk@host.example",
    )  # fmt: skip
    assert list(appeal.entries.all()) == [entry]
    assert read_reference(appeal.ref) == appeal.ref
    found = appeal_by_reference(appeal.ref)
    assert found is not None and found.reasons.open() == "quimber"
    assert list(open_appeals()) == [appeal]
    event = AuditEvent.objects.get(code="appeal.filed")
    assert (event.actor, event.details) == ("system:public", '{"appellant_type":"host","entries":1}')


@pytest.mark.parametrize("address", ["http://elsewhere.example/", "not an address", "http://\x00", "\u202egnirts"])
def test_no_appeal_is_lost(entry: ListEntry, address: str) -> None:
    appeal = do_file_appeal(address=address)
    assert Appeal.objects.get().address.open() == address
    assert not appeal.entries.exists()


def test_an_appeal_by_reference_of_a_block_page() -> None:
    assert do_file_appeal(block_reference="e12 2026-11-22T12:10Z").address is None


@pytest.mark.parametrize(
    "answers", [{}, {"address": " "}, {"address": "x" * 20_001}, {"block_reference": "<script>"}, {"block_reference": "x" * 81}]
)
def test_appeals_without_a_target_or_without_end_are_refused(answers: dict[str, str]) -> None:
    with pytest.raises(InputError):
        do_file_appeal(**answers)
    assert not Appeal.objects.exists()


def test_upheld_takes_the_entry_off(entry: ListEntry, sam: User) -> None:
    appeal = do_file_appeal(address=PAGE)
    decided = do_decide_appeal(sam, appeal, AppealOutcome.UPHELD, notes="quimber")
    assert (decided.outcome, decided.reassessor, decided.is_open) == ("upheld", sam, False)
    gone = ListEntry.objects.get()
    assert (gone.tombstone, gone.removed_reason, gone.review_due) == (True, "appeal_upheld", False)
    assert list(decided_appeals()) == [appeal]


@pytest.mark.parametrize("outcome", [each for each in AppealOutcome if "upheld" not in each.value or each.value == "not_upheld"])
def test_other_outcomes_leave_it(entry: ListEntry, sam: User, outcome: AppealOutcome) -> None:
    do_decide_appeal(sam, do_file_appeal(address=PAGE), outcome, police_view=PoliceView.CRIMINAL)
    assert not ListEntry.objects.get().tombstone
    assert Appeal.objects.get().police_view == "criminal"


def test_neither_assessor_nor_approver_decides(entry: ListEntry, anna: User, lin: User, make_user: Callable[..., User]) -> None:
    appeal = do_file_appeal(address=PAGE)
    for name in ("anna", "lin"):
        from vigil.hotline.access.people import OPERATOR
        from vigil.hotline.audit.people import do_set_roles

        person = User.objects.get(username=name)
        do_set_roles(OPERATOR, person, [Role.SUPERVISOR])
        with pytest.raises(RefusedError) as refusal:
            do_decide_appeal(person, appeal, AppealOutcome.NOT_UPHELD)
        assert refusal.value.code == "second_person_needed"
    assert Appeal.objects.get().is_open


def test_the_number_of_a_block_page_needs_a_person_to_find_the_entry(
    entry: ListEntry, sam: User, anna: User, lin: User
) -> None:
    appeal = do_file_appeal(block_reference="0000-00G5-H38J")
    for outcome in (AppealOutcome.UPHELD, AppealOutcome.PARTLY_UPHELD):
        with pytest.raises(InputError, match="name the entry"):
            do_decide_appeal(sam, appeal, outcome)
    with pytest.raises(InputError, match="no entry in force"):
        do_name_entry(sam, appeal, entry.number + 1)
    for _ in range(2):
        assert do_name_entry(lin, appeal, entry.number) == entry
    assert AuditEvent.objects.filter(code="appeal.entry_named").count() == 1
    with pytest.raises(RefusedError, match="second person"):
        do_decide_appeal(lin, appeal, AppealOutcome.UPHELD)
    with pytest.raises(RefusedError):
        do_name_entry(anna, appeal, entry.number)
    do_decide_appeal(sam, appeal, AppealOutcome.UPHELD)
    entry.refresh_from_db()
    assert entry.tombstone
    with pytest.raises(RefusedError, match="decided"):
        do_name_entry(sam, appeal, entry.number)


def test_an_appeal_is_decided_once(entry: ListEntry, sam: User) -> None:
    appeal = do_file_appeal(address=PAGE)
    do_decide_appeal(sam, appeal, AppealOutcome.NOT_UPHELD)
    with pytest.raises(RefusedError) as refusal:
        do_decide_appeal(sam, appeal, AppealOutcome.UPHELD)
    assert refusal.value.code == "appeal_decided"
    assert not ListEntry.objects.get().tombstone


def test_roles_without_the_right_do_not_decide(entry: ListEntry, paula: User) -> None:
    with pytest.raises(RefusedError) as refusal:
        do_decide_appeal(paula, do_file_appeal(address=PAGE), AppealOutcome.UPHELD)
    assert refusal.value.code == "not_permitted"


def test_partly_upheld_takes_off_what_was_chosen(anna: User, lin: User, sam: User) -> None:
    case = held_case(anna, lin)
    seen_picture(case)
    do_list(lin, case, [page(), page("http://gallery.example/room/7", page().scope.PAGE), *of_media(media_of(case))])
    appeal = do_file_appeal(address=PAGE)
    by_scope = {each.scope: each for each in appeal.entries.all()}
    assert set(by_scope) == {"url", "page"}
    with pytest.raises(InputError) as refusal:
        do_decide_appeal(sam, appeal, AppealOutcome.PARTLY_UPHELD)
    assert refusal.value.code == "entries_missing"
    picture = entries_of(case).filter(signal="hash").first()
    with pytest.raises(InputError) as refusal:
        do_decide_appeal(sam, appeal, AppealOutcome.PARTLY_UPHELD, withdraw=[picture])
    assert refusal.value.code == "entry_not_of_appeal"
    do_decide_appeal(sam, appeal, AppealOutcome.PARTLY_UPHELD, withdraw=[by_scope["page"]])
    assert [each.scope for each in ListEntry.objects.filter(tombstone=True)] == ["page"]
