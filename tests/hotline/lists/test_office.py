"""The office: what is asked for is built, signed and published, whenever and however often it is killed."""

from __future__ import annotations

import ast
import hashlib
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.hotline.lists.cases import PAGE, held_case, listed, page, seen_picture

from vigil.base.clock import FixedClock
from vigil.base.errors import RefusedError, UnavailableError
from vigil.editions import publish as publishing
from vigil.editions import selftest
from vigil.editions.folder import reader_of
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.load import read_edition
from vigil.editions.model import Edition
from vigil.editions.publish import current_number
from vigil.editions.verify import verify as verify_edition
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OFFICE
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify as verify_audit
from vigil.hotline.lists import office as office_module
from vigil.hotline.lists.actions import do_list
from vigil.hotline.lists.anchors import anchor_in
from vigil.hotline.lists.enumerations import RemovedReason
from vigil.hotline.lists.exchange import journal
from vigil.hotline.lists.exchange.models import ExchangeRound
from vigil.hotline.lists.models import ListEntry, Publication
from vigil.hotline.lists.office import Office, next_number
from vigil.hotline.lists.proposals import of_media
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.queries import changes_since_last, last_published, media_of
from vigil.hotline.lists.withdrawals import do_withdraw_entry
from vigil.match.urls import Scope, canonical, entry_key

pytestmark = pytest.mark.usefixtures("lists", "clock")

SOURCE = Path(__file__).parents[3] / "src" / "vigil"


class Killed(BaseException):
    """Stands for kill -9: nobody catches it."""


@pytest.fixture(autouse=True)
def without_test_list(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """These tests count entries; the benign test list of every edition has a test of its own."""
    if "test_list" not in request.node.name:
        monkeypatch.setattr(selftest, "added_to", lambda contents: contents)


@pytest.fixture
def keys(tmp_path: Path, clock: FixedClock) -> KeyRing:
    return create_keys(tmp_path / "keys", clock.now())


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "editions"


@pytest.fixture
def office(repository: Path, keys: KeyRing) -> Office:
    made = Office(repository, keys)
    made.start()
    return made


def in_force(repository: Path) -> Edition:
    return read_edition(reader_of(repository))


def sound(repository: Path, clock: FixedClock) -> bool:
    report = verify_edition(repository, root=None, now=clock.now())
    assert report.ok, report.problems
    return verify_audit([anchor_in(repository)]).ok


def test_a_request_becomes_an_edition(
    office: Office, repository: Path, clock: FixedClock, anna: User, lin: User, paula: User
) -> None:
    case = held_case(anna, lin)
    seen_picture(case)
    do_list(lin, case, [page(), *of_media(media_of(case))])
    asked = do_request_publication(paula)
    done = office.work()
    assert done is not None and done.pk == asked.pk
    assert (done.state, done.number, done.urls, done.hashes, done.added, done.removed) == ("published", 1, 1, 4, 5, 0)
    assert done.counts == {"urls": 1, "urls-np": 0, "hashes": 4, "hashes-ai": 0, "hashes-np": 0}
    edition = in_force(repository)
    assert edition.number == 1
    assert [bytes(key) for key in edition.urls.keys] == [entry_key(Scope.URL, canonical(PAGE))]
    assert sorted(edition.hashes) == ["md5", "pdq", "sha1", "sha256"]
    assert edition.hashes["sha256"].values.tobytes() == hashlib.sha256(b"zorblat").digest()
    assert set(edition.urls.entries) == {ListEntry.objects.get(signal="url").number}
    assert sound(repository, clock)


def test_nothing_asked_nothing_done(office: Office, repository: Path) -> None:
    assert office.work() is None
    assert current_number(repository) is None


def test_two_who_ask_share_one_edition(office: Office, paula: User) -> None:
    assert do_request_publication(paula) == do_request_publication(OFFICE)
    assert office.work() is not None
    assert office.work() is None
    assert AuditEvent.objects.filter(code="publication.requested").count() == 1


def test_only_publishers_ask(anna: User, lin: User, sam: User) -> None:
    for person in (anna, lin, sam):
        with pytest.raises(RefusedError):
            do_request_publication(person)


def test_a_withdrawn_entry_is_absent_from_the_next_edition(
    office: Office, repository: Path, clock: FixedClock, anna: User, lin: User, paula: User
) -> None:
    entry = listed(anna, lin).entries.get()
    do_request_publication(paula)
    office.work()
    clock.advance(minutes=1)
    do_withdraw_entry(paula, entry, RemovedReason.ERROR)
    assert changes_since_last(clock.now()) == (0, 1)
    do_request_publication(paula)
    done = office.work()
    assert done is not None and (done.number, done.urls, done.added, done.removed) == (2, 0, 0, 1)
    assert len(in_force(repository).urls.entries) == 0
    assert in_force(repository).previous == 1
    assert sound(repository, clock)


def test_an_expired_entry_is_absent_too(
    office: Office, repository: Path, clock: FixedClock, anna: User, lin: User, paula: User
) -> None:
    case = held_case(anna, lin)
    do_list(lin, case, [page()], expires_at=clock.now() + timedelta(hours=2))
    do_request_publication(paula)
    office.work()
    edition = in_force(repository)
    assert list(edition.urls.expires) == [int((clock.now() + timedelta(hours=2)).timestamp())]
    clock.advance(hours=2)
    assert changes_since_last(clock.now()) == (0, 1)
    do_request_publication(paula)
    office.work()
    assert len(in_force(repository).urls.entries) == 0


KILL_POINTS: list[tuple[str, Any, str]] = [
    ("begin", Office, "_begin"),
    ("build", office_module, "build_edition"),
    ("note digest", Office, "_build"),
    ("targets", publishing, "_write_branches"),
    ("snapshot", publishing, "_write_snapshot"),
    ("commit", publishing, "_commit"),
    ("publish", office_module, "publish"),
    ("journal", journal, "do_take"),
    ("finish", Office, "_finish"),
]
"""Where the office is killed: name, whose attribute, which attribute; before it runs and after it ran."""


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize(("name", "owner", "attribute"), KILL_POINTS, ids=[each[0] for each in KILL_POINTS])
def test_killed_anywhere_the_edition_is_old_or_new_never_half(
    monkeypatch: pytest.MonkeyPatch, repository: Path, keys: KeyRing, clock: FixedClock, make_user: Callable[..., User],
    when: str, name: str, owner: Any, attribute: str,
) -> None:  # fmt: skip
    from vigil.hotline.access.roles import Role

    anna, lin = make_user(Role.ANALYST), make_user(Role.SECOND_REVIEWER)
    paula = make_user(Role.LIST_PUBLISHER)
    office = Office(repository, keys)
    office.start()
    do_request_publication(paula)
    office.work()
    listed(anna, lin)
    do_request_publication(paula)
    original = getattr(owner, attribute)

    def killed(*arguments: Any, **options: Any) -> Any:
        if when == "after":
            original(*arguments, **options)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(owner, attribute, killed)
        office.work()
    before = in_force(repository)
    assert (before.number, len(before.urls.entries)) in {(1, 0), (2, 1)}
    content_then = {2: _manifest(repository)} if before.number == 2 else {}

    clock.advance(minutes=1)
    restarted = Office(repository, keys)
    restarted.start()
    assert verify_edition(repository, root=None, now=clock.now()).ok, "something half is left lying about"
    restarted.work()
    edition = in_force(repository)
    assert len(edition.urls.entries) == 1
    assert before.number == 1 or edition.number == 2, "what is in force is not published once more"
    assert content_then.get(edition.number, _manifest(repository)) == _manifest(repository)
    assert list(Publication.objects.values_list("state", flat=True)) == ["published", "published"]
    last = last_published()
    assert last is not None and last.number == edition.number
    assert restarted.work() is None
    assert sound(repository, clock)
    items, onward = journal.read(journal.HOUSE, "urls", clock.now() + timedelta(minutes=5), limit=10)
    assert [(item.gone, item.stamp) for item in items] == [(False, ExchangeRound.objects.get().stamp)] and onward is None


def _manifest(repository: Path) -> str:
    [name] = [path.name for path in (repository / "targets").glob("*.edition.json") if _is_current(repository, path)]
    return name


def _is_current(repository: Path, path: Path) -> bool:
    return f'"number": {current_number(repository)},' in path.read_text()


def test_a_number_is_never_given_out_twice(office: Office, paula: User, monkeypatch: pytest.MonkeyPatch) -> None:
    do_request_publication(paula)

    def killed(*arguments: Any, **options: Any) -> None:
        raise Killed

    for _ in range(3):
        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(office_module, "publish", killed)
            office.work()
        office.start()
    done = office.work()
    assert done is not None and done.number == 4
    given = [event.details for event in AuditEvent.objects.filter(code="publication.building")]
    assert given == [f'{{"number":{number}}}' for number in (1, 2, 3, 4)]


def test_an_edition_of_another_making_is_not_taken_for_ours(office: Office, paula: User, repository: Path) -> None:
    """A database that was put back to an older state does not claim what is on disk."""
    do_request_publication(paula)
    done = office.work()
    assert done is not None
    Publication.objects.filter(pk=done.pk).update(state="building", digest="0" * 64)
    office.start()
    assert Publication.objects.get().state == "requested"
    done = office.work()
    assert done is not None and done.number == 2


def test_the_number_is_above_disk_and_rows(db: None) -> None:
    assert next_number(None) == 1
    Publication.objects.create(created_by="x", number=7)
    assert next_number(3) == 8
    assert next_number(12) == 13


def test_a_build_that_never_ends_is_given_up(office: Office, paula: User, monkeypatch: pytest.MonkeyPatch) -> None:
    do_request_publication(paula)

    def killed(*arguments: Any, **options: Any) -> None:
        raise Killed

    monkeypatch.setattr(office_module, "publish", killed)
    for _ in range(5):
        with pytest.raises(Killed):
            office.work()
        office.start()
    assert Publication.objects.get().error_code == "gave_up"
    assert office.work() is None


def test_a_refused_build_is_said_and_the_office_goes_on(
    office: Office, repository: Path, clock: FixedClock, anna: User, lin: User, paula: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_request_publication(paula)
    with monkeypatch.context() as patch:
        patch.setattr(office_module, "publish", _raising(UnavailableError("publishing_busy", "Somebody else is publishing.")))
        failed = office.work()
    assert failed is not None and (failed.state, failed.error_code) == ("failed", "publishing_busy")
    assert current_number(repository) is None
    do_request_publication(paula)
    done = office.work()
    assert done is not None and (done.state, done.number) == ("published", 2)


def _raising(error: Exception) -> Callable[..., None]:
    def act(*arguments: Any, **options: Any) -> None:
        raise error

    return act


def test_a_broken_entry_fails_the_build_without_naming_its_content(
    office: Office, anna: User, lin: User, paula: User
) -> None:
    entry = listed(anna, lin).entries.get()
    ListEntry.objects.filter(pk=entry.pk).update(content="zorblat quimber")
    do_request_publication(paula)
    failed = office.work()
    assert failed is not None and failed.state == "failed"
    assert "zorblat" not in failed.error_text


def test_signatures_are_renewed_before_they_expire(office: Office, repository: Path, clock: FixedClock, paula: User) -> None:
    do_request_publication(paula)
    office.work()
    for _ in range(5):
        clock.advance(hours=11)
        office.keep_fresh()
        assert verify_edition(repository, root=None, now=clock.now()).ok
        office.work()


def test_an_old_edition_asks_for_a_new_one(office: Office, repository: Path, clock: FixedClock, paula: User) -> None:
    do_request_publication(paula)
    office.work()
    clock.advance(hours=17)
    office.keep_fresh()
    assert office.work() is None
    clock.advance(hours=1)
    office.keep_fresh()
    done = office.work()
    assert done is not None and (done.renewal, done.number, done.requested_by) == (True, 2, "system:office")


def test_a_broken_refresh_does_not_stop_the_office(office: Office, repository: Path, clock: FixedClock, paula: User) -> None:
    do_request_publication(paula)
    office.work()
    clock.advance(days=40)
    office.keep_fresh()
    done = office.work()
    assert done is not None and done.state == "published"
    assert verify_edition(repository, root=None, now=clock.now()).ok


def test_the_edition_remembers_the_audit_log(office: Office, repository: Path, paula: User) -> None:
    do_request_publication(paula)
    done = office.work()
    anchor = anchor_in(repository)
    assert done is not None and (anchor.events, anchor.head) == (done.audit_events, done.audit_head)
    assert AuditEvent.objects.get(seq=anchor.events).code == "publication.building"
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("UPDATE audit_auditevent SET actor = 'user:eve' WHERE seq = 1")
    assert not verify_audit([anchor]).ok


def test_the_loop_ends_when_told(
    office: Office, paula: User, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(office_module, "close_old_connections", lambda: None)  # a test is one transaction

    class AfterSome(threading.Event):
        rounds = 0

        def is_set(self) -> bool:
            self.rounds += 1
            return self.rounds > 4

    do_request_publication(paula)
    office.run(AfterSome(), poll=0.0)
    assert current_number(repository) == 1


def test_only_the_office_and_the_command_line_load_signing_keys() -> None:
    """The walls check imports between rooms; this one checks the files of the hotline, function bodies included."""
    allowed = {"hotline/lists/office.py", "hotline/lists/releases.py", "hotline/management/loops.py",
               "hotline/lists/partner_keys.py"}  # called by the command line alone: the doors cannot reach it (a wall)
    found = set()
    for path in (SOURCE / "hotline").rglob("*.py"):
        for statement in ast.walk(ast.parse(path.read_text())):
            names = [statement.module] if isinstance(statement, ast.ImportFrom) else []
            names += [alias.name for alias in statement.names] if isinstance(statement, ast.Import) else []
            if "vigil.editions.keys" in names:
                found.add(str(path.relative_to(SOURCE)))
    assert found == allowed


def test_the_test_list_is_in_every_edition(office: Office, repository: Path, paula: User) -> None:
    do_request_publication(paula)
    assert office.work() is not None
    edition = in_force(repository)
    assert edition.lists[-1].name == selftest.LIST
    assert set(edition.urls.entries) == {selftest.FIRST_ENTRY, selftest.FIRST_ENTRY + 1}
    assert edition.hashes["sha256"].values.tobytes() == hashlib.sha256(selftest.picture()).digest()
    assert edition.urls.labels.of(0) == (selftest.LABEL,)
