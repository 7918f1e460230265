"""``vigil url`` as people and scripts use it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from vigil.cli.url import app
from vigil.editions.build import build_edition
from vigil.editions.model import EditionContents, ListInfo, UrlEntry
from vigil.match.urls import CANON, EntryFlag, Scope, canonical

START = datetime(2026, 11, 22, 10, tzinfo=UTC)


def run(*arguments: str, status: int = 0, stdin: str = "") -> Result:
    result = CliRunner().invoke(app, list(arguments), input=stdin)
    assert result.exit_code == status, (result.output, result.exception)
    return result


@pytest.fixture
def edition(tmp_path: Path) -> Path:
    """A folder with the files of an edition: a page and a domain on two lists."""
    lists = (ListInfo("pages", "url", ("NL",)), ListInfo("domains", "domain", ("NL",)))
    entries = (
        UrlEntry(7, "pages", canonical("http://b.example/a"), Scope.PAGE, EntryFlag.NONE, ("ai",), None),
        UrlEntry(8, "domains", canonical("http://c.example/"), Scope.DOMAIN, EntryFlag.NONE, (), None),
    )
    built = build_edition(EditionContents(lists, entries, ()), number=1, previous=None, issued_at=START)
    for name, data in built.files.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


def test_canonical_prints_one_form_a_line() -> None:
    result = run("canonical", "HTTP://B.example:80/%61#x", "b.example")
    assert result.stdout.splitlines() == ["http://b.example/a", "http://b.example/"]


def test_canonical_as_json_holds_the_parts_and_the_version() -> None:
    (line,) = run("canonical", "--json", "https://b.example:444/a?").stdout.splitlines()
    assert json.loads(line) == {
        "canonical": "https://b.example:444/a?", "scheme": "https", "host": "b.example", "port": 444, "path": "/a", "query": "",
        "flags": [], "canon": CANON,
    }  # fmt: skip


def test_refused_addresses_are_named_by_place_and_class_only() -> None:
    result = run("canonical", "b.example", "http://zorblat.example:99999/quimber", status=1)
    assert result.stdout == "http://b.example/\n"
    assert "address 2" in result.stderr
    assert "[port]" in result.stderr
    assert "quimber" not in result.output
    (line,) = run("canonical", "--json", "data:quimber", status=1).stdout.splitlines()
    assert json.loads(line) == {"canonical": None, "code": "scheme", "place": 1, "canon": CANON}


def test_wire_guesses_nothing() -> None:
    assert "[scheme]" in run("canonical", "--wire", "b.example", status=1).stderr


def test_addresses_come_from_standard_input() -> None:
    assert run("canonical", "-", stdin="b.example\nc.example/x\r\n").stdout.splitlines() == ["http://b.example/", "http://c.example/x"]


def test_match_gives_a_verdict_per_address(edition: Path) -> None:
    addresses = ["https://B.example/a?q", "http://x.c.example:99999/", "http://d.example/", "http://d.example:99999/"]
    lines = run("match", *addresses, "--edition", str(edition), "--json", status=1).stdout.splitlines()
    verdicts = [json.loads(line) for line in lines]
    assert [verdict["verdict"] for verdict in verdicts] == ["listed", "listed", "not_listed", "unknown"]
    assert [verdict["entry"] for verdict in verdicts] == [7, 8, None, None]
    assert [verdict["list"] for verdict in verdicts] == ["pages", "domains", None, None]
    assert verdicts[0]["labels"] == ["ai"]
    assert verdicts[1]["labels"] == ["second_pass"]
    assert verdicts[3]["reason"] == "port"
    plain = run("match", *addresses, "--edition", str(edition), status=1).stdout.splitlines()
    assert plain == ["listed pages 7 ai", "listed domains 8 second_pass", "not_listed", "unknown port"]


def test_exit_status_says_whether_all_are_listed(edition: Path) -> None:
    run("match", "http://b.example/a", "--edition", str(edition), status=0)
    run("match", "http://b.example/b", "--edition", str(edition), status=1)


def test_a_folder_without_an_edition_is_bad_input(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["match", "http://b.example/", "--edition", str(tmp_path)])
    assert getattr(result.exception, "exit_status", None) == 2
