"""Restricted cases, elevated sessions and the log of looking, at the console."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from tests.hotline.conftest import TOTP_SECRET
from tests.hotline.console_door.conftest import Desk

from vigil.hotline.access.models import Elevation, User
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.compartments.access import in_force
from vigil.hotline.compartments.actions import do_restrict
from vigil.hotline.compartments.models import Ground
from vigil.hotline.reports.models import Report

REASON = "A court asked how this case was handled in quimber."


@pytest.fixture
def sam(make_user: Callable[..., User]) -> User:
    return make_user(Role.SUPERVISOR, username="sam")


@pytest.fixture
def restricted(desk: Desk, sam: User) -> Report:
    report = desk.reported()
    do_restrict(sam, report.pk, Ground.POLICE_OPERATION, [desk.anna])
    return report


def signed_in(open_door: Callable[..., Any], name: str) -> Any:
    """A client that signed in with password and code, as people do: elevated sessions ask for that."""
    from django.core.cache import cache

    cache.clear()
    client = open_door()
    client.post("/account/sign-in/", {"login": name, "password": f"{name}-long-password"})
    code = format_hotp_value(hotp_value(TOTP_SECRET, int(time.time()) // 30))
    client.post("/account/code/", {"code": code})
    return client


def addresses_below(report: Report) -> list[str]:
    names = ["", "take/", "release/", "reopen/", "priority/", "close/", "show/", "capture/", "capture/state/", "file/"]
    return [f"/cases/{report.pk}/{name}" for name in [*names, "assessment/", "listing/"]]


def test_every_address_of_a_restricted_case_is_shut(desk: Desk, restricted: Report) -> None:
    client = desk.at(desk.ben)
    for path in addresses_below(restricted):
        for method in (client.get, client.post):
            assert method(path).status_code == 403, path
    assert desk.at(desk.anna).get(f"/cases/{restricted.pk}/").status_code == 200


def test_it_is_in_nobody_elses_lists(desk: Desk, restricted: Report) -> None:
    for view in ("", "open"):
        assert restricted.ref in desk.at(desk.anna).get(f"/queue/?view={view}").content.decode()
        assert restricted.ref not in desk.at(desk.ben).get(f"/queue/?view={view}").content.decode()
    assert desk.at(desk.ben).post("/queue/next/")["Location"] == "/queue/"
    assert desk.at(desk.anna).post("/queue/next/")["Location"] == f"/cases/{restricted.pk}/"


def test_a_supervisor_restricts_names_and_lifts(desk: Desk, sam: User) -> None:
    report, client = desk.reported(), desk.at(sam)
    page = f"/cases/{report.pk}/people/"
    assert client.post(f"{page}restrict/", {"ground": "other"}, follow=True).status_code == 200
    assert in_force(report.pk) is None
    client.post(f"{page}restrict/", {"ground": "other", "people": [str(desk.anna.pk)]})
    assert in_force(report.pk) is not None
    client.post(f"{page}let-in/", {"person": str(desk.ben.pk)})
    assert "Ben" in client.get(page).content.decode()
    client.post(f"{page}take-out/", {"person": str(desk.anna.pk)})
    assert desk.at(desk.anna).get(f"/cases/{report.pk}/").status_code == 403
    client.post(f"{page}lift/")
    assert desk.at(desk.anna).get(f"/cases/{report.pk}/").status_code == 200
    assert desk.at(desk.anna).get(page).status_code == 403


def test_a_supervisor_opens_it_for_a_written_reason_only(desk: Desk, sam: User, restricted: Report) -> None:
    client = signed_in(desk.open_door, "sam")
    page = f"/cases/{restricted.pk}/"
    asked = client.get(page)
    assert asked["Location"].startswith("/elevated/?next=")
    form = client.get(asked["Location"])
    assert b"restricted to named people" in form.content
    assert client.post("/elevated/", {"next": page, "purpose": "oversight", "reason": "short"}).status_code == 422
    assert client.post("/elevated/", {"next": page, "purpose": "oversight", "reason": REASON})["Location"] == page
    assert client.get(page).status_code == 200
    read = AuditEvent.objects.filter(code="page.read", actor="user:sam").latest("seq")
    assert read.subject == f"report:{restricted.pk}" and json.loads(read.details)["elevated"] is True
    assert client.post("/elevated/end/")["Location"] == "/"
    assert client.get(page).status_code == 302


def test_an_elevated_session_asks_who_is_there(desk: Desk, sam: User, restricted: Report) -> None:
    client = desk.at(sam)  # a session whose sign-in is not fresh
    for answer in (client.get("/elevated/"), client.post("/elevated/", {"next": "/", "purpose": "oversight", "reason": REASON})):
        assert answer["Location"].startswith("/account/again/")
    assert not Elevation.objects.exists()


@pytest.mark.parametrize("elsewhere", ["http://evil.example/", "//evil.example/", "javascript:alert(1)", "\\\\evil.example", ""])
def test_nobody_is_sent_elsewhere(desk: Desk, sam: User, elsewhere: str) -> None:
    client = signed_in(desk.open_door, "sam")
    answer = client.post("/elevated/", {"next": elsewhere, "purpose": "oversight", "reason": REASON})
    assert answer["Location"] == "/"


def test_auditors_read_reasons_and_each_showing_is_logged(
    desk: Desk, sam: User, restricted: Report, make_user: Callable[..., User]
) -> None:
    signed_in(desk.open_door, "sam").post("/elevated/", {"next": "/", "purpose": "incident", "reason": REASON})
    client = desk.at(make_user(Role.AUDITOR, username="aud"))
    assert REASON not in client.get("/elevated/sessions/").content.decode()
    assert REASON in client.post(f"/elevated/sessions/{Elevation.objects.get().pk}/reason/").content.decode()
    assert AuditEvent.objects.filter(code="session.reason_shown", actor="user:aud").count() == 1
    assert desk.at(sam).get("/elevated/sessions/").status_code == 403


def test_the_log_leaves_the_console_in_an_elevated_session_only(desk: Desk, make_user: Callable[..., User]) -> None:
    make_user(Role.AUDITOR, username="aud")
    client = signed_in(desk.open_door, "aud")
    assert client.get("/audit/export/")["Location"].startswith("/elevated/?next=")
    client.post("/elevated/", {"next": "/audit/export/", "purpose": "oversight", "reason": REASON})
    lines = b"".join(client.get("/audit/export/").streaming_content).decode().splitlines()
    assert json.loads(lines[0])["format"] == "vigil-audit-export-1"
    assert json.loads(lines[-1])["code"] == "audit.exported"


def test_looking_leaves_a_row_and_polling_does_not(desk: Desk) -> None:
    report, client = desk.reported(), desk.at(desk.anna)
    before = AuditEvent.objects.count()
    client.get(f"/cases/{report.pk}/")
    client.head(f"/cases/{report.pk}/")
    rows = list(AuditEvent.objects.filter(seq__gt=before).values_list("code", "subject", "actor"))
    assert rows == [("page.read", f"report:{report.pk}", "user:anna")] * 2
    client.get("/queue/")
    client.get(f"/cases/{report.pk}/capture/state/")
    assert AuditEvent.objects.count() == before + 2


def test_a_refused_look_is_no_look(desk: Desk, make_user: Callable[..., User]) -> None:
    report = desk.reported()
    client = desk.at(make_user(Role.SYSADMIN, username="sys"))
    assert client.get(f"/cases/{report.pk}/").status_code == 403
    assert not AuditEvent.objects.filter(code="page.read").exists()


def test_the_new_pages_are_plain_to_read(desk: Desk, sam: User, restricted: Report) -> None:
    client = signed_in(desk.open_door, "sam")
    for path in ("/elevated/", f"/cases/{restricted.pk}/people/"):
        content = client.get(path).content.decode()
        assert content.count("<h1>") == 1 and "zorblat" not in content
