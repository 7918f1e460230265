"""Many rows at once: what is written is what is read again, whatever signs it holds, on either database."""

from __future__ import annotations

import gc
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from vigil.base.errors import InputError
from vigil.hotline.access.entity import new_ids
from vigil.hotline.partners.sources import rows
from vigil.hotline.partners.sources.ahead import fewer_collections, shorter_turns
from vigil.hotline.partners.sources.fingerprints import digest_of, digests_of_all, fingerprint
from vigil.hotline.partners.sources.keeping import ENTRY_FIELDS
from vigil.hotline.partners.sources.models import ImportedEntry, ImportedFingerprint, ImportedPage, Source

MOMENT = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
AWKWARD = ("plain", 'quo"te', "back\\slash", "\\N", "tab\there", "line\nend\r", "{brace,}", "NULL", "zörblat\u2028", "'")

pytestmark = pytest.mark.django_db


def _page() -> ImportedPage:
    source = Source.objects.create(name="desk", kind="ncmec", address="http://127.0.0.1:1", created_by="test")
    return ImportedPage.objects.create(source=source, name="one", content="")


def test_awkward_texts_times_and_bytes_come_back_and_are_found_by_their_names() -> None:
    page, ids = _page(), new_ids(len(AWKWARD))
    times = [None if place % 3 else MOMENT + timedelta(microseconds=place) for place in range(len(AWKWARD))]
    rows.insert(
        ImportedEntry, ENTRY_FIELDS,
        (
            (ids[place], page.source_id, key, "image", "", key, place % 2 == 1, times[place], MOMENT, MOMENT, 1, page.pk, place,
             bytes([place, 0, 92, 9]))
            for place, key in enumerate(AWKWARD)
        ),
    )  # fmt: skip
    found = ImportedEntry.objects.order_by("position").values_list("pk", "key", "labels", "gone", "changed_at", "digest")
    assert [(pk, key, labels, gone, at, bytes(digest)) for pk, key, labels, gone, at, digest in found] == [
        (ids[place], key, key, place % 2 == 1, times[place], bytes([place, 0, 92, 9])) for place, key in enumerate(AWKWARD)
    ]
    asked = ImportedEntry.objects.filter(source=page.source_id, key__in=rows.among([*AWKWARD, "absent"]))
    assert sorted(asked.values_list("key", flat=True)) == sorted(AWKWARD)
    assert not ImportedEntry.objects.filter(key__in=rows.among([])).exists()


def test_no_rows_and_rows_that_are_all_alike() -> None:
    page, ids = _page(), new_ids(3)
    rows.insert(ImportedFingerprint, ("entry", "algorithm", "digest"), ())
    assert not ImportedFingerprint.objects.exists()
    rows.insert(ImportedFingerprint, ("entry", "algorithm", "digest"), [(ids[0], "a\\b", b"\\x00")] * 3)
    assert [(row.entry_id, row.algorithm, bytes(row.digest)) for row in ImportedFingerprint.objects.all()] == [
        (ids[0], "a\\b", b"\\x00")
    ] * 3
    assert page.pk


def test_sealed_pages_are_stored_without_trying_to_make_them_smaller() -> None:
    if connection.vendor != "postgresql":  # elsewhere nothing is ever tried
        assert ImportedPage.objects.count() == 0
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT attstorage FROM pg_attribute WHERE attrelid = %s::regclass AND attname = 'content'",
            [ImportedPage._meta.db_table],
        )
        assert cursor.fetchone() == ("e",)


def test_the_collector_is_as_before_after_a_feed_and_after_a_failed_one() -> None:
    before = gc.get_threshold()
    with fewer_collections():
        assert gc.get_threshold()[0] > before[0]
    with pytest.raises(InputError), fewer_collections():
        raise InputError("zorblat", "Nonsense.")
    assert gc.get_threshold() == before


def test_turns_are_as_before_after_a_feed_and_after_a_failed_one() -> None:
    before = sys.getswitchinterval()
    with shorter_turns():
        assert sys.getswitchinterval() < before / 2
    with pytest.raises(InputError), shorter_turns():
        raise InputError("zorblat", "Nonsense.")
    assert sys.getswitchinterval() == before


def test_rows_written_out_by_another_thread_are_added_by_this_one() -> None:
    page, ids = _page(), new_ids(3)
    some = [(each, "md5", bytes([place])) for place, each in enumerate(ids)]
    with ThreadPoolExecutor(1) as thread:
        ready = thread.submit(rows.written, ImportedFingerprint, ("entry", "algorithm", "digest"), some).result()
    assert not ImportedFingerprint.objects.exists()
    rows.add(ready)
    kept = ImportedFingerprint.objects.order_by("pk").values_list("entry_id", "algorithm", "digest")
    assert [(pk, name, bytes(digest)) for pk, name, digest in kept] == some
    assert page.pk


def test_digests_of_many_are_those_of_each() -> None:
    address = "http://Quimber.example/a/../b"
    found = [
        fingerprint("md5", "0a" * 16), fingerprint("url", address), fingerprint("zorblat", "0A"),
        fingerprint("host", "Quimber.example"), fingerprint("sha1", "0b" * 20),
    ]  # fmt: skip
    assert digests_of_all(found) == [digest_of(each.algorithm, each.value) for each in found]
    assert len(set(digests_of_all(found))) == len(found)
