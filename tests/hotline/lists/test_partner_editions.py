"""From an agreement to a partner's own copy in the published editions, and away again; withdrawals publish themselves."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from pyrage import x25519
from tests.hotline.lists.cases import PAGE, listed, make_lists

from vigil.base.clock import FixedClock
from vigil.base.redaction import Sealed
from vigil.editions import selftest
from vigil.editions.folder import reader_of
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.load import read_edition
from vigil.editions.model import ListKind
from vigil.editions.partners import partners_of
from vigil.editions.verify import verify
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.lists.actions import Policy, do_change_list, do_create_list
from vigil.hotline.lists.enumerations import EntryReason, LivePolicy, RemovedReason
from vigil.hotline.lists.models import List, ListEntry, Publication
from vigil.hotline.lists.office import Office
from vigil.hotline.lists.proposed import KeywordProposal, do_approve_proposal, do_propose_entry
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.withdrawals import do_withdraw_entry
from vigil.hotline.partners.agreements import (
    Terms,
    do_approve_agreement,
    do_propose_agreement,
    do_propose_partner,
    do_stop_partner,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Partner
from vigil.hotline.reports.captures import do_allow_captures
from vigil.hotline.reports.models.capture import Capture, CaptureStatus


@pytest.fixture
def people(make_user: Callable[..., User], clock: FixedClock, settings: Any) -> dict[str, User]:
    lists = msgspec.structs.replace(settings.CONFIG.lists, canary_domains=("grelm.example",), mark_positions=64)
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, lists=lists)
    make_lists()
    roles = {"anna": Role.ANALYST, "lin": Role.SECOND_REVIEWER, "paula": Role.LIST_PUBLISHER, "sam": Role.SUPERVISOR}
    return {name: make_user(role, username=name) for name, role in roles.items()}


@pytest.fixture
def keys(tmp_path: Path, clock: FixedClock) -> KeyRing:
    return create_keys(tmp_path / "keys", clock.now())


@pytest.fixture
def office(db: None, tmp_path: Path, keys: KeyRing) -> Office:
    made = Office(tmp_path / "editions", keys, tmp_path / "workshop")
    made.start()
    return made


IDENTITY = x25519.Identity.generate()


@pytest.fixture
def partner(people: dict[str, User], clock: FixedClock) -> Partner:
    do_create_list(OPERATOR, "words", ListKind.KEYWORD)
    made = do_propose_partner(people["paula"], "Quimber Net", PartnerKind.ISP, recipient=str(IDENTITY.to_public()))
    terms = Terms("r", ("urls", "words"), clock.now(), clock.now() + timedelta(days=9), "Somebody")
    do_approve_agreement(people["sam"], do_propose_agreement(people["paula"], made, terms))
    return made


def branch(tmp_path: Path, partner: Partner) -> dict[str, bytes]:
    """The files of a partner's branch, opened with its own key."""
    folder = tmp_path / "editions" / "targets" / "partners" / partner.code
    return {path.name.split(".", 1)[1].removesuffix(".age"): decrypt_file(path) for path in folder.iterdir()}


def decrypt_file(path: Path) -> bytes:
    import pyrage

    return bytes(pyrage.decrypt(path.read_bytes(), [IDENTITY]))


def test_an_agreement_becomes_an_encrypted_marked_copy_in_the_same_publication(
    office: Office, partner: Partner, people: dict[str, User], tmp_path: Path, clock: FixedClock
) -> None:
    listed(people["anna"], people["lin"])
    target = List.objects.get(name="words")
    proposal = do_propose_entry(
        people["anna"], target, KeywordProposal(Sealed("zorblat")), EntryReason.EVIDENCE_OF_NEED, "Seen twice."
    )
    do_approve_proposal(people["lin"], proposal)
    do_request_publication(people["paula"])
    done = office.work()
    assert done is not None and done.state == "published", done and done.error_text
    files = branch(tmp_path, partner)
    assert {"edition.json", "urls.parquet", "keywords.json", "keywords-selftest.json"} <= set(files)
    manifest = json.loads(files["edition.json"])
    assert [each["name"] for each in manifest["lists"]] == ["urls", "words", "selftest"]
    assert manifest["counts"]["scopes"]["url"] > 8
    (term,) = json.loads(files["keywords.json"])["terms"]
    assert term["text"] == "zorblat" and term["entry"] != ListEntry.objects.get(signal="keyword").number
    everything = b"".join(path.read_bytes() for path in (tmp_path / "editions").rglob("*") if path.is_file())
    assert b"zorblat" not in everything and PAGE.encode() not in everything and b"Quimber" not in everything
    assert verify(tmp_path / "editions", root=None, now=clock.now()).ok
    house = read_edition(reader_of(tmp_path / "editions"))
    assert any("canary" in labels for labels in house.urls.labels.sets)


def test_a_partner_without_a_public_key_gets_no_copy(
    office: Office, partner: Partner, people: dict[str, User], tmp_path: Path
) -> None:
    Partner.objects.update(recipient="")
    do_request_publication(people["paula"])
    assert office.work() is not None
    assert not (tmp_path / "editions" / "targets" / "partners").exists()


def test_a_stopped_partner_leaves_the_published_editions_with_the_offices_next_step(
    office: Office, partner: Partner, people: dict[str, User], keys: KeyRing, clock: FixedClock, tmp_path: Path
) -> None:
    do_request_publication(people["paula"])
    office.work()
    assert partners_of(keys.folder) == (partner.code,)
    office.drop_partners()
    assert partners_of(keys.folder) == (partner.code,)
    do_stop_partner(people["sam"], partner, "Leaked.")
    office.drop_partners()
    assert partners_of(keys.folder) == ()
    assert verify(tmp_path / "editions", root=None, now=clock.now()).ok
    assert Publication.objects.count() == 1


def test_an_agreement_that_is_over_takes_the_branch_along(
    office: Office, partner: Partner, people: dict[str, User], keys: KeyRing, clock: FixedClock
) -> None:
    do_request_publication(people["paula"])
    office.work()
    clock.advance(days=9)
    office.keep_fresh()
    assert partners_of(keys.folder) == ()


def test_a_withdrawal_by_one_person_is_an_edition_without_waiting_for_anybody(
    office: Office, people: dict[str, User], tmp_path: Path, clock: FixedClock
) -> None:
    entry = listed(people["anna"], people["lin"]).entries.get()
    do_request_publication(people["paula"])
    office.work()
    assert entry.number in read_edition(reader_of(tmp_path / "editions")).urls.entries
    clock.advance(seconds=1)
    do_withdraw_entry(people["lin"], entry, RemovedReason.ERROR)
    done = office.work()
    assert done is not None and (done.state, done.removed) == ("published", 1)
    assert entry.number not in read_edition(reader_of(tmp_path / "editions")).urls.entries
    entry.refresh_from_db()
    assert entry.tombstone and entry.review_due
    assert office.work() is None


def test_adding_never_publishes_by_itself(office: Office, people: dict[str, User]) -> None:
    listed(people["anna"], people["lin"])
    assert office.work() is None


# ---- live re-checks


def seen(entry: ListEntry, clock: FixedClock, status: int | None = 200) -> None:
    """A capture of the page of an entry that has just ended."""
    assert entry.decision is not None
    report = entry.decision.report
    url = report.submissions.get().url
    Capture.objects.create(
        url=url, report=report, legal_basis="x", created_by="x", finished_at=clock.now(), http_status=status,
        status=CaptureStatus.DONE if status else CaptureStatus.FAILED,
    )  # fmt: skip


@pytest.fixture
def watched(people: dict[str, User], settings: Any, clock: FixedClock) -> ListEntry:
    from vigil.hotline.settings.config import Capture as CaptureTable

    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=CaptureTable("http://127.0.0.1:9"))
    do_allow_captures(OPERATOR, "Section 1 of the made-up act")
    policy = Policy(live_hours=24, live_policy=LivePolicy.LEAVE_OUT)
    do_change_list(OPERATOR, List.objects.get(name="urls"), policy)
    return listed(people["anna"], people["lin"]).entries.get()


def rows(office: Office, people: dict[str, User], tmp_path: Path) -> list[tuple[str, ...]]:
    do_request_publication(people["paula"])
    office.work()
    edition = read_edition(reader_of(tmp_path / "editions"))
    return [edition.urls.labels.of(row) for row, number in enumerate(edition.urls.entries) if number < selftest.FIRST_ENTRY]


def test_an_entry_nobody_has_seen_for_longer_than_its_window_is_left_out_until_it_is_seen_again(
    office: Office, watched: ListEntry, people: dict[str, User], clock: FixedClock, tmp_path: Path
) -> None:
    assert len(rows(office, people, tmp_path)) == 1
    clock.advance(hours=25)
    assert rows(office, people, tmp_path) == []
    seen(watched, clock, 404)
    assert rows(office, people, tmp_path) == []
    clock.advance(minutes=1)
    seen(watched, clock)
    assert len(rows(office, people, tmp_path)) == 1
    watched.refresh_from_db()
    assert watched.last_live_at == watched.last_check_at == clock.now() and not watched.tombstone


def test_or_flagged_where_the_policy_says_so(
    office: Office, watched: ListEntry, people: dict[str, User], clock: FixedClock, tmp_path: Path
) -> None:
    do_change_list(OPERATOR, List.objects.get(name="urls"), Policy(live_hours=24, live_policy=LivePolicy.FLAG))
    assert rows(office, people, tmp_path) == [()]
    clock.advance(hours=25)
    assert rows(office, people, tmp_path) == [("not_rechecked",)]


def test_without_a_configured_proxy_nothing_is_asked_and_nothing_left_out(
    office: Office, watched: ListEntry, people: dict[str, User], clock: FixedClock, tmp_path: Path, settings: Any
) -> None:
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, capture=None)
    clock.advance(hours=100)
    office.keep_fresh()
    assert len(rows(office, people, tmp_path)) == 1 and not Capture.objects.exists()


def test_the_office_asks_for_captures_when_half_of_the_window_is_over(
    office: Office, watched: ListEntry, clock: FixedClock
) -> None:
    office.keep_fresh()
    assert not Capture.objects.exists()
    clock.advance(hours=13)
    office.keep_fresh()
    office.keep_fresh()
    capture = Capture.objects.get()
    assert (capture.status, capture.created_by) == ("requested", "system:office")
