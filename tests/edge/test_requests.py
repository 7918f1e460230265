"""Reading requests: whatever the bytes, a question or a refusal with a known status, never anything else."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import quote_from_bytes, urlencode

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from vigil.edge.http import requests
from vigil.edge.http.replies import RequestRefused, problem_reply
from vigil.edge.questions import HashQuestion, UrlQuestion

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(["url", "urls", "signals", "type", "value", "x"]), inner)
    ),
    max_leaves=12,
)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
@example(b'{"url": "\\u0000"}')
@example(b"\xef\xbb\xbf{}")
def test_any_body_is_a_question_or_a_clean_refusal(body: bytes) -> None:
    for read in (requests.signals_of, requests.urls_of):
        try:
            read(body, 50)
        except RequestRefused as refused:
            assert refused.status in {400, 413, 422}
            assert problem_reply(refused).status == refused.status


@given(st.binary(max_size=200))
def test_any_query_is_a_question_or_a_clean_refusal(query: bytes) -> None:
    try:
        requests.signal_of_query(query)
    except RequestRefused as refused:
        assert refused.status in {400, 422}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=50))
def test_text_addresses_survive_the_query(address: str) -> None:
    found = requests.signal_of_query(urlencode({"type": "url", "value": address}).encode())
    assert found == UrlQuestion(address.encode())


@given(st.binary(max_size=50))
def test_bytes_survive_the_query(address: bytes) -> None:
    query = b"value=" + quote_from_bytes(address, safe="").encode() + b"&type=url"
    assert requests.signal_of_query(query) == UrlQuestion(address)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), min_size=1, max_size=9))
def test_batches_keep_their_order(addresses: list[str]) -> None:
    found, several = requests.urls_of(json.dumps({"urls": addresses}).encode(), 9)
    assert several
    assert found == [UrlQuestion(address) for address in addresses]


@given(st.binary(min_size=32, max_size=32).filter(lambda value: len(set(value)) > 1))
def test_hashes_are_read_in_any_case(value: bytes) -> None:
    body = {"signals": [{"type": "pdq", "value": value.hex().upper()}, {"type": "pdq", "value": f" {value.hex()}\n"}]}
    assert requests.signals_of(json.dumps(body).encode(), 2) == [HashQuestion("pdq", value)] * 2


@given(st.text(max_size=40))
def test_any_content_type_is_known_or_refused(kind: str) -> None:
    try:
        assert requests.kind_of_body(kind) in {"json", "media"}
    except RequestRefused as refused:
        assert refused.status == 415


def test_the_openapi_document_is_the_one_in_the_documentation() -> None:
    from vigil.edge.http.openapi import document_text

    written = Path(__file__).parents[2] / "docs" / "reference" / "edge-openapi.json"
    assert written.read_text() == document_text(), "run: vigil edge openapi > docs/reference/edge-openapi.json"


def test_the_openapi_document_knows_every_route_and_method() -> None:
    from vigil.edge.http.openapi import document
    from vigil.edge.http.table import TABLE

    paths = document()["paths"]
    described = {(path, method.upper()) for path, item in paths.items() for method in item}
    served = {(path, method) for path, route in TABLE.items() for method in route.methods if method != "HEAD"}
    assert served <= described
    assert {path for path, _ in described} - {path for path, _ in served} == {
        "/blocked/{language}",
        "/deterrence/{language}",
        "/help/{message}/{place}",
    }


@pytest.mark.parametrize("name", ["docs/reference/edge-api.md"])
def test_the_reference_names_every_code_of_a_problem(name: str) -> None:
    import re

    root = Path(__file__).parents[2]
    text = (root / name).read_text()
    source = "".join(path.read_text() for path in sorted((root / "src/vigil/edge/http").glob("*.py")))
    codes = set(re.findall(r"(?:RequestRefused|_refuse)\(\s*\d{3},\s*\"([a-z_]+)\"", source))
    assert len(codes) > 12
    assert {code for code in codes if f"`{code}`" not in text} == set()
