"""Addresses in texts, questions as JSON lines, terms in queries."""

from __future__ import annotations

import http.client
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.edge.test_http import problem
from tests.edge.world import Hotline, RunningNode, config_text, running, until, url_entry

from vigil.base.errors import InputError
from vigil.edge.extraction import ADDRESSES, addresses_in
from vigil.edge.screen import QUERY_CHARACTERS, load_terms

PAGE = "http://quimber.example/zorblat"
TERMS = {"list": "terms", "terms": [{"entry": 5, "text": "zorblat"}, {"entry": 6, "text": "selftest word", "labels": ["test"]}]}


@pytest.mark.parametrize(
    ("text", "addresses"),
    [
        ("see http://a.example/x, and (https://b.example/y(z)).", ["http://a.example/x", "https://b.example/y(z)"]),
        ("hxxp://d[.]example/q?x=1#f!", ["http://d.example/q?x=1#f"]),
        ("hxxps[:]//x(dot)example/a", ["https://x.example/a"]),
        ("www.c.example. And e.example", ["http://www.c.example", "http://e.example"]),
        ("mail@f.example and sentence.Then nothing", []),
        ("http://\u200ba.example/", ["http://a.example/"]),
        ("»https://g.example/ü« “h.example/x”", ["https://g.example/ü", "http://h.example/x"]),
        ("[link](http://i.example/a) <http://j.example/>", ["http://i.example/a", "http://j.example/"]),
        ("HTTP://K.EXAMPLE:8080/", ["HTTP://K.EXAMPLE:8080/"]),
    ],
)
def test_addresses_are_found_as_people_write_them(text: str, addresses: list[str]) -> None:
    assert [found.address for found in addresses_in(text)] == addresses


@given(st.text(alphabet=st.sampled_from("ahtpx:/.()[] \n\u200bexmpldot#?-_,!"), max_size=200))
def test_any_text_gives_places_inside_it(text: str) -> None:
    last = 0
    for found in addresses_in(text):
        assert last <= found.start < found.end <= len(text)
        last = found.end


def test_a_flood_of_addresses_is_bounded() -> None:
    assert len(addresses_in("http://a.example/ " * 5000)) == ADDRESSES.value
    assert addresses_in("a." * 200_000) == []


@pytest.fixture
def asked(hotline: Hotline, state: Path, tmp_path: Path) -> Iterator[RunningNode]:
    """A node with a listed page and listed terms."""
    (tmp_path / "terms.json").write_text(json.dumps(TERMS))
    hotline.publish(url_entry(1, PAGE))
    screen = f"[screen]\nenabled = true\nwithout_help = true\nterms_file = '{tmp_path / 'terms.json'}'\n"
    with running(config_text(hotline, state, screen)) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        yield node


def test_a_text_is_answered_address_by_address(asked: RunningNode) -> None:
    text = f"see {PAGE} and http://other.example/ and http://:x/"
    found = asked.post("/v1/text", {"text": text}).json["addresses"]
    assert [(each["verdict"], each["action"]) for each in found] == [
        ("listed", "block"),
        ("not_listed", "allow"),
        ("unknown", "deny"),
    ]
    assert text[found[0]["start"] : found[0]["end"]] == PAGE
    assert "quimber" not in json.dumps(found)
    problem(asked.post("/v1/text", {"words": text}), 422, "body_shape")


def lines(*documents: Any) -> bytes:
    return b"".join(json.dumps(document).encode() + b"\n" for document in documents)


def test_a_stream_is_answered_line_by_line(asked: RunningNode) -> None:
    body = lines(
        {"type": "url", "value": PAGE, "ref": "a"},
        {"type": "url", "value": "http://other.example/"},
        {"type": "zorblat", "value": "x"},
        {"type": "url"},
    ) + b'\n{"type": "md5", "value": "' + b"0f" * 16 + b'"}'  # fmt: skip
    answer = asked.ask("POST", "/v1/stream", body, content_type="application/x-ndjson")
    assert (answer.status, answer.headers["content-type"]) == (200, "application/x-ndjson")
    found = [json.loads(line) for line in answer.body.splitlines()]
    assert [each.get("verdict", each.get("code")) for each in found] == [
        "listed",
        "not_listed",
        "hash_unknown_algorithm",
        "body_shape",
        "not_listed",
    ]
    assert (found[0]["ref"], found[0]["action"], [each["line"] for each in found]) == ("a", "block", [1, 2, 3, 4, 6])
    problem(asked.ask("POST", "/v1/stream", body, content_type="application/json"), 415, "body_kind")


def test_a_stream_answers_before_it_ends(asked: RunningNode) -> None:
    with socket.create_connection(("127.0.0.1", asked.port), timeout=20) as connection:
        head = b"POST /v1/stream HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        first = lines({"type": "url", "value": PAGE})
        connection.sendall(head + b"%x\r\n%s\r\n" % (len(first), first))
        seen = b""
        while b'"listed"' not in seen:
            seen += connection.recv(65536)
        connection.sendall(b"%x\r\n%s\r\n0\r\n\r\n" % (len(first), first))
        while not seen.endswith(b"0\r\n\r\n"):
            seen += connection.recv(65536)
    assert seen.count(b'"listed"') == 2


def test_a_line_without_end_ends_the_stream(asked: RunningNode) -> None:
    answer = asked.ask("POST", "/v1/stream", b"x" * 1_000_000, content_type="application/x-ndjson")
    assert json.loads(answer.body) == {"line": 1, "code": "line_too_long"}


def test_listed_terms_get_a_reviewed_message(asked: RunningNode, hotline: Hotline) -> None:
    found = asked.post("/v1/screen/query", {"query": "where is Zorblát"}, accept_language="nl").json
    assert (found["verdict"], found["list"], found["entry"], found["action"]) == ("listed", "terms", 5, "deter")
    message = found["message"]
    assert (message["language"], message["review"], message["message"]) == ("nl", "unreviewed", "help")
    assert (message["help"], message["more_help"]) == ([], None)
    assert "zorbl" not in json.dumps(found).lower()
    assert asked.post("/v1/screen/query", {"query": "quimber"}).json["action"] == "allow"
    assert asked.post("/v1/screen/query", {"query": "selftest word", "language": "ar"}).json["message"]["direction"] == "rtl"
    problem(asked.post("/v1/screen/query", {"query": "x", "language": "zz"}), 422, "language_unknown")
    long = asked.post("/v1/screen/query", {"query": "x" * (QUERY_CHARACTERS.value + 1)}).json
    assert (long["verdict"], long["reason"], long["action"]) == ("unknown", "query_too_long", "allow")
    until(lambda: hotline.total("keyword_warning") == 1 and hotline.total("test") == 1 and hotline.total("bypassed") == 1)


def test_screening_without_terms_is_unknown_and_the_door_can_be_absent(hotline: Hotline, state: Path, tmp_path: Path) -> None:
    hotline.publish()
    with running(config_text(hotline, state, "[screen]\nenabled = true\nwithout_help = true\non_unknown = 'refuse'\n")) as node:
        until(lambda: node.ask("GET", "/readyz").status == 200)
        found = node.post("/v1/screen/query", {"query": "zorblat"}).json
        assert (found["verdict"], found["reason"], found["action"]) == ("unknown", "no_terms", "deny")
    with running(config_text(hotline, tmp_path / "other")) as node:
        problem(node.post("/v1/screen/query", {"query": "zorblat"}), 404, "no_such_path")


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b'{"list": "t", "terms": [{"entry": 1, "text": "x"}]}', b'{"list": "zorblat", "terms": [1]}'],
)
def test_a_file_of_terms_is_read_strictly_and_never_quoted(data: bytes) -> None:
    with pytest.raises(InputError) as refused:
        load_terms(data)
    assert "zorblat" not in str(refused.value)


def test_the_connection_ends_where_a_stream_stalls(hotline: Hotline, state: Path) -> None:
    hotline.publish()
    with running(config_text(hotline, state, "[limits]\nbody_seconds = 0.3\n")) as node:
        connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
        connection.putrequest("POST", "/v1/stream")
        connection.putheader("Content-Type", "application/x-ndjson")
        connection.putheader("Content-Length", "100")
        connection.endheaders()
        answer = connection.getresponse()
        with pytest.raises(http.client.IncompleteRead):
            answer.read()
        connection.close()
