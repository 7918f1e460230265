"""Signing keys: made once, private, and the root ones apart."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest
from tests.editions.world import START

from vigil.base.errors import InputError, RefusedError
from vigil.editions.keys import KeyRing, create_keys, describe_keys


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    create_keys(tmp_path / "keys", START)
    return tmp_path / "keys"


def code_of(folder: Path) -> str:
    with pytest.raises((InputError, RefusedError)) as found:
        KeyRing.load(folder)
    return found.value.code


def test_nobody_else_can_read_them(folder: Path) -> None:
    keys = sorted(folder.rglob("*.pem"))
    assert [key.relative_to(folder).as_posix() for key in keys] == [
        "offline/root-1.pem",
        "offline/root-2.pem",
        "offline/root-3.pem",
        "release.pem",
        "snapshot.pem",
        "targets.pem",
        "timestamp.pem",
    ]
    assert {stat.S_IMODE(key.stat().st_mode) for key in keys} == {0o600}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "offline")} == {0o700}


def test_the_root_needs_two_of_three_and_lasts_a_year(folder: Path) -> None:
    facts = describe_keys(folder)
    assert facts.threshold == {"root": 2, "targets": 2, "snapshot": 1, "timestamp": 1}
    assert len(facts.key_ids["root"]) == 3
    assert len({key for ids in facts.key_ids.values() for key in ids}) == 7
    assert (facts.root_expires - START).days == 365
    assert facts.offline_here == 3
    signed = json.loads((folder / "1.root.json").read_bytes())["signed"]
    assert signed["consistent_snapshot"] is True


def test_the_office_works_without_the_root_keys(folder: Path) -> None:
    for key in (folder / "offline").iterdir():
        key.unlink()
    (folder / "offline").rmdir()
    ring = KeyRing.load(folder)
    assert set(ring.signers) == {"targets", "snapshot", "timestamp"}
    assert describe_keys(folder).offline_here == 0


def test_keys_are_never_overwritten(folder: Path) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*.pem")}
    with pytest.raises(RefusedError) as found:
        create_keys(folder, START)
    assert found.value.code == "keys_exist"
    assert {path: path.read_bytes() for path in folder.rglob("*.pem")} == before


@pytest.mark.parametrize("name", [".", "targets.pem", "timestamp.pem"])
@pytest.mark.parametrize("mode", [0o755, 0o640, 0o602])
def test_keys_that_others_could_use_are_refused(folder: Path, name: str, mode: int) -> None:
    (folder / name).chmod(mode)
    assert code_of(folder) == "keys_open"


def test_a_key_that_the_root_does_not_name_is_refused(folder: Path) -> None:
    (folder / "targets.pem").write_bytes((folder / "snapshot.pem").read_bytes())
    assert code_of(folder) == "key_not_named"


@pytest.mark.parametrize("content", [b"", b"zorblat", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_damaged_key_is_named(folder: Path, content: bytes) -> None:
    (folder / "targets.pem").write_bytes(content)
    assert code_of(folder) == "key_unreadable"


@pytest.mark.parametrize("name", ["targets.pem", "1.root.json"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    assert code_of(folder) == "keys_missing"


def test_a_damaged_root_is_named(folder: Path) -> None:
    (folder / "1.root.json").write_bytes(b"{}")
    assert code_of(folder) == "root_malformed"


def test_no_key_shows_when_printed(folder: Path) -> None:
    ring = KeyRing.load(folder)
    assert "PRIVATE" not in repr(ring)
    assert "signers" not in repr(ring)
