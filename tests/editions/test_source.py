"""Entries from CSV and JSON lines: strict, and silent about what the rows hold."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vigil.base.errors import InputError
from vigil.editions.source import Row, read_source
from vigil.match.urls import EntryFlag, Scope, canonical

MD5 = "900150983cd24fb0d6963f7d28e17f72"
CSV = f"""signal,value,list,kind,entry,scope,flags,labels,jurisdictions,max_distance,expires
url,zorblat.example/quimber/,pages,url,17,prefix,scheme_exact port_exact,ai video,NL BE,,2027-01-01T00:00:00Z
url,https://zorblat.example/x,pages,,,,,,,,
md5,{MD5},pictures,hash_csam,5,,,,,24,
"""
JSON = [
    {
        "signal": "url", "value": "zorblat.example/quimber/", "list": "pages", "kind": "url", "entry": 17, "scope": "prefix",
        "flags": ["scheme_exact", "port_exact"], "labels": ["ai", "video"], "jurisdictions": ["NL", "BE"],
        "expires": "2027-01-01T00:00:00Z",
    },
    {"signal": "url", "value": "https://zorblat.example/x", "list": "pages"},
    {"signal": "md5", "value": MD5, "list": "pictures", "kind": "hash_csam", "entry": 5, "max_distance": 24},
]  # fmt: skip


def written(tmp_path: Path, text: str | bytes, name: str = "entries.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_both_forms_say_the_same(tmp_path: Path) -> None:
    lines = "\n\n".join(json.dumps(row) for row in JSON)
    contents = read_source(written(tmp_path, CSV))
    assert contents == read_source(written(tmp_path, lines, "entries.jsonl"))
    assert contents == read_source(written(tmp_path, "\ufeff" + CSV.replace("\n", "\r\n"), "bom.csv"))
    first, second = contents.urls
    assert (first.entry, first.scope, first.labels) == (17, Scope.PREFIX, ("ai", "video"))
    assert first.flags == EntryFlag.SCHEME_EXACT | EntryFlag.PORT_EXACT
    assert first.expires == datetime(2027, 1, 1, tzinfo=UTC)
    assert (second.entry, second.scope, second.url) == (2, Scope.URL, canonical("https://zorblat.example/x"))
    assert [(info.name, info.kind, info.jurisdictions, info.max_distance) for info in contents.lists] == [
        ("pages", "url", ("NL", "BE"), 31),
        ("pictures", "hash_csam", (), 24),
    ]
    assert contents.hashes[0].value.hex() == MD5


HEADER = "signal,value,list,kind\n"


@pytest.mark.parametrize(
    ("text", "code", "where"),
    [
        ("", "source_empty", ""),
        (HEADER, "source_empty", ""),
        (HEADER + "url,zorblat.example/,pages\n", "source_row", "line 2"),
        (HEADER + "url,zorblat.example/,pages,url,more\n", "source_row", "line 2"),
        ("signal,value,list,colour\nurl,zorblat.example/,pages,red\n", "source_row", "line 2"),
        ("signal,value\nurl,zorblat.example/\n", "source_row", "line 2"),
        (HEADER + 'url,"zorblat.example/,pages,url\n', "source_row", "line 2"),
        (HEADER + "url,zorblat.example/,pages,\n", "list_kind_unknown", "line 2"),
        (HEADER + "url,zorblat.example/,pages,url\nurl,zorblat.example/,pages,domain\n", "list_differs", "line 3"),
        (HEADER + "url,zorblat zorblat/,pages,url\n", "host_code_point", "line 2"),
        (HEADER + "md5,zorblat,pages,hash_csam\n", "hash_malformed", "line 2"),
        (HEADER + "zorblat,zorblat,pages,hash_csam\n", "hash_unknown_algorithm", "line 2"),
        (HEADER[:-1] + ",scope\nurl,zorblat.example/,pages,url,zorblat\n", "scope_unknown", "line 2"),
        (HEADER[:-1] + f",scope\nmd5,{MD5},pages,hash_csam,page\n", "hash_with_scope", "line 2"),
        (HEADER[:-1] + ",flags\nurl,zorblat.example/,pages,url,zorblat\n", "flag_unknown", "line 2"),
        (HEADER[:-1] + ",entry\nurl,zorblat.example/,pages,url,zorblat\n", "source_row", "line 2"),
        (HEADER[:-1] + ",expires\nurl,zorblat.example/,pages,url,zorblat\n", "time_malformed", "line 2"),
    ],
)
def test_rows_that_cannot_be(tmp_path: Path, text: str, code: str, where: str) -> None:
    with pytest.raises(InputError) as found:
        read_source(written(tmp_path, text))
    assert (found.value.code, found.value.where) == (code, where)
    assert "zorblat" not in str(found.value)
    assert "zorblat" not in repr(found.value.__cause__)


@pytest.mark.parametrize(
    "line",
    ["[]", "null", "{", "{}", '{"signal": 1}', '{"signal": "url", "value": "a", "list": "b", "more": 1}', "[" * 100_000, "\xff"],
    ids=lambda line: line[:20],
)
def test_lines_that_cannot_be(tmp_path: Path, line: str) -> None:
    with pytest.raises(InputError) as found:
        read_source(written(tmp_path, line.encode("latin-1"), "entries.jsonl"))
    assert (found.value.code, found.value.where) == ("source_row", "line 1")


def test_other_bad_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        read_source(written(tmp_path, b"signal,value\n\xff\xfe"))
    with pytest.raises(InputError, match="cannot be read"):
        read_source(tmp_path / "none.csv")
    with pytest.raises(InputError, match="too long"):
        read_source(written(tmp_path, b'{"signal": "' + b"a" * 300_000 + b'"}', "long.jsonl"))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=200) | st.text(max_size=80).map(lambda text: (HEADER + text).encode("utf-8", "replace")))
@pytest.mark.parametrize("name", ["entries.csv", "entries.jsonl"])
def test_nothing_else_is_ever_raised(tmp_path: Path, name: str, data: bytes) -> None:
    try:
        read_source(written(tmp_path, data, name))
    except InputError as error:
        assert error.code


def test_the_columns_are_those_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "src/vigil/editions/source.py").read_text().split('"""')[1]
    assert all(field in text for field in Row.__struct_fields__)
