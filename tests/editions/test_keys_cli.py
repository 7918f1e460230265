"""``vigil edition keys rotate | revoke`` and ``build --draft``, ``sign``, ``publish``, as people use them."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.editions.test_cli import Desk
from typer.testing import CliRunner

from vigil.base.errors import InputError, RefusedError
from vigil.cli.edition import app
from vigil.editions.load import load_edition


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path)
    desk.run("keys", "init", desk.keys)
    desk.build()
    desk.run("pull", desk.out, "--state", desk.state, "--root", desk.root)
    return desk


def root_keys(desk: Desk, *numbers: int) -> list[str]:
    return [part for number in numbers for part in ("--root-key", f"{desk.keys}/offline/root-{number}.pem")]


def test_a_stolen_key_from_the_command_line(desk: Desk) -> None:
    report = desk.run("keys", "revoke", desk.keys, "targets", "release", *root_keys(desk, 1, 3))
    assert "Root 2 is signed; new: targets release snapshot timestamp." in report
    assert desk.build()["edition"] == 2
    assert desk.data("pull", desk.out, "--state", desk.state)["edition"] == 2
    assert desk.data("verify", desk.out, "--root", desk.root)["ok"] is True
    assert desk.data("keys", "show", desk.keys)["root_version"] == 2


def test_a_lost_key_from_the_command_line(desk: Desk) -> None:
    Path(desk.keys, "offline", "root-2.pem").unlink()
    facts = desk.data("keys", "rotate", desk.keys, "root", *root_keys(desk, 1, 3))
    assert (facts["root_version"], facts["names"]) == (2, ["root"])
    assert [Path(path).name for path in facts["written"]] == ["root-2-2.pem"]  # type: ignore[attr-defined]
    with pytest.raises(RefusedError, match="needs 2"):
        desk.run("keys", "rotate", desk.keys, "targets", *root_keys(desk, 1))
    with pytest.raises(InputError, match="both"):
        desk.run("keys", "rotate", desk.keys, "targets", "--uri", "hsm:", *root_keys(desk, 1, 3))


def test_a_release_person_from_the_command_line(desk: Desk, tmp_path: Path) -> None:
    key, draft = tmp_path / "release.pem", str(tmp_path / "draft")
    Path(desk.keys, "release.pem").rename(key)
    assert desk.data("keys", "show", desk.keys)["release_here"] is False
    desk.run("build", str(desk.source), "--out", desk.out, "--keys", desk.keys, "--draft", draft)
    with pytest.raises(RefusedError, match="signatures"):
        desk.run("publish", draft, "--out", desk.out, "--keys", desk.keys)
    signing = ["sign", draft, "--key", str(key), "--root", desk.root, "--against", desk.out]
    refused = CliRunner().invoke(app, signing, input="n\n")
    assert refused.exit_code == 1
    assert "From edition 1 to edition 2" in refused.stdout
    assert "zorblat" not in refused.stdout
    assert "2 of 2 signatures" in desk.run(*signing, "--yes")
    assert "Edition 2 is in force" in desk.run("publish", draft, "--out", desk.out, "--keys", desk.keys)
    desk.run("pull", desk.out, "--state", desk.state)
    assert load_edition(Path(desk.state)).number == 2
