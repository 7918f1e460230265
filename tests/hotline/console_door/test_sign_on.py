"""Single sign-on against a provider on loopback: only people whom the operator linked, and never without the second factor."""

from __future__ import annotations

import html
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from tests.hotline.console_door.test_signing_in import code_now
from tests.hotline.settings.test_settings import written
from tests.support.identity import CLIENT, SECRET, Provider

from vigil.base.errors import InputError, RefusedError
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR, PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.people import do_link_identity, do_set_active, do_unlink_identity
from vigil.hotline.settings.config import VARIABLE, SingleSignOn
from vigil.hotline.settings.keyfiles import create_secrets

START = "/account/sign-on/works/"


@pytest.fixture
def provider() -> Iterator[Provider]:
    from django.core.cache import cache

    cache.clear()
    with Provider().running() as running:
        yield running


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


@pytest.fixture
def visitor(console_client: Callable[..., Any], provider: Provider) -> Any:
    """Somebody at the console of an installation that has this provider."""
    client = console_client()
    sign_on = SingleSignOn("works", "Sign in with Works", provider.issuer, CLIENT)
    app = {
        "provider_id": "works", "name": "Works", "client_id": CLIENT, "secret": SECRET,
        "settings": {"server_url": provider.issuer},
    }  # fmt: skip
    client.overrides |= {
        "SINGLE_SIGN_ON": sign_on, "SOCIALACCOUNT_PROVIDERS": {"openid_connect": {"OAUTH_PKCE_ENABLED": True, "APPS": [app]}},
    }  # fmt: skip
    return client


def sign_on(client: Any) -> Any:
    """Press the button, go to the provider, come back."""
    at_provider = requests.get(client.post(START)["Location"], allow_redirects=False, timeout=10).headers["Location"]
    return client.get(at_provider.replace("http://testserver", ""))


def gone_on(client: Any, answer: Any) -> Any:
    """Coming from another site the browser keeps the session to itself, so a page of ours sends it on to the same address."""
    if answer.status_code != 200:
        return answer
    assert b"go on here" in answer.content
    link = re.search(r'<a href="([^"]*_redir[^"]*)"', answer.content.decode())
    assert link
    return client.get(html.unescape(link[1]))


def test_a_linked_person_signs_in_with_their_second_factor(visitor: Any, provider: Provider, anna: User) -> None:
    do_link_identity(OPERATOR, anna, "works", "person-1")
    assert b"Sign in with Works" in visitor.get("/account/sign-in/").content
    assert sign_on(visitor)["Location"] == "/account/code/"
    assert visitor.get("/queue/").status_code == 302, "the provider alone opens nothing"
    assert visitor.post("/account/code/", {"code": code_now()})["Location"] == "/"
    assert visitor.get("/queue/").status_code == 200
    assert AuditEvent.objects.filter(code="person.signed_in", actor="user:anna").exists()
    assert provider.asked[0]["client_secret"] == SECRET and "code_verifier" in provider.asked[0]


def test_nobody_else_is_let_in_or_made(visitor: Any, provider: Provider, anna: User) -> None:
    do_link_identity(OPERATOR, anna, "works", "person-1")
    for subject in ("person-2", "anna", "Person-1"):
        provider.subject = subject
        answer = sign_on(visitor)
        assert answer["Location"] == "/account/sign-in/"
        assert b"opens nothing here" in visitor.get("/account/sign-in/").content
    assert User.objects.count() == 1 and visitor.get("/queue/").status_code == 302
    assert AuditEvent.objects.filter(code="person.sign_in_failed").count() == 3


def test_who_is_signed_in_already_becomes_nobody_else(
    visitor: Any, anna: User, make_user: Callable[..., User], provider: Provider
) -> None:
    """Nor is an identity that nobody has linked to the person who happens to be signed in."""
    from allauth.socialaccount.models import SocialAccount

    do_link_identity(OPERATOR, anna, "works", "person-1")
    ben = make_user(Role.ANALYST, username="ben")
    visitor.force_login(ben, backend="allauth.account.auth_backends.AuthenticationBackend")
    for subject in ("person-1", "person-2"):
        provider.subject = subject
        assert sign_on(visitor)["Location"] == "/account/sign-in/"
        assert visitor.session["_auth_user_id"] == str(ben.pk)
    assert list(SocialAccount.objects.values_list("user", "uid")) == [(anna.pk, "person-1")]


def test_the_doors_own_settings_link_nobody_and_prove_the_code(tmp_path: Path) -> None:
    """As an installation has them: PKCE, no linking by address, no sign-on by a link alone, no token kept."""
    more = '[single_sign_on]\nprovider = "works"\nname = "Works"\nissuer = "http://works.example"\nclient_id = "c"\n'
    path = written(tmp_path, more=more)
    create_secrets(tmp_path / "secrets")
    (tmp_path / "secrets" / "single-sign-on.secret").write_text("quimber")
    (tmp_path / "secrets" / "single-sign-on.secret").chmod(0o600)
    ask = (
        "import json; from vigil.hotline.settings import console as c;"
        "print(json.dumps([c.SOCIALACCOUNT_PROVIDERS['openid_connect']['OAUTH_PKCE_ENABLED'],"
        "c.SOCIALACCOUNT_EMAIL_AUTHENTICATION, c.SOCIALACCOUNT_LOGIN_ON_GET, c.SOCIALACCOUNT_STORE_TOKENS]))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "DJANGO_SETTINGS_MODULE"}
    told = subprocess.run(
        [sys.executable, "-c", ask], env={**environment, VARIABLE: str(path)}, capture_output=True, text=True, check=True
    )
    assert json.loads(told.stdout) == [True, False, False, False]


def test_who_was_unlinked_or_closed_is_not_let_in(visitor: Any, anna: User) -> None:
    do_link_identity(OPERATOR, anna, "works", "person-1")
    do_set_active(OPERATOR, anna, active=False)
    assert sign_on(visitor)["Location"] == "/account/sign-in/"
    do_set_active(OPERATOR, anna, active=True)
    assert do_unlink_identity(OPERATOR, anna, "works") == 1
    assert sign_on(visitor)["Location"] == "/account/sign-in/"


@pytest.mark.parametrize("broken", ["state", "token", "issuer", "audience"])
def test_a_provider_that_lies_lets_nobody_in(visitor: Any, provider: Provider, anna: User, broken: str) -> None:
    do_link_identity(OPERATOR, anna, "works", "person-1")
    provider.broken = broken
    answer = gone_on(visitor, sign_on(visitor))
    assert answer.status_code == 302 and answer["Location"] == "/account/sign-in/"
    assert visitor.post("/account/code/", {"code": code_now()})["Location"].startswith("/account/sign-in/")


def test_the_callback_alone_opens_nothing(visitor: Any) -> None:
    for query in ("", "?code=x&state=y", "?error=access_denied", "?state=%00"):
        answer = gone_on(visitor, visitor.get(f"{START}back/{query}"))
        assert answer.status_code in {302, 400, 403} and answer.get("Location", "/account/sign-in/") == "/account/sign-in/", query
    assert visitor.get("/queue/").status_code == 302


def test_without_configuration_there_is_no_button_and_no_way(console_client: Callable[..., Any]) -> None:
    client = console_client()
    assert b"Sign in with Works" not in client.get("/account/sign-in/").content
    for method in (client.get, client.post):
        assert method(START).status_code == 404


def test_an_identity_belongs_to_one_person(anna: User, make_user: Callable[..., User]) -> None:
    do_link_identity(OPERATOR, anna, "works", "person-1")
    do_link_identity(OPERATOR, anna, "works", "person-1")
    with pytest.raises(RefusedError, match="somebody else"):
        do_link_identity(OPERATOR, make_user(Role.ANALYST, username="ben"), "works", "person-1")
    with pytest.raises(InputError):
        do_link_identity(OPERATOR, anna, "works", " ")
    with pytest.raises(RefusedError):
        do_link_identity(PUBLIC, anna, "works", "person-3")
