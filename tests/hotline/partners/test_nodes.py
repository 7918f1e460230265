"""Enforcement nodes: enrolled by the operator, known by a token that ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import RequestFactory

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, must
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.partners.actions import do_enrol_node, do_note_delivery, do_revoke_node
from vigil.hotline.partners.models import Delivery, Node
from vigil.hotline.partners.queries import node_named, node_of
from vigil.hotline.partners.tokens import token_in

pytestmark = pytest.mark.django_db


def asking(token: str) -> Node | None:
    return node_of(RequestFactory().get("/", headers={"Authorization": f"Bearer {token}"}))


def test_a_token_opens_until_it_expires(clock: FixedClock) -> None:
    node, token = do_enrol_node(OPERATOR, "n-1", days=2)
    assert asking(token) == node
    clock.advance(days=2)
    assert asking(token) is None


def test_a_revoked_token_opens_nothing() -> None:
    node, token = do_enrol_node(OPERATOR, "n-1")
    do_revoke_node(OPERATOR, node)
    do_revoke_node(OPERATOR, node)
    assert asking(token) is None
    assert AuditEvent.objects.filter(code="node.revoked").count() == 1


@pytest.mark.parametrize("token", ["", "x", "vigil-node-" + "A" * 43, "a b", "é", "x" * 5000])
def test_other_tokens_open_nothing(token: str) -> None:
    do_enrol_node(OPERATOR, "n-1")
    assert asking(token) is None


@pytest.mark.parametrize("header", ["", "Bearer", "Basic abc", "Bearer a b", "Bearer  a", "Token abc"])
def test_headers_without_a_bearer_token(header: str) -> None:
    assert token_in(header) is None


def test_no_token_is_kept(clock: FixedClock) -> None:
    _, token = do_enrol_node(OPERATOR, "n-1")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM partners_node")
        assert token not in str(cursor.fetchall())
    assert token not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(("name", "days"), [("", 1), ("N 1", 1), ("n" * 61, 1), ("-n", 1), ("n-2", 0), ("n-2", 5000), ("n-1", 1)])
def test_strange_enrolments_are_refused(name: str, days: int) -> None:
    do_enrol_node(OPERATOR, "n-1")
    with pytest.raises(InputError):
        do_enrol_node(OPERATOR, name, days)
    assert Node.objects.count() == 1


def test_only_some_enrol(make_user: Callable[..., User]) -> None:
    with pytest.raises(RefusedError):
        do_enrol_node(make_user(Role.SUPERVISOR), "n-1")
    do_enrol_node(make_user(Role.SYSADMIN), "n-1")


def test_a_node_may_do_three_things() -> None:
    node, _ = do_enrol_node(OPERATOR, "n-1")
    assert {permission for permission in Permission if node.may(permission)} == {
        Permission.COUNTS_SEND, Permission.EDITION_FETCH, Permission.VOTE_SEND,
    }  # fmt: skip
    with pytest.raises(RefusedError):
        must(node, Permission.ENTRY_READ)


def test_a_delivery_is_noted_once() -> None:
    node, _ = do_enrol_node(OPERATOR, "n-1")
    for edition in (1, 1, 2, 1):
        do_note_delivery(node, edition)
    assert sorted(Delivery.objects.values_list("edition", flat=True)) == [1, 2]
    assert AuditEvent.objects.filter(code="edition.delivered", actor="node:n-1").count() == 2


def test_finding_by_name() -> None:
    do_enrol_node(OPERATOR, "n-1")
    assert node_named("n-1").name == "n-1"
    with pytest.raises(InputError):
        node_named("n-2")
