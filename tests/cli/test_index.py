"""``vigil index``: build, search, verify."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vigil.base.errors import InputError
from vigil.cli.index import app

ZORBLAT = "0f" * 8 + "a7" * 24
NEAR = "0e" + ZORBLAT[2:]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def lines(result: Result) -> list[dict[str, object]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.fixture
def index(tmp_path: Path) -> Path:
    (tmp_path / "list.txt").write_text(f"# made up\n{ZORBLAT} 41\n\n{'3c' * 32}\n")
    assert run("build", tmp_path / "list.txt", "--out", tmp_path / "list.idx").exit_code == 0
    return tmp_path / "list.idx"


def test_build_search_verify(index: Path, tmp_path: Path) -> None:
    (tmp_path / "queries.txt").write_text(f"{NEAR.upper()}\n{'55' * 32}\nquimber\n{'3c' * 32}\n")
    result = run("search", index, "--queries", tmp_path / "queries.txt", "--json")
    assert result.exit_code == 0
    assert lines(result) == [
        {"query": 1, "answer": "found", "hits": [{"id": 41, "distance": 1}]},
        {"query": 2, "answer": "not_found", "hits": []},
        {"query": 3, "answer": "unknown", "hits": [], "reason": "hash_malformed"},
        {"query": 4, "answer": "found", "hits": [{"id": 4, "distance": 0}]},
    ]
    assert lines(run("verify", index, "--json")) == [{"file": "list.idx", "ok": True, "rows": 2}]


def test_the_distance_is_heeded(index: Path, tmp_path: Path) -> None:
    (tmp_path / "queries.txt").write_text(f"{NEAR}\n")
    result = run("search", index, "--queries", tmp_path / "queries.txt", "--max-distance", 0)
    assert (result.exit_code, result.stdout) == (1, "1 not_found\n")
    refused = run("search", index, "--queries", tmp_path / "queries.txt", "--max-distance", 32)
    assert isinstance(refused.exception, InputError)


def test_malformed_rows_are_set_aside_and_told(tmp_path: Path) -> None:
    folder = tmp_path / "lists"
    folder.mkdir()
    (folder / "a.txt").write_bytes(ZORBLAT.encode() + b",7\nzorblat\n\xff\xfe\n" + b"0" * 64 + b"\n")
    (folder / "b.txt").write_text(f"{'3c' * 32}\t18446744073709551616\n{'3c' * 32} {'9' * 5000}\n")
    result = run("build", folder, "--out", tmp_path / "list.idx", "--json")
    assert result.exit_code == 1
    report = lines(result)[0]
    assert report["rows"] == 1
    assert [(row["file"], row["line"], row["code"]) for row in report["refused"]] == [  # type: ignore[attr-defined]
        ("a.txt", 2, "hash_malformed"),
        ("a.txt", 3, "hash_malformed"),
        ("a.txt", 4, "hash_constant"),
        ("b.txt", 1, "entry_malformed"),
        ("b.txt", 2, "entry_malformed"),
    ]


@pytest.mark.parametrize(("name", "value"), [("sha256", "ab" * 32), ("md5", "ab" * 16), ("photodna", "1,2 3,4")])
def test_exact_kinds(tmp_path: Path, name: str, value: str) -> None:
    (tmp_path / "list.txt").write_text(f"{value}\t5\n")
    built = run("build", tmp_path / "list.txt", "--out", tmp_path / "list.idx", "--algorithm", name)
    assert built.exit_code == 0
    found = run("search", tmp_path / "list.idx", "--queries", tmp_path / "list.txt", "--algorithm", name)
    assert (found.exit_code, found.stdout) == (0, "1 found 5:0\n")
    assert run("verify", tmp_path / "list.idx").stdout == "list.idx: good, 1 rows\n"


def test_an_altered_index_is_told_from_a_good_one(index: Path) -> None:
    content = bytearray(index.read_bytes())
    content[-40] ^= 4
    index.write_bytes(content)
    result = run("verify", index, "--json")
    assert result.exit_code == 1
    assert lines(result)[0]["code"] == "index_checksum"


def test_missing_and_empty_sources_are_input_errors(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    for source in ("missing.txt", "empty.txt"):
        result = run("build", tmp_path / source, "--out", tmp_path / "list.idx")
        assert isinstance(result.exception, InputError)
    missing = run("verify", tmp_path / "missing.idx")
    assert isinstance(missing.exception, InputError)
