"""Lists, proposals, guarded and held entries, the allow list, partners and alarms at the console."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from django.conf import settings
from pyrage import x25519
from tests.hotline.console_door.conftest import SECRET_ADDRESS, Desk
from tests.hotline.lists.cases import page

from vigil.base.clock import FixedClock
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE, OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists import reach
from vigil.hotline.lists.actions import do_list
from vigil.hotline.lists.enumerations import HeldReason
from vigil.hotline.lists.models import AllowEntry, EntryProposal, List, ListEntry, Publication
from vigil.hotline.lists.queries import in_force
from vigil.hotline.lists.withdrawals import do_hold_entry
from vigil.hotline.partners.agreements import agreements_in_force
from vigil.hotline.partners.models import Agreement, Partner, RecipientChange
from vigil.hotline.partners.recipients import do_propose_recipient
from vigil.hotline.statistics.models import CanaryAlarm

RECIPIENT = str(x25519.Identity.generate().to_public())


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.fixture
def world(tmp_path: Path, settings: Any) -> Iterator[None]:
    """The operator's files of popular hosts and harmless addresses."""
    (tmp_path / "popular.csv").write_text("# rank,host\n1,gallery.example\n2,other.example\n")
    (tmp_path / "sample.txt").write_text("http://gallery.example/about\nhttp://lawful.example/\nnot an address\n")
    lists = msgspec.structs.replace(
        settings.CONFIG.lists, popular_hosts=str(tmp_path / "popular.csv"), benign_sample=str(tmp_path / "sample.txt"),
        own_hosts=("hotline.example",),
    )  # fmt: skip
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, lists=lists)
    yield
    reach._ranks.cache_clear()
    reach._sample.cache_clear()


POLICY = {"jurisdictions": "NL BE", "legal_basis": "Section 1", "owner": "Quim", "max_distance": 20, "live_hours": "24",
          "live_policy": "leave_out", "default_days": "90", "flood_floor": 500}  # fmt: skip


NOT_LIVE = {"live_hours": "", "live_policy": "off"}


def with_files(client: Any) -> Any:
    """A client whose door has the operator's files too: doors have settings of their own."""
    client.overrides["CONFIG"] = settings.CONFIG
    return client


class TestLists:
    def test_a_list_is_set_up_and_its_policy_changed(self, desk: Desk, paula: User) -> None:
        client = desk.at(paula)
        answer = client.post("/lists/new/", {**POLICY, "name": "names", "kind": "domain"}, follow=True)
        assert "is set up" in text_of(answer)
        found = List.objects.get(name="names")
        assert (found.kind, found.jurisdictions, found.live_hours, found.default_days) == ("domain", ["NL", "BE"], 24, 90)
        assert "Section 1" in text_of(client.get("/lists/names/")) and "names" in text_of(client.get("/lists/"))
        assert "no proxy for captures is configured" in text_of(client.get("/lists/names/"))
        answer = client.post("/lists/names/policy/", {**POLICY, "jurisdictions": "", **NOT_LIVE}, follow=True)
        assert "policy is changed" in text_of(answer)
        found.refresh_from_db()
        assert (found.jurisdictions, found.live_hours, found.policy_version) == ([], None, "2")
        assert AuditEvent.objects.filter(code="list.changed").count() == 1

    @pytest.mark.parametrize(
        "wrong", [{"jurisdictions": "Holland"}, {"live_policy": "off"}, {"live_hours": ""}, {"max_distance": 32}]
    )
    def test_what_does_not_fit_comes_back(self, wrong: dict[str, Any], desk: Desk, paula: User) -> None:
        answer = desk.at(paula).post("/lists/new/", {**POLICY, "name": "names", "kind": "domain", **wrong})
        assert answer.status_code == 422 and not List.objects.filter(name="names").exists()

    def test_only_who_manages_lists_does(self, desk: Desk) -> None:
        client = desk.at(desk.ben)
        assert client.get("/lists/").status_code == 200
        assert client.get("/lists/new/").status_code == client.get("/lists/url/policy/").status_code == 403


class TestFinding:
    def test_entries_are_found_by_what_they_hold(self, desk: Desk, entry: ListEntry) -> None:
        client = desk.at(desk.ben)
        for text, how in ((SECRET_ADDRESS, "covers"), ("gallery.example", "host"), ("http://gallery.example/other", "host")):
            assert f"/entries/{entry.number}/" in text_of(client.post("/entries/search/", {"text": text, "how": how}))
        assert "No entry" in text_of(client.post("/entries/search/", {"text": "http://lawful.example/", "how": "covers"}))
        assert client.post("/entries/search/", {"text": "zorblat", "how": "hash"}).status_code == 200
        assert client.get("/entries/search/").status_code == 405
        assert AuditEvent.objects.filter(code="entry.searched").count() == 5
        assert not AuditEvent.objects.filter(details__contains="gallery").exists()


class TestGuards:
    def test_a_popular_host_waits_for_somebody_who_took_no_part(
        self, world: None, desk: Desk, sam: User, clock: FixedClock
    ) -> None:
        do_list(desk.ben, desk.waiting_for_ben(), [page(SECRET_ADDRESS)])
        found = ListEntry.objects.get()
        assert found.guards == ["popular_host"] and found.approval_due and not in_force(clock.now())
        assert "Waits for a second approver" in text_of(desk.at(desk.ben).get(f"/entries/{found.number}/"))
        assert f">{found.number}<" in text_of(desk.at(desk.ben).get("/entries/?view=waiting"))
        assert desk.at(desk.ben).post(f"/entries/{found.number}/approval/", {"decision": "approve"}).status_code == 403
        answer = desk.at(sam).post(f"/entries/{found.number}/approval/", {"decision": "approve"}, follow=True)
        assert "takes effect" in text_of(answer) and list(in_force(clock.now())) == [found]

    def test_refused_it_never_takes_effect(self, world: None, desk: Desk, sam: User) -> None:
        do_list(desk.ben, desk.waiting_for_ben(), [page(SECRET_ADDRESS)])
        found = ListEntry.objects.get()
        desk.at(sam).post(f"/entries/{found.number}/approval/", {"decision": "refuse"})
        found.refresh_from_db()
        assert found.tombstone and not found.review_due

    def test_a_preview_shows_hits_near_misses_and_the_harmless_it_would_block(
        self, world: None, desk: Desk, make_user: Callable[..., User]
    ) -> None:
        from vigil.match.urls import Scope

        boss = make_user(Role.SUPERVISOR, username="boss")
        from vigil.hotline.reports.actions import do_take

        case = do_take(boss, desk.assessed())
        do_list(boss, case, [page(SECRET_ADDRESS, Scope.HOST)], wide_scope="It is dedicated.")
        found = ListEntry.objects.get()
        assert set(found.guards) == {"popular_host", "benign_sample"} and found.reason == "dedicated_domain"
        shown = text_of(with_files(desk.at(desk.ben)).post(f"/entries/{found.number}/preview/"))
        assert "http://gallery.example/elsewhere" in shown and "http://www.gallery.example/" in shown
        assert "place 1" in shown and "Of 2 harmless addresses" in shown and "would block 1" in shown
        assert AuditEvent.objects.filter(code="content.revealed", subject=f"entry:{found.number}").exists()


class TestBeforeTheDecision:
    """What a choice would match is shown on the listing form, before anything is saved."""

    def ask(self, client: Any, report: Any, scope: str) -> Any:
        chosen = {"version": report.version, "decision": "list", "scope": scope, "wide_scope": "zorblat", "preview": "1"}
        return client.post(f"/cases/{report.pk}/listing/", chosen)

    def test_hits_and_near_misses_of_the_choice_and_nothing_is_decided(self, world: None, desk: Desk) -> None:
        report = desk.waiting_for_ben()
        client = with_files(desk.at(desk.ben))
        assert "Blocked" not in text_of(client.get(f"/cases/{report.pk}/"))
        answer = self.ask(client, report, "page")
        shown = answer.context["near"]
        assert answer.status_code == 200 and SECRET_ADDRESS in shown.hits and "http://gallery.example/" in shown.misses
        said = text_of(answer)
        assert all(text in said for text in (*shown.hits[:1], "Not blocked", "popular hosts", "Nothing is decided yet"))
        assert answer.context["near_guards"] and "zorblat" in text_of(answer) and not answer.context["listing_form"].errors
        report.refresh_from_db()
        assert not ListEntry.objects.exists() and report.is_open
        assert AuditEvent.objects.filter(code="content.revealed").count() == 1

    def test_a_choice_has_to_be_made_and_whole_hosts_are_not_for_everybody(self, world: None, desk: Desk) -> None:
        report = desk.waiting_for_ben()
        client = with_files(desk.at(desk.ben))
        for scope in ("", "host", "zorblat"):
            answer = self.ask(client, report, scope)
            assert answer.status_code == 409 and "near" not in answer.context
        assert not AuditEvent.objects.filter(code="content.revealed").exists()

    def test_who_assessed_it_is_not_shown_it_here(self, world: None, desk: Desk) -> None:
        report = desk.assessed()
        answer = self.ask(with_files(desk.at(desk.anna)), report, "page")
        assert answer.status_code in {403, 409} and not AuditEvent.objects.filter(code="content.revealed").exists()


class TestHeld:
    def test_held_by_the_machine_and_let_go_by_a_person(self, desk: Desk, entry: ListEntry, sam: User, clock: FixedClock) -> None:
        do_hold_entry(OFFICE, entry, HeldReason.FLOOD, 5000)
        client = desk.at(sam)
        assert "suddenly matched" in text_of(client.get(f"/entries/{entry.number}/"))
        assert "Held and guarded" in text_of(client.get("/entries/?view=waiting"))
        assert "next edition again" in text_of(client.post(f"/entries/{entry.number}/release/", follow=True))
        assert list(in_force(clock.now())) == [entry]

    def test_who_held_it_does_not_let_it_go(self, desk: Desk, entry: ListEntry, sam: User, paula: User) -> None:
        desk.at(sam).post(f"/entries/{entry.number}/hold/")
        assert Publication.objects.filter(state="requested").count() == 1
        assert "second person" in text_of(desk.at(sam).post(f"/entries/{entry.number}/release/", follow=True))
        assert "next edition again" in text_of(desk.at(paula).post(f"/entries/{entry.number}/release/", follow=True))


TERMS = {"reference": "2026/1", "lists": ["url"], "jurisdictions": "NL", "exports": ["rpz"], "starts": "2026-11-22",
         "ends": "2027-11-22", "people": "Quim Ber"}  # fmt: skip
WORD = {"content": "zorblat", "language": "nl", "group": "", "reason": "evidence_of_need", "labels": "", "expires": "",
        "evidence": "Seen in quimber reports."}  # fmt: skip


class TestProposals:
    def test_a_word_is_proposed_with_evidence_and_listed_by_another(self, desk: Desk, paula: User) -> None:
        desk.at(paula).post("/lists/new/", {**POLICY, "name": "words", "kind": "keyword", "live_hours": "", "live_policy": "off"})
        client = desk.at(desk.anna)
        assert client.post("/lists/words/propose/keyword/", {**WORD, "evidence": " "}).status_code == 422
        assert "second person decides" in text_of(client.post("/lists/words/propose/keyword/", WORD, follow=True))
        found = EntryProposal.objects.get()
        shown = f"/proposals/{found.pk}/show/"
        assert "zorblat" not in text_of(client.get(f"/proposals/{found.pk}/"))
        assert "zorblat" in text_of(client.post(shown)) and desk.at(paula).post(shown).status_code == 403
        assert client.post(f"/proposals/{found.pk}/decision/", {"decision": "list"}).status_code == 403
        answer = desk.at(desk.ben).post(f"/proposals/{found.pk}/decision/", {"decision": "list"}, follow=True)
        assert "Listed as entry" in text_of(answer)
        entry = ListEntry.objects.get()
        assert (entry.signal, entry.added_by, entry.approved_by) == ("keyword", "user:anna", "user:ben")
        assert "Word" in text_of(desk.at(desk.ben).get("/entries/"))
        assert "has it already" in text_of(client.post("/lists/words/propose/keyword/", WORD))

    def test_tests_stand_on_names_of_ones_own(self, world: None, desk: Desk, paula: User) -> None:
        desk.at(paula).post("/lists/new/", {**POLICY, "name": "tests", "kind": "test", **NOT_LIVE})
        client = with_files(desk.at(paula))
        given = {"content": "http://probe.hotline.example/", "scope": "page", "reason": "test", "labels": "", "expires": "",
                 "evidence": "For the quarterly test."}  # fmt: skip
        stranger = client.post("/lists/tests/propose/url/", {**given, "content": "http://192.0.2.7/"})
        assert stranger.status_code == 422 and "harmless to everybody else" in text_of(stranger)
        client.post("/lists/tests/propose/url/", given)
        assert EntryProposal.objects.get().guards == []
        assert "Waiting" in text_of(client.get("/proposals/"))

    def test_a_signal_the_list_does_not_hold_is_not_offered(self, desk: Desk) -> None:
        client = desk.at(desk.anna)
        assert client.get("/lists/url/propose/keyword/")["Location"] == "/lists/url/"
        assert client.get("/lists/url/propose/url/").status_code == 200


class TestAllowList:
    def test_harmless_things_go_at_once_and_stay_off(self, desk: Desk, entry: ListEntry, sam: User) -> None:
        client = desk.at(desk.ben)
        given = {"kind": "url", "content": "gallery.example", "scope": "host", "why": "An encyclopaedia"}
        assert "Entries withdrawn: 1" in text_of(client.post("/allow/new/", given, follow=True))
        entry.refresh_from_db()
        assert entry.tombstone and Publication.objects.filter(state="requested").exists()
        row = AllowEntry.objects.get()
        assert "already" in text_of(client.post("/allow/new/", given))
        from vigil.base.errors import RefusedError

        with pytest.raises(RefusedError, match="allow list"):
            do_list(desk.ben, desk.waiting_for_ben("http://gallery.example/else"), [page("http://gallery.example/else")])
        assert client.post(f"/allow/{row.pk}/review/", {"decision": "agree"}).status_code == 403
        assert "is reviewed" in text_of(desk.at(sam).post(f"/allow/{row.pk}/review/", {"decision": "agree"}, follow=True))
        assert "is ended" in text_of(desk.at(sam).post(f"/allow/{row.pk}/review/", {"decision": "end"}, follow=True))


class TestPartners:
    def partner(self, client: Any) -> Partner:
        given = {"title": "Quimber Net", "kind": "isp", "hosts": "quimbernet.example", "recipient": RECIPIENT}
        assert "gets nothing before" in text_of(client.post("/partners/new/", given, follow=True))
        return Partner.objects.get()

    def test_two_people_put_an_agreement_into_force_and_one_stops_the_partner(
        self, desk: Desk, paula: User, sam: User, clock: FixedClock
    ) -> None:
        client, boss = desk.at(paula), desk.at(sam)
        partner = self.partner(client)
        assert "Proposed" in text_of(client.post(f"/partners/{partner.pk}/agreement/", TERMS, follow=True))
        agreement = Agreement.objects.get()
        assert client.post(f"/agreements/{agreement.pk}/approval/").status_code == 403
        assert "Quim Ber" not in text_of(boss.get(f"/partners/{partner.pk}/"))
        assert "Quim Ber" in text_of(boss.post(f"/agreements/{agreement.pk}/people/"))
        assert "Approved" in text_of(boss.post(f"/agreements/{agreement.pk}/approval/", follow=True))
        assert agreements_in_force(clock.now()).count() == 1
        assert "Under agreement" in text_of(boss.get("/partners/"))
        assert boss.post(f"/partners/{partner.pk}/stop/", {"reason": ""}).status_code == 422
        assert "Stopped" in text_of(boss.post(f"/partners/{partner.pk}/stop/", {"reason": "leak"}, follow=True))
        assert not agreements_in_force(clock.now())
        assert "second person" in text_of(boss.post(f"/partners/{partner.pk}/resume/", follow=True))

    def test_terms_that_do_not_fit_come_back(self, desk: Desk, paula: User) -> None:
        client = desk.at(paula)
        partner = self.partner(client)
        for wrong in ({"ends": "2026-11-22"}, {"lists": []}, {"jurisdictions": "Holland"}, {"lists": ["zorblat"]}):
            assert client.post(f"/partners/{partner.pk}/agreement/", {**TERMS, **wrong}).status_code == 422
        assert not Agreement.objects.exists()

    def test_one_person_ends_an_agreement(self, desk: Desk, paula: User, sam: User) -> None:
        client = desk.at(paula)
        partner = self.partner(client)
        client.post(f"/partners/{partner.pk}/agreement/", TERMS)
        agreement = Agreement.objects.get()
        assert "Ended" in text_of(client.post(f"/agreements/{agreement.pk}/end/", follow=True))
        desk.at(sam).post(f"/agreements/{agreement.pk}/approval/")
        agreement.refresh_from_db()
        assert agreement.approved_at is None and "Refused" in text_of(client.get(f"/partners/{partner.pk}/"))

    def test_two_people_change_the_public_key(self, desk: Desk, paula: User, sam: User) -> None:
        client, boss = desk.at(paula), desk.at(sam)
        partner = self.partner(client)
        page, new = f"/partners/{partner.pk}/key/", str(x25519.Identity.generate().to_public())
        given = {"recipient": new, "old": "stop", "reason": "A laptop was lost."}
        for wrong in ({"recipient": new[:-1]}, {"recipient": RECIPIENT}, {"old": ""}, {"reason": ""}, {"more": "x"}):
            answer = client.post(page, given | wrong)
            assert answer.status_code == 422 and "error-summary" in text_of(answer)
        assert boss.get(page).status_code == boss.post(page, given).status_code == 403
        assert "until a second person has approved" in text_of(client.post(page, given, follow=True))
        change = RecipientChange.objects.get()
        assert "another public key" in text_of(boss.get("/partners/"))
        assert client.post(f"/partner-keys/{change.pk}/approval/").status_code == 403
        shown = text_of(boss.get(f"/partners/{partner.pk}/"))
        assert "stops with the next edition" in shown and "A laptop was lost." in shown and new in shown
        assert "encrypted for the new key" in text_of(boss.post(f"/partner-keys/{change.pk}/approval/", follow=True))
        partner.refresh_from_db()
        assert partner.recipient == new
        assert "decided already" in text_of(boss.post(f"/partner-keys/{change.pk}/refusal/", follow=True))

    def test_a_key_proposed_by_command_is_taken_up_and_then_approved(self, desk: Desk, paula: User, sam: User) -> None:
        client, boss = desk.at(paula), desk.at(sam)
        partner = self.partner(client)
        change = do_propose_recipient(OPERATOR, partner, str(x25519.Identity.generate().to_public()), "A laptop was lost.")
        path = f"/partner-keys/{change.pk}"
        shown = text_of(boss.get(f"/partners/{partner.pk}/"))
        assert "which names nobody" in shown and f"{path}/approval/" not in shown and f"{path}/taken-up/" not in shown
        assert "Have a list publisher take it up first" in text_of(boss.post(f"{path}/approval/", follow=True))
        assert boss.post(f"{path}/taken-up/").status_code == 403
        assert f"{path}/taken-up/" in text_of(client.get(f"/partners/{partner.pk}/"))
        assert "somebody else approves it" in text_of(client.post(f"{path}/taken-up/", follow=True))
        assert f"{path}/approval/" in text_of(boss.get(f"/partners/{partner.pk}/"))
        assert "encrypted for the new key" in text_of(boss.post(f"{path}/approval/", follow=True))

    def test_a_key_is_refused_by_who_proposed_it(self, desk: Desk, paula: User) -> None:
        client = desk.at(paula)
        partner = self.partner(client)
        given = {"recipient": str(x25519.Identity.generate().to_public()), "old": "overlap", "reason": "Every year."}
        client.post(f"/partners/{partner.pk}/key/", given)
        assert "48 hours more" in text_of(client.get(f"/partners/{partner.pk}/"))
        change = RecipientChange.objects.get()
        assert "stays in use" in text_of(client.post(f"/partner-keys/{change.pk}/refusal/", follow=True))
        partner.refresh_from_db()
        assert partner.recipient == RECIPIENT and "Refused" in text_of(client.get(f"/partner-keys/{change.pk}/", follow=True))

    def test_a_new_partner_with_a_key_that_is_none_comes_back(self, desk: Desk, paula: User) -> None:
        given = {"title": "Quimber Net", "kind": "isp", "hosts": "", "recipient": RECIPIENT[:-1]}
        answer = desk.at(paula).post("/partners/new/", given)
        assert answer.status_code == 422 and "cannot be used" in text_of(answer) and not Partner.objects.exists()

    def test_an_alarm_is_shown_and_taken_up(self, desk: Desk, paula: User, clock: FixedClock) -> None:
        CanaryAlarm.objects.create(source="log", list="url", hour=clock.now(), number=3, created_by="system:operator")
        client = desk.at(paula)
        assert "several partners" in text_of(client.get("/alarms/"))
        alarm = CanaryAlarm.objects.get()
        assert "taken up" in text_of(client.post(f"/alarms/{alarm.pk}/taken-up/", follow=True))
        assert "Somebody has taken up" in text_of(client.post(f"/alarms/{alarm.pk}/taken-up/", follow=True))
        assert desk.at(desk.ben).get("/alarms/").status_code == 403


def test_the_settings_of_the_tests_are_put_back(world: None) -> None:
    assert settings.CONFIG.lists.own_hosts == ("hotline.example",)
