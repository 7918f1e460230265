"""What holds for every format: golden files, the same bytes each time, the report, and nothing confidential in errors."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from tests.editions.export.world import NOW, SITES, contents, living, made, some_contents
from typer.testing import CliRunner

from vigil.base.errors import InputError, VigilError
from vigil.cli.edition import app
from vigil.editions.export import FORMATS, Occasion, Reason, export_as, leftovers_csv
from vigil.editions.model import EditionContents, UrlEntry
from vigil.match.urls import Scope, canonical

GOLDEN = Path(__file__).resolve().parents[2] / "vectors" / "export"
SOURCE = """signal,value,list,kind,entry,scope,expires
url,quimber.test,sites,domain,10,domain,
url,http://zorblat.example/page,pages,url,11,page,2099-01-01T00:00:00Z
md5,900150983cd24fb0d6963f7d28e17f72,pictures,hash_csam,12,,
"""


def golden_files(name: str) -> dict[str, bytes]:
    export = made(name, some_contents())
    return {**export.files, "leftovers.csv": leftovers_csv(export.left)}


@pytest.mark.parametrize("name", FORMATS)
def test_golden_files(name: str) -> None:
    """To renew them after a wanted change: ``python -m tests.editions.export.test_registry``; then read the difference."""
    folder = GOLDEN / name
    assert {path.name for path in folder.iterdir()} == set(golden_files(name))
    for file, data in golden_files(name).items():
        assert (folder / file).read_bytes() == data, file


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=15, deadline=None)
@given(source=contents())
def test_the_order_of_entries_changes_nothing(name: str, source: EditionContents) -> None:
    shuffled = list(source.urls) * 2
    random.Random(1).shuffle(shuffled)
    other = replace(source, urls=tuple(shuffled), hashes=source.hashes[::-1])
    assert made(name, source) == made(name, other)


@pytest.mark.parametrize("name", FORMATS)
@settings(max_examples=15, deadline=None)
@given(source=contents())
def test_the_report_names_living_entries_of_its_lists_only(name: str, source: EditionContents) -> None:
    alive = {(entry.list, entry.entry) for entry in (*living(source), *source.hashes)}
    assert {(each.list, each.entry) for each in made(name, source).left} <= alive


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_confidential_in_errors(name: str) -> None:
    secret = canonical("http://secret-marker.example/secret-marker")
    wrong = UrlEntry(1, SITES.name, secret, Scope.PREFIX)
    elsewhere = UrlEntry(1, "nowhere", secret, Scope.PAGE)
    for entry in (wrong, elsewhere):
        with pytest.raises(InputError) as caught:
            export_as(name, EditionContents((SITES,), (entry,)), Occasion(1, NOW))
        assert "secret-marker" not in str(caught.value) + repr(caught.value)
        assert "entry 1" in str(caught.value)


def test_an_unknown_format_and_a_naive_time_are_refused() -> None:
    with pytest.raises(InputError, match="no such export format"):
        export_as("zorblat", some_contents(), Occasion(1, NOW))
    with pytest.raises(InputError):
        Occasion(1, datetime.fromisoformat("2026-01-01"))


def test_the_reference_page_knows_every_format_reason_and_file() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "reference" / "exports.md").read_text()
    files = {file for name in FORMATS for file in made(name, some_contents()).files if not file[0].isdigit()}
    for word in (*FORMATS, *(reason.value for reason in Reason), *files):
        assert f"`{word}`" in page, word


def run(*arguments: str, status: int = 0) -> str:
    result = CliRunner().invoke(app, ["export", *arguments])
    if isinstance(result.exception, VigilError):
        raise result.exception
    assert result.exit_code == status, result.output
    return result.stdout


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "entries.csv"
    path.write_text(SOURCE)
    return path


@pytest.mark.parametrize("name", FORMATS)
def test_the_command_writes_each_format(name: str, source: Path, tmp_path: Path) -> None:
    out, report = tmp_path / "out", tmp_path / "report.csv"
    shown = json.loads(
        run(str(source), "--format", name, "--out", str(out), "--number", "3", "--report", str(report), "--json")
    )
    assert sorted(shown["files"]) == sorted(path.name for path in out.iterdir())
    assert all(path.stat().st_mode & 0o077 == 0 for path in (*out.iterdir(), report))
    assert report.read_text().count("\n") == len(shown["left"]) + 1
    assert shown["export_again_before"] == (None if FORMATS[name].carries_expiry else "2099-01-01T00:00:00Z")


def test_the_command_says_in_words_what_is_missing(source: Path, tmp_path: Path) -> None:
    said = run(str(source), "--format", "rpz", "--out", str(tmp_path / "out"), "--number", "3")
    assert "left out        1 hash" in said
    assert "left out        1 narrower_than_host" in said
    assert "2099-01-01T00:00:00Z: export again" in said
    assert "zorblat" not in said


def test_the_command_exports_chosen_lists_and_withdraws(source: Path, tmp_path: Path) -> None:
    later, out = tmp_path / "later.csv", tmp_path / "out"
    later.write_text("".join(line for line in SOURCE.splitlines(keepends=True) if "quimber" not in line))
    run(str(later), "--format", "stix", "--out", str(out), "--number", "4", "--before", str(source), "--list", "pages")
    assert "revoked" not in (out / "stix.json").read_text()
    run(str(later), "--format", "stix", "--out", str(out), "--number", "5", "--before", str(source))
    assert (out / "stix.json").read_text().count('"revoked": true') == 1
    with pytest.raises(InputError, match="no list of that name"):
        run(str(source), "--format", "rpz", "--out", str(out), "--number", "4", "--list", "zorblat")


def test_the_command_refuses_what_it_cannot_do(source: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such export format"):
        run(str(source), "--format", "zorblat", "--out", str(tmp_path), "--number", "1")
    with pytest.raises(InputError, match="cannot be written"):
        run(str(source), "--format", "rpz", "--out", str(source), "--number", "1")


def renew() -> None:
    for name in FORMATS:
        folder = GOLDEN / name
        folder.mkdir(parents=True, exist_ok=True)
        for path in folder.iterdir():
            path.unlink()
        for file, data in golden_files(name).items():
            (folder / file).write_bytes(data)


if __name__ == "__main__":
    renew()
