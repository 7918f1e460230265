"""From the office to partners: their copies beside the edition, the release person's signature, and the kill switch."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from tests.hotline.lists.cases import PAGE, listed

from vigil.base.clock import FixedClock
from vigil.editions.cipher import Identity, new_identity
from vigil.editions.client import EditionClient, EditionRefused
from vigil.editions.draft import root_of, sign_draft
from vigil.editions.keys import KeyRing, create_keys, signer_at
from vigil.editions.load import load_edition
from vigil.editions.partners import partners_of
from vigil.editions.publish import current_number
from vigil.editions.verify import verify
from vigil.hotline.access.models import User
from vigil.hotline.lists.office import Office
from vigil.hotline.lists.publications import do_request_publication
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


@pytest.fixture
def keys(tmp_path: Path, clock: FixedClock) -> KeyRing:
    return create_keys(tmp_path / "keys", clock.now())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "editions"


@pytest.fixture
def identity() -> Identity:
    return Identity(new_identity())


@pytest.fixture
def partner(identity: Identity, paula: User, sam: User, clock: FixedClock) -> Partner:
    found = do_propose_partner(paula, "Quimber Networks", PartnerKind.ISP, recipient=identity.recipient)
    start = clock.now()
    terms = Terms(reference="Z-1", lists=("urls",), starts_at=start, ends_at=start + timedelta(days=30), people="Quim Zorblat")
    do_approve_agreement(sam, do_propose_agreement(paula, found, terms))
    return found


def office_of(repository: Path, keys: KeyRing) -> Office:
    office = Office(repository, keys)
    office.start()
    return office


def sound(repository: Path, keys: KeyRing, clock: FixedClock) -> None:
    assert verify(repository, root=keys.roots[0], now=clock.now()).problems == ()


def test_a_partner_gets_its_copy_with_the_edition_and_nothing_after_it_was_stopped(
    repository: Path, keys: KeyRing, clock: FixedClock, anna: User, lin: User, paula: User,
    partner: Partner, identity: Identity, tmp_path: Path,
) -> None:  # fmt: skip
    listed(anna, lin)
    office = office_of(repository, keys)
    do_request_publication(paula)
    done = office.work()
    assert done is not None and done.state == "published"
    sound(repository, keys, clock)
    node = EditionClient(str(repository), tmp_path / "node", keys.root, part=f"partners/{partner.code}", identity=identity)
    assert node.pull(clock.now()).number == 1
    edition = load_edition(tmp_path / "node", identity)
    assert [info.name for info in edition.lists] == ["urls", "selftest"] and len(edition.urls.entries) >= 1
    assert PAGE.encode() not in b"".join(path.read_bytes() for path in repository.rglob("*") if path.is_file())
    do_stop_partner(paula, partner, "A copy was found elsewhere.")
    office.work()
    assert keys.folder is not None and partners_of(keys.folder) == ()
    with pytest.raises(EditionRefused) as found:
        node.pull(clock.now())
    assert found.value.code == "withdrawn"
    sound(repository, keys, clock)


def test_with_the_release_key_at_its_person_the_office_waits_for_the_signature(
    repository: Path, keys: KeyRing, clock: FixedClock, anna: User, lin: User, paula: User, tmp_path: Path
) -> None:
    assert keys.folder is not None
    person = tmp_path / "person"
    person.mkdir(mode=0o700)
    (keys.folder / "release.pem").rename(person / "release.pem")
    office = office_of(repository, KeyRing.load(keys.folder))
    listed(anna, lin)
    do_request_publication(paula)
    waiting = office.work()
    assert waiting is not None and (waiting.state, waiting.number) == ("awaiting", 1)
    assert office.work() is None and current_number(repository) is None

    do_request_publication(paula)
    newer = office.work()
    assert newer is not None and (newer.state, newer.number) == ("awaiting", 2)
    waiting.refresh_from_db()
    assert (waiting.state, waiting.error_code) == ("failed", "superseded")
    assert [path.name for path in (tmp_path / "drafts").iterdir()] == ["2"]

    clock.advance(hours=30)
    office.keep_fresh()  # asks for nothing while a draft waits
    assert office.work() is None

    root = root_of(keys.root)
    sign_draft(tmp_path / "drafts" / "2", signer_at(person / "release.pem", root), root)
    restarted = office_of(repository, KeyRing.load(keys.folder))
    done = restarted.work()
    assert done is not None and (done.state, done.number) == ("published", 2)
    assert current_number(repository) == 2 and not list((tmp_path / "drafts").iterdir())
    sound(repository, keys, clock)
