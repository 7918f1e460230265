"""Acts that two people do at the console: off a list by policy, words out of the house, evidence let go, whole domains."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hotline.console_door.conftest import Desk
from tests.hotline.console_door.test_files import vault, with_vault  # noqa: F401 - a fixture

from vigil.base.errors import VigilError
from vigil.base.redaction import Sealed
from vigil.editions.model import ListKind
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE, OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.approvals.models import ApprovalRequest
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.actions import do_create_list
from vigil.hotline.lists.enumerations import EntryReason, RemovedReason
from vigil.hotline.lists.models import EntryProposal, List, ListEntry, Publication
from vigil.hotline.lists.proposals import UrlProposal
from vigil.hotline.lists.proposed import KeywordProposal, do_approve_proposal, do_propose_entry
from vigil.hotline.lists.withdrawals import do_ask_delisting, do_delist, do_withdraw_entry
from vigil.hotline.settings.config import Vault
from vigil.hotline.vault.actions import do_put
from vigil.hotline.vault.models import EvidenceKind, EvidenceObject
from vigil.match.urls import Scope

WHY = "Zorblat: we no longer list what quimber lists"
HOTLINE = Path(__file__).parents[3] / "src" / "vigil" / "hotline"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


@pytest.mark.parametrize("act", TwoPersonAct)
def test_every_act_can_be_asked_for_and_carried_out(act: TwoPersonAct) -> None:
    """No rule promises what nobody can do: some room asks for each act, and some room uses its approval up."""
    sources = [path.read_text(encoding="utf-8") for path in HOTLINE.rglob("*.py") if "approvals" not in path.parts]
    for call in ("do_request", "spend"):
        said = re.compile(rf"\b{call}\(\s*[\w.]+,\s*TwoPersonAct\.{act.name}\b")
        assert any(said.search(source) for source in sources), f"nobody calls {call} for {act}"


class TestByPolicy:
    def test_one_asks_another_approves_the_first_takes_it_off(
        self, desk: Desk, entry: ListEntry, paula: User, sam: User
    ) -> None:
        here, client = f"/entries/{entry.number}/by-policy/", desk.at(paula)
        assert here in text_of(client.get(f"/entries/{entry.number}/withdraw/"))
        assert "second person" in text_of(client.post(here + "now/", follow=True)) and not taken_off(entry)
        assert "Say which policy" in text_of(client.post(here + "ask/", {"reason": " "}, follow=True))
        asked = text_of(client.post(here + "ask/", {"reason": WHY}, follow=True))
        assert "Waits for a second person" in asked and "quimber" not in asked
        request = ApprovalRequest.objects.get(act="policy_delisting")
        assert "Approved" in text_of(desk.at(sam).post(f"/second-person/{request.pk}/approve/", follow=True))
        assert "Take it off now" in text_of(client.get(here)) and not taken_off(entry)
        assert "is off" in text_of(client.post(here + "now/", follow=True))
        entry.refresh_from_db()
        assert entry.tombstone and not entry.review_due
        assert (entry.removed_reason, entry.removed_by) == ("policy", "user:paula")
        assert Publication.objects.filter(state="requested").count() == 1
        codes = ("approval.requested", "approval.approved", "approval.spent", "entry.withdrawn")
        assert [AuditEvent.objects.filter(code=code).count() for code in codes] == [1, 1, 1, 1]
        assert "quimber" not in repr(list(AuditEvent.objects.values_list()))
        assert "withdrawn already" in text_of(client.get(here))
        assert "By policy, decided by two people" in text_of(client.get(f"/entries/{entry.number}/"))

    def test_one_person_is_not_enough_whatever_they_choose(self, desk: Desk, entry: ListEntry, sam: User) -> None:
        client = desk.at(sam)
        answer = client.post(f"/entries/{entry.number}/withdraw/", {"reason": "policy"})
        assert answer.status_code == 422
        assert code_of(lambda: do_withdraw_entry(sam, entry, RemovedReason.POLICY)) == "approval_missing"
        request = do_ask_delisting(sam, entry, WHY)
        assert code_of(lambda: do_approve(sam, request)) == "second_person_needed", "the same person twice"
        assert code_of(lambda: do_delist(sam, entry)) == "approval_missing" and not taken_off(entry)

    def test_who_approved_does_not_carry_it_out_nor_does_an_approval_last(
        self, desk: Desk, entry: ListEntry, paula: User, sam: User, make_user: Callable[..., User], clock: Any
    ) -> None:
        do_approve(sam, do_ask_delisting(paula, entry, WHY))
        assert code_of(lambda: do_delist(sam, entry)) == "second_person_needed"
        for stranger in (OFFICE, make_user(Role.ANALYST)):
            assert code_of(lambda stranger=stranger: do_delist(stranger, entry)) == "not_permitted"  # type: ignore[misc]
        clock.advance(hours=24)
        assert code_of(lambda: do_delist(paula, entry)) == "approval_missing" and not taken_off(entry)

    def test_nobody_approves_who_assessed_or_listed_it(self, desk: Desk, entry: ListEntry, paula: User) -> None:
        request = do_ask_delisting(paula, entry, WHY)
        assert code_of(lambda: do_approve(desk.ben, request)) == "second_person_needed", "ben listed it"
        assert set(request.behind) == {"user:anna", "user:ben"}


def taken_off(entry: ListEntry) -> bool:
    entry.refresh_from_db()
    return entry.tombstone


class TestWords:
    def test_two_people_take_the_words_of_a_list_out_once(self, desk: Desk, paula: User, sam: User) -> None:
        words = do_create_list(OPERATOR, "words", ListKind.KEYWORD)
        proposal = do_propose_entry(desk.anna, words, KeywordProposal(Sealed("fendle")), EntryReason.EVIDENCE_OF_NEED, "Seen.")
        do_approve_proposal(desk.ben, proposal)
        client = desk.at(paula)
        assert "second person" in text_of(client.post("/lists/words/words/file/", follow=True))
        assert "Say for whom" in text_of(client.post("/lists/words/words/", {"reason": ""}, follow=True))
        assert "waits for a second person" in text_of(client.post("/lists/words/words/", {"reason": WHY}, follow=True))
        request = ApprovalRequest.objects.get(act="keyword_export")
        assert code_of(lambda: do_approve(paula, request)) in {"not_permitted", "second_person_needed"}
        desk.at(sam).post(f"/second-person/{request.pk}/approve/")
        assert "Take the words out" in text_of(client.get("/lists/words/"))
        assert desk.at(sam).post("/lists/words/words/file/").status_code == 403
        answer = client.post("/lists/words/words/file/")
        assert b"fendle" in answer.content and "attachment" in answer["Content-Disposition"]
        assert "second person" in text_of(client.post("/lists/words/words/file/", follow=True)), "once"
        assert AuditEvent.objects.filter(code="list.exported").count() == 1

    def test_lists_of_other_kinds_have_no_words(self, desk: Desk, paula: User) -> None:
        assert "Hand out the words" not in text_of(desk.at(paula).get("/lists/url/"))
        assert desk.at(paula).post("/lists/url/words/", {"reason": WHY}).status_code == 404


class TestEvidence:
    def test_one_keeps_it_beyond_its_date_and_two_let_it_go(
        self, desk: Desk, settings: Any, vault: Vault, make_user: Callable[..., User], sam: User  # noqa: F811
    ) -> None:
        report, lia, dora = desk.taken(), make_user(Role.POLICE_LIAISON), make_user(Role.DATA_PROTECTION)
        client = with_vault(desk.at(lia), settings, vault)
        found = do_put(desk.anna, report.pk, EvidenceKind.MEDIA, b"zorblat, drawn", mime="image/png", source="x")
        here = f"/cases/{report.pk}/evidence/"
        assert "Keep it beyond its date" in text_of(client.get(here))
        assert "until two people let it go" in text_of(client.post(f"{here}{found.pk}/keep/", follow=True))
        assert "legal hold" in text_of(client.get(here)) and "Keep it beyond" not in text_of(client.get(here))
        lead, free = with_vault(desk.at(dora), settings, vault), f"/retention/evidence/{found.pk}/"
        assert found.label in text_of(lead.get("/retention/"))
        assert "second person is asked" in text_of(lead.post(free, {"reason": "The order is lifted"}, follow=True))
        assert "asked already" in text_of(lead.post(free, {"reason": "again"}, follow=True)) and held(found)
        request = ApprovalRequest.objects.get(act="retention_override")
        assert code_of(lambda: do_approve(dora, request)) in {"not_permitted", "second_person_needed"}
        do_approve(sam, request)
        assert "date counts again" in text_of(lead.post(free, follow=True)) and not held(found)
        assert lead.post(free).status_code == 404


def held(found: EvidenceObject) -> bool:
    found.refresh_from_db()
    return found.legal_hold


DOMAIN = {"content": "http://dedicated.example/", "scope": "domain", "reason": "dedicated_domain", "labels": "", "expires": "",
          "evidence": "Every page of quimber is of one kind."}  # fmt: skip


class TestDomain:
    """A whole domain is listed by two people, by way of a proposal with what shows that it is dedicated."""

    def test_a_publisher_proposes_and_a_supervisor_lists(self, desk: Desk, paula: User, sam: User) -> None:
        client = desk.at(paula)
        assert client.post("/lists/url/propose/url/", {**DOMAIN, "evidence": " "}).status_code == 422
        client.post("/lists/url/propose/url/", DOMAIN)
        found = EntryProposal.objects.get()
        decide = f"/proposals/{found.pk}/decision/"
        assert found.guards == ["whole_host"] and not ListEntry.objects.exists()
        assert client.post(decide, {"decision": "list"}).status_code == 403, "who proposed it has no second seat"
        assert "may not" in text_of(desk.at(desk.ben).post(decide, {"decision": "list"}, follow=True)), "a supervisor decides"
        assert "Listed as entry" in text_of(desk.at(sam).post(decide, {"decision": "list"}, follow=True))
        listed = ListEntry.objects.get()
        assert (listed.scope, listed.reason, listed.added_by, listed.approved_by) == (
            "domain", "dedicated_domain", "user:paula", "user:sam",
        )  # fmt: skip
        assert "quimber" not in repr(list(AuditEvent.objects.values_list()))

    def test_the_same_person_twice_lists_nothing(self, desk: Desk, sam: User) -> None:
        proposed = UrlProposal(Sealed("http://dedicated.example/"), Scope.DOMAIN)
        target = List.objects.get(name="url")
        proposal = do_propose_entry(sam, target, proposed, EntryReason.DEDICATED_DOMAIN, "Every page is of one kind.")
        assert code_of(lambda: do_approve_proposal(sam, proposal)) == "second_person_needed"
        assert not ListEntry.objects.exists()
