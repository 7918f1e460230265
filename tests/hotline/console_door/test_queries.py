"""How many questions the main pages ask of the database, exactly; and that it does not grow with the desk."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from tests.hotline.assessments.test_files_and_looks import CHILD, GRADE
from tests.hotline.console_door.conftest import Desk
from tests.hotline.reports.test_captures import drawn

from vigil.hotline.access.clock import now
from vigil.hotline.access.models import User
from vigil.hotline.access.roles import Role
from vigil.hotline.assessments.grading import do_grade
from vigil.hotline.doors.console import readings
from vigil.hotline.doors.console.navigation import ROOMS, rail
from vigil.hotline.doors.console.views import case
from vigil.hotline.reports.captures import do_hash_file
from vigil.media import hash_image

COUNTS = {"/queue/?view=open": 8, "new": 23, "case": 29, "file": 35, "/wellbeing/": 53, "/holds/": 11, "/second-person/": 12}
"""What each page asks, the rail of somebody with every room included; ``new`` is a case that just arrived, the files of ``case``
are graded."""
LOGGED = {"new", "case", "file", "/holds/", "/second-person/"}
"""Opening these leaves an audit row. SQLite adds it and moves the end of the chain in two statements, PostgreSQL in one."""


def asked(client: object, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)  # type: ignore[attr-defined]
    assert answer.status_code == 200, path
    return len(queries)


@pytest.mark.parametrize("files", [1, 6])
def test_pages_ask_as_many_questions_as_is_said_here(desk: Desk, make_user: Callable[..., User], files: int) -> None:
    new = [desk.reported(f"http://h{number}.example/") for number in range(files * 3)]
    report = desk.taken()
    media = [do_hash_file(desk.anna, report, drawn(seed), hash_image) for seed in range(files)]
    for one in media:
        do_grade(desk.anna, report, one, GRADE, [CHILD], known=0, started_at=now())
    everybody = make_user(Role.SUPERVISOR, Role.LIST_PUBLISHER, Role.POLICE_LIAISON, Role.QA, username="ella")
    client = desk.at(everybody)
    with client.standing_there():
        client.get("/queue/")
        paths = {name: name for name in COUNTS} | {
            "new": f"/cases/{new[0].pk}/",
            "case": f"/cases/{report.pk}/",
            "file": f"/cases/{report.pk}/files/{media[0].pk}/",
        }
        found = {name: asked(client, path) for name, path in paths.items()}
    two = connection.vendor == "sqlite"
    assert found == {name: number + (two and name in LOGGED) for name, number in COUNTS.items()}


def test_a_host_of_very_many_cases_is_counted_up_to_a_bound(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readings, "HOST_CASES", 3)
    monkeypatch.setattr(case, "HOST_CASES", 3)
    monkeypatch.setattr(readings, "_SAME_HOST", readings._same_host())
    report = desk.taken("http://host.example/0")
    for number in range(1, 4):
        desk.reported(f"http://host.example/{number}")
    page = desk.at(desk.anna).get(f"/cases/{report.pk}/").content.decode()
    assert "<dd>3 new</dd>" in page
    desk.reported("http://host.example/4")
    page = desk.at(desk.anna).get(f"/cases/{report.pk}/").content.decode()
    assert "<dd>more than 3 other cases</dd>" in page


def test_people_of_the_same_roles_see_their_own_counts(desk: Desk, make_user: Callable[..., User]) -> None:
    mia = make_user(Role.ANALYST, username="mia")
    desk.taken()
    request = RequestFactory().get("/")
    request.resolver_match = None
    counts = {}
    for person in (desk.anna, mia, desk.anna):
        request.person = User.objects.get(pk=person.pk)
        counts[person.username] = {line["text"]: line["count"] for _, lines in rail(request)["rail"] for line in lines}
    assert (counts["anna"]["In my hands"], counts["mia"]["In my hands"]) == (1, 0)


def test_the_rail_asks_one_question_whatever_rooms_there_are(desk: Desk, make_user: Callable[..., User]) -> None:
    for number in range(3):
        desk.reported(f"http://h{number}.example/")
    desk.taken()
    for person in (desk.anna, make_user(*Role, username="ella")):
        request = RequestFactory().get("/")
        request.person, request.resolver_match = User.objects.get(pk=person.pk), None
        wanted = {
            room.text: sum(each.count() for each in room.waits(person, now()))
            for room in ROOMS if room.waits is not None and person.may(room.permission)
        }  # fmt: skip
        with CaptureQueriesContext(connection) as queries:
            shown = {line["text"]: line["count"] for _, lines in rail(request)["rail"] for line in lines}
        assert {text: count for text, count in shown.items() if count is not None} == wanted
        assert wanted["Queue"] == 3 and wanted["In my hands"] == (1 if person == desk.anna else 0)
        counting = [each["sql"] for each in queries if "COUNT(" in each["sql"]]
        assert len(counting) == 1
