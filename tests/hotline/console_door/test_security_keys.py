"""Security keys in a real browser with a virtual authenticator: added, used at sign-in, used to prove oneself again, removed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page
from tests.hotline.console_door.test_signing_in import code_now
from tests.support.browsing import SCREENS, chromium

from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def page(request: pytest.FixtureRequest, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Page]:
    """A browser with a security key plugged in. Keys need a name, so the console is at ``localhost``."""
    from django.core.cache import cache

    cache.clear()
    settings.STATIC_URL = settings.MEDIA_URL = "/nothing-is-served-here/"
    live_server = request.getfixturevalue("live_server")
    monkeypatch.setenv("DJANGO_ALLOW_ASYNC_UNSAFE", "1")
    with chromium() as browser:
        context = browser.new_context(base_url=live_server.url.replace("127.0.0.1", "localhost"))
        opened = context.new_page()
        session = context.new_cdp_session(opened)
        session.send("WebAuthn.enable")
        options = {"protocol": "ctap2", "transport": "usb", "hasUserVerification": True, "isUserVerified": True}
        session.send("WebAuthn.addVirtualAuthenticator", {"options": {**options, "automaticPresenceSimulation": True}})
        yield opened


def sign_in(page: Page, name: str) -> None:
    page.goto("/account/sign-in/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(f"{name}-long-password")
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url(lambda url: "/account/sign-in/" not in url)


def judge(page: Page, name: str) -> None:
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"console-light-{name}.png", full_page=True)
    assert [rule["id"] for rule in Axe().run(page).response["violations"]] == []


def test_a_key_is_the_second_step(page: Page, make_user: Callable[..., User]) -> None:
    make_user(Role.ANALYST, username="anna", second_factor=False)
    sign_in(page, "anna")
    page.goto("/queue/")
    page.get_by_role("link", name="use a security key").click()
    judge(page, "key-add")
    page.get_by_label("A name for it").fill("Blue key")
    page.get_by_role("button", name="Add it").click()
    page.wait_for_url("**/recovery-codes/")
    page.goto("/account/second-step/")
    page.get_by_text("Blue key").first.wait_for()
    judge(page, "keys")
    page.get_by_role("link", name="To the console").click()
    page.get_by_role("button", name="Sign out").click()

    sign_in(page, "anna")
    page.get_by_role("heading", name="Or use your security key").wait_for()
    judge(page, "key-sign-in")
    page.get_by_role("button", name="Use the security key").click()
    page.wait_for_url(lambda url: "/account/" not in url)  # the sign-in page ends in a slash as well
    page.goto("/queue/")
    page.get_by_role("heading", name="Waiting").wait_for()
    assert AuditEvent.objects.filter(code="person.second_factor_set", actor="user:anna").count() == 1

    page.goto("/account/second-step/")
    page.get_by_role("link", name="Remove Blue key").click()
    page.get_by_text("This is your only second step").wait_for()


def test_a_key_beside_codes_can_be_removed(page: Page, make_user: Callable[..., User]) -> None:
    make_user(Role.ANALYST, username="ben")
    sign_in(page, "ben")
    page.get_by_label("Code", exact=True).fill(code_now())
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(lambda url: "/account/code/" not in url)
    page.goto("/account/keys/add/")
    page.get_by_role("button", name="Add it").click()
    page.wait_for_url(lambda url: "/keys/add/" not in url)
    page.goto("/account/second-step/")
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove it").click()
    page.get_by_text("None yet").wait_for()
    assert AuditEvent.objects.filter(code="person.second_factor_removed", actor="user:ben").count() == 1


NONSENSE = ["", "{}", "[]", "null", '{"id": "x"}', "no json", '{"id":"AA","rawId":"AA","type":"public-key","response":{}}']


def test_nonsense_adds_nothing(make_user: Callable[..., User], console_client: Callable[..., Any]) -> None:
    from allauth.mfa.models import Authenticator
    from tests.hotline.console_door.test_need_to_know import signed_in

    make_user(Role.ANALYST, username="carl")
    client = signed_in(console_client, "carl")
    client.get("/account/keys/add/")
    for credential in NONSENSE:
        for path in ("/account/keys/add/", "/account/keys/again/"):
            assert client.post(path, {"name": "x", "credential": credential}).status_code in {200, 302}, credential
        assert console_client().post("/account/code/", {"credential": credential}).status_code in {200, 302}
    assert not Authenticator.objects.filter(type="webauthn").exists()
