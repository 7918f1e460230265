"""Partners at the command line: the list of them, the kill switch, marks, hits, exports and words; with a real installation."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.hotline.lists.cases import PAGE, listed, make_lists
from typer.testing import CliRunner

from vigil.base.clock import FixedClock
from vigil.base.errors import RefusedError
from vigil.base.redaction import Sealed
from vigil.cli.edition import app as edition
from vigil.cli.hotline import app
from vigil.editions.marks import decode_book
from vigil.editions.model import ListKind
from vigil.hotline.access.models import User
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.roles import Role
from vigil.hotline.approvals.actions import do_approve, do_request
from vigil.hotline.approvals.acts import TwoPersonAct
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.actions import do_create_list
from vigil.hotline.lists.enumerations import EntryReason, RemovedReason
from vigil.hotline.lists.marking import books
from vigil.hotline.lists.models import ListEntry, Publication
from vigil.hotline.lists.proposed import KeywordProposal, do_approve_proposal, do_propose_entry
from vigil.hotline.lists.withdrawals import do_withdraw_entry
from vigil.hotline.management import boot
from vigil.hotline.partners.agreements import Terms, do_approve_agreement, do_propose_agreement, do_propose_partner
from vigil.hotline.partners.enumerations import PartnerKind
from vigil.hotline.partners.models import Partner
from vigil.hotline.settings.config import VARIABLE
from vigil.hotline.statistics.models import CanaryAlarm


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch, settings: Any) -> None:
    """The commands run in this process, on the database of the test."""
    monkeypatch.setattr(boot, "start", lambda door: None)
    lists = msgspec.structs.replace(settings.CONFIG.lists, canary_domains=("grelm.example",), mark_positions=64)
    settings.CONFIG = msgspec.structs.replace(settings.CONFIG, lists=lists)


@pytest.fixture
def people(make_user: Callable[..., User], clock: FixedClock) -> dict[str, User]:
    make_lists()
    roles = {"anna": Role.ANALYST, "lin": Role.SECOND_REVIEWER, "paula": Role.LIST_PUBLISHER, "sam": Role.SUPERVISOR}
    return {name: make_user(role, username=name) for name, role in roles.items()}


@pytest.fixture
def partner(people: dict[str, User], clock: FixedClock) -> Partner:
    made = do_propose_partner(people["paula"], "Quimber Net", PartnerKind.ISP)
    terms = Terms("r", ("urls",), clock.now(), clock.now() + timedelta(days=9), "Somebody", exports=("csv", "misp"))
    do_approve_agreement(people["sam"], do_propose_agreement(people["paula"], made, terms))
    return made


def run(*arguments: str, status: int = 0, on: Any = app) -> str:
    done = CliRunner().invoke(on, list(arguments))
    assert done.exit_code == status, (done.output, done.exception)
    return str(done.output)


def published(number: int = 3) -> None:
    Publication.objects.create(created_by="x", number=number, state="published")


def test_an_export_holds_what_was_agreed_is_marked_and_takes_back_what_was_withdrawn(
    partner: Partner, people: dict[str, User], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, "this one")  # the books of marks are those of the installation
    published()
    listed(people["anna"], people["lin"])
    gone = listed(people["anna"], people["lin"], "http://gone.example/1").entries.get()
    do_withdraw_entry(people["lin"], gone, RemovedReason.ERROR)
    out = tmp_path / "out"
    run("list", "export", "--partner", partner.code, "--format", "csv", "--out", str(out))
    text = (out / "entries.csv").read_text()
    assert PAGE in text and "gone.example" not in text and ".grelm.example" in text
    assert (out / "entries.csv").stat().st_mode & 0o077 == 0
    run("list", "export", "--partner", partner.code, "--format", "misp", "--out", str(tmp_path / "misp"))
    events = [json.loads(path.read_text()) for path in (tmp_path / "misp").glob("*-*.json")]
    attributes = [each for event in events for each in event["Event"]["Attribute"]]
    assert [each["deleted"] for each in attributes if "gone.example" in each["value"]] == [True]
    assert not [each for each in attributes if "gallery.example" in each["value"] and each.get("deleted")]
    assert AuditEvent.objects.filter(code="list.exported").count() == 2
    told = run("trace", str(out / "entries.csv"), "--json", on=edition)
    assert [each["partner"] for each in json.loads(told)["named"]] == [partner.code]


def test_a_form_or_partner_without_agreement_is_refused(partner: Partner, tmp_path: Path) -> None:
    published()
    for code, form in ((partner.code, "rpz"), ("p-unknown", "csv")):
        done = CliRunner().invoke(app, ["list", "export", "--partner", code, "--format", form, "--out", str(tmp_path / "o")])
        assert isinstance(done.exception, RefusedError)


def test_the_list_of_partners_and_the_kill_switch(partner: Partner) -> None:
    (row,) = json.loads(run("partner", "list", "--json"))
    assert (row["code"], row["stopped"]) == (partner.code, False) and row["until"]
    node = json.loads(run("node", "add", "q-1", "--partner", partner.code, "--json"))
    assert node["token"]
    assert "next poll gets nothing" in run("partner", "stop", partner.code, "--reason", "leak")
    assert "STOPPED" in run("partner", "list")
    partner.refresh_from_db()
    assert partner.stopped_by == "system:operator"


def test_hits_in_a_log_raise_alarms_that_name_the_partner_and_keep_nobody(
    partner: Partner, people: dict[str, User], tmp_path: Path
) -> None:
    listed(people["anna"], people["lin"])
    published()
    run("list", "export", "--partner", partner.code, "--format", "csv", "--out", str(tmp_path / "o"))
    run("partner", "marks", "--out", str(tmp_path / "book"))
    assert decode_book((tmp_path / "book").read_bytes()) == books()[0]
    (book,) = books()
    mark = next(each for each in book.all_marks("urls", 64) if each.holder == partner.code)
    shared = next(each for each in book.all_marks("urls", 64) if not each.holder)
    log = tmp_path / "access.log"
    log.write_text(
        f'192.0.2.9 - - "GET / HTTP/1.1" {book.address_of(mark).host} "agent"\n' * 2
        + f"{book.address_of(shared).host} A?\nquiet.grelm.example A?\n"
    )
    assert json.loads(run("partner", "hits", str(log), "--json", status=1)) == {"": 1, partner.code: 2}
    alarms = {(alarm.partner, alarm.number, alarm.source) for alarm in CanaryAlarm.objects.all()}
    assert alarms == {(partner.code, 2, "log"), ("", 1, "log")}
    assert not AuditEvent.objects.filter(details__contains="192.0.2.9").exists()
    log.write_text("nothing.example\n")
    assert "No request" in run("partner", "hits", str(log))


def test_words_leave_the_house_with_two_people_only(people: dict[str, User], tmp_path: Path) -> None:
    target = do_create_list(OPERATOR, "words", ListKind.KEYWORD)
    for word, group in (("zorblat", ""), ("quimber", "one"), ("fendle", "two")):
        proposal = do_propose_entry(
            people["anna"], target, KeywordProposal(Sealed(word), group=group), EntryReason.EVIDENCE_OF_NEED, "Seen twice."
        )
        do_approve_proposal(people["lin"], proposal)
    done = CliRunner().invoke(app, ["list", "terms", "words", "--out", str(tmp_path / "w.json")])
    assert isinstance(done.exception, RefusedError) and done.exception.code == "approval_missing"
    do_approve(people["sam"], do_request(people["paula"], TwoPersonAct.KEYWORD_EXPORT, target, "For our own screening node."))
    run("list", "terms", "words", "--out", str(tmp_path / "w.json"))
    written = json.loads((tmp_path / "w.json").read_text())
    assert [each["text"] for each in written["terms"]] == ["zorblat", "quimber", "fendle"]
    second = written["terms"][1]["entry"]
    assert written["together"] == [{"entry": second, "first": "one", "second": "two", "window": 200}]
    assert (tmp_path / "w.json").stat().st_mode & 0o077 == 0
    assert ListEntry.objects.filter(signal="keyword").count() == 3
