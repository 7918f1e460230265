"""The WHATWG set whole: every record has an expected outcome, and where ours differs the reason stands here.

The set resolves inputs against a base. Vigil has no base: an address on the wire is absolute. So each result of the
set (`href`) must be read exactly as the set says, and each input that stands alone likewise.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from vigil.match.urls import UrlFlag, UrlRefused, canonical
from vigil.match.urls.parse import clean, parse

FILE = Path(__file__).parents[2] / "vectors" / "urls" / "urltestdata.json"
RECORDS = [record for record in json.loads(FILE.read_text()) if isinstance(record, dict)]
FETCHED = {"http:", "https:", "ws:", "wss:"}
FAILING = [record["input"] for record in RECORDS if record.get("failure")]
READ = [record for record in RECORDS if not record.get("failure") and record["protocol"] in FETCHED]
OTHER_SCHEMES = [record["href"] for record in RECORDS if not record.get("failure") and record["protocol"] not in FETCHED]

# This stored version of the set refuses invalid A-labels; the URL Standard of 2026 accepts them, and so do browsers.
INVALID_A_LABEL = {text for text in FAILING if "xn--pokxncvks" in text.lower()}
# "http:x" beside a base of the same scheme is relative to it; without a base a browser reads a host.
RELATIVE_TO_BASE = {"http:foo.com", "http::@c:29", "http:/example.com/", "http:example.com/"}


def expected(record: dict[str, Any]) -> tuple[str, int | None, str, str | None]:
    port = int(record["port"]) if record["port"] else None
    return record["hostname"], port, record["pathname"], record["search"][1:] or None


def found(text: str) -> tuple[str, int | None, str, str | None]:
    parsed = parse(clean(text))
    return parsed.host, parsed.port, parsed.path, parsed.query or None


def test_the_set_is_whole() -> None:
    assert len(RECORDS) == len(FAILING) + len(READ) + len(OTHER_SCHEMES) == 687
    assert len(INVALID_A_LABEL) == 6


@pytest.mark.parametrize("record", READ, ids=lambda record: ascii(record["href"]))
def test_each_result_is_read_as_the_set_says(record: dict[str, Any]) -> None:
    assert found(record["href"]) == expected(record)


@pytest.mark.parametrize("record", READ, ids=lambda record: ascii(record["input"]))
def test_each_input_that_stands_alone_is_read_as_the_set_says(record: dict[str, Any]) -> None:
    try:
        result = found(record["input"])
    except UrlRefused:
        assert record.get("base") not in {None, "about:blank"}, "only an input that needs its base may be refused"
        return
    relative = record["input"] in RELATIVE_TO_BASE and str(record["base"]).startswith("http:")
    assert (result == expected(record)) is not relative


@pytest.mark.parametrize("text", FAILING, ids=ascii)
def test_each_failure_is_refused(text: str) -> None:
    if text in INVALID_A_LABEL:
        assert UrlFlag.A_LABEL_INVALID in canonical(text).flags
        return
    with pytest.raises(UrlRefused):
        canonical(text)


@pytest.mark.parametrize("text", OTHER_SCHEMES, ids=ascii)
def test_other_schemes_are_refused_as_such(text: str) -> None:
    with pytest.raises(UrlRefused) as caught:
        canonical(text)
    assert caught.value.code == "scheme"
