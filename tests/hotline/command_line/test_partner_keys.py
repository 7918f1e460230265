"""``vigil hotline partner key | rotate | withdraw``: with a real office, real keys and the published folder checked whole."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyrage
import pytest
from pyrage import x25519
from tests.hotline.lists.cases import listed, make_lists
from typer.testing import CliRunner

from vigil.base.clock import FixedClock
from vigil.base.errors import RefusedError, VigilError
from vigil.cli.hotline import app
from vigil.editions.keys import KeyRing, create_keys
from vigil.editions.partners import digest_keys_of, partners_of
from vigil.editions.verify import verify
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.models import Publication
from vigil.hotline.lists.office import Office
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.lists.recipients import do_change_recipient
from vigil.hotline.management import boot
from vigil.hotline.partners.actions import do_enrol_node
from vigil.hotline.partners.agreements import (
    Terms,
    do_approve_agreement,
    do_propose_agreement,
    do_propose_partner,
    do_resume_partner,
    do_stop_partner,
)
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Node, Partner
from vigil.hotline.partners.recipients import changes_waiting, do_take_up_recipient


@pytest.fixture
def people(make_user: Callable[..., User], clock: FixedClock, settings: Any, monkeypatch: pytest.MonkeyPatch) -> dict[str, User]:
    monkeypatch.setattr(boot, "start", lambda door: None)
    lists = msgspec.structs.replace(settings.CONFIG.lists, canary_domains=("grelm.example",), mark_positions=64)
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, lists=lists)
    make_lists()
    roles = {"anna": Role.ANALYST, "lin": Role.SECOND_REVIEWER, "paula": Role.LIST_PUBLISHER, "sam": Role.SUPERVISOR,
             "ada": Role.SYSADMIN}  # fmt: skip
    return {name: make_user(role, username=name) for name, role in roles.items()}


@pytest.fixture
def keys(tmp_path: Path, clock: FixedClock) -> Path:
    create_keys(tmp_path / "keys", clock.now())
    return tmp_path / "keys"


@pytest.fixture
def editions(tmp_path: Path, settings: Any) -> Path:
    settings.EDITIONS = tmp_path / "editions"
    return tmp_path / "editions"


@pytest.fixture
def partner(people: dict[str, User], clock: FixedClock) -> Partner:
    recipient = str(x25519.Identity.generate().to_public())
    made = do_propose_partner(people["paula"], "Quimber Net", PartnerKind.ISP, recipient=recipient)
    terms = Terms("r", ("urls",), clock.now(), clock.now() + timedelta(days=9), "Somebody")
    do_approve_agreement(people["sam"], do_propose_agreement(people["paula"], made, terms))
    return made


@pytest.fixture
def office(partner: Partner, people: dict[str, User], keys: Path, editions: Path) -> Office:
    """The office after the first edition with the partner's copy in it."""
    listed(people["anna"], people["lin"])
    made = Office(editions, KeyRing.load(keys))
    do_request_publication(people["paula"])
    made.work()
    assert partners_of(keys) == (partner.code,)
    return made


def run(*arguments: object, answer: str = "y\n", status: int = 0) -> str:
    done = CliRunner().invoke(app, ["partner", *map(str, arguments)], input=answer)
    if isinstance(done.exception, VigilError):
        raise done.exception
    assert done.exit_code == status, (done.output, done.exception)
    return str(done.output)


def sound(editions: Path, clock: FixedClock) -> bool:
    report = verify(editions, root=None, now=clock.now())
    assert report.problems == ()
    return report.ok


def decided(people: dict[str, User]) -> None:
    """What two people do with a key that was proposed by command."""
    change = changes_waiting().get()
    with pytest.raises(RefusedError, match="names nobody"):
        do_change_recipient(people["sam"], change)
    do_change_recipient(people["sam"], do_take_up_recipient(people["paula"], change))


class TestKey:
    def test_the_old_key_stops_with_the_next_edition(
        self, office: Office, partner: Partner, people: dict[str, User], editions: Path, clock: FixedClock
    ) -> None:
        new = x25519.Identity.generate()
        old_key = partner.recipient
        assert "two people decide" in run("key", partner.code, new.to_public(), "--reason", "A laptop was lost.")
        assert not Publication.objects.filter(state="requested").exists()
        decided(people)
        assert Publication.objects.get(state="requested").renewal
        clock.advance(minutes=1)
        office.work()
        partner.refresh_from_db()
        assert partner.recipient == str(new.to_public()) != old_key and sound(editions, clock)
        (manifest,) = newest(editions, partner)
        assert b'"number"' in pyrage.decrypt(manifest, [new])
        assert manifest.count(b"-> X25519") == 1

    def test_or_reads_for_48_hours_more(
        self, office: Office, partner: Partner, people: dict[str, User], editions: Path, clock: FixedClock
    ) -> None:
        run("key", partner.code, x25519.Identity.generate().to_public(), "--reason", "Every year.", "--overlap")
        decided(people)
        for hours, readers in ((1, 2), (50, 1)):
            clock.advance(hours=hours)
            office.keep_fresh()
            do_request_publication(people["paula"])
            office.work()
            assert newest(editions, partner)[0].count(b"-> X25519") == readers

    def test_what_is_no_key_is_refused_and_not_repeated(self, partner: Partner) -> None:
        for wrong in (partner.recipient[:-1], "AGE-SECRET-KEY-1QUIMBER"):
            with pytest.raises(VigilError) as found:
                run("key", partner.code, wrong, "--reason", "Why.")
            assert wrong not in str(found.value) and found.value.exit_status == 2
        with pytest.raises(VigilError, match="no partner"):
            run("key", "p-nobody", partner.recipient, "--reason", "Why.")


def newest(editions: Path, partner: Partner) -> list[bytes]:
    """The manifest of the partner's copy as it is published now."""
    folder = editions / "targets" / "partners" / partner.code
    paths = sorted(folder.glob("*.edition.json.age"), key=lambda path: path.stat().st_mtime_ns)
    return [path.read_bytes() for path in paths[-1:]]


class TestRotate:
    def test_the_next_edition_is_under_new_keys_and_the_old_ones_still_trace(
        self, office: Office, partner: Partner, keys: Path, editions: Path, clock: FixedClock
    ) -> None:
        (before,) = digest_keys_of(keys, partner.code)
        assert "new keys" in run("rotate", partner.code, "--reason", "A laptop was lost.", "--keys", keys)
        assert Publication.objects.get(state="requested").renewal
        assert sound(editions, clock)
        office.keep_fresh()
        office.work()
        assert sound(editions, clock) and Publication.objects.filter(state="published").count() == 2
        known = digest_keys_of(keys, partner.code)
        assert len(known) == 2 and before in known
        assert "A laptop was lost." in AuditEvent.objects.get(code="partner.keys_rotated").details

    def test_nothing_happens_without_a_yes_a_reason_or_an_agreement(
        self, office: Office, partner: Partner, people: dict[str, User], keys: Path
    ) -> None:
        with pytest.raises(RefusedError, match="Nothing was done"):
            run("rotate", partner.code, "--reason", "x", "--keys", keys, answer="n\n")
        with pytest.raises(VigilError, match="Say why"):
            run("rotate", partner.code, "--reason", " ", "--keys", keys, "--yes")
        do_stop_partner(people["sam"], partner, "Leaked.")
        with pytest.raises(RefusedError, match="No agreement"):
            run("rotate", partner.code, "--reason", "x", "--keys", keys, "--yes")
        assert len(digest_keys_of(keys, partner.code)) == 1
        assert not Publication.objects.filter(state="requested").exists()
        assert not AuditEvent.objects.filter(code="partner.keys_rotated").exists()

    def test_a_partner_without_a_copy_has_no_keys_to_replace(self, partner: Partner, keys: Path, editions: Path) -> None:
        with pytest.raises(RefusedError, match="no copy yet"):
            run("rotate", partner.code, "--reason", "x", "--keys", keys, "--yes")


class TestWithdraw:
    def test_at_once_without_the_office_and_another_person_lets_it_in_again(
        self, office: Office, partner: Partner, people: dict[str, User], keys: Path, editions: Path, clock: FixedClock
    ) -> None:
        do_enrol_node(people["ada"], "q-1", 30, partner.code)
        told = run("withdraw", partner.code, "--reason", "Leaked.", "--keys", keys)
        assert "out of the published editions" in told
        partner.refresh_from_db()
        assert partner.stopped_by == "system:operator" and Node.objects.get(name="q-1").revoked_at is not None
        assert partners_of(keys) == () and not list((editions / "targets" / "partners" / partner.code).glob("*"))
        assert sound(editions, clock) and Publication.objects.count() == 1
        assert {"partner.stopped", "partner.withdrawn"} <= set(AuditEvent.objects.values_list("code", flat=True))
        do_resume_partner(people["sam"], partner)
        do_request_publication(people["paula"])
        office.work()
        assert partners_of(keys) == (partner.code,) and sound(editions, clock)

    def test_one_that_was_stopped_in_the_console_loses_its_branch_too(
        self, office: Office, partner: Partner, people: dict[str, User], keys: Path
    ) -> None:
        do_stop_partner(people["sam"], partner, "Leaked.")
        assert partners_of(keys) == (partner.code,)
        run("withdraw", partner.code, "--reason", "Leaked.", "--keys", keys, "--yes")
        assert partners_of(keys) == ()
        assert "no branch" in run("withdraw", partner.code, "--reason", "Again.", "--keys", keys, "--yes")
        assert AuditEvent.objects.filter(code="partner.stopped").count() == 1

    def test_nothing_happens_without_a_yes(self, office: Office, partner: Partner, keys: Path) -> None:
        with pytest.raises(RefusedError, match="Nothing was done"):
            run("withdraw", partner.code, "--reason", "x", "--keys", keys, answer="\n")
        partner.refresh_from_db()
        assert partner.stopped_at is None and partners_of(keys) == (partner.code,)
