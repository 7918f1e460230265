"""Two processes act on the same things at the same instant, on a database of their own: batches, and one case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tests.hotline.assessments.test_scheme import FINDING
from tests.hotline.reports.test_race import house, run

__all__ = ["house"]
pytestmark = pytest.mark.own_database

PAGES, BATCHES = 20, 5
ACT = f"""
import json, sys, time
from pathlib import Path
from vigil.hotline.management import boot
boot.start("worker")
from vigil.base.errors import VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.queries import user_named
from vigil.hotline.assessments.actions import do_assess
from vigil.hotline.reports.actions import do_take_next
from vigil.hotline.reports.enumerations import HashAlgorithm
from vigil.hotline.reports.intake import Arrival, check_submit, do_submit_reports
from vigil.hotline.reports.items import file_item
from vigil.hotline.reports.models import Report

def meet(place):
    Path(f"{{place}}-{{sys.argv[1]}}").touch()
    for _ in range(6000):
        if len(list(Path.cwd().glob(f"{{place}}-*"))) == 2:
            return
        time.sleep(0.005)
    raise SystemExit("the other one did not come")

def batch(number):
    pages = [Arrival(f"https://page{{number}}-{{page}}.example/") for page in range({PAGES})]
    files = [Arrival(items=(file_item(HashAlgorithm.SHA256, f"{{number * 1000 + page:064x}}"),)) for page in range({PAGES})]
    named = [check_submit(PUBLIC, arrival) for arrival in pages + files]
    return named if sys.argv[1] == "forward" else named[::-1]

anna = user_named("anna")
if sys.argv[1] == "forward":
    do_take_next(anna)
meet("batches")
for number in range({BATCHES}):
    do_submit_reports(PUBLIC, batch(number))
case = Report.objects.get(taken_by=anna)
meet("case")
try:
    do_assess(anna, case, json.loads(sys.argv[2]), version=case.version, started_at=now())
    print("saved")
except VigilError as error:
    print(error.code)
"""
TAKE_TURNS = """
import json, sys, time
from pathlib import Path
from vigil.hotline.management import boot
boot.start("worker")
from vigil.hotline.access.queries import user_named
from vigil.hotline.assessments.actions import do_take_next_fit
me, mine = user_named(sys.argv[1]), []
for turn in range(6):
    Path(f"turn{turn}-{sys.argv[1]}").touch()
    while len(list(Path.cwd().glob(f"turn{turn}-*"))) < 2:
        time.sleep(0.001)
    report = do_take_next_fit(me)
    mine.append(report.ref if report else None)
print(json.dumps(mine))
"""
SUPERVISOR = """
import sys
from vigil.hotline.management import boot
boot.start("worker")
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.queries import user_named
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.people import do_add_user
from vigil.hotline.reports.actions import do_take_next
do_add_user(OPERATOR, "sam", password="sam-long-password", roles=[Role.SUPERVISOR])
for _ in range(int(sys.argv[1])):
    do_take_next(user_named("anna"))
"""
TWO_PEOPLE = """
import json, sys, time
from pathlib import Path
from vigil.hotline.management import boot
boot.start("worker")
from vigil.base.errors import VigilError
from vigil.hotline.access.clock import now
from vigil.hotline.access.queries import user_named
from vigil.hotline.assessments.actions import do_assess
from vigil.hotline.reports.actions import do_release, do_set_priority
from vigil.hotline.reports.enumerations import Priority
from vigil.hotline.reports.models import Report
anna, sam = user_named("anna"), user_named("sam")
said = []
for turn, case in enumerate(Report.objects.filter(taken_by=anna).order_by("pk")):
    Path(f"two{turn}-{sys.argv[1]}").touch()
    while len(list(Path.cwd().glob(f"two{turn}-*"))) < 2:
        time.sleep(0.001)
    try:
        if sys.argv[1] == "anna":
            do_assess(anna, case, json.loads(sys.argv[2]), version=case.version, started_at=now())
        elif turn % 2:
            do_release(sam, case)
        else:
            do_set_priority(sam, case, Priority.URGENT)
        said.append([str(case.pk), "done"])
    except VigilError as error:
        said.append([str(case.pk), error.code])
print(json.dumps(said))
"""
STANDS = """
import json
from vigil.hotline.management import boot
boot.start("worker")
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.reports.models import Report
print(json.dumps({
    "cases": {
        str(row.pk): [row.assessments.count(), row.priority, row.taken_by_id is not None, row.version]
        for row in Report.objects.exclude(assessments=None) | Report.objects.filter(pk__in=[
            each.partition(":")[2] for each in AuditEvent.objects.filter(actor="user:sam").values_list("subject", flat=True)
        ])
    },
    "log": verify().ok,
}))
"""
COUNT = """
import json
from vigil.hotline.management import boot
boot.start("worker")
from django.db.models import Q
from vigil.hotline.assessments.models import Assessment
from vigil.hotline.audit.verify import verify
from vigil.hotline.reports.models import Report, Submission, Url
mine = {each.report_id: each for each in Submission.objects.filter(Q(url__host__startswith="page") | Q(digest__gt=""))}
reports = list(Report.objects.filter(pk__in=mine))
firsts = [row for row in reports if row.dedupe_of_id is None]
thing = lambda key: (mine[key].url_id, mine[key].digest)
print(json.dumps({
    "reports": len(reports), "firsts": len(firsts), "repeats": sum(row.repeats for row in firsts),
    "linked": all(thing(row.pk) == thing(row.dedupe_of_id) for row in reports if row.dedupe_of_id),
    "urls": Url.objects.filter(host__startswith="page").count(), "log": verify().ok, "saved": Assessment.objects.count(),
}))
"""


def test_two_batches_of_the_same_things_and_one_case_saved_twice(house: Path) -> None:
    """Nothing is lost, every second one counts on the first, nobody waits in a circle; of two savings one is refused."""
    both = [run(house, ACT, way, json.dumps(FINDING)) for way in ("forward", "backward")]
    said = sorted(each.check().strip() for each in both)
    things = 2 * PAGES * BATCHES
    assert json.loads(run(house, COUNT).check()) == {
        "reports": 2 * things, "firsts": things, "repeats": things, "linked": True, "urls": things // 2, "log": True, "saved": 1,
    }  # fmt: skip
    assert said[1] == "saved"
    assert said[0] in {"case_changed", "case_not_held"}


def test_two_people_take_turns_at_the_same_instant_and_never_get_the_same_case(house: Path) -> None:
    """As the console does it, with breaks and opt-outs: both ask at once, turn after turn."""
    both = [run(house, TAKE_TURNS, name) for name in ("anna", "bert")]
    taken = [case for each in both for case in json.loads(each.check())]
    assert len(taken) == 12 and None not in taken
    assert len(set(taken)) == 12


def test_of_two_people_who_change_one_case_at_once_the_later_sees_it_and_nothing_is_lost(house: Path) -> None:
    """An analyst saves what she found while a supervisor frees the case or changes its priority, each in another process."""
    turns = 6
    run(house, SUPERVISOR, str(turns)).check()
    both = [run(house, TWO_PEOPLE, name, json.dumps(FINDING)) for name in ("anna", "sam")]
    anna, sam = (dict(json.loads(each.check())) for each in both)
    stands = json.loads(run(house, STANDS).check())
    assert len(anna) == len(sam) == turns and stands["log"]
    for turn, case in enumerate(anna):
        assessments, priority, _, _ = stands["cases"][case]
        if anna[case] == "done":
            assert assessments == 1
            # Who came later changed the case as it then was, or was told that it is nobody's any more.
            assert sam[case] in ({"done", "case_not_held"} if turn % 2 else {"done", "case_concluded"})
        else:
            assert anna[case] in {"case_changed", "case_not_held"} and assessments == 0
            assert sam[case] == "done"
        if sam[case] == "done" and turn % 2 == 0:
            assert priority == "urgent"
