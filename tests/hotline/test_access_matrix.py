"""Every address of every door × every role, enumerated from the URL maps. A view without a declared rule fails.

What is expected follows from the rule of the view and the one permission table, nothing else.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.conf import settings
from django.test import override_settings
from django.urls import URLPattern, URLResolver
from django.urls.resolvers import LocalePrefixPattern, RoutePattern
from tests.hotline.conftest import DoorClient, door_settings

from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.permissions import BANK_MACHINES, NODE, PERMISSIONS, SCOPES, Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.access.rules import OpenToAll, Requires, Rule, SignedIn, rule_of
from vigil.hotline.banks.machines import do_enrol_machine
from vigil.hotline.banks.models import MachineRole
from vigil.hotline.partners.actions import do_enrol_node
from vigil.hotline.partners.senders import do_enrol_sender

DOORS = ("public", "console", "partner")
SAMPLES = {"int": "1", "uuid": "018f0000-0000-7000-8000-000000000000", "slug": "x", "str": "x", "path": "x"}
PARAMETER = re.compile(r"<(?:(?P<converter>\w+):)?\w+>")
METHODS = ("get", "post", "put", "patch", "delete", "options")
USUAL = ("get", "post")
"""The rule is looked up before the method is: with every method where nobody may come in, with the usual ones for each role."""


@dataclass(frozen=True)
class Address:
    """One pattern of a URL map: the whole name of its view, a path that reaches it, the view."""

    name: str
    path: str
    view: Callable[..., Any]


def addresses(patterns: Any, prefix: str = "/", space: str = "") -> Iterator[Address]:
    """All patterns, however deep. A kind of pattern that this test cannot fill in fails it."""
    for each in patterns:
        start = prefix + filled(each.pattern)
        if isinstance(each, URLResolver):
            inner = f"{space}{each.namespace}:" if each.namespace else space
            yield from addresses(each.url_patterns, start, inner)
        else:
            assert isinstance(each, URLPattern)
            yield Address(f"{space}{each.name}" if each.name else "", start, each.callback)


def filled(pattern: Any) -> str:
    if isinstance(pattern, LocalePrefixPattern):
        return "en/"
    assert isinstance(pattern, RoutePattern), f"a pattern this test does not know: {pattern!r}"
    return PARAMETER.sub(lambda found: SAMPLES[found["converter"] or "str"], pattern._route)


def door_addresses(door: str) -> list[Address]:
    with override_settings(**door_settings(door)):
        module = importlib.import_module(settings.ROOT_URLCONF)
        return list(addresses(module.urlpatterns))


def rules(door: str) -> list[tuple[Address, Rule]]:
    with override_settings(**door_settings(door)):
        found = [(each, rule_of(each.view, each.name)) for each in door_addresses(door)]
    missing = [each.path for each, rule in found if rule is None]
    assert not missing, f"views without a declared rule: {missing}"
    return [(each, rule) for each, rule in found if rule is not None]


@pytest.mark.parametrize("door", DOORS)
def test_every_view_has_a_rule(door: str) -> None:
    found = rules(door)
    assert len(found) >= 3
    assert all(len(rule.reason) > 5 for _, rule in found if isinstance(rule, OpenToAll | SignedIn))


def test_at_the_public_door_nobody_signs_in() -> None:
    assert all(isinstance(rule, OpenToAll) for _, rule in rules("public"))
    names = door_settings("public")["MIDDLEWARE"]
    assert not [name for name in names if "session" in name.lower() or "auth" in name.lower()]


def test_doors_do_not_reach_each_others_views() -> None:
    """Shared are health, look and errors; the rest belongs to one door."""
    shared = ("vigil.hotline.doors.design", "vigil.hotline.doors.health", "vigil.hotline.doors.errors")
    for door in DOORS:
        for each in door_addresses(door):
            module = each.view.__module__
            assert module.startswith((f"vigil.hotline.doors.{door}", *shared)) or (
                door == "console" and module.startswith(("allauth.account", "allauth.mfa", "allauth.socialaccount"))
            ), f"{door} reaches {module}"


def test_what_is_open_at_the_console_is_a_short_list() -> None:
    opened = sorted(each.name for each, rule in rules("console") if isinstance(rule, OpenToAll))
    assert opened == [
        "account_inactive", "account_login", "design:asset", "healthz", "mfa_authenticate", "openid_connect_callback",
        "openid_connect_login",
    ]  # fmt: skip


# ---- the console


def expected(rule: Rule, *, person: bool, second_factor: bool, roles: frozenset[Role]) -> str:
    """``in``, ``sign_in``, ``set_up``, ``elevate`` or ``refused``."""
    if isinstance(rule, OpenToAll):
        return "in"
    if not person:
        return "sign_in"
    if isinstance(rule, SignedIn):
        return "in"
    if not second_factor:
        return "set_up"
    allowed = any(rule.permission in PERMISSIONS[role] for role in roles)
    if allowed and rule.elevated:
        return "elevate"
    return "in" if allowed else "refused"


def happened(answer: Any, steps: dict[str, str]) -> str:
    """What the closed door did, from the answer: ``steps`` are the pages it sends people to, each with its name here."""
    location = answer.headers.get("Location", "").split("?")[0]
    if answer.status_code == 302 and location in steps:
        return steps[location]
    return "refused" if answer.status_code in {401, 403} else "in"


PEOPLE: list[Any] = [
    pytest.param(None, True, id="nobody"),
    pytest.param((), True, id="without-a-role"),
    pytest.param(tuple(Role), False, id="all-roles-without-second-factor"),
    *[pytest.param((role,), True, id=role.value) for role in Role],
]


@pytest.mark.parametrize(("roles", "second_factor"), PEOPLE)
def test_console(
    roles: tuple[Role, ...] | None, second_factor: bool, make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    user = None if roles is None else make_user(*roles, second_factor=second_factor)
    found = rules("console")
    paths = {each.name: each.path for each, _ in found}
    steps = {paths["account_login"]: "sign_in", paths["mfa_activate_totp"]: "set_up", paths["elevate"]: "elevate"}
    client = console_client(user)
    cookies = client.cookies.copy()
    wrong = []
    with client.standing_there():
        for each, rule in found:
            wanted = expected(rule, person=user is not None, second_factor=second_factor, roles=frozenset(roles or ()))
            refused = USUAL if user is not None and roles else METHODS
            for method in refused if wanted != "in" else ("get",):
                client.cookies = cookies.copy()
                answer = getattr(client, method)(each.path)
                got = happened(answer, steps)
                if got != wanted and not _allauths_own_step(each, rule, got):
                    wrong.append(f"{method} {each.path}: {got} ({answer.status_code}), expected {wanted}")
    assert wrong == []


def _allauths_own_step(each: Address, rule: Rule, got: str) -> bool:
    """allauth itself sends those who skip a step of signing in, or of proving themselves again, to that step."""
    return not isinstance(rule, Requires) and each.view.__module__.startswith("allauth.") and got in {"sign_in", "set_up"}


# ---- the public door


def test_public_door(public_client: DoorClient) -> None:
    found = rules("public")
    with public_client.standing_there():
        wrong = [each.path for each, _ in found if public_client.get(each.path).status_code in {401, 403, 500}]
    assert wrong == []


# ---- the partner door


MACHINES: dict[str, frozenset[Permission]] = {
    "none": frozenset(),
    "wrong": frozenset(),
    "node": NODE,
    **{f"sender {scope}": frozenset({permission}) for scope, permission in SCOPES.items()},
    **{f"banks {role}": allowed for role, allowed in BANK_MACHINES.items()},
}


def token_of(machine: str) -> dict[str, str]:
    """The header that a machine of this kind sends."""
    if machine == "none":
        return {}
    if machine.startswith("sender "):
        _, token = do_enrol_sender(OPERATOR, "s-1", "child_service", [machine.removeprefix("sender ")])
    elif machine.startswith("banks "):
        _, token = do_enrol_machine(OPERATOR, "m-1", MachineRole(machine.removeprefix("banks ")))
    else:
        token = do_enrol_node(OPERATOR, "n-1")[1] if machine == "node" else "wrong"
    return {"Authorization": f"Bearer {token}"}


@pytest.mark.parametrize("machine", MACHINES)
def test_partner_door(partner_client: DoorClient, machine: str) -> None:
    headers = token_of(machine)
    wrong = []
    for each, rule in rules("partner"):
        allowed = isinstance(rule, OpenToAll) or (isinstance(rule, Requires) and rule.permission in MACHINES[machine])
        for method in METHODS:
            status = getattr(partner_client, method)(each.path, headers=headers).status_code
            if (status in {401, 403}) == allowed:
                wrong.append(f"{method} {each.path}: {status}")
    assert wrong == []


def test_a_staff_session_opens_nothing_elsewhere(
    make_user: Callable[..., User], console_client: Callable[..., DoorClient], partner_client: DoorClient
) -> None:
    signed_in = console_client(make_user(*Role))
    partner_client.cookies = signed_in.cookies
    for each, rule in rules("partner"):
        if isinstance(rule, Requires):
            assert partner_client.get(each.path).status_code == 401


def test_error_views_are_declared_too() -> None:
    forged = importlib.import_module("vigil.hotline.doors.errors").forged
    assert isinstance(rule_of(forged, None), OpenToAll)


def test_every_map_has_its_own_error_pages() -> None:
    for door in DOORS:
        module = importlib.import_module(f"vigil.hotline.doors.{door}.urls")
        for status in (400, 403, 404, 500):
            handler = getattr(module, f"handler{status}", None)
            assert callable(handler) or isinstance(handler, str), f"{door} has no page for {status}"
