"""How many questions the main pages ask of the database: a bound, so that a page does not slow down with its desk."""

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
from vigil.hotline.doors.console.navigation import ROOMS, rail
from vigil.hotline.reports.captures import do_hash_file
from vigil.media import hash_image

# The most that each page may ask, whatever is on the desk; the rail of somebody with every room included.
BOUNDS = {"/queue/?view=open": 20, "case": 46, "file": 50, "/wellbeing/": 65, "/holds/": 20, "/second-person/": 20}


def asked(client: object, path: str) -> int:
    with CaptureQueriesContext(connection) as queries:
        answer = client.get(path)  # type: ignore[attr-defined]
    assert answer.status_code == 200, path
    return len(queries)


@pytest.mark.parametrize("files", [1, 6])
def test_pages_ask_a_bounded_number_of_questions(desk: Desk, make_user: Callable[..., User], files: int) -> None:
    for number in range(files * 3):
        desk.reported(f"http://h{number}.example/")
    report = desk.taken()
    media = [do_hash_file(desk.anna, report, drawn(seed), hash_image) for seed in range(files)]
    for one in media:
        do_grade(desk.anna, report, one, GRADE, [CHILD], known=0, started_at=now())
    everybody = make_user(Role.SUPERVISOR, Role.LIST_PUBLISHER, Role.POLICE_LIAISON, Role.QA, username="ella")
    client = desk.at(everybody)
    with client.standing_there():
        client.get("/queue/")
        paths = {name: name for name in BOUNDS} | {
            "case": f"/cases/{report.pk}/", "file": f"/cases/{report.pk}/files/{media[0].pk}/",
        }  # fmt: skip
        found = {name: asked(client, path) for name, path in paths.items()}
    assert {name: count for name, count in found.items() if count > BOUNDS[name]} == {}


def test_the_rail_asks_one_question_whatever_rooms_there_are(desk: Desk, make_user: Callable[..., User]) -> None:
    for number in range(3):
        desk.reported(f"http://h{number}.example/")
    desk.taken()
    for person in (desk.anna, make_user(*Role, username="ella")):
        request = RequestFactory().get("/")
        request.person, request.resolver_match = User.objects.get(pk=person.pk), None
        wanted = {
            room.text: sum(each.count() for each in room.waits(person))
            for room in ROOMS if room.waits is not None and person.may(room.permission)
        }  # fmt: skip
        with CaptureQueriesContext(connection) as queries:
            shown = {line["text"]: line["count"] for _, lines in rail(request)["rail"] for line in lines}
        assert {text: count for text, count in shown.items() if count is not None} == wanted
        assert wanted["Queue"] == 3 and wanted["In my hands"] == (1 if person == desk.anna else 0)
        counting = [each["sql"] for each in queries if "COUNT(" in each["sql"]]
        assert len(counting) == 1
