"""``vigil hash``: a line a file, JSON lines, folders, and what cannot be hashed."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from tests.media.drawings import encoded, film, jpeg, landscape
from typer.testing import CliRunner, Result

from vigil.cli.hash import app


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    top = tmp_path_factory.mktemp("files")
    (top / "b.png").write_bytes(encoded(landscape(seed=2), "PNG"))
    (top / "inner").mkdir()
    (top / "inner" / "a.jpg").write_bytes(jpeg())
    (top / "inner" / "film").write_bytes(film(2))
    (top / "z.txt").write_bytes(b"zorblat")
    (top / "link.png").symlink_to(top / "b.png")
    os.mkfifo(top / "pipe")
    return top


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_line_holds_the_eight_fields(folder: Path) -> None:
    ended = run(folder / "b.png")
    data = (folder / "b.png").read_bytes()
    fields = ended.stdout.split()
    assert ended.exit_code == 0
    assert fields[:3] == [hashlib.new(name, data).hexdigest() for name in ("md5", "sha1", "sha256")]
    assert len(fields[3]) == 64
    assert fields[4:] == ["100", "320", "240", str(folder / "b.png")]


def test_a_folder_is_walked_in_order_and_links_and_pipes_are_left_out(folder: Path) -> None:
    ended = run(folder)
    names = [Path(line.split()[-1]).name for line in ended.stdout.splitlines()]
    assert names == ["b.png", "z.txt", "a.jpg", "film"]
    assert ended.exit_code == 1
    assert "z.txt: no perceptual hash [not_an_image]" in ended.stderr


def test_json_lines_hold_everything(folder: Path) -> None:
    ended = run("--json", "--variants", "--trim", folder)
    objects = {Path(one["file"]).name: one for one in map(json.loads, ended.stdout.splitlines())}
    assert [one["view"] for one in objects["a.jpg"]["extras"]][:2] == ["rotate90", "rotate180"]
    assert objects["a.jpg"]["format"] == "jpeg"
    assert objects["z.txt"]["reason"] == "not_an_image"
    assert objects["z.txt"]["sha256"] == hashlib.sha256(b"zorblat").hexdigest()
    assert [one.get("milliseconds", 0) for one in objects["film"]["frames"]] == [0, 1000]


@pytest.mark.parametrize("mode", ["exact", "rgb", "fast"])
def test_the_mode_is_told(folder: Path, mode: str) -> None:
    ended = run("--json", "--mode", mode, folder / "b.png")
    assert json.loads(ended.stdout)["mode"] == mode


def test_a_missing_file_is_bad_input_and_the_others_are_hashed(folder: Path) -> None:
    ended = run(folder / "absent", folder / "b.png")
    assert ended.exit_code == 2
    assert "[unreadable]" in ended.stderr
    assert len(ended.stdout.splitlines()) == 1


def test_a_name_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "a\x1b[31m\n.png").write_bytes(encoded(landscape(64, 64), "PNG"))
    ended = run(tmp_path)
    assert "\x1b" not in ended.stdout
    assert len(ended.stdout.splitlines()) == 1


def test_usage_errors_are_two() -> None:
    assert run().exit_code == 2
    assert run("--mode", "zorblat", "x").exit_code == 2
