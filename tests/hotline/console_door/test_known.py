"""Match before view: exactly by digest, nearly by PDQ through the edition in force; and coverage in words."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.hotline.console_door.conftest import Desk
from tests.hotline.lists.cases import page, seen_picture

from vigil.hotline.access.clock import now
from vigil.hotline.access.people import OFFICE
from vigil.hotline.doors.console.known import EXACT, NEAR, known_address, known_files
from vigil.hotline.doors.console.scopes import coverages, shape_of
from vigil.hotline.lists.actions import do_list
from vigil.hotline.lists.models import ListEntry, Publication
from vigil.hotline.lists.proposals import of_media
from vigil.hotline.reports.models import Hash, Media, Report, Url
from vigil.match.urls import Scope, canonical


def url_of(report: Report) -> Url:
    url = report.submissions.get().url
    assert url is not None
    return url


def test_a_listed_address_is_known(desk: Desk) -> None:
    report = desk.waiting_for_ben("http://gallery.example/room/7?x=1")
    assert known_address(url_of(report)) == []
    do_list(desk.ben, report, [page("http://gallery.example/room/7", Scope.PAGE)])
    (known,) = known_address(url_of(report))
    assert (known.strength, known.by) == (EXACT, "this page, with any query")
    assert known_address(url_of(desk.reported("https://gallery.example/room/7?x=2"))) != []
    assert known_address(url_of(desk.reported("http://gallery.example/room/8"))) == []


def test_a_listed_file_is_known_exactly(desk: Desk) -> None:
    report = desk.waiting_for_ben()
    media = seen_picture(report)
    do_list(desk.ben, report, of_media([media]))
    found = known_files([media])[media.pk]
    assert {known.by for known in found} == {"md5", "sha1", "sha256", "pdq"} and {known.strength for known in found} == {EXACT}
    ListEntry.objects.update(tombstone=True, removed_at=now(), removed_reason="error")
    assert known_files([media])[media.pk] == []


def altered(media: Media, bits: int) -> Media:
    """Another file, whose PDQ differs from that of ``media`` in so many bits."""
    value = np.unpackbits(np.frombuffer(bytes.fromhex(media.hashes.get().value.open()), np.uint8))
    value[:bits] ^= 1
    other = seen_picture(Report.objects.order_by("created_at").first() or Report(), f"copy-{bits}")
    Hash.objects.filter(media=other).update(value=np.packbits(value).tobytes().hex())
    return Media.objects.get(pk=other.pk)


@pytest.fixture
def published(desk: Desk, tmp_path: Path, settings: Any) -> Media:
    """A listed picture in an edition that is in force."""
    from vigil.editions.build import build_edition
    from vigil.editions.keys import KeyRing, create_keys
    from vigil.editions.model import EditionContents, HashEntry, ListInfo
    from vigil.editions.publish import publish

    report = desk.waiting_for_ben()
    media = seen_picture(report)
    do_list(desk.ben, report, of_media([media]))
    row = ListEntry.objects.get(algorithm="pdq")
    entry = HashEntry(row.number, "hash-csam", "pdq", bytes.fromhex(row.content.open()), (), None)
    contents = EditionContents((ListInfo("hash-csam", "hash_csam", (), 31),), (), (entry,), None)
    built = build_edition(contents, number=1, previous=None, issued_at=now())
    create_keys(tmp_path / "keys", now())
    settings.EDITIONS = tmp_path / "editions"
    publish(settings.EDITIONS, built, KeyRing.load(tmp_path / "keys"), now())
    Publication.objects.create(state="published", number=1, created_by=OFFICE.label, finished_at=now())
    return media


@pytest.mark.parametrize(("bits", "known"), [(1, True), (31, True), (32, False)])
def test_a_near_copy_is_known_within_the_distance_of_the_list(published: Media, bits: int, known: bool) -> None:
    copy = altered(published, bits)
    found = known_files([copy])[copy.pk]
    assert [(one.strength, one.distance) for one in found] == ([(NEAR, bits)] if known else [])


def test_a_withdrawn_entry_is_not_known_although_the_edition_has_it(published: Media) -> None:
    copy = altered(published, 5)
    ListEntry.objects.update(tombstone=True, removed_at=now(), removed_reason="error")
    assert known_files([copy])[copy.pk] == []


def test_an_edition_that_cannot_be_read_spoils_nothing(published: Media, settings: Any, tmp_path: Path) -> None:
    settings.EDITIONS = tmp_path / "nowhere"
    copy = altered(published, 5)
    assert known_files([copy])[copy.pk] == []


def test_choices_from_the_narrowest_to_the_widest(desk: Desk) -> None:
    choices = coverages(url_of(desk.reported("http://a.gallery.example/room/7/x?y=1")))
    assert [(choice.code, choice.shape.open(), choice.wide) for choice in choices] == [
        ("url", "a.gallery.example/room/7/x?y=1", False),
        ("page", "a.gallery.example/room/7/x?…", False),
        ("prefix-0", "a.gallery.example/room/7/…", False),
        ("prefix-1", "a.gallery.example/room/…", False),
        ("host", "a.gallery.example/…", True),
        ("domain", "….a.gallery.example/…", True),
    ]
    for choice in choices:
        choice.proposal.canonical()


def test_an_ip_address_has_a_scope_of_its_own(desk: Desk) -> None:
    assert [choice.code for choice in coverages(url_of(desk.reported("http://192.0.2.7/")))] == ["url", "page", "ip"]
    assert shape_of(Scope.IP, canonical("http://192.0.2.7/x")) == "192.0.2.7/…"
