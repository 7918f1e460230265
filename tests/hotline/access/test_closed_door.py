"""Forgetting is safe: a view without a rule is refused to everybody, at every door."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.views import View

from vigil.hotline.access.models import User
from vigil.hotline.access.permissions import Permission
from vigil.hotline.access.roles import Role
from vigil.hotline.access.rules import OpenToAll, open_to_all, requires, signed_in
from vigil.hotline.doors import errors

reached: list[object] = []


def undeclared(request: HttpRequest) -> HttpResponse:
    reached.append("undeclared")
    return HttpResponse("zorblat")


@requires(Permission.QUEUE_READ)
def queue(request: HttpRequest) -> HttpResponse:
    reached.append(request.person)  # type: ignore[attr-defined]
    return HttpResponse("queue")


@open_to_all("For this test.")
def front(request: HttpRequest) -> HttpResponse:
    return HttpResponse("front")


@signed_in("For this test.")
def account(request: HttpRequest) -> HttpResponse:
    return HttpResponse("account")


@open_to_all("For this test.")
def broken(request: HttpRequest) -> HttpResponse:
    raise RuntimeError("quimber")


class Undeclared(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        reached.append("class")
        return HttpResponse("zorblat")


def account_login(request: HttpRequest) -> HttpResponse:
    return HttpResponse("sign in")


urlpatterns = [
    path("undeclared", undeclared),
    path("class", Undeclared.as_view()),
    path("declared-class", requires(Permission.QUEUE_READ)(Undeclared.as_view())),
    path("queue", queue),
    path("front", front),
    path("account", account),
    path("broken", broken),
    path("sign-in", account_login, name="account_login"),
    path("set-up", front, name="mfa_activate_totp"),
]
handler400, handler403, handler404, handler500 = errors.bad_request, errors.refused, errors.not_found, errors.broken


@pytest.fixture(params=["public", "console", "partner"])
def client(request: pytest.FixtureRequest, db: None) -> Any:
    from tests.hotline.conftest import door_settings

    reached.clear()
    with override_settings(**{**door_settings(request.param), "ROOT_URLCONF": __name__}):
        yield Client(raise_request_exception=False)


@pytest.fixture
def console(db: None) -> Any:
    from tests.hotline.conftest import door_settings

    reached.clear()
    with override_settings(**{**door_settings("console"), "ROOT_URLCONF": __name__}):
        yield Client()


def sign_in(client: Client, user: User) -> None:
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")


@pytest.mark.parametrize("address", ["/undeclared", "/class"])
@pytest.mark.parametrize("method", ["get", "post", "head", "options"])
def test_a_view_without_a_rule_is_refused(client: Client, address: str, method: str) -> None:
    answer = getattr(client, method)(address)
    assert answer.status_code == 403
    assert reached == []


def test_even_to_those_with_every_role(console: Client, make_user: Callable[..., User]) -> None:
    sign_in(console, make_user(*Role))
    assert console.get("/undeclared").status_code == 403
    assert console.get("/queue").status_code == 200


def test_open_to_all_is_open(client: Client) -> None:
    assert client.get("/front").content == b"front"


def test_requires_needs_the_permission(console: Client, make_user: Callable[..., User]) -> None:
    assert console.get("/queue?x=1").headers["Location"] == "/sign-in?next=%2Fqueue"
    assert console.post("/queue").headers["Location"] == "/sign-in"
    sign_in(console, make_user(Role.WELFARE))
    assert console.get("/queue").status_code == 403
    assert console.get("/declared-class").status_code == 403
    analyst = make_user(Role.ANALYST)
    sign_in(console, analyst)
    assert console.get("/queue").status_code == 200
    assert console.get("/declared-class").status_code == 200
    assert reached == [analyst, "class"]


def test_without_second_factor_only_ones_own_account(console: Client, make_user: Callable[..., User]) -> None:
    sign_in(console, make_user(Role.ANALYST, second_factor=False))
    answer = console.get("/queue")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/set-up")
    assert console.get("/account").status_code == 200
    assert reached == []


def test_inactive_people_are_out_at_once(console: Client, make_user: Callable[..., User]) -> None:
    user = make_user(Role.ANALYST)
    sign_in(console, user)
    User.objects.filter(pk=user.pk).update(is_active=False)
    assert console.get("/queue").status_code == 302
    assert console.get("/account").status_code == 302


def test_roles_taken_away_are_gone_at_the_next_request(console: Client, make_user: Callable[..., User]) -> None:
    from vigil.hotline.access.people import OPERATOR
    from vigil.hotline.audit.people import do_set_roles

    user = make_user(Role.ANALYST)
    sign_in(console, user)
    assert console.get("/queue").status_code == 200
    do_set_roles(OPERATOR, user, [])
    assert console.get("/queue").status_code == 403


def test_views_of_others_are_declared_by_name(console: Client, settings: Any) -> None:
    assert console.get("/sign-in").status_code == 200
    settings.ACCESS_RULES = {"account_login": "yes"}
    assert console.get("/sign-in").status_code == 403
    settings.ACCESS_RULES = {"account_login": OpenToAll("The sign-in form.")}
    assert console.get("/sign-in").status_code == 200


def test_a_broken_view_says_nothing(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    answer = client.get("/broken?word=zorblat")
    assert answer.status_code == 500
    assert b"quimber" not in answer.content and b"zorblat" not in answer.content


def test_every_answer_carries_the_headers(client: Client) -> None:
    for address in ("/front", "/nowhere", "/undeclared", "/broken"):
        headers = client.get(address).headers
        assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
        assert headers["X-Frame-Options"] == "DENY"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] in {"same-origin", "no-referrer"}
        assert headers["Cache-Control"] == "no-store"
        assert "camera=()" in headers["Permissions-Policy"]
