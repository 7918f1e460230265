"""Entries, publishing, appeals and oversight at the console."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.hotline.console_door.conftest import SECRET_ADDRESS, Desk
from tests.hotline.lists.cases import page, seen_picture

from vigil.editions.model import ListKind
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.actions import do_create_list, do_list
from vigil.hotline.lists.appeals import do_file_appeal
from vigil.hotline.lists.enumerations import AppellantType, PublicationState
from vigil.hotline.lists.models import Appeal, ListEntry, Publication
from vigil.hotline.lists.proposals import of_media

REASONS = "quimber says so"


def text_of(answer: Any) -> str:
    return str(answer.content.decode())


@pytest.fixture
def entry(desk: Desk) -> ListEntry:
    do_list(desk.ben, desk.waiting_for_ben(), [page(SECRET_ADDRESS)])
    return ListEntry.objects.get()


@pytest.fixture
def paula(make_user: Callable[..., User]) -> User:
    return make_user(Role.LIST_PUBLISHER, username="paula")


@pytest.fixture
def sam(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sam")


class TestEntries:
    def test_a_list_of_numbers(self, desk: Desk, entry: ListEntry) -> None:
        client = desk.at(desk.ben)
        answer = client.get("/entries/")
        assert f">{entry.number}<" in text_of(answer) and "zorblat" not in text_of(answer)
        assert client.get(f"/entries/?number={entry.number}")["Location"] == f"/entries/{entry.number}/"
        assert "no entry of that number" in text_of(client.get("/entries/?number=4711"))
        for query in ("?view=withdrawn", "?view=review", "?view=zorblat", "?list=url", "?list=zorblat", "?page=99"):
            assert client.get(f"/entries/{query}").status_code == 200

    def test_what_it_holds_is_shown_on_asking_and_logged(self, desk: Desk, entry: ListEntry, paula: User) -> None:
        client = desk.at(desk.ben)
        assert "zorblat" not in text_of(client.get(f"/entries/{entry.number}/"))
        assert "gallery.example/zorblat/7?quimber=1" in text_of(client.post(f"/entries/{entry.number}/show/"))
        assert AuditEvent.objects.get(code="content.revealed").subject == f"entry:{entry.number}"
        assert desk.at(paula).post(f"/entries/{entry.number}/show/").status_code == 403

    def test_withdrawing_says_what_will_happen_and_is_reviewed(self, desk: Desk, entry: ListEntry, sam: User) -> None:
        client, address = desk.at(desk.ben), f"/entries/{entry.number}/withdraw/"
        assert "made at once" in text_of(client.get(address))
        assert client.post(address, {"reason": "zorblat"}).status_code == 422
        assert client.post(address, {"reason": "appeal_upheld"}).status_code == 422
        assert "is withdrawn" in text_of(client.post(address, {"reason": "error"}, follow=True))
        assert "withdrawn already" in text_of(client.get(address))
        assert "withdrawn already" in text_of(client.post(address, {"reason": "error"}, follow=True))
        entry.refresh_from_db()
        assert entry.tombstone and entry.removed_reason == "error"
        supervisor = desk.at(sam)
        assert supervisor.get("/entries/?view=review").context["page"].paginator.count == 1
        assert "is reviewed" in text_of(supervisor.post(f"/entries/{entry.number}/review/", follow=True))

    def test_who_withdrew_does_not_review(self, desk: Desk, entry: ListEntry, sam: User) -> None:
        client = desk.at(sam)
        client.post(f"/entries/{entry.number}/withdraw/", {"reason": "risk"})
        assert "second person" in text_of(client.post(f"/entries/{entry.number}/review/", follow=True))


class TestPublishing:
    def test_the_page_says_what_will_change(self, desk: Desk, entry: ListEntry, paula: User) -> None:
        context = desk.at(paula).get("/publish/").context
        assert (context["added"], context["removed"], context["total"]) == (1, 0, 1)

    def test_the_lists_are_told_in_words_and_no_bank_is_among_them(self, desk: Desk, entry: ListEntry, paula: User) -> None:
        do_create_list(OPERATOR, "bank-7", ListKind.BANK)
        answer = text_of(desk.at(paula).get("/publish/"))
        assert "Addresses of CSAM" in answer and "bank-7" not in answer

    def test_asking_for_an_edition_and_following_it(self, desk: Desk, entry: ListEntry, paula: User) -> None:
        client = desk.at(paula)
        answer = client.post("/publish/now/", follow=True)
        publication = Publication.objects.get()
        assert "Waits for the list office" in text_of(answer) and 'data-then="reload"' in text_of(answer)
        assert client.get(f"/publish/{publication.pk}/state/").json() == {"state": "requested", "number": None}
        assert client.post("/publish/now/")["Location"] == f"/publish/{publication.pk}/", "one request serves both"
        Publication.objects.update(state=PublicationState.PUBLISHED, number=7, finished_at=publication.created_at)
        assert "Edition 7" in text_of(client.get(f"/publish/{publication.pk}/"))
        Publication.objects.update(state=PublicationState.FAILED, error_code="disk_full", error_text="The disk is full.")
        assert "edition before stays in force" in text_of(client.get(f"/publish/{publication.pk}/"))
        assert client.get("/publish/").status_code == 200

    def test_only_publishers(self, desk: Desk) -> None:
        assert desk.at(desk.anna).post("/publish/now/").status_code == 403 and not Publication.objects.exists()


class TestAppeals:
    @pytest.fixture
    def appeal(self, entry: ListEntry) -> Appeal:
        return do_file_appeal(
            address=SECRET_ADDRESS, appellant_type=AppellantType.PUBLISHER, reasons=REASONS, contact="a@b.example"
        )

    def test_what_they_wrote_is_shown_on_asking(self, desk: Desk, appeal: Appeal, sam: User) -> None:
        client = desk.at(sam)
        assert appeal.ref in text_of(client.get("/appeals/"))
        hidden, shown = client.get(f"/appeals/{appeal.pk}/"), client.post(f"/appeals/{appeal.pk}/show/")
        assert REASONS not in text_of(hidden) and "zorblat" not in text_of(hidden)
        assert REASONS in text_of(shown) and AuditEvent.objects.filter(code="content.revealed").count() == 1

    def test_who_took_part_does_not_decide(self, desk: Desk, appeal: Appeal) -> None:
        client = desk.at(desk.ben)
        assert "second person" in text_of(client.get(f"/appeals/{appeal.pk}/"))
        answer = client.post(f"/appeals/{appeal.pk}/decision/", {"outcome": "upheld", "notes": "x"})
        assert answer.status_code == 409 and Appeal.objects.get().is_open

    def test_an_appeal_with_only_a_number_is_given_its_entry(self, desk: Desk, entry: ListEntry, sam: User) -> None:
        appeal = do_file_appeal(block_reference="0000-00G5-H38J", reasons=REASONS)
        client, address = desk.at(sam), f"/appeals/{appeal.pk}/"
        assert "tells edition and time" in text_of(client.get(address))
        assert client.post(f"{address}entry/", {"number": "zorblat"}).status_code == 422
        assert "no entry in force" in text_of(client.post(f"{address}entry/", {"number": "77"}))
        answer = client.post(f"{address}decision/", {"outcome": "upheld", "notes": "x"})
        assert answer.status_code == 409 and "name the entry" in text_of(answer)
        named = client.post(f"{address}entry/", {"number": str(entry.number)}, follow=True)
        assert "you took no part" in text_of(named)
        assert "second person" in text_of(desk.at(desk.ben).get(address))
        client.post(f"{address}decision/", {"outcome": "upheld", "notes": "x"})
        assert ListEntry.objects.get().tombstone

    def test_upheld_withdraws(self, desk: Desk, appeal: Appeal, entry: ListEntry, sam: User) -> None:
        client, address = desk.at(sam), f"/appeals/{appeal.pk}/decision/"
        assert client.get(address).status_code == 302
        whole = {"outcome": "upheld", "notes": "x"}
        for form in ({}, {"outcome": "upheld"}, {**whole, "outcome": "zorblat"}, {**whole, "outcome": "partly_upheld"},
                     {**whole, "police_view": "zorblat"}, {**whole, "more": "1"}):  # fmt: skip
            assert client.post(address, form).status_code == 422
        assert "is decided" in text_of(client.post(address, {"outcome": "upheld", "notes": "quimber"}, follow=True))
        entry.refresh_from_db()
        assert entry.removed_reason == "appeal_upheld" and not entry.review_due
        assert client.post(address, {"outcome": "upheld", "notes": "x"}).status_code == 409
        assert client.get("/appeals/?view=decided").context["page"].paginator.count == 1
        assert client.get("/appeals/").context["page"].paginator.count == 0

    def test_partly_upheld_withdraws_what_was_ticked(self, desk: Desk, sam: User) -> None:
        report = desk.waiting_for_ben()
        do_list(desk.ben, report, [page(SECRET_ADDRESS), *of_media([seen_picture(report)])])
        appeal = do_file_appeal(address=SECRET_ADDRESS, reasons=REASONS)
        number = appeal.entries.get().number
        form = {"outcome": "partly_upheld", "notes": "x", "entries": [str(number)], "police_view": "not_criminal"}
        desk.at(sam).post(f"/appeals/{appeal.pk}/decision/", form)
        assert list(ListEntry.objects.filter(tombstone=True).values_list("number", flat=True)) == [number]

    def test_not_upheld_stays(self, desk: Desk, appeal: Appeal, entry: ListEntry, sam: User) -> None:
        desk.at(sam).post(f"/appeals/{appeal.pk}/decision/", {"outcome": "not_upheld", "notes": "quimber"})
        assert not ListEntry.objects.get().tombstone and Appeal.objects.get().outcome == "not_upheld"


class TestOversight:
    def test_statistics_have_charts_with_tables(self, desk: Desk, entry: ListEntry) -> None:
        answer = text_of(desk.at(desk.anna).get("/statistics/"))
        assert answer.count("<figure>") >= 4 and answer.count("<figure>") <= answer.count("<table>")

    def test_the_auditor_reads_and_verifies_the_log(self, desk: Desk, entry: ListEntry, make_user: Callable[..., User]) -> None:
        client = desk.at(make_user(Role.AUDITOR))
        assert "entry.added" in text_of(client.get("/audit/")) and "zorblat" not in text_of(client.get("/audit/"))
        assert client.get("/audit/?code=entry.added").context["page"].paginator.count == 1
        assert client.get("/audit/?code=zorblat&page=-3").status_code == 200
        assert "The chain is whole" in text_of(client.post("/audit/verify/"))

    def test_an_alteration_is_found(self, desk: Desk, entry: ListEntry, make_user: Callable[..., User]) -> None:
        from django.db import connection

        with connection.cursor() as cursor:
            cursor.execute("UPDATE audit_auditevent SET actor = 'user:zed' WHERE seq = 3")
        answer = text_of(desk.at(make_user(Role.AUDITOR)).post("/audit/verify/"))
        assert "does not fit" in answer and "Event 3" in answer
