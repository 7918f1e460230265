"""Reports from partners: single and bulk, once and only once, within the scopes of a token, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hypothesis import given
from hypothesis import strategies as st
from tests.hotline.conftest import DoorClient

from vigil.base.clock import FixedClock
from vigil.base.errors import InputError
from vigil.base.limits import BATCH_ITEMS
from vigil.hotline.access.people import OPERATOR
from vigil.hotline.access.permissions import SCOPES
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.audit.verify import verify
from vigil.hotline.doors.partner.openapi import document, document_text
from vigil.hotline.doors.partner.wire import ReportBody, arrival_of, read_lines, read_one
from vigil.hotline.partners.models import Sender
from vigil.hotline.partners.senders import do_enrol_sender, do_revoke_sender
from vigil.hotline.reports.enumerations import Channel, Outcome, Priority, SourceClass
from vigil.hotline.reports.intake import check_submit, do_submit_report, do_submit_reports
from vigil.hotline.reports.lifecycle import DUPLICATE_RULE, DUPLICATE_RULES
from vigil.hotline.reports.models import IdempotencyKey, Report, Submission, Url

PAGE = "https://gallery.example/room/7"
DIGEST = "ab" * 32


class Partner:
    """A partner at the door."""

    def __init__(self, client: DoorClient, sender: Sender, token: str) -> None:
        self.client, self.sender, self.headers = client, sender, {"Authorization": f"Bearer {token}"}

    def post(self, path: str, body: bytes | dict[str, Any], kind: str = "application/json", key: str = "") -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = self.headers | ({"Idempotency-Key": key} if key else {})
        return self.client.post(path, data, content_type=kind, headers=headers)

    def report(self, key: str = "", **body: Any) -> Any:
        return self.post("/v1/reports", body, key=key)

    def lines(self, *bodies: dict[str, Any], key: str = "") -> Any:
        data = b"\n".join(json.dumps(body).encode() for body in bodies)
        return self.post("/v1/reports/bulk", data, "application/x-ndjson", key)


@pytest.fixture
def make_partner(partner_client: DoorClient, clock: FixedClock) -> Callable[..., Partner]:
    def make(*scopes: str, name: str = "quimber", source_class: str = "member") -> Partner:
        sender, token = do_enrol_sender(OPERATOR, name, source_class, scopes or list(SCOPES))
        return Partner(partner_client, sender, token)

    return make


@pytest.fixture
def partner(make_partner: Callable[..., Partner]) -> Partner:
    return make_partner()


def code_of(answer: Any) -> str:
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["status"] == answer.status_code
    return str(answer.json()["code"])


def test_a_report_with_everything_becomes_a_case(partner: Partner) -> None:
    answer = partner.report(
        url=PAGE, sha256=DIGEST.upper(), service="Zorblat Chat", character="Quimber", account="someone", theme="csam",
        ai_nexus=["chatbot_character"], words="seen twice", language="nl", country="NL", partner_ref="case/7",
        observed_at="2026-11-22T10:00:00Z", referrer="https://way.example/", steps="third link",
    )  # fmt: skip
    assert answer.status_code == 201
    report = Report.objects.get()
    assert answer.json() == {"ref": report.ref, "duplicate": False, "state": "received"}
    assert (report.channel, report.source_class, report.sender) == (Channel.PARTNER_API, SourceClass.MEMBER, partner.sender)
    assert (report.portal_country, report.partner_ref, report.language) == ("NL", "case/7", "nl")
    assert report.free_text.open() == "seen twice"
    assert json.loads(report.access_notes.open()) == {"referrer": "https://way.example/", "steps": "third link"}
    assert [(each.type, each.raw.open()) for each in report.submissions.all()] == [
        ("url", PAGE), ("hash", DIGEST), ("app", "Zorblat Chat\nQuimber"), ("account", "someone"),
    ]  # fmt: skip
    assert AuditEvent.objects.filter(code="report.received", actor="sender:quimber").count() == 1


def test_a_child_at_risk_comes_first(partner: Partner) -> None:
    partner.report(url=PAGE, child_at_risk=True)
    assert Report.objects.get().priority == Priority.CHILD_AT_RISK


@pytest.mark.parametrize(
    "named",
    [{"url": PAGE}, {"sha256": DIGEST}, {"url": "HTTPS://GALLERY.example:443/room/./7"}],
    ids=["url", "file", "other spelling"],
)
def test_the_second_report_of_the_same_thing_counts_on_the_first(partner: Partner, named: dict[str, str]) -> None:
    first = partner.report(**({"url": PAGE} if "url" in named else named)).json()["ref"]
    answer = partner.report(**named).json()  # a scheme is part of an address: http and https are two
    assert answer["duplicate"] is True and answer["state"] == "received"
    second = Report.objects.get(ref=answer["ref"])
    assert second.outcome == Outcome.DUPLICATE and second.dedupe_of is not None and second.dedupe_of.ref == first
    assert second.duplicate_rule_version == DUPLICATE_RULE == max(rule for rule in DUPLICATE_RULES if rule.isdigit())
    assert second.dedupe_of.repeats == 1


@pytest.mark.parametrize(
    "more", [{"sha256": "cd" * 32}, {"service": "Zorblat"}, {"account": "someone"}], ids=["new file", "app", "account"]
)
def test_a_report_that_names_something_new_as_well_is_no_duplicate(partner: Partner, more: dict[str, str]) -> None:
    partner.report(url=PAGE)
    assert partner.report(url=PAGE, **more).json()["duplicate"] is False


def test_a_near_hash_alone_calls_nothing_a_duplicate(partner: Partner) -> None:
    partner.report(pdq="0f" * 32)
    assert partner.report(pdq="0f" * 32).json()["duplicate"] is False


def test_a_key_counts_once(partner: Partner) -> None:
    first = partner.report(key="k-1", url=PAGE)
    again = partner.report(key="k-1", url=PAGE)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json() and again.headers["Idempotent-Replay"] == "true"
    other = partner.report(key="k-1", url=PAGE + "/8")
    assert (other.status_code, code_of(other)) == (409, "idempotency_conflict")
    assert Report.objects.count() == 1


def test_keys_of_two_partners_are_apart(make_partner: Callable[..., Partner]) -> None:
    for name in ("a", "b"):
        assert make_partner(name=name).report(key="k-1", url=f"https://{name}.example/").status_code == 201


def test_a_refused_report_uses_up_no_key(partner: Partner) -> None:
    assert partner.report(key="k-1", url="").status_code == 422
    assert not IdempotencyKey.objects.exists()
    assert partner.report(key="k-1", url=PAGE).status_code == 201


@pytest.mark.parametrize("key", ["ü", "a" * 101, "a b"])
def test_a_malformed_key_is_refused(partner: Partner, key: str) -> None:
    assert code_of(partner.report(key=key, url=PAGE)) == "key_malformed"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "json_malformed"),
        (b"\xff", 400, "json_malformed"),
        (b"[]", 422, "report_wrong"),
        ({}, 422, "address_missing"),
        ({"url": PAGE, "ip": "x"}, 422, "report_wrong"),
        ({"url": PAGE, "theme": "spam "}, 422, "report_wrong"),
        ({"sha256": "zz"}, 422, "report_wrong"),
        ({"url": PAGE, "country": "nl"}, 422, "report_wrong"),
        ({"url": PAGE, "observed_at": "2027-01-01T00:00:00Z"}, 422, "moment_wrong"),
        ({"url": PAGE, "observed_at": "2026-01-01T00:00:00"}, 422, "moment_wrong"),
        ({"url": PAGE, "partner_ref": "<script>"}, 422, "report_wrong"),
        ({"url": PAGE, "words": "x" * 10_001}, 422, "too_long"),
        ({"url": PAGE, "words": "x" * 1_000_000}, 413, "too_large"),
        ({"url": "https://gallery.example/" + "x" * 70_000}, 422, "too_long"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(partner: Partner, body: bytes | dict[str, Any], status: int, code: str) -> None:
    answer = partner.post("/v1/reports", body)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert not Report.objects.exists()


HOSTILE = [
    "<script>alert(1)</script>", "\u202egnp.elbmiuq", "https://gаllery.example/", "https://xn--gllery-3of.example/",
    "\x00\x1b[31m",     "javascript:alert(1)", "https://gallery.example/\u2066a\u2069", "a\r\nSet-Cookie: x",
    "{{7*7}}", "'; DROP TABLE reports_report;--",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_is_kept_as_received_and_harms_nothing(partner: Partner, text: str) -> None:
    assert partner.report(url=text, words=text, service=text).status_code == 201
    assert [each.raw.open() for each in Submission.objects.filter(type="url")] == [text]


def test_homographs_are_different_addresses(partner: Partner) -> None:
    partner.report(url="https://gallery.example/")
    assert partner.report(url="https://gаllery.example/").json()["duplicate"] is False
    assert Url.objects.count() == 2


@pytest.mark.parametrize("method", ["get", "put", "delete"])
def test_other_methods_are_refused(partner: Partner, method: str) -> None:
    assert getattr(partner.client, method)("/v1/reports", headers=partner.headers).status_code == 405


def test_each_scope_opens_its_own_door_only(make_partner: Callable[..., Partner]) -> None:
    asked: dict[str, Callable[[Partner], Any]] = {
        "report.send": lambda each: each.report(url=PAGE),
        "report.bulk": lambda each: each.lines({"url": PAGE}),
        "report.status": lambda each: each.client.get("/v1/reports/7K2M-9QXD-41TZ", headers=each.headers),
        "child.hand_over": lambda each: each.post("/v1/child-cases", b"{}"),
        "child.outcomes": lambda each: each.client.get("/v1/child-cases/x-12", headers=each.headers),
    }
    assert set(asked) == set(SCOPES)
    for number, scope in enumerate(SCOPES):
        one = make_partner(scope, name=f"p{number}")
        refused = {other for other, ask in asked.items() if ask(one).status_code == 403}
        assert refused == set(SCOPES) - {scope}
        assert one.client.post("/v1/counts", b"{}", content_type="application/json", headers=one.headers).status_code == 403


def test_tokens_end(make_partner: Callable[..., Partner], clock: FixedClock) -> None:
    revoked, old = make_partner(name="a"), make_partner(name="b")
    do_revoke_sender(OPERATOR, revoked.sender)
    assert revoked.report(url=PAGE).status_code == 401
    clock.advance(days=366)
    assert old.report(url=PAGE).status_code == 401


@pytest.mark.parametrize(("scopes", "days"), [([], 1), (["report.everything"], 1), (["report.send"], 0)])
def test_senders_that_are_refused(db: None, scopes: list[str], days: int) -> None:
    with pytest.raises(InputError):
        do_enrol_sender(OPERATOR, "x", "member", scopes, days)


# ---- many at once


def test_good_lines_are_kept_whatever_the_others_hold(partner: Partner) -> None:
    answer = partner.lines({"url": PAGE}, {"theme": "nothing"}, {}, {"url": PAGE}, {"sha256": DIGEST})
    document = answer.json()
    assert answer.status_code == 200
    assert (document["accepted"], document["duplicates"], document["refused"]) == (3, 1, 2)
    assert [sorted(result) for result in document["results"]] == [
        ["duplicate", "line", "ref"], ["code", "line", "where"], ["code", "line", "where"], ["duplicate", "line", "ref"],
        ["duplicate", "line", "ref"],
    ]  # fmt: skip
    assert [result["line"] for result in document["results"]] == [1, 2, 3, 4, 5]
    assert document["results"][1]["where"] == "$.theme"
    assert Report.objects.count() == 3 and verify().ok


def test_a_table_is_read_like_lines(partner: Partner) -> None:
    table = "\ufeffurl,theme,ai_nexus,child_at_risk,words\r\n"
    table += f'{PAGE},csam,ai_generated unknown,true,"two\nlines, and ""signs"""\r\n'
    answer = partner.post("/v1/reports/bulk", table.encode(), "text/csv")
    assert answer.json()["accepted"] == 1
    report = Report.objects.get()
    assert report.ai_nexus == ["ai_generated", "unknown"] and report.priority == Priority.CHILD_AT_RISK
    assert report.free_text.open() == 'two\nlines, and "signs"'


@pytest.mark.parametrize(
    ("body", "kind", "status", "code"),
    [
        (b" ", "text/csv", 422, "head_wrong"),
        (b"url\r\n", "text/csv", 422, "batch_empty"),
        (b"url,nothing\r\na,b\r\n", "text/csv", 422, "head_wrong"),
        (b"url,url\r\na,b\r\n", "text/csv", 422, "head_wrong"),
        (b"url\r\n\xff\r\n", "text/csv", 400, "csv_malformed"),
        (b'url\r\n"a', "text/csv", 400, "csv_malformed"),
        (b"url\r\n" + b"a.example\r\n" * (BATCH_ITEMS.value + 1), "text/csv", 413, "too_many_lines"),
        (b"\n\n", "application/x-ndjson", 422, "batch_empty"),
        (b"x" * (5 * 1024 * 1024), "application/x-ndjson", 413, "too_large"),
        (b"{}", "application/json", 415, "media_type"),
    ],
)
def test_batches_that_cannot_be_read(partner: Partner, body: bytes, kind: str, status: int, code: str) -> None:
    answer = partner.post("/v1/reports/bulk", body, kind)
    assert (answer.status_code, code_of(answer)) == (status, code)


def test_a_batch_under_a_key_counts_once(partner: Partner) -> None:
    first = partner.lines({"url": PAGE}, {"url": ""}, key="b-1")
    assert partner.lines({"url": PAGE}, {"url": ""}, key="b-1").json() == first.json()
    assert Report.objects.count() == 1


def test_a_batch_does_what_single_reports_do(partner: Partner) -> None:
    """The same reports one by one and at once: equal rows, equal duplicates, equal counts, equal audit rows."""
    bodies = [{"url": f"https://host{number % 4}.example/{number % 7}", "words": str(number)} for number in range(40)]
    bodies += [{"sha256": f"{number % 3:064x}"} for number in range(9)]
    bodies += [{"url": bodies[0]["url"], "sha256": f"{0:064x}"}, {"url": "no address at all"}]

    def outcome(refs: list[str]) -> list[Any]:
        rows = {row.ref: row for row in Report.objects.filter(ref__in=refs).select_related("dedupe_of")}
        return [
            (rows[ref].repeats, rows[ref].priority, refs.index(rows[ref].dedupe_of.ref) if rows[ref].dedupe_of else None)
            for ref in refs
        ]

    singles = [
        do_submit_report(partner.sender, arrival_of(read_one(json.dumps(body).encode()), partner.sender)).ref for body in bodies
    ]
    one_by_one = outcome(singles)
    events = AuditEvent.objects.filter(code__in=["report.received", "report.repeated"]).count()
    Report.objects.update(is_open=False, status="closed", outcome="not_criminal", dedupe_of=None)
    reads = [check_submit(partner.sender, arrival_of(read_one(json.dumps(body).encode()), partner.sender)) for body in bodies]
    at_once = [report.ref for report in do_submit_reports(partner.sender, reads)]
    assert outcome(at_once) == one_by_one
    assert AuditEvent.objects.filter(code="report.received").count() == 2 * len(bodies) and events >= len(bodies)
    assert verify().ok


def test_a_large_batch_asks_the_database_hardly_more_often_than_a_small_one(partner: Partner) -> None:
    """Look-ups, repeats, rows and audit rows are not asked for line by line."""

    def questions(lines: int, site: str) -> int:
        pages = [{"url": f"https://{site}.example/{number % (lines // 2)}"} for number in range(lines)]
        reads = [check_submit(partner.sender, arrival_of(read_one(json.dumps(page).encode()), partner.sender)) for page in pages]
        with CaptureQueriesContext(connection) as queries:
            made = do_submit_reports(partner.sender, reads)
        assert sum(report.dedupe_of is not None for report in made) == lines // 2
        return len(queries)

    do_submit_report(partner.sender, arrival_of(read_one(b'{"url": "https://first.example/"}'), partner.sender))
    assert questions(60, "large") <= questions(4, "small") + 4 <= 20  # SQLite takes long inserts in some pieces
    assert verify().ok


def test_a_partner_sees_its_own_reports_only(make_partner: Callable[..., Partner]) -> None:
    ours, theirs = make_partner(name="a"), make_partner(name="b")
    ref = ours.report(url=PAGE, partner_ref="n-1").json()["ref"]
    seen = ours.client.get(f"/v1/reports/{ref.lower()}", headers=ours.headers)
    assert seen.json() == {"ref": ref, "state": "received", "partner_ref": "n-1"}
    for path in (f"/v1/reports/{ref}", "/v1/reports/nonsense"):
        assert theirs.client.get(path, headers=theirs.headers).status_code == 404


@given(st.binary(max_size=400), st.sampled_from(["text/csv", "application/x-ndjson"]))
def test_no_bytes_break_the_reader(body: bytes, kind: str) -> None:
    try:
        lines = read_lines(body, kind)
    except InputError:
        return
    assert [line.number for line in lines] == list(range(1, len(lines) + 1))
    assert all((line.body is None) == bool(line.code) for line in lines)


def test_the_description_is_the_printed_one_and_names_every_field(partner_client: DoorClient) -> None:
    printed = Path(__file__).parents[3] / "docs" / "reference" / "partner-openapi.json"
    assert printed.read_text() == document_text(), "run: vigil hotline sender openapi > docs/reference/partner-openapi.json"
    assert partner_client.get("/v1/openapi.json").json() == json.loads(document_text())
    assert set(document()["components"]["schemas"]["ReportBody"]["properties"]) == set(ReportBody.__struct_fields__)
