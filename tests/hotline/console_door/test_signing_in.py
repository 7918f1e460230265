"""Signing in: password, one-time code, setting it up, and what is refused."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from tests.hotline.conftest import TOTP_SECRET

from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent

SIGN_IN = "/account/sign-in/"


@pytest.fixture(autouse=True)
def forget_rates() -> None:
    from django.core.cache import cache

    cache.clear()


def code_now(secret: str = TOTP_SECRET) -> str:
    return str(format_hotp_value(hotp_value(secret, int(time.time()) // 30)))


def acts() -> list[str]:
    return [code for code in AuditEvent.objects.values_list("code", flat=True) if "sign" in code or "factor" in code]


def test_password_and_code_open_the_door(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    make_user(Role.ANALYST, username="anna")
    client = console_client()
    step = client.post(SIGN_IN, {"login": "anna", "password": "anna-long-password"})
    assert step["Location"] == "/account/code/"
    assert client.get("/queue/")["Location"].startswith(SIGN_IN), "a password alone opens nothing"
    assert client.post("/account/code/", {"code": "000000"}).status_code == 200
    done = client.post("/account/code/", {"code": code_now()})
    assert done["Location"] == "/" and client.get("/queue/").status_code == 200
    assert acts()[-1] == "person.signed_in"


@pytest.mark.parametrize(
    "credentials",
    [{"login": "anna", "password": "wrong"}, {"login": "nobody", "password": "anna-long-password"}, {"login": "", "password": ""},
     {"login": "anna\x00", "password": "x"}, {"login": "a" * 5000, "password": "b" * 5000}],
)  # fmt: skip
def test_a_wrong_name_or_password_says_nothing_more(
    credentials: dict[str, str], make_user: Callable[..., User], console_client: Callable[..., Any]
) -> None:
    make_user(Role.ANALYST, username="anna")
    answer = console_client().post(SIGN_IN, credentials)
    assert answer.status_code == 200 and b"error-summary" in answer.content


def test_failures_are_logged_without_what_was_typed(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    make_user(Role.ANALYST, username="anna")
    console_client().post(SIGN_IN, {"login": "anna", "password": "zorblat"})
    console_client().post(SIGN_IN, {"login": "quimber", "password": "zorblat"})
    events = AuditEvent.objects.filter(code="person.sign_in_failed")
    assert [event.subject.partition(":")[0] for event in events] == ["user", "nobody"]
    assert not any("quimber" in str(event.__dict__) or "zorblat" in str(event.__dict__) for event in events)


def test_guessing_is_slowed_down(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    make_user(Role.ANALYST, username="anna")
    client = console_client()
    answers = [client.post(SIGN_IN, {"login": "anna", "password": f"guess-{n}"}) for n in range(12)]
    assert "Too many" in answers[-1].content.decode()
    right = client.post(SIGN_IN, {"login": "anna", "password": "anna-long-password"})
    assert right.status_code != 302


def test_without_a_second_factor_there_is_nothing_but_setting_it_up(
    make_user: Callable[..., User], console_client: Callable[..., Any]
) -> None:
    make_user(Role.ANALYST, username="newbie", second_factor=False)
    client = console_client()
    assert client.post(SIGN_IN, {"login": "newbie", "password": "newbie-long-password"})["Location"] == "/"
    for path in ("/", "/queue/", "/audit/", "/publish/"):
        assert client.get(path)["Location"] == "/account/second-step/set-up/"
    page = client.get("/account/second-step/set-up/")
    assert page.status_code == 200 and b'src="data:image/svg+xml;base64,' in page.content
    secret = page.context["form"].secret
    assert client.post("/account/second-step/set-up/", {"code": "000000"}).status_code == 200
    done = client.post("/account/second-step/set-up/", {"code": code_now(secret)})
    assert done["Location"] == "/account/recovery-codes/"
    assert len(client.get("/account/recovery-codes/").context["unused_codes"]) == 10
    assert client.get("/queue/").status_code == 200
    assert "person.second_factor_set" in acts()
    assert client.get("/account/second-step/set-up/")["Location"] == "/account/second-step/"


def test_a_recovery_code_works_once(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes

    code = RecoveryCodes.activate(make_user(Role.ANALYST, username="anna")).generate_codes()[0]
    for answer in ("/", None):
        client = console_client()
        client.post(SIGN_IN, {"login": "anna", "password": "anna-long-password"})
        assert client.post("/account/code/", {"code": code}).get("Location") == answer


def test_recovery_codes_are_made_where_there_are_none(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    """Somebody who was brought in with an app set up has none yet: no link leads to a page that is not there."""
    client = console_client(make_user(Role.ANALYST, username="anna"))
    client.post("/account/again/", {"password": "anna-long-password"})
    for _ in range(2):
        page = client.get("/account/second-step/").content.decode()
        (link,) = re.findall(r'href="(/account/recovery-codes/[^"]*)"', page)
        answer = client.get(link)
        assert answer.status_code == 200
        if link.endswith("/new/"):
            assert client.post(link)["Location"] == "/account/recovery-codes/"
    assert link == "/account/recovery-codes/" and answer.content.count(b"<code>") == 10


def test_the_second_factor_lies_sealed(make_user: Callable[..., User]) -> None:
    from allauth.mfa.models import Authenticator

    make_user(Role.ANALYST)
    assert TOTP_SECRET not in str(Authenticator.objects.get().data)


def test_nobody_signs_up_or_resets_by_mail(console_client: Callable[..., Any]) -> None:
    for path in ("signup/", "password/reset/", "email/", "login/", "second-step/deactivate/"):
        assert console_client().get(f"/account/{path}").status_code == 404


def test_a_closed_account_is_out_at_once(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    anna = make_user(Role.ANALYST, username="anna")
    client = console_client(anna)
    assert client.get("/queue/").status_code == 200
    User.objects.filter(pk=anna.pk).update(is_active=False)
    assert client.get("/queue/").status_code == 302


@pytest.mark.parametrize("name", ["second-step", "password", "sign-out", "recovery-codes/new"])
def test_ones_own_pages(name: str, make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    assert console_client(make_user(Role.SYSADMIN)).get(f"/account/{name}/").status_code in {200, 302}


def test_forged_forms_are_refused_in_words(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    client = console_client(make_user(Role.ANALYST), enforce_csrf_checks=True)
    answer = client.post("/queue/next/")
    assert answer.status_code == 403 and b"Nothing was changed" in answer.content


def test_cookies_are_of_this_door_and_not_for_scripts(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    make_user(Role.ANALYST, username="anna")
    client = console_client()
    client.post(SIGN_IN, {"login": "anna", "password": "anna-long-password"})
    cookie = client.cookies["vigil_console"]
    assert cookie["httponly"] and cookie["samesite"] == "Strict" and not cookie["max-age"]
