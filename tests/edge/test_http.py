"""The HTTP door: each route, each refusal as a problem document, nothing echoed."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.edge.world import (
    Answer,
    Hotline,
    RunningNode,
    config_text,
    drawn_picture,
    flat_picture,
    hash_entry,
    running,
    sha256,
    until,
    url_entry,
)

PAGE = "http://quimber.example/zorblat"
LISTED = sha256(b"zorblat")
MARK = "zorblatmarker"


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """One node for the whole file: nothing here changes its edition."""
    from tests.edge.world import served

    from vigil.base.clock import SystemClock

    folder = tmp_path_factory.mktemp("http")
    hotline = Hotline(folder, SystemClock().now())
    hotline.publish(url_entry(1, PAGE), hash_entry(2, "sha256", LISTED), hash_entry(3, "pdq", bytes(range(32))))
    limits = "[limits]\njson_bytes = 100000\nmedia_bytes = 300000\nbatch_items = 50\nmedia_at_once = 1\nmedia_waiting = 0\n"
    with served(hotline), running(config_text(hotline, folder / "state", limits)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        yield node


def problem(answer: Answer, status: int, code: str) -> None:
    """A problem document, whole, that repeats nothing of the request."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    document = answer.json
    assert (document["status"], document["code"], document["type"]) == (status, code, "about:blank")
    assert document["title"]
    assert MARK not in answer.body.decode()


def test_one_signal_by_query(node: RunningNode) -> None:
    answer = node.ask("GET", f"/v1/match?type=sha256&value={LISTED.hex()}")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/json")
    assert answer.json == {
        "verdict": "listed",
        "list": "pictures",
        "entry": 2,
        "edition": 1,
        "signal": "sha256",
        "distance": 0,
        "labels": [],
    }
    assert node.ask("GET", f"/v1/match?value={'1' * 63}2&type=sha256").json["verdict"] == "not_listed"
    assert node.ask("GET", f"/v1/match?type=pdq&value={bytes(range(32)).hex()}").json["distance"] == 0
    assert node.ask("GET", "/v1/match?type=url&value=http%3A%2F%2Fquimber.example%2Fzorblat").json["entry"] == 1
    assert node.ask("GET", "/v1/match?type=url&value=http://%FF%FE").json["verdict"] == "unknown"


def test_a_batch_is_answered_in_order_by_one_edition(node: RunningNode) -> None:
    signals = [{"type": "sha256", "value": LISTED.hex()}, {"type": "url", "value": "\x00"}, {"type": "md5", "value": "12" * 16}]
    verdicts = node.post("/v1/match", {"signals": signals * 10}).json["verdicts"]
    assert [verdict["verdict"] for verdict in verdicts] == ["listed", "unknown", "not_listed"] * 10
    assert {verdict["edition"] for verdict in verdicts} == {1}


def test_addresses_one_and_several(node: RunningNode) -> None:
    assert node.verdict_on(PAGE)["verdict"] == "listed"
    verdicts = node.post("/v1/url", {"urls": [PAGE, "http://other.example/", "zorblat:"]}).json["verdicts"]
    assert [verdict["verdict"] for verdict in verdicts] == ["listed", "not_listed", "unknown"]


@pytest.mark.parametrize(
    "address", ["", "\x00" * 1000, "http://a.example/" + "%25" * 20_000, "\x7f\u202e", "http://[::1", "x" * 90_000]
)
def test_no_address_breaks_the_node(node: RunningNode, address: str) -> None:
    assert node.verdict_on(address)["verdict"] in {"unknown", "not_listed"}


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/url", b"", 400, "body_malformed"),
        ("/v1/url", b"{", 400, "body_malformed"),
        ("/v1/url", b'{"url": "\xff\xfe"}', 400, "body_malformed"),
        ("/v1/url", b'{"url": "\\ud800"}', 400, "body_malformed"),
        ("/v1/url", b"[" * 50_000, 422, "body_shape"),
        ("/v1/url", b'{"urls": ' + b"[" * 50_000, 422, "body_shape"),
        ("/v1/url", b"[]", 422, "body_shape"),
        ("/v1/url", b"{}", 422, "url_or_urls"),
        ("/v1/url", b'{"url": "a", "urls": []}', 422, "url_or_urls"),
        ("/v1/url", b'{"urls": []}', 422, "batch_empty"),
        ("/v1/url", b'{"url": 5}', 422, "body_shape"),
        ("/v1/url", b'{"url": "a", "zorblatmarker": 1}', 422, "body_shape"),
        ("/v1/url", json.dumps({"urls": ["a"] * 51}).encode(), 413, "batch_too_long"),
        ("/v1/url", b'{"url": "' + b"a" * 200_000 + b'"}', 413, "body_too_large"),
        ("/v1/match", b'{"signals": [{"type": "zorblatmarker", "value": ""}]}', 422, "hash_unknown_algorithm"),
        ("/v1/match", b'{"signals": [{"type": "md5", "value": "zorblatmarker"}]}', 422, "hash_malformed"),
        ("/v1/match", b'{"signals": [{"type": "md5"}]}', 422, "body_shape"),
        ("/v1/match", b'{"signals": [{"type": "md5", "value": "' + b"0" * 32 + b'"}]}', 422, "hash_constant"),
        ("/v1/match", b'{"signals": []}', 422, "batch_empty"),
    ],
)
def test_unusable_bodies(node: RunningNode, path: str, body: bytes, status: int, code: str) -> None:
    problem(node.ask("POST", path, body, content_type="application/json; charset=utf-8"), status, code)


def test_a_ten_megabyte_paste_is_refused_and_the_client_hears_it(node: RunningNode) -> None:
    problem(node.ask("POST", "/v1/url", b"z" * 10_000_000, content_type="application/json"), 413, "body_too_large")
    problem(node.ask("POST", "/v1/match", b"z" * 10_000_000, content_type="image/png"), 413, "body_too_large")


def test_a_refusal_says_where(node: RunningNode) -> None:
    signals = [{"type": "md5", "value": "12" * 16}, {"type": "md5", "value": 7}]
    assert node.post("/v1/match", {"signals": signals}).json["where"] == "signals[1].value"
    signals[1]["value"] = "x"
    assert node.post("/v1/match", {"signals": signals}).json["where"] == "signals[1]"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "field_missing"),
        ("type=md5", "field_missing"),
        ("type=md5&type=md5&value=1", "field_twice"),
        ("type=md5&value=1&zorblatmarker=1", "field_unknown"),
        ("type=%ff&value=1", "query_text"),
        ("&", "field_unknown"),
    ],
)
def test_unusable_queries(node: RunningNode, query: str, code: str) -> None:
    problem(node.ask("GET", f"/v1/match?{query}"), 400, code)


def test_kinds_of_body(node: RunningNode) -> None:
    for kind in ("text/plain", "multipart/form-data", "", "application/jsonx"):
        problem(node.ask("POST", "/v1/match", b"x", content_type=kind), 415, "body_kind")
    problem(node.ask("POST", "/v1/url", b"x", content_type="image/png"), 415, "body_kind")
    packed = node.ask("POST", "/v1/url", b"{}", content_type="application/json", content_encoding="gzip")
    problem(packed, 415, "body_packed")


def test_paths_and_methods(node: RunningNode) -> None:
    for path in ("/", "/v1", "/v1/url/", "/gate?url=x", f"/{MARK}", "/blocked/zz", "/blocked/", "/healthz/x", "/%00"):
        problem(node.ask("GET", path), 404, "no_such_path")
    answer = node.ask("DELETE", "/v1/match")
    problem(answer, 405, "method_refused")
    assert answer.headers["allow"] == "GET, POST"
    problem(node.ask("OPTIONS", "/v1/url"), 405, "method_refused")


def test_head_is_get_without_a_body(node: RunningNode) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/blocked"):
        answer = node.ask("HEAD", path)
        assert (answer.body, answer.status) == (b"", 451 if path == "/blocked" else 200)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"zorblat no picture", "not_an_image"),
        (drawn_picture()[:2000], "truncated"),
        (flat_picture(), "low_quality"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 100, None),
    ],
)
def test_files_without_a_usable_hash_are_unknown(node: RunningNode, data: bytes, reason: str | None) -> None:
    verdict = node.ask("POST", "/v1/match", data, content_type="image/png").json
    assert verdict["verdict"] == "unknown"
    assert reason is None or verdict["reason"] == reason


def test_files_are_matched_whatever_their_kind(node: RunningNode) -> None:
    for kind in ("image/x-zorblat", "video/mp4", "application/octet-stream"):
        assert node.ask("POST", "/v1/match", b"zorblat", content_type=kind).json["signal"] == "sha256"
    problem(node.ask("POST", "/v1/match", b"", content_type="image/png"), 400, "body_empty")


def test_more_files_than_there_is_room_for_are_turned_away(node: RunningNode) -> None:
    picture = drawn_picture(3, 320)

    def upload(_: int) -> Answer:
        return node.ask("POST", "/v1/match", picture, content_type="image/png")

    with ThreadPoolExecutor(12) as clients:
        answers = list(clients.map(upload, range(36)))
    statuses = [answer.status for answer in answers]
    assert set(statuses) == {200, 503}
    busy = answers[statuses.index(503)]
    problem(busy, 503, "busy")
    assert busy.headers["retry-after"] == "2"
    assert upload(0).status == 200


def test_health_and_readiness(node: RunningNode) -> None:
    assert node.ask("GET", "/healthz").json == {"status": "alive"}
    ready = node.ask("GET", "/readyz").json
    assert (ready["edition"], ready["status"]) == (1, "degraded")
    assert {reason["code"] for reason in ready["reasons"]} == {"help_line_missing"}
    assert ready["age_seconds"] >= 0


def test_the_block_page(node: RunningNode) -> None:
    answer = node.ask("GET", "/blocked", accept_language="ar")
    assert (answer.status, answer.headers["content-language"]) == (451, "ar")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'dir="rtl"' in answer.body.decode()
    assert node.ask("GET", "/blocked/nl", accept_language="ar").headers["content-language"] == "nl"
    assert node.ask("GET", "/blocked", sec_fetch_dest="document").body
    assert node.ask("GET", "/blocked", sec_fetch_dest="image").body == b""
    assert node.ask("GET", f"/blocked?{MARK}", referer=MARK, cookie=MARK).body.decode().count(MARK) == 0


def test_metrics_have_no_label_beyond_list_door_and_class(node: RunningNode) -> None:
    from prometheus_client.parser import text_string_to_metric_families

    node.verdict_on(PAGE, sec_fetch_dest="document")
    answer = node.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    samples = [sample for family in text_string_to_metric_families(answer.body.decode()) for sample in family.samples]
    assert all(set(sample.labels) <= {"list", "door", "class"} for sample in samples)
    found: dict[str, Any] = {sample.name: sample.value for sample in samples if not sample.labels}
    assert (found["vigil_edge_ready"], found["vigil_edge_edition"], found["vigil_edge_faults_total"]) == (1, 1, 0)
    labelled = [sample for sample in samples if sample.labels]
    events = {tuple(sample.labels[name] for name in ("list", "door", "class")): sample.value for sample in labelled}
    assert events[("urls", "http", "navigation")] >= 1


def test_tokens_close_what_is_not_open(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    token = "api-token-quimber-0001"
    with running(config_text(hotline, state, f'[api]\ntokens = ["other-token-zorblat-0", "{token}"]\n')) as node:
        for path in ("/v1/match?type=md5&value=x", "/metrics"):
            answer = node.ask("GET", path)
            problem(answer, 401, "token_refused")
            assert answer.headers["www-authenticate"] == "Bearer"
        for header in ("", token, "Basic x", f"Bearer {token}x", "Bearer ", "Bearer \xff"):
            problem(node.post("/v1/url", {"url": PAGE}, authorization=header), 401, "token_refused")
        until(lambda: node.ask("GET", "/readyz").status == 200)
        assert node.post("/v1/url", {"url": PAGE}, authorization=f"bearer {token}").status == 200
        for path in ("/healthz", "/readyz", "/blocked"):
            assert node.ask("GET", path).status in {200, 451}


def test_a_mistake_of_ours_is_a_problem_without_detail(node: RunningNode, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError(MARK)

    monkeypatch.setattr(node.node, "answer", broken)
    problem(node.post("/v1/url", {"url": PAGE}), 500, "fault")
    [event] = [event for event in node.events() if event["event"] == "fault"]
    assert event["fault"] == "RuntimeError"
    assert MARK not in node.log.getvalue()


def test_pages_and_help_links_are_counted_by_message(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    more = """[pages]
base_url = "https://node.example"
messages = ["harm"]
[[pages.help_lines]]
country = "NL"
name = "Zorblat line"
for_whom = "self"
languages = ["*"]
url = "https://help.example/talk"
verified_on = TODAY
verified_by = "A person"
"""
    today = hotline.now.date().isoformat()
    with running(config_text(hotline, state, more.replace("TODAY", today))) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        shown = node.ask("GET", "/deterrence/en")
        assert (shown.status, b"/help/harm/0" in shown.body) == (451, True)
        followed = node.ask("GET", "/help/harm/0")
        assert (followed.status, followed.headers["location"]) == (303, "https://help.example/talk")
        assert followed.headers["referrer-policy"] == "no-referrer"
        for path in ("/help/harm/1", "/help/law/0", "/help/harm/x", "/help/harm", "/help", "/deterrence/zz"):
            problem(node.ask("GET", path), 404, "no_such_path")
        [column] = [c for c in node.node.tally.columns().values() if c.messages]
    assert column.messages == {"harm.displayed": 1, "harm.help_followed": 1}


def test_a_page_has_one_length_whoever_asks(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    with running(config_text(hotline, state)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        for path in ("/blocked", "/deterrence/ar"):
            whole = len(node.ask("GET", path).body)
            assert whole > 1000
            for method, part, length in (("GET", b"document", whole), ("HEAD", b"document", whole), ("GET", b"image", 0)):
                head = b"%s %s HTTP/1.1\r\nHost: a\r\nSec-Fetch-Dest: %s\r\nConnection: close\r\n\r\n"
                with socket.create_connection(("127.0.0.1", node.port), timeout=20) as client:
                    client.sendall(head % (method.encode(), path.encode(), part))
                    answer = b"".join(iter(lambda client=client: client.recv(65536), b""))  # type: ignore[misc]
                fields, _, body = answer.partition(b"\r\n\r\n")
                assert re.findall(rb"(?i)\r\ncontent-length: (\d+)", fields) == [b"%d" % length], (method, part)
                assert len(body) == (0 if method == "HEAD" else length)
