"""``vigil edition`` as people and scripts use it, from making keys to comparing two editions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from vigil.base.errors import InputError, VigilError
from vigil.cli.edition import app
from vigil.editions.load import load_edition

CSV = """signal,value,list,kind,entry
url,zorblat.example/quimber,pages,url,17
md5,900150983cd24fb0d6963f7d28e17f72,pictures,hash_csam,5
"""


class Desk:
    """A folder with keys and a source, and the command line."""

    def __init__(self, folder: Path) -> None:
        self.keys, self.out, self.state = str(folder / "keys"), str(folder / "out"), str(folder / "state")
        self.root = f"{self.keys}/1.root.json"
        self.source = folder / "entries.csv"
        self.source.write_text(CSV)

    def run(self, *arguments: str, status: int = 0) -> str:
        result = CliRunner().invoke(app, list(arguments))
        if isinstance(result.exception, VigilError):
            raise result.exception
        assert result.exit_code == status, result.output
        return result.stdout

    def data(self, *arguments: str, status: int = 0) -> dict[str, object]:
        document = json.loads(self.run(*arguments, "--json", status=status))
        assert isinstance(document, dict)
        return document

    def build(self) -> dict[str, object]:
        return self.data("build", str(self.source), "--out", self.out, "--keys", self.keys)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.run("keys", "init", desk.keys)
    return desk


def test_from_a_file_of_entries_to_a_node(desk: Desk) -> None:
    assert desk.build() == {"edition": 1, "previous": None, "urls": 1, "hashes": 1}
    assert desk.data("verify", desk.out, "--root", desk.root)["ok"] is True
    pulled = desk.data("pull", desk.out, "--state", desk.state, "--root", desk.root)
    assert (pulled["edition"], pulled["fresh"]) == (1, True)
    assert load_edition(Path(desk.state)).number == 1
    assert desk.data("pull", desk.out, "--state", desk.state)["fresh"] is False
    for folder in (desk.out, desk.state):
        shown = desk.data("show", folder)
        assert (shown["edition"], shown["counts"]) == (1, {"url": 1, "md5": 1})


def test_differences_are_told_by_number(desk: Desk) -> None:
    desk.build()
    desk.run("pull", desk.out, "--state", desk.state, "--root", desk.root)
    desk.source.write_text(CSV.replace(",17", ",18"))
    desk.build()
    found = desk.data("diff", desk.state, desk.out)
    assert found["added"] == [{"list": "pages", "signal": "url", "entry": 18}]
    assert found["removed"] == [{"list": "pages", "signal": "url", "entry": 17}]
    assert "pages/18" in desk.run("diff", desk.state, desk.out)


def test_verify_says_no_with_status_one(desk: Desk) -> None:
    desk.build()
    path = next(Path(desk.out, "targets").glob("*.urls.parquet"))
    path.write_bytes(path.read_bytes() + b"x")
    report = desk.data("verify", desk.out, status=1)
    assert report["ok"] is False
    assert "own first root" in str(report["trusted_root_note"]) or "1.root.json" in str(report["trusted_root_note"])
    with pytest.raises(InputError):
        desk.run("verify", desk.out + "-none")


def test_what_people_read(desk: Desk) -> None:
    assert "safes" in desk.run("keys", "show", desk.keys)
    assert "root" in str(desk.data("keys", "show", desk.keys)["key_ids"])
    assert "is in force" in desk.run("build", str(desk.source), "--out", desk.out, "--keys", desk.keys)
    assert "whole and sound" in desk.run("verify", desk.out)
    assert "list   pages (url;" in desk.run("show", desk.out)
    assert "is now in force" in desk.run("pull", desk.out, "--state", desk.state, "--root", desk.root)
    assert "stays in force" in desk.run("pull", desk.out, "--state", desk.state)


def test_no_content_of_an_entry_is_ever_shown(desk: Desk) -> None:
    output = desk.run("build", str(desk.source), "--out", desk.out, "--keys", desk.keys)
    output += desk.run("show", desk.out) + desk.run("show", desk.out, "--json") + desk.run("diff", desk.out, desk.out)
    assert "zorblat" not in output
    assert "900150983cd2" not in output


def test_the_token_comes_from_a_file_or_the_environment(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = "http://b.example/editions"
    (tmp_path / "token").write_text("t0ken\n")
    with pytest.raises(VigilError) as found:
        desk.run("pull", remote, "--state", desk.state, "--root", desk.root, "--token-file", str(tmp_path / "token"))
    assert found.value.code == "token_in_clear"
    monkeypatch.setenv("VIGIL_EDITION_TOKEN", "t0ken")
    with pytest.raises(VigilError) as found:
        desk.run("pull", remote, "--state", desk.state, "--root", desk.root)
    assert found.value.code == "token_in_clear"


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["show", "none"], 2, "not_an_edition"),
        (["pull", ".", "--state", "state"], 1, "root_missing"),
        (["keys", "show", "none"], 2, "keys_missing"),
        (["show"], 2, ""),
    ],
)
def test_errors_become_a_message_and_a_status(tmp_path: Path, arguments: list[str], status: int, code: str) -> None:
    command = [sys.executable, "-m", "vigil.cli", "edition", *arguments]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == status
    assert code in result.stderr
    assert "Traceback" not in result.stderr
