"""People, roles, sealed values, and the closed door."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError, UnavailableError
from vigil.hotline.access import permissions
from vigil.hotline.access.entity import new_id, new_ids, new_reference, uuid7
from vigil.hotline.access.models import RoleGrant, User
from vigil.hotline.access.people import OFFICE, OPERATOR, PUBLIC, System, must, must_differ
from vigil.hotline.access.permissions import (
    BANK_MACHINES,
    DESCRIPTIONS,
    NODE,
    PERMISSIONS,
    SCOPES,
    SYSTEMS,
    Permission,
    roles_with,
)
from vigil.hotline.access.roles import Role
from vigil.hotline.access.sealing import matching_bytes, matching_digest, seal, unseal
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.people import do_add_user, do_set_active, do_set_roles
from vigil.hotline.reports.models import Url

MakeUser = Callable[..., User]


def test_table_is_complete() -> None:
    assert set(PERMISSIONS) == set(Role)
    assert set(DESCRIPTIONS) == set(Permission)
    held = set().union(*PERMISSIONS.values(), *SYSTEMS.values(), NODE, SCOPES.values(), *BANK_MACHINES.values())
    assert held == set(Permission), "a permission that nobody has"


def test_sysadmin_sees_no_content() -> None:
    content = {Permission.CONTENT_REVEAL, Permission.CASE_READ, Permission.ENTRY_READ, Permission.QUEUE_READ}
    assert not content & PERMISSIONS[Role.SYSADMIN]


def test_auditor_changes_nothing() -> None:
    own = {Permission.SESSION_ELEVATE, Permission.ELEVATION_READ}  # more sight for a while, with a reason: no change
    assert all(permission.value.endswith((".read", ".enter")) for permission in PERMISSIONS[Role.AUDITOR] - own)


def test_only_the_office_builds() -> None:
    assert roles_with(Permission.PUBLICATION_BUILD) == ()
    assert OFFICE.may(Permission.PUBLICATION_BUILD)
    assert not PUBLIC.may(Permission.PUBLICATION_BUILD)


def test_unknown_system_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no system"):
        System("helpdesk")


def test_roles_give_permissions(make_user: MakeUser) -> None:
    analyst = make_user(Role.ANALYST)
    assert analyst.may(Permission.ASSESS)
    assert not analyst.may(Permission.LISTING_DECIDE)
    with pytest.raises(RefusedError) as refusal:
        must(analyst, Permission.LISTING_DECIDE)
    assert refusal.value.code == "not_permitted"


def test_inactive_people_have_no_permission(make_user: MakeUser) -> None:
    analyst = make_user(Role.ANALYST)
    do_set_active(OPERATOR, analyst, active=False)
    assert not User.objects.get(pk=analyst.pk).may(Permission.ASSESS)


def test_set_roles_keeps_history(make_user: MakeUser) -> None:
    user = make_user(Role.ANALYST)
    do_set_roles(OPERATOR, user, [Role.LIST_PUBLISHER])
    assert user.roles == {Role.LIST_PUBLISHER}
    assert RoleGrant.objects.filter(user=user).count() == 2
    codes = list(AuditEvent.objects.filter(subject=f"user:{user.pk}").values_list("code", flat=True))
    assert codes == ["person.added", "role.granted", "role.granted", "role.revoked"]


def test_only_some_add_people(make_user: MakeUser) -> None:
    with pytest.raises(RefusedError):
        do_add_user(make_user(Role.SUPERVISOR), "eve", password="a-long-password")


@pytest.mark.parametrize("name", ["", "A b", "x" * 61, "ünder", "-x", "a\nb"])
def test_strange_user_names_are_refused(db: None, name: str) -> None:
    with pytest.raises(InputError):
        do_add_user(OPERATOR, name, password="a-long-password")


def test_taken_user_name_is_refused(make_user: MakeUser) -> None:
    make_user(username="anna")
    with pytest.raises(InputError):
        do_add_user(OPERATOR, "Anna", password="a-long-password")


def test_two_person_rule(make_user: MakeUser) -> None:
    anna, ben = make_user(username="anna"), make_user(username="ben")
    must_differ(ben, {anna.label}, "Listing")
    with pytest.raises(RefusedError) as refusal:
        must_differ(anna, {anna.label}, "Listing")
    assert refusal.value.code == "second_person_needed"


@given(st.text())
def test_sealing_round_trip(text: str) -> None:
    if all(not 0xD800 <= ord(letter) <= 0xDFFF for letter in text):
        assert unseal(seal(text)) == text


def test_sealing_hides_and_rotates(settings: object) -> None:
    from cryptography.fernet import Fernet

    first, second = (Fernet.generate_key().decode() for _ in range(2))
    settings.SEAL_KEYS = (first,)  # type: ignore[attr-defined]
    token = seal("zorblat")
    assert "zorblat" not in token
    settings.SEAL_KEYS = (second, first)  # type: ignore[attr-defined]
    assert unseal(token) == "zorblat"
    settings.SEAL_KEYS = (second,)  # type: ignore[attr-defined]
    with pytest.raises(UnavailableError) as refusal:
        unseal(token)
    assert refusal.value.code == "seal_broken"


def _sealed_columns() -> dict[str, str]:
    """The encrypted form of each sealed field of the one address, as it lies in the database."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT canonical, raw FROM reports_url")
        return dict(zip(("canonical", "raw"), cursor.fetchone(), strict=True))


@pytest.mark.django_db
def test_only_what_was_changed_is_sealed_anew(settings: object) -> None:
    from cryptography.fernet import Fernet

    moment = datetime(2026, 3, 4, tzinfo=UTC)
    Url.objects.create(
        canonical="https://page.example/", raw="page.example", url_digest="d", canon="c", scheme="https", host="page.example",
        registrable_domain="page.example", first_seen=moment, last_seen=moment, created_by="system:public",
    )  # fmt: skip
    before, row = _sealed_columns(), Url.objects.get()
    row.tld, row.canonical = "example", "https://page.example/"  # type: ignore[assignment]  # the text that is there
    row.save()
    assert _sealed_columns() == before
    row.raw = "Page.example"  # type: ignore[assignment]
    row.save()
    after = _sealed_columns()
    assert after["canonical"] == before["canonical"]
    assert after["raw"] != before["raw"]
    assert unseal(after["raw"]) == "Page.example"
    Url.objects.bulk_update([row], ["canonical", "raw"])
    assert _sealed_columns() == after
    first, second = settings.SEAL_KEYS[0], Fernet.generate_key().decode()  # type: ignore[attr-defined]
    settings.SEAL_KEYS = (second, first)  # type: ignore[attr-defined]
    Url.objects.get().save()
    settings.SEAL_KEYS = (second,)  # type: ignore[attr-defined]
    assert Url.objects.get().raw.open() == "Page.example"  # a new key on top takes over with the next saving


def test_digests_are_keyed_and_apart(settings: object) -> None:
    url = matching_digest("url", "https://a.example/")
    assert url == matching_digest("url", b"https://a.example/") != matching_digest("host", "https://a.example/")
    settings.DIGEST_KEY = bytes(32)  # type: ignore[attr-defined]
    assert matching_digest("url", "https://a.example/") != url


@pytest.mark.parametrize("length", [1, 32, 64, 65, 200])
def test_matching_digests_are_hmac_with_any_key(settings: Any, length: int) -> None:
    settings.DIGEST_KEY = bytes(range(length))
    for value in ("", "zorblat", b"\x00" * 300):
        content = value.encode() if isinstance(value, str) else value
        expected = hmac.digest(settings.DIGEST_KEY, b"\x00\x04host" + content, "sha256")
        assert matching_bytes("host", value) == expected
        assert matching_digest("host", value) == expected.hex()


def test_many_ids_are_in_order_with_those_before_and_after() -> None:
    found = [new_id(), *new_ids(500), new_id(), *new_ids(0), *new_ids(2), new_id()]
    assert found == sorted(set(found))
    assert {each.version for each in found} == {7}


def test_uuid7_is_ordered_and_marked() -> None:
    earlier, later = uuid7(1, (1 << 74) - 1), uuid7(2, 0)
    assert earlier < later
    assert earlier.version == later.version == 7
    assert earlier.variant == later.variant == uuid.RFC_4122


def test_ids_stand_in_the_order_they_were_asked_for(clock: FixedClock) -> None:
    one_moment = [new_id() for _ in range(1000)]
    assert one_moment == sorted(set(one_moment))
    clock.advance(seconds=1)
    assert new_id() > one_moment[-1]


def test_references_mean_nothing() -> None:
    references = {new_reference() for _ in range(100)}
    assert len(references) == 100
    assert all(len(reference) == 14 for reference in references)


def test_reference_page_is_current() -> None:
    from pathlib import Path

    page = Path(__file__).parents[3] / "docs" / "reference" / "permissions.md"
    assert page.read_text() == permissions.reference()
