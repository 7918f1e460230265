"""``examples/partner_lists.py`` as a partner would run it: over HTTP, encrypted for the partner, and with the host gone."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.editions.world import Host, Hotline, picture, some_contents

from vigil.base.clock import FixedClock, SystemClock
from vigil.editions.cipher import Identity, new_identity
from vigil.editions.keys import create_keys
from vigil.editions.shares import Share

ROOT = Path(__file__).resolve().parents[2]
LISTED, OTHER = "http://zorblat-2.example/quimber/2/", "http://zorblat-2.example/quimber/"


@pytest.fixture
def house(tmp_path: Path) -> Hotline:
    """A hotline of today: the example asks the clock of the machine."""
    made = Hotline(tmp_path / "house")
    made.clock, made.keys_folder = FixedClock(SystemClock().now()), tmp_path / "keys"
    made.keys = create_keys(made.keys_folder, made.now)
    (tmp_path / "root.json").write_bytes(made.keys.roots[0])
    return made


@pytest.fixture
def host(house: Hotline) -> Iterator[Host]:
    made = Host(house.repository, house.clock)
    yield made
    made.close()


def ask(source: str, folder: Path, *options: str, questions: list[str]) -> tuple[list[str], str, int]:
    program = str(ROOT / "examples" / "partner_lists.py")
    command = [sys.executable, program, source, str(folder / "lists"), str(folder / "root.json")]
    done = subprocess.run(
        [*command, *options], input="\n".join(questions), capture_output=True, text=True, check=False, timeout=120
    )
    return done.stdout.splitlines(), done.stderr, done.returncode


def test_the_lists_of_everybody(house: Hotline, host: Host, tmp_path: Path) -> None:
    house.publish(some_contents())
    found, listed = picture(1, "md5"), picture(4, "md5")
    questions = [LISTED, OTHER, f"md5 {listed.value.hex()}", f"md5 {found.value[::-1].hex()}", f"sha1 {'00' * 20}"]
    answers, said, status = ask(host.address, tmp_path, questions=questions)
    assert (answers, status) == (["listed pages 2", "not listed", "listed pictures 4", "not listed", "not listed"], 0), said
    assert "edition 1 is in force" in said


def test_a_partners_own_copy_and_the_last_good_one_once_the_host_is_gone(house: Hotline, host: Host, tmp_path: Path) -> None:
    (tmp_path / "identity.txt").write_text(secret := new_identity())
    house.publish(some_contents(), shares=[Share("p-acme", some_contents(3), Identity(secret).recipient)])
    options = ("--part", "partners/p-acme", "--identity", str(tmp_path / "identity.txt"))
    answers, said, status = ask(host.address, tmp_path, *options, questions=[LISTED, "http://zorblat-4.example/quimber/4/"])
    assert (answers, status) == (["listed pages 2", "not listed"], 0), said
    answers, said, status = ask("http://127.0.0.1:9/editions", tmp_path, *options, questions=[LISTED])
    assert (answers, status) == (["listed pages 2"], 0) and "last good edition stays" in said
    assert ask(host.address, tmp_path, *options[:2], questions=[])[2] == 2
