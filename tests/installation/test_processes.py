"""Processes are watched together, started again when they end, and never outlive their watcher."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from vigil.base.errors import InputError, UnavailableError
from vigil.installation.folder import DataFolder
from vigil.installation.processes import Program, StepError, Watcher, run_once
from vigil.installation.readiness import Address, wait_for
from vigil.installation.up import require_kept_secrets

PATIENT = 20.0


def until(what: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENT
    while not what():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.02)


def sleeper(name: str) -> Program:
    return Program(name, [sys.executable, "-c", "import time; time.sleep(600)"])


@pytest.fixture
def watched(tmp_path: Path) -> Iterator[Watcher]:
    said: list[str] = []
    watcher = Watcher([sleeper("one"), sleeper("two")], tmp_path, said.append)
    watcher.start()
    thread = threading.Thread(target=watcher.watch)
    thread.start()
    yield watcher
    watcher.stop()
    thread.join(PATIENT)
    watcher.shut_down()
    assert watcher.pids == {}


def test_a_killed_process_is_started_again_and_the_others_go_on(watched: Watcher) -> None:
    until(lambda: len(watched.pids) == 2)
    before = watched.pids
    os.kill(before["one"], signal.SIGKILL)
    until(lambda: watched.pids.get("one") not in (None, before["one"]))
    assert watched.pids["two"] == before["two"]


def test_who_waits_for_a_start_can_be_told_to_stop(watched: Watcher) -> None:
    """Ctrl-C while the doors are still opening ends at once, and a process that dies meanwhile is started again."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = Address("a door that stays shut", "127.0.0.1", nobody.getsockname()[1], "/healthz")
        threading.Timer(0.3, watched.stop).start()
        assert wait_for([address], 600.0, lambda text: None, watched.look_after) is False


@pytest.mark.parametrize("place", ["data", "data/below"])
def test_a_data_folder_that_is_a_file_is_refused_in_words(tmp_path: Path, place: str) -> None:
    (tmp_path / "data").write_text("zorblat")
    with pytest.raises(InputError, match="cannot be used") as caught:
        DataFolder(tmp_path / place).create()
    assert caught.value.mend == "Choose another with --data."
    assert (tmp_path / "data").read_text() == "zorblat"


def test_a_database_that_lost_its_keys_gets_no_new_ones(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.create()
    require_kept_secrets(folder)
    folder.database.touch()
    (folder.secrets / "digest.key").touch()
    with pytest.raises(UnavailableError, match=r"seal\.key") as caught:
        require_kept_secrets(folder)
    assert "backup" in caught.value.mend
    (folder.secrets / "seal.key").touch()
    require_kept_secrets(folder)


def test_what_they_print_goes_to_a_file_each(tmp_path: Path) -> None:
    program = Program(
        "talker", [sys.executable, "-c", "print('hello from', __import__('os').environ['NAME'])"], {"NAME": "talker"}
    )
    watcher = Watcher([program], tmp_path, lambda text: None)
    watcher.start()
    until(lambda: (tmp_path / "talker.log").read_text() == "hello from talker\n")
    watcher.shut_down()


def test_processes_die_with_a_watcher_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "watch.py"
    script.write_text(
        textwrap.dedent("""
        import sys, pathlib
        from vigil.installation.processes import Program, Watcher
        folder = pathlib.Path(sys.argv[1])
        watcher = Watcher([Program("child", [sys.executable, "-c", "import time; time.sleep(600)"])], folder, print)
        watcher.start()
        (folder / "child.pid").write_text(str(watcher.pids["child"]))
        watcher.watch()
        """)
    )
    parent = subprocess.Popen([sys.executable, str(script), str(tmp_path)])
    until(lambda: (tmp_path / "child.pid").exists() and (tmp_path / "child.pid").read_text())
    child = int((tmp_path / "child.pid").read_text())
    parent.kill()
    parent.wait(PATIENT)
    until(lambda: not alive(child))


def alive(pid: int) -> bool:
    try:
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False


def test_a_step_that_fails_says_what_it_printed() -> None:
    with pytest.raises(StepError) as caught:
        run_once([sys.executable, "-c", "import sys; sys.exit('no room left')"], {})
    assert caught.value.said == "no room left"
