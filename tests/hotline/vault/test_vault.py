"""The vault: off without a legal basis, sealed apart from its keys, opened for a purpose, exported by two."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, UnavailableError, VigilError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve, do_request
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.settings.config import Config, Vault, checked
from vigil.hotline.vault import store
from vigil.hotline.vault.actions import (
    do_ask_export,
    do_dispose_due,
    do_export,
    do_open,
    do_put,
    do_set_legal_hold,
    do_verify,
)
from vigil.hotline.vault.envelope import KeyRing, load, seal, unseal
from vigil.hotline.vault.models import CustodyEvent, EvidenceKind, EvidenceObject, Purpose
from vigil.hotline.vault.queries import kept, vault_on

pytestmark = pytest.mark.usefixtures("clock")
CASE, PICTURE = uuid4(), b"zorblat, drawn by code" * 100
BASIS = "Permit 7 of the authority of Quimber"


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def folder(tmp_path: Path, settings: Any) -> Path:
    """A vault that is on; the folder of its sealed objects."""
    keys = tmp_path / "keys" / "vault.key"
    keys.parent.mkdir()
    keys.write_text(f"k2 {'11' * 32}\nk1 {'22' * 32}\n")
    keys.chmod(0o600)
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, vault=Vault(str(tmp_path / "sealed"), str(keys), BASIS, 30))
    return tmp_path / "sealed"


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(VigilError) as caught:
        act()
    return caught.value.code


def put(person: User) -> EvidenceObject:
    return do_put(person, CASE, EvidenceKind.MEDIA, PICTURE, mime="image/png", source="http://gallery.example/7.png")


def kinds(found: EvidenceObject) -> list[str]:
    return list(CustodyEvent.objects.filter(object=found).values_list("kind", flat=True))


def test_it_is_off_unless_an_operator_switched_it_on(anna: User) -> None:
    assert not vault_on() and code_of(lambda: put(anna)) == "vault_off"


def test_without_a_legal_basis_nothing_starts(settings: Any) -> None:
    whole = {"folder": "sealed", "keys": "apart/vault.key", "legal_basis": BASIS}
    assert msgspec.convert(whole, Vault).retention_days == 180
    for wrong in ({**whole, "legal_basis": ""}, {name: value for name, value in whole.items() if name != "legal_basis"}):
        with pytest.raises(msgspec.ValidationError):
            msgspec.convert(wrong, Vault)
    beside: Config = msgspec.structs.replace(settings.CONFIG, vault=Vault("sealed", "sealed/vault.key", BASIS))
    with pytest.raises(InputError, match="beside"):
        checked(beside)


def test_what_lies_there_is_sealed(anna: User, folder: Path) -> None:
    found = put(anna)
    [path] = [each for each in folder.rglob("*") if each.is_file()]
    assert b"zorblat" not in path.read_bytes() and path.stat().st_mode & 0o077 == 0
    assert found.key_id == "k2" and found.legal_basis == BASIS and found.wrapped_key
    assert put(anna) == found and kept(CASE).count() == 1


def test_it_is_opened_for_a_purpose_and_each_time_is_logged_before(anna: User, folder: Path) -> None:
    found = put(anna)
    assert do_open(anna, found, Purpose.ASSESSMENT, mode="blur") == PICTURE
    assert kinds(found) == ["acquired", "accessed"]
    event = CustodyEvent.objects.get(kind="accessed")
    assert (event.created_by, event.why, event.mode) == ("user:anna", "assessment", "blur")
    assert AuditEvent.objects.get(code="evidence.opened").purpose == "assessment"
    store.erase(folder, found.pk)
    with pytest.raises(UnavailableError):
        do_open(anna, found, Purpose.REVIEW)
    assert kinds(found) == ["acquired", "accessed", "accessed"]


def test_every_changed_byte_is_noticed(anna: User, folder: Path) -> None:
    found = put(anna)
    path = store.place(folder, found.pk)
    sealed = path.read_bytes()
    assert do_verify(anna, found)
    for place in (0, 5, 20, len(sealed) - 1):
        path.write_bytes(sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :])
        assert code_of(lambda: do_open(anna, found, Purpose.REVIEW)) == "vault_object_damaged"
    assert not do_verify(anna, found)


def test_an_object_cannot_stand_for_another(anna: User, folder: Path) -> None:
    first, second = put(anna), do_put(anna, uuid4(), EvidenceKind.MEDIA, b"another")
    store.place(folder, second.pk).write_bytes(store.read(folder, first.pk))
    assert code_of(lambda: do_open(anna, second, Purpose.REVIEW)) == "vault_object_damaged"


def test_two_people_export_once(anna: User, folder: Path, make_user: Callable[..., User]) -> None:
    found, lia = put(anna), make_user(Role.POLICE_LIAISON)

    def export() -> tuple[bytes, CustodyEvent]:
        return do_export(lia, found, recipient="Quimber police, file 12", legal_basis="order 12")

    assert code_of(export) == "approval_missing"
    do_approve(make_user(Role.SUPERVISOR), do_ask_export(lia, found, "order 12"))
    data, event = export()
    assert data == PICTURE and event.receipt and event.proof == found.sha256
    assert code_of(export) == "approval_missing"
    assert not AuditEvent.objects.filter(details__contains="Quimber police").exists()
    assert code_of(lambda: do_export(lia, found, recipient=" ", legal_basis="x")) == "recipient_missing"


def test_its_date_disposes_of_it_unless_a_legal_hold_keeps_it(
    anna: User, folder: Path, clock: FixedClock, make_user: Callable[..., User]
) -> None:
    gone, stays = put(anna), do_put(anna, uuid4(), EvidenceKind.WARC, b"WARC/1.1 zorblat")
    do_set_legal_hold(make_user(Role.POLICE_LIAISON), stays, held=True)
    assert do_dispose_due(OPERATOR) == 0
    clock.advance(days=31)
    assert do_dispose_due(OPERATOR) == 1 and do_dispose_due(OPERATOR) == 0
    gone.refresh_from_db()
    assert gone.disposed_at is not None and gone.wrapped_key == "" and not store.place(folder, gone.pk).exists()
    assert kinds(gone)[-1] == "disposed" and CustodyEvent.objects.filter(proof__startswith="key erased").count() == 1
    assert code_of(lambda: do_open(anna, gone, Purpose.REVIEW)) == "evidence_disposed"
    assert do_open(anna, stays, Purpose.REVIEW).startswith(b"WARC")


def test_lifting_a_legal_hold_takes_two_people(anna: User, folder: Path, make_user: Callable[..., User]) -> None:
    found, dora = put(anna), make_user(Role.DATA_PROTECTION)
    do_set_legal_hold(make_user(Role.POLICE_LIAISON), found, held=True)
    assert code_of(lambda: do_set_legal_hold(dora, found, held=False)) == "approval_missing"
    do_approve(make_user(Role.SUPERVISOR), do_request(dora, TwoPersonAct.RETENTION_OVERRIDE, found, "order lifted"))
    assert not do_set_legal_hold(dora, found, held=False).legal_hold


def test_keys_are_read_strictly(tmp_path: Path) -> None:
    path = tmp_path / "vault.key"
    with pytest.raises(UnavailableError):
        load(path)
    path.write_text(f"k1 {'11' * 32}\n")
    for mode in (0o644, 0o640, 0o604, 0o660):
        path.chmod(mode)
        assert code_of(lambda: load(path)) == "vault_key_open", "its group are others too"
    path.chmod(0o600)
    assert load(path).current == "k1" and "11" not in repr(load(path))
    path.write_text("k1 zorblat\n")
    assert code_of(lambda: load(path)) == "vault_key_wrong"


def test_keys_can_be_changed() -> None:
    old, new = KeyRing({"k1": b"1" * 32}), KeyRing({"k2": b"2" * 32, "k1": b"1" * 32})
    key_id, wrapped = old.wrap(b"x" * 32)
    assert new.unwrap(key_id, wrapped) == b"x" * 32 and new.wrap(b"x" * 32)[0] == "k2"
    assert code_of(lambda: KeyRing({"k2": b"2" * 32}).unwrap(key_id, wrapped)) == "vault_key_missing"
    assert code_of(lambda: KeyRing({"k1": b"2" * 32}).unwrap(key_id, wrapped)) == "vault_key_wrong"


@given(st.binary(max_size=200), st.binary(max_size=60))
def test_sealing_round_trips_and_no_bytes_pass_for_sealed(data: bytes, forged: bytes) -> None:
    key, name, nonce = b"k" * 32, b"name", b"n" * 12
    assert unseal(seal(data, name, key, nonce), name, key) == data
    with pytest.raises(InputError):
        unseal(forged, name, key)
