"""What imported entries are used for: nothing without two people; then shown before viewing, or listed and let go again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hotline.conftest import DoorClient
from tests.hotline.partners.sources.desk import added, fetched, in_force

from vigil.base.errors import InputError, RefusedError
from vigil.editions.model import AuditAnchor, ListKind
from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC, WORKER
from vigil.hotline.access.roles import Role
from vigil.hotline.doors.console.known import known_address, known_files
from vigil.hotline.lists.actions import do_create_list
from vigil.hotline.lists.contents import contents_now
from vigil.hotline.lists.exchange.models import ImportedListing, ImportPolicy, PolicyUse
from vigil.hotline.lists.exchange.policies import (
    apply_all,
    do_approve_policy,
    do_end_policy,
    do_propose_policy,
    sources_to_match,
)
from vigil.hotline.lists.models import ListEntry
from vigil.hotline.partners.sources.models import Source, SourceKind
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Url
from vigil.hotline.reports.models.capture import Media

pytestmark = pytest.mark.django_db

HEADER = "id,type,value\n"


def digest(word: str) -> str:
    return hashlib.md5(word.encode()).hexdigest()


def rows(*words: str) -> str:
    return HEADER + "".join(f"{word},md5,{digest(word)}\n" for word in words) + "page,url,http://zorblat.example/a\n"


@pytest.fixture
def source(tmp_path: Path) -> Source:
    path = tmp_path / "list.csv"
    path.write_text(rows("zorblat", "quimber"))
    made = added(SourceKind.DELIMITED, str(path))
    fetched(made)
    return made


@pytest.fixture
def paula(make_user: Callable[..., User]) -> User:
    return make_user(Role.LIST_PUBLISHER, username="paula")


@pytest.fixture
def sam(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sam")


def agreed(source: Source, paula: User, sam: User, use: PolicyUse, **others: Any) -> ImportPolicy:
    return do_approve_policy(sam, do_propose_policy(paula, source, use, **others))


def test_nothing_is_used_until_two_people_agree(source: Source, paula: User, sam: User) -> None:
    policy = do_propose_policy(paula, source, PolicyUse.MATCH)
    assert sources_to_match() == [] and apply_all() == 0 and not ListEntry.objects.exists()
    for person in (paula, OPERATOR, PUBLIC):
        with pytest.raises(RefusedError):
            do_approve_policy(person, policy)
    do_approve_policy(sam, policy)
    assert sources_to_match() == [source]
    with pytest.raises(RefusedError):
        do_approve_policy(sam, policy)
    with pytest.raises(RefusedError):
        agreed(source, paula, sam, PolicyUse.MATCH)
    do_end_policy(sam, policy)
    assert sources_to_match() == []


def test_a_use_that_cannot_be_is_refused(source: Source, paula: User) -> None:
    pages = do_create_list(OPERATOR, "pages", ListKind.URL)
    for use, others in (
        (PolicyUse.LIST, {}), (PolicyUse.LIST, {"target": pages, "algorithms": ("md5",)}), (PolicyUse.MATCH, {"target": pages}),
    ):
        with pytest.raises(InputError):
            do_propose_policy(paula, source, use, **others)


def test_what_a_partner_assessed_is_met_before_anybody_looks(source: Source, paula: User, sam: User) -> None:
    do_submit_report(PUBLIC, Arrival("http://zorblat.example/a"))
    picture = Media.objects.create(
        sha256="a" * 63 + "b", sha1="a" * 39 + "b", md5=digest("zorblat"), size=3, mime="image/png", created_by=WORKER.label
    )
    url = Url.objects.get()
    assert known_address(url) == [] and known_files([picture])[picture.pk] == []
    agreed(source, paula, sam, PolicyUse.MATCH)
    assert [(each.list, each.by, each.imported) for each in known_address(url)] == [("delimited", "address", True)]
    assert [(each.list, each.by) for each in known_files([picture])[picture.pk]] == [("delimited", "md5")]


def test_an_imported_list_becomes_entries_and_goes_with_its_source(
    source: Source, paula: User, sam: User, tmp_path: Path
) -> None:
    target = do_create_list(OPERATOR, "pictures", ListKind.HASH_CSAM)
    policy = agreed(source, paula, sam, PolicyUse.LIST, target=target, algorithms=("md5",))
    assert apply_all() == 2 and apply_all() == 0
    entries = ListEntry.objects.filter(tombstone=False)
    assert {entry.content.open() for entry in entries} == {digest("zorblat"), digest("quimber")}
    assert {(entry.reason, entry.added_by, entry.approved_by) for entry in entries} == {
        ("partner_assessed", paula.label, sam.label)
    }  # fmt: skip
    (tmp_path / "list.csv").write_text(rows("zorblat"))
    fetched(source)
    assert apply_all() == 1
    assert [entry.content.open() for entry in ListEntry.objects.filter(tombstone=False)] == [digest("zorblat")]
    do_end_policy(paula, policy)
    assert apply_all() == 1
    assert not ListEntry.objects.filter(tombstone=False).exists()
    assert ImportedListing.objects.count() == 2
    assert len(in_force(source)) == 2


def test_imported_pdq_entries_match_within_the_distance_of_their_list(
    source: Source, paula: User, sam: User, tmp_path: Path
) -> None:
    """The same value on two lists: each edition entry carries the distance of its own list, whatever the source thinks near."""
    code = hashlib.sha256(b"zorblat").hexdigest()
    for name, distance in (("strict", 8), ("wide", 31)):
        path = tmp_path / f"{name}.csv"
        path.write_text(f"{HEADER}{name},pdq,{code}\n")
        other = added(SourceKind.DELIMITED, str(path), name)
        fetched(other)
        target = do_create_list(OPERATOR, name, ListKind.HASH_CSAM, max_distance=distance)
        agreed(other, paula, sam, PolicyUse.LIST, target=target, algorithms=("pdq",))
    assert apply_all() == 2
    contents = contents_now(now(), AuditAnchor(0, "0" * 64))
    distances = {info.name: info.max_distance for info in contents.lists}
    assert {(entry.list, distances[entry.list], entry.value.hex()) for entry in contents.hashes} == {
        ("strict", 8, code), ("wide", 31, code)
    }  # fmt: skip


def test_the_console_shows_sources_and_takes_uses(
    source: Source, paula: User, sam: User, console_client: Callable[..., DoorClient], tmp_path: Path
) -> None:
    (tmp_path / "list.csv").write_bytes(rows("zorblat").encode() + b"\xff\xfe,md5,x\n")
    fetched(source)
    publisher, supervisor = console_client(paula), console_client(sam)
    assert "delimited" in publisher.get("/sources/").content.decode()
    address = f"/sources/{source.pk}/"
    page = publisher.get(address).content.decode()
    assert "line 4" in page and "not text in UTF-8" in page and "Fetched without error" in page
    assert digest("zorblat") not in page
    assert publisher.post(f"{address}propose/", {"use": "match"}).status_code == 302
    [policy] = ImportPolicy.objects.all()
    assert publisher.post(f"{address}approve/", {"policy": str(policy.pk)}).status_code in (302, 403)
    assert sources_to_match() == []
    assert supervisor.post(f"{address}approve/", {"policy": str(policy.pk)}).status_code == 302
    assert sources_to_match() == [source]
    supervisor.post(f"{address}end/", {"policy": str(policy.pk)})
    assert sources_to_match() == []
