"""The partner door: who gets in, what is taken, what is handed out, and how mistakes are answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.hotline.conftest import DoorClient

from vigil.base.clock import FixedClock
from vigil.edge import counts as edge_counts
from vigil.editions.keys import create_keys
from vigil.editions.model import ListKind
from vigil.hotline.access.people import OFFICE, OPERATOR
from vigil.hotline.audit.models import AuditEvent
from vigil.hotline.lists.actions import do_create_list
from vigil.hotline.lists.models import Publication
from vigil.hotline.lists.office import Office
from vigil.hotline.lists.publications import do_request_publication
from vigil.hotline.partners.actions import do_enrol_node, do_revoke_node
from vigil.hotline.partners.models import Delivery, Node
from vigil.hotline.statistics.models import CountAlarm, CountVector

HOUR = "2026-11-22T10:00Z"
CLASSES = dict.fromkeys(edge_counts.CountClass, None)


def vector(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "v": 1, "rules": 1, "node": "n-1", "list": "urls", "edition": 7, "hour": HOUR, "covered_seconds": 3600,
        "counts": {**{str(kind): None for kind in CLASSES}, "navigation": 142, "subresource": 3810},
        "privacy": {"kind": "suppress", "k": 10}, "revision": 0,
    }  # fmt: skip
    return {key: value for key, value in {**made, **changes}.items() if value is not ...}


class Machine:
    """An enrolled node at the door."""

    def __init__(self, client: DoorClient, node: Node, token: str) -> None:
        self.client, self.node, self.headers = client, node, {"Authorization": f"Bearer {token}"}

    def post(self, body: bytes | dict[str, Any], content_type: str = "application/json") -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.client.post("/v1/counts", data, content_type=content_type, headers=self.headers)

    def get(self, path: str) -> Any:
        return self.client.get(path, headers=self.headers)


@pytest.fixture
def machine(partner_client: DoorClient, clock: FixedClock) -> Machine:
    node, token = do_enrol_node(OPERATOR, "n-1")
    do_create_list(OPERATOR, "urls", ListKind.URL)
    Publication.objects.create(created_by=OFFICE.label, number=7, state="published")
    return Machine(partner_client, node, token)


def code_of(answer: Any) -> str:
    assert answer.headers["Content-Type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == answer.status_code
    return str(document["code"])


def test_sent_twice_counts_once(machine: Machine) -> None:
    assert machine.post(vector()).status_code == 201
    for _ in range(3):
        assert machine.post(vector()).status_code == 200
    kept = CountVector.objects.get()
    assert (kept.counts["navigation"], kept.counts["prefetch"], kept.k, kept.in_force) == (142, None, 10, True)


def test_small_numbers_carried_into_a_day_are_taken_at_the_same_address(machine: Machine) -> None:
    day = {
        "v": 1, "rules": 2, "node": "n-1", "list": "urls", "period": "day", "start": "2026-11-20",
        "counts": {"navigation": 20}, "cells": {"navigation": 24}, "k": 10,
    }  # fmt: skip
    assert [machine.post(day).status_code for _ in range(3)] == [201, 200, 200]
    answer = machine.post({**day, "counts": {"navigation": 30}})
    assert (answer.status_code, code_of(answer)) == (409, "counts_conflict")
    assert not CountVector.objects.exists()


def test_other_numbers_under_the_same_key_raise_an_alarm(machine: Machine) -> None:
    machine.post(vector())
    other = vector(covered_seconds=3000)
    for _ in range(3):
        answer = machine.post(other)
        assert (answer.status_code, code_of(answer)) == (409, "counts_conflict")
    assert CountVector.objects.get().covered_seconds == 3600
    assert CountAlarm.objects.count() == 1
    assert AuditEvent.objects.filter(code="counts.conflict", actor="node:n-1").count() == 1


def test_the_highest_revision_wins_in_any_order(machine: Machine) -> None:
    for revision in (1, 0, 3, 2):
        assert machine.post(vector(revision=revision)).status_code == 201
    assert sorted(CountVector.objects.values_list("revision", "in_force")) == [(0, False), (1, False), (2, False), (3, True)]


@pytest.mark.parametrize("state", ["building", "published", "requested", "failed"])
def test_numbers_of_an_edition_are_taken_before_its_row_says_published(machine: Machine, state: str) -> None:
    """A node may enforce an edition before the office has noted that it is in force; nothing it counts then is lost."""
    Publication.objects.create(created_by=OFFICE.label, number=8, state=state)
    assert machine.post(vector(edition=8)).status_code == 201
    assert code_of(machine.post(vector(edition=9))) == "edition_unknown"


def test_nodes_lists_editions_and_hours_are_apart(machine: Machine) -> None:
    Publication.objects.create(created_by=OFFICE.label, number=8)
    do_create_list(OPERATOR, "hashes", ListKind.HASH_CSAM)
    for change in ({}, {"list": "hashes"}, {"edition": 8}, {"hour": "2026-11-22T09:00Z"}):
        assert machine.post(vector(**change)).status_code == 201
    assert CountVector.objects.filter(in_force=True).count() == 4


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b" ", 400, "json_malformed"),
        (b"{", 400, "json_malformed"),
        (b"\xff\xfe", 400, "json_malformed"),
        (b"[" * 15000, 422, "vector_wrong"),
        (b'{"counts":' + b"[" * 15000, 422, "vector_wrong"),
        (b"[]", 422, "vector_wrong"),
        (b" " * 20_000, 413, "too_large"),
        (vector(extra=1), 422, "vector_wrong"),
        (vector(rules=...), 422, "vector_wrong"),
        (vector(v=2), 422, "vector_wrong"),
        (vector(counts={"zorblat": 1}), 422, "vector_wrong"),
        (vector(counts={"navigation": 1.5}), 422, "vector_wrong"),
        (vector(counts={"navigation": True}), 422, "vector_wrong"),
        (vector(privacy={"kind": "suppress", "k": 10, "x": 1}), 422, "vector_wrong"),
        (vector(covered_seconds=3601), 422, "vector_wrong"),
        (vector(revision=-1), 422, "vector_wrong"),
        (vector(hour="2026-11-22T10:30Z"), 422, "vector_wrong"),
        (vector(hour="2026-02-30T10:00Z"), 422, "hour_malformed"),
        (vector(hour="2026-11-22T13:00Z"), 422, "hour_implausible"),
        (vector(hour="2024-11-22T10:00Z"), 422, "hour_implausible"),
        (vector(hour="2026-11-22T12:00Z"), 422, "covered_implausible"),
        (vector(node="n-2"), 422, "node_differs"),
        (vector(list="zorblat"), 422, "list_unknown"),
        (vector(list="*"), 422, "class_without_list"),
        (vector(edition=9), 422, "edition_unknown"),
        (vector(counts={"navigation": -1}, privacy={"kind": "none", "k": 0}), 422, "count_implausible"),
        (vector(counts={"navigation": 2**40}), 422, "count_implausible"),
        (vector(counts={"navigation": 9}), 422, "count_not_suppressed"),
    ],
)  # fmt: skip
def test_what_cannot_be_a_vector_is_refused(machine: Machine, body: Any, status: int, code: str) -> None:
    answer = machine.post(body)
    assert (answer.status_code, code_of(answer)) == (status, code)
    assert not CountVector.objects.exists()


def test_noise_may_be_negative(machine: Machine) -> None:
    noisy = vector(counts={"navigation": -3}, privacy={"kind": "laplace", "epsilon": 0.5})
    assert machine.post(noisy).status_code == 201


def test_unchecked_requests_belong_to_no_list(machine: Machine) -> None:
    body = vector(list="*", edition=0, covered_seconds=0, counts={"unknown": 12, "navigation": None})
    assert machine.post(body).status_code == 201


def test_hits_of_a_bank_belong_to_its_list_and_to_no_edition(machine: Machine) -> None:
    do_create_list(OPERATOR, "bank-7", ListKind.BANK)
    body = vector(list="bank-7", edition=0, covered_seconds=0, counts={"media_match": 250_000})
    assert machine.post(body).status_code == 201
    assert machine.post(vector(edition=7, covered_seconds=0, counts={"media_match": 250_000})).status_code == 422
    assert machine.post(vector(list="bank-8", edition=0, covered_seconds=0)).status_code == 422


def test_what_the_edge_sends_is_taken(machine: Machine, clock: FixedClock) -> None:
    """The two sides share no code; this holds them together."""
    tally = edge_counts.Tally()
    tally.add(7, "urls", edge_counts.CountClass.NAVIGATION, clock.now(), 3)
    tally.add(None, None, edge_counts.CountClass.UNKNOWN, clock.now(), 2)
    clock.advance(seconds=90)
    for k in (0, 10):
        for cell, column in tally.columns().items():
            made = edge_counts.next_vector("n-1", cell, column, edge_counts.Rules(k))
            assert machine.post(msgspec.structs.replace(made, revision=k).encoded()).status_code == 201
    kept = CountVector.objects.get(list="urls", in_force=False)
    assert (kept.counts["navigation"], kept.privacy) == (3, "none")


def test_classes_are_those_of_the_edge() -> None:
    from vigil.hotline.statistics.classes import CountClass

    assert [each.value for each in CountClass] == [each.value for each in edge_counts.CountClass]


def test_only_json_only_post(machine: Machine) -> None:
    assert code_of(machine.post(vector(), content_type="text/plain")) == "media_type"
    answer = machine.get("/v1/counts")
    assert (answer.status_code, answer.headers["Allow"], code_of(answer)) == (405, "POST", "method_not_allowed")


@pytest.mark.parametrize("path", ["/v1/counts", "/editions/metadata/timestamp.json"])
def test_without_a_valid_token_nobody_gets_in(machine: Machine, clock: FixedClock, path: str) -> None:
    def refused() -> None:
        for method in (machine.client.get, machine.client.post):
            answer = method(path, headers=machine.headers)
            assert (answer.status_code, code_of(answer)) == (401, "token_required")
            assert answer.headers["WWW-Authenticate"] == "Bearer"

    right = machine.headers
    for wrong in ({}, {"Authorization": "Bearer zorblat"}, {"Authorization": "Basic zorblat"}):
        machine.headers = wrong
        refused()
    machine.headers = right
    clock.advance(days=366)
    refused()


def test_a_revoked_token_is_out_at_once(machine: Machine) -> None:
    assert machine.post(vector()).status_code == 201
    do_revoke_node(OPERATOR, machine.node)
    assert machine.post(vector(revision=1)).status_code == 401


def test_unknown_addresses_get_a_problem_too(machine: Machine) -> None:
    for path in ("/", "/v1/counts/", "/editions/", "/admin/", "/v2/counts"):
        assert code_of(machine.get(path)) == "not_found"


def test_alive_without_a_token(partner_client: DoorClient) -> None:
    assert partner_client.get("/healthz").content == b"ok\n"


# ---- editions


@pytest.fixture
def editions(tmp_path: Path, machine: Machine, clock: FixedClock) -> Any:
    repository = tmp_path / "editions"
    office = Office(repository, create_keys(tmp_path / "keys", clock.now()))
    do_request_publication(OFFICE)
    done = office.work()
    assert done is not None and done.number == 8
    (tmp_path / "secret.json").write_text("zorblat")
    machine.client.overrides["EDITIONS"] = repository
    return repository


def content(answer: Any) -> bytes:
    return b"".join(answer.streaming_content)


def test_every_file_is_handed_out_as_it_is(machine: Machine, editions: Path) -> None:
    files = [path for path in editions.rglob("*") if path.is_file()]
    assert len(files) > 6
    for path in files:
        answer = machine.get(f"/editions/{path.relative_to(editions)}")
        assert answer.status_code == 200
        assert content(answer) == path.read_bytes()
        assert int(answer.headers["Content-Length"]) == path.stat().st_size


def test_only_the_pointer_is_never_kept(machine: Machine, editions: Path) -> None:
    for name, expected in (("timestamp.json", "no-store"), ("1.root.json", "private, max-age=31536000, immutable")):
        answer = machine.get(f"/editions/metadata/{name}")
        assert answer.headers["Cache-Control"] == expected
        content(answer)


def test_who_fetched_an_edition_is_noted_once(machine: Machine, editions: Path) -> None:
    for _ in range(3):
        content(machine.get("/editions/metadata/timestamp.json"))
        content(machine.get("/editions/metadata/8.targets.json"))
    assert [(each.node, each.edition) for each in Delivery.objects.all()] == [(machine.node, 8)]
    assert AuditEvent.objects.filter(code="edition.delivered", details='{"edition":8}').count() == 1


@pytest.mark.parametrize(
    "path",
    [
        "metadata/../../secret.json", "metadata/%2e%2e%2f%2e%2e%2fsecret.json", "..%2fsecret.json", "metadata/..", "metadata/",
        "metadata/secret.json", "keys/timestamp.json", "metadata/timestamp.json%00", "metadata//etc/passwd", "targets/.part-x",
        "metadata/%00", "metadata/1.root.json/", "targets/" + "0" * 64 + ".edition.json", "metadata/９.root.json",
        "metadata/9.root.json",
    ],
)  # fmt: skip
def test_nothing_else_can_be_read(machine: Machine, editions: Path, path: str) -> None:
    answer = machine.get(f"/editions/{path}")
    assert (answer.status_code, code_of(answer)) == (404, "not_found")
    assert not Delivery.objects.exists()


def test_links_and_folders_are_not_followed(machine: Machine, editions: Path) -> None:
    (editions / "metadata" / "9.root.json").symlink_to(editions.parent / "secret.json")
    (editions / "metadata" / "8.root.json").mkdir()
    for name in ("9.root.json", "8.root.json"):
        assert code_of(machine.get(f"/editions/metadata/{name}")) == "not_found"


def test_before_the_first_edition_there_is_nothing(machine: Machine) -> None:
    assert code_of(machine.get("/editions/metadata/timestamp.json")) == "not_found"


def test_head_and_other_methods(machine: Machine, editions: Path) -> None:
    answer = machine.client.head("/editions/metadata/timestamp.json", headers=machine.headers)
    assert (answer.status_code, content(answer)) == (200, b"")
    answer = machine.client.delete("/editions/metadata/timestamp.json", headers=machine.headers)
    assert (answer.status_code, answer.headers["Allow"]) == (405, "GET, HEAD")


def test_no_cookies_and_strict_headers(machine: Machine) -> None:
    answer = machine.post(vector())
    assert not answer.cookies
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
