"""The console's page of banks: a policy by two people, and nothing that a bank holds."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from tests.hotline.conftest import DoorClient

from vigil.base.errors import RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.banks.actions import do_add_content, do_create_bank
from vigil.hotline.banks.models import BankPolicy, Machine

CURATOR = Machine(name="coop", role="curator")

TYPED = {
    "purpose": "Copies of what we took down.",
    "legal_basis": "Our terms.",
    "owner": "Trust and safety",
    "retention_days": "30",
}


def test_two_people_set_the_policy(make_user: Callable[..., User], console_client: Callable[..., DoorClient]) -> None:
    paula, sam = make_user(Role.LIST_PUBLISHER), make_user(Role.SUPERVISOR)
    with pytest.raises(RefusedError, match="what banks are for"):
        do_create_bank(CURATOR, "ZORBLAT")
    first, second = console_client(paula), console_client(sam)
    assert first.post("/banks/policy/", TYPED).status_code == 302
    policy = BankPolicy.objects.get()
    assert b"Approve" not in first.get("/banks/").content
    first.post(f"/banks/policy/{policy.pk}/approve/")
    with pytest.raises(RefusedError):
        do_create_bank(CURATOR, "ZORBLAT")
    assert b"Approve" in second.get("/banks/").content
    assert second.post(f"/banks/policy/{policy.pk}/approve/").status_code == 302
    do_create_bank(CURATOR, "ZORBLAT")
    codes = list(AuditEvent.objects.values_list("code", "actor").filter(code__startswith="bank"))
    assert codes == [
        ("bank_policy.proposed", paula.label),
        ("bank_policy.approved", sam.label),
        ("bank.created", "machine:coop"),
    ]


def test_the_page_shows_banks_and_nothing_they_hold(
    make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    paula, sam = make_user(Role.LIST_PUBLISHER), make_user(Role.SUPERVISOR)
    console_client(paula).post("/banks/policy/", TYPED)
    console_client(sam).post(f"/banks/policy/{BankPolicy.objects.get().pk}/approve/")
    do_create_bank(CURATOR, "ZORBLAT", 0.25)
    value = secrets.token_hex(32)
    do_add_content(CURATOR, "ZORBLAT", {"pdq": value}, note="quimber")
    page = console_client(paula).get("/banks/").content.decode()
    assert "ZORBLAT" in page and "25 %" in page
    assert value not in page and "quimber" not in page


@pytest.mark.parametrize("wrong", [{"retention_days": "0"}, {"purpose": ""}, {"owner": "z" * 201}, {"zorblat": "1"}])
def test_what_was_typed_is_kept(
    make_user: Callable[..., User], console_client: Callable[..., Any], wrong: dict[str, str]
) -> None:
    answer = console_client(make_user(Role.LIST_PUBLISHER)).post("/banks/policy/", TYPED | wrong)
    assert answer.status_code == 422 and TYPED["legal_basis"].encode() in answer.content
    assert not BankPolicy.objects.exists()
