"""Opinions on what a source sent: given at the console or the command line, sent back with their reason, answered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.hotline.conftest import DoorClient
from tests.hotline.partners.sources.desk import added, fetched
from tests.hotline.partners.sources.server import serving
from tests.hotline.partners.sources.test_json_sources import KINDS, Service, Thing
from typer.testing import CliRunner

from vigil.base.clock import FixedClock
from vigil.cli.hotline import app
from vigil.hotline.access.models import User
from vigil.hotline.access.people import PUBLIC
from vigil.hotline.access.roles import Role
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.exchange.models import PolicyUse
from vigil.hotline.lists.exchange.policies import do_approve_policy, do_propose_policy
from vigil.hotline.management import boot
from vigil.hotline.partners.sources.models import ImportedEntry, Source, SourceKind, SourceVote
from vigil.hotline.reports.intake import Arrival, do_submit_report
from vigil.hotline.reports.models import Report

pytestmark = pytest.mark.django_db
OPINIONS = {
    "stopncii": ("Blocked", "NotBlocked"), "threatexchange": ("HELPFUL", "DISAGREE_WITH_TAGS"),
    "taxii": ("strongly-agree", "strongly-disagree"), "misp": ('"type": "0"', '"type": "1"'),
}  # fmt: skip

WRONG: list[dict[str, str]] = [
    {}, {"opinion": "maybe", "type": "pdq"}, {"opinion": "agree", "type": "md5"},
    {"opinion": "agree", "type": "pdq", "reason": "z" * 101}, {"opinion": "agree", "type": "pdq", "reason": "a\0b"},
]  # fmt: skip


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The commands run in this process, on the database of the test."""
    monkeypatch.setattr(boot, "start", lambda door: None)


@pytest.fixture(params=list(KINDS))
def service(request: pytest.FixtureRequest, clock: FixedClock) -> Iterator[Service]:
    made: Service = KINDS[request.param]()
    with serving(made):
        made.put(Thing(1), Thing(2))
        yield made


@pytest.fixture
def anna(make_user: Callable[..., User]) -> User:
    return make_user(Role.ANALYST, username="anna")


def command(*words: str, status: int = 0) -> str:
    done = CliRunner().invoke(app, ["source", *words])
    assert done.exit_code == status, (done.output, done.exception)
    return done.output


def codes() -> list[str]:
    return list(AuditEvent.objects.filter(code__startswith="source.vote").order_by("seq").values_list("code", flat=True))


def test_from_the_command_line_to_the_source(service: Service) -> None:
    source = service.make()
    fetched(source)
    listed = json.loads(command("entries", source.name, "--json"))
    assert [row["types"] for row in listed] == [["pdq"], ["pdq"]]
    one, two = (row["key"] for row in listed)
    command("vote", source.name, one, "--type", "pdq", "--agree", "--reason", "quimber")
    command("vote", source.name, two, "--type", "pdq", "--disagree", "--reason", "snarp")
    assert [row["state"] for row in json.loads(command("votes", source.name, "--json"))] == ["queued", "queued"]
    fetched(source)
    assert [row["state"] for row in json.loads(command("votes", source.name, "--json"))] == ["sent", "sent"]
    text = json.dumps(service.posted)
    agrees, disagrees = OPINIONS[source.kind]
    assert agrees in text and disagrees in text
    assert codes() == ["source.voted", "source.voted", "source.vote_sent", "source.vote_sent"]
    assert "disagrees" in command("votes")


@pytest.mark.parametrize("service", ["stopncii"], indirect=True)
def test_from_the_console_to_the_source(
    service: Service, anna: User, make_user: Callable[..., User], console_client: Callable[..., DoorClient]
) -> None:
    source = service.make()
    fetched(source)
    entry = ImportedEntry.objects.order_by("key")[0]
    sam, client = console_client(make_user(Role.SUPERVISOR)), console_client(anna)
    found = sam.post(f"/sources/{source.pk}/find/", {"key": entry.key})
    page = client.get(found.headers["Location"]).content.decode()
    assert "Send an opinion" in page and entry.key in page and "pdq" in page
    address = f"/sources/entry/{entry.pk}/opinion/"
    for wrong in WRONG:
        assert client.post(address, wrong).status_code == 302 and not SourceVote.objects.exists()
    client.post(address, {"opinion": "disagree", "type": "pdq", "reason": "quimber"})
    client.post(address, {"opinion": "agree", "type": "pdq", "reason": "snarp"})
    vote = SourceVote.objects.get()
    assert (vote.agrees, vote.reason, vote.created_by) == (True, "snarp", anna.label), "a later opinion replaces one that waits"
    assert "snarp" in client.get(f"/sources/entry/{entry.pk}/").content.decode()
    fetched(source)
    [feedback] = service.posted[0]["hashFeedbacks"]
    assert len(service.posted) == 1 and (feedback["tags"], feedback["feedbackValue"]) == (["snarp"], "Blocked")
    page = client.get(f"/sources/entry/{entry.pk}/").content.decode()
    assert "sent" in page and feedback["hashValue"] not in page
    assert AuditEvent.objects.filter(code="source.voted", actor=anna.label).count() == 2


def test_who_may(
    tmp_path: Path, anna: User, make_user: Callable[..., User], console_client: Callable[..., DoorClient], clock: FixedClock
) -> None:
    source = a_file(tmp_path)
    entry = ImportedEntry.objects.get(key="zorblat")
    for role, may in ((Role.INTAKE, False), (Role.NOTICES, False), (Role.AUDITOR, False), (Role.SECOND_REVIEWER, True)):
        client = console_client(make_user(role))
        assert client.get(f"/sources/entry/{entry.pk}/").status_code == (200 if may else 403)
        client.post(f"/sources/entry/{entry.pk}/opinion/", {"opinion": "agree", "type": "md5"})
        assert SourceVote.objects.exists() is may
    assert console_client(anna).get(f"/sources/entry/{source.pk}/").status_code == 404


def test_a_case_leads_to_the_entry_and_a_refusal_is_said(
    tmp_path: Path, anna: User, make_user: Callable[..., User], console_client: Callable[..., DoorClient], clock: FixedClock
) -> None:
    """A plain file takes no opinions: the entry says so, and so does the command."""
    source = a_file(tmp_path)
    policy = do_propose_policy(make_user(Role.LIST_PUBLISHER), source, PolicyUse.MATCH)
    do_approve_policy(make_user(Role.SUPERVISOR), policy)
    do_submit_report(PUBLIC, Arrival("http://zorblat.example/a"))
    client = console_client(anna)
    case = client.get(f"/cases/{Report.objects.get().pk}/").content.decode()
    entry = ImportedEntry.objects.get(media="address")
    assert f'href="/sources/entry/{entry.pk}/"' in case
    client.post(f"/sources/entry/{entry.pk}/opinion/", {"opinion": "agree", "type": "url"})
    fetched(source)
    vote = SourceVote.objects.get()
    assert vote.state == "refused" and vote.answer
    assert vote.answer.split(".")[0] in client.get(f"/sources/entry/{entry.pk}/").content.decode()
    assert "refused" in command("votes", status=1)
    assert codes() == ["source.voted", "source.vote_refused"]


def a_file(folder: Path) -> Source:
    path = folder / "list.csv"
    path.write_text("id,type,value\nzorblat,md5,0123456789abcdef0123456789abcdef\npage,url,http://zorblat.example/a\n")
    source = added(SourceKind.DELIMITED, str(path))
    fetched(source)
    return source


def test_what_is_gone_or_nowhere_takes_no_opinion(tmp_path: Path, clock: FixedClock) -> None:
    source: Any = a_file(tmp_path)
    command("vote", source.name, "nobody", "--type", "md5", "--agree", status=1)
    (tmp_path / "list.csv").write_text("id,type,value\nzorblat,md5,0123456789abcdef0123456789abcdef\n")
    fetched(source)
    assert CliRunner().invoke(app, ["source", "vote", source.name, "page", "--type", "url", "--agree"]).exit_code != 0
    assert not SourceVote.objects.exists()
