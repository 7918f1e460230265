"""Public vectors, must-refuse ones included. Provenance: tests/vectors/urls/PROVENANCE.md."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import can_ada
import pytest

from vigil.match.urls import Scope, UrlFlag, UrlRefused, canonical, hosts_of, prefixes_of, second_pass
from vigil.match.urls.parse import clean, parse
from vigil.match.urls.scopes import expression

VECTORS = Path(__file__).parents[2] / "vectors" / "urls"
SAFE_BROWSING = json.loads((VECTORS / "safe_browsing.json").read_text())
WHATWG = json.loads((VECTORS / "whatwg.json").read_text())


@pytest.mark.parametrize("vector", SAFE_BROWSING["canonical"], ids=lambda vector: ascii(vector["input"]))
def test_safe_browsing_vector_gives_the_recorded_result(vector: dict[str, Any]) -> None:
    if "refused" in vector:
        with pytest.raises(UrlRefused) as caught:
            canonical(vector["input"])
        assert caught.value.code == vector["refused"]
    else:
        assert canonical(vector["input"]).text() == vector["ours"]


def test_each_difference_from_safe_browsing_is_explained() -> None:
    for vector in SAFE_BROWSING["canonical"]:
        differs = "refused" not in vector and vector["theirs"] != vector["ours"]
        assert not differs or "note" in vector, vector["input"]


@pytest.mark.parametrize(
    "vector", [v for v in SAFE_BROWSING["canonical"] if "second_pass" in v], ids=lambda vector: ascii(vector["input"])
)
def test_second_pass_reads_what_safe_browsing_clients_read(vector: dict[str, Any]) -> None:
    assert [url.text() for url in second_pass(vector["input"])] == vector["second_pass"]


@pytest.mark.parametrize("vector", SAFE_BROWSING["expressions"], ids=lambda vector: vector["input"])
def test_our_expressions_contain_all_of_safe_browsing(vector: dict[str, Any]) -> None:
    url = canonical(vector["input"])
    paths = {expression(Scope.URL, url)[len(url.host) :], url.path, *prefixes_of(url.path)}
    ours = {host + path for host in hosts_of(url) for path in paths}
    assert set(vector["theirs"]) <= ours


@pytest.mark.parametrize("vector", WHATWG["accepted"], ids=lambda vector: ascii(vector["input"]))
def test_whatwg_vector_is_parsed_as_recorded(vector: dict[str, Any]) -> None:
    parsed = parse(clean(vector["input"]))
    found = {"host": parsed.host, "port": parsed.port, "path": parsed.path, "query": parsed.query}
    assert found == {name: vector[name] for name in found}


@pytest.mark.parametrize("text", WHATWG["failure"], ids=ascii)
def test_whatwg_failure_is_refused_with_a_class(text: str) -> None:
    with pytest.raises(UrlRefused):
        canonical(text)


@pytest.mark.parametrize("text", WHATWG["invalid_a_label"])
def test_invalid_a_label_is_kept_and_flagged(text: str) -> None:
    assert not can_ada.can_parse(text)
    url = canonical(text)
    assert url.host == text.removeprefix("http://").lower()
    assert url.flags == {UrlFlag.A_LABEL_INVALID}
