"""Sessions end when nobody works, and nothing that was typed is lost."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from tests.hotline.console_door.conftest import Desk, form_of

from vigil.base.clock import FixedClock
from vigil.hotline.assessments.models import Assessment


def sent_by_a_browser(client: Any, page: str, form: dict[str, Any]) -> Any:
    return client.post(page, urlencode(form), content_type="application/x-www-form-urlencoded")


def test_a_session_lives_while_somebody_works(desk: Desk, clock: FixedClock) -> None:
    client = desk.at(desk.anna)
    for _ in range(4):
        assert client.get("/queue/").status_code == 200
        clock.advance(minutes=15)


def test_a_session_ends_when_nobody_does(desk: Desk, clock: FixedClock) -> None:
    client = desk.at(desk.anna)
    client.get("/queue/")
    clock.advance(minutes=21)
    answer = client.get("/queue/")
    assert answer["Location"] == "/account/sign-in/?next=%2Fqueue%2F"
    assert client.get("/queue/").status_code == 302


def test_a_form_sent_too_late_is_there_again(desk: Desk, clock: FixedClock) -> None:
    report = desk.taken()
    client = desk.at(desk.anna)
    page = f"/cases/{report.pk}/assessment/"
    client.get("/queue/")
    clock.advance(hours=1)
    answer = sent_by_a_browser(client, page, form_of(report, severity="A", notes="quimber"))
    assert answer["Location"].startswith("/account/sign-in/") and not Assessment.objects.exists()
    assert "quimber" not in str(dict(client.session)), "what is kept is sealed"
    client.force_login(desk.anna, backend="allauth.account.auth_backends.AuthenticationBackend")
    form = client.get(page).context["assessment_form"]
    assert form["severity"].value() == "A" and form["notes"].value() == "quimber"
    assert client.get(page).status_code == 302, "it is given back once"


def test_somebody_else_does_not_get_it(desk: Desk, clock: FixedClock) -> None:
    report = desk.taken()
    client = desk.at(desk.anna)
    page = f"/cases/{report.pk}/assessment/"
    client.get("/queue/")
    clock.advance(hours=1)
    sent_by_a_browser(client, page, form_of(report, notes="quimber"))
    client.force_login(desk.ben, backend="allauth.account.auth_backends.AuthenticationBackend")
    assert "quimber" not in client.get(page, follow=True).content.decode()
    assert "kept_form" not in client.session
