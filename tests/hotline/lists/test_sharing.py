"""What a partner gets: its lists and laws, until when, marked; and what the hotline keeps to trace it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from pyrage import x25519
from tests.hotline.lists.cases import AI, DRAWN, held_case, listed, page, seen_picture

from vigil.base.clock import FixedClock
from vigil.base.errors import RefusedError
from vigil.editions.export import Occasion, export_as
from vigil.editions.marks import CANARY, MarkBook
from vigil.editions.model import EditionContents
from vigil.editions.trace import trace_file
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE, OPERATOR
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.actions import do_list
from vigil.hotline.lists.contents import contents_now
from vigil.hotline.lists.marking import book_now, books, do_take_book, own_contents
from vigil.hotline.lists.models import List, ListEntry, MarkGeneration
from vigil.hotline.lists.numbers import own_number
from vigil.hotline.lists.proposals import of_media
from vigil.hotline.lists.queries import media_of
from vigil.hotline.lists.sharing import copies_now
from vigil.hotline.partners.agreements import (
    Terms,
    do_approve_agreement,
    do_propose_agreement,
    do_propose_partner,
    do_stop_partner,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Partner

pytestmark = pytest.mark.usefixtures("lists", "clock")


@pytest.fixture(autouse=True)
def canary_domains() -> Any:
    lists = replace_lists(canary_domains=("grelm.example", "static.pandor.example"), mark_positions=256)
    with override_settings(CONFIG=lists):
        yield


def replace_lists(**changes: Any) -> Any:
    import msgspec

    config = settings.CONFIG
    return msgspec.structs.replace(config, lists=msgspec.structs.replace(config.lists, **changes))


RECIPIENT = str(x25519.Identity.generate().to_public())


def held_now(clock: FixedClock) -> dict[str, EditionContents]:
    return {each.partner: each.contents for each in copies_now(OFFICE, contents_now(clock.now()), clock.now())}


@pytest.fixture
def agree(paula: User, sam: User, clock: FixedClock) -> Callable[..., Partner]:
    def made(title: str, *lists: str, jurisdictions: tuple[str, ...] = (), days: int = 30) -> Partner:
        partner = do_propose_partner(paula, title, PartnerKind.ISP, recipient=RECIPIENT)
        terms = Terms("ref", lists, clock.now(), clock.now() + timedelta(days=days), "Somebody", jurisdictions)
        do_approve_agreement(sam, do_propose_agreement(paula, partner, terms))
        return partner

    return made


def some_entries(anna: User, lin: User) -> None:
    listed(anna, lin)
    case = held_case(anna, lin, "http://drawn.example/1", DRAWN)
    seen_picture(case, "drawn")
    do_list(lin, case, [page("http://drawn.example/1"), *of_media(media_of(case))])
    case = held_case(anna, lin, "http://ai.example/1", AI)
    seen_picture(case, "ai")
    do_list(lin, case, of_media(media_of(case)))


def share_of(partner: Partner, clock: FixedClock) -> EditionContents:
    return held_now(clock)[partner.code]


def test_a_partner_gets_the_lists_of_its_agreement_and_no_other(
    anna: User, lin: User, agree: Callable[..., Partner], clock: FixedClock
) -> None:
    some_entries(anna, lin)
    isp, platform = agree("An ISP", "urls"), agree("A platform", "hashes", "hashes-np")
    assert {info.name for info in share_of(isp, clock).lists} == {"urls"}
    assert not share_of(isp, clock).hashes and share_of(isp, clock).urls
    held = share_of(platform, clock)
    assert {entry.list for entry in held.hashes} == {"hashes", "hashes-np"} and not held.urls


def test_a_partner_gets_entries_of_its_laws_and_those_for_every_law(
    anna: User, lin: User, agree: Callable[..., Partner], clock: FixedClock
) -> None:
    for number, codes in enumerate((["NL"], ["BE", "FR"], [])):
        entry = listed(anna, lin, f"http://zorblat-{number}.example/{number}").entries.get()
        ListEntry.objects.filter(pk=entry.pk).update(jurisdictions=codes)
    dutch, both, everything = agree("Dutch", "urls", jurisdictions=("NL",)), agree("Both", "urls"), agree("All", "urls")
    seen = {entry.url.host for entry in share_of(dutch, clock).urls if entry.url.host.startswith("zorblat-")}
    assert seen == {"zorblat-0.example", "zorblat-2.example"}
    for partner in (both, everything):
        assert sum(entry.url.host.startswith("zorblat-") for entry in share_of(partner, clock).urls) == 3


def test_an_agreement_that_is_over_or_stopped_gives_nothing(
    anna: User, lin: User, sam: User, agree: Callable[..., Partner], clock: FixedClock
) -> None:
    listed(anna, lin)
    ending, stopped = agree("Ending", "urls", days=3), agree("Stopped", "urls")
    do_stop_partner(sam, stopped, "Leaked.")
    shares = held_now(clock)
    assert set(shares) == {ending.code}
    clock.advance(days=3)
    assert held_now(clock) == {}


def test_a_share_is_marked_and_a_leaked_export_of_it_names_the_partner(
    anna: User, lin: User, sam: User, agree: Callable[..., Partner], clock: FixedClock, tmp_path: Path
) -> None:
    listed(anna, lin)
    one, other = agree("One", "urls"), agree("Other", "urls")
    held = share_of(one, clock)
    hosts = {entry.url.host for entry in held.urls} - {"gallery.example"}
    assert len(hosts) >= 8 and all(host.endswith((".grelm.example", ".static.pandor.example")) for host in hosts)
    assert hosts - {entry.url.host for entry in share_of(other, clock).urls}
    made = export_as("csv", held, Occasion(1, clock.now()))
    path = tmp_path / "found.csv"
    path.write_bytes(made.files["entries.csv"])
    found = trace_file(path, do_take_book(sam))
    assert [each.partner for each in found.named] == [one.code]
    assert AuditEvent.objects.filter(code="marks.taken").count() == 1


def test_the_numbers_of_a_share_are_translated_back(
    anna: User, lin: User, agree: Callable[..., Partner], clock: FixedClock
) -> None:
    entry = listed(anna, lin).entries.get()
    partner = agree("One", "urls")
    held = share_of(partner, clock)
    real = next(each for each in held.urls if each.url.host == "gallery.example")
    mark = next(each for each in held.urls if each.url.host != "gallery.example")
    assert real.entry != entry.number
    assert own_number(partner.code, real.entry, books()) == entry.number
    assert own_number(partner.code, mark.entry, books()) is None
    assert own_number("", entry.number, books()) == entry.number and own_number("", 4711, books()) is None


def test_the_hotlines_own_edition_has_the_marks_labelled_once_there_is_a_partner(
    anna: User, lin: User, agree: Callable[..., Partner], clock: FixedClock
) -> None:
    listed(anna, lin)
    whole = contents_now(clock.now())
    assert own_contents(OFFICE, whole) is whole and not MarkGeneration.objects.exists()
    agree("One", "urls")
    own = own_contents(OFFICE, whole)
    assert {CANARY in entry.labels for entry in own.urls} == {True, False}
    assert [entry for entry in own.urls if CANARY not in entry.labels] == list(whole.urls)


def test_older_books_are_kept_for_tracing_when_the_names_change(
    anna: User, lin: User, agree: Callable[..., Partner], clock: FixedClock, tmp_path: Path
) -> None:
    listed(anna, lin)
    partner = agree("One", "urls")
    before = share_of(partner, clock)
    with override_settings(CONFIG=replace_lists(canary_domains=("vornal.example",), mark_positions=64)):
        after = share_of(partner, clock)
    assert {entry.url.host.split(".", 1)[1] for entry in after.urls} == {"vornal.example", "example"}
    path = tmp_path / "old.txt"
    path.write_text("\n".join(entry.url.text() for entry in before.urls))
    new, old = books()
    assert not trace_file(path, new).named
    assert [each.partner for each in trace_file(path, old).named] == [partner.code]


def test_without_names_of_its_own_addresses_are_not_marked(
    anna: User, lin: User, agree: Callable[..., Partner], clock: FixedClock
) -> None:
    listed(anna, lin)
    partner = agree("One", "urls")
    with override_settings(CONFIG=replace_lists(canary_domains=())):
        assert [entry.url.host for entry in share_of(partner, clock).urls] == ["gallery.example"]


def test_only_who_may_stop_a_partner_takes_the_book(anna: User, paula: User) -> None:
    with pytest.raises(RefusedError):
        do_take_book(anna)
    with pytest.raises(RefusedError, match="no marks"):
        do_take_book(paula)


def test_the_key_of_a_book_lies_sealed(agree: Callable[..., Partner]) -> None:
    from django.db import connection

    book: MarkBook = book_now(OFFICE)
    with connection.cursor() as cursor:
        cursor.execute("SELECT key FROM lists_markgeneration")
        assert book.key.hex() not in str(cursor.fetchall())
    assert replace(book, partners=()) == replace(book_now(OFFICE), partners=())
    assert List.objects.count() == len(book.lists)


def test_the_operator_does_not_build(db: None) -> None:
    with pytest.raises(RefusedError):
        book_now(OPERATOR)
